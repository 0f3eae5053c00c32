//! What a thinker looks like: its decoder, its towers and its special tokens, from a `config.json`.
//!
//! Three files describe one: a whole Qwen2.5-Omni's (the thinker lies in `thinker_config`), a thinker's own, and a
//! Qwen2.5-VL's (no audio; in older files the decoder's keys lie at the top). Each is written by transformers 4.x or 5.x.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Map, Value};

use super::grid::{CHANNELS, MERGE, PATCH_SIDE, PATCH_TIME};
use crate::{
    config::{ConfigError, DecoderConfig, Keys, read_object},
    families::Family,
};

/// Bins of a log-mel spectrogram, the only number of them the preprocessing makes.
pub(crate) const MEL_BINS: usize = 128;

/// Which of the two models it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OmniKind {
    /// Pictures, clips and sounds.
    Qwen25Omni,
    /// Pictures and clips without sound.
    Qwen25Vl,
}

/// A thinker: a Qwen2 decoder with three-axis positions, and the towers in front of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ThinkerConfig {
    /// Which model.
    pub kind: OmniKind,
    /// The decoder, of the Qwen2 family.
    pub decoder: DecoderConfig,
    /// How many of a head's frequencies turn with time, height and width, in this order; their sum is `head_dim / 2`.
    pub mrope_section: [usize; 3],
    /// The tower for pictures and clips.
    pub vision: VisionConfig,
    /// The tower for sounds; Qwen2.5-VL has none.
    pub audio: Option<AudioConfig>,
    /// Tokens that stand for media and around them.
    pub tokens: SpecialTokens,
    /// Steps of the time axis a second of a clip.
    pub position_ids_per_second: u32,
    /// Seconds of a clip before its sound has its turn, and of the sound before the clip has.
    pub seconds_per_chunk: f64,
}

/// The vision tower's shape. Patches are 14 × 14 pixels × 2 frames of 3 colours, and 2 × 2 of them are one cell, in
/// every published model.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    /// Blocks.
    pub depth: usize,
    /// Width of a patch's state.
    pub hidden_size: usize,
    /// Width inside the gated MLP.
    pub intermediate_size: usize,
    /// Attention heads.
    pub heads: usize,
    /// Cells along one side of an attention window.
    pub window_cells: usize,
    /// Blocks in which a patch sees its whole frame instead of its window.
    pub full_attention_blocks: BTreeSet<usize>,
    /// Width of what comes out: the decoder's.
    pub out_hidden_size: usize,
}

/// The audio tower's shape.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioConfig {
    /// Layers.
    pub layers: usize,
    /// Width of a state.
    pub width: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Attention heads.
    pub heads: usize,
    /// Mel frames that are heard together; nothing crosses a chunk's border.
    pub chunk_frames: usize,
    /// Width of what comes out: the decoder's.
    pub out_hidden_size: usize,
}

/// Ids of the tokens that stand for media, and of those around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Stands for one cell of a picture.
    pub image: u32,
    /// Stands for one cell of a clip's frame pair.
    pub video: u32,
    /// Before a picture or clip.
    pub vision_start: u32,
    /// After a picture or clip.
    pub vision_end: u32,
    /// Those of sounds; Qwen2.5-VL has none.
    pub audio: Option<AudioTokens>,
}

/// Ids of the tokens of sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTokens {
    /// Stands for 40 ms of sound.
    pub audio: u32,
    /// Before a sound.
    pub start: u32,
    /// After a sound.
    pub end: u32,
}

impl SpecialTokens {
    /// Whether the token stands for a part of a picture, clip or sound, so that a tower's output takes its place.
    #[must_use]
    pub fn is_placeholder(&self, token: u32) -> bool {
        token == self.image || token == self.video || self.audio.is_some_and(|audio| token == audio.audio)
    }

    fn all(&self) -> Vec<u32> {
        let audio = self.audio.map_or(vec![], |audio| vec![audio.audio, audio.start, audio.end]);
        [vec![self.image, self.video, self.vision_start, self.vision_end], audio].concat()
    }
}

impl ThinkerConfig {
    /// Whether there is a `config.json` at `path` that describes a model with towers.
    #[must_use]
    pub fn is_described_by(path: &Path) -> bool {
        path.is_file() && read_object(path).is_ok_and(|keys| Self::describes(&keys))
    }

