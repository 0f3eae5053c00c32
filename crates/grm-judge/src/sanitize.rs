//! Other people's text made inert before it stands beside our markers.
//!
//! What a prompt, a response, a criterion or a critique says is data. Inside such text our own tags and frames
//! (`[[A]]`, `<criteria 1>`, `</Judge B>`, `<think>`, `[End of Response A]`, …) and the special tokens of chat models
//! (`<|im_end|>`, `</s>`, `[INST]`, …) are replaced by look-alikes: `⟦A⟧`, `‹think›`, `‹|im_end|›`.
//!
//! A sequence is read as a model might read it: case, blanks, control and zero-width characters do not matter,
//! fullwidth forms and letters that look Latin count as what they look like.
//!
//! One pass cannot reassemble anything: the look-alike brackets are part of no reserved sequence, so a reserved
//! sequence in the output would lie in an unchanged stretch of the input, where it would have been found.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::reply::is_blank;

/// What happens to reserved sequences in other people's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sanitize {
    /// They become inert look-alikes.
    #[default]
    Neutralise,
    /// They stay: only for comparison with published numbers, on data nobody wrote to deceive a judge.
    Off,
}

impl Sanitize {
    /// The text as it may enter a prompt.
    #[must_use]
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Neutralise => neutralise(text),
            Self::Off => Cow::Borrowed(text),
        }
    }
}

/// Replaces every reserved sequence by its look-alike; text without any is returned as it is.
#[must_use]
pub fn neutralise(text: &str) -> Cow<'_, str> {
    let mut safe = String::new();
    let mut copied = 0;
    while let Some(found) = next_sequence(text, copied, &[Alphabet::Reserved]) {
        safe.push_str(&text[copied..found.start]);
        safe.push_str(&look_alike(&text[found.start..found.end]));
        copied = found.end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    safe.push_str(&text[copied..]);
    Cow::Owned(safe)
}

/// Gives a revision of `original`, written from its neutralised form, the exact sequences of `original` back.
///
/// Several originals with one look-alike are given back in the order they had; look-alikes that `original` itself
/// contained, or never did, stay.
#[must_use]
pub fn restore(original: &str, revised: &str) -> String {
    Originals::of([original]).restore(revised)
}

/// What each look-alike stood for in some texts, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Originals {
    by_look_alike: HashMap<String, Vec<String>>,
}

impl Originals {
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut by_look_alike: HashMap<String, Vec<String>> = HashMap::new();
        for text in texts {
            let mut from = 0;
            while let Some(found) = next_sequence(text, from, &[Alphabet::Reserved, Alphabet::Inert]) {
                let original = &text[found.start..found.end];
                let key = if found.alphabet == Alphabet::Inert { original.to_owned() } else { look_alike(original) };
                by_look_alike.entry(key).or_default().push(original.to_owned());
                from = found.end;
            }
        }
        Self { by_look_alike }
    }

    /// These, and those of `others` whose look-alike is not among these.
    pub(crate) fn or(mut self, others: Self) -> Self {
        #[expect(clippy::iter_over_hash_type, reason = "from map to map: the order leaves no trace")]
        for (key, originals) in others.by_look_alike {
            self.by_look_alike.entry(key).or_insert(originals);
        }
        self
    }

    pub(crate) fn restore(&self, revised: &str) -> String {
        let mut restored = String::with_capacity(revised.len());
        let mut used: HashMap<&str, usize> = HashMap::new();
        let mut copied = 0;
        while let Some(found) = next_sequence(revised, copied, &[Alphabet::Inert]) {
            let shown = &revised[found.start..found.end];
            restored.push_str(&revised[copied..found.start]);
            restored.push_str(match self.by_look_alike.get(shown) {
                Some(originals) => {
                    let turn = used.entry(shown).or_default();
                    let original = &originals[(*turn).min(originals.len() - 1)];
                    *turn += 1;
                    original
                }
                None => shown,
            });
            copied = found.end;
        }
        restored.push_str(&revised[copied..]);
        restored
    }
}

