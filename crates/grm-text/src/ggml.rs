//! A tokenizer from the metadata of a GGUF file.
//!
//! Kind, words and merges are in `tokenizer.ggml.*`. How text is cut into words before merging is only a name there; the
//! expressions behind the names are the ones the models' own `tokenizer.json` files have and llama.cpp follows.

use grm_gguf::{Metadata, Value};
use tokenizers::{
    AddedToken, SplitDelimiterBehavior,
    decoders::byte_level::ByteLevel,
    models::bpe::{BPE, Merges, Vocab},
    pre_tokenizers::{
        PreTokenizerWrapper,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use crate::tokenizer::{SpecialIds, TokenizerError};

const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// What a file says of its tokenizer.
pub(crate) struct Description {
    pub(crate) inner: tokenizers::Tokenizer,
    pub(crate) special: SpecialIds,
    pub(crate) adds_bos: bool,
}

pub(crate) fn read(metadata: &Metadata) -> Result<Description, TokenizerError> {
    let kind = metadata.text("tokenizer.ggml.model").ok_or_else(|| missing("tokenizer.ggml.model"))?;
    if kind != "gpt2" {
        return Err(TokenizerError::Kind { found: format!("the tokenizer `{kind}`") });
    }
    let cutting = Cutting::named(metadata.text("tokenizer.ggml.pre").unwrap_or("default"))?;
    let tokens = strings(metadata, "tokenizer.ggml.tokens")?;
    let mut inner = tokenizers::Tokenizer::new(bpe(tokens, metadata, cutting)?);
    inner.with_pre_tokenizer(Some(cutting.pre_tokenizer()?));
    inner.with_decoder(Some(ByteLevel::default()));
    inner.add_tokens(added_tokens(tokens, metadata)?).map_err(unusable)?;
    let special = special_ids(metadata, tokens.len());
    let adds_bos = metadata.get("tokenizer.ggml.add_bos_token").and_then(Value::as_bool).unwrap_or(cutting.adds_bos);
    if adds_bos && special.bos.is_none() {
        return Err(missing("tokenizer.ggml.bos_token_id"));
    }
    Ok(Description { inner, special, adds_bos })
}

fn bpe(tokens: &[String], metadata: &Metadata, cutting: &Cutting) -> Result<BPE, TokenizerError> {
    let vocabulary: Vocab = tokens.iter().cloned().zip(0..).collect();
    let merges: Merges =
        strings(metadata, "tokenizer.ggml.merges")?.iter().map(|merge| pair(merge)).collect::<Result<_, _>>()?;
    let builder = BPE::builder().vocab_and_merges(vocabulary, merges).ignore_merges(cutting.whole_words_first);
    builder.build().map_err(unusable)
}

/// The two sides of a merge; the space that parts them is never the first character.
fn pair(merge: &str) -> Result<(String, String), TokenizerError> {
    let at = merge.match_indices(' ').map(|(at, _)| at).find(|&at| at > 0);
    let (left, right) = at.and_then(|at| Some((merge.get(..at)?, merge.get(at + 1..)?))).ok_or_else(|| {
        TokenizerError::Metadata { reason: format!("the merge {merge:?} in tokenizer.ggml.merges is not a pair") }
    })?;
    Ok((left.to_owned(), right.to_owned()))
}

/// Tokens found in text before it is cut: control tokens, and words given besides the merges.
fn added_tokens(tokens: &[String], metadata: &Metadata) -> Result<Vec<AddedToken>, TokenizerError> {
    let Some(types) = metadata.get("tokenizer.ggml.token_type") else { return Ok(Vec::new()) };
    let types = types.as_i32s().filter(|types| types.len() == tokens.len()).ok_or_else(|| {
        TokenizerError::Metadata { reason: "tokenizer.ggml.token_type is not one number a token".to_owned() }
    })?;
    let added = tokens.iter().zip(types).filter_map(|(token, kind)| {
        let special = matches!(*kind, CONTROL | UNKNOWN) || is_control_by_name(token, metadata);
        let given = special || *kind == USER_DEFINED;
        (given && !token.is_empty()).then(|| AddedToken::from(token.as_str(), special).normalized(false))
    });
    Ok(added.collect())
}

/// Texts that make a token a control token whatever the file calls it, because llama.cpp ends a reply at them or looks
/// for them to fill in code; the latter only where the file does not name the token by this key. Qwen 2.5, for one, has
/// `</s>` as an ordinary word.
const CONTROL_BY_NAME: [(Option<&str>, &[&str]); 7] = [
    (
        None,
        &[
            "<|eot_id|>",
            "<|im_end|>",
            "<|end|>",
            "<|return|>",
            "<|call|>",
            "<|flush|>",
            "<|calls|>",
            "<end_of_turn>",
            "<|endoftext|>",
            "</s>",
            "<|eom_id|>",
            "<EOT>",
            "_<EOT>",
            "[EOT]",
            "[EOS]",
            "<|end_of_text|>",
            "<end_of_utterance>",
            "<eos>",
            "<turn|>",
            "<|tool_response>",
            "<｜end▁of▁sentence｜>",
            "[e~[",
        ],
    ),
    (Some("fim_pre"), &["<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<PRE>", "<|code_prefix|>", "<|prefix|>"]),
    (Some("fim_suf"), &["<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<SUF>", "<|code_suffix|>", "<|suffix|>"]),
    (Some("fim_mid"), &["<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<MID>", "<|code_middle|>", "<|middle|>"]),
    (Some("fim_pad"), &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]),
    (Some("fim_rep"), &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"]),
    (Some("fim_sep"), &["<|file_sep|>"]),
];

fn is_control_by_name(token: &str, metadata: &Metadata) -> bool {
    let named = |key: &str| metadata.get(&format!("tokenizer.ggml.{key}_token_id")).is_some();
    CONTROL_BY_NAME.iter().any(|(key, texts)| texts.contains(&token) && !key.is_some_and(named))
}

fn special_ids(metadata: &Metadata, vocabulary_size: usize) -> SpecialIds {
    let id = |name: &str| {
        let id = metadata.number(&format!("tokenizer.ggml.{name}_token_id"))?;
        u32::try_from(id).ok().filter(|&id| (id as usize) < vocabulary_size)
    };
    SpecialIds { bos: id("bos"), eos: id("eos"), pad: id("padding") }
}

fn strings<'a>(metadata: &'a Metadata, key: &str) -> Result<&'a [String], TokenizerError> {
    metadata.get(key).and_then(Value::as_strings).ok_or_else(|| missing(key))
}

