//! `grm models`: what has a short name, what is here, and fetching it.

use std::{path::PathBuf, time::Duration};

use grm_local::{KNOWN_MODELS, Places, PullProgress, known_model};
use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use crate::{
    assemble,
    cli::{Models, ModelsAction},
    exit::Exit,
};

/// Runs the verb.
pub(crate) async fn run(flags: Models) -> anyhow::Result<Exit> {
    let places = Places::from_environment();
    match flags.action {
        ModelsAction::List { json } => list(&places, json),
        ModelsAction::Pull { name } => {
            let path = tokio::task::spawn_blocking(move || pull(&places, &name)).await??;
            print(&format!("{}\n", path.display()))?;
            Ok(Exit::Done)
        }
    }
}

fn list(places: &Places, json: bool) -> anyhow::Result<Exit> {
    if json {
        let models: Vec<_> = KNOWN_MODELS
            .iter()
            .map(|model| {
                serde_json::json!({
                    "name": model.name, "file": model.file, "sha256": model.sha256, "bytes": model.bytes,
                    "about": model.about, "note": model.note, "here": assemble::is_here(places, model),
                })
            })
            .collect();
        print(&format!("{}\n", serde_json::json!({ "version": 1, "folder": places.models, "models": models })))?;
        return Ok(Exit::Done);
    }
    print(&format!("in {}\n", places.models.display()))?;
    for model in KNOWN_MODELS {
        let here = if assemble::is_here(places, model) { "here" } else { "-" };
        print(&format!(" {:<20} {here:<5} {:>5} MB  {}\n", model.name, model.bytes / 1_000_000, model.about))?;
    }
    print("Any GGUF works too: --genrm path/to/file.gguf or hf:org/repo/file.gguf\n")?;
    Ok(Exit::Done)
}

/// Fetches a model under a progress bar.
pub(crate) fn pull_known(places: &Places, name: &str) -> anyhow::Result<()> {
    pull(places, name).map(drop)
}

fn pull(places: &Places, name: &str) -> anyhow::Result<PathBuf> {
    if known_model(name).is_none() && name.starts_with("hf:") {
        return Ok(assemble::resolve(name)?.path);
    }
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{spinner} {msg} {bytes}/{total_bytes} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(120));
    let path = grm_local::pull(name, places, |now: PullProgress| {
        bar.set_length(now.bytes_total);
        bar.set_position(now.bytes);
        bar.set_message(format!("fetching {name}, part {} of {}", now.parts_done.min(now.parts), now.parts));
    });
    bar.finish_and_clear();
    Ok(path?)
}