/// Longest body of a reserved sequence, in characters that count.
const LONGEST_BODY: usize = 64;

/// Which brackets are read: those models and parsers act on, or the inert ones put in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Reserved,
    Inert,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Angle,
    Square,
}

/// What one character is to the reader of sequences.
enum Sign {
    Open(Bracket),
    Close(Bracket),
    Body(u8),
    Skipped,
    Other,
}

struct Sequence {
    start: usize,
    end: usize,
    alphabet: Alphabet,
}

/// The first sequence at or after `from` in one of the alphabets. Each character is read once for every opening
/// bracket at most `LONGEST_BODY` counting characters before it, so the whole text is read in linear time.
fn next_sequence(text: &str, from: usize, alphabets: &[Alphabet]) -> Option<Sequence> {
    let mut at = from;
    loop {
        // First bytes of `<`, `[`, their fullwidth and small forms, and the inert brackets.
        let inert = alphabets.contains(&Alphabet::Inert);
        let is_opener = |byte: &u8| matches!(byte, b'<' | b'[' | 0xEF) || (inert && *byte == 0xE2);
        at += text.as_bytes()[at..].iter().position(is_opener)?;
        for &alphabet in alphabets {
            if let Some(length) = sequence_length(&text[at..], alphabet) {
                return Some(Sequence { start: at, end: at + length, alphabet });
            }
        }
        at += text[at..].chars().next().map_or(1, char::len_utf8);
    }
}

/// Length in bytes of the sequence `text` starts with.
fn sequence_length(text: &str, alphabet: Alphabet) -> Option<usize> {
    let mut body = [0; LONGEST_BODY];
    let (mut length, mut opened, mut closed) = (0, 0, 0);
    let mut bracket = None;
    for (at, character) in text.char_indices() {
        match sign(character, alphabet) {
            Sign::Skipped if opened > 0 => {}
            Sign::Open(kind) if length == 0 && opened < 2 && bracket.is_none_or(|first| first == kind) => {
                bracket = Some(kind);
                opened += 1;
            }
            Sign::Body(byte) if opened > 0 && closed == 0 && length < LONGEST_BODY => {
                body[length] = byte;
                length += 1;
            }
            Sign::Close(kind) if bracket == Some(kind) && length > 0 => {
                closed += 1;
                if closed == opened {
                    let reserved = is_reserved(kind, opened, &body[..length], alphabet);
                    return reserved.then(|| at + character.len_utf8());
                }
            }
            _ => return None,
        }
    }
    None
}

fn sign(character: char, alphabet: Alphabet) -> Sign {
    let folded = fold(character);
    match (folded, alphabet) {
        ('<', Alphabet::Reserved) | ('‹', Alphabet::Inert) => Sign::Open(Bracket::Angle),
        ('>', Alphabet::Reserved) | ('›', Alphabet::Inert) => Sign::Close(Bracket::Angle),
        ('[', Alphabet::Reserved) | ('⟦', Alphabet::Inert) => Sign::Open(Bracket::Square),
        (']', Alphabet::Reserved) | ('⟧', Alphabet::Inert) => Sign::Close(Bracket::Square),
        ('0'..='9' | 'a'..='z' | 'A'..='Z' | '_' | '/' | '|' | '.' | ':' | '-' | '#' | '@', _) => {
            u8::try_from(folded).map_or(Sign::Other, |byte| Sign::Body(byte.to_ascii_lowercase()))
        }
        (other, _) if is_blank(other) => Sign::Skipped,
        _ => Sign::Other,
    }
}

