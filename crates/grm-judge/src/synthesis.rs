//! Training data from labelled pairs (spec §4, the paper's Figure 5).
//!
//! Easy pairs – one judgment under the first k criteria is right – give an SFT example. Hard ones are expanded, refined,
//! scored and ranked; if the combined judgment is right they give an SFT example and a DPO pair. The label is compared
//! with finished judgments and never reaches a prompt.
//!
//! Pairs of text give SFT examples in thinking form, pairs with media in non-thinking form, each with the prompt of its
//! form; the trained model is then asked for thinking about media too, by the prompt alone. DPO pairs are always in
//! thinking form: those with media are the continual stage's.

use std::collections::BTreeMap;

use grm_core::{
    Choice, Comparison, Criterion, DpoExample, Form, Invalid, Judgment, Message, ModelError, Outcome, Preference,
    SftExample, Step,
};
use serde::{Deserialize, Serialize};

use crate::{
    JudgedPair, Pipeline, Rejected, Tally, VerdictRule,
    asking::{Answer, Orders},
    direct,
    pipeline::{Pair, Proposed, best_criteria, into_tally},
    ranking, verdict,
};

/// What became of one labelled pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Right under the first k criteria: SFT.
    Easy,
    /// Wrong at first, right under the best m: SFT and DPO.
    Improved,
    /// Right under the best m, but the GenRM's own direct answer was right too: SFT alone.
    ImprovedAndDirectRight,
    /// Right under the best m, but the GenRM's own direct answer was out of form: SFT alone.
    ImprovedAndDirectInvalid,
    /// Still wrong, or without a usable judgment: dropped.
    Dropped,
}

/// The examples one pair gave, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Synthesised {
    /// What became of the pair.
    pub route: Route,
    /// The supervised example, if any.
    pub sft: Option<SftExample>,
    /// The preference between judgments, if any.
    pub dpo: Option<DpoExample>,
    /// The deciding judgment, with the hard path's trajectories (none for easy pairs) and all reply counts.
    pub judged: JudgedPair,
}

/// The place of the judgment under the first k criteria together; the one under the best m is 0.
const FIRST_K: usize = 1;

/// Counts of routes over a run.
pub type RouteCounts = BTreeMap<Route, u64>;

impl Pipeline {
    /// Turns one labelled pair into training examples, or drops it; its SFT example is in the form of its modality.
    pub async fn synthesise(&self, preference: &Preference) -> Result<Synthesised, ModelError> {
        self.synthesise_as(preference, None).await
    }

    /// The same with the SFT example in a form of one's own choice.
    pub async fn synthesise_as(&self, preference: &Preference, form: Option<Form>) -> Result<Synthesised, ModelError> {
        let comparison = &preference.comparison;
        let asker = self.asker(&comparison.id);
        // The direct prompt of the examples shows the comparison's own order, so judgments here do too.
        let orders = Orders::of(&self.prompts, comparison, false);
        let pair = Pair::new(&asker, comparison, &orders);
        let form = form.unwrap_or_else(|| sft_form(comparison));
        let [thinking, sft_prompt] =
            [Form::Thinking, form].map(|form| self.prompts.direct(&orders.straight, form).messages);
        let examples = Examples { pair: &comparison.id, label: preference.label, form, sft_prompt, thinking };
        let mut synthesised = pair.synthesise(&examples).await?;
        synthesised.judged.tally = into_tally(asker);
        Ok(synthesised)
    }
}

/// The form of a pair's SFT example unless another is asked for (spec §4).
fn sft_form(comparison: &Comparison) -> Form {
    if comparison.is_text_only() { Form::Thinking } else { Form::NonThinking }
}

