//! Finding the token that writes the verdict's letter, so that its probability can be reported.

/// Where the letter of `[[A` or `[[B` stands inside a token's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterPlace {
    /// Index of the letter in the token's bytes.
    pub index: usize,
    /// `b'A'` or `b'B'`.
    pub letter: u8,
}

impl LetterPlace {
    /// The place in `piece`, the bytes of the token about to follow `reply`, where `[[A` or `[[B` becomes complete; the
    /// last one if there are several.
    pub fn find(reply: &[u8], piece: &[u8]) -> Option<Self> {
        let before = |back: usize, index: usize| match index.checked_sub(back) {
            Some(at) => Some(piece[at]),
            None => reply.len().checked_sub(back - index).map(|at| reply[at]),
        };
        (0..piece.len()).rev().find_map(|index| {
            let letter = piece[index];
            let opened = before(1, index) == Some(b'[') && before(2, index) == Some(b'[');
            (matches!(letter, b'A' | b'B') && opened).then_some(Self { index, letter })
        })
    }

    /// The bytes of the token that would have written the other letter.
    pub fn counterpart(self, piece: &[u8]) -> Vec<u8> {
        let mut other = piece.to_vec();
        other[self.index] = if self.letter == b'A' { b'B' } else { b'A' };
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reply: &str, piece: &str, expected: Option<(usize, &str)>) {
        let found = LetterPlace::find(reply.as_bytes(), piece.as_bytes());
        let found = found.map(|place| (place.index, place.counterpart(piece.as_bytes())));
        let expected = expected.map(|(index, other)| (index, other.as_bytes().to_vec()));
        assert_eq!(found, expected, "{reply:?} then {piece:?}");
    }

    #[test]
    fn the_letter_is_found_however_tokens_are_cut() {
        check("so [[", "A", Some((0, "B")));
        check("so [", "[A", Some((1, "[B")));
        check("so ", "[[B]]", Some((2, "[[A]]")));
        check("so [[", "B]]", Some((0, "A]]")));
        check("", "A", None);
        check("[", "A", None);
        check("so [[", "C", None);
        check("so [[A", "]]", None);
        check("[[", "A]][[B", Some((5, "A]][[A")));
    }
}
