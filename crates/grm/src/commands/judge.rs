//! `grm judge`: one pair from flags or stdin, or a file of them.

use std::{io::Read as _, path::Path, sync::Arc};

use anyhow::{Context, bail};
use grm_core::ModelError;
use grm_data::Record;
use grm_judge::Pipeline;
use grm_llm::Waiting;

use super::print;
use crate::{
    assemble::{self, Roles},
    cli::{self, Common, Show},
    exit::Exit,
    metrics::{Metrics, share},
    pairs::{Done, Ended, parts, run_pairs},
    plan::{self, Prices},
    recipe::Recipe,
    record::{Failure, PairOutcome, PairRecord},
    run::{Input, Run},
    terminal::{Paint, colours},
    view,
};

/// Most bytes read from stdin.
const STDIN_BYTES_MAX: u64 = 1 << 30;
/// Above this many pairs, one line each unless asked otherwise.
const FULL_VIEWS_MAX: u64 = 20;

/// Runs the verb.
pub(crate) async fn run(flags: cli::Judge) -> anyhow::Result<Exit> {
    let recipe = Recipe::assemble(Recipe::default(), &flags.common, &flags.models, &flags.method)?;
    let inline = inline_input(&flags)?;
    let input = match (&inline, flags.input.as_deref().or(recipe.data.input.as_deref())) {
        (Some(bytes), _) => Input::Inline(bytes),
        (None, Some(path)) => Input::File(path),
        (None, None) => bail!("nothing to judge: give a FILE, or --prompt with --a and --b, or - for stdin"),
    };
    if flags.common.dry_run {
        return dry_run(&recipe, &input, &flags.common);
    }
    let run = Run::open("judge", recipe.clone(), &input, flags.common.out.as_deref(), flags.common.change_recipe)?;
    judge(run, flags.show, flags.common.json).await
}

/// Judges every pair of an open run and reports.
pub(crate) async fn judge(run: Run, show: Option<Show>, json: bool) -> anyhow::Result<Exit> {
    let mut roles = Roles::assemble(&run).await?;
    run.begin(&roles.identities)?;
    roles.pairs_expected = run.recipe.data.expected();
    let show = show.unwrap_or(
        if run.recipe.data.limit.is_some_and(|limit| limit <= FULL_VIEWS_MAX) || run.input.bytes < 20_000 {
            Show::Criteria
        } else {
            Show::Verdicts
        },
    );
    let ended = judge_pairs(&run, &roles, (!json).then_some(show)).await?;
    finish(&run, &roles, ended, json)
}

/// The judging itself, printing each pair as it comes where asked.
pub(crate) async fn judge_pairs(run: &Run, roles: &Roles, show: Option<Show>) -> anyhow::Result<Ended> {
    let pipeline = Arc::new(roles.pipeline(&run.recipe)?);
    let paint = Paint(colours());
    let work = |record: Record| judge_one(pipeline.clone(), record);
    run_pairs(run, roles, "Judged pairs", work, |done: &Done<()>, _, progress| {
        if let Some(show) = show {
            progress.print(&view::pair(&done.record, show, paint));
        }
        Ok(())
    })
    .await
}

async fn judge_one(pipeline: Arc<Pipeline>, record: Record) -> Result<Done<()>, ModelError> {
    let (comparison, label) = parts(record);
    let outcome = match pipeline.judge(&comparison).await {
        Ok(judged) => PairOutcome::Judged(Box::new(judged)),
        Err(error) if error.stops_the_run() => return Err(error),
        Err(error) => PairOutcome::Failed(Failure { kind: error.kind().into(), message: error.to_string() }),
    };
    Ok(Done { record: PairRecord { version: 1, comparison, label, outcome }, extra: () })
}

/// Completes the manifest and says what came of it.
pub(crate) fn finish(run: &Run, roles: &Roles, ended: Ended, json: bool) -> anyhow::Result<Exit> {
    let (metrics, first, seconds) = match ended {
        Ended::Finished { metrics, first, seconds } => (metrics, first, seconds),
        other => return unfinished(run, &other, json),
    };
    run.write_manifest(&roles.identities, true)?;
    roles.write_servers(run)?;
    if json {
        let document = serde_json::json!({
            "version": 1, "run": run.folder, "metrics": &*metrics, "pairs": first,
            "pairs_in": run.folder.join("trajectories.jsonl"), "servers": roles.fleets.stats(),
        });
        print(&format!("{document}\n"))?;
    } else {
        print(&(summary(run, &metrics, seconds) + &roles.fleets.text()))?;
    }
    Ok(exit(run, &metrics))
}

/// Says how a run that has no results yet goes on.
pub(crate) fn unfinished(run: &Run, ended: &Ended, json: bool) -> anyhow::Result<Exit> {
    match ended {
        Ended::Waiting(waiting) => waits(run, waiting, json),
        Ended::Finished { .. } | Ended::Interrupted => interrupted(run),
    }
}

/// Says what is to be answered, and how to continue.
fn waits(run: &Run, waiting: &Waiting, json: bool) -> anyhow::Result<Exit> {
    let Waiting { requests, replies, calls, failed, failure } = waiting;
    let (requests, replies) = (requests.display(), replies.display());
    if json {
        let waiting = serde_json::json!({
            "requests": requests.to_string(), "replies": replies.to_string(), "calls": calls, "failed": failed,
        });
        print(&format!("{}\n", serde_json::json!({ "version": 1, "run": run.folder, "waiting": waiting })))?;
        return Ok(Exit::Waiting);
    }
    if let Some(failure) = failure {
        print(&format!("{failed} calls failed and are asked again; the first: {failure}\n"))?;
    }
    print(&format!(
        "{calls} calls wait; answer them, then run the same command again, or: grm runs resume {}\n  vllm run-batch -i {requests} -o {replies} --model MODEL\n",
        run.folder.display()
    ))?;
    Ok(Exit::Waiting)
}

