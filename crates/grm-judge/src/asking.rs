//! One question at a time: a stage's prompt and parser joined by a call.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use grm_core::{
    CallOrigin, ChatModel, ChatReply, ChatRequest, Choice, Comparison, Criterion, Form, Grammar, Invalid, Judgment,
    ModelError, Outcome, Prompt, Refinement, Response, RewardModel, RewardRequest, RewardScore, Sampling, Step,
    VerdictLogprobs, Votes,
};

use crate::{
    JudgeSettings, PairContext, Prompts, Rendered, ResponseContext, Tally, criteria, direct,
    judgment::{self, ParsedJudgment},
    refinement,
};

/// The three roles with the settings they are asked under.
pub(crate) struct Roles {
    pub(crate) genrm: Arc<dyn ChatModel>,
    pub(crate) policy: Arc<dyn ChatModel>,
    pub(crate) disrm: Arc<dyn RewardModel>,
}

/// Asks on behalf of one comparison and counts what comes back.
pub(crate) struct Asker<'a> {
    pub(crate) roles: &'a Roles,
    pub(crate) prompts: &'a Prompts,
    pub(crate) settings: &'a JudgeSettings,
    pub(crate) judgment_grammar: &'a Grammar,
    pub(crate) run_seed: u64,
    pub(crate) pair: Arc<str>,
    pub(crate) tally: Mutex<Tally>,
}

/// The comparison as models see it: in its own order and, when both orders are judged, swapped.
pub(crate) struct Orders {
    pub(crate) straight: PairContext,
    pub(crate) swapped: Option<PairContext>,
}

impl Orders {
    pub(crate) fn of(prompts: &Prompts, comparison: &Comparison, both: bool) -> Self {
        Self { straight: prompts.pair(comparison), swapped: both.then(|| prompts.pair(&comparison.swapped())) }
    }

    fn all(&self) -> impl Iterator<Item = (&PairContext, bool)> {
        std::iter::once((&self.straight, false)).chain(self.swapped.iter().map(|context| (context, true)))
    }
}

/// A response before it is revised: as the policy sees it, and its own text.
pub(crate) struct Draft {
    pub(crate) context: ResponseContext,
    pub(crate) text: String,
}

/// Where a reply ends and the form it has.
struct ReplyForm {
    max_tokens: u32,
    stop: Vec<String>,
    grammar: Grammar,
}

impl ReplyForm {
    fn new(max_tokens: u32, grammar: Grammar) -> Self {
        Self { max_tokens, stop: Vec::new(), grammar }
    }
}

/// What makes one call's seed and key its own.
#[derive(Clone, Copy)]
struct Place {
    step: Step,
    index: usize,
    sample: u32,
    swapped: bool,
}