    /// Reads a `config.json`.
    ///
    /// # Errors
    /// Missing file, missing keys, another model, or numbers that contradict each other.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::from_keys(&read_object(path)?)
    }

    /// Reads the keys of a `config.json`.
    ///
    /// # Errors
    /// As [`ThinkerConfig::read`].
    pub fn from_keys(map: &Map<String, Value>) -> Result<Self, ConfigError> {
        let keys = Keys::at("", map);
        match keys.text("model_type")? {
            "qwen2_5_omni" => {
                let thinker = keys.object("thinker_config").ok_or_else(|| keys.missing("thinker_config"))?;
                Self::omni(&Keys::at("thinker_config.", thinker))
            }
            "qwen2_5_omni_thinker" => Self::omni(&keys),
            "qwen2_5_vl" => Self::vl(&keys),
            other => Err(ConfigError::Unsupported {
                what: format!("the architecture {other:?}"),
                cure: "use a Qwen2.5-Omni or Qwen2.5-VL model for pictures, clips and sounds".into(),
            }),
        }
    }

    /// Whether a `config.json` describes a thinker rather than a text model.
    #[must_use]
    pub fn describes(map: &Map<String, Value>) -> bool {
        let kind = map.get("model_type").and_then(Value::as_str);
        matches!(kind, Some("qwen2_5_omni" | "qwen2_5_omni_thinker" | "qwen2_5_vl"))
    }

    fn omni(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        let text = keys.object("text_config").ok_or_else(|| keys.missing("text_config"))?;
        let audio = keys.object("audio_config").ok_or_else(|| keys.missing("audio_config"))?;
        let audio_tokens = AudioTokens {
            audio: token(keys, "audio_token")?,
            start: token(keys, "audio_start_token")?,
            end: token(keys, "audio_end_token")?,
        };
        let (decoder, mrope_section) = decoder(keys, &Keys::at("text_config.", text))?;
        let config = Self {
            kind: OmniKind::Qwen25Omni,
            decoder,
            mrope_section,
            vision: vision(keys)?,
            audio: Some(AudioConfig::from_keys(&Keys::at("audio_config.", audio))?),
            tokens: tokens(keys, Some(audio_tokens))?,
            position_ids_per_second: steps_per_second(keys, "position_id_per_seconds", Some(25))?,
            seconds_per_chunk: optional_number(keys, "seconds_per_chunk")?.unwrap_or(2.0),
        };
        config.checked()
    }

    fn vl(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        let text = keys.object("text_config").map_or(*keys, |text| Keys::at("text_config.", text));
        let (decoder, mrope_section) = decoder(keys, &text)?;
        let vision_keys = keys.object("vision_config").ok_or_else(|| keys.missing("vision_config"))?;
        let config = Self {
            kind: OmniKind::Qwen25Vl,
            decoder,
            mrope_section,
            vision: vision(keys)?,
            audio: None,
            tokens: tokens(keys, None)?,
            position_ids_per_second: steps_per_second(
                &Keys::at("vision_config.", vision_keys),
                "tokens_per_second",
                None,
            )?,
            seconds_per_chunk: 2.0,
        };
        config.checked()
    }

    /// The same, if its numbers fit together.
    ///
    /// # Errors
    /// [`ConfigError::Contradiction`].
    pub fn checked(self) -> Result<Self, ConfigError> {
        let hidden = self.decoder.hidden_size;
        let outs = [Some(self.vision.out_hidden_size), self.audio.as_ref().map(|audio| audio.out_hidden_size)];
        if let Some(out) = outs.into_iter().flatten().find(|&out| out != hidden) {
            return contradiction(format!("a tower gives states of width {out}, the decoder takes {hidden}"));
        }
        let (sum, half) = (self.mrope_section.iter().sum::<usize>(), self.decoder.head_dim / 2);
        if sum != half {
            let section = self.mrope_section;
            return contradiction(format!("mrope_section {section:?} shares out {sum} frequencies, a head has {half}"));
        }
        let vocabulary = self.decoder.vocabulary_size;
        let tokens = self.tokens.all();
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
            return contradiction(format!("token {token} is outside a vocabulary of {vocabulary}"));
        }
        if tokens.iter().collect::<BTreeSet<_>>().len() < tokens.len() {
            return contradiction(format!("two of the special tokens {tokens:?} are the same"));
        }
        if !(self.seconds_per_chunk > 0.0 && self.seconds_per_chunk.is_finite()) {
            return contradiction(format!("a chunk of {} seconds", self.seconds_per_chunk));
        }
        Ok(self)
    }
}

