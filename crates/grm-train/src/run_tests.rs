//! The loop on networks whose every number can be checked.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use grm_model::{Network, TokenRow};

use crate::batching::Order;
use crate::checkpoint::{METRICS, OPTIMISER, PARAMETERS};
use crate::disk::{Disk, FileSystem};
use crate::error::{CheckpointError, TrainError};
use crate::fakes::{Bigram, Faults, Scorer};
use crate::objective::dpo::ReferenceModel;
use crate::objective::sft::LossNormalisation;
use crate::progress::{Finished, Progress, Silent};
use crate::run::{Outcome, train, train_on};
use crate::settings::{Finish, TrainSettings};
use crate::task::{DpoPair, RewardPair, SftRow, Split, Task};

/// Rows that count up, of different lengths.
fn sft(count: u32) -> Task {
    let row = |index: u32| SftRow {
        id: format!("row-{index}"),
        row: TokenRow::new(&[index % 8], &(1..3 + index % 4).map(|step| (index + step) % 8).collect::<Vec<_>>()),
    };
    Task::Sft(Split { train: (0..count).map(row).collect(), held_out: (count..count + 3).map(row).collect() })
}

/// The chosen response counts up, the rejected one down.
fn pair(index: u32) -> (TokenRow, TokenRow) {
    let walk = |step: u32| (1..3 + index % 3).map(|count| (index + count * step) % 8).collect::<Vec<_>>();
    (TokenRow::new(&[index % 8], &walk(1)), TokenRow::new(&[index % 8], &walk(7)))
}

fn dpo(count: u32) -> Task {
    let example = |index: u32| {
        let (chosen, rejected) = pair(index);
        DpoPair { id: format!("pair-{index}"), chosen, rejected }
    };
    Task::Dpo(Split { train: (0..count).map(example).collect(), held_out: (count..count + 2).map(example).collect() })
}

/// Small tokens are better than large ones.
fn bradley_terry(count: u32) -> Task {
    let example = |index: u32| RewardPair {
        id: format!("pair-{index}"),
        chosen: TokenRow::new(&[index % 8], &[index % 4, 1]),
        rejected: TokenRow::new(&[index % 8], &[4 + index % 4]),
        margin: 0.1,
    };
    let (train, held_out) = ((0..count).map(example).collect(), (count..count + 3).map(example).collect());
    Task::BradleyTerry(Split { train, held_out })
}

fn settings() -> TrainSettings {
    TrainSettings {
        epochs: 2,
        batch: 2,
        accumulation: 2,
        workers: 1,
        learning_rate: Some(0.05),
        warmup_ratio: 0.1,
        checkpoint_steps: 2,
        evaluation_steps: 3,
        ..TrainSettings::default()
    }
}

fn run<N: Network>(
    mut network: N,
    task: &Task,
    settings: &TrainSettings,
    folder: &Path,
) -> Result<Outcome, TrainError> {
    train(&mut network, task, settings, folder, &mut Silent)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("checkpoint")).collect();
    names.sort();
    names
}

/// Everything of a finished run that must not depend on how often it was interrupted.
fn result(folder: &Path, outcome: &Outcome) -> BTreeMap<&'static str, Vec<u8>> {
    assert_eq!(outcome.finished, Finished::Complete);
    let read = |path: &Path| fs::read(path).unwrap();
    BTreeMap::from([
        (PARAMETERS, read(&outcome.checkpoint.join(PARAMETERS))),
        (OPTIMISER, read(&outcome.checkpoint.join(OPTIMISER))),
        (METRICS, read(&folder.join(METRICS))),
        ("state", read(&outcome.checkpoint.join("state.json"))),
        ("events", read(&folder.join("tensorboard").join(crate::log::tensorboard::FILE))),
        ("report", read(&folder.join("report.html"))),
    ])
}

fn losses(outcome: &Outcome) -> Vec<f64> {
    outcome.records.iter().filter_map(|record| record.values.get("loss").copied()).collect()
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let settings = TrainSettings { epochs: 200, batch: 4, accumulation: 1, learning_rate: Some(0.1), ..settings() };
    let folder = folder();
    let outcome = run(Bigram::new(), &sft(4), &settings, folder.path()).unwrap();
    assert!(losses(&outcome)[0] > 1.5);
    assert!(*losses(&outcome).last().unwrap() < 0.05, "{:?}", losses(&outcome).last());
}

