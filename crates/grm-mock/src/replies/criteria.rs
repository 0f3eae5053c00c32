//! Plausible criteria, all different.

use crate::canonical::{Key, number_of};

const QUALITIES: [&str; 12] = [
    "Accuracy",
    "Completeness",
    "Clarity",
    "Relevance",
    "Depth",
    "Consistency",
    "Honesty",
    "Usefulness",
    "Precision",
    "Order",
    "Soundness",
    "Brevity",
];

const THINGS: [(&str, &str); 10] = [
    ("Facts", "whether statements about the world hold"),
    ("Reasoning", "whether each step follows from the one before"),
    ("Explanation", "whether a reader learns why and not only what"),
    ("Examples", "whether the examples fit the question"),
    ("Conclusion", "whether the end follows from what was said"),
    ("Instructions", "whether everything that was asked for is done"),
    ("Wording", "whether the words say what is meant"),
    ("Structure", "whether the parts stand where a reader looks for them"),
    ("Evidence", "whether claims are supported"),
    ("Advice", "whether the reader can act on it safely"),
];

/// Coprime with the number of combinations, so that stepping by it meets each of them once.
const STRIDE: usize = 49;

/// Writes `count` criteria whose names do not occur in `given`.
pub(super) fn write(count: usize, given: &str, key: &Key) -> String {
    let given = given.to_lowercase();
    let start = number_of(key, "criteria") as usize % combinations();
    // After all combinations the names are numbered, so there are always enough.
    let all = (0..).map(|index| (start + index * STRIDE, index / combinations()));
    let fresh = all.map(|(place, round)| named(place % combinations(), round));
    let fresh = fresh.filter(|(name, _)| !given.contains(&name.to_lowercase()));
    let lines = fresh.take(count).enumerate().map(|(index, (name, explanation))| {
        let number = index + 1;
        format!("<criteria {number}>**{name}**: {explanation}</criteria {number}>")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn combinations() -> usize {
    QUALITIES.len() * THINGS.len()
}

fn named(place: usize, round: usize) -> (String, String) {
    let (quality, (thing, asks)) = (QUALITIES[place / THINGS.len()], THINGS[place % THINGS.len()]);
    let name = match round {
        0 => format!("{quality} of {thing}"),
        round => format!("{quality} of {thing} {}", round + 1),
    };
    let explanation = format!("Looks at the {} of the {}: {asks}.", quality.to_lowercase(), thing.to_lowercase());
    (name, explanation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        text.lines().map(|line| line.split("**").nth(1).unwrap()).collect()
    }

    #[test]
    fn as_many_as_asked_and_all_different() {
        for count in [0, 1, 10, 60, 200] {
            let text = write(count, "", &[3; 32]);
            let mut names = names(&text);
            assert_eq!(names.len(), count);
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }

    #[test]
    fn given_ones_are_not_repeated() {
        let first = write(60, "", &[3; 32]);
        let more = write(20, &first, &[3; 32]);
        assert!(names(&more).iter().all(|name| !first.contains(name)), "{more}");
    }

    #[test]
    fn the_form_is_the_contract() {
        let text = write(2, "", &[3; 32]);
        let line = text.lines().nth(1).unwrap();
        assert!(line.starts_with("<criteria 2>**") && line.ends_with(".</criteria 2>"), "{line}");
    }
}