impl VisionConfig {
    /// Width of one head.
    #[must_use]
    pub fn head_width(&self) -> usize {
        self.hidden_size / self.heads
    }

    fn from_keys(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        expect_count(keys, "patch_size", PATCH_SIDE)?;
        expect_count(keys, "spatial_merge_size", MERGE)?;
        expect_count(keys, "temporal_patch_size", PATCH_TIME)?;
        expect_count(keys, "in_channels", CHANNELS)?;
        expect_count(keys, "in_chans", CHANNELS)?;
        expect_word(keys, "hidden_act", "silu")?;
        let (window, cell) = (keys.count("window_size")?, PATCH_SIDE * MERGE);
        let config = Self {
            depth: keys.count("depth")?,
            hidden_size: keys.count("hidden_size")?,
            intermediate_size: keys.count("intermediate_size")?,
            heads: keys.count("num_heads")?,
            window_cells: window / cell,
            full_attention_blocks: counts(keys, "fullatt_block_indexes")?.into_iter().collect(),
            out_hidden_size: keys.count("out_hidden_size")?,
        };
        if window == 0 || !window.is_multiple_of(cell) {
            return contradiction(format!("vision windows of {window} pixels are not whole cells of {cell}"));
        }
        if keys.optional_count("embed_dim")?.is_some_and(|width| width != config.hidden_size) {
            return contradiction("vision_config's hidden_size and embed_dim differ".into());
        }
        config.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        if [self.depth, self.hidden_size, self.intermediate_size, self.heads, self.out_hidden_size].contains(&0) {
            return contradiction("a size of the vision tower is 0".into());
        }
        if !self.hidden_size.is_multiple_of(4 * self.heads) {
            let (width, heads) = (self.hidden_size, self.heads);
            return contradiction(format!("{heads} vision heads of width {width} in all cannot be turned in two axes"));
        }
        match self.full_attention_blocks.iter().find(|&&block| block >= self.depth) {
            Some(block) => contradiction(format!("vision block {block} of {} should see whole frames", self.depth)),
            None => Ok(self),
        }
    }
}

impl AudioConfig {
    /// Width of one head.
    #[must_use]
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    fn from_keys(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        expect_count(keys, "num_mel_bins", MEL_BINS)?;
        expect_word(keys, "activation_function", "gelu")?;
        let window = keys.count("n_window")?;
        let config = Self {
            layers: keys.count("encoder_layers")?,
            width: keys.count("d_model")?,
            intermediate_size: keys.count("encoder_ffn_dim")?,
            heads: keys.count("encoder_attention_heads")?,
            chunk_frames: 2 * window,
            out_hidden_size: keys.count("output_dim")?,
        };
        if keys.optional_count("max_source_positions")?.is_some_and(|positions| positions < window) {
            return contradiction(format!("a chunk of sound has {window} positions, more than max_source_positions"));
        }
        config.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let sizes =
            [self.layers, self.width, self.intermediate_size, self.heads, self.chunk_frames, self.out_hidden_size];
        if sizes.contains(&0) {
            return contradiction("a size of the audio tower is 0".into());
        }
        // Pairs of states become one token; a chunk that ends between the two would tie it to the next.
        if !self.chunk_frames.is_multiple_of(4) {
            return contradiction(format!("chunks of {} mel frames are not whole tokens of 4", self.chunk_frames));
        }
        // The sinusoids' steps divide by half the width less one.
        if !self.width.is_multiple_of(self.heads) || !self.width.is_multiple_of(2) || self.width < 4 {
            return contradiction(format!("{} audio heads cannot share a width of {}", self.heads, self.width));
        }
        Ok(self)
    }
}