impl Pair<'_> {
    async fn synthesise(&self, examples: &Examples<'_>) -> Result<Synthesised, ModelError> {
        let first = self.exploit().await?;
        let criteria: Vec<Criterion> = first.iter().map(|proposed| proposed.criterion.clone()).collect();
        let answer = self.judge_together(&criteria).await?;
        if let Some(sft) = examples.sft(&criteria, &answer.judgment) {
            return Ok(Synthesised { route: Route::Easy, sft: Some(sft), dpo: None, judged: easy(&answer) });
        }
        let wrong_first = answer.judgment.ok().map(|judgment| direct::render(&criteria, &judgment));
        let (judged, improved) = self.expand(first, examples).await?;
        let Some((sft, chosen)) = improved else {
            return Ok(Synthesised { route: Route::Dropped, sft: None, dpo: None, judged });
        };
        let (route, rejected) = match (self.settings.rejected, wrong_first) {
            (Rejected::FirstJudgment, Some(text)) => (Route::Improved, Some(text)),
            _ => self.own_answer(examples.label).await?,
        };
        let dpo = rejected.map(|rejected| examples.dpo(chosen, rejected));
        Ok(Synthesised { route, sft: Some(sft), dpo, judged })
    }

    /// One judgment under the first k criteria together.
    async fn judge_together(&self, criteria: &[Criterion]) -> Result<Answer, ModelError> {
        if criteria.is_empty() {
            return Ok(Answer::none(Invalid::NoCriteria));
        }
        self.asker.judgment(Step::Combined, self.orders, criteria, FIRST_K).await
    }

    /// The hard path: expansion, refinement, scoring, ranking, and one judgment under the best m. Where that is right,
    /// it comes as an example and in the thinking form.
    async fn expand(
        &self,
        mut proposed: Vec<Proposed>,
        examples: &Examples<'_>,
    ) -> Result<(JudgedPair, Option<(SftExample, String)>), ModelError> {
        let originals = self.originals().await?;
        let more = self.explore(&proposed).await?;
        proposed.extend(more);
        let mut trajectories = self.follow_all(&proposed, originals).await?;
        ranking::rank(&mut trajectories);
        let combined = self.combine(&trajectories).await?;
        let best = best_criteria(&trajectories, self.settings.combined_criteria);
        let right = combined.judgment.as_ref().ok().zip(examples.sft(&best, &combined.judgment));
        let improved = right.map(|(judgment, sft)| (sft, direct::render(&best, judgment)));
        let verdict = verdict::of_answer(&combined, VerdictRule::Combined);
        Ok((JudgedPair { originals, trajectories, verdict, tally: Tally::default() }, improved))
    }

    /// What the GenRM itself says to the direct prompt, if it is well formed and wrong.
    async fn own_answer(&self, label: Choice) -> Result<(Route, Option<String>), ModelError> {
        let (answer, reply) = self.asker.direct(self.orders, Form::Thinking).await?;
        Ok(match answer.judgment {
            Ok(judgment) if judgment.preferred != label => (Route::Improved, Some(reply.text)),
            Ok(_) => (Route::ImprovedAndDirectRight, None),
            Err(_) => (Route::ImprovedAndDirectInvalid, None),
        })
    }
}

/// What every example of one pair shares.
struct Examples<'a> {
    pair: &'a str,
    label: Choice,
    /// The form of the SFT example.
    form: Form,
    /// The prompt that asks for that form.
    sft_prompt: Vec<Message>,
    /// The prompt that asks for the thinking form.
    thinking: Vec<Message>,
}

impl Examples<'_> {
    /// An example from a judgment that is right; none from one that is wrong or unusable.
    fn sft(&self, criteria: &[Criterion], judgment: &Outcome<Judgment>) -> Option<SftExample> {
        let judgment = judgment.as_ref().ok().filter(|judgment| judgment.preferred == self.label)?;
        Some(SftExample {
            pair: self.pair.to_owned(),
            messages: self.sft_prompt.clone(),
            target: match self.form {
                Form::Thinking => direct::render(criteria, judgment),
                Form::NonThinking => format!("[[{}]]", judgment.preferred.letter()),
            },
            form: self.form,
            preferred: judgment.preferred,
        })
    }

    fn dpo(&self, chosen: String, rejected: String) -> DpoExample {
        DpoExample { pair: self.pair.to_owned(), messages: self.thinking.clone(), chosen, rejected }
    }
}

/// An easy pair ends with the judgment under the first k criteria: nothing was refined or scored.
fn easy(answer: &Answer) -> JudgedPair {
    JudgedPair {
        originals: [Err(Invalid::Upstream), Err(Invalid::Upstream)],
        trajectories: Vec::new(),
        verdict: verdict::of_answer(answer, VerdictRule::Combined),
        tally: Tally::default(),
    }
}