#[test]
fn dpo_begins_at_ln_2_and_widens_the_margin() {
    let folder = folder();
    let settings = TrainSettings { epochs: 20, ..settings() };
    let outcome = run(Bigram::new(), &dpo(8), &settings, folder.path()).unwrap();
    let first = &outcome.records[0].values;
    assert!((first["loss"] - std::f64::consts::LN_2).abs() < 1e-7);
    assert_eq!((first["learning_rate"], first["rewards/accuracies"]), (0.0, 0.0));
    let last = outcome.records.iter().rfind(|record| record.is_evaluation()).unwrap();
    assert_eq!(last.values["eval_rewards/accuracies"], 1.0);
    assert!(last.values["eval_rewards/margins"] > 0.3, "{last:?}");
    assert!(last.values["eval_loss"] < std::f64::consts::LN_2 - 0.1);
}

#[test]
fn rewards_learn_the_order() {
    let folder = folder();
    let outcome = run(Scorer::new(), &bradley_terry(12), &TrainSettings { epochs: 20, ..settings() }, folder.path());
    let outcome = outcome.unwrap();
    let last = outcome.records.iter().rfind(|record| record.is_evaluation()).unwrap();
    assert_eq!(last.values["eval_accuracy"], 1.0);
    assert!(losses(&outcome).last().unwrap() < &(losses(&outcome)[0] - 0.2));
}

/// Stops after a number of steps.
struct StopAfter(usize);

impl Progress for StopAfter {
    fn stop(&mut self) -> bool {
        self.0 = self.0.wrapping_sub(1);
        self.0 == 0
    }
}

/// Trains to the end, and again with a kill at every call and a stop after every step: all must end alike.
fn check_resume<N: Network + Clone>(network: &N, task: &Task, settings: &TrainSettings, fail: impl Fn(&mut N, usize)) {
    let whole = folder();
    let outcome = run(network.clone(), task, settings, whole.path()).unwrap();
    let expected = result(whole.path(), &outcome);
    assert!(outcome.steps >= 5, "{} steps", outcome.steps);
    for call in 0..outcome.steps {
        let killed = folder();
        let mut failing = network.clone();
        fail(&mut failing, call);
        run(failing, task, settings, killed.path()).unwrap_err();
        let resumed = run(network.clone(), task, settings, killed.path()).unwrap();
        assert_eq!(result(killed.path(), &resumed), expected, "killed in call {call}");
        assert_eq!(resumed.records, outcome.records);
    }
    for step in 1..outcome.steps {
        let stopped = folder();
        let first = train(&mut network.clone(), task, settings, stopped.path(), &mut StopAfter(step)).unwrap();
        assert_eq!((first.finished, first.steps), (Finished::Stopped, step));
        let resumed = run(network.clone(), task, settings, stopped.path()).unwrap();
        assert_eq!(resumed.resumed_from, Some(step));
        assert_eq!(result(stopped.path(), &resumed), expected, "stopped after step {step}");
    }
}

#[test]
fn any_number_of_workers_ends_in_the_same_bytes() {
    let end = |workers: usize| {
        let folder = folder();
        let settings = TrainSettings { workers, accumulation: 4, batch: 1, ..settings() };
        let outcome = run(Bigram::new(), &sft(11), &settings, folder.path()).unwrap();
        let mut end = result(folder.path(), &outcome);
        end.remove("state");
        end.remove("report");
        end
    };
    let alone = end(1);
    assert_eq!(end(2), alone);
    assert_eq!(end(3), alone);
}

fn refusing(at: usize) -> Faults {
    Faults { refuse_at: Some(at), ..Faults::default() }
}

#[test]
fn sft_resumed_is_sft_uninterrupted() {
    check_resume(&Bigram::new(), &sft(11), &settings(), |network, call| network.faults = refusing(call));
}

#[test]
fn dpo_resumed_is_dpo_uninterrupted() {
    check_resume(&Bigram::new(), &dpo(10), &settings(), |network, call| network.faults = refusing(call));
    let mut settings = settings();
    settings.dpo.reference = ReferenceModel::AdapterOff;
    check_resume(&Bigram::new().with_reference(), &dpo(10), &settings, |network, call| {
        network.faults = refusing(call);
    });
}

