//! Pairs through the pipeline and into a run folder: what `judge`, `synthesize`, `quickstart` and `runs resume` share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use grm_core::{Choice, Comparison, ModelError};
use grm_data::{JsonlWriter, ReadError, Record};
use grm_llm::Waiting;

use crate::{
    assemble::Roles,
    metrics::Metrics,
    page,
    progress::Progress,
    record::PairRecord,
    run::{Run, pretty},
    stream::{Interrupt, in_order},
};

/// Records that could not be used, by problem; filled while reading.
pub(crate) type Skipped = Arc<Mutex<BTreeMap<String, u64>>>;

/// Records left out that are reported one by one; the rest are only counted.
const SKIPPED_SHOWN: u64 = 5;

/// One pair's results on their way to disk.
pub(crate) struct Done<Extra> {
    pub(crate) record: PairRecord,
    /// What a verb adds, such as training examples.
    pub(crate) extra: Extra,
}

/// How a run over pairs ended.
pub(crate) enum Ended {
    /// Every output is whole.
    Finished {
        metrics: Box<Metrics>,
        /// The first pairs, for the page and the JSON output.
        first: Vec<PairRecord>,
        seconds: f64,
    },
    /// Calls wait for a batch; the same command continues when it is answered.
    Waiting(Waiting),
    /// Stopped by a signal; the same command continues.
    Interrupted,
}

/// Runs `work` over every record and `keep` over every result, in input order; writes `trajectories.jsonl`,
/// `metrics.json`, `report.html` and the finished manifest.
pub(crate) async fn run_pairs<Extra, Work, Running>(
    run: &Run,
    roles: &Roles,
    title: &str,
    work: Work,
    mut keep: impl FnMut(&Done<Extra>, &mut Metrics, &Progress) -> anyhow::Result<()>,
) -> anyhow::Result<Ended>
where
    Extra: Send + 'static,
    Work: Fn(Record) -> Running,
    Running: Future<Output = Result<Done<Extra>, ModelError>> + Send + 'static,
{
    let skipped = Skipped::default();
    let records = read(run, &skipped)?;
    let mut progress = Progress::start(roles.pairs_expected, roles.load.clone());
    let mut output = JsonlWriter::create(&run.folder.join("trajectories.jsonl"))?;
    let mut metrics = Metrics::default();
    let mut first: Vec<PairRecord> = Vec::new();
    let sink = |done: Done<Extra>| {
        if done.record.waits() {
            return Ok(());
        }
        output.write(&done.record)?;
        metrics.count(&done.record);
        keep(&done, &mut metrics, &progress)?;
        progress.done(&metrics);
        if first.len() < page::PAIRS_MAX {
            first.push(done.record);
        }
        Ok(())
    };
    let call = |record: anyhow::Result<Record>| {
        let running = record.map(&work);
        async move { running?.await.map_err(anyhow::Error::new) }
    };
    let interrupt = Interrupt::listen();
    let stopped = tokio::select! {
        result = in_order(records, run.recipe.run.pairs_in_flight, call, sink) => Some(result),
        () = interrupt.wait() => None,
    };
    let seconds = progress.finish().as_secs_f64();
    let Some(result) = stopped else { return Ok(Ended::Interrupted) };
    result.with_context(|| format!("the run in {} stopped after {} pairs", run.folder.display(), metrics.pairs))?;
    run.journal.sync()?;
    if let Some(waiting) = roles.waiting()? {
        return Ok(Ended::Waiting(waiting));
    }
    output.commit()?;
    metrics.skipped = taken(&skipped);
    run.write("metrics.json", &pretty(&metrics)?)?;
    run.write("report.html", page::render(title, page::facts(&metrics), &metrics, &first)?.as_bytes())?;
    Ok(Ended::Finished { metrics: Box::new(metrics), first, seconds })
}

/// Records up to the limit. One that cannot be used is reported, counted and left out; a broken file ends the run.
pub(crate) fn read(
    run: &Run,
    skipped: &Skipped,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Record>> + Send + use<>> {
    let records = run.recipe.records(&run.input_path())?;
    let skipped = skipped.clone();
    Ok(records.filter_map(move |record| match record {
        Err(error) if error.is_skippable() => {
            let mut skipped = skipped.lock().unwrap_or_else(PoisonError::into_inner);
            if skipped.values().sum::<u64>() < SKIPPED_SHOWN {
                tracing::warn!("{error}; the record is left out");
            }
            *skipped.entry(problem_of(&error)).or_default() += 1;
            None
        }
        other => Some(other.map_err(anyhow::Error::new)),
    }))
}

/// The counts of a stream that was read to its end.
pub(crate) fn taken(skipped: &Skipped) -> BTreeMap<String, u64> {
    std::mem::take(&mut *skipped.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A problem in the words of the counts.
pub(crate) fn problem_of(error: &ReadError) -> String {
    match error {
        ReadError::Unusable { problem, .. } => problem.to_string(),
        other => other.to_string(),
    }
}

/// What a judge may see, and the label it may not.
pub(crate) fn parts(record: Record) -> (Comparison, Option<Choice>) {
    match record {
        Record::Labelled(preference) => (preference.comparison, Some(preference.label)),
        Record::Unlabelled(comparison) => (comparison, None),
    }
}
