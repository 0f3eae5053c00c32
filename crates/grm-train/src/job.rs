//! What a run is before it runs: usable examples, the plan, the schedule.

use std::collections::BTreeMap;

use crate::batching::{Dropped, Fits, Plan, PlannedStep, plan, usable};
use crate::error::{DataError, TrainError};
use crate::fingerprint::fingerprint;
use crate::objective::dpo::DpoSettings;
use crate::objective::{Objective, ObjectiveKind};
use crate::schedule::LearningRate;
use crate::settings::TrainSettings;
use crate::task::{Example, Split, Task};

/// Ids named in an error, at most.
const IDS_MAX: usize = 8;

/// All that stays the same throughout a run.
pub(crate) struct Job<'a> {
    pub(crate) kind: ObjectiveKind,
    pub(crate) objective: Objective,
    pub(crate) examples: Split<Example<'a>>,
    pub(crate) dropped: Dropped,
    pub(crate) dropped_held_out: Dropped,
    pub(crate) plan: Plan,
    pub(crate) rate: LearningRate,
    pub(crate) settings: &'a TrainSettings,
    pub(crate) resolved: BTreeMap<String, String>,
    pub(crate) data: String,
}

impl<'a> Job<'a> {
    pub(crate) fn new(task: &'a Task, settings: &'a TrainSettings) -> Result<Self, TrainError> {
        settings.check()?;
        let (kind, examples) = (task.kind(), task.examples());
        if examples.train.is_empty() {
            return Err(DataError::Empty.into());
        }
        let data = fingerprint(&examples);
        let fits = Fits { cutoff_tokens: settings.cutoff_tokens, targets: kind != ObjectiveKind::BradleyTerry };
        let (train, dropped) = usable(examples.train, "training", &fits)?;
        let (held_out, dropped_held_out) = usable(examples.held_out, "held-out", &fits)?;
        let plan = plan(&lengths(&train), train[0].rows.len(), &settings.batches());
        let base = settings.learning_rate_for(kind);
        Ok(Self {
            kind,
            objective: Objective::new(kind, settings),
            rate: LearningRate::new(settings.schedule, base, settings.warmup_ratio, plan.steps.len()),
            examples: Split { train, held_out },
            dropped,
            dropped_held_out,
            plan,
            settings,
            resolved: settings.resolved(kind),
            data,
        })
    }

    pub(crate) fn steps(&self) -> usize {
        self.plan.steps.len()
    }

    /// Tokens of all rows of a step, without padding.
    pub(crate) fn tokens(&self, step: &PlannedStep) -> u64 {
        let examples = step.micro_batches.iter().flatten();
        examples.map(|&index| self.examples.train[index].tokens() as u64).sum()
    }

    /// The examples of a step by id, cut short.
    pub(crate) fn ids(&self, examples: impl Iterator<Item = usize>) -> String {
        ids(examples.map(|index| self.examples.train[index].id))
    }

    /// The settings of DPO when that is what is trained.
    pub(crate) fn dpo(&self) -> Option<&DpoSettings> {
        match &self.objective {
            Objective::Dpo(settings) => Some(settings),
            Objective::Sft | Objective::BradleyTerry(_) => None,
        }
    }
}

pub(crate) fn lengths(examples: &[Example]) -> Vec<usize> {
    examples.iter().map(Example::longest).collect()
}

pub(crate) fn ids<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = ids.collect();
    let more = if all.len() > IDS_MAX { format!(" and {} more", all.len() - IDS_MAX) } else { String::new() };
    all[..all.len().min(IDS_MAX)].join(", ") + &more
}
