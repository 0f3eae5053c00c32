//! What holds of the parsers whatever a model writes.

use std::time::{Duration, Instant};

use grm_core::{Choice, Criterion, Finish};
use grm_judge::judgment::ParsedJudgment;
use grm_judge::{criteria, direct, judgment, neutralise, refinement, restore};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Pieces of replies, in an order no model would choose.
fn replies() -> impl Strategy<Value = String> {
    let pieces = vec![
        "<Judge A>",
        "</Judge A>",
        "<Judge B>",
        "</Judge B>",
        "Score: 7",
        "Score: ",
        "10",
        "[[A]]",
        "[[B]]",
        "[[",
        "]]",
        "<think>",
        "</think>",
        "<criteria 1>",
        "</criteria 1>",
        "**Name**: x",
        "**",
        ":",
        "\n",
        " ",
        "```",
        "\"",
        "\0",
        "[Response]",
        "[End of Response]",
        "I'm sorry, but I can't",
        "é",
        "文",
        "\u{202e}",
        "<",
        "/10",
        "s",
        "\r\n",
    ];
    prop_oneof![vec(select(pieces), 0..60).prop_map(|all| all.concat()), any::<String>()]
}

fn finishes() -> impl Strategy<Value = Finish> {
    prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::Filtered)]
}

/// A sentence that starts and ends with a letter: what the contract's form carries unchanged.
fn sentences() -> impl Strategy<Value = String> {
    let words = vec!["the", "answer", "Vec<u8>", "a:b", "it's", "7/10", "naïve", "河流", "[1]", "e.g.", "**bold**"];
    (vec(select(words), 1..12)).prop_map(|all| format!("It says {} here", all.join(" ")))
}

fn names() -> impl Strategy<Value = String> {
    (select(vec!["Depth", "Ton", "准确性", "Use of sources", "Näherung"]), 0..1000u32)
        .prop_map(|(a, n)| format!("{a} {n}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_parser_panics_and_none_invents_more_than_wanted(reply in replies(), finish in finishes(), wanted in 0usize..5) {
        let parsed = criteria::parse(&reply, finish, wanted, &[]);
        prop_assert!(parsed.criteria.len() <= wanted);
        prop_assert!(parsed.problem.is_some() || parsed.criteria.len() == wanted);
        if let Ok(judgment) = judgment::parse(&reply, finish) {
            prop_assert!(judgment.scores.iter().all(|score| (1..=10).contains(score)));
        }
        let _ = direct::parse(&reply, finish);
        if let Ok(text) = refinement::parse(&reply, finish, "original") {
            prop_assert!(!text.trim().is_empty());
        }
    }

    #[test]
    fn text_before_the_end_of_thinking_changes_nothing(before in replies(), reply in replies(), finish in finishes()) {
        let thought = format!("{before}</think>{reply}");
        prop_assert_eq!(direct::parse(&thought, finish), direct::parse(&reply, finish));
        prop_assert_eq!(judgment::parse(&thought, finish), judgment::parse(&reply, finish));
        prop_assert_eq!(criteria::parse(&thought, finish, 3, &[]), criteria::parse(&reply, finish, 3, &[]));
        prop_assert_eq!(refinement::parse(&thought, finish, "x"), refinement::parse(&reply, finish, "x"));
    }

    #[test]
    fn a_rendered_judgment_reads_back(
        critique_a in sentences(), critique_b in sentences(), a in 1u8..=10, b in 1u8..=10, first in any::<bool>(),
    ) {
        let preferred = match a.cmp(&b) {
            std::cmp::Ordering::Greater => Choice::First,
            std::cmp::Ordering::Less => Choice::Second,
            std::cmp::Ordering::Equal => if first { Choice::First } else { Choice::Second },
        };
        let written = ParsedJudgment { preferred, scores: [a, b], critiques: [critique_a, critique_b] };
        prop_assert_eq!(judgment::parse(&judgment::render(&written), Finish::Stop), Ok(written));
    }

    #[test]
    fn rendered_criteria_read_back(all in vec((names(), sentences()), 1..8)) {
        let mut written: Vec<Criterion> =
            all.into_iter().map(|(name, explanation)| Criterion { name, explanation }).collect();
        written.sort_by_key(Criterion::duplicate_key);
        written.dedup_by_key(|criterion| criterion.duplicate_key());
        let read = criteria::parse(&criteria::render(&written), Finish::Stop, written.len(), &[]);
        prop_assert_eq!(read.problem, None);
        prop_assert_eq!(read.criteria, written);
    }

    #[test]
    fn a_verdict_planted_in_a_section_never_decides(plant in replies(), a in 2u8..=10) {
        let plant = plant.replace('<', "(");
        let reply = format!("<Judge A>x {plant} Score: {a}</Judge A>\n<Judge B>y [[B]]\n[[B]]\nScore: 1</Judge B>\n[[A]]");
        prop_assert_eq!(judgment::parse(&reply, Finish::Stop).map(|judgment| judgment.preferred), Ok(Choice::First));
    }

    #[test]
    fn a_refined_plain_sentence_comes_back_as_written(text in sentences()) {
        prop_assert_eq!(refinement::parse(&text, Finish::Stop, "original"), Ok(text));
    }
}

type Reader = (&'static str, fn(&str) -> bool);

/// Everything that reads text of others, each reduced to whether it found something.
const READERS: [Reader; 6] = [
    ("criteria", |text| criteria::parse(text, Finish::Stop, 10, &[]).problem.is_none()),
    ("judgment", |text| judgment::parse(text, Finish::Stop).is_ok()),
    ("direct", |text| direct::parse(text, Finish::Stop).is_ok()),
    ("refinement", |text| refinement::parse(text, Finish::Stop, "original").is_ok()),
    ("neutralise", |text| neutralise(text) == text),
    ("restore", |text| restore(text, text) == text),
];

fn timed(read: fn(&str) -> bool, text: &str) -> Duration {
    let start = Instant::now();
    std::hint::black_box(read(std::hint::black_box(text)));
    start.elapsed()
}

/// Ten times the input takes about ten times the work; quadratic work would take a hundred times. A ratio is a fault
/// only if it shows again and again: a busy machine disturbs one measurement, not five.
fn check_linear(pattern: &str) {
    let small = pattern.repeat(1_000_000 / pattern.len());
    let large = pattern.repeat(10_000_000 / pattern.len());
    // Below this the clock measures the machine; quadratic work on 1 MB is far above it.
    let floor = Duration::from_millis(2);
    for (name, read) in READERS {
        let ratio = || timed(read, &large).as_secs_f64() / timed(read, &small).max(floor).as_secs_f64();
        assert!((0..5).any(|_| ratio() < 30.0), "{name} of {pattern:?} is not linear");
    }
}

#[test]
fn hostile_tags_are_read_in_linear_time() {
    for pattern in ["<criteria ", "<criteria 1>", "<criteria 1>**a**: b", "<think>", "</think>", "<Judge A>", "</"] {
        check_linear(pattern);
    }
}

#[test]
fn hostile_brackets_are_read_in_linear_time() {
    for pattern in ["[[", "[[A]]", "[[ ", "[ ", "<", "<|", "<|a", "‹", "⟦", "＜", "[[A]]\u{200b} "] {
        check_linear(pattern);
    }
}

#[test]
fn hostile_words_are_read_in_linear_time() {
    for pattern in ["score", "Score: ", "Score (", "Score***", "s", "\n", " ", "*", "`", "i'm sorry, ", "\"", "\0"] {
        check_linear(pattern);
    }
}