/// The ASCII character this one is read as, or itself.
fn fold(character: char) -> char {
    match character {
        '\u{FF01}'..='\u{FF5E}' => {
            char::from_u32(u32::from(character) - u32::from('！') + u32::from('!')).unwrap_or(character)
        }
        '﹤' => '<',
        '﹥' => '>',
        '▁' => '_',
        'А' | 'а' | 'Α' | 'α' => 'a',
        'В' | 'в' | 'Β' | 'β' => 'b',
        'С' | 'с' => 'c',
        'Е' | 'е' | 'Ε' | 'ε' => 'e',
        'І' | 'і' | 'Ι' | 'ι' => 'i',
        'К' | 'к' | 'Κ' | 'κ' => 'k',
        'Н' | 'Η' => 'h',
        'М' | 'Μ' => 'm',
        'Ν' => 'n',
        'О' | 'о' | 'Ο' | 'ο' => 'o',
        'Р' | 'р' | 'Ρ' | 'ρ' => 'p',
        'Ѕ' | 'ѕ' => 's',
        'Т' | 'Τ' => 't',
        other => other,
    }
}

/// Words between `<` and `>`, also after a slash or before one.
const ANGLE_WORDS: &[&str] = &[
    "__audio__",
    "__image__",
    "__media__",
    "__video__",
    "audio",
    "audio_placeholder",
    "audio_soft_token",
    "bos",
    "bos_token",
    "cls",
    "criteria",
    "end_of_audio",
    "end_of_image",
    "end_of_turn",
    "end_of_utterance",
    "eoa",
    "eod",
    "eoh",
    "eom",
    "eop",
    "eos",
    "eos_token",
    "eot",
    "image",
    "image_placeholder",
    "image_soft_token",
    "img",
    "img_context",
    "judge",
    "judgea",
    "judgeb",
    "mask",
    "pad",
    "row_sep",
    "s",
    "sep",
    "sop",
    "start_of_audio",
    "start_of_image",
    "start_of_turn",
    "think",
    "tool_call",
    "tool_calls",
    "tool_response",
    "tools",
    "unk",
    "video",
    "video_placeholder",
    "vision_end",
    "vision_start",
];

/// Words between `<` and `>` that may be followed by digits.
const NUMBERED_WORDS: &[&str] = &[
    "audio",
    "audio_",
    "criteria",
    "extra_id_",
    "image",
    "image_",
    "mask_",
    "reserved_token_",
    "special_",
    "unused",
    "video",
    "video_",
];

/// Words between `[` and `]`, also after a slash.
const SQUARE_WORDS: &[&str] = &[
    "audio",
    "available_tools",
    "begin_audio",
    "cls",
    "conversation",
    "criteria",
    "critique",
    "endofconversation",
    "endofcriteria",
    "endofcritique",
    "endofresponse",
    "endofresponsea",
    "endofresponseb",
    "gmask",
    "img",
    "img_break",
    "img_end",
    "inst",
    "mask",
    "middle",
    "pad",
    "prefix",
    "response",
    "responsea",
    "responseb",
    "sep",
    "smask",
    "sop",
    "suffix",
    "sys",
    "system_prompt",
    "think",
    "tool_calls",
    "tool_content",
    "tool_results",
    "unk",
];

fn is_reserved(bracket: Bracket, depth: usize, body: &[u8], alphabet: Alphabet) -> bool {
    let Ok(body) = std::str::from_utf8(body) else { return false };
    let word = body.strip_prefix('/').unwrap_or(body);
    let verdict = matches!(body, "a" | "b");
    match (bracket, depth) {
        (Bracket::Angle, 1) => is_angle_word(body, word),
        (Bracket::Angle, _) => word == "sys",
        // `[[A]]` is shown as `⟦A⟧`, so one inert bracket may stand for two.
        (Bracket::Square, 1) => SQUARE_WORDS.contains(&word) || (verdict && alphabet == Alphabet::Inert),
        (Bracket::Square, _) => verdict && alphabet == Alphabet::Reserved,
    }
}

fn is_angle_word(body: &str, word: &str) -> bool {
    // `<|im_start|>`, and the one-sided `<|turn>` and `<turn|>`: any name will do.
    if body.starts_with('|') || body.ends_with('|') {
        return body.bytes().any(|byte| byte.is_ascii_alphanumeric());
    }
    let word = word.strip_suffix('/').unwrap_or(word);
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    ANGLE_WORDS.contains(&word) || NUMBERED_WORDS.contains(&stem)
}

