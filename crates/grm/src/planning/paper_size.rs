//! From a pilot to a whole run, by proportion: pairs that are needed, their calls and tokens, the time and money those
//! take where figures are given.

use anyhow::bail;
use serde::Serialize;

use super::{
    Measured, PlanSettings, Speed,
    measured::{Calls, Class},
    settings::Training,
};
use crate::metrics::wilson;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PaperSize {
    /// Labelled pairs to go through.
    pub(crate) pairs: u64,
    /// Of those, by the pilot's share, easy.
    pub(crate) easy: u64,
    /// And hard.
    pub(crate) hard: u64,
    /// What asks for so many pairs.
    pub(crate) needs: Vec<Need>,
    /// Calls and tokens by step.
    pub(crate) steps: Vec<StepSize>,
    /// Chat calls of all steps.
    pub(crate) chat_calls: u64,
    /// Reward scores.
    pub(crate) scores: u64,
    /// Tokens of all prompts.
    pub(crate) prompt_tokens: u64,
    /// Of those, tokens the pilot's servers had in their prefix cache.
    pub(crate) cached_tokens: u64,
    /// Tokens generated.
    pub(crate) reply_tokens: u64,
    /// Hours one chat server takes for prompts not cached, and for replies.
    pub(crate) chat_hours: Option<[f64; 2]>,
    /// Hours the reward server takes.
    pub(crate) score_hours: Option<f64>,
    /// Updates of SFT and DPO.
    pub(crate) updates: Option<[u64; 2]>,
    /// GPU-hours of SFT and DPO.
    pub(crate) training_gpu_hours: Option<[f64; 2]>,
}

/// Examples that are wanted, and the pairs it takes to get them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Need {
    /// "SFT examples" or "DPO pairs".
    pub(crate) what: &'static str,
    /// How many are wanted.
    pub(crate) wanted: u64,
    /// How many of the pilot's pairs gave one.
    pub(crate) gave: u64,
    /// Pairs it takes.
    pub(crate) pairs: u64,
    /// The same at the ends of the 95 % interval of the pilot's share; the larger is missing where the share may be 0.
    pub(crate) between: (u64, Option<u64>),
}

/// One step of the whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StepSize {
    /// The step.
    pub(crate) step: String,
    /// Calls of an easy pair and of a hard one, in the mean.
    pub(crate) calls_per_pair: [f64; 2],
    /// Tokens of a prompt and of a reply, in the mean.
    pub(crate) tokens_per_call: [f64; 2],
    /// All of it.
    pub(crate) whole: Calls,
}

impl PaperSize {
    /// Scales a pilot up to what is wanted.
    pub(crate) fn of(measured: &Measured, wanted: &PlanSettings) -> anyhow::Result<Self> {
        let needs = needs(measured, wanted)?;
        let Some(pairs) = wanted.pairs.or_else(|| needs.iter().map(|need| need.pairs).max()) else {
            bail!(
                "nothing is wanted: set sft_examples and dpo_pairs, or pairs, in [plan], or give --sft, --dpo or --pairs"
            );
        };
        let hard = scaled(pairs, measured.hard.pairs, measured.pairs);
        let easy = pairs - hard;
        let steps: Vec<StepSize> =
            measured.steps().into_iter().map(|step| StepSize::of(step, measured, [easy, hard])).collect();
        let chat = |step: &&StepSize| step.step != "scoring";
        let sum = |pick: fn(&Calls) -> u64| steps.iter().filter(chat).map(|step| pick(&step.whole)).sum::<u64>();
        let (prompt_tokens, cached_tokens) = (sum(|calls| calls.prompt_tokens), sum(|calls| calls.cached_tokens));
        let reply_tokens = sum(|calls| calls.reply_tokens);
        let scores = steps.iter().filter(|step| step.step == "scoring").map(|step| step.whole.calls).sum();
        let chat_calls = sum(|calls| calls.calls);
        Ok(Self {
            pairs,
            easy,
            hard,
            needs,
            chat_calls,
            scores,
            prompt_tokens,
            cached_tokens,
            reply_tokens,
            chat_hours: chat_hours(&wanted.speed, prompt_tokens - cached_tokens, reply_tokens),
            score_hours: wanted.speed.scores_per_second.map(|speed| hours(scores, speed)),
            updates: updates(wanted),
            training_gpu_hours: training_gpu_hours(wanted),
            steps,
        })
    }

