//! Criteria-based test-time scaling (spec §3), in the order of the paper's figure:
//! exploit → explore → follow each criterion → rank → combine.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{join, try_join};
use futures::stream::{FuturesOrdered, TryStreamExt};
use grm_core::{
    ChatModel, Choice, Comparison, Criterion, CriterionSource, Form, Grammar, Invalid, Judgment, MetaReward,
    ModelError, Outcome, RankedBy, Refinement, RewardModel, RewardScore, Step, Trajectory, Verdict,
};
use serde::{Deserialize, Serialize};

use crate::{
    Explore, JudgeSettings, Prompts, Tally, VerdictRule,
    asking::{Answer, Asker, Draft, Orders, Roles, judgment_grammar},
    ranking, verdict,
};

/// The whole method around three models.
pub struct Pipeline {
    pub(crate) roles: Roles,
    pub(crate) prompts: Prompts,
    pub(crate) settings: JudgeSettings,
    judgment_grammar: Grammar,
    pub(crate) run_seed: u64,
}

/// A judged comparison with everything that led to the verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgedPair {
    /// The DisRM's scores of the two responses as they came.
    pub originals: [Outcome<RewardScore>; 2],
    /// Every criterion followed to its meta-reward, best first.
    pub trajectories: Vec<Trajectory>,
    /// The answer.
    pub verdict: Verdict,
    /// Usable and unusable replies by step.
    pub tally: Tally,
}

impl JudgedPair {
    /// A verdict that no criterion was followed for.
    #[must_use]
    pub fn of_one_answer(verdict: Verdict, tally: Tally) -> Self {
        let originals = [Err(Invalid::Upstream), Err(Invalid::Upstream)];
        Self { originals, trajectories: Vec::new(), verdict, tally }
    }

    /// What the criteria were ranked by, the same for all of a pair; `None` where none was followed.
    #[must_use]
    pub fn ranked_by(&self) -> Option<RankedBy> {
        self.trajectories.first().map(|trajectory| trajectory.ranked_by)
    }
}

impl Pipeline {
    /// Joins three roles, prompts and settings. GenRM and policy may be the same model, as in the paper's main run.
    #[must_use]
    pub fn new(
        genrm: Arc<dyn ChatModel>,
        policy: Arc<dyn ChatModel>,
        disrm: Arc<dyn RewardModel>,
        prompts: Prompts,
        settings: JudgeSettings,
        run_seed: u64,
    ) -> Self {
        let judgment_grammar = judgment_grammar(&settings);
        Self { roles: Roles { genrm, policy, disrm }, prompts, settings, judgment_grammar, run_seed }
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &JudgeSettings {
        &self.settings
    }

    pub(crate) fn asker(&self, pair: &str) -> Asker<'_> {
        Asker {
            roles: &self.roles,
            prompts: &self.prompts,
            settings: &self.settings,
            judgment_grammar: &self.judgment_grammar,
            run_seed: self.run_seed,
            pair: Arc::from(pair),
            tally: Mutex::default(),
        }
    }

    /// Judges one comparison. A reply out of form is an outcome inside; an error means a call had no reply at all.
    pub async fn judge(&self, comparison: &Comparison) -> Result<JudgedPair, ModelError> {
        let asker = self.asker(&comparison.id);
        let orders = Orders::of(&self.prompts, comparison, self.settings.both_orders);
        if self.settings.rule == VerdictRule::Direct {
            return self.judge_directly(asker, &orders).await;
        }
        if self.settings.rule == VerdictRule::AllCriteria {
            return self.judge_by_all(asker, comparison, &orders).await;
        }
        let pair = Pair::new(&asker, comparison, &orders);
        let (originals, first) = try_join(pair.originals(), pair.exploit()).await?;
        let mut trajectories = pair.explore_and_follow(first, originals).await?;
        ranking::rank(&mut trajectories);
        let verdict = pair.verdict(&trajectories).await?;
        Ok(JudgedPair { originals, trajectories, verdict, tally: into_tally(asker) })
    }

    async fn judge_directly(&self, asker: Asker<'_>, orders: &Orders) -> Result<JudgedPair, ModelError> {
        let form = if self.settings.thinking == Some(false) { Form::NonThinking } else { Form::Thinking };
        let (answer, _) = asker.direct(orders, form).await?;
        Ok(JudgedPair::of_one_answer(verdict::of_answer(&answer, VerdictRule::Direct), into_tally(asker)))
    }

