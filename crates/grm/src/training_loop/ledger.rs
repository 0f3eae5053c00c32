//! `loop.json`: which steps were begun and done, by which command line, on which inputs.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use grm_data::AtomicFile;
use serde::{Deserialize, Serialize};

use super::plan::Step;
use crate::run::{Input, pin, pretty};

/// A loop's folder, held against a second loop as long as this lives.
pub(crate) struct Ledger {
    folder: PathBuf,
    written: Written,
    _lock: File,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Format version: 1.
    version: u32,
    /// In the order they were first begun.
    steps: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// What follows `grm`.
    command: Vec<String>,
    /// blake3 over the content of everything the step reads.
    inputs: String,
    done: bool,
    /// How long the run that ended it took.
    seconds: Option<f64>,
}

/// How far a step has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Never begun, or its outputs are gone.
    New,
    /// Begun with this command and these inputs; its command goes on.
    Begun,
    /// Done with this command and these inputs, and its outputs are there.
    Done,
    /// Begun or done with something else, as described.
    Other(String),
}

impl Ledger {
    /// Opens or begins the ledger of a loop's folder.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder.join("logs"))
            .with_context(|| format!("could not create {}", folder.display()))?;
        let lock = lock(folder)?;
        Ok(Self { folder: folder.to_owned(), written: read(folder)?, _lock: lock })
    }

    /// What is recorded about a step, for a look without touching the folder.
    pub(crate) fn peek(folder: &Path, step: &Step) -> anyhow::Result<State> {
        state(&read(folder)?, step)
    }

    /// How far a step has come. Its inputs must be there.
    pub(crate) fn state(&self, step: &Step) -> anyhow::Result<State> {
        state(&self.written, step)
    }

    /// Records that a step begins.
    pub(crate) fn begin(&mut self, step: &Step) -> anyhow::Result<()> {
        let entry = Entry {
            name: step.name.clone(),
            command: step.arguments.clone(),
            inputs: inputs_hash(step)?,
            done: false,
            seconds: None,
        };
        match self.written.steps.iter_mut().find(|known| known.name == step.name) {
            Some(known) => *known = entry,
            None => self.written.steps.push(entry),
        }
        self.write()
    }

    /// Records that it is done; refuses when something it should have left is missing.
    pub(crate) fn finish(&mut self, step: &Step, seconds: f64) -> anyhow::Result<()> {
        if let Some(missing) = step.outputs.iter().find(|path| !path.exists()) {
            bail!(
                "step {} ended well but left no {}; run it by hand: {}",
                step.name,
                missing.display(),
                step.command_line()
            );
        }
        if let Some(entry) = self.written.steps.iter_mut().find(|known| known.name == step.name) {
            entry.done = true;
            entry.seconds = Some(seconds);
        }
        self.write()
    }

    /// Puts a step's folder aside as `NAME.old`, `NAME.old2`, …, so that it can be done anew.
    pub(crate) fn put_aside(&self, step: &Step) -> anyhow::Result<()> {
        let Some(folder) = step.folder.as_ref().filter(|folder| folder.exists()) else { return Ok(()) };
        let aside = |number: u32| {
            let number = if number == 1 { String::new() } else { number.to_string() };
            PathBuf::from(format!("{}.old{number}", folder.display()))
        };
        let free = (1..).map(aside).find(|path| !path.exists()).unwrap_or_else(|| aside(1));
        std::fs::rename(folder, &free)
            .with_context(|| format!("could not put {} aside as {}", folder.display(), free.display()))
    }

    fn write(&self) -> anyhow::Result<()> {
        let mut file = AtomicFile::create(&self.folder.join("loop.json"))?;
        file.write_all(&pretty(&self.written)?).context("could not write loop.json")?;
        Ok(file.commit()?)
    }
}

/// Not a truth of its own, only a courtesy: two loops in one folder would do every step twice.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("LOCK");
    let file = File::create(&path).with_context(|| format!("could not create {}", path.display()))?;
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another grm loop works in {}; let it finish or stop it, or give another --out", folder.display())
        }
        Err(std::fs::TryLockError::Error(error)) => {
            tracing::warn!(%error, "{} cannot be locked; do not start a second loop in this folder", path.display());
            Ok(file)
        }
        Ok(()) => Ok(file),
    }
}