    /// GPU-hours of all chat servers together: a server's time does not depend on how many share it.
    pub(crate) fn chat_gpu_hours(&self, speed: &Speed) -> Option<f64> {
        let [reading, writing] = self.chat_hours?;
        Some((reading + writing) * speed.gpus_per_server.unwrap_or(1) as f64)
    }
}

impl StepSize {
    fn of(step: &str, measured: &Measured, pairs: [u64; 2]) -> Self {
        let classes = [&measured.easy, &measured.hard];
        let counts = classes.map(|class| class.of(step));
        let scale = |pick: fn(&Calls) -> u64| -> u64 {
            (0..2).map(|kind| scaled(pairs[kind], pick(&counts[kind]), classes[kind].pairs)).sum()
        };
        let per_pair = |class: &Class| ratio(class.of(step).calls, class.pairs);
        let all = |pick: fn(&Calls) -> u64| counts.iter().map(pick).sum::<u64>();
        let calls = all(|calls| calls.calls);
        Self {
            step: step.to_owned(),
            calls_per_pair: classes.map(per_pair),
            tokens_per_call: [ratio(all(|c| c.prompt_tokens), calls), ratio(all(|c| c.reply_tokens), calls)],
            whole: Calls {
                calls: scale(|calls| calls.calls),
                prompt_tokens: scale(|calls| calls.prompt_tokens),
                cached_tokens: scale(|calls| calls.cached_tokens),
                reply_tokens: scale(|calls| calls.reply_tokens),
            },
        }
    }
}

fn needs(measured: &Measured, wanted: &PlanSettings) -> anyhow::Result<Vec<Need>> {
    let goals = [("SFT examples", wanted.sft_examples, measured.sft), ("DPO pairs", wanted.dpo_pairs, measured.dpo)];
    let mut needs = Vec::new();
    for (what, wanted, gave) in goals {
        let Some(wanted) = wanted else { continue };
        if measured.verb != "synthesize" {
            bail!(
                "{} is a run of grm {}, which gives no examples; a pilot for [plan] is one of grm synthesize",
                measured.folder.display(),
                measured.verb
            );
        }
        if gave == 0 {
            bail!(
                "the pilot's {} pairs gave no {what}, so nothing can be said of {wanted}; run it over more pairs",
                measured.pairs
            );
        }
        let (low, high) = wilson(gave, measured.pairs).unwrap_or((0.0, 1.0));
        let at = |share: f64| (share > 0.0).then(|| (wanted as f64 / share).ceil() as u64);
        let pairs = (u128::from(wanted) * u128::from(measured.pairs)).div_ceil(u128::from(gave));
        needs.push(Need {
            what,
            wanted,
            gave,
            pairs: u64::try_from(pairs).unwrap_or(u64::MAX),
            between: (at(high).unwrap_or(0), at(low)),
        });
    }
    Ok(needs)
}

/// `count` of `of` in the pilot, over `whole`, to the nearest.
fn scaled(whole: u64, count: u64, of: u64) -> u64 {
    if of == 0 {
        return 0;
    }
    let of = u128::from(of);
    u64::try_from((u128::from(whole) * u128::from(count) + of / 2) / of).unwrap_or(u64::MAX)
}