    /// The same criteria as the whole method has, all in one judgment.
    async fn judge_by_all(
        &self,
        asker: Asker<'_>,
        comparison: &Comparison,
        orders: &Orders,
    ) -> Result<JudgedPair, ModelError> {
        let pair = Pair::new(&asker, comparison, orders);
        let mut proposed = pair.exploit().await?;
        if self.settings.explore == Explore::Always {
            let more = pair.explore(&proposed).await?;
            proposed.extend(more);
        }
        let criteria: Vec<Criterion> = proposed.into_iter().map(|proposed| proposed.criterion).collect();
        let answer = match criteria.as_slice() {
            [] => Answer::none(Invalid::NoCriteria),
            all => asker.judgment(Step::Combined, orders, all, 0).await?,
        };
        Ok(JudgedPair::of_one_answer(verdict::of_answer(&answer, VerdictRule::AllCriteria), into_tally(asker)))
    }
}

pub(crate) fn into_tally(asker: Asker<'_>) -> Tally {
    asker.tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A criterion on its way, with the place it was proposed at.
#[derive(Debug, Clone)]
pub(crate) struct Proposed {
    pub(crate) index: usize,
    pub(crate) criterion: Criterion,
    pub(crate) source: CriterionSource,
}

/// One comparison under way.
pub(crate) struct Pair<'a> {
    pub(crate) asker: &'a Asker<'a>,
    pub(crate) comparison: &'a Comparison,
    pub(crate) orders: &'a Orders,
    pub(crate) settings: &'a JudgeSettings,
    /// Both responses as every criterion's revisions start from them.
    drafts: [Draft; 2],
}

impl<'a> Pair<'a> {
    pub(crate) fn new(asker: &'a Asker<'a>, comparison: &'a Comparison, orders: &'a Orders) -> Self {
        let drafts = Choice::BOTH.map(|choice| {
            let response = comparison.response(choice);
            let context = asker.prompts.response(&comparison.prompt, response);
            Draft { context, text: response.joined_text() }
        });
        Self { asker, comparison, orders, settings: asker.settings, drafts }
    }

    /// The DisRM's view of both responses as they came; asked once.
    pub(crate) async fn originals(&self) -> Result<[Outcome<RewardScore>; 2], ModelError> {
        let [first, second] = self.comparison.responses.clone();
        let prompt = &self.comparison.prompt;
        let (first, second) = try_join(self.asker.score(prompt, first), self.asker.score(prompt, second)).await?;
        Ok([first, second])
    }

    /// The user's criteria and the first k of the GenRM's.
    pub(crate) async fn exploit(&self) -> Result<Vec<Proposed>, ModelError> {
        let given = &self.settings.criteria;
        let mut proposed = numbered(given.clone(), CriterionSource::User, 0);
        let wanted = self.settings.generated();
        if wanted > 0 {
            let found = self.asker.criteria(Step::Criteria, &self.orders.straight, given, wanted).await?;
            proposed.extend(numbered(found, CriterionSource::Initial, given.len()));
        }
        Ok(proposed)
    }

    /// n more that overlap none of those there.
    pub(crate) async fn explore(&self, known: &[Proposed]) -> Result<Vec<Proposed>, ModelError> {
        let wanted = self.settings.expansion();
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let given: Vec<Criterion> = known.iter().map(|proposed| proposed.criterion.clone()).collect();
        let found = self.asker.criteria(Step::Expansion, &self.orders.straight, &given, wanted).await?;
        Ok(numbered(found, CriterionSource::Expanded, known.len()))
    }

    /// Follows the first criteria while, or before, more are sought.
    async fn explore_and_follow(
        &self,
        first: Vec<Proposed>,
        originals: [Outcome<RewardScore>; 2],
    ) -> Result<Vec<Trajectory>, ModelError> {
        if self.settings.explore == Explore::WhenUnsure {
            let mut trajectories = self.follow_all(&first, originals).await?;
            if unsure(&trajectories) {
                let more = self.explore(&first).await?;
                trajectories.extend(self.follow_all(&more, originals).await?);
            }
            return Ok(trajectories);
        }
        let explored = async { self.follow_all(&self.explore(&first).await?, originals).await };
        let (mut trajectories, more) = try_join(self.follow_all(&first, originals), explored).await?;
        trajectories.extend(more);
        Ok(trajectories)
    }

    /// Judgment, refinements, scores and Eq. 1 for each criterion, all at once; for media responses [`RankedBy`] says
    /// what is left of it.
    pub(crate) async fn follow_all(
        &self,
        proposed: &[Proposed],
        originals: [Outcome<RewardScore>; 2],
    ) -> Result<Vec<Trajectory>, ModelError> {
        // Not `try_join_all`: for few futures it polls all of them whenever one has news.
        let followed: FuturesOrdered<_> = proposed.iter().map(|proposed| self.follow(proposed, originals)).collect();
        followed.try_collect().await
    }