/// Says how to continue.
pub(crate) fn interrupted(run: &Run) -> anyhow::Result<Exit> {
    print(&format!("\nstopped; continue with: grm runs resume {}\n", run.folder.display()))?;
    Ok(Exit::Interrupted)
}

/// 3 when more pairs failed than the recipe allows, or no record could be used.
pub(crate) fn exit(run: &Run, metrics: &Metrics) -> Exit {
    if metrics.pairs == 0 && !metrics.skipped.is_empty() {
        return Exit::TooManyFailures;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share of pairs")]
    let share = metrics.failed_pairs() as f64 / metrics.pairs.max(1) as f64;
    if share > run.recipe.run.failed_share_max { Exit::TooManyFailures } else { Exit::Done }
}

/// The lines under the pairs.
pub(crate) fn summary(run: &Run, metrics: &Metrics, seconds: f64) -> String {
    use std::fmt::Write as _;
    let calls = run.journal.stats();
    let mut text = format!(
        "\n{} in {seconds:.1} s: {} decided, {} tied, {} invalid, {} failed; {} model calls, {} answered by the journal\n",
        pairs(metrics.pairs),
        metrics.decided,
        metrics.ties,
        metrics.invalid_verdicts(),
        metrics.failed_pairs(),
        calls.appended,
        calls.replayed
    );
    for (problem, count) in &metrics.skipped {
        let _ = writeln!(text, "left out: {count} × {problem}");
    }
    for (kind, count) in &metrics.failed {
        let _ = writeln!(text, "failed: {count} × {kind} (see trajectories.jsonl; the next run asks again)");
    }
    let labelled = &metrics.labelled;
    if labelled.pairs > 0 {
        let _ = writeln!(text, "right:              {}", share(labelled.right, labelled.pairs));
        if labelled.disrm_scored > 0 {
            let _ = writeln!(text, "  DisRM alone:      {}", share(labelled.disrm_right, labelled.disrm_scored));
        }
        let _ = writeln!(text, "  longer response:  {}", share(labelled.longer_right_doubled / 2, labelled.pairs));
    }
    if metrics.both_orders > 0 {
        let _ = writeln!(text, "same in both orders: {}", share(metrics.consistent, metrics.both_orders));
    }
    for line in metrics.ranking_lines() {
        let _ = writeln!(text, "{line}");
    }
    for (step, counts) in &metrics.replies.0 {
        let reasons: Vec<String> = counts.invalid.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
        let rest = if reasons.is_empty() { String::new() } else { format!("   ({})", reasons.join("; ")) };
        let _ = writeln!(
            text,
            "  {:<11} {:>5} of {:>5} replies in form{rest}",
            step.as_str(),
            counts.valid,
            counts.replies
        );
    }
    let _ = writeln!(text, "run folder: {0}   page: {0}/report.html", run.folder.display());
    text
}

/// "1 pair", "12 pairs".
pub(crate) fn pairs(count: u64) -> String {
    format!("{count} pair{}", if count == 1 { "" } else { "s" })
}

/// One pair from flags, or records from stdin, as JSONL bytes.
fn inline_input(flags: &cli::Judge) -> anyhow::Result<Option<Vec<u8>>> {
    if let (Some(prompt), Some(a), Some(b)) = (&flags.prompt, &flags.a, &flags.b) {
        let record = serde_json::json!({ "id": "pair", "prompt": prompt, "response_a": a, "response_b": b });
        return Ok(Some(format!("{record}\n").into_bytes()));
    }
    if flags.input.as_deref() != Some(Path::new("-")) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    std::io::stdin().take(STDIN_BYTES_MAX + 1).read_to_end(&mut bytes).context("could not read stdin")?;
    if bytes.len() as u64 > STDIN_BYTES_MAX {
        bail!("stdin holds more than 1 GiB; write it to a file and give its name");
    }
    if bytes.trim_ascii().is_empty() {
        bail!("stdin holds no records; pipe JSONL into it, or give a FILE");
    }
    Ok(Some(bytes))
}

/// Renders and counts; asks nobody.
pub(crate) fn dry_run(recipe: &Recipe, input: &Input<'_>, common: &Common) -> anyhow::Result<Exit> {
    let spool;
    let path = match input {
        Input::File(path) | Input::Folder(path) => *path,
        Input::Inline(bytes) => {
            let folder = tempfile::tempdir().context("could not make a temporary folder")?;
            std::fs::write(folder.path().join("input.jsonl"), bytes).context("could not write the input")?;
            spool = folder;
            &spool.path().join("input.jsonl")
        }
    };
    let (mut sample, mut pairs) = (Vec::new(), 0);
    for record in recipe.records(path)? {
        let record = match record {
            Err(error) if error.is_skippable() => continue,
            other => other?,
        };
        pairs += 1;
        if sample.len() < plan::SAMPLE {
            sample.push(record.comparison().clone());
        }
    }
    let prices = common.prices.as_deref().map(Prices::read).transpose()?;
    let counter = assemble::token_counter(recipe);
    let plan = plan::plan(recipe, &assemble::prompts(recipe)?, &sample, pairs, counter.as_deref(), prices.as_ref())?;
    if common.json {
        print(&format!("{}\n", serde_json::to_string(&plan)?))?;
    } else {
        print(&plan::text(&plan))?;
    }
    Ok(Exit::Done)
}
