//! `grm plan`: calls, tokens, hours and money of a whole run, from a pilot of it.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::print;
use crate::{
    exit::Exit,
    planning::{Measured, PaperSize, PlanSettings, Speed, told},
    recipe::Recipe,
};

/// What is wanted, and figures of one's own machines; a flag overrides `[plan]` of the recipe.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// A recipe with a [plan] table; recipes/paper.toml has the paper's sizes.
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// A finished run of `grm synthesize` over some fifty pairs.
    #[arg(long, value_name = "RUN")]
    pilot: Option<PathBuf>,
    /// SFT examples wanted.
    #[arg(long, value_name = "N")]
    sft: Option<u64>,
    /// DPO pairs wanted.
    #[arg(long, value_name = "N")]
    dpo: Option<u64>,
    /// Labelled pairs to go through, whatever they give.
    #[arg(long, value_name = "N")]
    pairs: Option<u64>,
    /// Prompt tokens one chat server reads a second.
    #[arg(long, value_name = "F", value_parser = above_zero)]
    prompt_tokens_per_second: Option<f64>,
    /// Tokens one chat server writes a second, all calls together.
    #[arg(long, value_name = "F", value_parser = above_zero)]
    reply_tokens_per_second: Option<f64>,
    /// Scores the reward server gives a second.
    #[arg(long, value_name = "F", value_parser = above_zero)]
    scores_per_second: Option<f64>,
    /// Chat servers side by side.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    servers: Option<u64>,
    /// GPUs of a chat server.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    gpus_per_server: Option<u64>,
    /// Price of an hour of one GPU.
    #[arg(long, value_name = "F")]
    gpu_hour_price: Option<f64>,
    /// Print one JSON document on stdout instead of text.
    #[arg(long)]
    json: bool,
}

fn above_zero(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("it must be above 0".to_owned()) }
}

/// Runs the verb.
pub(crate) fn run(flags: &Plan) -> anyhow::Result<Exit> {
    let recipe = Recipe::read(&flags.recipe)?;
    let wanted = flags.over(&recipe.plan);
    check(&wanted.speed)?;
    let Some(pilot) = &wanted.pilot else {
        let data = recipe.data.input.as_ref().map_or("PAIRS.jsonl".into(), |path| path.display().to_string());
        bail!(
            "a plan stands on measured rates, and no pilot is named; run one, then plan again:\n  grm synthesize {data} --recipe {0} --limit 50 --out runs/pilot\n  grm plan {0} --pilot runs/pilot",
            flags.recipe.display()
        );
    };
    let measured = Measured::read(pilot)?;
    let size = PaperSize::of(&measured, &wanted)?;
    if flags.json {
        let document = serde_json::json!({ "version": 1, "pilot": measured, "wanted": wanted, "plan": size });
        print(&format!("{document}\n"))?;
    } else {
        print(&told(&measured, &size, &wanted))?;
    }
    Ok(Exit::Done)
}

/// Speeds of a recipe are checked here; flags check their own.
fn check(speed: &Speed) -> anyhow::Result<()> {
    let speeds = [
        ("prompt_tokens_per_second", speed.prompt_tokens_per_second),
        ("reply_tokens_per_second", speed.reply_tokens_per_second),
        ("scores_per_second", speed.scores_per_second),
        ("servers", speed.servers.map(|count| count as f64)),
    ];
    match speeds.into_iter().find(|(_, speed)| speed.is_some_and(|speed| !speed.is_finite() || speed <= 0.0)) {
        Some((name, _)) => bail!("{name} in [plan.speed] must be above 0; leave it out where it is not known"),
        None => Ok(()),
    }
}

impl Plan {
    fn over(&self, recipe: &PlanSettings) -> PlanSettings {
        let speed = &recipe.speed;
        PlanSettings {
            sft_examples: self.sft.or(recipe.sft_examples),
            dpo_pairs: self.dpo.or(recipe.dpo_pairs),
            pairs: self.pairs.or(recipe.pairs),
            pilot: self.pilot.clone().or(recipe.pilot.clone()),
            speed: Speed {
                prompt_tokens_per_second: self.prompt_tokens_per_second.or(speed.prompt_tokens_per_second),
                reply_tokens_per_second: self.reply_tokens_per_second.or(speed.reply_tokens_per_second),
                scores_per_second: self.scores_per_second.or(speed.scores_per_second),
                servers: self.servers.or(speed.servers),
                gpus_per_server: self.gpus_per_server.or(speed.gpus_per_server),
                gpu_hour_price: self.gpu_hour_price.or(speed.gpu_hour_price),
                ..speed.clone()
            },
            training: recipe.training.clone(),
        }
    }
}
