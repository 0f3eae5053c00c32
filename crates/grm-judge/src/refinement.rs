//! Contract: the revised response and nothing else.
//!
//! What models wrap around it is taken off where `original` had no such thing: blanks, one code fence or one pair of
//! quotation marks around everything, and our own frame echoed: what stands before a leading `[Response]` line goes
//! with it, and so does everything from an `[End of Response]` on. A reply cut off by the token limit is
//! [`Invalid::Truncated`], never a shorter response. A refusal is [`Invalid::Refused`], unless the original refused too.

use std::sync::{Arc, LazyLock};

use grm_core::{Finish, Grammar, Invalid, Outcome};

use crate::refusal::is_refusal;
use crate::reply::{answer, nonblank};

/// Reads the revised response. `original` is the response as it was, before neutralising.
pub fn parse(reply: &str, finish: Finish, original: &str) -> Outcome<String> {
    let text = answer(reply, finish)?;
    if finish == Finish::Length {
        return Err(Invalid::Truncated);
    }
    let text = without_frame(text, original);
    let text = nonblank(without_quotes(without_fence(text, original), original), finish)?;
    if is_refusal(text) && !is_refusal(original) { Err(Invalid::Refused) } else { Ok(text.to_owned()) }
}

fn without_frame<'a>(text: &'a str, original: &str) -> &'a str {
    const OPEN: &str = "[Response]";
    const CLOSE: &str = "[End of Response]";
    let text = match text.strip_prefix(OPEN) {
        Some(rest) if !original.contains(OPEN) => rest.trim(),
        _ => text,
    };
    match text.find(CLOSE) {
        Some(end) if !original.contains(CLOSE) => text[..end].trim(),
        _ => text,
    }
}

/// Takes off a fence around the whole text; a fence that closes earlier belongs to the response.
fn without_fence<'a>(text: &'a str, original: &str) -> &'a str {
    const FENCE: &str = "```";
    if original.contains(FENCE) {
        return text;
    }
    let inside = text.strip_prefix(FENCE).and_then(|rest| rest.split_once('\n')).and_then(|(language, rest)| {
        let inside = rest.strip_suffix(FENCE)?;
        (!language.trim().contains(char::is_whitespace)).then_some(inside)
    });
    inside.filter(|inside| !inside.contains(FENCE)).map_or(text, str::trim)
}

fn without_quotes<'a>(text: &'a str, original: &str) -> &'a str {
    for [open, close] in [['"', '"'], ['“', '”'], ['«', '»'], ['「', '」']] {
        let inside = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        let Some(inside) = inside.filter(|inside| !inside.contains([open, close])) else { continue };
        return if original.trim().starts_with(open) { text } else { inside.trim() };
    }
    text
}

/// Any text that shows something. What is in it is the policy's business.
#[must_use]
pub fn grammar() -> Grammar {
    static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| Grammar {
        name: Arc::from("refinement"),
        gbnf: Arc::from("root ::= [^ \\t\\r\\n\\x00-\\x1F\\x7F] [^\\x00]*\n"),
    });
    GRAMMAR.clone()
}