#[test]
fn rewards_resumed_are_rewards_uninterrupted() {
    let settings = TrainSettings { batch_tokens: Some(14), ..settings() };
    check_resume(&Scorer::new(), &bradley_terry(10), &settings, |network, call| network.faults = refusing(call));
}

#[test]
fn a_finished_run_is_loaded_and_not_repeated() {
    let folder = folder();
    let (mut first, mut second) = (Bigram::new(), Bigram::new());
    let outcome = train(&mut first, &sft(8), &settings(), folder.path(), &mut Silent).unwrap();
    second.faults = refusing(0);
    let again = train(&mut second, &sft(8), &settings(), folder.path(), &mut Silent).unwrap();
    assert_eq!(again.resumed_from, Some(outcome.steps));
    assert_eq!((again.records, again.checkpoint), (outcome.records, outcome.checkpoint));
    assert_eq!(first.table.to_data().as_bytes(), second.table.to_data().as_bytes());
}

#[test]
fn torn_checkpoints_are_passed_over() {
    let settings = TrainSettings { checkpoints_kept: 3, evaluation_steps: 0, ..settings() };
    let whole = folder();
    let outcome = run(Bigram::new(), &sft(16), &settings, whole.path()).unwrap();
    let expected = result(whole.path(), &outcome);
    type Damage = fn(&Path);
    let damages: [Damage; 5] = [
        |checkpoint| {
            let path = checkpoint.join(PARAMETERS);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        },
        |checkpoint| {
            let path = checkpoint.join(OPTIMISER);
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&path, bytes).unwrap();
        },
        |checkpoint| fs::remove_file(checkpoint.join("state.json")).unwrap(),
        |checkpoint| fs::write(checkpoint.join("state.json"), "{\"version\": 1").unwrap(),
        |checkpoint| {
            let partial = checkpoint.with_file_name("checkpoint-6.partial");
            fs::rename(checkpoint, partial).unwrap();
        },
    ];
    for (index, damage) in damages.into_iter().enumerate() {
        let folder = folder();
        let steps = outcome.steps - 2;
        train(&mut Bigram::new(), &sft(16), &settings, folder.path(), &mut StopAfter(steps)).unwrap();
        damage(&folder.path().join(format!("checkpoint-{steps}")));
        let resumed = run(Bigram::new(), &sft(16), &settings, folder.path()).unwrap();
        assert_eq!(resumed.resumed_from, Some(steps - 2), "damage {index}");
        assert_eq!(result(folder.path(), &resumed), expected, "damage {index}");
    }
}

/// Fails one operation of a checkpoint, half way through where there is a half way.
struct FullDisk {
    operations: Cell<usize>,
    fails_at: usize,
}

impl FullDisk {
    fn fails(&self) -> bool {
        self.operations.replace(self.operations.get() + 1) == self.fails_at
    }
}

