//! `grm quickstart`: the main job on six built-in pairs, with a small embedded model, in minutes.

use std::fmt::Write as _;

use grm_judge::{Explore, Rejected};
use grm_local::Places;

use super::{
    judge::{exit, interrupted, judge_pairs, summary},
    print, synthesize,
};
use crate::{
    assemble::{BUILTIN_HEAD_BASE, Place, Roles, is_here},
    cli,
    exit::Exit,
    pairs::Ended,
    recipe::Recipe,
    run::{Input, Run},
    terminal::{Paint, colours},
};

/// Six short preference pairs written for this purpose.
const PAIRS: &[u8] = include_bytes!("../../data/quickstart.jsonl");

/// Runs the verb.
pub(crate) async fn run(flags: cli::Quickstart) -> anyhow::Result<Exit> {
    let recipe = Recipe::assemble(defaults(), &flags.common, &flags.models, &cli::MethodFlags::default())?;
    if flags.common.dry_run {
        return super::judge::dry_run(&recipe, &Input::Inline(PAIRS), &flags.common);
    }
    pull_what_is_missing(&recipe)?;
    let out = flags.common.out.unwrap_or_else(|| "runs/quickstart".into());
    let judging =
        Run::open("quickstart", recipe.clone(), &Input::Inline(PAIRS), Some(&out), flags.common.change_recipe)?;
    let mut roles = Roles::assemble(&judging).await?;
    roles.pairs_expected = Some(PAIRS.iter().filter(|byte| **byte == b'\n').count() as u64);
    judging.write_manifest(&roles.identities, false)?;
    if !flags.common.json {
        print(&introduction(&judging, &roles))?;
    }
    let ended = judge_pairs(&judging, &roles, (!flags.common.json).then_some(flags.show)).await?;
    let Ended::Finished { metrics, first, seconds } = ended else { return interrupted(&judging) };
    judging.write_manifest(&roles.identities, true)?;
    if !flags.common.json {
        print(&summary(&judging, &metrics, seconds))?;
        print("\nTraining data from the same pairs: the label decides which judgments are worth learning.\n")?;
    }

    let folder = out.join("training-data");
    let making = Run::open("synthesize", recipe, &Input::Inline(PAIRS), Some(&folder), flags.common.change_recipe)?;
    let roles_again = roles.again(&making.journal);
    let ended = synthesize::synthesize_pairs(&making, &roles_again).await?;
    let Ended::Finished { metrics: made, seconds, .. } = ended else { return interrupted(&making) };
    making.write_manifest(&roles.identities, true)?;
    if flags.common.json {
        let document = serde_json::json!({ "version": 1, "run": out, "metrics": &*metrics, "pairs": first, "training_data": { "run": folder, "metrics": &*made } });
        print(&format!("{document}\n"))?;
    } else {
        print(&synthesize::summary(&making, &made, seconds))?;
        print(&what_next(&judging))?;
    }
    Ok(exit(&judging, &metrics))
}

/// Few criteria and both orders: a 135M model answers "A" to almost everything, and only the other order shows it.
fn defaults() -> Recipe {
    let mut recipe = Recipe::default();
    let judge = &mut recipe.judge;
    (judge.initial_criteria, judge.expanded_criteria, judge.combined_criteria) = (2, 1, 2);
    judge.explore = Explore::Always;
    judge.both_orders = true;
    judge.keep_layout = true;
    judge.rejected = Rejected::FirstJudgment;
    judge.max_tokens = grm_judge::MaxTokens { per_criterion: 64, judgment: 192, refinement: 96, direct: 384 };
    recipe
}

/// Fetches the embedded models the recipe names by short name, so that one command does it all.
fn pull_what_is_missing(recipe: &Recipe) -> anyhow::Result<()> {
    let places = Places::from_environment();
    let mut names = vec![recipe.models.genrm.clone()];
    names.extend(recipe.models.policy.clone());
    if recipe.models.disrm == "builtin" {
        names.push(BUILTIN_HEAD_BASE.to_owned());
    }
    for name in names {
        if let (Place::Embedded(name), Some(known)) = (Place::of(&name), grm_local::known_model(&name))
            && !is_here(&places, known)
        {
            super::models::pull_known(&places, &name)?;
        }
    }
    Ok(())
}

fn introduction(run: &Run, roles: &Roles) -> String {
    let pairs = roles.pairs_expected.unwrap_or_default();
    let judge = &run.recipe.judge;
    let paint = Paint(colours());
    let mut text = paint.bold("GRM-Omni quickstart\n");
    let _ = writeln!(
        text,
        "{pairs} pairs; GenRM and policy {}, DisRM: {}.",
        roles.genrm.identity().name,
        roles.disrm.identity().name
    );
    let _ = writeln!(
        text,
        "Per pair: {} criteria, {} more by exploration, each judged in both orders, both responses refined by every critique\nand scored; the best {} by meta-reward decide together.\n",
        judge.initial_criteria, judge.expanded_criteria, judge.combined_criteria
    );
    text
}

fn what_next(run: &Run) -> String {
    let folder = run.folder.display();
    format!(
        "
A 135M model is a poor judge: read the figures above as they are. What to try next:
  open {folder}/report.html                                           the pairs, their criteria and what was refined
  grm runs show {folder} --pair arithmetic --show refinements     one pair in full
  grm models pull qwen2.5-coder-1.5b && grm judge PAIRS.jsonl --genrm qwen2.5-coder-1.5b     a better embedded judge
  grm judge PAIRS.jsonl --genrm http://localhost:8000/v1          your own vLLM, SGLang or llama-server
  grm judge PAIRS.jsonl --genrm URL --dry-run                     calls, tokens and cost before you start
"
    )
}