fn missing(key: &str) -> TokenizerError {
    TokenizerError::Metadata { reason: format!("{key} is missing or of another type") }
}

#[expect(clippy::needless_pass_by_value, reason = "a function for `map_err`")]
fn unusable(source: tokenizers::Error) -> TokenizerError {
    TokenizerError::Metadata { reason: source.to_string() }
}

/// How text is cut into words before merging.
struct Cutting {
    /// Names files have for it.
    names: &'static [&'static str],
    /// Each cuts the pieces the one before left.
    expressions: &'static [&'static str],
    /// A word that is a token is taken whole, however its merges would go.
    whole_words_first: bool,
    /// A BOS comes first unless the file says otherwise.
    adds_bos: bool,
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

static CUTTINGS: [Cutting; 6] = [
    Cutting {
        names: &["qwen2", "deepseek-r1-qwen"],
        expressions: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        whole_words_first: false,
        adds_bos: false,
    },
    Cutting {
        names: &["qwen35"],
        expressions: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        whole_words_first: false,
        adds_bos: false,
    },
    Cutting {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "lfm2"],
        expressions: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        whole_words_first: true,
        adds_bos: true,
    },
    Cutting {
        names: &["smollm", "starcoder", "refact"],
        expressions: &[r"\p{N}", GPT2],
        whole_words_first: false,
        adds_bos: false,
    },
    Cutting { names: &["gpt-2", "phi-2"], expressions: &[GPT2], whole_words_first: false, adds_bos: false },
    Cutting {
        names: &["default"],
        expressions: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"],
        whole_words_first: false,
        adds_bos: false,
    },
];

impl Cutting {
    fn named(name: &str) -> Result<&'static Self, TokenizerError> {
        CUTTINGS.iter().find(|cutting| cutting.names.contains(&name)).ok_or_else(|| {
            let known: Vec<&str> = CUTTINGS.iter().flat_map(|cutting| cutting.names).copied().collect();
            TokenizerError::Cutting { found: name.to_owned(), known: known.join(", ") }
        })
    }

    fn pre_tokenizer(&self) -> Result<PreTokenizerWrapper, TokenizerError> {
        let split = |expression: &&str| {
            let pattern = SplitPattern::Regex((*expression).to_owned());
            Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map(PreTokenizerWrapper::Split)
        };
        let mut steps = self.expressions.iter().map(split).collect::<Result<Vec<_>, _>>().map_err(unusable)?;
        // The splits have made the words; what is left is to spell them in the byte alphabet.
        steps.push(PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, false)));
        Ok(PreTokenizerWrapper::Sequence(Sequence::new(steps)))
    }
}
