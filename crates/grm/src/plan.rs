//! `--dry-run`: what a run would ask, how many tokens that is, how long it takes and what it costs.
//!
//! Prompts of the first pairs are rendered and counted exactly where the model can count, else at four bytes a token.
//! Criteria and critiques do not exist yet, so stand-ins of typical length take their place; replies are bounded by
//! half and all of their token limits, which makes the range.

use std::collections::BTreeMap;

use anyhow::Context;
use grm_core::{ChatModel, ChatRequest, Comparison, Criterion, Form, Step};
use grm_judge::{JudgeSettings, Prompts, Rendered, VerdictRule};
use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;

/// Pairs rendered to learn the averages.
pub(crate) const SAMPLE: usize = 50;

/// Calls and tokens of one step over the whole run.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct StepPlan {
    pub(crate) calls: u64,
    pub(crate) prompt_tokens: u64,
    /// Prompt tokens left when calls that share a prefix compute it once.
    pub(crate) prompt_tokens_shared: u64,
    pub(crate) reply_tokens_most: u64,
}

/// What a run would take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Plan {
    pub(crate) pairs: u64,
    pub(crate) sampled_pairs: usize,
    /// "counted" by the model's own tokenizer, or "estimated" at four bytes a token.
    pub(crate) tokens_are: &'static str,
    pub(crate) steps: BTreeMap<Step, StepPlan>,
    pub(crate) reward_calls: u64,
    /// Low and high, in the price file's currency; absent without prices.
    pub(crate) cost: Option<(f64, f64)>,
    /// Low and high, at the stated tokens per second.
    pub(crate) hours: Option<(f64, f64)>,
    /// Prompts of the first pair, as they would be sent.
    pub(crate) prompts: BTreeMap<Step, String>,
}

/// A price file: `[MODEL]` tables, or `["*"]` for any.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Prices(BTreeMap<String, Price>);

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    /// Per million prompt tokens.
    input: f64,
    /// Per million prompt tokens served from the prefix cache; unset is the input price.
    cached_input: Option<f64>,
    /// Per million generated tokens.
    output: f64,
    /// Prompt tokens a second, all calls together; with the next, gives hours.
    prompt_tokens_per_second: Option<f64>,
    /// Generated tokens a second, all calls together.
    reply_tokens_per_second: Option<f64>,
}

impl Prices {
    /// Reads a price file.
    pub(crate) fn read(path: &std::path::Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("could not read prices {}", path.display()))?;
        toml::from_str(&text).with_context(|| {
            format!(
                "prices {}: expected tables such as [\"Qwen/Qwen3-8B\"] with input and output per million tokens",
                path.display()
            )
        })
    }

    fn of(&self, model: &str) -> Option<Price> {
        self.0.get(model).or_else(|| self.0.get("*")).copied()
    }
}

/// Plans a run from its first pairs.
pub(crate) fn plan(
    recipe: &Recipe,
    prompts: &Prompts,
    sample: &[Comparison],
    pairs: u64,
    model: Option<&dyn ChatModel>,
    prices: Option<&Prices>,
) -> anyhow::Result<Plan> {
    let mut planner = Planner {
        prompts,
        settings: &recipe.judge,
        model,
        counted: model.is_some(),
        steps: BTreeMap::new(),
        first: BTreeMap::new(),
        reward_calls: 0,
    };
    for comparison in sample {
        planner.pair(comparison);
    }
    let Planner { counted, mut steps, first, reward_calls, .. } = planner;
    let scale = |count: u64| if sample.is_empty() { 0 } else { count * pairs / sample.len() as u64 };
    for step in steps.values_mut() {
        step.calls = scale(step.calls);
        step.prompt_tokens = scale(step.prompt_tokens);
        step.prompt_tokens_shared = scale(step.prompt_tokens_shared);
        step.reply_tokens_most = scale(step.reply_tokens_most);
    }
    let name = model.map_or(recipe.models.genrm.clone(), |model| model.identity().name.clone());
    let price = match prices {
        None => None,
        Some(prices) => Some(
            prices.of(&name).with_context(|| format!("the price file has no table for {name:?} and none for \"*\""))?,
        ),
    };
    Ok(Plan {
        pairs,
        sampled_pairs: sample.len(),
        tokens_are: if counted { "counted" } else { "estimated" },
        cost: price.map(|price| cost(&steps, price)),
        hours: price.and_then(|price| hours(&steps, price)),
        steps,
        reward_calls: scale(reward_calls),
        prompts: first,
    })
}

