//! Finding `<name argument>` and `</name argument>` in a reply, in one pass.

use crate::reply::starts_with_ignore_case;

/// A tag as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag<'a> {
    /// Position of `<`.
    pub(crate) start: usize,
    /// Position after `>`.
    pub(crate) end: usize,
    /// Whether a slash follows the `<`.
    pub(crate) closing: bool,
    /// ASCII letters and digits between name and `>`; may be empty.
    pub(crate) argument: &'a str,
}

/// All tags of that name, in order; case and blanks do not matter. Every `<` is followed up to the next character
/// that does not fit, which is another `<` at the latest, so the time is linear.
pub(crate) fn tags<'a>(text: &'a str, name: &'static str) -> impl Iterator<Item = Tag<'a>> {
    text.match_indices('<').filter_map(move |(start, _)| {
        let rest = text[start + 1..].trim_start();
        let (closing, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest.trim_start()));
        if !starts_with_ignore_case(rest, name) {
            return None;
        }
        let rest = rest[name.len()..].trim_start();
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let (argument, rest) = rest.split_at(length);
        let rest = rest.trim_start().strip_prefix('>')?;
        Some(Tag { start, end: text.len() - rest.len(), closing, argument })
    })
}