impl Asker<'_> {
    /// k or n criteria that overlap none of those given; fewer, none or malformed ones are counted.
    pub(crate) async fn criteria(
        &self,
        step: Step,
        pair: &PairContext,
        given: &[Criterion],
        wanted: usize,
    ) -> Result<Vec<Criterion>, ModelError> {
        let max_tokens = self.settings.max_tokens.per_criterion * u32::try_from(wanted).unwrap_or(60);
        let explanation_max = characters(self.settings.max_tokens.per_criterion.saturating_sub(20));
        let place = Place { step, index: 0, sample: 0, swapped: false };
        let rendered = self.prompts.criteria(pair, given, wanted);
        let reply = self
            .chat(
                &self.roles.genrm,
                place,
                rendered,
                ReplyForm::new(max_tokens, criteria::grammar(wanted, explanation_max)),
            )
            .await?;
        let parsed = criteria::parse(&reply.text, reply.finish, wanted, given);
        self.count(step, parsed.problem);
        Ok(parsed.criteria)
    }

    /// The judgment under `criteria`, over all samples and orders.
    pub(crate) async fn judgment(
        &self,
        step: Step,
        orders: &Orders,
        criteria: &[Criterion],
        index: usize,
    ) -> Result<Answer, ModelError> {
        let ask = async |context: &PairContext, place: Place| {
            let rendered = self.prompts.judgment(context, criteria);
            let max_tokens = self.settings.max_tokens.judgment;
            let reply = self
                .chat(&self.roles.genrm, place, rendered, ReplyForm::new(max_tokens, self.judgment_grammar.clone()))
                .await?;
            let parsed = judgment::parse(&reply.text, reply.finish);
            self.count(step, parsed.as_ref().err().copied());
            Ok(Ballot::new(parsed, reply.verdict_logprobs, place))
        };
        let calls = self.places(step, orders, index).map(|(context, place)| ask(context, place));
        Ok(aggregate(&join_all(calls).await.into_iter().collect::<Result<Vec<_>, ModelError>>()?))
    }

    /// The one-call judgment, over all samples and orders; also gives the first reply's text.
    pub(crate) async fn direct(&self, orders: &Orders, form: Form) -> Result<(Answer, ChatReply), ModelError> {
        let ask = async |context: &PairContext, place: Place| {
            let rendered = self.prompts.direct(context, form);
            let max_tokens = if form == Form::Thinking { self.settings.max_tokens.direct } else { 16 };
            let reply = self
                .chat(&self.roles.genrm, place, rendered, ReplyForm::new(max_tokens, direct::grammar(form)))
                .await?;
            let parsed = direct::parse(&reply.text, reply.finish);
            self.count(Step::Direct, parsed.as_ref().err().copied());
            let parsed =
                parsed.map(|preferred| ParsedJudgment { preferred, scores: [0; 2], critiques: Default::default() });
            Ok((Ballot::new(parsed, reply.verdict_logprobs, place), reply))
        };
        let calls = self.places(Step::Direct, orders, 0).map(|(context, place)| ask(context, place));
        let answers = join_all(calls).await.into_iter().collect::<Result<Vec<_>, ModelError>>()?;
        let (ballots, mut replies): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        Ok((aggregate(&ballots), replies.swap_remove(0)))
    }

    /// The policy's revision of one response by one critique, scored.
    pub(crate) async fn refinement(
        &self,
        prompt: &Prompt,
        draft: &Draft,
        critique: &str,
        place: (usize, Choice),
    ) -> Result<Outcome<Refinement>, ModelError> {
        let step = Step::Refinement;
        let rendered = self.prompts.refinement(&draft.context, critique);
        let room = u32::try_from(draft.text.len() / 2).unwrap_or(u32::MAX);
        let max_tokens = self.settings.max_tokens.refinement.max(room);
        let place = Place { step, index: place.0, sample: 0, swapped: place.1 == Choice::Second };
        let stop = self.settings.refinement_stops(&draft.text);
        let form = ReplyForm { stop, ..ReplyForm::new(max_tokens, refinement::grammar()) };
        let reply = self.chat(&self.roles.policy, place, rendered, form).await?;
        let parsed = refinement::parse(&reply.text, reply.finish, &draft.text);
        self.count(step, parsed.as_ref().err().copied());
        Ok(match parsed {
            Ok(text) => {
                let text = draft.context.restore(&text);
                let score = self.score(prompt, Response::from_text(text.as_str())).await?;
                Ok(Refinement { text, score })
            }
            Err(reason) => Err(reason),
        })
    }

    /// The DisRM's score; one that is not finite, or media that it cannot score, is a typed outcome.
    pub(crate) async fn score(&self, prompt: &Prompt, response: Response) -> Result<Outcome<RewardScore>, ModelError> {
        let origin = CallOrigin { pair: self.pair.clone(), step: Step::Scoring, sample: 0, template: Arc::from("") };
        let has_media = !prompt.is_text_only() || !response.is_text_only();
        let request = RewardRequest { prompt: prompt.clone(), response, origin };
        let outcome = match self.roles.disrm.score(request).await {
            Ok(score) => Ok(score),
            Err(ModelError::NonFinite { .. }) => Err(Invalid::MissingRewardScore),
            Err(ModelError::Unsupported { .. }) if has_media => Err(Invalid::Unscorable),
            Err(error) => return Err(error),
        };
        self.count(Step::Scoring, outcome.err());
        Ok(outcome)
    }

    fn places<'o>(
        &self,
        step: Step,
        orders: &'o Orders,
        index: usize,
    ) -> impl Iterator<Item = (&'o PairContext, Place)> {
        (0..self.settings.samples).flat_map(move |sample| {
            orders.all().map(move |(context, swapped)| (context, Place { step, index, sample, swapped }))
        })
    }

    async fn chat(
        &self,
        model: &Arc<dyn ChatModel>,
        place: Place,
        rendered: Rendered,
        form: ReplyForm,
    ) -> Result<ChatReply, ModelError> {
        let origin =
            CallOrigin { pair: self.pair.clone(), step: place.step, sample: place.sample, template: rendered.template };
        let seed = self.seed(place);
        let verdict = matches!(place.step, Step::Judgment | Step::Combined | Step::Direct);
        let request = ChatRequest {
            messages: rendered.messages,
            shared_spans: rendered.shared_spans,
            sampling: Sampling { stop: form.stop, ..self.settings.sampling(place.step, seed, form.max_tokens) },
            grammar: self.settings.constrain.then_some(form.grammar),
            verdict_logprobs: verdict,
            thinking: self.settings.thinking,
            origin,
        };
        model.chat(request).await
    }

    /// blake3 of run seed, pair, step, criterion, sample and order: the same run draws the same tokens, no two calls
    /// share a stream. 53 bits, so that servers reading JSON numbers as doubles see it unchanged.
    fn seed(&self, place: Place) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.run_seed.to_le_bytes());
        hasher.update(&(self.pair.len() as u64).to_le_bytes());
        hasher.update(self.pair.as_bytes());
        hasher.update(place.step.as_str().as_bytes());
        hasher.update(&(place.index as u64).to_le_bytes());
        hasher.update(&place.sample.to_le_bytes());
        hasher.update(&[u8::from(place.swapped)]);
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first) >> 11
    }

    fn count(&self, step: Step, problem: Option<Invalid>) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(step, problem);
    }
}