struct Planner<'a> {
    prompts: &'a Prompts,
    settings: &'a JudgeSettings,
    model: Option<&'a dyn ChatModel>,
    counted: bool,
    steps: BTreeMap<Step, StepPlan>,
    first: BTreeMap<Step, String>,
    reward_calls: u64,
}

impl Planner<'_> {
    fn pair(&mut self, comparison: &Comparison) {
        let settings = self.settings;
        let context = self.prompts.pair(comparison);
        let asked = u64::from(settings.samples) * if settings.both_orders { 2 } else { 1 };
        if settings.rule == VerdictRule::Direct {
            let rendered = self.prompts.direct(&context, Form::Thinking);
            return self.add(Step::Direct, &rendered, asked, settings.max_tokens.direct);
        }
        let (first, more) = (settings.generated(), settings.expansion());
        let per_criterion = settings.max_tokens.per_criterion;
        let room = |count: usize| per_criterion * u32::try_from(count).unwrap_or(60);
        if first > 0 {
            let rendered = self.prompts.criteria(&context, &settings.criteria, first);
            self.add(Step::Criteria, &rendered, 1, room(first));
        }
        let known = stand_ins(settings.criteria.len() + first);
        if more > 0 {
            let rendered = self.prompts.criteria(&context, &known, more);
            self.add(Step::Expansion, &rendered, 1, room(more));
        }
        let all = (known.len() + more) as u64;
        if settings.rule == VerdictRule::AllCriteria {
            let rendered = self.prompts.judgment(&context, &stand_ins(known.len() + more));
            return self.add(Step::Combined, &rendered, asked, settings.max_tokens.judgment);
        }
        let rendered = self.prompts.judgment(&context, &stand_ins(1));
        self.add(Step::Judgment, &rendered, all * asked, settings.max_tokens.judgment);
        // What is no text is not revised, and so not scored again.
        let revises = comparison.has_text_responses();
        for response in comparison.responses.iter().filter(|_| revises) {
            let context = self.prompts.response(&comparison.prompt, response);
            let rendered =
                self.prompts.refinement(&context, &"Say which part falls short and how to mend it. ".repeat(4));
            let room = u32::try_from(response.joined_text().len() / 2).unwrap_or(u32::MAX);
            self.add(Step::Refinement, &rendered, all, settings.max_tokens.refinement.max(room));
        }
        self.reward_calls += if revises { 2 + 2 * all } else { 2 };
        if settings.rule == VerdictRule::Combined {
            let rendered = self.prompts.judgment(&context, &stand_ins(settings.combined_criteria));
            self.add(Step::Combined, &rendered, asked, settings.max_tokens.judgment);
        }
    }

    fn add(&mut self, step: Step, rendered: &Rendered, calls: u64, reply_most: u32) {
        let tokens = self.tokens(rendered);
        let shared = shared_share(rendered);
        let plan = self.steps.entry(step).or_default();
        // Within a step the shared part is computed once; the first step of a pair pays for it.
        let tails = tokens - (tokens as f64 * shared) as u64;
        let fresh = match step {
            Step::Criteria | Step::Direct | Step::Refinement => tokens + tails * calls.saturating_sub(1),
            Step::Expansion | Step::Judgment | Step::Scoring | Step::Combined => tails * calls,
        };
        plan.calls += calls;
        plan.prompt_tokens += tokens * calls;
        plan.prompt_tokens_shared += fresh;
        plan.reply_tokens_most += u64::from(reply_most) * calls;
        self.first.entry(step).or_insert_with(|| {
            rendered.messages.iter().map(|m| format!("<{}>\n{}\n", m.role.as_str(), m.text())).collect()
        });
    }

    fn tokens(&mut self, rendered: &Rendered) -> u64 {
        let counted = self.model.and_then(|model| model.count_tokens(&request(rendered)));
        if let Some(tokens) = counted {
            return tokens;
        }
        self.counted = false;
        rendered.messages.iter().map(|message| message.text().len() as u64).sum::<u64>() / 4 + 16
    }
}