impl Disk for FullDisk {
    fn write(&self, path: &Path, fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let fails = self.fails();
        FileSystem.write(path, fill)?;
        if fails {
            let bytes = fs::read(path)?;
            fs::write(path, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.fails() { Err(io::ErrorKind::StorageFull.into()) } else { FileSystem.rename(from, to) }
    }
}

#[test]
fn a_full_disk_never_leaves_a_torn_checkpoint() {
    let settings = TrainSettings { evaluation_steps: 0, ..settings() };
    let whole = folder();
    let outcome = run(Bigram::new(), &sft(8), &settings, whole.path()).unwrap();
    let expected = result(whole.path(), &outcome);
    // Five operations a checkpoint, checkpoints after steps 2 and 4.
    for fails_at in 0..10 {
        let folder = folder();
        let disk = FullDisk { operations: Cell::new(0), fails_at };
        let error = train_on(&disk, &mut Bigram::new(), &sft(8), &settings, folder.path(), &mut Silent).unwrap_err();
        let TrainError::Checkpoint(CheckpointError::Write { path, last_good, source }) = error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        let (step, before) = if fails_at < 5 { (2, None) } else { (4, Some(folder.path().join("checkpoint-2"))) };
        assert_eq!((path, last_good), (folder.path().join(format!("checkpoint-{step}")), before.clone()));
        assert_eq!(names(folder.path()), before.map(|_| "checkpoint-2".to_owned()).into_iter().collect::<Vec<_>>());
        let resumed = run(Bigram::new(), &sft(8), &settings, folder.path()).unwrap();
        assert_eq!(result(folder.path(), &resumed), expected);
    }
}

#[test]
fn a_loss_that_is_no_number_stops_and_keeps_what_was_good() {
    let folder = folder();
    let mut network = Bigram::new();
    // Two calls a step: call 5 is in step 3, after checkpoint-2.
    network.faults.nan_from = Some(5);
    let mut settings = settings();
    settings.order = Order::AsGiven;
    let error = train(&mut network, &sft(8), &settings, folder.path(), &mut Silent).unwrap_err();
    let checkpoint = folder.path().join("checkpoint-2");
    let expected = format!(
        "the loss is not a finite number at step 3 (examples row-2, row-3); the last good checkpoint is {}; \
         lower the learning rate or leave these examples out, and train into an empty folder",
        checkpoint.display()
    );
    assert_eq!(error.to_string(), expected);
    let mut kept = Bigram::new();
    crate::checkpoint::load_parameters(&mut kept, &checkpoint).unwrap();
    let values: Vec<f32> = network.table.to_data().try_to_vec().unwrap();
    assert!(values.iter().all(|value| value.is_finite()));
    assert_eq!(kept.table.to_data().as_bytes(), network.table.to_data().as_bytes());
}

#[test]
fn another_run_is_not_gone_on_with() {
    let folder = folder();
    train(&mut Bigram::new(), &sft(8), &settings(), folder.path(), &mut StopAfter(2)).unwrap();
    let message = |task: &Task, settings: &TrainSettings| {
        run(Bigram::new(), task, settings, folder.path()).unwrap_err().to_string()
    };
    let other = TrainSettings { learning_rate: Some(0.1), ..settings() };
    let error = message(&sft(8), &other);
    assert!(error.contains("checkpoint-2 was made with learning_rate = 0.05, now it is 0.1; set it back"), "{error}");
    let error = message(&sft(9), &settings());
    assert!(error.contains("was made on other training data"), "{error}");
    let error = message(&dpo(8), &settings());
    assert!(error.contains("was made with"), "{error}");
    let free = TrainSettings { checkpoint_steps: 1, checkpoints_kept: 5, ..settings() };
    run(Bigram::new(), &sft(8), &free, folder.path()).unwrap();
}

#[test]
fn another_network_is_refused() {
    let folder = folder();
    train(&mut Bigram::new(), &sft(8), &settings(), folder.path(), &mut Silent).unwrap();
    let checkpoint = folder.path().join("checkpoint-4");
    let mut scorer = Scorer::new();
    let error = crate::checkpoint::load_parameters(&mut scorer, &checkpoint).unwrap_err().to_string();
    assert!(error.contains("tensor score.weight of the network is missing"), "{error}");
}

#[test]
fn the_latest_and_the_best_stay() {
    let folder = folder();
    // What is held out says the opposite of what is learnt: the best is early.
    let Task::Sft(mut split) = sft(4) else { unreachable!("sft makes an SFT task") };
    split.held_out = (0..4).map(|index| SftRow { id: format!("held-{index}"), row: pair(index).1 }).collect();
    let task = Task::Sft(split);
    let settings =
        TrainSettings { epochs: 6, warmup_ratio: 0.0, evaluation_steps: 1, finish_with: Finish::Best, ..settings() };
    let mut network = Bigram::new();
    let outcome = train(&mut network, &task, &settings, folder.path(), &mut Silent).unwrap();
    let best = outcome.best.unwrap();
    let evaluations = outcome.records.iter().filter_map(|record| record.values.get("eval_loss"));
    assert_eq!(best.loss, evaluations.copied().fold(f64::INFINITY, f64::min));
    assert!(best.step + 2 < outcome.steps, "best {best:?} of {}", outcome.steps);
    let expected: Vec<String> =
        [best.step, outcome.steps - 2, outcome.steps].map(|step| format!("checkpoint-{step}")).into();
    let mut sorted = expected.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(names(folder.path()), sorted);
    let mut loaded = Bigram::new();
    crate::checkpoint::load_parameters(&mut loaded, &folder.path().join(&expected[0])).unwrap();
    assert_eq!(loaded.table.to_data().as_bytes(), network.table.to_data().as_bytes());
}

#[test]
fn accumulation_is_a_larger_batch() {
    let of = |batch, accumulation, normalisation| {
        let settings = TrainSettings { batch, accumulation, normalisation, order: Order::AsGiven, ..settings() };
        let folder = folder();
        losses(&run(Bigram::new(), &sft(8), &settings, folder.path()).unwrap())
    };
    let (whole, halves) = (of(4, 1, LossNormalisation::TokenMean), of(2, 2, LossNormalisation::TokenMean));
    for (left, right) in whole.iter().zip(&halves) {
        assert!((left - right).abs() < 1e-5, "{left} {right}");
    }
    // Rows of different lengths: a mean of means is another number.
    let means = of(2, 2, LossNormalisation::MicrobatchMean);
    assert!((means[0] - whole[0]).abs() > 1e-4, "{} {}", means[0], whole[0]);
}

#[test]
fn the_reference_is_the_start_or_the_adapter_switched_off() {
    let of = |network: Bigram, reference| {
        let folder = folder();
        let mut settings = settings();
        settings.dpo.reference = reference;
        run(network, &dpo(8), &settings, folder.path()).map(|outcome| losses(&outcome))
    };
    let start = of(Bigram::new(), ReferenceModel::Start).unwrap();
    let off = of(Bigram::new().with_reference(), ReferenceModel::AdapterOff).unwrap();
    assert_eq!(start, off);
    let error = of(Bigram::new(), ReferenceModel::AdapterOff).unwrap_err().to_string();
    assert!(error.contains("set dpo.reference to start"), "{error}");
}

#[test]
fn bad_input_is_named() {
    let folder = folder();
    let message = |task: &Task| run(Bigram::new(), task, &settings(), folder.path()).unwrap_err().to_string();
    let empty = Task::Sft(Split { train: Vec::new(), held_out: Vec::new() });
    assert_eq!(message(&empty), "there are no training examples; check the data file and its filters");
    let error = message(&bradley_terry(4));
    assert!(error.contains("bradley_terry needs 1 outputs for row 0, the network gave 2"), "{error}");
    let error = run(Scorer::new(), &sft(4), &settings(), folder.path()).unwrap_err().to_string();
    assert!(error.contains("sft needs"), "{error}");
    let short = TrainSettings { cutoff_tokens: 2, ..settings() };
    let error = run(Bigram::new(), &sft(4), &short, folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("all 4 training examples were dropped"), "{error}");
    let mut network = Bigram::new();
    network.faults = refusing(2);
    let error = run(network, &sft(4), &settings(), folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("could not run examples row-") && error.contains("step 2"), "{error}");
}

/// What a command draws its bar from.
#[derive(Default)]
struct Watching(Vec<String>);

impl Progress for Watching {
    fn started(&mut self, start: &crate::progress::Start) {
        let names = ["objective", "learning_rate"].map(|name| start.settings[name].clone());
        self.0.push(format!("{} steps, {} parameters, {names:?}", start.steps, start.parameters));
    }

    fn referenced(&mut self, done: usize, of: usize) {
        self.0.push(format!("reference {done} of {of}"));
    }

    fn stepped(&mut self, step: &crate::progress::StepReport) {
        assert!(step.tokens_per_second > 0.0);
        self.0.push(format!("step {} of {}", step.step, step.of));
    }

    fn evaluated(&mut self, step: usize, metrics: &BTreeMap<String, f64>, best: bool) {
        assert!(metrics.contains_key("eval_rewards/margins"));
        self.0.push(format!("evaluated {step} {best}"));
    }

    fn saved(&mut self, folder: &Path) {
        self.0.push(folder.file_name().unwrap().to_string_lossy().into_owned());
    }
}

#[test]
fn a_run_can_be_watched() {
    let folder = folder();
    let mut watching = Watching::default();
    let settings = TrainSettings { epochs: 1, evaluation_steps: 0, checkpoint_steps: 0, ..settings() };
    train(&mut Bigram::new(), &dpo(4), &settings, folder.path(), &mut watching).unwrap();
    let expected = [
        "reference 2 of 6",
        "reference 4 of 6",
        "reference 6 of 6",
        "1 steps, 72 parameters, [\"dpo\", \"0.05\"]",
        "step 1 of 1",
        "evaluated 1 true",
        "checkpoint-1",
    ];
    assert_eq!(watching.0, expected);
}
