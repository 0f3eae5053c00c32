//! The trainer's own log, in the form of ours: `metrics.jsonl` and `report.html`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use grm_train::{Record, Report, render_report};
use serde_json::{Map, Value};

use super::error::ImportError;

const STATE: &str = "trainer_state.json";
const LOG: &str = "trainer_log.jsonl";

/// Steps of a training, as far as they were logged.
#[derive(Debug)]
pub(super) struct TrainingLog {
    pub(super) path: PathBuf,
    pub(super) records: Vec<Record>,
}

impl TrainingLog {
    /// Reads `trainer_state.json` (all engines), else `trainer_log.jsonl` (LLaMA-Factory); neither is an empty log.
    pub(super) fn read(folder: &Path) -> Result<Self, ImportError> {
        let (state, log) = (folder.join(STATE), folder.join(LOG));
        let (path, lines) = if state.is_file() {
            let value: Value = parse(&state, &text(&state)?)?;
            let history = value["log_history"].as_array().cloned();
            (state.clone(), history.ok_or_else(|| ImportError::damaged(&state, "it has no `log_history`"))?)
        } else if log.is_file() {
            let text = text(&log)?;
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let lines = lines.map(|line| parse(&log, line)).collect::<Result<_, _>>()?;
            (log, lines)
        } else {
            (state, Vec::new())
        };
        // A resumed run logs some steps again: the later line counts.
        let records: BTreeMap<(usize, bool), Record> =
            lines.iter().filter_map(record).map(|record| ((record.step, record.is_evaluation()), record)).collect();
        Ok(Self { path, records: records.into_values().collect() })
    }

    /// The last step, if anything was logged.
    pub(super) fn steps(&self) -> Option<usize> {
        self.records.last().map(|record| record.step)
    }

    pub(super) fn write(&self, place: &Path) -> Result<(), ImportError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let lines: String = self.records.iter().map(Record::line).collect();
        let settings = BTreeMap::new();
        let facts = [("Steps".to_owned(), self.steps().unwrap_or(0).to_string())];
        let report =
            Report { title: "An imported training", facts: &facts, settings: &settings, records: &self.records };
        for (name, text) in [("metrics.jsonl", lines), ("report.html", render_report(&report))] {
            let path = place.join(name);
            std::fs::write(&path, text).map_err(|source| ImportError::io(&path, source))?;
        }
        Ok(())
    }
}

fn text(path: &Path) -> Result<String, ImportError> {
    std::fs::read_to_string(path).map_err(|source| ImportError::io(path, source))
}

fn parse(path: &Path, text: &str) -> Result<Value, ImportError> {
    serde_json::from_str(text).map_err(|error| ImportError::damaged(path, error.to_string()))
}

/// A step or an evaluation; summaries of a whole run are passed over.
fn record(line: &Value) -> Option<Record> {
    let line = line.as_object()?;
    let step = number(line, "step").or_else(|| number(line, "current_steps"))?;
    let values: BTreeMap<String, f64> = line
        .iter()
        .filter(|(name, _)| !BESIDE.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((ours(name).to_owned(), value.as_f64()?)))
        .collect();
    let is_record = values.contains_key("loss") || values.contains_key("eval_loss");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "steps are small whole numbers")]
    is_record.then(|| Record { step: step as usize, epoch: number(line, "epoch").unwrap_or(0.0), values })
}

/// What is no measurement of a step.
const BESIDE: [&str; 5] = ["step", "current_steps", "epoch", "total_steps", "percentage"];

/// LLaMA-Factory's short names in its own log.
fn ours(name: &str) -> &str {
    match name {
        "lr" => "learning_rate",
        "accuracy" => "rewards/accuracies",
        other => other,
    }
}

fn number(line: &Map<String, Value>, name: &str) -> Option<f64> {
    line.get(name)?.as_f64()
}
