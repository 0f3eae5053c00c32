//! Training: three objectives, one loop, any network.
//!
//! [`train`] takes a [`grm_model::Network`], a [`Task`] (tokenised examples and what to learn from them) and
//! [`TrainSettings`], and leaves a folder that can be resumed at every step. [`frozen`] fits a linear reward head
//! without a network.

mod adamw_step;
mod batching;
mod checkpoint;
mod clip;
mod clock;
mod desk;
mod disk;
mod error;
#[cfg(test)]
mod fakes;
mod fingerprint;
pub mod frozen;
mod job;
mod log;
mod objective;
mod optimiser;
mod progress;
mod reference;
mod run;
#[cfg(test)]
mod run_tests;
mod schedule;
mod settings;
mod shuffle;
mod task;
mod tensors;
mod workers;

pub use batching::{BatchSettings, Dropped, MicroBatch, Order, Plan, PlannedStep, plan};
pub use checkpoint::{Best, load_parameters};
pub use clip::{Clipped, clip};
pub use error::{CheckpointError, DataError, FolderError, SettingsError, TrainError};
pub use log::metrics::Record;
pub use log::report::{Report, render_report};
pub use log::tensorboard;
pub use objective::bradley_terry::{self, BradleyTerrySettings};
pub use objective::dpo::{self, DpoSettings, LogProbability, PairLogProbabilities, ReferenceModel};
pub use objective::sft::{self, LossNormalisation};
pub use objective::{Metrics, ObjectiveKind, Value, WrongOutputs};
pub use optimiser::{AdamW, AdamWSettings, Decay};
pub use progress::{Finished, Progress, Silent, Start, StepReport};
pub use run::{Outcome, train};
pub use schedule::{LearningRate, Schedule};
pub use settings::{Finish, TrainSettings};
pub use task::{DpoPair, RewardPair, SftRow, Split, Task};
