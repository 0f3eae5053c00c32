//! One item in the form the page's script reads: short names, refinements as changes, reasons as text.

use grm_core::{Choice, Comparison, Decision, Invalid, Outcome, Part, RewardScore, Trajectory};
use grm_judge::JudgedPair;
use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    calls::{Call, Calls},
    changes::steps,
    folder::RunFolder,
    items::Item,
};
use crate::record::{PairOutcome, PairRecord};

/// How much of an item the page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Everything the runs recorded.
    Whole,
    /// Prompt, responses, criteria, verdicts and numbers; no critiques, refinements and raw replies.
    Short,
}

/// The item's data. Texts stand once, from the first run that has them; a run that showed others gives its own.
pub(super) fn of(runs: &[RunFolder], calls: &[Calls], item: &Item, depth: Depth) -> anyhow::Result<Value> {
    let mut shown: Option<PairRecord> = None;
    let mut told = Vec::new();
    for (run, (place, calls)) in runs.iter().zip(item.places.iter().zip(calls)) {
        let Some(place) = place else {
            told.push(Value::Null);
            continue;
        };
        let record = run.record(*place)?;
        let mut fields = outcome(&record, depth);
        let is_same = |first: &PairRecord| first.comparison == record.comparison && first.label == record.label;
        if shown.as_ref().is_some_and(|first| !is_same(first)) {
            fields.insert("texts".into(), texts(&record));
        }
        if depth == Depth::Whole {
            fields.insert("calls".into(), raw_replies(&calls.of(&item.id)?, &record));
        }
        shown.get_or_insert(record);
        told.push(Value::Object(fields));
    }
    Ok(json!({
        "id": item.id,
        "whole": depth == Depth::Whole,
        "texts": shown.as_ref().map(texts),
        "answers": item.answers.iter().map(|given| given.as_ref().map(answer)).collect::<Vec<_>>(),
        "runs": told,
    }))
}

fn texts(record: &PairRecord) -> Value {
    let Comparison { prompt, responses, .. } = &record.comparison;
    let turns = prompt.turns.iter().map(|turn| json!({ "role": turn.role.as_str(), "parts": parts(&turn.parts) }));
    json!({
        "turns": turns.collect::<Vec<_>>(),
        "responses": responses.each_ref().map(|response| parts(&response.parts)),
        "label": record.label.map(Choice::index),
    })
}

/// Text as it stands, media by name.
fn parts(parts: &[Part]) -> Vec<Value> {
    let medium = |kind: &str, path: &str| json!({ "kind": kind, "path": path });
    let part = |part: &Part| match part {
        Part::Text { text } => Value::from(text.as_str()),
        Part::Image { media } => medium("image", &media.path),
        Part::Video { media } => medium("video", &media.path),
        Part::Audio { media } => medium("audio", &media.path),
    };
    parts.iter().map(part).collect()
}

fn answer(answer: &Answer) -> Value {
    json!({
        "mark": answer.mark.code(),
        "said": answer.said.map(|choice| choice.letter()),
        "reason": answer.reason,
        "confidence": answer.confidence,
        "agrees": answer.agrees,
    })
}

fn outcome(record: &PairRecord, depth: Depth) -> Map<String, Value> {
    let mut fields = Map::new();
    match &record.outcome {
        PairOutcome::Failed(failure) => {
            fields.insert("failed".into(), json!({ "kind": failure.kind, "message": failure.message }));
        }
        PairOutcome::Judged(judged) => {
            fields.insert("scores".into(), judged.originals.iter().map(score).collect());
            fields.insert("verdict".into(), verdict(judged));
            let row = |trajectory: &Trajectory| criterion(record, trajectory, depth);
            fields.insert("criteria".into(), judged.trajectories.iter().map(row).collect());
        }
    }
    fields
}

fn verdict(judged: &JudgedPair) -> Value {
    let verdict = &judged.verdict;
    let said = match verdict.decision {
        Decision::Prefer(choice) => choice.letter().to_string(),
        Decision::Tie => "tie".to_owned(),
        Decision::Invalid(reason) => format!("invalid: {reason}"),
    };
    json!({ "said": said, "rule": verdict.rule, "confidence": verdict.confidence, "votes": verdict.votes })
}

/// A score, or the reason there is none.
fn score(score: &Outcome<RewardScore>) -> Value {
    score.map_or_else(because, |score| Value::from(score.value()))
}

fn because(reason: Invalid) -> Value {
    Value::from(reason.to_string())
}

fn criterion(record: &PairRecord, trajectory: &Trajectory, depth: Depth) -> Value {
    let whole = depth == Depth::Whole;
    let judgment = match &trajectory.judgment {
        Err(reason) => because(*reason),
        Ok(judgment) => json!({
            "said": judgment.preferred.letter(),
            "scores": judgment.scores,
            "critiques": whole.then_some(&judgment.critiques),
            "votes": judgment.votes,
            "logprobs": judgment.logprobs,
        }),
    };
    let refined = |choice: Choice| match &trajectory.refinements[choice.index()] {
        Err(reason) => because(*reason),
        Ok(refinement) => json!({
            "score": score(&refinement.score),
            "steps": whole.then(|| steps(&record.comparison.response(choice).joined_text(), &refinement.text)),
        }),
    };
    json!({
        "name": trajectory.criterion.name,
        "explanation": trajectory.criterion.explanation,
        "source": trajectory.source,
        "place": trajectory.index + 1,
        "judgment": judgment,
        "refined": Choice::BOTH.map(refined),
        "meta": trajectory.meta.map_or_else(because, |meta| json!([meta.value, meta.consistent])),
    })
}

