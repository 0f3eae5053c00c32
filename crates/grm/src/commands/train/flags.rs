//! From flags and a settings file to checked settings.

use anyhow::{Context, bail};
use grm_model::{Checkpointing, Execution, LoraConfig};
use grm_train::{ObjectiveKind, TrainSettings};

use crate::cli::{NativeTraining, Switch};

/// The settings file, flags on top, LoRA's own learning rate where none is given.
pub(super) fn settings(flags: &NativeTraining, kind: ObjectiveKind) -> anyhow::Result<TrainSettings> {
    let mut settings = match &flags.settings {
        None => TrainSettings::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
            toml::from_str(&text).with_context(|| format!("{} is not a settings file", path.display()))?
        }
    };
    macro_rules! over {
        ($($flag:ident => $field:expr),* $(,)?) => { $(if let Some(value) = flags.$flag { $field = value; })* };
    }
    over! {
        epochs => settings.epochs, batch => settings.batch, accumulation => settings.accumulation,
        seed => settings.seed, cutoff => settings.cutoff_tokens, checkpoint_steps => settings.checkpoint_steps,
        evaluation_steps => settings.evaluation_steps, workers => settings.workers, beta => settings.dpo.beta,
    }
    settings.learning_rate = flags.learning_rate.or(settings.learning_rate);
    settings.steps_max = flags.steps_max.or(settings.steps_max);
    if settings.learning_rate.is_none() && !flags.full {
        settings.learning_rate = Some(lora_rate(kind));
    }
    settings.check()?;
    Ok(settings)
}

/// LoRA wants about ten times the rate of full fine-tuning.
fn lora_rate(kind: ObjectiveKind) -> f64 {
    match kind {
        ObjectiveKind::Sft | ObjectiveKind::BradleyTerry => 2e-4,
        ObjectiveKind::Dpo => 2e-5,
    }
}

/// The adapter asked for; `None` for full fine-tuning.
pub(super) fn lora(flags: &NativeTraining) -> anyhow::Result<Option<LoraConfig>> {
    if flags.full {
        if flags.rank.is_some() || flags.alpha.is_some() || !flags.targets.is_empty() {
            bail!("--full trains every weight: leave out --rank, --alpha and --targets");
        }
        return Ok(None);
    }
    let mut lora = LoraConfig { seed: flags.seed.unwrap_or_default(), ..LoraConfig::default() };
    lora.rank = flags.rank.unwrap_or(lora.rank);
    #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
    let twice = 2.0 * lora.rank as f32;
    lora.alpha = flags.alpha.unwrap_or(twice);
    if !flags.targets.is_empty() {
        lora.targets.clone_from(&flags.targets);
    }
    Ok(Some(lora))
}

/// How the network computes.
pub(super) fn execution(flags: &NativeTraining) -> Execution {
    let checkpointing = match flags.gradient_checkpointing {
        Switch::On => Checkpointing::On,
        Switch::Off => Checkpointing::Off,
    };
    Execution { packed: true, checkpointing }
}
