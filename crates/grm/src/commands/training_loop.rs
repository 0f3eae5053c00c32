//! `grm loop`: the steps of a recipe, each once.

use std::{io::Write as _, path::Path};

use anyhow::{Context, bail};
use serde::Serialize;

use super::print;
use crate::{
    cli::Loop,
    exit::Exit,
    stream::Interrupt,
    training_loop::{Ended, Ledger, LoopRecipe, State, Step, Workshop, missing_files, plan},
};

/// What `--json` says about a step.
#[derive(Debug, Serialize)]
struct StepReport {
    name: String,
    command: String,
    /// Seconds this time; none for a step that was done before.
    seconds: Option<f64>,
}

/// Runs the verb.
pub(crate) async fn run(flags: &Loop) -> anyhow::Result<Exit> {
    let recipe = LoopRecipe::assemble(flags)?;
    let steps = plan(&recipe)?;
    let missing = missing_files(&steps);
    if flags.dry_run {
        return dry_run(&recipe, &steps, &missing);
    }
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|path| format!("  {}", path.display())).collect();
        bail!(
            "recipe {} reads files that are not there:\n{}\ngive their folder with --data (the recipe says what each must hold)",
            flags.recipe.display(),
            names.join("\n")
        );
    }
    let mut ledger = Ledger::open(recipe.folder())?;
    write_recipe(&recipe)?;
    let workshop = Workshop {
        program: std::env::current_exe().context("could not find grm itself")?,
        folder: recipe.folder().to_owned(),
        interrupt: Interrupt::listen(),
    };
    let teller = Teller { json: flags.json, log: recipe.folder().join("loop.log") };
    let mut reports = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let place = format!("step {} of {}, {}", at + 1, steps.len(), step.name);
        if !to_do(&ledger, step, flags.redo)? {
            teller.tell(&format!("{place}: done before\n"))?;
            reports.push(StepReport { name: step.name.clone(), command: step.command_line(), seconds: None });
            continue;
        }
        teller.tell(&format!("{place}:\n  {}\n", step.command_line()))?;
        ledger.begin(step)?;
        match workshop.run(step).await.inspect_err(|error| teller.note(&format!("{error}\n")))? {
            Ended::Interrupted => {
                teller.tell(&format!("\nstopped in step {}; the same command goes on from there\n", step.name))?;
                return Ok(Exit::Interrupted);
            }
            Ended::Well { seconds, tail } => {
                ledger.finish(step, seconds)?;
                teller.tell(&format!("{tail}{place}: {seconds:.1} s\n\n"))?;
                reports.push(StepReport {
                    name: step.name.clone(),
                    command: step.command_line(),
                    seconds: Some(seconds),
                });
            }
        }
    }
    finished(&recipe, &teller, &reports)
}

/// Whether a step has to run. One that was done in another way is refused, or put aside.
fn to_do(ledger: &Ledger, step: &Step, redo: bool) -> anyhow::Result<bool> {
    match ledger.state(step)? {
        State::Done => Ok(false),
        State::New | State::Begun => Ok(true),
        State::Other(_) if redo => ledger.put_aside(step).map(|()| true),
        // It has no folder of its own to protect.
        State::Other(_) if step.folder.is_none() => Ok(true),
        State::Other(what) => bail!(
            "step {} was begun in another way:\n  {what}\ngive another --out, or --redo to put {} aside and do it again",
            step.name,
            step.folder.as_deref().unwrap_or(Path::new("its folder")).display()
        ),
    }
}

fn dry_run(recipe: &LoopRecipe, steps: &[Step], missing: &[std::path::PathBuf]) -> anyhow::Result<Exit> {
    let mut text = String::new();
    for path in missing {
        text.push_str(&format!("# not there: {}\n", path.display()));
    }
    for step in steps {
        // Inputs that an earlier step has yet to make cannot be looked at.
        let is_ready = step.inputs.iter().all(|path| path.is_file());
        let state = if is_ready { Ledger::peek(recipe.folder(), step)? } else { State::New };
        let state = match state {
            State::New => "",
            State::Begun => " (begun)",
            State::Done => " (done)",
            State::Other(_) => " (done in another way)",
        };
        text.push_str(&format!("# {}{state}\n{}\n", step.name, step.command_line()));
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// The recipe as it is run, with every default and flag in it.
fn write_recipe(recipe: &LoopRecipe) -> anyhow::Result<()> {
    let mut file = grm_data::AtomicFile::create(&recipe.folder().join("recipe.toml"))?;
    let text = toml::to_string(recipe).context("could not write the recipe as TOML")?;
    file.write_all(text.as_bytes()).context("could not write recipe.toml")?;
    Ok(file.commit()?)
}

fn finished(recipe: &LoopRecipe, teller: &Teller, reports: &[StepReport]) -> anyhow::Result<Exit> {
    let table = Some(recipe.folder().join("table.md")).filter(|path| path.is_file());
    if teller.json {
        let document = serde_json::json!({ "version": 1, "loop": recipe.folder(), "steps": reports, "table": table });
        print(&format!("{document}\n"))?;
        return Ok(Exit::Done);
    }
    if let (Some(path), true) = (&table, reports.iter().all(|report| report.seconds.is_none())) {
        print(&std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?)?;
    }
    let table = table.map_or_else(String::new, |path| format!("   table: {}", path.display()));
    print(&format!("loop folder: {}{table}\n", recipe.folder().display()))?;
    Ok(Exit::Done)
}

/// Says what happens, on the terminal and in `loop.log`.
struct Teller {
    json: bool,
    log: std::path::PathBuf,
}

impl Teller {
    fn tell(&self, text: &str) -> anyhow::Result<()> {
        self.note(text);
        if self.json {
            // With --json, standard output is the document's alone.
            let _ = std::io::stderr().write_all(text.as_bytes());
            return Ok(());
        }
        print(text)
    }

    /// The log is for people; a loop does not stop because it cannot be written.
    fn note(&self, text: &str) {
        let file = std::fs::File::options().create(true).append(true).open(&self.log);
        if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
            tracing::warn!(%error, "could not write {}", self.log.display());
        }
    }
}