/// The grammar of judgments whose two critiques fit their token limit together.
pub(crate) fn judgment_grammar(settings: &JudgeSettings) -> Grammar {
    judgment::grammar(characters(settings.max_tokens.judgment.saturating_sub(40) / 2))
}

/// Characters that fit into `tokens` even of a text full of figures and signs: two a token.
fn characters(tokens: u32) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(2)
}

/// What all samples and orders of one question come to. The votes stay known when they decide nothing.
pub(crate) struct Answer {
    pub(crate) judgment: Outcome<Judgment>,
    pub(crate) votes: Votes,
}

impl Answer {
    /// No answer, because nothing could be asked.
    pub(crate) fn none(reason: Invalid) -> Self {
        Self { judgment: Err(reason), votes: Votes::default() }
    }
}

/// One reply's opinion, turned back into the comparison's own order.
struct Ballot {
    sample: u32,
    swapped: bool,
    parsed: Outcome<ParsedJudgment>,
    logprobs: Option<VerdictLogprobs>,
}

impl Ballot {
    fn new(parsed: Outcome<ParsedJudgment>, logprobs: Option<VerdictLogprobs>, place: Place) -> Self {
        let flip = |judgment: ParsedJudgment| {
            let ParsedJudgment { preferred, scores: [a, b], critiques: [of_a, of_b] } = judgment;
            ParsedJudgment { preferred: preferred.other(), scores: [b, a], critiques: [of_b, of_a] }
        };
        let swapped = place.swapped;
        Self {
            sample: place.sample,
            swapped,
            parsed: if swapped { parsed.map(flip) } else { parsed },
            logprobs: if swapped { logprobs.map(VerdictLogprobs::swapped) } else { logprobs },
        }
    }

    fn preferred(&self) -> Option<Choice> {
        self.parsed.as_ref().ok().map(|judgment| judgment.preferred)
    }
}

/// Majority over usable replies. A level vote is decided by the mean log-odds of the verdict tokens where every reply
/// has them (over both orders the position's own pull cancels), and is undecided otherwise.
fn aggregate(ballots: &[Ballot]) -> Answer {
    let votes = tally(ballots);
    Answer { judgment: decide(ballots, votes), votes }
}

fn decide(ballots: &[Ballot], votes: Votes) -> Outcome<Judgment> {
    let logprobs = mean_logprobs(ballots);
    let preferred = match votes.majority() {
        Some(choice) => choice,
        None if votes.first == 0 => return Err(first_problem(ballots)),
        None => match logprobs.map(VerdictLogprobs::log_odds) {
            Some(odds) if odds > 0.0 => Choice::First,
            Some(odds) if odds < 0.0 => Choice::Second,
            _ => return Err(Invalid::Undecided),
        },
    };
    let speaker =
        ballots.iter().filter(|ballot| ballot.preferred() == Some(preferred)).find_map(|b| b.parsed.as_ref().ok());
    let ParsedJudgment { scores, critiques, .. } = speaker.cloned().ok_or(Invalid::Undecided)?;
    Ok(Judgment { preferred, scores, critiques, logprobs, votes })
}

