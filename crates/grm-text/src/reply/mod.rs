//! From logits back to a reply: drawing tokens, joining their bytes, finding the verdict. Shared by the engines.

mod draw;
mod reply_text;
mod verdict_letter;

pub use draw::{Draw, log_probabilities};
pub use reply_text::ReplyText;
pub use verdict_letter::LetterPlace;
