//! `grm train bt`: a Bradley–Terry reward model, adapter and head together.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use grm_data::examples::TextMessage;
use grm_local::{Head, TextForm};
use grm_model::{Pooling, RewardModel};
use grm_train::{ObjectiveKind, RewardPair, Split, Task, train};

use super::{
    flags,
    frozen::{self, Labelled},
    results::{HeldOut, Results},
    student::Student,
    watch::Watch,
};
use crate::{cli::TrainBradleyTerry, exit::Exit};

/// Trains a reward model on labelled pairs.
pub(super) fn run(flags: &TrainBradleyTerry) -> anyhow::Result<Exit> {
    let settings = flags::settings(&flags.native, ObjectiveKind::BradleyTerry)?;
    let student = Student::find(&flags.native, &flags.data)?;
    let limit = flags.native.limit;
    let train_pairs = rows(&student, &frozen::read_all(&flags.data, limit)?)?;
    let counts = BTreeMap::from([("pairs".to_owned(), train_pairs.len() as u64)]);
    let held_out = match &flags.eval {
        None => Vec::new(),
        Some(path) => frozen::read_held_out(path, &flags.eval_prompt, limit)?,
    };
    let task = Task::BradleyTerry(Split { train: train_pairs, held_out: rows(&student, &held_out)? });
    let (mut network, lora) = student.reward(&flags.native)?;
    if let Some(form) = &flags.form {
        network.set_pooling(pooling(form)?);
    }
    if let Some(path) = &flags.head {
        start_from(&mut network, &student, path)?;
    }
    let outcome = train(&mut network, &task, &settings, &flags.native.out, &mut Watch::new())?;
    let results = Results { student: &student, settings: &settings, outcome: &outcome, data: &flags.data, counts };
    let held_out = HeldOut::of(&outcome, &held_out);
    results.write_reward(&network, lora.as_ref(), held_out.as_ref(), flags)
}

/// Rows of every pair; one that is no conversation is an error with its place.
fn rows(student: &Student, pairs: &[Labelled]) -> anyhow::Result<Vec<RewardPair>> {
    let row = |pair: &Labelled| {
        let turn = |turn: &grm_core::Turn| TextMessage { role: turn.role, content: turn.joined_text().into() };
        let prompt: Vec<TextMessage> = pair.prompt.turns.iter().map(turn).collect();
        let [chosen, rejected] = pair.responses.each_ref().map(|response| {
            student.scored_row(&prompt, &response.joined_text()).with_context(|| format!("pair {}", pair.id))
        });
        Ok(RewardPair { id: pair.id.to_string(), chosen: chosen?, rejected: rejected?, margin: 0.0 })
    };
    pairs.iter().map(row).collect()
}

/// The forms that can be trained through, by name.
fn pooling(form: &str) -> anyhow::Result<Pooling> {
    match TextForm::from_name(form) {
        Some(TextForm::ChatLast) => Ok(Pooling::Last),
        Some(TextForm::ChatBoth) => Ok(Pooling::LastAndMean),
        _ => bail!("no adapter can be trained under the form {form:?}; give chat-last-1 or chat-last-mean-1"),
    }
}

/// A head fitted on the same model's frozen states (linear probing, then fine-tuning: Kumar et al. 2022).
fn start_from(network: &mut RewardModel, student: &Student, path: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let head = Head::read(&bytes).with_context(|| path.display().to_string())?;
    let pooling = pooling(head.form.name()).with_context(|| path.display().to_string())?;
    if student.sha256.as_deref() != Some(head.base_sha256.as_str()) {
        bail!("{} was fitted on another model, {}; train that one", path.display(), head.base);
    }
    network.set_pooling(pooling);
    network.set_head(&head.weights, None);
    Ok(())
}
