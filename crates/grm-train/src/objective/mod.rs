//! What is minimised: one file an objective, each a function from outputs to a loss and its derivatives.
//!
//! A *term* is what the loss is a mean of: a target token for SFT, a pair for DPO and Bradley–Terry. Every function here
//! gets the weight of one term in the whole optimiser step, so the losses of micro-batches add up to the step's loss.

pub mod bradley_terry;
pub mod dpo;
pub mod sft;

use std::collections::BTreeMap;

use grm_model::Outputs;
use serde::{Deserialize, Serialize};

use crate::settings::TrainSettings;
use crate::task::Example;
use bradley_terry::BradleyTerrySettings;
use dpo::{DpoSettings, PairLogProbabilities};

/// Which objective, without its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveKind {
    /// Cross-entropy on the targets.
    Sft,
    /// Direct preference optimisation.
    Dpo,
    /// Rewards from pairs.
    BradleyTerry,
}

impl ObjectiveKind {
    /// As files and messages write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Dpo => "dpo",
            Self::BradleyTerry => "bradley_terry",
        }
    }
}

/// The loss of a micro-batch, already weighted, with its derivative by every output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Value {
    /// Sum over the terms of weight × loss.
    pub loss: f64,
    /// In the shape of the outputs.
    pub derivatives: Outputs,
    /// Unweighted.
    pub metrics: Metrics,
}

/// Means under the names TRL logs them by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    sums: BTreeMap<&'static str, (f64, u64)>,
}

impl Metrics {
    /// Counts one value.
    pub fn add(&mut self, name: &'static str, value: f64) {
        let (sum, count) = self.sums.entry(name).or_default();
        *sum += value;
        *count += 1;
    }

    /// Counts all of another's values.
    pub fn merge(&mut self, other: &Self) {
        for (name, (sum, count)) in &other.sums {
            let into = self.sums.entry(name).or_default();
            into.0 += sum;
            into.1 += count;
        }
    }

    /// The means by name.
    #[must_use]
    pub fn means(&self) -> BTreeMap<String, f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of examples are far below 2^52")]
        let mean = |(name, (sum, count)): (&&'static str, &(f64, u64))| ((*name).to_owned(), sum / *count as f64);
        self.sums.iter().map(mean).collect()
    }
}

/// A network that answers with something other than the objective asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{objective} needs {expected} outputs for row {row}, the network gave {given}: \
     SFT and DPO train a language model, Bradley–Terry a reward network; load the model for this objective"
)]
pub struct WrongOutputs {
    /// [`ObjectiveKind::name`].
    pub objective: &'static str,
    /// Index in the micro-batch.
    pub row: usize,
    /// Outputs expected.
    pub expected: usize,
    /// Outputs given; 0 for a row that is missing.
    pub given: usize,
}

/// An objective with its settings, as the loop sees it.
#[derive(Debug, Clone)]
pub(crate) enum Objective {
    Sft,
    Dpo(DpoSettings),
    BradleyTerry(BradleyTerrySettings),
}

impl Objective {
    pub(crate) fn new(kind: ObjectiveKind, settings: &TrainSettings) -> Self {
        match kind {
            ObjectiveKind::Sft => Self::Sft,
            ObjectiveKind::Dpo => Self::Dpo(settings.dpo.clone()),
            ObjectiveKind::BradleyTerry => Self::BradleyTerry(settings.bradley_terry.clone()),
        }
    }

    fn kind(&self) -> ObjectiveKind {
        match self {
            Self::Sft => ObjectiveKind::Sft,
            Self::Dpo(_) => ObjectiveKind::Dpo,
            Self::BradleyTerry(_) => ObjectiveKind::BradleyTerry,
        }
    }

    /// How many terms an example adds to the mean.
    pub(crate) fn terms(&self, example: &Example) -> usize {
        match self {
            Self::Sft => example.rows.iter().map(|row| row.target_count()).sum(),
            Self::Dpo(_) | Self::BradleyTerry(_) => 1,
        }
    }

    /// `reference` has an entry for each pair where the objective is DPO, and is not looked at otherwise.
    pub(crate) fn value(
        &self,
        examples: &[&Example],
        outputs: &Outputs,
        reference: &[PairLogProbabilities],
        weight: f64,
    ) -> Result<Value, WrongOutputs> {
        self.check(examples, outputs)?;
        Ok(match self {
            Self::Sft => sft::value(outputs, weight),
            Self::Dpo(settings) => dpo::value(outputs, reference, settings, weight),
            Self::BradleyTerry(settings) => {
                let margins: Vec<f64> = examples.iter().map(|example| example.margin).collect();
                bradley_terry::value(outputs, &margins, settings, weight)
            }
        })
    }

    /// Refuses outputs that are not one list a row of the length this objective reads.
    pub(crate) fn check(&self, examples: &[&Example], outputs: &Outputs) -> Result<(), WrongOutputs> {
        let sides = examples.first().map_or(0, |example| example.rows.len());
        let rows = (0..sides).flat_map(|side| examples.iter().map(move |example| example.rows[side]));
        for (row, tokens) in rows.enumerate() {
            let expected = match self {
                Self::Sft | Self::Dpo(_) => tokens.target_count(),
                Self::BradleyTerry(_) => 1,
            };
            let given = outputs.get(row).map_or(0, Vec::len);
            if given != expected {
                return Err(WrongOutputs { objective: self.kind().name(), row, expected, given });
            }
        }
        Ok(())
    }
}

/// log σ(x) without overflow on either side.
fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// σ(x).
fn sigmoid(x: f64) -> f64 {
    log_sigmoid(x).exp()
}

#[expect(clippy::cast_possible_truncation, reason = "networks take derivatives in f32")]
fn derivative(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Compares every derivative with a central difference of the loss. The step is 2⁻⁶, exact in f32; the error of the
    /// difference is of its square.
    pub(crate) fn check_derivatives(outputs: &Outputs, value: impl Fn(&Outputs) -> Value) {
        let step = 2f32.powi(-6);
        let analytic = value(outputs).derivatives;
        for row in 0..outputs.len() {
            for column in 0..outputs[row].len() {
                let moved = |by: f32| {
                    let mut moved = outputs.clone();
                    moved[row][column] += by;
                    (value(&moved).loss, f64::from(moved[row][column]))
                };
                let ((after, right), (before, left)) = (moved(step), moved(-step));
                let numeric = (after - before) / (right - left);
                let given = f64::from(analytic[row][column]);
                let near = (numeric - given).abs() <= 2e-4 * (1.0 + given.abs());
                assert!(near, "row {row} column {column}: {given} given, {numeric} measured");
            }
        }
    }

    #[test]
    fn log_sigmoid_stays_finite_far_out() {
        assert!((log_sigmoid(0.0) + std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!(log_sigmoid(-1e4), -1e4);
        assert_eq!(log_sigmoid(1e4), 0.0);
        assert!((sigmoid(-2.0) + sigmoid(2.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn metrics_are_means_over_all_merged_values() {
        let mut left = Metrics::default();
        left.add("margin", 1.0);
        left.add("margin", 2.0);
        let mut right = Metrics::default();
        right.add("margin", 6.0);
        left.merge(&right);
        assert_eq!(left.means()["margin"], 3.0);
    }
}
