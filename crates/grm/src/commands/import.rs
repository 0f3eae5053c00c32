//! `grm import`: what another engine trained, as a folder that vLLM serves and grm opens.

use std::path::PathBuf;

use clap::Args;
use grm_export::import::{Imported, Kind};

use super::print;
use crate::{exit::Exit, terminal::plain};

/// Flags of `grm import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Output folder of a training: a checkpoint or an adapter.
    folder: PathBuf,
    /// Folder of the model it was trained from; only headers of its weights are read.
    #[arg(long, value_name = "DIR")]
    base: PathBuf,
    /// The folder to write; an earlier import there is replaced.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs the verb.
pub(crate) fn run(flags: &Import) -> anyhow::Result<Exit> {
    let imported = grm_export::import::import(&flags.folder, &flags.base, &flags.to)?;
    print(&plain(&summary(&imported, &flags.to)))?;
    Ok(Exit::Done)
}

fn summary(imported: &Imported, to: &std::path::Path) -> String {
    use std::fmt::Write as _;
    let what = match imported.kind {
        Kind::Model => "model",
        Kind::Adapter => "adapter",
    };
    let mut text = format!(
        "{what}: {} tensors ({} renamed), {} bytes, all as in the base\n",
        imported.tensors, imported.renamed, imported.bytes
    );
    if imported.left_out > 0 {
        let _ =
            writeln!(text, "  {} tensors of speech output are left out; judging does not use them", imported.left_out);
    }
    if imported.has_score {
        let _ = writeln!(text, "  the value head is score.weight: serve with --runner pooling --convert classify");
    }
    match (imported.steps, imported.first_loss) {
        (Some(steps), Some(loss)) => {
            let _ = writeln!(text, "  log: {steps} steps; DPO began at {loss:.4}, ln 2 is 0.6931");
        }
        (Some(steps), None) => {
            let _ = writeln!(text, "  log: {steps} steps");
        }
        (None, _) => {}
    }
    let _ = writeln!(text, "written: {}", to.display());
    text
}
