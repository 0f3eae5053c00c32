//! What can go wrong while training, and what to do about it.

use std::io;
use std::path::PathBuf;

use grm_model::RowError;

use crate::batching::Dropped;
use crate::objective::WrongOutputs;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting that cannot be meant.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Nothing to train on.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network refused rows.
    #[error("could not run examples {examples} ({place}): {source}")]
    Rows {
        /// "step 7", "evaluation" or "reference".
        place: String,
        /// Their ids.
        examples: String,
        /// Why.
        source: RowError,
    },
    /// A model of the wrong kind.
    #[error("{place}: {source}")]
    Outputs {
        /// "step 7", "evaluation" or "reference".
        place: String,
        /// What differs.
        source: WrongOutputs,
    },
    /// A number that is none.
    #[error(
        "the {what} is not a finite number at step {step} (examples {examples}); {}; \
         lower the learning rate or leave these examples out, and train into an empty folder", last_good(.checkpoint)
    )]
    NotFinite {
        /// The loss, or the gradient.
        what: &'static str,
        /// Counted from 1. The parameters are those before it.
        step: usize,
        /// The ids that took part.
        examples: String,
        /// The last good checkpoint, if there is one.
        checkpoint: Option<PathBuf>,
    },
    /// A network that gives gradients for what it does not have.
    #[error(
        "the gradient of {name} has {given} values, the parameter has {expected:?}; this is an error in the network"
    )]
    Gradient {
        /// The gradient's name.
        name: String,
        /// Its values.
        given: usize,
        /// The parameter's, `None` when there is no such parameter.
        expected: Option<usize>,
    },
    /// No adapter to switch off.
    #[error("dpo.reference is adapter_off, but this network has no adapter to switch off; set dpo.reference to start")]
    NoReference,
    /// A checkpoint that cannot be written or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run's folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

fn last_good(checkpoint: &Option<PathBuf>) -> String {
    match checkpoint {
        Some(path) => format!("the last good checkpoint is {}", path.display()),
        None => "there is no checkpoint yet".to_owned(),
    }
}

/// A setting out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the setting {setting} must be {expected}; change it and run again")]
pub struct SettingsError {
    /// Its dotted name.
    pub setting: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

/// Why there is nothing to train on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// No examples at all.
    #[error("there are no training examples; check the data file and its filters")]
    Empty,
    /// None left after the cut-off.
    #[error(
        "all {total} {which} examples were dropped: {} longer than the cut-off of {cutoff} tokens (the longest has {}), \
         {} with nothing to learn; raise the cut-off, or check how the data was made",
        .dropped.too_long, .dropped.longest, .dropped.empty
    )]
    AllDropped {
        /// "training" or "held-out".
        which: &'static str,
        /// How many there were.
        total: usize,
        /// Why each was dropped.
        dropped: Dropped,
        /// The cut-off.
        cutoff: usize,
    },
}

/// A file of the run that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not write {path}; free some space or check the folder, then run the same command again: it goes on where it stopped"
)]
pub struct FolderError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Why a checkpoint cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk is full, or fails. Earlier checkpoints are as they were, and nothing of this one is left.
    #[error("could not write the checkpoint {path}; free some space, then run the same command again: {}", goes_on(.last_good))]
    Write {
        /// The checkpoint's folder.
        path: PathBuf,
        /// Where training would go on.
        last_good: Option<PathBuf>,
        /// What the system said.
        source: io::Error,
    },
    /// A file that cannot be read.
    #[error("could not read {path}; check its permissions, or remove its checkpoint to go on from the one before")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not what was written, or that is another network's.
    #[error("{path} does not fit: {why}; load the model this run was started with, or train into an empty folder")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A run of other settings.
    #[error(
        "{path} was made with {setting} = {then}, now it is {now}; \
         set it back to go on with that run, or train into an empty folder"
    )]
    OtherSettings {
        /// The checkpoint.
        path: PathBuf,
        /// The first setting that differs.
        setting: String,
        /// Its value in the checkpoint.
        then: String,
        /// Its value now.
        now: String,
    },
    /// A run on other data.
    #[error(
        "{path} was made on other training data; give the same data to go on with that run, or train into an empty folder"
    )]
    OtherData {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A file of another version of this program.
    #[error(
        "{path} has version {version}, this program reads {expected}; use the program that wrote it, or an empty folder"
    )]
    Version {
        /// The state file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The version read.
        expected: u32,
    },
}

fn goes_on(last_good: &Option<PathBuf>) -> String {
    match last_good {
        Some(path) => format!("it goes on from {}", path.display()),
        None => "it starts over, since there is no earlier checkpoint".to_owned(),
    }
}
