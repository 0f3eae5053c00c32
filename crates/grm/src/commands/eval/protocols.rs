//! Numbers from outcomes, by name: what `grm eval` ends with and `grm eval rescore` makes again without a model.

use std::{fmt::Write as _, path::Path};

use anyhow::{Context, bail};
use clap::ValueEnum as _;
use grm_eval::{
    Scored,
    protocols::{self, Protocol},
    tables::{parts_table, scores_table},
};
use serde::{Deserialize, Serialize};

use super::{
    flags::JudgeName,
    items::{LeftOut, PAIRS},
    outcomes::of_run,
};
use crate::{
    commands::print,
    exit::Exit,
    pairs,
    recipe::Recipe,
    run::{Run, pretty, read_manifest},
    terminal::plain,
};

/// `eval.json`: every judge under every protocol of the set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evaluated {
    /// Format version: 1.
    pub(crate) version: u32,
    /// The set.
    pub(crate) set: String,
    /// What a reader has to know before quoting a number.
    pub(crate) notes: Vec<String>,
    /// Judge by judge, protocol by protocol.
    pub(crate) rows: Vec<Row>,
}

/// One judge under one protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// The judge.
    pub(crate) judge: String,
    /// Its numbers.
    pub(crate) scored: Scored,
}

/// Scores a run's outcome files; only numbers are computed here.
fn evaluated(folder: &Path, set: &str, wanted: &[&Protocol], notes: Vec<String>) -> anyhow::Result<Evaluated> {
    let order: Vec<&str> = JudgeName::value_variants().iter().map(|name| name.as_str()).collect();
    let mut rows = Vec::new();
    for file in of_run(folder, &order)? {
        let outcomes = file.read()?;
        for protocol in wanted {
            rows.push(Row { judge: file.judge.clone(), scored: protocol.score(&outcomes) });
        }
    }
    Ok(Evaluated { version: 1, set: set.to_owned(), notes, rows })
}

/// Scores a run with what has to be known before quoting it.
pub(super) fn report(run: &Run, left_out: &LeftOut, missing: &[String], json: bool) -> anyhow::Result<()> {
    let mut notes = notes(&run.recipe, missing);
    for (problem, count) in pairs::taken(left_out) {
        notes.push(format!("{count} items left out: {problem}"));
    }
    if let Some(shard) = run.recipe.data.shard {
        notes.push(format!("{SHARD_NOTE}{shard}, joined to the rest by grm runs merge"));
    }
    score(run, notes, json)
}

/// How the note begins that only a shard has.
const SHARD_NOTE: &str = "shard ";

/// Scores the outcome files of joined shards; `first` is the one that counted what was left out.
pub(crate) fn report_merged(run: &Run, first: &Path, json: bool) -> anyhow::Result<()> {
    let mut notes = read_evaluated(first)?.notes;
    notes.retain(|note| !note.starts_with(SHARD_NOTE));
    score(run, notes, json)
}

/// Writes `eval.json` and prints the table.
fn score(run: &Run, notes: Vec<String>, json: bool) -> anyhow::Result<()> {
    let set = run.recipe.eval.set.clone().unwrap_or_else(|| PAIRS.into());
    let wanted: Vec<&Protocol> = protocols::of_set(&set).collect();
    let evaluated = evaluated(&run.folder, &set, &wanted, notes)?;
    run.write("eval.json", &pretty(&evaluated)?)?;
    if json {
        return print(&format!("{}\n", serde_json::to_string(&evaluated)?));
    }
    super::told(run, &text(&evaluated))
}

