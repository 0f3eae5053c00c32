//! `grm synthesize --form verdict`: labelled pairs in, SFT and DPO data with the verdict alone out; no model is asked.

use std::time::Instant;

use grm_core::{Choice, Preference};
use grm_data::{DpoRecord, JsonlWriter, Record, SftRecord};
use grm_judge::{Prompts, VerdictExamples};
use serde::Serialize;

use super::{judge, print};
use crate::{
    assemble,
    exit::Exit,
    metrics::Metrics,
    pairs::{self, Skipped},
    recipe::Recipe,
    run::{Input, Run, RunModels, pretty},
};

/// Why a pair gave no example; the words of the counts.
const UNLABELLED: &str = "the record has no label, and the verdict form is made of labels";

/// What came of all pairs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
struct Counts {
    /// SFT records, and as many DPO records.
    records: u64,
    /// Of those, where the response shown as A is right.
    a_right: u64,
    /// And as B.
    b_right: u64,
}

/// Writes `sft.jsonl` and `dpo.jsonl` of an open run and reports.
pub(crate) fn synthesize(run: &Run, json: bool) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let (counts, metrics) = write_examples(run)?;
    run.write("metrics.json", &pretty(&metrics)?)?;
    run.write_manifest(&RunModels::default(), true)?;
    if json {
        let left_out = &metrics.skipped;
        print(&format!(
            "{}\n",
            serde_json::json!({ "version": 1, "run": run.folder, "examples": counts, "left_out": left_out })
        ))?;
    } else {
        print(&summary(run, &counts, &metrics, started.elapsed().as_secs_f64()))?;
    }
    Ok(judge::exit(run, &metrics))
}

/// Counts what a run would write.
pub(crate) fn dry_run(recipe: &Recipe, input: &Input<'_>) -> anyhow::Result<Exit> {
    let Input::File(path) = input else { return Ok(Exit::Done) };
    let mut pairs = 0_u64;
    for record in recipe.records(path)? {
        match record {
            Err(error) if !error.is_skippable() => return Err(error.into()),
            Ok(Record::Labelled(_)) => pairs += 1,
            Ok(Record::Unlabelled(_)) | Err(_) => {}
        }
    }
    let records = if recipe.judge.both_orders { 2 * pairs } else { pairs };
    print(&format!("{pairs} labelled pairs: {records} SFT and {records} DPO records; no model is asked\n"))?;
    Ok(Exit::Done)
}

fn write_examples(run: &Run) -> anyhow::Result<(Counts, Metrics)> {
    let prompts = assemble::prompts(&run.recipe)?;
    let mut sft = JsonlWriter::<SftRecord>::create(&run.folder.join("sft.jsonl"))?;
    let mut dpo = JsonlWriter::<DpoRecord>::create(&run.folder.join("dpo.jsonl"))?;
    let (mut counts, mut metrics, unread) = (Counts::default(), Metrics::default(), Skipped::default());
    for record in pairs::read(run, &unread)? {
        match examples(&prompts, record?, run.recipe.judge.both_orders) {
            Ok(made) => {
                metrics.pairs += 1;
                for (label, sft_record, dpo_record) in made {
                    counts.add(label);
                    sft.write(&sft_record)?;
                    dpo.write(&dpo_record)?;
                }
            }
            Err(reason) => *metrics.skipped.entry(reason.to_owned()).or_default() += 1,
        }
    }
    sft.commit()?;
    dpo.commit()?;
    metrics.version = 1;
    for (problem, count) in pairs::taken(&unread) {
        *metrics.skipped.entry(problem).or_default() += count;
    }
    Ok((counts, metrics))
}

/// The right verdict's letter, and the two records that hold it.
type Made = (Choice, SftRecord, DpoRecord);

/// The records of one pair, shown as it is or both ways round, or why there are none.
fn examples(prompts: &Prompts, record: Record, both_orders: bool) -> Result<Vec<Made>, &'static str> {
    let Record::Labelled(preference) = record else { return Err(UNLABELLED) };
    let other = both_orders.then(|| preference.swapped());
    Ok(std::iter::once(preference).chain(other).map(|shown| made(prompts, &shown)).collect())
}

fn made(prompts: &Prompts, shown: &Preference) -> Made {
    let VerdictExamples { sft, dpo } = VerdictExamples::of(prompts, shown);
    (shown.label, SftRecord::from(&sft), DpoRecord::from(&dpo))
}

impl Counts {
    fn add(&mut self, label: Choice) {
        self.records += 1;
        match label {
            Choice::First => self.a_right += 1,
            Choice::Second => self.b_right += 1,
        }
    }
}

fn summary(run: &Run, counts: &Counts, metrics: &Metrics, seconds: f64) -> String {
    use std::fmt::Write as _;
    let Counts { records, a_right, b_right } = counts;
    let mut text = format!(
        "{} in {seconds:.1} s: {records} SFT and {records} DPO records; A right in {a_right}, B in {b_right}; no model was asked\n",
        judge::pairs(metrics.pairs)
    );
    for (problem, count) in &metrics.skipped {
        let _ = writeln!(text, "  left out: {count} × {problem}");
    }
    let _ = writeln!(text, "files: {0}/sft.jsonl  {0}/dpo.jsonl", run.folder.display());
    text
}

#[cfg(test)]
mod tests {
    use grm_core::{Comparison, MediaRef, Part, Prompt, Response};

    use super::*;

    fn record(second: Part) -> Record {
        let responses = [Response::from_text("Eight."), Response { parts: vec![second] }];
        let comparison = Comparison { id: "p".into(), prompt: Prompt::from_text("How many legs?"), responses };
        Record::Labelled(Preference { comparison, label: Choice::Second })
    }

    #[test]
    fn a_pair_with_media_keeps_them_and_one_without_a_label_gives_nothing_and_says_why() {
        let prompts = Prompts::builtin();
        let made = examples(&prompts, record(Part::text("Six.")), false).unwrap();
        let [(label, sft, dpo)] = made.as_slice() else { panic!("one record, not {}", made.len()) };
        assert_eq!((*label, sft.target(), dpo.rejected[0].content.text()), (Choice::Second, "[[B]]", Some("[[A]]")));
        let media = MediaRef { sha256: "00".into(), path: "spider.png".into() };
        let made = examples(&prompts, record(Part::Image { media: media.clone() }), false).unwrap();
        let shown = made[0].1.prompt().iter().flat_map(|message| message.content.parts().into_owned());
        assert_eq!(shown.filter(|part| *part == Part::Image { media: media.clone() }).count(), 1);
        let unlabelled = Record::Unlabelled(record(Part::text("Six.")).comparison().clone());
        assert_eq!(examples(&prompts, unlabelled, false), Err(UNLABELLED));
    }

    #[test]
    fn both_orders_give_each_letter_once() {
        let made = examples(&Prompts::builtin(), record(Part::text("Six.")), true).unwrap();
        let right: Vec<&str> = made.iter().map(|(_, sft, _)| sft.target()).collect();
        assert_eq!(right, ["[[B]]", "[[A]]"]);
        assert_ne!(made[0].1.messages, made[1].1.messages, "the responses change places");
    }
}
