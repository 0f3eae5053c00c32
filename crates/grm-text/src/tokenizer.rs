//! Text to token ids and back.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use grm_gguf::Metadata;
use tokenizers::{AddedVocabulary, DecoderWrapper, Model, OffsetType, PreTokenizer};

use crate::{ggml, template::Stretch};

const FILE_BYTES_MAX: u64 = 256 << 20;
/// Characters of white space in a row, at most. The expressions that cut text try each of them as an end, and past a
/// million the regex engine gives up without a word and leaves the rest uncut.
const WHITE_SPACE_RUN_MAX: usize = 500_000;
/// Text that only comes back as it was from a tokenizer that adds, drops and changes nothing.
const PROBE: &str = " a  Bé1\n ";

/// Why there is no tokenizer, or text has no tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file could not be read.
    #[error("could not read {path}; a model folder needs the tokenizer.json its authors published")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("could not understand {path}; download it again from where the model came from")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A kind of tokenizer that is not read here.
    #[error(
        "{found} is not supported: tokenizers here are byte-level BPE (`gpt2`); take a Qwen, SmolLM or Llama 3 model"
    )]
    Kind {
        /// What was found.
        found: String,
    },
    /// A way of cutting text into words that is not known here.
    #[error(
        "the tokenizer cuts text as `{found}` does, which is not known here (known: {known}); \
         use the model's tokenizer.json, or take another model"
    )]
    Cutting {
        /// `tokenizer.ggml.pre` of the file.
        found: String,
        /// The names that are known.
        known: String,
    },
    /// A part of the metadata is missing or contradicts another.
    #[error("the file's tokenizer cannot be used: {reason}; convert the model again with a current llama.cpp")]
    Metadata {
        /// Which, and why.
        reason: String,
    },
    /// The text could not be encoded or the tokens not decoded.
    #[error("the tokenizer failed on a text of {bytes} bytes; look for damaged text in the data")]
    Failed {
        /// Length of the text, 0 when decoding.
        bytes: usize,
        /// The tokenizer's own words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More white space in a row than text is cut by.
    #[error("a text has {run} characters of white space in a row, {WHITE_SPACE_RUN_MAX} can be cut; shorten it")]
    WhiteSpace {
        /// Characters in the longest run.
        run: usize,
    },
    /// Somebody's text became a control token, which the tokenizer's file should make impossible.
    #[error("text that is data became the control token {token}; the tokenizer is damaged or hostile, get it again")]
    ControlInText {
        /// The token.
        token: String,
    },
}

/// Ids of the tokens with a meaning of their own, where the file names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpecialIds {
    /// Begins a text.
    pub bos: Option<u32>,
    /// Ends a text, or in most chat models a turn.
    pub eos: Option<u32>,
    /// Fills up a batch.
    pub pad: Option<u32>,
}

/// A byte-level BPE tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The added tokens as text that is data sees them: control tokens are switched off, words a model was given
    /// besides (`<tool_call>`) are not, as in llama.cpp.
    plain: Plain,
    special: SpecialIds,
    adds_bos: bool,
    vocabulary_size: usize,
}

struct Plain(AddedVocabulary);

impl std::fmt::Debug for Plain {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Plain").field(&self.0.len()).finish()
    }
}

impl Tokenizer {
    /// Reads a Hugging Face `tokenizer.json`; refused if text does not come back as it was. Only ids that the file's own
    /// post-processing shows are known, see [`Tokenizer::with_special`].
    pub fn from_file(path: &Path) -> Result<Self, TokenizerError> {
        let bytes = read_limited(path, FILE_BYTES_MAX)?;
        let format = |source| TokenizerError::Format { path: path.to_owned(), source };
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(format)?;
        inner.with_padding(None).with_truncation(None).map_err(format)?;
        let begin = added_in_front(&inner).map_err(format)?;
        let special = SpecialIds { bos: begin, ..SpecialIds::default() };
        Self::over(inner, special, begin.is_some())
    }