fn ratio(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

fn hours(count: u64, per_second: f64) -> f64 {
    count as f64 / per_second / 3600.0
}

fn chat_hours(speed: &Speed, fresh: u64, reply: u64) -> Option<[f64; 2]> {
    Some([hours(fresh, speed.prompt_tokens_per_second?), hours(reply, speed.reply_tokens_per_second?)])
}

/// An update takes `accumulation` micro-batches of every GPU; the last may be short.
fn updates(wanted: &PlanSettings) -> Option<[u64; 2]> {
    let Training { gpus, batch, accumulation, .. } = wanted.training;
    let per_step = gpus? * batch?;
    let accumulation = accumulation?;
    let updates = |examples: u64| examples.div_ceil(per_step.max(1)).div_ceil(accumulation.max(1));
    Some([updates(wanted.sft_examples?), updates(wanted.dpo_pairs?)])
}

fn training_gpu_hours(wanted: &PlanSettings) -> Option<[f64; 2]> {
    let Training { gpus, sft_examples_per_second, dpo_pairs_per_second, .. } = wanted.training;
    let gpus = gpus? as f64;
    let sft = hours(wanted.sft_examples?, sft_examples_per_second?);
    Some([gpus * sft, gpus * hours(wanted.dpo_pairs?, dpo_pairs_per_second?)])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn class(pairs: u64, steps: &[(&str, u64)]) -> Class {
        let calls = |count: u64| Calls {
            calls: count,
            prompt_tokens: 1000 * count,
            cached_tokens: 600 * count,
            reply_tokens: 200 * count,
        };
        let steps: BTreeMap<_, _> = steps.iter().map(|(step, count)| ((*step).to_owned(), calls(*count))).collect();
        Class { pairs, steps }
    }

    /// Fifty pairs as the estimate in the method's notes has them: a quarter hard, every hard one improved.
    fn pilot() -> Measured {
        let hard = [
            ("criteria", 1),
            ("expansion", 1),
            ("judgment", 10),
            ("refinement", 20),
            ("scoring", 22),
            ("combined", 2),
            ("direct", 1),
        ];
        let hard = hard.map(|(step, calls)| (step, 10 * calls));
        Measured {
            folder: "pilot".into(),
            verb: "synthesize".into(),
            pairs: 40,
            failed: 0,
            sft: 40,
            dpo: 10,
            easy: class(30, &[("criteria", 30), ("combined", 30)]),
            hard: class(10, &hard),
        }
    }

    #[test]
    fn a_paper_size_follows_from_the_pilots_rates() {
        let wanted = PlanSettings {
            sft_examples: Some(22_000),
            dpo_pairs: Some(20_000),
            speed: Speed {
                prompt_tokens_per_second: Some(10_000.0),
                reply_tokens_per_second: Some(2_000.0),
                gpus_per_server: Some(2),
                ..Speed::default()
            },
            training: Training { gpus: Some(8), batch: Some(2), accumulation: Some(8), ..Training::default() },
            ..PlanSettings::default()
        };
        let size = PaperSize::of(&pilot(), &wanted).unwrap();
        assert_eq!((size.pairs, size.easy, size.hard), (80_000, 60_000, 20_000));
        assert_eq!(size.chat_calls, 60_000 * 2 + 20_000 * 35);
        assert_eq!(size.scores, 20_000 * 22);
        assert_eq!(size.prompt_tokens, 1000 * size.chat_calls);
        assert_eq!(size.updates, Some([172, 157]), "Table 6");
        let hours = size.chat_hours.unwrap();
        assert!((hours[0] - 820_000.0 * 400.0 / 10_000.0 / 3600.0).abs() < 1e-9);
        assert!((size.chat_gpu_hours(&wanted.speed).unwrap() - 2.0 * (hours[0] + hours[1])).abs() < 1e-9);
        assert_eq!((size.score_hours, size.training_gpu_hours), (None, None), "no figure, no hours");
    }

    #[test]
    fn what_cannot_be_said_is_not() {
        let mut measured = pilot();
        measured.dpo = 0;
        let wanted = PlanSettings { dpo_pairs: Some(5), ..PlanSettings::default() };
        let error =
            |measured: &Measured, wanted: &PlanSettings| PaperSize::of(measured, wanted).unwrap_err().to_string();
        assert!(error(&measured, &wanted).contains("gave no DPO pairs"));
        assert!(error(&measured, &PlanSettings::default()).contains("nothing is wanted"));
        measured.verb = "judge".into();
        assert!(error(&measured, &wanted).contains("one of grm synthesize"));
    }
}
