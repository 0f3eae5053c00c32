//! `grm runs`: look at a run, or continue it.

use std::path::Path;

use anyhow::{Context, bail};

use super::{judge, print, runs_diff, runs_merge, synthesize};
use crate::{
    cli::{Runs, RunsAction, Show},
    exit::Exit,
    metrics::Metrics,
    outcomes::each_record,
    page,
    recipe::Recipe,
    run::{Input, Manifest, Run, locate, read_manifest},
    terminal::{Paint, colours},
    view,
};

/// Runs the verb.
pub(crate) async fn run(flags: Runs) -> anyhow::Result<Exit> {
    match flags.action {
        RunsAction::Show { folder, pair, show, json } => self::show(&folder, pair.as_deref(), show, json),
        RunsAction::Diff { first, second, flips, json } => runs_diff::run(&first, &second, flips, json),
        RunsAction::Resume { folder } => resume(&folder).await,
        RunsAction::Merge(flags) => runs_merge::run(&flags),
    }
}

fn show(folder: &Path, pair: Option<&str>, show: Option<Show>, json: bool) -> anyhow::Result<Exit> {
    let manifest = read_manifest(folder)?;
    if let Some(id) = pair {
        return show_pair(folder, id, show.unwrap_or(Show::Critiques), json);
    }
    let metrics: Option<Metrics> = match std::fs::read(folder.join("metrics.json")) {
        Ok(bytes) if manifest.complete => Some(
            serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged", folder.join("metrics.json").display()))?,
        ),
        _ => None,
    };
    if json {
        print(&format!("{}\n", serde_json::json!({ "version": 1, "manifest": manifest, "metrics": metrics })))?;
        return Ok(Exit::Done);
    }
    print(&about(folder, &manifest))?;
    match metrics {
        None => print(&format!("not finished; continue with: grm runs resume {}\n", folder.display()))?,
        Some(metrics) => {
            for (name, value) in page::facts(&metrics) {
                print(&format!(" {name:<24} {value}\n"))?;
            }
        }
    }
    if let Some(show) = show {
        each_record(folder, |record| print(&view::pair(record, show, Paint(colours()))).map(|()| true))?;
    }
    Ok(Exit::Done)
}

fn about(folder: &Path, manifest: &Manifest) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "{}: {} of {}, seed {}\n",
        folder.display(),
        manifest.verb,
        manifest.input.path.display(),
        manifest.seed
    );
    let roles =
        [("GenRM", &manifest.models.genrm), ("policy", &manifest.models.policy), ("DisRM", &manifest.models.disrm)];
    for (role, identity) in roles {
        if let Some(identity) = identity {
            let revision: String = identity.revision.chars().take(16).collect();
            let _ = writeln!(text, " {role:<24} {} ({revision})", identity.name);
        }
    }
    text
}

fn show_pair(folder: &Path, id: &str, show: Show, json: bool) -> anyhow::Result<Exit> {
    let mut found = false;
    each_record(folder, |record| {
        if record.comparison.id != id {
            return Ok(true);
        }
        found = true;
        if json {
            print(&format!("{}\n", serde_json::to_string(record)?))?;
        } else {
            print(&view::pair(record, show, Paint(colours())))?;
        }
        Ok(false)
    })?;
    if !found {
        bail!("no pair {id:?} in {}; grm runs show {} --show verdicts lists them", folder.display(), folder.display());
    }
    Ok(Exit::Done)
}

async fn resume(folder: &Path) -> anyhow::Result<Exit> {
    let manifest = read_manifest(folder)?;
    let recipe = Recipe::read(&folder.join("recipe.toml"))?;
    let path = locate(folder, &manifest.input.path);
    let inline;
    let input = if manifest.input.path == Path::new("input.jsonl") {
        inline = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        Input::Inline(&inline)
    } else if manifest.verb == "eval" {
        Input::Folder(&path)
    } else {
        Input::File(&path)
    };
    let run = Run::open(&manifest.verb, recipe, &input, Some(folder), false)?;
    match manifest.verb.as_str() {
        "eval" => super::eval::evaluate(run, false).await,
        "synthesize" => synthesize::synthesize(run, false).await,
        _ => judge::judge(run, None, false).await,
    }
}
