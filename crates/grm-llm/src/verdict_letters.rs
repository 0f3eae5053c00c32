//! log P of the two verdict letters, read where the reply's final verdict stands.

use std::borrow::Cow;

use grm_core::VerdictLogprobs;
use serde::Deserialize;
use serde_json::value::RawValue;

/// `choices[0].logprobs`. The alternatives of all tokens but one are skipped unread.
#[derive(Deserialize)]
pub(crate) struct Logprobs<'a> {
    #[serde(borrow, default)]
    content: Option<Vec<Token<'a>>>,
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    #[serde(borrow, default)]
    top_logprobs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Alternative<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    logprob: f64,
}

impl Logprobs<'_> {
    /// Finds the token that completes the final `[[A` or `[[B` and reads both letters among its alternatives. `None`
    /// when there is no verdict, or when one letter was too unlikely to be listed: nothing is made up for it.
    pub(crate) fn verdict(&self) -> Option<VerdictLogprobs> {
        let tokens = self.content.as_deref()?;
        let (index, offset) = final_letter(tokens)?;
        let before = &tokens[index].token[..offset];
        let alternatives: Vec<Alternative<'_>> = serde_json::from_str(tokens[index].top_logprobs?.get()).ok()?;
        Some(VerdictLogprobs { a: letter(&alternatives, before, 'A')?, b: letter(&alternatives, before, 'B')? })
    }
}

/// The token holding the letter, and the letter's place in it.
fn final_letter(tokens: &[Token<'_>]) -> Option<(usize, usize)> {
    let text: String = tokens.iter().map(|token| &*token.token).collect();
    let verdicts = text.match_indices("[[").map(|(at, _)| {
        let rest = &text[at + 2..];
        at + 2 + rest.len() - rest.trim_start().len()
    });
    let mut place = verdicts.filter(|at| text[*at..].starts_with(['A', 'B'])).last()?;
    for (index, token) in tokens.iter().enumerate() {
        if place < token.token.len() {
            return Some((index, place));
        }
        place -= token.token.len();
    }
    None
}

/// The summed probability of the alternatives that go on with this letter: `A`, ` A` and `A]]` may all be tokens.
fn letter(alternatives: &[Alternative<'_>], before: &str, letter: char) -> Option<f32> {
    let matching = alternatives.iter().filter(|alternative| {
        let rest = alternative.token.strip_prefix(before).map(|rest| rest.trim_start().strip_prefix(letter));
        matches!(rest, Some(Some(after)) if after.is_empty() || after.starts_with(']'))
    });
    let logprobs: Vec<f64> = matching.map(|alternative| alternative.logprob).filter(|p| p.is_finite()).collect();
    let most = logprobs.iter().copied().reduce(f64::max)?;
    let sum: f64 = logprobs.iter().map(|logprob| (logprob - most).exp()).sum();
    Some((most + sum.ln()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, alternatives: &[(&str, f64)]) -> serde_json::Value {
        let top: Vec<_> = alternatives
            .iter()
            .map(|(token, logprob)| serde_json::json!({"token": token, "logprob": logprob}))
            .collect();
        serde_json::json!({"token": text, "logprob": -0.5, "bytes": null, "top_logprobs": top})
    }

    fn check(tokens: &[serde_json::Value], expected: Option<(f32, f32)>) {
        let raw = serde_json::json!({ "content": tokens }).to_string();
        let logprobs: Logprobs<'_> = serde_json::from_str(&raw).unwrap();
        let got = logprobs.verdict().map(|letters| (letters.a, letters.b));
        match (got, expected) {
            (Some(got), Some(expected)) => {
                assert!((got.0 - expected.0).abs() < 1e-5 && (got.1 - expected.1).abs() < 1e-5, "{got:?}");
            }
            (got, expected) => assert_eq!(got, expected),
        }
    }

    #[test]
    fn the_letter_may_be_split_off_anywhere() {
        let both = |a: &str, b: &str| vec![(a.to_owned(), -0.25), (b.to_owned(), -1.5), ("C".to_owned(), -3.0)];
        for (before, a, b) in
            [("[[", "A", "B"), ("[", "[A", "[B"), ("", "[[A", "[[B"), ("[[", " A", " B"), ("x", "[[A]]", "[[B]]")]
        {
            let top = both(a, b);
            let top: Vec<(&str, f64)> = top.iter().map(|(token, p)| (token.as_str(), *p)).collect();
            check(&[token("so ", &[]), token(before, &[]), token(a, &top), token("]]", &[])], Some((-0.25, -1.5)));
        }
    }

    #[test]
    fn the_final_verdict_counts() {
        let early = token("A", &[("A", -0.1), ("B", -2.0)]);
        let late = token("B", &[("B", -0.2), ("A", -1.0)]);
        check(&[token("[[", &[]), early, token("]] no: [[", &[]), late, token("]]", &[])], Some((-1.0, -0.2)));
    }

    #[test]
    fn spellings_of_one_letter_are_summed() {
        let top = [("A", 0.25_f64.ln()), ("A]]", 0.25_f64.ln()), ("B", 0.5_f64.ln()), ("And", -0.1)];
        check(&[token("[[", &[]), token("A", &top)], Some((0.5_f32.ln(), 0.5_f32.ln())));
    }

    #[test]
    fn nothing_is_made_up() {
        check(&[token("[[", &[]), token("A", &[("A", -0.1), ("C", -3.0)])], None);
        check(&[token("no verdict", &[("A", -0.1), ("B", -3.0)])], None);
        check(&[token("[[", &[]), token("C", &[("A", -0.1), ("B", -3.0)])], None);
        check(&[], None);
    }
}
