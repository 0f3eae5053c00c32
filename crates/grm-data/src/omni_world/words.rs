//! The words facts are told in.

/// A value of a fact as answers say it.
pub(super) type Word = &'static str;

pub(super) const COLORS: [Word; 6] = ["red", "green", "blue", "yellow", "white", "pink"];
pub(super) const SHAPES: [Word; 4] = ["circle", "square", "triangle", "cross"];
pub(super) const NUMBERS: [Word; 5] = ["one", "two", "three", "four", "five"];
pub(super) const PLACES: [Word; 4] = ["left", "right", "top", "bottom"];
pub(super) const PITCHES: [Word; 2] = ["low", "high"];
pub(super) const SLOPES: [Word; 3] = ["rising", "falling", "steady"];
pub(super) const SPEEDS: [Word; 2] = ["slow", "fast"];
pub(super) const TONES: [Word; 2] = ["smooth", "rough"];
pub(super) const HEADINGS: [Word; 4] = ["left", "right", "up", "down"];
pub(super) const CHANGES: [Word; 4] = ["moves", "grows", "shrinks", "recolors"];

/// Every word of every prompt and response, in lower case and alphabetical order; the module's page lists them.
pub const VOCABULARY: [&str; 54] = [
    "blue",
    "bottom",
    "change",
    "circle",
    "clip",
    "color",
    "count",
    "cross",
    "describe",
    "direction",
    "down",
    "falling",
    "fast",
    "five",
    "four",
    "green",
    "grows",
    "has",
    "high",
    "is",
    "it",
    "later",
    "left",
    "low",
    "moves",
    "one",
    "picture",
    "pink",
    "pitch",
    "place",
    "recolors",
    "red",
    "right",
    "rising",
    "rough",
    "shape",
    "shrinks",
    "slow",
    "smooth",
    "sound",
    "speed",
    "square",
    "steady",
    "the",
    "three",
    "tone",
    "top",
    "triangle",
    "two",
    "up",
    "what",
    "which",
    "white",
    "yellow",
];

/// The place of a word in its list, from 0.
pub(super) fn index(words: &[Word], word: Word) -> usize {
    words.iter().position(|&other| other == word).expect("scenes are made of the words in these lists")
}