    /// Builds the tokenizer a GGUF file describes (`tokenizer.ggml.*`), cutting text as llama.cpp does: no normalising,
    /// and a BOS where the file asks for one.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        let ggml::Description { inner, special, adds_bos } = ggml::read(metadata)?;
        Self::over(inner, special, adds_bos)
    }

    fn over(inner: tokenizers::Tokenizer, special: SpecialIds, adds_bos: bool) -> Result<Self, TokenizerError> {
        let mut plain = inner.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        let vocabulary_size = inner.get_vocab(true).values().max().map_or(0, |&last| last as usize + 1);
        let tokenizer = Self { inner, plain: Plain(plain), special, adds_bos, vocabulary_size };
        let probe = [Stretch { text: PROBE.to_owned(), special: false }];
        if tokenizer.decode(&tokenizer.encode_more(&probe)?)? != PROBE {
            return Err(TokenizerError::Kind { found: "a tokenizer that changes text".to_owned() });
        }
        Ok(tokenizer)
    }

    /// Names the ids that `tokenizer.json` does not tell; `None` leaves what is known.
    #[must_use]
    pub fn with_special(mut self, special: SpecialIds) -> Self {
        self.special = SpecialIds {
            bos: special.bos.or(self.special.bos),
            eos: special.eos.or(self.special.eos),
            pad: special.pad.or(self.special.pad),
        };
        self
    }

    /// Ids of a text from its beginning, each stretch cut on its own. Control tokens are recognised in special stretches
    /// only. A BOS comes first where the model asks for one and the text does not begin with it.
    pub fn encode(&self, stretches: &[Stretch]) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = self.encode_more(stretches)?;
        if let Some(bos) = self.special.bos
            && self.adds_bos
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(ids)
    }

    /// Ids of text that continues a text: as [`Tokenizer::encode`], never with a BOS of its own.
    pub fn encode_more(&self, stretches: &[Stretch]) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::new();
        for stretch in stretches.iter().filter(|stretch| !stretch.text.is_empty()) {
            let failed = |source| TokenizerError::Failed { bytes: stretch.text.len(), source };
            refuse_long_white_space(&stretch.text)?;
            let encoded = self.cut(stretch).map_err(failed)?;
            if !stretch.special {
                self.refuse_control(&encoded)?;
            }
            ids.extend(encoded);
        }
        Ok(ids)
    }

    fn cut(&self, stretch: &Stretch) -> tokenizers::Result<Vec<u32>> {
        let added = if stretch.special { self.inner.get_added_vocabulary() } else { &self.plain.0 };
        let mut pieces = added.extract_and_normalize(self.inner.get_normalizer(), &stretch.text);
        if let Some(cutter) = self.inner.get_pre_tokenizer() {
            cutter.pre_tokenize(&mut pieces)?;
        }
        pieces.tokenize(|piece| self.inner.get_model().tokenize(piece.get()))?;
        Ok(pieces.into_encoding(None, 0, OffsetType::None)?.get_ids().to_vec())
    }

    fn refuse_control(&self, ids: &[u32]) -> Result<(), TokenizerError> {
        match ids.iter().find(|&&id| self.is_control(id)) {
            Some(&id) => Err(TokenizerError::ControlInText { token: self.token(id).unwrap_or_default() }),
            None => Ok(()),
        }
    }

    /// The text of tokens; control tokens and ids beyond the vocabulary write nothing, and bytes that are not UTF-8 become
    /// replacement characters.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.inner.decode(ids, true).map_err(|source| TokenizerError::Failed { bytes: 0, source })
    }

    /// What a token writes: its bytes, which need not be whole characters. Control tokens write nothing.
    #[must_use]
    pub fn piece(&self, id: u32) -> Vec<u8> {
        if self.is_control(id) {
            return Vec::new();
        }
        let text = self.token(id).unwrap_or_default();
        if !matches!(self.inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
            return self.decode(&[id]).unwrap_or_default().into_bytes();
        }
        let is_added = self.inner.get_added_vocabulary().get_added_tokens_decoder().contains_key(&id);
        if is_added { text.into_bytes() } else { byte_level(&text).unwrap_or_default() }
    }

    /// The id of a token by its own text, such as `<|im_end|>`.
    #[must_use]
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text)
    }

    /// A token's own text; for ordinary tokens in the alphabet of byte-level BPE.
    #[must_use]
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Whether a token is a control token, which text that is data never becomes.
    #[must_use]
    pub fn is_control(&self, id: u32) -> bool {
        self.inner.get_added_vocabulary().get_added_tokens_decoder().get(&id).is_some_and(|token| token.special)
    }

    /// All ids are below this; a model's embedding may have more rows.
    #[must_use]
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// The tokens with a meaning of their own, as far as the file names them.
    #[must_use]
    pub fn special(&self) -> SpecialIds {
        self.special
    }
}

/// The bytes behind a text in the alphabet of byte-level BPE, where visible bytes stand for themselves and the others,
/// in order, for the characters from U+0100 on. `None` for other characters.
fn byte_level(text: &str) -> Option<Vec<u8>> {
    let is_visible = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let hidden: Vec<u8> = (0..=255).filter(|&byte| !is_visible(byte)).collect();
    let byte = |letter: char| match u32::from(letter) {
        code @ 0..=255 => u8::try_from(code).ok().filter(|&byte| is_visible(byte)),
        code => hidden.get(code as usize - 256).copied(),
    };
    text.chars().map(byte).collect()
}

fn refuse_long_white_space(text: &str) -> Result<(), TokenizerError> {
    if text.len() <= WHITE_SPACE_RUN_MAX {
        return Ok(());
    }
    let runs = text.split(|character: char| !character.is_whitespace());
    let run = runs.map(|run| run.chars().count()).max().unwrap_or(0);
    if run <= WHITE_SPACE_RUN_MAX { Ok(()) } else { Err(TokenizerError::WhiteSpace { run }) }
}

/// The token that post-processing puts before a text, if it does.
fn added_in_front(inner: &tokenizers::Tokenizer) -> tokenizers::Result<Option<u32>> {
    let first = |add_special| inner.encode("a", add_special).map(|encoding| encoding.get_ids().first().copied());
    let (processed, bare) = (first(true)?, first(false)?);
    Ok(processed.filter(|_| processed != bare))
}

/// A whole file of at most `limit` bytes.
pub(crate) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, TokenizerError> {
    let failed = |source| TokenizerError::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > limit {
        return Err(failed(io::Error::other(format!("it has {size} bytes and may have {limit}"))));
    }
    fs::read(path).map_err(failed)
}
