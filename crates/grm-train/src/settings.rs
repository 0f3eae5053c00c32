//! How to train: every dial, and what each is when nobody turns it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};

use crate::batching::{BatchSettings, Order};
use crate::error::SettingsError;
use crate::objective::ObjectiveKind;
use crate::objective::bradley_terry::BradleyTerrySettings;
use crate::objective::dpo::DpoSettings;
use crate::objective::sft::LossNormalisation;
use crate::optimiser::AdamWSettings;
use crate::schedule::Schedule;

/// Settings as written. The default is the paper's Table 6, and LLaMA-Factory's where the paper is silent; the paper's
/// eight devices are made up for by eight times the accumulation, so that a step still sees 128 examples. With a few
/// hundred examples that is too much: a step should see 8 to 32 of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    /// How often every example is seen.
    pub epochs: u32,
    /// Steps, at most; the schedule ends there too.
    pub steps_max: Option<usize>,
    /// Examples in a micro-batch.
    pub batch: usize,
    /// Tokens in a micro-batch with its padding, at most; `None` for no limit but `batch`.
    pub batch_tokens: Option<usize>,
    /// Micro-batches in a step.
    pub accumulation: usize,
    /// Micro-batches worked on at once, each on its share of the cores; 0: one for each core. Changes no number, and
    /// multiplies the memory activations take. On a GPU use 1.
    pub workers: usize,
    /// In which order examples come.
    pub order: Order,
    /// Of the order.
    pub seed: u64,
    /// Tokens in a row; examples with a longer one are dropped and counted.
    pub cutoff_tokens: usize,
    /// Where the schedule starts to fall. `None`: 1e-5, and 1e-6 for DPO, which are for full fine-tuning. LoRA wants more:
    /// about 1e-4 (2e-4 for small ranks), and 5e-6 to 2e-5 for DPO.
    pub learning_rate: Option<f64>,
    /// How it falls.
    pub schedule: Schedule,
    /// Share of the steps in which it rises from 0, rounded up to whole steps.
    pub warmup_ratio: f64,
    /// The optimiser's.
    pub adamw: AdamWSettings,
    /// Longest L2 norm of the gradients of a step; 0 for no limit.
    pub gradient_norm_max: f64,
    /// What the loss is divided by.
    pub normalisation: LossNormalisation,
    /// DPO's.
    pub dpo: DpoSettings,
    /// Bradley–Terry's.
    pub bradley_terry: BradleyTerrySettings,
    /// Steps between evaluations on the held-out examples; 0: at the end only.
    pub evaluation_steps: usize,
    /// Steps between checkpoints; 0: at the end only. There is one at the end, and one whenever an evaluation is the best
    /// so far.
    pub checkpoint_steps: usize,
    /// How many of the latest checkpoints stay, beside the best.
    pub checkpoints_kept: usize,
    /// Which parameters the network has after training.
    pub finish_with: Finish,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            epochs: 1,
            steps_max: None,
            batch: 2,
            batch_tokens: None,
            accumulation: 64,
            workers: 0,
            order: Order::Bucketed,
            seed: 42,
            cutoff_tokens: 4096,
            learning_rate: None,
            schedule: Schedule::Cosine,
            warmup_ratio: 0.1,
            adamw: AdamWSettings::default(),
            gradient_norm_max: 1.0,
            normalisation: LossNormalisation::MicrobatchMean,
            dpo: DpoSettings::default(),
            bradley_terry: BradleyTerrySettings::default(),
            evaluation_steps: 0,
            checkpoint_steps: 50,
            checkpoints_kept: 2,
            finish_with: Finish::Last,
        }
    }
}

/// Which parameters the network has after training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// Those after the last step.
    #[default]
    Last,
    /// Those with the lowest loss on the held-out examples; the last without any.
    Best,
}

impl TrainSettings {
    /// The learning rate, chosen for the objective where it is not set.
    #[must_use]
    pub fn learning_rate_for(&self, kind: ObjectiveKind) -> f64 {
        self.learning_rate.unwrap_or(match kind {
            ObjectiveKind::Sft | ObjectiveKind::BradleyTerry => 1e-5,
            ObjectiveKind::Dpo => 1e-6,
        })
    }

