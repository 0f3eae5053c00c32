//! What of a reply counts: the text after the thinking, if the model did not decline.

use grm_core::{Finish, Invalid, Outcome};

/// White space, control characters, and the format characters that show nothing: zero-width, direction, selectors.
pub(crate) fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180E}' | '\u{FEFF}')
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E01EF}')
}

/// The text after the last `</think>`, without blanks around it.
///
/// A `<think>` that is never closed takes everything after it along: cut off by the token limit the reply is
/// [`Invalid::Truncated`], otherwise what stands before it is all there is. Nothing left is [`Invalid::Empty`].
pub(crate) fn answer(reply: &str, finish: Finish) -> Outcome<&str> {
    if finish == Finish::Filtered {
        return Err(Invalid::Refused);
    }
    let text = after_thinking(reply);
    let unclosed = text.match_indices('<').find(|(at, _)| starts_with_ignore_case(&text[*at..], "<think>"));
    let text = match unclosed {
        Some(_) if finish == Finish::Length => return Err(Invalid::Truncated),
        Some((at, _)) => &text[..at],
        None => text,
    };
    nonblank(text, finish)
}

/// The text without blanks around it, or why there is none.
pub(crate) fn nonblank(text: &str, finish: Finish) -> Outcome<&str> {
    match (text.trim_matches(is_blank), finish) {
        ("", Finish::Length) => Err(Invalid::Truncated),
        ("", Finish::Stop | Finish::Filtered) => Err(Invalid::Empty),
        (text, _) => Ok(text),
    }
}

/// What follows the last `</think>`; all of it without one.
pub(crate) fn after_thinking(reply: &str) -> &str {
    const CLOSE: &str = "</think>";
    let close = reply.rmatch_indices("</").find(|(at, _)| starts_with_ignore_case(&reply[*at..], CLOSE));
    close.map_or(reply, |(at, _)| &reply[at + CLOSE.len()..])
}

/// True when `text` starts with the ASCII `prefix` in any case.
pub(crate) fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}
