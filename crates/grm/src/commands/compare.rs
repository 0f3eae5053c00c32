//! `grm compare`: judge runs over the same pairs, side by side.

use std::{io::Write as _, path::Path};

use anyhow::Context;
use grm_data::AtomicFile;

use super::print;
use crate::{cli::Compare, exit::Exit, outcomes::RunOutcomes, scoreboard::Scoreboard, terminal::plain};

/// Runs the verb.
pub(crate) fn run(flags: &Compare) -> anyhow::Result<Exit> {
    let runs = flags.runs.iter().map(|folder| RunOutcomes::read(folder)).collect::<anyhow::Result<Vec<_>>>()?;
    let board = Scoreboard::of(&runs).map_err(anyhow::Error::msg)?;
    if let Some(path) = &flags.markdown {
        write(path, &board.markdown())?;
    }
    if flags.json {
        print(&format!("{}\n", serde_json::to_string(&board)?))?;
    } else {
        print(&plain(&board.text()))?;
    }
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("could not write {}", path.display()))?;
    Ok(file.commit()?)
}