/// The sequence with inert brackets; of two square brackets the outer one remains.
fn look_alike(sequence: &str) -> String {
    let mut shown = String::with_capacity(sequence.len() + 4);
    for (at, character) in sequence.char_indices() {
        let (first, last) = (at == 0, at + character.len_utf8() == sequence.len());
        shown.push(match sign(character, Alphabet::Reserved) {
            Sign::Open(Bracket::Angle) => '‹',
            Sign::Close(Bracket::Angle) => '›',
            Sign::Open(Bracket::Square) if first => '⟦',
            Sign::Close(Bracket::Square) if last => '⟧',
            Sign::Open(Bracket::Square) | Sign::Close(Bracket::Square) => continue,
            Sign::Body(_) | Sign::Skipped | Sign::Other => character,
        });
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(neutralise(text), expected);
        assert_eq!(restore(text, expected), text);
    }

    #[test]
    fn markers_become_look_alikes_and_come_back() {
        check("[[A]] beats <think>", "⟦A⟧ beats ‹think›");
        check("<|im_end|>\n<|im_start|>system", "‹|im_end|›\n‹|im_start|›system");
        check("［［Ａ］］ and [[A]]", "⟦Ａ⟧ and ⟦A⟧");
        check("x [ END of\tresponse A ] y", "x ⟦ END of\tresponse A ⟧ y");
    }

    #[test]
    fn ordinary_text_is_not_even_copied() {
        for text in ["", "a < b && c[0] > d", "Vec<String>, [x](y), <b>bold</b>, <|> and |>", "引用［１］：ok"] {
            assert!(matches!(neutralise(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn one_look_alike_of_two_originals_is_restored_in_order() {
        let original = "[[A]] then ［［A］］ then ⟦A⟧";
        assert_eq!(neutralise(original), "⟦A⟧ then ⟦A⟧ then ⟦A⟧");
        assert_eq!(restore(original, "⟦A⟧, ⟦A⟧, ⟦A⟧, ⟦B⟧"), "[[A]], ［［A］］, ⟦A⟧, ⟦B⟧");
    }

    /// Fragments that make reserved sequences when they meet.
    fn fragments() -> impl Strategy<Value = String> {
        let pieces = [
            "[",
            "]",
            "<",
            ">",
            "[[",
            "]]",
            "A",
            "b",
            "</",
            "|",
            "think",
            "criteria 1",
            "Judge A",
            "End of ",
            "Response",
            " ",
            "]\u{200b}]",
            "＜",
            "］",
            "s",
            "im_end",
            "⟦",
            "›",
            "‹",
            "⟧",
            "INST",
            "SYS",
            "\n",
            "é",
            "\u{0}",
        ];
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40).prop_map(|all| all.concat())
    }

    proptest! {
        #[test]
        fn nothing_reserved_survives_and_a_second_pass_changes_nothing(text in fragments()) {
            let once = neutralise(&text);
            prop_assert!(next_sequence(&once, 0, &[Alphabet::Reserved]).is_none(), "{once}");
            prop_assert_eq!(neutralise(&once), once.as_ref());
            prop_assert_eq!(restore(&text, &once), text.as_str());
        }

        #[test]
        fn arbitrary_text_survives_a_round_trip(text in any::<String>()) {
            let once = neutralise(&text);
            prop_assert_eq!(restore(&text, &once), text.as_str());
        }

        #[test]
        fn a_token_split_by_another_cannot_close_up(
            outer in proptest::sample::select(vec!["[[A]]", "<think>", "</s>", "<|im_end|>", "<criteria 1>"]),
            inner in proptest::sample::select(vec!["[[A]]", "<think>", "</s>", "<|im_end|>", "[End of Response A]"]),
            cut in 1usize..5,
        ) {
            let cut = cut.min(outer.len() - 1);
            let text = format!("{}{inner}{}", &outer[..cut], &outer[cut..]);
            let safe = neutralise(&text);
            prop_assert!(!safe.to_lowercase().contains(&outer.to_lowercase()));
            prop_assert!(!safe.to_lowercase().contains(&inner.to_lowercase()));
        }
    }
}
