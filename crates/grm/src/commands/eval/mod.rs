//! `grm eval`: a benchmark before a panel of judges; every number by a named protocol.

mod flags;
mod items;
pub(crate) mod outcomes;
mod panel;
pub(crate) mod protocols;
mod sample;

use std::sync::Arc;

use anyhow::{Context, bail};
use grm_core::ModelError;

use super::{judge::unfinished, print};
use crate::{
    assemble::Roles,
    exit::Exit,
    metrics::Metrics,
    pairs::Ended,
    progress::{Load, LoadSource, Progress},
    recipe::Recipe,
    run::{Input, Run},
    stream::{Interrupt, in_order},
};

pub(crate) use flags::{Eval, EvalAction, JudgeName};
use items::{Drawn, Source};
use outcomes::Files;
use panel::{Judged, Panel};

/// Runs the verb.
pub(crate) async fn run(flags: Eval) -> anyhow::Result<Exit> {
    match flags.action {
        Some(EvalAction::Rescore { run, protocols, json }) => protocols::rescore(&run, &protocols, json),
        Some(EvalAction::Protocols { set }) => protocols::list(set.as_deref()),
        None => evaluate_set(flags).await,
    }
}

async fn evaluate_set(flags: Eval) -> anyhow::Result<Exit> {
    let mut recipe = Recipe::assemble(Recipe::default(), &flags.common, &flags.models, &flags.method)?;
    flags.apply(&mut recipe);
    let source = Source::find(&recipe)?;
    let input = source.path().to_owned();
    let run =
        Run::open("eval", recipe, &Input::Folder(&input), flags.common.out.as_deref(), flags.common.change_recipe)?;
    evaluate(run, flags.common.json).await
}

/// Continues or repeats an open run.
pub(crate) async fn evaluate(run: Run, json: bool) -> anyhow::Result<Exit> {
    let source = Source::find(&run.recipe)?;
    let asks_models = run.recipe.eval.judges.iter().any(|judge| judge.asks_models());
    let roles = match asks_models {
        true => Some(Roles::assemble(&run).await?),
        false => None,
    };
    let identities = roles.as_ref().map(|roles| roles.identities.clone()).unwrap_or_default();
    run.begin(&identities)?;
    let drawn = source.draw(&run.recipe, &crate::assemble::media_store(&run.folder))?;
    let panel = Arc::new(Panel::of(roles.as_ref(), &run.recipe)?);
    let load = roles.as_ref().map_or_else(|| Arc::new(Load::default) as LoadSource, |roles| roles.load.clone());
    let progress = Progress::start(drawn.count.or(run.recipe.data.expected()), load);
    let left_out = match judge_items(&run, roles.as_ref(), progress, &panel, drawn).await? {
        Ok(left_out) => left_out,
        Err(ended) => return unfinished(&run, &ended, json),
    };
    run.journal.sync()?;
    let missing = source.missing()?;
    protocols::report(&run, &left_out, &missing, json)?;
    run.write_manifest(&identities, true)?;
    if let Some(roles) = roles {
        roles.write_servers(&run)?;
        if !json {
            print(&roles.fleets.text())?;
        }
    }
    Ok(Exit::Done)
}

/// Every item before every judge, in the items' order; what was left out, or how it ended without a result.
async fn judge_items(
    run: &Run,
    roles: Option<&Roles>,
    mut progress: Progress,
    panel: &Arc<Panel>,
    drawn: Drawn,
) -> anyhow::Result<Result<items::LeftOut, Ended>> {
    let left_out = drawn.left_out.clone();
    let mut files = Files::create(&run.folder, panel.names())?;
    let mut metrics = Metrics::default();
    let sink = |judged: Judged| {
        files.write(&judged)?;
        metrics.count(&judged.record);
        progress.done(&metrics);
        Ok(())
    };
    let work = |item: anyhow::Result<items::Placed>| {
        let panel = panel.clone();
        async move { panel.judge(item?).await.map_err(|error: ModelError| anyhow::Error::new(error)) }
    };
    let interrupt = Interrupt::listen();
    let stopped = tokio::select! {
        result = in_order(drawn.items, run.recipe.run.pairs_in_flight, work, sink) => Some(result),
        () = interrupt.wait() => None,
    };
    progress.finish();
    let Some(result) = stopped else { return Ok(Err(Ended::Interrupted)) };
    result.with_context(|| format!("the run in {} stopped after {} items", run.folder.display(), metrics.pairs))?;
    if let Some(waiting) = roles.map(Roles::waiting).transpose()?.flatten() {
        run.journal.sync()?;
        return Ok(Err(Ended::Waiting(waiting)));
    }
    if metrics.pairs == 0 {
        bail!("no item of {} could be judged; grm data check says why", run.input.path.display());
    }
    files.commit()?;
    run.write("metrics.json", &crate::run::pretty(&metrics)?)?;
    Ok(Ok(left_out))
}

/// Says where the numbers are.
fn told(run: &Run, text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\nrun folder: {0}   page: grm report {0}   figures: grm figures {0}\n", run.folder.display()))
}
