//! `report.html`: one self-contained page about a run, readable without anything but a browser.

use anyhow::Context;
use grm_core::{Choice, Decision, Outcome, RewardScore};
use serde::Serialize;
use similar::ChangeTag;

use crate::{
    metrics::{Metrics, share},
    record::{PairOutcome, PairRecord},
    view::{changes, last_turn},
};

/// Pairs a page holds at most; the rest stay in `trajectories.jsonl`.
pub(crate) const PAIRS_MAX: usize = 100;

#[derive(Serialize)]
struct PageView<'a> {
    title: &'a str,
    facts: Vec<(String, String)>,
    steps: Vec<StepView>,
    pairs: Vec<PairView>,
    pairs_total: u64,
}

#[derive(Serialize)]
struct StepView {
    name: &'static str,
    valid: u64,
    replies: u64,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct PairView {
    id: String,
    prompt: String,
    responses: [String; 2],
    originals: [String; 2],
    verdict: String,
    mark: &'static str,
    detail: String,
    failure: Option<String>,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    rank: usize,
    name: String,
    explanation: String,
    meta: String,
    consistent: Option<bool>,
    bar: f32,
    judgment: String,
    reason: Option<String>,
    sides: [SideView; 2],
}

#[derive(Serialize)]
struct SideView {
    letter: char,
    before: String,
    after: String,
    critique: String,
    diff: Vec<DiffView>,
}

#[derive(Serialize)]
struct DiffView {
    kind: &'static str,
    words: String,
}

/// Renders the page. Every value passes the template engine's HTML escaping; the page loads nothing.
pub(crate) fn render(
    title: &str,
    facts: Vec<(String, String)>,
    metrics: &Metrics,
    records: &[PairRecord],
) -> anyhow::Result<String> {
    let mut engine = minijinja::Environment::new();
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    engine.add_template("report.html", include_str!("report.html.j2")).context("the report template is broken")?;
    let steps = metrics.replies.0.iter().map(|(step, counts)| StepView {
        name: step.as_str(),
        valid: counts.valid,
        replies: counts.replies,
        reasons: counts.invalid.iter().map(|(reason, count)| format!("{count} × {reason}")).collect(),
    });
    let view = PageView {
        title,
        facts,
        steps: steps.collect(),
        pairs: records.iter().take(PAIRS_MAX).map(pair).collect(),
        pairs_total: metrics.pairs,
    };
    let page = engine.get_template("report.html").and_then(|template| template.render(minijinja::value::Serde(view)));
    page.context("could not render the report")
}

/// What the page says first.
pub(crate) fn facts(metrics: &Metrics) -> Vec<(String, String)> {
    let mut facts = vec![("Pairs".to_owned(), metrics.pairs.to_string())];
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    if metrics.labelled.pairs > 0 {
        fact("Right", share(metrics.labelled.right, metrics.labelled.pairs));
    }
    fact(
        "Decided / tied / invalid",
        format!("{} / {} / {}", metrics.decided, metrics.ties, metrics.invalid_verdicts()),
    );
    if metrics.both_orders > 0 {
        fact("Same in both orders", share(metrics.consistent, metrics.both_orders));
    }
    if metrics.failed_pairs() > 0 {
        fact("Failed pairs", metrics.failed_pairs().to_string());
    }
    if metrics.labelled.disrm_scored > 0 {
        fact("DisRM alone", share(metrics.labelled.disrm_right, metrics.labelled.disrm_scored));
    }
    if metrics.labelled.pairs > 0 {
        fact("Longer response", share(metrics.labelled.longer_right_doubled / 2, metrics.labelled.pairs));
    }
    facts
}

fn pair(record: &PairRecord) -> PairView {
    let comparison = &record.comparison;
    let mut view = PairView {
        id: comparison.id.clone(),
        prompt: last_turn(comparison),
        responses: comparison.responses.each_ref().map(|response| response.joined_text()),
        originals: [String::new(), String::new()],
        verdict: "failed".into(),
        mark: "failed",
        detail: String::new(),
        failure: None,
        rows: Vec::new(),
    };
    let judged = match &record.outcome {
        PairOutcome::Judged(judged) => judged,
        PairOutcome::Failed(failure) => {
            view.failure = Some(failure.message.clone());
            return view;
        }
    };
    view.originals = judged.originals.each_ref().map(score);
    (view.verdict, view.mark) = match judged.verdict.decision {
        Decision::Prefer(choice) => (choice.letter().to_string(), mark(record.label, choice)),
        Decision::Tie => ("tie".into(), "open"),
        Decision::Invalid(_) => ("invalid".into(), "failed"),
    };
    view.detail = detail(record, judged);
    let scale = judged.trajectories.iter().filter_map(|t| t.meta.ok()).map(|m| m.value.abs()).fold(1e-6, f32::max);
    view.rows = judged
        .trajectories
        .iter()
        .enumerate()
        .map(|(at, t)| row(record, &judged.originals, at + 1, t, scale))
        .collect();
    view
}

fn mark(label: Option<Choice>, choice: Choice) -> &'static str {
    match label {
        None => "open",
        Some(label) if label == choice => "right",
        Some(_) => "wrong",
    }
}

