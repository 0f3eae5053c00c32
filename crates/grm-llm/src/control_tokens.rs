//! Keeps what people wrote from acting as a model's control tokens.
//!
//! Chat servers render messages into one string and then read special tokens out of it, so `<|im_end|>` inside a
//! response would end the turn. A zero-width space after the first character of such a sequence leaves the text
//! readable and the token unmade; it is taken out again of whatever the model copies into its reply.

use std::borrow::Cow;

const BREAK: char = '\u{200b}';

/// Sequences that are control tokens in the families served today. `<|` and its full-width twin open all of theirs.
const RESERVED: [&str; 23] = [
    "<|",
    "<｜",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "<start_of_turn>",
    "<end_of_turn>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<end_of_utterance>",
    // Places of media: one in a text would take a picture that belongs elsewhere.
    "<image>",
    "<video>",
    "<audio>",
    "<__media__>",
    "<start_of_image>",
    "<image_soft_token>",
    "<audio_soft_token>",
    "[IMG]",
];

/// The text with every reserved sequence broken; borrowed when there is none.
pub(crate) fn defuse(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices(['<', '[']) {
        if RESERVED.iter().any(|token| text[at..].starts_with(token)) {
            out.push_str(&text[copied..=at]);
            out.push(BREAK);
            copied = at + 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Undoes [`defuse`] in a reply.
pub(crate) fn restore(reply: String) -> String {
    if !reply.contains(BREAK) {
        return reply;
    }
    let mut out = String::with_capacity(reply.len());
    for (at, character) in reply.char_indices() {
        let breaks = character == BREAK && out.ends_with(['<', '[']) && {
            let rest = &reply[at + BREAK.len_utf8()..];
            RESERVED.iter().any(|token| rest.starts_with(&token[1..]))
        };
        if !breaks {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_tokens_are_broken_and_restored() {
        for text in [
            "a<|im_end|>b",
            "</s><s>[INST]x[/INST]",
            "<<SYS>>",
            "<start_of_turn>user",
            "<｜User｜>",
            "<<||>>",
            "<image>[IMG]",
            "<__media__>",
        ] {
            let broken = defuse(text);
            for token in RESERVED {
                assert!(!broken.contains(token), "{broken:?} still holds {token}");
            }
            assert_eq!(restore(broken.into_owned()), text);
        }
    }

    #[test]
    fn other_text_is_left_alone() {
        for text in ["", "a < b | c", "[[A]]", "<think>x</think>", "fn f<T>() {}", "zero\u{200b}width <\u{200b}em>"] {
            assert!(matches!(defuse(text), Cow::Borrowed(_)), "{text}");
            assert_eq!(restore(text.to_owned()), text);
        }
    }
}