fn request(rendered: &Rendered) -> ChatRequest {
    ChatRequest {
        messages: rendered.messages.clone(),
        shared_spans: rendered.shared_spans,
        sampling: grm_core::Sampling { temperature: 0.0, top_p: 1.0, seed: 0, max_tokens: 1, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: grm_core::CallOrigin {
            pair: "plan".into(),
            step: Step::Direct,
            sample: 0,
            template: rendered.template.clone(),
        },
    }
}

/// Share of the text, by bytes, that lies in the shared spans.
fn shared_share(rendered: &Rendered) -> f64 {
    let length = |span: &grm_core::Span| match span {
        grm_core::Span::Template(text) | grm_core::Span::Content(text) => text.len(),
        grm_core::Span::Image(_) | grm_core::Span::Video(_) | grm_core::Span::Audio(_) => 0,
    };
    let lengths: Vec<usize> = rendered.messages.iter().flat_map(|message| &message.spans).map(length).collect();
    let shared: usize = lengths.iter().take(rendered.shared_spans).sum();
    let all: usize = lengths.iter().sum();
    shared as f64 / all.max(1) as f64
}

fn stand_ins(count: usize) -> Vec<Criterion> {
    let name = |n: usize| Criterion {
        name: format!("Stand-in criterion {n}"),
        explanation: "Whether the response does what was asked, in full and without errors that mislead.".into(),
    };
    (1..=count).map(name).collect()
}

fn cost(steps: &BTreeMap<Step, StepPlan>, price: Price) -> (f64, f64) {
    let sum = |pick: fn(&StepPlan) -> u64| steps.values().map(pick).sum::<u64>() as f64 / 1e6;
    let (prompt, fresh, reply) =
        (sum(|s| s.prompt_tokens), sum(|s| s.prompt_tokens_shared), sum(|s| s.reply_tokens_most));
    let cached = price.cached_input.unwrap_or(price.input);
    let low = fresh * price.input + (prompt - fresh) * cached + 0.5 * reply * price.output;
    (low, prompt * price.input + reply * price.output)
}

fn hours(steps: &BTreeMap<Step, StepPlan>, price: Price) -> Option<(f64, f64)> {
    let (reading, writing) = (price.prompt_tokens_per_second?, price.reply_tokens_per_second?);
    let sum = |pick: fn(&StepPlan) -> u64| steps.values().map(pick).sum::<u64>() as f64 / 3600.0;
    let (prompt, fresh, reply) =
        (sum(|s| s.prompt_tokens), sum(|s| s.prompt_tokens_shared), sum(|s| s.reply_tokens_most));
    Some((fresh / reading + 0.5 * reply / writing, prompt / reading + reply / writing))
}

/// The plan for people.
pub(crate) fn text(plan: &Plan) -> String {
    use std::fmt::Write as _;
    let mut text =
        format!("{} pairs; {} rendered, prompt tokens {}\n", plan.pairs, plan.sampled_pairs, plan.tokens_are);
    let _ = writeln!(
        text,
        " {:<12} {:>9} {:>14} {:>16} {:>18}",
        "step", "calls", "prompt tokens", "with sharing", "reply tokens ≤"
    );
    for (step, counts) in &plan.steps {
        let StepPlan { calls, prompt_tokens, prompt_tokens_shared, reply_tokens_most } = counts;
        let _ = writeln!(
            text,
            " {:<12} {calls:>9} {prompt_tokens:>14} {prompt_tokens_shared:>16} {reply_tokens_most:>18}",
            step.as_str()
        );
    }
    let _ = writeln!(text, " {:<12} {:>9}", "scoring", plan.reward_calls);
    match plan.cost {
        Some((low, high)) => {
            let _ = writeln!(text, "cost: {low:.2} to {high:.2} in the price file's currency");
        }
        None => text.push_str("cost: give --prices FILE with input and output prices per million tokens\n"),
    }
    match plan.hours {
        Some((low, high)) => { let _ = writeln!(text, "time: {low:.2} to {high:.2} hours at the price file's tokens per second"); }
        None => text.push_str("time: put prompt_tokens_per_second and reply_tokens_per_second into the price file; a run with --limit 5 shows them\n"),
    }
    text
}
