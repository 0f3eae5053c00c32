//! The fast path: the method on the world's own numbers, record for record what the pipeline would leave.

use grm_core::{
    Choice, CriterionSource, Decision, Invalid, Judgment, Outcome, RankedBy, Refinement, RewardScore, Trajectory,
    Verdict, Votes,
};
use grm_judge::{Explore, JudgeSettings, VerdictRule};

use super::{World, latent::Revision, latent::Text, words};
use crate::JudgedItem;

/// Scores a judgment gives the response it prefers and the other.
pub(super) const SCORES: [u8; 2] = [8, 4];

/// What a GenRM's words about liking the first answer parse as.
pub(super) const OUT_OF_FORM: &str = "The first answer reads better to me.";

impl World {
    /// Judges every item: exploit, explore, follow, rank, decide, as the settings' k, n, m, `explore` and `rule` say.
    #[must_use]
    pub fn judge_all(&self, settings: &JudgeSettings) -> Vec<JudgedItem> {
        (0..self.settings().items).map(|item| self.judge(item, settings)).collect()
    }

    /// Judges one item.
    #[must_use]
    pub fn judge(&self, item: usize, settings: &JudgeSettings) -> JudgedItem {
        let mut trajectories = self.trajectories(item, settings);
        grm_judge::rank(&mut trajectories);
        let verdict = self.verdict(item, &trajectories, settings);
        JudgedItem {
            id: words::comparison(item).id,
            subset: self.subset(item).to_owned(),
            label: self.label(item),
            trajectories,
            verdict,
        }
    }

    fn trajectories(&self, item: usize, settings: &JudgeSettings) -> Vec<Trajectory> {
        if settings.rule == VerdictRule::Direct {
            return Vec::new();
        }
        let (first, more) = (settings.generated(), settings.expansion());
        let originals = self.originals(item).scores;
        let follow = |index, source| self.follow((item, index), source, &originals);
        let mut all: Vec<Trajectory> = (0..first).map(|index| follow(index, CriterionSource::Initial)).collect();
        if settings.explore != Explore::WhenUnsure || unsure(&all) {
            all.extend((first..first + more).map(|index| follow(index, CriterionSource::Expanded)));
        }
        all
    }

    /// One criterion followed to its meta-reward.
    fn follow(
        &self,
        (item, index): (usize, usize),
        source: CriterionSource,
        originals: &[Outcome<RewardScore>; 2],
    ) -> Trajectory {
        let preferred = self.preferred(item, &[index]).ok_or(Invalid::MalformedSections);
        let refinements = match preferred {
            Err(_) => [Err(Invalid::Upstream), Err(Invalid::Upstream)],
            Ok(preferred) => Choice::BOTH.map(|response| {
                let revision = Revision { criterion: index, objection: response != preferred };
                Ok(self.refinement(Text { item, response, revision: Some(revision) }))
            }),
        };
        let judgment = preferred.map(|preferred| judgment(preferred, index));
        let meta = Trajectory::meta_of(&judgment, originals, &refinements);
        let criterion = words::criterion(index);
        Trajectory { index, criterion, source, judgment, refinements, meta, ranked_by: RankedBy::Refinement }
    }

    fn refinement(&self, text: Text) -> Refinement {
        Refinement { text: words::text(&text), score: self.score(&text).ok_or(Invalid::MissingRewardScore) }
    }

    fn verdict(&self, item: usize, ranked: &[Trajectory], settings: &JudgeSettings) -> Verdict {
        let (rule, top) = (settings.rule, settings.combined_criteria);
        if let Some(verdict) = grm_judge::verdict::of_trajectories(ranked, rule, top) {
            return verdict;
        }
        let rule_name = rule.as_str().to_owned();
        let best: Vec<usize> = match rule {
            VerdictRule::Direct => DIRECT.to_vec(),
            _ => ranked.iter().take(top).map(|trajectory| trajectory.index).collect(),
        };
        if best.is_empty() {
            let decision = Decision::Invalid(Invalid::NoCriteria);
            return Verdict { decision, confidence: None, rule: rule_name, votes: Votes::default() };
        }
        let problem = if rule == VerdictRule::Direct { Invalid::MissingVerdict } else { Invalid::MalformedSections };
        let preferred = self.preferred(item, &best);
        let decision = preferred.map_or(Decision::Invalid(problem), Decision::Prefer);
        Verdict { decision, confidence: None, rule: rule_name, votes: votes(preferred) }
    }
}

/// What the GenRM looks at when no criteria are given: as many as its prompt asks for, the first it would propose.
pub(super) const DIRECT: [usize; 3] = [0, 1, 2];

fn judgment(preferred: Choice, criterion: usize) -> Judgment {
    let [high, low] = SCORES;
    let scores = if preferred == Choice::First { [high, low] } else { [low, high] };
    let critiques = Choice::BOTH.map(|of| words::critique(Revision { criterion, objection: of != preferred }));
    Judgment { preferred, scores, critiques, logprobs: None, votes: votes(Some(preferred)) }
}

fn votes(preferred: Option<Choice>) -> Votes {
    let one = |choice| u32::from(preferred == Some(choice));
    Votes {
        first: one(Choice::First),
        second: one(Choice::Second),
        invalid: u32::from(preferred.is_none()),
        ..Votes::default()
    }
}

/// The pipeline's rule for exploring further, without verdict-token probabilities: this world reports none.
fn unsure(trajectories: &[Trajectory]) -> bool {
    let preferred = |trajectory: &Trajectory| trajectory.judgment.as_ref().map(|judgment| judgment.preferred).ok();
    trajectories.iter().any(|trajectory| {
        let said = preferred(trajectory);
        said.is_none() || said != preferred(&trajectories[0])
    })
}
