//! The text of a growing reply: bytes of tokens in, whole characters out, ended by stop strings.

/// A reply as it grows token by token.
#[derive(Debug, Clone)]
pub struct ReplyText {
    bytes: Vec<u8>,
    stops: Vec<Vec<u8>>,
    longest_stop: usize,
    stopped: bool,
}

impl ReplyText {
    /// An empty reply that ends at the first of `stops`; empty stop strings are ignored.
    pub fn new(stops: &[String]) -> Self {
        let stops: Vec<Vec<u8>> =
            stops.iter().filter(|stop| !stop.is_empty()).map(|stop| stop.as_bytes().to_vec()).collect();
        let longest_stop = stops.iter().map(Vec::len).max().unwrap_or(0);
        Self { bytes: Vec::new(), stops, longest_stop, stopped: false }
    }

    /// Adds a token's bytes and says whether a stop string is now complete. What follows it is dropped, and so is the
    /// stop string.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let from = (self.bytes.len() + 1).saturating_sub(self.longest_stop);
        self.bytes.extend_from_slice(piece);
        let found = self.stops.iter().filter_map(|stop| find(&self.bytes[from..], stop)).min();
        if let Some(at) = found {
            self.bytes.truncate(from + at);
            self.stopped = true;
        }
        self.stopped
    }

    /// What has come so far, without a stop string.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The reply as text. A character cut off at the end is left out; bytes that are no text are replaced.
    pub fn into_text(mut self) -> String {
        self.bytes.truncate(whole_characters(&self.bytes));
        String::from_utf8(self.bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Length without a last character whose bytes have not all come.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(4);
    for at in (tail..bytes.len()).rev() {
        let width = match bytes[at] {
            0x80..=0xBF => continue,
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        return if at + width > bytes.len() { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reply(stops: &[&str], pieces: &[&[u8]]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
        let mut text = ReplyText::new(&stops);
        let stopped = pieces.iter().any(|piece| text.push(piece));
        (text.into_text(), stopped)
    }

    #[test]
    fn a_stop_string_is_found_across_tokens_and_left_out() {
        assert_eq!(reply(&["</end>"], &[b"yes<", b"/e", b"nd>", b"more"]), ("yes".into(), true));
        assert_eq!(reply(&["b", "ab"], &[b"xab"]), ("x".into(), true));
        assert_eq!(reply(&["", "zz"], &[b"z", b"y"]), ("zy".into(), false));
    }

    #[test]
    fn a_character_cut_off_at_the_end_is_dropped() {
        let euro = "€".as_bytes();
        assert_eq!(reply(&[], &[b"5 ", &euro[..1], &euro[1..]]).0, "5 €");
        assert_eq!(reply(&[], &[b"5 ", &euro[..2]]).0, "5 ");
        assert_eq!(reply(&["€"], &[b"5 ", &euro[..1], &euro[1..]]), ("5 ".into(), true));
        assert_eq!(reply(&[], &[b"a\xFFb"]).0, "a\u{FFFD}b");
    }

    proptest! {
        #[test]
        fn cutting_a_text_into_tokens_does_not_change_it(text in ".{0,40}", cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let bytes = text.as_bytes();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(reply(&[], &pieces).0, text);
        }

        #[test]
        fn a_stop_string_ends_the_text_wherever_tokens_are_cut(before in "[a-m]{0,20}", after in "[a-z]{0,20}", cut in 0_usize..60) {
            let text = format!("{before}xyz{after}");
            let cut = cut.min(text.len());
            let (first, second) = text.as_bytes().split_at(cut);
            prop_assert_eq!(reply(&["xyz"], &[first, second]), (before, true));
        }
    }
}
