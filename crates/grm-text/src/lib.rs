//! From conversations to tokens, the same for training as for inference.
//!
//! [`ChatTemplate`] renders messages to [`Stretch`]es, each marked as the template's own words or somebody else's text.
//! [`Tokenizer`] turns stretches into token ids, with control tokens only in the template's words. [`ChatTokens`] has
//! both and makes training rows: the ids of a prompt, and of the reply to be learnt with the end of its turn. The way
//! back, from logits to the text of a reply, is [`Draw`], [`ReplyText`] and [`LetterPlace`].

mod chat_tokens;
mod ggml;
mod model_folder;
mod new_tokenizer;
mod reply;
mod template;
mod tokenizer;

pub use chat_tokens::{ChatRow, ChatTokens, ChatTokensError, Turn};
pub use new_tokenizer::new_tokenizer;
pub use reply::{Draw, LetterPlace, ReplyText, log_probabilities};
pub use template::{ChatTemplate, MediaWords, RenderOptions, Rendered, Stretch, TemplateMessage};
pub use tokenizer::{SpecialIds, Tokenizer, TokenizerError};