/// What keeps a number of this run from being one of the set.
fn notes(recipe: &Recipe, missing: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let drawn = recipe.eval.sample.map(|count| {
        let of = if recipe.eval.each_subset { "of every subset" } else { "of the set" };
        format!("a sample of {count} items {of}, seed {}", recipe.seed)
    });
    let first = recipe.data.limit.map(|limit| format!("the first {limit} items"));
    let subsets = Some(&recipe.eval.subsets).filter(|subsets| !subsets.is_empty());
    let subsets = subsets.map(|subsets| format!("only subsets that begin with {}", subsets.join(" or ")));
    let without_media = recipe.data.without_media.then(|| "pictures, clips and sounds were left out".to_owned());
    notes.extend([drawn, first, subsets, without_media].into_iter().flatten());
    if !missing.is_empty() {
        let shown: Vec<&str> = missing.iter().take(5).map(String::as_str).collect();
        let more = missing.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("parts of the set are not in the folder: {}{more}", shown.join(", ")));
    }
    notes
}

/// `grm eval rescore`.
pub(super) fn rescore(folder: &Path, names: &[String], json: bool) -> anyhow::Result<Exit> {
    let manifest = read_manifest(folder)?;
    if manifest.verb != "eval" {
        bail!("{} is a run of grm {}; rescoring needs the outcomes of grm eval", folder.display(), manifest.verb);
    }
    if !manifest.complete {
        bail!("{0} is not finished; continue with: grm runs resume {0}", folder.display());
    }
    let recipe = Recipe::read(&folder.join("recipe.toml"))?;
    let set = recipe.eval.set.as_deref().unwrap_or(PAIRS);
    let wanted = if names.is_empty() {
        protocols::of_set(set).collect()
    } else {
        names.iter().map(|name| named(name)).collect::<anyhow::Result<Vec<_>>>()?
    };
    let evaluated = evaluated(folder, set, &wanted, read_evaluated(folder)?.notes)?;
    if json {
        print(&format!("{}\n", serde_json::to_string(&evaluated)?))?;
    } else {
        print(&format!("{}\n", text(&evaluated)))?;
    }
    Ok(Exit::Done)
}

fn read_evaluated(folder: &Path) -> anyhow::Result<Evaluated> {
    let path = folder.join("eval.json");
    let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
}

fn named(name: &str) -> anyhow::Result<&'static Protocol> {
    protocols::find(name).with_context(|| {
        let near =
            protocols::all().map(|known| known.name).min_by_key(|known| strsim::damerau_levenshtein(known, name));
        format!(
            "no protocol is called {name:?}; did you mean {:?}? (grm eval protocols lists all)",
            near.unwrap_or_default()
        )
    })
}

/// `grm eval protocols`.
pub(super) fn list(set: Option<&str>) -> anyhow::Result<Exit> {
    let wanted: Vec<&Protocol> = match set {
        Some(set) => protocols::of_set(set).collect(),
        None => protocols::all().collect(),
    };
    let width = wanted.iter().map(|protocol| protocol.name.len()).max().unwrap_or(0);
    let lines = wanted.iter().map(|protocol| format!("{:width$}  {}\n", protocol.name, protocol.summary));
    print(&lines.collect::<String>())?;
    Ok(Exit::Done)
}

/// The judges side by side under each protocol, the parts of the first one, the run's own notes.
fn text(evaluated: &Evaluated) -> String {
    let mut names: Vec<&str> = Vec::new();
    for row in &evaluated.rows {
        if !names.contains(&row.scored.protocol.as_str()) {
            names.push(&row.scored.protocol);
        }
    }
    let mut text = String::new();
    for (place, name) in names.into_iter().enumerate() {
        let of_protocol = evaluated.rows.iter().filter(|row| row.scored.protocol == name);
        let rows: Vec<(&str, &Scored)> = of_protocol.map(|row| (row.judge.as_str(), &row.scored)).collect();
        let mut summary = scores_table(name, &rows);
        if place == 0 && rows.iter().any(|(_, scored)| scored.cells.len() > 1) {
            summary.notes.clear();
            let _ = write!(text, "\n{}", parts_table(&format!("{name}, by part"), &rows).terminal());
        }
        let _ = write!(text, "\n{}", summary.terminal());
    }
    for note in &evaluated.notes {
        let _ = writeln!(text, "note: {note}");
    }
    plain(&text)
}
