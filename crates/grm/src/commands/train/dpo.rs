//! `grm train dpo`

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;
use grm_data::{
    DpoRecord,
    examples::{self, TextMessage},
};
use grm_train::{DpoPair, ObjectiveKind, Split, Task, train};

use super::{flags, results::Results, student::Student, watch::Watch};
use crate::{cli::TrainDpo, exit::Exit};

/// Trains a student on dpo.jsonl; the reference is the student as it starts.
pub(super) fn run(flags: &TrainDpo) -> anyhow::Result<Exit> {
    let settings = flags::settings(&flags.native, ObjectiveKind::Dpo)?;
    let student = Student::find(&flags.native, &[&flags.data[..], flags.eval.as_slice()].concat())?;
    let train_pairs = pairs(&student, &flags.data, flags.native.limit)?;
    let held_out = pairs(&student, flags.eval.as_slice(), flags.native.limit)?;
    let counts = BTreeMap::from([("pairs".to_owned(), train_pairs.len() as u64)]);
    let task = Task::Dpo(Split { train: train_pairs, held_out });
    let (mut network, lora) = student.causal(&flags.native)?;
    let outcome = train(&mut network, &task, &settings, &flags.native.out, &mut Watch::new())?;
    let results = Results { student: &student, settings: &settings, outcome: &outcome, data: &flags.data, counts };
    results.write_causal(&network, lora.as_ref(), ObjectiveKind::Dpo, &flags.native)
}

fn pairs(student: &Student, files: &[PathBuf], limit: Option<u64>) -> anyhow::Result<Vec<DpoPair>> {
    let mut pairs = Vec::new();
    for file in files {
        for (index, record) in examples::read::<DpoRecord>(file)?.enumerate() {
            if limit.is_some_and(|limit| index as u64 >= limit) {
                break;
            }
            let record = record?;
            let place = || format!("{}, record {} (pair {})", file.display(), index + 1, record.pair);
            let row = |reply: &[TextMessage]| {
                let text = reply.first().and_then(|message| message.content.text()).unwrap_or_default();
                student.row(&record.prompt, text).with_context(place)
            };
            let (chosen, rejected) = (row(&record.chosen)?, row(&record.rejected)?);
            pairs.push(DpoPair { id: format!("{}#{index}", record.pair), chosen, rejected });
        }
    }
    Ok(pairs)
}
