//! A judged pair on a terminal: verdict, then criteria in meta-reward order with judgment and scores before → after.

use std::fmt::Write as _;

use grm_core::{Choice, Comparison, Decision, Outcome, RewardScore, Trajectory};
use grm_judge::JudgedPair;
use similar::{ChangeTag, TextDiff};

use crate::{
    cli::Show,
    record::{PairOutcome, PairRecord},
    terminal::{Paint, one_line, plain},
};

const WIDTH: usize = 100;

/// The text shown for one pair.
pub(crate) fn pair(record: &PairRecord, show: Show, paint: Paint) -> String {
    match &record.outcome {
        PairOutcome::Judged(judged) if show == Show::Verdicts => verdict_line(record, judged, paint),
        PairOutcome::Judged(judged) => full(record, judged, show, paint),
        PairOutcome::Failed(failure) => {
            let id = plain(&record.comparison.id);
            format!("{}  {} {}\n", paint.bold(&id), paint.red("failed:"), plain(&failure.message))
        }
    }
}

fn verdict_line(record: &PairRecord, judged: &JudgedPair, paint: Paint) -> String {
    let prompt = one_line(&last_turn(&record.comparison), 48);
    format!("{:<24} {}  {}\n", one_line(&record.comparison.id, 24), verdict(record, judged, paint), paint.dim(&prompt))
}

fn full(record: &PairRecord, judged: &JudgedPair, show: Show, paint: Paint) -> String {
    let comparison = &record.comparison;
    let mut text = format!("{}\n", paint.bold(&format!("── {} {}", plain(&comparison.id), "─".repeat(40))));
    line(&mut text, "Prompt", &one_line(&last_turn(comparison), WIDTH));
    for choice in Choice::BOTH {
        let label = format!("{}", choice.letter());
        let words = one_line(&comparison.response(choice).joined_text(), WIDTH - 12);
        let score = score_text(&judged.originals[choice.index()]);
        line(&mut text, &label, &format!("{words}  {}", paint.dim(&format!("(DisRM {score})"))));
    }
    line(&mut text, "Verdict", &verdict(record, judged, paint));
    if !judged.trajectories.is_empty() {
        let header = format!(
            " {:>2}  {:>8}    {:<34} {:<9} {:<17} {:<17}",
            "#", "s_meta", "criterion", "judgment", "A before→after", "B before→after"
        );
        let _ = writeln!(text, "{}", paint.dim(header.trim_end()));
    }
    for (rank, trajectory) in judged.trajectories.iter().enumerate() {
        row(&mut text, rank + 1, trajectory, &judged.originals, paint);
        details(&mut text, comparison, trajectory, show, paint);
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, " {name:<8} {value}");
}

fn verdict(record: &PairRecord, judged: &JudgedPair, paint: Paint) -> String {
    let verdict = &judged.verdict;
    let decision = match verdict.decision {
        Decision::Prefer(choice) => paint.bold(&format!("[[{}]]", choice.letter())),
        Decision::Tie => paint.yellow("tie"),
        Decision::Invalid(reason) => paint.red(&format!("invalid: {reason}")),
    };
    let mut text = format!("{decision}  {}", verdict.rule);
    if let (Some(confidence), Decision::Prefer(_)) = (verdict.confidence, verdict.decision) {
        let _ = write!(text, ", confidence {confidence:.2}");
    }
    if verdict.votes.both_orders > 0 {
        let agree = verdict.votes.consistent == verdict.votes.both_orders;
        text.push_str(if agree { ", same in both orders" } else { ", orders disagree" });
    }
    if let Some(label) = record.label {
        let mark = match verdict.decision.preferred() {
            Some(choice) if choice == label => paint.green("right"),
            Some(_) => paint.red("wrong"),
            None => "undecided".to_owned(),
        };
        let _ = write!(text, " · label {} {mark}", label.letter());
    }
    text
}

