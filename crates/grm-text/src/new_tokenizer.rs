//! A tokenizer made from nothing but a text: for models trained from scratch.

use tokenizers::{
    AddedToken,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::byte_level::ByteLevel,
};

use crate::tokenizer::TokenizerError;

/// The `tokenizer.json` of a byte-level BPE of at most `vocabulary_size` tokens, cut for `texts`: any text can be
/// written in it, and theirs in few tokens. `control` tokens come first, in their order. The same texts give the same
/// file.
pub fn new_tokenizer(texts: &[String], control: &[&str], vocabulary_size: usize) -> Result<String, TokenizerError> {
    let failed = |source| TokenizerError::Failed { bytes: texts.iter().map(String::len).sum(), source };
    let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocabulary_size)
        .min_frequency(2)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(control.iter().map(|token| AddedToken::from(*token, true)).collect())
        .build();
    tokenizer.train(&mut TrainerWrapper::from(trainer), texts.iter().map(String::as_str)).map_err(failed)?;
    tokenizer.to_string(true).map_err(failed)
}
