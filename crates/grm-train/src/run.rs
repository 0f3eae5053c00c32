//! The loop: for each step, gradients of its micro-batches, clip, `AdamW`, record; now and then evaluate and save.
//!
//! A folder is a run. Training into a folder that holds checkpoints goes on from the latest whole one and ends in the
//! bytes an uninterrupted run ends in: the plan follows from data, settings and seed, and what was logged after the
//! checkpoint is cut off and written anew. The network must be given as it was when the run began.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use grm_model::{Gradients, Network};

use crate::batching::{Dropped, PlannedStep, evaluation_batches};
use crate::checkpoint::{self, Best, Checkpoints, Contents, Found, State, load_parameters, parameters};
use crate::clip::clip;
use crate::clock::Clock;
use crate::desk::Desk;
use crate::disk::{self, Disk, FileSystem};
use crate::error::{CheckpointError, FolderError, TrainError};
use crate::job::{Job, ids, lengths};
use crate::log::Logs;
use crate::log::metrics::Record;
use crate::log::report::{Report, render_report};
use crate::objective::Metrics;
use crate::optimiser::AdamW;
use crate::progress::{Finished, Progress, Start, StepReport};
use crate::reference::Reference;
use crate::settings::{Finish, TrainSettings};
use crate::task::{Example, Task};
use crate::tensors::TensorFile;
use crate::workers::Workers;

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether all steps are done.
    pub finished: Finished,
    /// Steps done.
    pub steps: usize,
    /// Where this call went on from.
    pub resumed_from: Option<usize>,
    /// The folder of the last checkpoint.
    pub checkpoint: PathBuf,
    /// The evaluation with the lowest loss, if any, whose checkpoint is kept.
    pub best: Option<Best>,
    /// Everything logged, from the first step on.
    pub records: Vec<Record>,
    /// What was left out of the training examples.
    pub dropped: Dropped,
    /// What was left out of the held-out examples.
    pub dropped_held_out: Dropped,
}