    async fn follow(
        &self,
        proposed: &Proposed,
        originals: [Outcome<RewardScore>; 2],
    ) -> Result<Trajectory, ModelError> {
        let criterion = std::slice::from_ref(&proposed.criterion);
        let judgment = self.asker.judgment(Step::Judgment, self.orders, criterion, proposed.index).await?.judgment;
        let ranked_by = self.ranked_by(&originals);
        let refinements = self.refine_both(ranked_by, &judgment, proposed.index).await?;
        let meta = meta(ranked_by, &judgment, &originals, &refinements);
        let Proposed { index, criterion, source } = proposed.clone();
        Ok(Trajectory { index, criterion, source, judgment, refinements, meta, ranked_by })
    }

    /// Eq. 1 needs revisions, which only text has, and scores of them.
    fn ranked_by(&self, originals: &[Outcome<RewardScore>; 2]) -> RankedBy {
        if originals.contains(&Err(Invalid::Unscorable)) {
            RankedBy::Proposal
        } else if self.comparison.has_text_responses() {
            RankedBy::Refinement
        } else {
            RankedBy::OriginalScores
        }
    }

    async fn refine_both(
        &self,
        ranked_by: RankedBy,
        judgment: &Outcome<Judgment>,
        index: usize,
    ) -> Result<[Outcome<Refinement>; 2], ModelError> {
        if !self.comparison.has_text_responses() {
            return Ok([Err(Invalid::NotRefinable), Err(Invalid::NotRefinable)]);
        }
        if ranked_by == RankedBy::Proposal {
            return Ok([Err(Invalid::Unscorable), Err(Invalid::Unscorable)]);
        }
        let Ok(judgment) = judgment else {
            return Ok([Err(Invalid::Upstream), Err(Invalid::Upstream)]);
        };
        let refine = async |choice: Choice| {
            let (draft, critique) = (&self.drafts[choice.index()], &judgment.critiques[choice.index()]);
            self.asker.refinement(&self.comparison.prompt, draft, critique, (index, choice)).await
        };
        let (first, second) = join(refine(Choice::First), refine(Choice::Second)).await;
        Ok([first?, second?])
    }

    /// The verdict over ranked trajectories, with one more judgment where the rule asks for it.
    pub(crate) async fn verdict(&self, ranked: &[Trajectory]) -> Result<Verdict, ModelError> {
        let top = self.settings.combined_criteria;
        if let Some(verdict) = verdict::of_trajectories(ranked, self.settings.rule, top) {
            return Ok(verdict);
        }
        Ok(verdict::of_answer(&self.combine(ranked).await?, VerdictRule::Combined))
    }

    /// One judgment under the best m criteria together.
    pub(crate) async fn combine(&self, ranked: &[Trajectory]) -> Result<Answer, ModelError> {
        let best = best_criteria(ranked, self.settings.combined_criteria);
        if best.is_empty() {
            return Ok(Answer::none(Invalid::NoCriteria));
        }
        self.asker.judgment(Step::Combined, self.orders, &best, 0).await
    }
}

fn meta(
    ranked_by: RankedBy,
    judgment: &Outcome<Judgment>,
    originals: &[Outcome<RewardScore>; 2],
    refinements: &[Outcome<Refinement>; 2],
) -> Outcome<MetaReward> {
    match ranked_by {
        RankedBy::Refinement => Trajectory::meta_of(judgment, originals, refinements),
        RankedBy::OriginalScores | RankedBy::Proposal => Trajectory::agreement(judgment, originals),
    }
}

/// The criteria of the first m trajectories.
pub(crate) fn best_criteria(ranked: &[Trajectory], count: usize) -> Vec<Criterion> {
    ranked.iter().take(count).map(|trajectory| trajectory.criterion.clone()).collect()
}

fn numbered(criteria: Vec<Criterion>, source: CriterionSource, from: usize) -> Vec<Proposed> {
    let place = |(offset, criterion)| Proposed { index: from + offset, criterion, source };
    criteria.into_iter().enumerate().map(place).collect()
}

/// The label-free twin of "the first judgment was wrong": any judgment unusable, any two at odds, or a verdict token
/// below 0.75.
fn unsure(trajectories: &[Trajectory]) -> bool {
    let mut preferred = None;
    trajectories.iter().any(|trajectory| match &trajectory.judgment {
        Err(_) => true,
        Ok(judgment) => {
            let at_odds = preferred.replace(judgment.preferred).is_some_and(|earlier| earlier != judgment.preferred);
            at_odds || judgment.logprobs.is_some_and(|logprobs| logprobs.log_odds().abs() < 3f32.ln())
        }
    })
}
