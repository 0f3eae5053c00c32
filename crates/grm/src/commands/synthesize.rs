//! `grm synthesize`: labelled pairs in, SFT and DPO data out.

use std::sync::Arc;

use anyhow::bail;
use grm_core::{Choice, Comparison, DpoExample, ModelError, Preference, SftExample};
use grm_data::{DpoRecord, JsonlWriter, Record, SftRecord};
use grm_judge::{Pipeline, Route, Synthesised};

use super::{
    judge::{dry_run, exit, pairs, unfinished},
    print, synthesize_verdict,
};
use crate::{
    assemble::Roles,
    cli,
    exit::Exit,
    metrics::Metrics,
    pairs::{Done, Ended, parts, run_pairs},
    recipe::{ExampleForm, Recipe},
    record::{Failure, PairOutcome, PairRecord},
    run::{Input, Run},
};

/// The examples one pair gave.
pub(crate) struct Examples {
    route: Option<Route>,
    sft: Option<SftExample>,
    dpo: Option<DpoExample>,
}

/// Runs the verb.
pub(crate) async fn run(flags: cli::Synthesize) -> anyhow::Result<Exit> {
    let mut recipe = Recipe::assemble(Recipe::default(), &flags.common, &flags.models, &flags.method)?;
    recipe.synthesis.form = flags.form.map_or(recipe.synthesis.form, ExampleForm::from);
    let Some(path) = flags.input.clone().or(recipe.data.input.clone()) else {
        bail!("nothing to synthesize from: give a FILE of labelled pairs");
    };
    let input = Input::File(&path);
    if recipe.synthesis.form == ExampleForm::Verdict && recipe.data.shard.is_some() {
        bail!("--form verdict asks no model, so there is nothing to share out; leave --shard away");
    }
    if flags.common.dry_run && recipe.synthesis.form == ExampleForm::Verdict {
        return synthesize_verdict::dry_run(&recipe, &input);
    }
    if flags.common.dry_run {
        return dry_run(&recipe, &input, &flags.common);
    }
    let run = Run::open("synthesize", recipe, &input, flags.common.out.as_deref(), flags.common.change_recipe)?;
    synthesize(run, flags.common.json).await
}

/// Synthesises over an open run and reports.
pub(crate) async fn synthesize(run: Run, json: bool) -> anyhow::Result<Exit> {
    if run.recipe.synthesis.form == ExampleForm::Verdict {
        return tokio::task::spawn_blocking(move || synthesize_verdict::synthesize(&run, json)).await?;
    }
    let mut roles = Roles::assemble(&run).await?;
    run.begin(&roles.identities)?;
    roles.pairs_expected = run.recipe.data.expected();
    let ended = synthesize_pairs(&run, &roles).await?;
    let (metrics, seconds) = match ended {
        Ended::Finished { metrics, seconds, .. } => (metrics, seconds),
        other => return unfinished(&run, &other, json),
    };
    run.write_manifest(&roles.identities, true)?;
    roles.write_servers(&run)?;
    if json {
        let servers = roles.fleets.stats();
        let document = serde_json::json!({ "version": 1, "run": run.folder, "metrics": &*metrics, "servers": servers });
        print(&format!("{document}\n"))?;
    } else {
        print(&(summary(&run, &metrics, seconds) + &roles.fleets.text()))?;
    }
    Ok(exit(&run, &metrics))
}

/// The synthesis itself; writes `sft.jsonl` and `dpo.jsonl`.
pub(crate) async fn synthesize_pairs(run: &Run, roles: &Roles) -> anyhow::Result<Ended> {
    let pipeline = Arc::new(roles.pipeline(&run.recipe)?);
    let mut sft = JsonlWriter::<SftRecord>::create(&run.folder.join("sft.jsonl"))?;
    let mut dpo = JsonlWriter::<DpoRecord>::create(&run.folder.join("dpo.jsonl"))?;
    let work = |record: Record| synthesize_one(pipeline.clone(), record);
    let ended = run_pairs(run, roles, "Synthesised pairs", work, |done: &Done<Examples>, metrics, _| {
        if let Some(example) = &done.extra.sft {
            sft.write(&SftRecord::from(example))?;
        }
        if let Some(example) = &done.extra.dpo {
            dpo.write(&DpoRecord::from(example))?;
        }
        if let Some(route) = done.extra.route {
            *metrics.routes.entry(route).or_default() += 1;
        }
        Ok(())
    })
    .await?;
    if matches!(ended, Ended::Finished { .. }) {
        sft.commit()?;
        dpo.commit()?;
    }
    Ok(ended)
}

