//! `grm train`: one file an objective, and what they share.

mod bt;
mod dpo;
mod flags;
mod frozen;
mod results;
mod sft;
mod student;
mod watch;

use crate::{
    cli::{Train, TrainObjective},
    exit::Exit,
    memory,
};

/// Runs the verb.
pub(crate) async fn run(flags: Train) -> anyhow::Result<Exit> {
    match flags.objective {
        TrainObjective::Bt(flags) if flags.frozen => frozen::run(flags).await,
        TrainObjective::Bt(flags) => native(move || bt::run(&flags)).await,
        TrainObjective::Sft(flags) => native(move || sft::run(&flags)).await,
        TrainObjective::Dpo(flags) => native(move || dpo::run(&flags)).await,
    }
}

/// Training computes for hours; it has a thread of its own.
async fn native(work: impl FnOnce() -> anyhow::Result<Exit> + Send + 'static) -> anyhow::Result<Exit> {
    memory::keep_freed_blocks();
    tokio::task::spawn_blocking(work).await?
}
