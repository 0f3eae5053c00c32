//! Judgments in the three forms our prompts ask for.

use crate::canonical::{Key, number_of};

const PRAISE: [&str; 4] = [
    "It answers what was asked and stays with the point.",
    "The main statement is right and easy to follow.",
    "The steps are in a good order and none is missing.",
    "It gives the reader something to work with.",
];

const BLAME: [&str; 4] = [
    "One claim stands without support and should be backed or dropped.",
    "The second half repeats the first and could be shorter.",
    "An example would make the central sentence clear.",
    "It should say under which condition this holds.",
];

/// `[[A]]` or `[[B]]`.
pub(super) fn verdict(lean: f64) -> &'static str {
    if lean > 0.0 { "[[A]]" } else { "[[B]]" }
}

/// `<Judge A>`, `<Judge B>` and the verdict.
pub(super) fn sections(lean: f64, criteria: &str, key: &Key) -> String {
    let under = criteria_name(criteria);
    let [score_a, score_b] = scores(lean, key);
    let [about_a, about_b] = ["A", "B"].map(|letter| critique(letter, under, key));
    format!(
        "<Judge A>{about_a} Score: {score_a}</Judge A>\n<Judge B>{about_b} Score: {score_b}</Judge B>\n{}",
        verdict(lean)
    )
}

/// Reasoning between `<think>` tags, then the verdict.
pub(super) fn thinking(lean: f64, key: &Key) -> String {
    let criteria = super::criteria::write(3, "", key);
    let names = criteria.lines().enumerate().map(|(index, line)| {
        let inside = line.split_once('>').map_or(line, |(_, rest)| rest);
        let inside = inside.split_once("</criteria").map_or(inside, |(inside, _)| inside);
        format!("{}. {inside}", index + 1)
    });
    let names = names.collect::<Vec<_>>().join("\n");
    let [about_a, about_b] = ["A", "B"].map(|letter| critique(letter, "all three criteria", key));
    format!("<think>\n{names}\nResponse A: {about_a}\nResponse B: {about_b}\n</think>\n{}", verdict(lean))
}

fn critique(letter: &str, under: &str, key: &Key) -> String {
    let pick = |list: &'static [&'static str; 4], what: &str| {
        list[number_of(key, &format!("{what} {letter}")) as usize % list.len()]
    };
    format!("Under {under}: {} {}", pick(&PRAISE, "praise"), pick(&BLAME, "blame"))
}

/// The first criterion's name; critiques mention it.
fn criteria_name(criteria: &str) -> &str {
    let line = criteria.lines().next().unwrap_or_default();
    let name = line.split("**").nth(1).or_else(|| line.split(':').next()).unwrap_or_default();
    if name.is_empty() { "the criterion" } else { name }
}

/// Two different scores from 1 to 10, the higher one for the response that is preferred.
fn scores(lean: f64, key: &Key) -> [u64; 2] {
    let high = 6 + number_of(key, "high score") % 5;
    let low = high - 1 - number_of(key, "low score") % 5;
    if lean > 0.0 { [high, low] } else { [low, high] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_scores_and_verdict_agree() {
        for number in 0..200_u32 {
            let key = *blake3::hash(&number.to_le_bytes()).as_bytes();
            let lean = if number % 2 == 0 { 0.3 } else { -0.3 };
            let text = sections(lean, "1. **Order of Steps**: x", &key);
            let scores: Vec<u64> =
                text.split("Score: ").skip(1).map(|rest| rest.split('<').next().unwrap().parse().unwrap()).collect();
            assert!(scores.iter().all(|score| (1..=10).contains(score)));
            assert_eq!(scores[0] > scores[1], lean > 0.0);
            assert!(text.ends_with(if lean > 0.0 { "\n[[A]]" } else { "\n[[B]]" }));
            assert!(text.contains("Order of Steps"));
        }
    }

    #[test]
    fn thinking_is_closed_before_the_verdict() {
        let text = thinking(1.0, &[1; 32]);
        assert!(text.starts_with("<think>\n1. **") && text.ends_with("</think>\n[[A]]"), "{text}");
        assert_eq!(text.matches("<criteria").count(), 0);
    }
}