async fn synthesize_one(pipeline: Arc<Pipeline>, record: Record) -> Result<Done<Examples>, ModelError> {
    let (comparison, label) = parts(record);
    let Some(label) = label else {
        return Ok(failed(comparison, None, "unlabelled", "the record has no label, and synthesis learns from labels"));
    };
    let preference = Preference { comparison, label };
    match pipeline.synthesise(&preference).await {
        Ok(synthesised) => Ok(done(preference, synthesised)),
        Err(error) if error.stops_the_run() => Err(error),
        Err(error) => Ok(failed(preference.comparison, Some(label), error.kind(), &error.to_string())),
    }
}

fn done(preference: Preference, synthesised: Synthesised) -> Done<Examples> {
    let Synthesised { route, sft, dpo, judged } = synthesised;
    let extra = Examples { route: Some(route), sft, dpo };
    let outcome = PairOutcome::Judged(Box::new(judged));
    let record = PairRecord { version: 1, comparison: preference.comparison, label: Some(preference.label), outcome };
    Done { record, extra }
}

fn failed(comparison: Comparison, label: Option<Choice>, kind: &str, message: &str) -> Done<Examples> {
    let failure = Failure { kind: kind.to_owned(), message: message.to_owned() };
    let record = PairRecord { version: 1, comparison, label, outcome: PairOutcome::Failed(failure) };
    Done { record, extra: Examples { route: None, sft: None, dpo: None } }
}

/// What the run made, and what it dropped.
pub(crate) fn summary(run: &Run, metrics: &Metrics, seconds: f64) -> String {
    use std::fmt::Write as _;
    let count = |route: Route| metrics.routes.get(&route).copied().unwrap_or(0);
    let improved = count(Route::ImprovedAndDirectRight) + count(Route::ImprovedAndDirectInvalid);
    let sft = count(Route::Easy) + count(Route::Improved) + improved;
    let calls = run.journal.stats();
    let mut text = format!(
        "\n{} in {seconds:.1} s: {sft} SFT examples, {} DPO pairs; {} model calls, {} answered by the journal\n",
        pairs(metrics.pairs),
        count(Route::Improved),
        calls.appended,
        calls.replayed
    );
    let _ = writeln!(text, "  right at first (easy):                           {:>5}  → SFT", count(Route::Easy));
    let _ = writeln!(
        text,
        "  right under the best criteria:                   {:>5}  → SFT and DPO",
        count(Route::Improved)
    );
    let _ = writeln!(
        text,
        "  the same, but the GenRM's own answer was right:  {:>5}  → SFT",
        count(Route::ImprovedAndDirectRight)
    );
    let _ = writeln!(
        text,
        "  the same, but its own answer was out of form:    {:>5}  → SFT",
        count(Route::ImprovedAndDirectInvalid)
    );
    let _ = writeln!(text, "  still wrong:                                     {:>5}  dropped", count(Route::Dropped));
    for (problem, count) in metrics.skipped.iter().chain(&metrics.failed) {
        let _ = writeln!(text, "  left out: {count} × {problem}");
    }
    for line in metrics.ranking_lines() {
        let _ = writeln!(text, "  {line}");
    }
    for (step, counts) in &metrics.replies.0 {
        let _ = writeln!(text, "  {:<11} {:>5} of {:>5} replies in form", step.as_str(), counts.valid, counts.replies);
    }
    let _ = writeln!(text, "files: {0}/sft.jsonl  {0}/dpo.jsonl  page: {0}/report.html", run.folder.display());
    text
}