fn row(text: &mut String, rank: usize, trajectory: &Trajectory, originals: &[Outcome<RewardScore>; 2], paint: Paint) {
    let meta = match &trajectory.meta {
        Ok(meta) if meta.consistent => format!("{:>+8.3} {}", meta.value, paint.green("✓")),
        Ok(meta) => format!("{:>+8.3} {}", meta.value, paint.red("✗")),
        Err(_) => format!("{:>8} {}", "none", paint.yellow("!")),
    };
    let judgment = match &trajectory.judgment {
        Ok(judgment) => format!("{} {}/{}", judgment.preferred.letter(), judgment.scores[0], judgment.scores[1]),
        Err(_) => "invalid".to_owned(),
    };
    let [a, b] = Choice::BOTH.map(|choice| before_after(trajectory, originals, choice));
    let name = one_line(&trajectory.criterion.name, 34);
    let _ = writeln!(text, " {rank:>2}  {meta}  {name:<34} {judgment:<9} {a:<17} {b:<17}");
    if let (Err(reason), Ok(_)) = (&trajectory.meta, &trajectory.judgment) {
        let _ = writeln!(text, "     {}", paint.yellow(&format!("no meta-reward: {reason}")));
    }
    if let Err(reason) = &trajectory.judgment {
        let _ = writeln!(text, "     {}", paint.yellow(&reason.to_string()));
    }
}

fn before_after(trajectory: &Trajectory, originals: &[Outcome<RewardScore>; 2], choice: Choice) -> String {
    let after = match &trajectory.refinements[choice.index()] {
        Ok(refinement) => score_text(&refinement.score),
        Err(_) => "–".to_owned(),
    };
    format!("{} → {after}", score_text(&originals[choice.index()]))
}

fn score_text(score: &Outcome<RewardScore>) -> String {
    score.map_or_else(|_| "none".to_owned(), |score| format!("{:+.2}", score.value()))
}

fn details(text: &mut String, comparison: &Comparison, trajectory: &Trajectory, show: Show, paint: Paint) {
    if matches!(show, Show::Criteria | Show::Verdicts) {
        return;
    }
    let _ = writeln!(text, "     {}", paint.dim(&one_line(&trajectory.criterion.explanation, WIDTH)));
    for choice in Choice::BOTH {
        if let Ok(judgment) = &trajectory.judgment {
            let critique = one_line(&judgment.critiques[choice.index()], 4 * WIDTH);
            let _ = writeln!(text, "     {} {critique}", paint.bold(&format!("on {}:", choice.letter())));
        }
        if show == Show::Refinements
            && let Ok(refinement) = &trajectory.refinements[choice.index()]
        {
            let original = comparison.response(choice).joined_text();
            let diff = word_diff(&plain(&original), &plain(&refinement.text), paint);
            let _ = writeln!(
                text,
                "     {} {}",
                paint.bold(&format!("{} refined:", choice.letter())),
                diff.replace('\n', "\n       ")
            );
        }
    }
}

/// Words taken out in `[-…-]`, words put in in `{+…+}`; coloured on a terminal.
fn word_diff(before: &str, after: &str, paint: Paint) -> String {
    if before == after {
        return paint.dim("(unchanged)");
    }
    changes(before, after)
        .into_iter()
        .map(|(tag, words)| match tag {
            ChangeTag::Equal => words,
            ChangeTag::Delete => paint.red(&format!("[-{words}-]")),
            ChangeTag::Insert => paint.green(&format!("{{+{words}+}}")),
        })
        .collect()
}

/// Runs of kept, removed and added words.
pub(crate) fn changes(before: &str, after: &str) -> Vec<(ChangeTag, String)> {
    let diff = TextDiff::configure().timeout(std::time::Duration::from_millis(200)).diff_words(before, after);
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match runs.last_mut() {
            Some((tag, words)) if *tag == change.tag() => words.push_str(change.value()),
            _ => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    runs
}

/// The text of the last turn: what a reader recognises a prompt by.
pub(crate) fn last_turn(comparison: &Comparison) -> String {
    comparison.prompt.turns.last().map(grm_core::Turn::joined_text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_taken_out_and_put_in_are_marked() {
        let diff = word_diff("The sky is green today", "The sky is blue today", Paint(false));
        assert_eq!(diff, "The sky is [-green-]{+blue+} today");
        assert_eq!(word_diff("same", "same", Paint(false)), "(unchanged)");
    }
}
