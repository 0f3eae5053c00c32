//! What the contracts' grammars share.
//!
//! The grammars use the part of GBNF that llama.cpp and `xgrammar` read alike: literals, character classes, groups,
//! alternatives and `{m,n}`. A free text starts with a word character, so that no text of blanks and dashes fits.

/// Letters and digits of the larger scripts.
pub(crate) const WORD_CHARACTER: &str = "[0-9A-Za-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u024F\\u0391-\\u03A1\\u03A3-\\u03CE\
    \\u0410-\\u044F\\u05D0-\\u05EA\\u0620-\\u064A\\u0905-\\u0939\\u0E01-\\u0E30\\u3041-\\u3096\\u30A1-\\u30FA\\u4E00-\\u9FA5\
    \\uAC00-\\uD7A3]";