/// What models answered, as recorded. What stands in the page already is pointed at, not written again.
fn raw_replies(calls: &[Call], record: &PairRecord) -> Value {
    calls.iter().map(|call| raw_reply(call, record)).collect()
}

fn raw_reply(call: &Call, record: &PairRecord) -> Value {
    let Call { kind, step, sample, reply } = call;
    if kind == "reward" {
        return json!({ "step": step, "sample": sample, "score": reply.get("value") });
    }
    let text = reply.get("text").and_then(Value::as_str).unwrap_or_default();
    let mut fields = json!({
        "step": step, "sample": sample, "finish": reply.get("finish"), "usage": reply.get("usage"),
        "logprobs": reply.get("verdict_logprobs"),
    });
    match refinement_at(text, record) {
        Some(place) => fields["same"] = json!(place),
        None => fields["text"] = pieces(text, record).unwrap_or_else(|| json!([text])),
    }
    fields
}

/// A judgment's reply as the words around its two critiques, which are pointed at by criterion and response.
fn pieces(text: &str, record: &PairRecord) -> Option<Value> {
    record.judged()?.trajectories.iter().enumerate().find_map(|(at, trajectory)| {
        let [first, second] = trajectory.judgment.as_ref().ok()?.critiques.each_ref().map(String::as_str);
        if first.is_empty() || second.is_empty() {
            return None;
        }
        let (before, rest) = text.split_once(first)?;
        let (between, after) = rest.split_once(second)?;
        Some(json!([before, [at, 0], between, [at, 1], after]))
    })
}

/// Criterion and response of the refinement that is this very reply, blanks at its ends apart.
fn refinement_at(text: &str, record: &PairRecord) -> Option<[usize; 2]> {
    let (judged, text) = (record.judged()?, text.trim());
    judged.trajectories.iter().enumerate().find_map(|(at, trajectory)| {
        let is_it =
            |side: &usize| trajectory.refinements[*side].as_ref().is_ok_and(|refined| refined.text.trim() == text);
        [0, 1].into_iter().find(is_it).map(|side| [at, side])
    })
}

#[cfg(test)]
mod tests {
    use grm_core::{CriterionSource, Judgment, Prompt, Refinement, Response, ScorerId, Verdict, Votes};

    use super::*;

    fn record() -> PairRecord {
        let number = |value| RewardScore::new(value, ScorerId(1)).unwrap();
        let refinement = |text: &str| Ok(Refinement { text: text.into(), score: Ok(number(2.0)) });
        let critiques = ["too short".to_owned(), "too long".to_owned()];
        let judgment =
            Judgment { preferred: Choice::First, scores: [7, 4], critiques, logprobs: None, votes: Votes::default() };
        let trajectory = Trajectory {
            index: 0,
            criterion: grm_core::Criterion { name: "Length".into(), explanation: "How long?".into() },
            source: CriterionSource::Initial,
            judgment: Ok(judgment),
            refinements: [refinement("yes, four"), refinement("four")],
            meta: Err(Invalid::Upstream),
            ranked_by: grm_core::RankedBy::Refinement,
        };
        let verdict =
            Verdict { decision: Decision::Tie, confidence: None, rule: "vote".into(), votes: Votes::default() };
        let judged = JudgedPair {
            originals: [Ok(number(1.0)), Err(Invalid::MissingRewardScore)],
            trajectories: vec![trajectory],
            verdict,
            tally: grm_judge::Tally::default(),
        };
        let comparison = Comparison {
            id: "sum".into(),
            prompt: Prompt::from_text("2+2?"),
            responses: ["yes", "the answer is four"].map(Response::from_text),
        };
        let outcome = PairOutcome::Judged(Box::new(judged));
        PairRecord { version: 1, comparison, label: Some(Choice::Second), outcome }
    }

    fn chat(text: &str) -> Call {
        Call { kind: "chat".into(), step: "judgment".into(), sample: 0, reply: json!({ "text": text }) }
    }

    #[test]
    fn what_stands_in_the_page_is_not_written_again() {
        let record = record();
        assert_eq!(raw_reply(&chat("four"), &record)["same"], json!([0, 1]));
        let judgment = raw_reply(&chat("A: too short B: too long [[A]]"), &record);
        assert_eq!(judgment["text"], json!(["A: ", [0, 0], " B: ", [0, 1], " [[A]]"]));
        assert_eq!(raw_reply(&chat("something else"), &record)["text"], json!(["something else"]));
    }

    #[test]
    fn a_score_that_is_missing_is_told_by_its_reason() {
        let fields = outcome(&record(), Depth::Whole);
        assert_eq!(fields["scores"], json!([1.0, "a reward score is missing"]));
        assert_eq!(fields["criteria"][0]["meta"], "an earlier step was unusable");
        assert_eq!(fields["verdict"]["said"], "tie");
    }

    #[test]
    fn short_items_keep_numbers_and_leave_out_texts() {
        let criterion = &outcome(&record(), Depth::Short)["criteria"][0];
        assert_eq!(criterion["judgment"]["scores"], json!([7, 4]));
        assert_eq!(criterion["judgment"]["critiques"], Value::Null);
        assert_eq!(criterion["refined"][0], json!({ "score": 2.0, "steps": null }));
    }
}