fn tally(ballots: &[Ballot]) -> Votes {
    let mut votes = Votes::default();
    for ballot in ballots {
        match ballot.preferred() {
            Some(Choice::First) => votes.first += 1,
            Some(Choice::Second) => votes.second += 1,
            None => votes.invalid += 1,
        }
        let partner = ballots.iter().find(|other| other.swapped && other.sample == ballot.sample);
        let pair = (ballot.preferred(), partner.and_then(Ballot::preferred));
        if let (false, (Some(straight), Some(swapped))) = (ballot.swapped, pair) {
            votes.both_orders += 1;
            votes.consistent += u32::from(straight == swapped);
        }
    }
    votes
}

fn mean_logprobs(ballots: &[Ballot]) -> Option<VerdictLogprobs> {
    let usable: Vec<&Ballot> = ballots.iter().filter(|ballot| ballot.parsed.is_ok()).collect();
    let all: Option<Vec<VerdictLogprobs>> = usable.iter().map(|ballot| ballot.logprobs).collect();
    let all = all.filter(|all| !all.is_empty())?;
    #[expect(clippy::cast_precision_loss, reason = "a handful of replies")]
    let count = all.len() as f32;
    let mean = |pick: fn(&VerdictLogprobs) -> f32| all.iter().map(pick).sum::<f32>() / count;
    Some(VerdictLogprobs { a: mean(|l| l.a), b: mean(|l| l.b) })
}

fn first_problem(ballots: &[Ballot]) -> Invalid {
    ballots.iter().find_map(|ballot| ballot.parsed.as_ref().err().copied()).unwrap_or(Invalid::Upstream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballot(sample: u32, swapped: bool, said: Result<Choice, Invalid>, odds: Option<f32>) -> Ballot {
        let parsed = said.map(|preferred| ParsedJudgment {
            preferred,
            scores: [7, 3],
            critiques: ["of the one shown as A".into(), "of the one shown as B".into()],
        });
        let place = Place { step: Step::Judgment, index: 0, sample, swapped };
        Ballot::new(parsed, odds.map(|odds| VerdictLogprobs { a: odds, b: 0.0 }), place)
    }

    use Choice::{First, Second};

    #[test]
    fn a_swapped_reply_is_turned_back() {
        let judgment = aggregate(&[ballot(0, true, Ok(First), Some(1.5))]).judgment.unwrap();
        assert_eq!((judgment.preferred, judgment.scores), (Second, [3, 7]));
        assert_eq!(judgment.critiques[0], "of the one shown as B");
        assert_eq!(judgment.logprobs.unwrap().log_odds(), -1.5);
    }

    #[test]
    fn a_judge_that_always_says_a_is_inconsistent_and_undecided() {
        let always_a = [ballot(0, false, Ok(First), None), ballot(0, true, Ok(First), None)];
        assert_eq!(aggregate(&always_a).judgment, Err(Invalid::Undecided));
        let votes = aggregate(&always_a).votes;
        assert_eq!((votes.both_orders, votes.consistent), (1, 0));
    }

    #[test]
    fn verdict_tokens_break_a_level_vote_with_the_position_cancelled() {
        let leans_first = [ballot(0, false, Ok(First), Some(3.0)), ballot(0, true, Ok(First), Some(2.0))];
        let judgment = aggregate(&leans_first).judgment.unwrap();
        assert_eq!(judgment.preferred, First);
        assert_eq!(judgment.logprobs.unwrap().log_odds(), 0.5);
    }

    #[test]
    fn the_majority_wins_and_the_unusable_are_counted() {
        let all = [
            ballot(0, false, Ok(Second), None),
            ballot(1, false, Err(Invalid::Truncated), None),
            ballot(2, false, Ok(Second), None),
            ballot(3, false, Ok(First), None),
        ];
        let judgment = aggregate(&all).judgment.unwrap();
        assert_eq!(judgment.preferred, Second);
        assert_eq!((judgment.votes.first, judgment.votes.second, judgment.votes.invalid), (1, 2, 1));
        assert_eq!(aggregate(&all[1..2]).judgment, Err(Invalid::Truncated));
    }
}