fn read(folder: &Path) -> anyhow::Result<Written> {
    let path = folder.join("loop.json");
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Written { version: 1, steps: Vec::new() });
        }
        result => result.with_context(|| format!("could not read {}", path.display()))?,
    };
    let written: Written = serde_json::from_str(&text).with_context(|| {
        format!("{} is damaged; move it away, and the steps run again, each from its own folder", path.display())
    })?;
    if written.version != 1 {
        bail!(
            "{} has version {}; this grm writes version 1, so use the grm that wrote it",
            path.display(),
            written.version
        );
    }
    Ok(written)
}

fn state(written: &Written, step: &Step) -> anyhow::Result<State> {
    let Some(entry) = written.steps.iter().find(|entry| entry.name == step.name) else { return Ok(State::New) };
    let outputs_are_there = step.outputs.iter().all(|path| path.exists());
    if !outputs_are_there && step.folder.as_ref().is_none_or(|folder| !folder.exists()) {
        return Ok(State::New);
    }
    if entry.command != step.arguments {
        let before = Step { arguments: entry.command.clone(), ..step.clone() };
        return Ok(State::Other(format!("before: {}\n  now:    {}", before.command_line(), step.command_line())));
    }
    if entry.inputs != inputs_hash(step)? {
        return Ok(State::Other("its inputs have changed since".to_owned()));
    }
    Ok(if entry.done && outputs_are_there { State::Done } else { State::Begun })
}

/// Content alone: where the files are is in the command line.
fn inputs_hash(step: &Step) -> anyhow::Result<String> {
    let mut hasher = blake3::Hasher::new();
    for path in &step.inputs {
        hasher.update(pin(&Input::File(path)).with_context(|| format!("step {}", step.name))?.blake3.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(folder: &Path, command: &str) -> Step {
        Step {
            name: "1-sft".into(),
            arguments: command.split(' ').map(str::to_owned).collect(),
            folder: Some(folder.join("1-sft")),
            inputs: vec![folder.join("in.jsonl")],
            outputs: vec![folder.join("1-sft/adapter.gguf")],
        }
    }

    #[test]
    fn a_step_is_done_once_and_again_only_when_something_changed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        let sft = step(folder, "train sft");
        std::fs::write(folder.join("in.jsonl"), "one").unwrap();
        let mut ledger = Ledger::open(folder).unwrap();
        assert_eq!(ledger.state(&sft).unwrap(), State::New);
        ledger.begin(&sft).unwrap();
        std::fs::create_dir(folder.join("1-sft")).unwrap();
        assert_eq!(ledger.state(&sft).unwrap(), State::Begun);
        let error = ledger.finish(&sft, 1.0).unwrap_err().to_string();
        assert!(error.contains("left no") && error.contains("adapter.gguf"), "{error}");
        std::fs::write(folder.join("1-sft/adapter.gguf"), "weights").unwrap();
        ledger.finish(&sft, 1.0).unwrap();
        drop(ledger);

        let ledger = Ledger::open(folder).unwrap();
        assert_eq!(ledger.state(&sft).unwrap(), State::Done);
        let other = ledger.state(&step(folder, "train sft --rank 9")).unwrap();
        assert!(matches!(&other, State::Other(what) if what.contains("--rank 9")), "{other:?}");
        std::fs::write(folder.join("in.jsonl"), "two").unwrap();
        assert!(matches!(ledger.state(&sft).unwrap(), State::Other(what) if what.contains("inputs")));
        ledger.put_aside(&sft).unwrap();
        assert_eq!(ledger.state(&sft).unwrap(), State::New);
        std::fs::create_dir(folder.join("1-sft")).unwrap();
        ledger.put_aside(&sft).unwrap();
        assert!(folder.join("1-sft.old/adapter.gguf").exists() && folder.join("1-sft.old2").exists());
    }

    #[test]
    fn a_second_loop_in_the_folder_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let first = Ledger::open(place.path()).unwrap();
        let error = Ledger::open(place.path()).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("another grm loop"), "{error}");
        drop(first);
        Ledger::open(place.path()).unwrap();
    }

    #[test]
    fn a_damaged_ledger_is_told_with_the_cure() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("loop.json"), "{\"version\":1,").unwrap();
        let error = Ledger::open(place.path()).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("is damaged; move it away"), "{error}");
    }
}
