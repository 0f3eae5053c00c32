//! A response with a small edit, so that word differences look natural.

use super::quality::{HEAD_WORDS, IMPROVEMENTS};
use crate::canonical::{Key, number_of};

/// Exchanges that leave a sentence readable.
const EXCHANGES: [(&str, &str); 8] = [
    ("very", "quite"),
    ("big", "large"),
    ("use", "apply"),
    ("shows", "makes clear"),
    ("but", "yet"),
    ("so", "therefore"),
    ("can", "may"),
    ("many", "several"),
];

/// The response with some words after the eighth exchanged and one new sentence at the end.
pub(super) fn write(response: &str, key: &Key) -> String {
    let pick = number_of(key, "improvement") as usize;
    let fresh: Vec<&str> = IMPROVEMENTS.into_iter().filter(|sentence| !response.contains(sentence)).collect();
    let edited = exchange(response);
    match fresh.get(pick % fresh.len().max(1)) {
        Some(sentence) if edited.trim_end().is_empty() => (*sentence).to_owned(),
        Some(sentence) => format!("{} {sentence}", edited.trim_end()),
        None => edited,
    }
}

/// White space stays as it is: pieces are split after each blank.
fn exchange(response: &str) -> String {
    let mut words = 0;
    let pieces = response.split_inclusive(char::is_whitespace).map(|piece| {
        let word = piece.trim_end();
        words += usize::from(!word.is_empty());
        let exchanged = EXCHANGES.iter().find(|(old, _)| words > HEAD_WORDS && *old == word);
        exchanged.map_or(piece.to_owned(), |(_, new)| format!("{new}{}", &piece[word.len()..]))
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent_quality;

    #[test]
    fn edits_are_small_and_help() {
        let response = "Cats sleep a lot during the day because\nthey hunt at dawn, so they can rest.\n\nGood.";
        let refined = write(response, &[1; 32]);
        assert!(refined.contains("dawn, therefore they may rest.\n\nGood. "), "{refined}");
        assert!(refined.starts_with("Cats sleep a lot during the day because\n"));
        assert!(latent_quality(&refined) > latent_quality(response));
        assert_eq!(refined, write(response, &[1; 32]));
    }

    #[test]
    fn repeated_refinement_ends() {
        let mut response = String::new();
        for round in 0..20_u8 {
            response = write(&response, &[round; 32]);
        }
        assert_eq!(response.matches('.').count(), IMPROVEMENTS.len());
    }
}