/// The decoder and the section of each axis. What the text part leaves out stands at the top.
fn decoder(top: &Keys<'_>, text: &Keys<'_>) -> Result<(DecoderConfig, [usize; 3]), ConfigError> {
    let mut decoder = DecoderConfig::of_family(Family::Qwen2, text)?;
    // Both levels may say whether the output layer is the embedding. If they disagree it is looked for, so that a
    // wrong word costs an error and not a wrong answer.
    let said = [top.flag("tie_word_embeddings"), text.flag("tie_word_embeddings")];
    decoder.tied_embeddings = said.contains(&Some(true)) && !said.contains(&Some(false));
    if decoder.pad_token.is_none() {
        decoder.pad_token = top.optional_count("pad_token_id")?.and_then(|id| u32::try_from(id).ok());
    }
    let rope = text.object("rope_parameters").or_else(|| text.object("rope_scaling"));
    let rope = rope.map(|rope| Keys::at("rope_scaling.", rope)).ok_or_else(|| text.missing("rope_scaling"))?;
    let section = <[usize; 3]>::try_from(counts(&rope, "mrope_section")?);
    Ok((decoder, section.map_err(|_| rope.missing("mrope_section"))?))
}

fn vision(keys: &Keys<'_>) -> Result<VisionConfig, ConfigError> {
    let vision = keys.object("vision_config").ok_or_else(|| keys.missing("vision_config"))?;
    VisionConfig::from_keys(&Keys::at("vision_config.", vision))
}

fn tokens(keys: &Keys<'_>, audio: Option<AudioTokens>) -> Result<SpecialTokens, ConfigError> {
    Ok(SpecialTokens {
        image: token(keys, "image_token")?,
        video: token(keys, "video_token")?,
        vision_start: token(keys, "vision_start_token")?,
        vision_end: token(keys, "vision_end_token")?,
        audio,
    })
}

/// `NAME_id`, or `NAME_index` as 4.x calls some of them.
fn token(keys: &Keys<'_>, name: &str) -> Result<u32, ConfigError> {
    let (id, index) = (format!("{name}_id"), format!("{name}_index"));
    match (keys.optional_count(&id)?, keys.optional_count(&index)?) {
        (Some(a), Some(b)) if a != b => contradiction(format!("{id} is {a} and {index} is {b}")),
        (Some(token), _) | (None, Some(token)) => u32::try_from(token).map_err(|_| keys.missing(&id)),
        (None, None) => Err(keys.missing(&id)),
    }
}

fn steps_per_second(keys: &Keys<'_>, key: &str, usual: Option<u32>) -> Result<u32, ConfigError> {
    let steps = keys.optional_count(key)?.and_then(|steps| u32::try_from(steps).ok()).or(usual);
    steps.filter(|&steps| steps > 0).ok_or_else(|| keys.missing(key))
}

fn optional_number(keys: &Keys<'_>, key: &str) -> Result<Option<f64>, ConfigError> {
    keys.get(key).map(|_| keys.number(key)).transpose()
}

fn counts(keys: &Keys<'_>, key: &str) -> Result<Vec<usize>, ConfigError> {
    let count = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
    let counts = keys.get(key).and_then(Value::as_array).and_then(|list| list.iter().map(count).collect());
    counts.ok_or_else(|| keys.missing(key))
}

/// Refuses another number than the one that is computed here, where one is given.
fn expect_count(keys: &Keys<'_>, key: &str, computed: usize) -> Result<(), ConfigError> {
    match keys.optional_count(key)? {
        Some(other) if other != computed => Err(ConfigError::Unsupported {
            what: format!("`{key}` {other}"),
            cure: format!("use a Qwen2.5-Omni or Qwen2.5-VL model, whose `{key}` is {computed}"),
        }),
        Some(_) | None => Ok(()),
    }
}

fn expect_word(keys: &Keys<'_>, key: &str, computed: &str) -> Result<(), ConfigError> {
    match keys.get(key).map(|_| keys.text(key)).transpose()? {
        Some(other) if other != computed => Err(ConfigError::Unsupported {
            what: format!("`{key}` {other:?}"),
            cure: format!("use a Qwen2.5-Omni or Qwen2.5-VL model, whose `{key}` is {computed:?}"),
        }),
        Some(_) | None => Ok(()),
    }
}

fn contradiction<T>(what: String) -> Result<T, ConfigError> {
    Err(ConfigError::Contradiction { what })
}
