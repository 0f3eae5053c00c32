//! The words facts are told in.

/// A value of a fact as answers say it.
pub(super) type Word = &'static str;

pub(super) const COLORS: [Word; 6] = ["red", "green", "blue", "yellow", "white", "pink"];
pub(super) const SHAPES: [Word; 4] = ["circle", "square", "triangle", "cross"];
pub(super) const NUMBERS: [Word; 5] = ["one", "two", "three", "four", "five"];
pub(super) const PLACES: [Word; 4] = ["on the left", "on the right", "at the top", "at the bottom"];
pub(super) const PITCHES: [Word; 2] = ["low", "high"];
pub(super) const SLOPES: [Word; 3] = ["rising", "falling", "steady"];
pub(super) const SPEEDS: [Word; 2] = ["slow", "fast"];
pub(super) const TONES: [Word; 2] = ["smooth", "rough"];
pub(super) const HEADINGS: [Word; 4] = ["left", "right", "up", "down"];
pub(super) const CHANGES: [Word; 4] = ["moves", "grows", "shrinks", "changes color"];

/// Every word of every prompt and response, in lower case and alphabetical order; the module's page lists them.
pub const VOCABULARY: [&str; 89] = [
    "a",
    "and",
    "are",
    "at",
    "beeps",
    "blue",
    "bottom",
    "change",
    "changes",
    "circle",
    "circles",
    "clip",
    "color",
    "count",
    "cross",
    "crosses",
    "describe",
    "direction",
    "do",
    "does",
    "down",
    "falling",
    "fast",
    "five",
    "four",
    "go",
    "goes",
    "green",
    "grows",
    "happens",
    "has",
    "have",
    "high",
    "how",
    "i",
    "in",
    "is",
    "it",
    "left",
    "low",
    "many",
    "motion",
    "move",
    "moves",
    "new",
    "number",
    "of",
    "on",
    "one",
    "or",
    "picture",
    "pink",
    "pitch",
    "red",
    "rhythm",
    "right",
    "rising",
    "rough",
    "see",
    "shape",
    "shapes",
    "shows",
    "shrinks",
    "side",
    "slow",
    "smooth",
    "sound",
    "speed",
    "square",
    "squares",
    "start",
    "steady",
    "the",
    "there",
    "three",
    "to",
    "tone",
    "top",
    "triangle",
    "triangles",
    "two",
    "up",
    "way",
    "what",
    "where",
    "which",
    "white",
    "yellow",
    "you",
];

/// The place of a word in its list, from 0.
pub(super) fn index(words: &[Word], word: Word) -> usize {
    words.iter().position(|&other| other == word).expect("scenes are made of the words in these lists")
}
