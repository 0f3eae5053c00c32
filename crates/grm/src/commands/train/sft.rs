//! `grm train sft`

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;
use grm_core::Form;
use grm_data::{SftRecord, examples};
use grm_train::{ObjectiveKind, SftRow, Split, Task, train};

use super::{flags, results::Results, student::Student, watch::Watch};
use crate::{cli::TrainSft, exit::Exit};

/// Trains a student on sft.jsonl.
pub(super) fn run(flags: &TrainSft) -> anyhow::Result<Exit> {
    let settings = flags::settings(&flags.native, ObjectiveKind::Sft)?;
    let student = Student::find(&flags.native, &[&flags.data[..], flags.eval.as_slice()].concat())?;
    let mut counts = BTreeMap::new();
    let train_rows = rows(&student, &flags.data, flags.native.limit, &mut counts)?;
    let held_out = rows(&student, flags.eval.as_slice(), flags.native.limit, &mut BTreeMap::new())?;
    let task = Task::Sft(Split { train: train_rows, held_out });
    let (mut network, lora) = student.causal(&flags.native)?;
    let outcome = train(&mut network, &task, &settings, &flags.native.out, &mut Watch::new())?;
    let results = Results { student: &student, settings: &settings, outcome: &outcome, data: &flags.data, counts };
    results.write_causal(&network, lora.as_ref(), ObjectiveKind::Sft, &flags.native)
}

fn rows(
    student: &Student,
    files: &[PathBuf],
    limit: Option<u64>,
    counts: &mut BTreeMap<String, u64>,
) -> anyhow::Result<Vec<SftRow>> {
    let mut rows = Vec::new();
    for file in files {
        for (index, record) in examples::read::<SftRecord>(file)?.enumerate() {
            if limit.is_some_and(|limit| index as u64 >= limit) {
                break;
            }
            let record = record?;
            let place = || format!("{}, record {} (pair {})", file.display(), index + 1, record.pair);
            let row = student.row(record.prompt(), record.target()).with_context(place)?;
            let form = match record.form {
                Form::Thinking => "thinking records",
                Form::NonThinking => "non-thinking records",
            };
            *counts.entry(form.to_owned()).or_default() += 1;
            rows.push(SftRow { id: format!("{}#{index}", record.pair), row });
        }
    }
    Ok(rows)
}
