//! `grm runs merge`: finished shards become the run one process would have made, byte for byte.

mod outputs;
mod shard_runs;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use grm_journal::OnConflict;

use super::print;
use crate::{exit::Exit, run::Run};
use shard_runs::ShardRuns;

/// Folders to join.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The folder of the whole run; made here.
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// All shards of one run, in any order.
    #[arg(value_name = "SHARD", required = true)]
    shards: Vec<PathBuf>,
    /// Where shards hold different replies to one call, keep the first shard's.
    #[arg(long)]
    keep_first: bool,
    /// Print one JSON document on stdout instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(crate) fn run(flags: &Merge) -> anyhow::Result<Exit> {
    let shards = ShardRuns::read(&flags.shards)?;
    refuse_other_run(&flags.out, &shards)?;
    std::fs::create_dir_all(&flags.out).with_context(|| format!("could not create {}", flags.out.display()))?;
    let on_conflict = if flags.keep_first { OnConflict::KeepFirst } else { OnConflict::Refuse };
    let merged = grm_journal::merge(&flags.out.join("journal"), &shards.files("journal"), on_conflict)?;
    if shards.manifest.input.path == Path::new("input.jsonl") {
        let from = shards.first().join("input.jsonl");
        std::fs::copy(&from, flags.out.join("input.jsonl"))
            .with_context(|| format!("could not copy {}", from.display()))?;
    }
    let run = Run::joined(&flags.out, &shards.manifest, shards.recipe.clone())?;
    let records = outputs::write(&run, &shards, flags.json)?;
    run.write_manifest(&shards.manifest.models, true)?;
    if flags.json && shards.manifest.verb != "eval" {
        let calls = serde_json::json!({ "records": merged.records, "duplicates": merged.duplicates, "conflicts": merged.conflicts });
        print(&format!(
            "{}\n",
            serde_json::json!({ "version": 1, "run": run.folder, "pairs": records, "journal": calls })
        ))?;
    } else if !flags.json {
        print(&format!(
            "{} shards joined: {records} pairs, {} calls ({} were in several shards, {} of them with another reply)\nrun folder: {}\n",
            shards.count(),
            merged.records,
            merged.duplicates + merged.conflicts,
            merged.conflicts,
            run.folder.display()
        ))?;
    }
    Ok(Exit::Done)
}

/// A folder that holds something else is left as it is; an unfinished or finished merge of the same run is done again.
fn refuse_other_run(out: &Path, shards: &ShardRuns) -> anyhow::Result<()> {
    if shards.folders().any(|folder| folder == out) {
        bail!("{} is one of the shards; give the whole run a folder of its own", out.display());
    }
    let recipe = out.join("recipe.toml");
    if recipe.exists() && shards.differs(&recipe)? {
        bail!("{} holds another run; give the whole run a folder of its own", out.display());
    }
    Ok(())
}