fn detail(record: &PairRecord, judged: &grm_judge::JudgedPair) -> String {
    let verdict = &judged.verdict;
    let mut parts = vec![format!("rule {}", verdict.rule)];
    if let Decision::Invalid(reason) = verdict.decision {
        parts.push(reason.to_string());
    }
    parts.extend(verdict.confidence.map(|confidence| format!("confidence {confidence:.2}")));
    if verdict.votes.both_orders > 0 {
        let agree = verdict.votes.both_orders == verdict.votes.consistent;
        parts.push(if agree { "same in both orders" } else { "orders disagree" }.into());
    }
    parts.extend(record.label.map(|label| format!("label {}", label.letter())));
    parts.join(" · ")
}

fn row(
    record: &PairRecord,
    originals: &[Outcome<RewardScore>; 2],
    rank: usize,
    trajectory: &grm_core::Trajectory,
    scale: f32,
) -> RowView {
    let judgment = trajectory.judgment.as_ref();
    RowView {
        rank,
        name: trajectory.criterion.name.clone(),
        explanation: trajectory.criterion.explanation.clone(),
        meta: trajectory.meta.map_or_else(|_| "none".into(), |meta| format!("{:+.3}", meta.value)),
        consistent: trajectory.meta.ok().map(|meta| meta.consistent),
        bar: trajectory.meta.map_or(0.0, |meta| 50.0 * meta.value / scale),
        judgment: judgment.map_or_else(
            |_| "invalid".into(),
            |j| format!("{} ({} : {})", j.preferred.letter(), j.scores[0], j.scores[1]),
        ),
        reason: trajectory.meta.err().map(|reason| reason.to_string()),
        sides: Choice::BOTH.map(|choice| side(record, originals, trajectory, choice)),
    }
}

fn side(
    record: &PairRecord,
    originals: &[Outcome<RewardScore>; 2],
    trajectory: &grm_core::Trajectory,
    choice: Choice,
) -> SideView {
    let refinement = trajectory.refinements[choice.index()].as_ref();
    let before = record.comparison.response(choice).joined_text();
    let kind = |tag| match tag {
        ChangeTag::Equal => "kept",
        ChangeTag::Delete => "cut",
        ChangeTag::Insert => "added",
    };
    let diff = refinement.map_or_else(
        |reason| vec![DiffView { kind: "none", words: format!("no refinement: {reason}") }],
        |refined| {
            changes(&before, &refined.text)
                .into_iter()
                .map(|(tag, words)| DiffView { kind: kind(tag), words })
                .collect()
        },
    );
    SideView {
        letter: choice.letter(),
        before: score(&originals[choice.index()]),
        after: refinement.map_or_else(|_| "none".into(), |refined| score(&refined.score)),
        critique: trajectory.judgment.as_ref().map_or_else(|_| String::new(), |j| j.critiques[choice.index()].clone()),
        diff,
    }
}

fn score(score: &Outcome<RewardScore>) -> String {
    score.map_or_else(|_| "none".into(), |score| format!("{:+.3}", score.value()))
}
