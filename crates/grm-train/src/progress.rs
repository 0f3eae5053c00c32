//! What a run tells whoever watches it. Nothing here reaches a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::batching::Dropped;

/// Watches a run; every method does nothing unless written.
pub trait Progress {
    /// Before the first step, or before going on.
    fn started(&mut self, _start: &Start) {}

    /// While the reference's log-probabilities are computed: pairs done, of all.
    fn referenced(&mut self, _done: usize, _of: usize) {}

    /// After each step.
    fn stepped(&mut self, _step: &StepReport) {}

    /// After each evaluation: metrics by name, `eval_loss` among them, and whether the loss is the lowest so far.
    fn evaluated(&mut self, _step: usize, _metrics: &BTreeMap<String, f64>, _best: bool) {}

    /// After each checkpoint.
    fn saved(&mut self, _folder: &Path) {}

    /// Something worth a line, such as a damaged checkpoint that is passed over.
    fn noted(&mut self, _note: &str) {}

    /// Asked after each step: `true` writes a checkpoint and ends the run there, to be resumed.
    fn stop(&mut self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// What a run is about to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Steps in all.
    pub steps: usize,
    /// Steps done before, when going on with a run.
    pub resumed_from: Option<usize>,
    /// Trainable values.
    pub parameters: usize,
    /// Examples trained on.
    pub examples: usize,
    /// Examples held out.
    pub held_out: usize,
    /// What was left out of the training examples.
    pub dropped: Dropped,
    /// What was left out of the held-out examples.
    pub dropped_held_out: Dropped,
    /// Every setting.
    pub settings: BTreeMap<String, String>,
}

/// One step, done.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Counted from 1.
    pub step: usize,
    /// Steps in all.
    pub of: usize,
    /// Epochs done.
    pub epoch: f64,
    /// What was minimised.
    pub loss: f64,
    /// What the step was multiplied with.
    pub learning_rate: f64,
    /// Of the gradients, before clipping.
    pub gradient_norm: f64,
    /// The objective's, by TRL's names.
    pub metrics: BTreeMap<String, f64>,
    /// Tokens without padding, since this process began.
    pub tokens_per_second: f64,
    /// At that speed.
    pub remaining: Duration,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// All steps are done.
    Complete,
    /// [`Progress::stop`] said so; running again goes on.
    Stopped,
}