/// Trains a network into a folder, going on where an earlier call stopped.
///
/// # Errors
/// [`TrainError`] names the step, the examples and the last good checkpoint where it can. The folder can be resumed after
/// every error.
pub fn train<N: Network>(
    network: &mut N,
    task: &Task,
    settings: &TrainSettings,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<Outcome, TrainError> {
    train_on(&FileSystem, network, task, settings, folder, progress)
}

pub(crate) fn train_on<N: Network>(
    disk: &dyn Disk,
    network: &mut N,
    task: &Task,
    settings: &TrainSettings,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<Outcome, TrainError> {
    let job = Job::new(task, settings)?;
    std::fs::create_dir_all(folder).map_err(|source| FolderError { path: folder.to_owned(), source })?;
    let mut checkpoints = Checkpoints::new(folder, disk, settings.checkpoints_kept);
    let found = checkpoints.find(&mut |note| progress.noted(note))?;
    Run::begin(&job, network, folder, checkpoints, found, progress)?.go()
}

/// A run under way.
struct Run<'a, N> {
    job: &'a Job<'a>,
    network: &'a mut N,
    folder: &'a Path,
    progress: &'a mut dyn Progress,
    checkpoints: Checkpoints<'a>,
    reference: Reference,
    optimiser: AdamW,
    logs: Logs,
    state: State,
    resumed_from: Option<usize>,
    clock: Clock,
    workers: Workers,
}

impl<'a, N: Network> Run<'a, N> {
    /// Takes up where `found` stands, or begins.
    fn begin(
        job: &'a Job<'a>,
        network: &'a mut N,
        folder: &'a Path,
        checkpoints: Checkpoints<'a>,
        found: Option<Found>,
        progress: &'a mut dyn Progress,
    ) -> Result<Self, TrainError> {
        let mut state = State::new(job.resolved.clone(), job.data.clone());
        (state.steps, state.seed, state.dropped) = (job.steps(), job.settings.seed, job.dropped);
        if let Some(found) = &found {
            state.check(found)?;
        }
        // Before any parameter is loaded: the network still is what the reference is.
        let reference = Reference::of(job, network, folder, found.is_some(), progress)?;
        let mut optimiser = AdamW::new(job.settings.adamw.clone());
        let mut text = String::new();
        if let Some(found) = &found {
            load_parameters(network, &found.folder)?;
            let file = TensorFile::open(&found.folder.join(checkpoint::OPTIMISER))?;
            optimiser = AdamW::load(job.settings.adamw.clone(), network, file)?;
            let path = found.folder.join(checkpoint::METRICS);
            text = std::fs::read_to_string(&path).map_err(|source| CheckpointError::Read { path, source })?;
            state = State { settings: state.settings, ..found.state.clone() };
        }
        let resumed_from = found.map(|found| found.state.step);
        progress.started(&start(job, network, resumed_from));
        let logs = Logs::open(folder, text)?;
        let clock = Clock::new(job, state.step);
        let workers = Workers::new(job.settings.workers);
        Ok(Self {
            job,
            network,
            folder,
            progress,
            checkpoints,
            reference,
            optimiser,
            logs,
            state,
            resumed_from,
            clock,
            workers,
        })
    }

    fn go(mut self) -> Result<Outcome, TrainError> {
        while self.state.step < self.job.steps() {
            self.step()?;
            let best = self.evaluation_is_due() && self.evaluate()?;
            let stop = self.progress.stop();
            if best || stop || self.checkpoint_is_due() {
                self.save()?;
            }
            if stop && self.state.step < self.job.steps() {
                return Ok(self.outcome(Finished::Stopped));
            }
        }
        self.write_report()?;
        if let (Finish::Best, Some(best)) = (self.job.settings.finish_with, self.state.best) {
            load_parameters(self.network, &self.checkpoints.path(best.step))?;
        }
        Ok(self.outcome(Finished::Complete))
    }

    /// One optimiser step.
    fn step(&mut self) -> Result<(), TrainError> {
        let planned = &self.job.plan.steps[self.state.step];
        let (gradients, loss, metrics) = self.gradients(planned)?;
        let clipped = clip(gradients, self.job.settings.gradient_norm_max)
            .ok_or_else(|| self.not_finite("gradient", planned.micro_batches.iter().flatten().copied()))?;
        let rate = self.job.rate.at(self.state.step);
        self.optimiser.step(self.network, &clipped.gradients, rate)?;

        self.state.step += 1;
        self.state.epoch = planned.epoch;
        self.state.tokens += self.job.tokens(planned);
        self.state.losses.push(loss);
        let (tokens_per_second, remaining) = self.clock.read(self.job, self.state.step);
        let report = StepReport {
            step: self.state.step,
            of: self.job.steps(),
            epoch: planned.epoch,
            loss,
            learning_rate: rate,
            gradient_norm: clipped.norm,
            metrics: metrics.means(),
            tokens_per_second,
            remaining,
        };
        self.logs.add(record(&report, self.state.tokens))?;
        self.progress.stepped(&report);
        Ok(())
    }

    /// Gradients, loss and metrics of a step: micro-batches computed side by side, added in their order.
    fn gradients(&self, planned: &PlannedStep) -> Result<(Gradients, f64, Metrics), TrainError> {
        let job = self.job;
        let examples = |micro_batch: &[usize]| -> Vec<&Example> {
            micro_batch.iter().map(|&index| &job.examples.train[index]).collect()
        };
        let terms =
            |micro_batch: &Vec<usize>| examples(micro_batch).iter().map(|example| job.objective.terms(example)).sum();
        let terms: Vec<usize> = planned.micro_batches.iter().map(terms).collect();
        let weights = self.job.settings.normalisation.weights(&terms);
        let (desk, known) = (self.desk(), &self.reference.train);
        let parts = self.workers.map(planned.micro_batches.len(), |index| {
            let micro_batch = &planned.micro_batches[index];
            let examples = examples(micro_batch);
            let reference = desk.reference(micro_batch, &examples, known)?;
            desk.micro_batch(&examples, &reference, weights[index])
        });
        let (mut gradients, mut loss, mut metrics) = (Gradients::default(), 0.0, Metrics::default());
        for (part, micro_batch) in parts.into_iter().zip(&planned.micro_batches) {
            let (part, value) = part?;
            if !value.loss.is_finite() {
                return Err(self.not_finite("loss", micro_batch.iter().copied()));
            }
            gradients.merge(part);
            loss += value.loss;
            metrics.merge(&value.metrics);
        }
        Ok((gradients, loss, metrics))
    }

    fn desk(&self) -> Desk<'_, N> {
        Desk { job: self.job, network: self.network, step: self.state.step + 1 }
    }

    /// Loss and metrics on the held-out examples, every term alike; says whether the loss is the lowest so far.
    fn evaluate(&mut self) -> Result<bool, TrainError> {
        let metrics = self.held_out_metrics()?;
        let (step, loss) = (self.state.step, metrics["eval_loss"]);
        let best = self.state.best.is_none_or(|best| loss < best.loss);
        if best {
            self.state.best = Some(Best { step, loss });
        }
        self.logs.add(Record { step, epoch: self.state.epoch, values: metrics.clone() })?;
        self.progress.evaluated(step, &metrics, best);
        Ok(best)
    }

    fn held_out_metrics(&self) -> Result<BTreeMap<String, f64>, TrainError> {
        let all = &self.job.examples.held_out;
        let terms: usize = all.iter().map(|example| self.job.objective.terms(example)).sum();
        #[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^52")]
        let weight = 1.0 / terms.max(1) as f64;
        let (mut loss, mut metrics) = (0.0, Metrics::default());
        let (desk, known) = (self.desk(), &self.reference.held_out);
        let batches = evaluation_batches(&lengths(all), all[0].rows.len(), &self.job.settings.batches());
        let examples = |batch: &[usize]| -> Vec<&Example> { batch.iter().map(|&index| &all[index]).collect() };
        let values = self.workers.map(batches.len(), |index| {
            let examples = examples(&batches[index]);
            let reference = desk.reference(&batches[index], &examples, known)?;
            desk.value(&examples, &reference, weight)
        });
        for (value, batch) in values.into_iter().zip(&batches) {
            let (value, examples) = (value?, examples(batch));
            if !value.loss.is_finite() {
                let examples = ids(examples.iter().map(|example| example.id));
                return Err(self.not_finite_in("held-out loss", examples, self.state.step));
            }
            loss += value.loss;
            metrics.merge(&value.metrics);
        }
        let mut means: BTreeMap<_, _> =
            metrics.means().into_iter().map(|(name, mean)| (format!("eval_{name}"), mean)).collect();
        means.insert("eval_loss".to_owned(), loss);
        Ok(means)
    }

    fn evaluation_is_due(&self) -> bool {
        !self.job.examples.held_out.is_empty() && self.is_due(self.job.settings.evaluation_steps)
    }

    fn checkpoint_is_due(&self) -> bool {
        self.is_due(self.job.settings.checkpoint_steps)
    }

    fn is_due(&self, every: usize) -> bool {
        self.state.step == self.job.steps() || every > 0 && self.state.step.is_multiple_of(every)
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let contents = Contents {
            state: self.state.clone(),
            parameters: parameters(self.network),
            optimiser: self.optimiser.tensors(),
            metrics: self.logs.text(),
        };
        let folder = self.checkpoints.write(contents)?;
        self.write_report()?;
        self.progress.saved(&folder);
        Ok(())
    }

    fn write_report(&self) -> Result<(), FolderError> {
        let facts = facts(self.job, &self.state);
        let title = format!("Training: {}", self.job.kind.name());
        let report =
            Report { title: &title, facts: &facts, settings: &self.job.resolved, records: self.logs.records() };
        let path = self.folder.join("report.html");
        disk::replace(&path, render_report(&report).as_bytes()).map_err(|source| FolderError { path, source })
    }

    fn outcome(self, finished: Finished) -> Outcome {
        Outcome {
            finished,
            steps: self.state.step,
            resumed_from: self.resumed_from,
            checkpoint: self.checkpoints.latest().map_or_else(|| self.folder.to_owned(), Path::to_owned),
            best: self.state.best,
            records: self.logs.records().to_vec(),
            dropped: self.job.dropped,
            dropped_held_out: self.job.dropped_held_out,
        }
    }

    fn not_finite(&self, what: &'static str, examples: impl Iterator<Item = usize>) -> TrainError {
        self.not_finite_in(what, self.job.ids(examples), self.state.step + 1)
    }

    fn not_finite_in(&self, what: &'static str, examples: String, step: usize) -> TrainError {
        TrainError::NotFinite { what, step, examples, checkpoint: self.checkpoints.latest().map(Path::to_owned) }
    }
}

