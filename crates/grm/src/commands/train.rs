//! `grm train`: so far the frozen Bradley–Terry head.

use crate::{cli, exit::Exit};

/// Runs the verb.
pub(crate) async fn run(flags: cli::Train) -> anyhow::Result<Exit> {
    let cli::TrainObjective::Bt(flags) = flags.objective;
    let _ = flags;
    anyhow::bail!("pending")
}