    /// Every value that bears on `kind`, by dotted name, defaults filled in: for printing, and for telling runs apart.
    #[must_use]
    pub fn resolved(&self, kind: ObjectiveKind) -> BTreeMap<String, String> {
        let settings = Self { learning_rate: Some(self.learning_rate_for(kind)), ..self.clone() };
        let mut lines = BTreeMap::from([("objective".to_owned(), kind.name().to_owned())]);
        flatten("", &serde_json::to_value(settings).expect("settings are numbers and words"), &mut lines);
        let others = [ObjectiveKind::Dpo, ObjectiveKind::BradleyTerry].into_iter().filter(|other| *other != kind);
        for other in others {
            lines.retain(|name, _| !name.starts_with(&format!("{}.", other.name())));
        }
        lines
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`SettingsError`] names the first such setting.
    pub fn check(&self) -> Result<(), SettingsError> {
        let rate = self.learning_rate.unwrap_or(1.0);
        let AdamWSettings { beta1, beta2, epsilon, weight_decay, .. } = self.adamw;
        let finite = |value: f64| value.is_finite() && value >= 0.0;
        let checks = [
            (self.epochs > 0, "epochs", "at least 1"),
            (self.steps_max != Some(0), "steps_max", "at least 1"),
            (self.batch > 0, "batch", "at least 1"),
            (self.batch_tokens != Some(0), "batch_tokens", "at least 1"),
            (self.accumulation > 0, "accumulation", "at least 1"),
            (self.cutoff_tokens > 0, "cutoff_tokens", "at least 1"),
            (rate.is_finite() && rate > 0.0, "learning_rate", "above 0"),
            ((0.0..=1.0).contains(&self.warmup_ratio), "warmup_ratio", "from 0 to 1"),
            ((0.0..1.0).contains(&beta1), "adamw.beta1", "from 0 to below 1"),
            ((0.0..1.0).contains(&beta2), "adamw.beta2", "from 0 to below 1"),
            (epsilon.is_finite() && epsilon > 0.0, "adamw.epsilon", "above 0"),
            (finite(weight_decay), "adamw.weight_decay", "0 or above"),
            (finite(self.gradient_norm_max), "gradient_norm_max", "0 or above"),
            (self.dpo.beta.is_finite() && self.dpo.beta > 0.0, "dpo.beta", "above 0"),
            ((0.0..0.5).contains(&self.dpo.label_smoothing), "dpo.label_smoothing", "from 0 to below 0.5"),
            (finite(self.dpo.sft_mix), "dpo.sft_mix", "0 or above"),
            (finite(self.bradley_terry.centring), "bradley_terry.centring", "0 or above"),
            (self.checkpoints_kept > 0, "checkpoints_kept", "at least 1"),
        ];
        match checks.into_iter().find(|(good, ..)| !good) {
            None => Ok(()),
            Some((_, setting, expected)) => Err(SettingsError { setting, expected }),
        }
    }

    pub(crate) fn batches(&self) -> BatchSettings {
        BatchSettings {
            batch: self.batch,
            batch_tokens: self.batch_tokens,
            accumulation: self.accumulation,
            order: self.order,
            seed: self.seed,
            epochs: self.epochs,
            steps_max: self.steps_max,
        }
    }
}

fn flatten(name: &str, value: &Json, lines: &mut BTreeMap<String, String>) {
    match value {
        Json::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, lines);
            }
        }
        Json::String(word) => drop(lines.insert(name.to_owned(), word.clone())),
        Json::Null => drop(lines.insert(name.to_owned(), "none".to_owned())),
        Json::Number(number) => drop(lines.insert(name.to_owned(), written(number))),
        Json::Bool(_) | Json::Array(_) => drop(lines.insert(name.to_owned(), value.to_string())),
    }
}

/// As a person would: 1e-6, not 0.000001.
fn written(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(fraction) => format!("{fraction:?}"),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_table_6() {
        let settings = TrainSettings::default();
        assert_eq!(settings.batch * settings.accumulation, 128);
        let lines = settings.resolved(ObjectiveKind::Dpo);
        let expected = [
            ("objective", "dpo"),
            ("learning_rate", "1e-6"),
            ("warmup_ratio", "0.1"),
            ("schedule", "cosine"),
            ("cutoff_tokens", "4096"),
            ("dpo.beta", "0.1"),
            ("adamw.weight_decay", "0.0"),
            ("steps_max", "none"),
        ];
        for (name, value) in expected {
            assert_eq!(lines[name], value, "{name}");
        }
        assert!(!lines.contains_key("bradley_terry.centring"));
        assert_eq!(settings.resolved(ObjectiveKind::Sft)["learning_rate"], "1e-5");
        settings.check().unwrap();
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_refused() {
        assert!(serde_json::from_str::<TrainSettings>(r#"{"epoch": 3}"#).is_err());
        let some = serde_json::from_str::<TrainSettings>(r#"{"epochs": 3, "dpo": {"beta": 0.5}}"#).unwrap();
        assert_eq!((some.epochs, some.dpo.beta, some.batch), (3, 0.5, 2));
        let error = TrainSettings { learning_rate: Some(f64::NAN), ..TrainSettings::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "the setting learning_rate must be above 0; change it and run again");
    }
}