/// The line a step leaves, under the names TRL uses.
fn record(report: &StepReport, tokens: u64) -> Record {
    let mut values = report.metrics.clone();
    #[expect(clippy::cast_precision_loss, reason = "tokens are far below 2^52")]
    let tokens = tokens as f64;
    let numbers = [
        ("loss", report.loss),
        ("learning_rate", report.learning_rate),
        ("grad_norm", report.gradient_norm),
        ("num_tokens", tokens),
    ];
    values.extend(numbers.map(|(name, value)| (name.to_owned(), value)));
    Record { step: report.step, epoch: report.epoch, values }
}

fn start<N: Network>(job: &Job, network: &N, resumed_from: Option<usize>) -> Start {
    let sizes = network.parameters().into_iter().map(|info| info.shape.iter().product::<usize>());
    Start {
        steps: job.steps(),
        resumed_from,
        parameters: sizes.sum(),
        examples: job.examples.train.len(),
        held_out: job.examples.held_out.len(),
        dropped: job.dropped,
        dropped_held_out: job.dropped_held_out,
        settings: job.resolved.clone(),
    }
}

fn facts(job: &Job, state: &State) -> Vec<(String, String)> {
    let dropped = |dropped: Dropped, examples: &[Example]| {
        let Dropped { too_long, empty, .. } = dropped;
        format!("{} ({too_long} too long and {empty} empty dropped)", examples.len())
    };
    let best =
        state.best.map_or_else(|| "none".to_owned(), |best| format!("{:.4} after step {}", best.loss, best.step));
    let facts = [
        ("steps", format!("{} of {}", state.step, job.steps())),
        ("training examples", dropped(job.dropped, &job.examples.train)),
        ("held-out examples", dropped(job.dropped_held_out, &job.examples.held_out)),
        ("tokens seen", state.tokens.to_string()),
        ("lowest held-out loss", best),
    ];
    facts.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
