//! `grm doctor`: checks what a run would stand on, and says what to do.

use crate::{cli, exit::Exit};

/// Runs the verb.
pub(crate) async fn run(flags: cli::Doctor) -> anyhow::Result<Exit> {
    let _ = flags;
    anyhow::bail!("pending")
}
