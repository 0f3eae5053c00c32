//! A thinker that knows nothing yet: a small Qwen2.5-Omni with random weights and a tokenizer of its own, to be trained
//! from scratch where no published one can be had.

use std::{collections::BTreeMap, path::Path};

use grm_core::ModelError;
use grm_model::omni::{ThinkerConfig, expected_tensors};
use grm_text::new_tokenizer;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

use crate::folder::failed;

/// Tokens that are no text, in the order of their ids.
const CONTROL: [&str; 10] = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|AUDIO|>",
    "<|audio_bos|>",
    "<|audio_eos|>",
    "<|vision_bos|>",
    "<|vision_eos|>",
    "<|IMAGE|>",
    "<|VIDEO|>",
];

/// How large a newborn thinker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewbornSize {
    /// Width of the decoder's states; heads are 32 wide.
    pub hidden: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Width of both towers' states.
    pub tower_hidden: usize,
    /// Blocks of the vision tower; the last one sees whole frames.
    pub vision_blocks: usize,
    /// Layers of the audio tower.
    pub audio_layers: usize,
    /// Tokens of the vocabulary, at most.
    pub vocabulary: usize,
}

impl Default for NewbornSize {
    /// 3.4 million parameters with 700 tokens.
    fn default() -> Self {
        Self { hidden: 192, layers: 4, tower_hidden: 128, vision_blocks: 3, audio_layers: 2, vocabulary: 700 }
    }
}

/// Writes a model folder: configuration, tokenizer cut for `texts`, weights drawn by `seed`. `folder` must not be there.
/// Media are prepared small (`media.json`): the towers of the published models look at far more pixels than a small
/// world has.
pub fn write_newborn(folder: &Path, size: NewbornSize, texts: &[String], seed: u64) -> Result<u64, ModelError> {
    let place = || format!("could not make the model folder {}", folder.display());
    if folder.exists() {
        return Err(failed(place(), "it is there already; name another"));
    }
    let tokenizer = new_tokenizer(texts, &CONTROL, size.vocabulary).map_err(|error| failed(place(), error))?;
    let config = config(size, vocabulary_rows(&tokenizer));
    let thinker = ThinkerConfig::from_keys(config.as_object().expect("it is written as an object"))
        .map_err(|error| failed(place(), error))?;
    let tensors = weights(&thinker, seed);
    let count = tensors.values().map(|(_, bytes)| bytes.len() as u64 / 4).sum();
    let files = [
        ("config.json", format!("{config:#}\n")),
        ("tokenizer.json", tokenizer),
        (
            "tokenizer_config.json",
            format!("{:#}\n", json!({ "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>" })),
        ),
        ("media.json", format!("{:#}\n", media_settings())),
    ];
    let partial = folder.with_extension("partial");
    let written = std::fs::create_dir_all(&partial).and_then(|()| {
        files.iter().try_for_each(|(name, text)| std::fs::write(partial.join(name), text))?;
        std::fs::write(partial.join("model.safetensors"), serialized(&tensors))?;
        std::fs::rename(&partial, folder)
    });
    written.map_err(|error| failed(place(), error))?;
    Ok(count)
}

/// Rows of the embedding: the tokenizer's ids, rounded up to a multiple of 64.
fn vocabulary_rows(tokenizer: &str) -> usize {
    let json: Value = serde_json::from_str(tokenizer).unwrap_or_default();
    let ids = json["model"]["vocab"].as_object().map_or(0, serde_json::Map::len) + CONTROL.len();
    ids.next_multiple_of(64)
}

fn config(size: NewbornSize, vocabulary: usize) -> Value {
    let NewbornSize { hidden, layers, tower_hidden, vision_blocks, audio_layers, .. } = size;
    let id = |name: &str| CONTROL.iter().position(|token| *token == name).expect("it is in the list");
    json!({
        "architectures": ["Qwen2_5OmniThinkerForConditionalGeneration"],
        "model_type": "qwen2_5_omni_thinker",
        "torch_dtype": "float32",
        "audio_token_index": id("<|AUDIO|>"), "audio_start_token_id": id("<|audio_bos|>"),
        "audio_end_token_id": id("<|audio_eos|>"), "image_token_index": id("<|IMAGE|>"),
        "video_token_index": id("<|VIDEO|>"), "vision_start_token_id": id("<|vision_bos|>"),
        "vision_end_token_id": id("<|vision_eos|>"), "position_id_per_seconds": 25, "seconds_per_chunk": 2,
        "text_config": {
            "model_type": "qwen2_5_omni_text", "vocab_size": vocabulary, "hidden_size": hidden,
            "intermediate_size": hidden * 8 / 3, "num_hidden_layers": layers, "num_attention_heads": hidden / 32,
            "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0, "rope_scaling": { "mrope_section": [4, 6, 6], "type": "default" },
            "tie_word_embeddings": false,
        },
        "vision_config": {
            "model_type": "qwen2_5_omni_vision_encoder", "depth": vision_blocks, "hidden_size": tower_hidden,
            "embed_dim": tower_hidden, "intermediate_size": tower_hidden * 5 / 2, "num_heads": tower_hidden / 32,
            "in_channels": 3, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
            "fullatt_block_indexes": [vision_blocks - 1], "out_hidden_size": hidden, "hidden_act": "silu",
        },
        "audio_config": {
            "model_type": "qwen2_5_omni_audio_encoder", "num_mel_bins": 128, "d_model": tower_hidden,
            "encoder_layers": audio_layers, "encoder_attention_heads": tower_hidden / 32,
            "encoder_ffn_dim": tower_hidden * 5 / 2, "n_window": 100, "max_source_positions": 1500,
            "output_dim": hidden, "activation_function": "gelu", "scale_embedding": false,
        },
    })
}

fn media_settings() -> Value {
    json!({ "image_pixels": [3136, 12544], "video_pixels": [3136, 7056], "frames_per_second": 2.0, "frames_max": 4 })
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// Norms are 1, biases 0, everything else normal with variance 1 / inputs; what writes into the residual stream is
/// smaller by the root of twice the depth.
fn weights(config: &ThinkerConfig, seed: u64) -> Tensors {
    let mut random = StdRng::seed_from_u64(seed);
    let mut tensor = |(name, shape): (String, Vec<usize>)| {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = match shape.as_slice() {
            [_] if name.ends_with(".bias") => vec![0.0; count],
            [_] => vec![1.0; count],
            [_, inputs @ ..] => {
                let mut deviation = 1.0 / (inputs.iter().product::<usize>() as f32).sqrt();
                if name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") {
                    deviation /= (2.0 * config.decoder.layers as f32).sqrt();
                }
                (0..count).map(|_| deviation * normal(&mut random)).collect()
            }
            [] => Vec::new(),
        };
        (name, (shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
    };
    expected_tensors(config).into_iter().map(&mut tensor).collect()
}

/// A draw from the standard normal distribution (Box and Muller).
fn normal(random: &mut StdRng) -> f32 {
    let (radius, angle): (f64, f64) = (random.random_range(f64::MIN_POSITIVE..1.0), random.random_range(0.0..1.0));
    ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
}

fn serialized(tensors: &Tensors) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("bytes are made for the shape"))
    });
    safetensors::serialize(views, None).expect("names and shapes are sound")
}
