//! The whole method around scripted models: which calls are made, and what becomes of the replies.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use grm_core::{
    BoxFuture, ChatModel, ChatReply, ChatRequest, Choice, Comparison, Criterion, CriterionSource, Decision, Finish,
    Form, Invalid, MediaRef, ModelError, ModelIdentity, Part, Preference, Prompt, RankedBy, Response, RewardModel,
    RewardRequest, RewardScore, Role, ScorerId, Step, Turn, Usage,
};
use grm_judge::{Explore, JudgeSettings, Pipeline, Prompts, Rejected, Route, VerdictRule};

fn identity(name: &str) -> ModelIdentity {
    ModelIdentity { name: name.into(), revision: "1".into(), adapter: String::new() }
}

type Script = Box<dyn Fn(&ChatRequest) -> String + Send + Sync>;

/// Answers by script and remembers what it was asked.
struct Scripted {
    identity: ModelIdentity,
    script: Script,
    asked: Mutex<Vec<ChatRequest>>,
}

impl Scripted {
    fn new(script: impl Fn(&ChatRequest) -> String + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { identity: identity("scripted"), script: Box::new(script), asked: Mutex::default() })
    }

    fn asked_by_step(&self) -> BTreeMap<Step, usize> {
        let mut counts = BTreeMap::new();
        for request in self.asked.lock().expect("no test panics while asking").iter() {
            *counts.entry(request.origin.step).or_default() += 1;
        }
        counts
    }
}

impl ChatModel for Scripted {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        let text = (self.script)(&request);
        self.asked.lock().expect("no test panics while asking").push(request);
        let reply = ChatReply { text, finish: Finish::Stop, usage: Usage::default(), verdict_logprobs: None };
        Box::pin(async move { Ok(reply) })
    }
}

/// Longer is better; a response of "nan" has no finite score.
struct Length(ModelIdentity);

impl RewardModel for Length {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        let text = request.response.joined_text();
        #[expect(clippy::cast_precision_loss, reason = "short texts")]
        let value = if text == "nan" { f32::NAN } else { text.len() as f32 };
        let score = RewardScore::new(value, ScorerId(1)).map_err(|_| ModelError::NonFinite { place: "length".into() });
        Box::pin(async move { score })
    }
}

fn comparison(first: &str, second: &str) -> Comparison {
    let responses = [Response::from_text(first), Response::from_text(second)];
    Comparison { id: "pair-1".into(), prompt: Prompt::from_text("Name a prime."), responses }
}

fn prompt_of(request: &ChatRequest) -> String {
    request.messages.iter().map(grm_core::Message::text).collect()
}

fn criteria(from: usize, count: usize) -> String {
    (1..=count)
        .map(|n| format!("<criteria {n}>**Point {}**: about point {}</criteria {n}>\n", from + n, from + n))
        .collect()
}

fn judgment(preferred: Choice) -> String {
    let (a, b) = if preferred == Choice::First { (8, 4) } else { (3, 9) };
    format!("<Judge A>of A Score: {a}</Judge A>\n<Judge B>of B Score: {b}</Judge B>\n[[{}]]", preferred.letter())
}

/// A GenRM that always prefers the response holding "seven", wherever it stands; refinement appends to it.
fn honest(request: &ChatRequest) -> String {
    let prompt = prompt_of(request);
    let first_is_seven = prompt.find("seven").is_some_and(|at| at < prompt.find("[Response B]").unwrap_or(usize::MAX));
    let preferred = if first_is_seven { Choice::First } else { Choice::Second };
    match request.origin.step {
        Step::Criteria => criteria(0, 3),
        Step::Expansion => criteria(3, 7),
        Step::Judgment | Step::Combined => judgment(preferred),
        Step::Refinement if prompt.contains("of A") => "seven, which is prime".into(),
        Step::Refinement => "eight is even".into(),
        Step::Direct => format!("<think>x</think>\n[[{}]]", preferred.letter()),
        Step::Scoring => unreachable!("scores are not chat"),
    }
}

fn pipeline(genrm: &Arc<Scripted>, settings: JudgeSettings) -> Pipeline {
    let disrm = Arc::new(Length(identity("length")));
    Pipeline::new(genrm.clone(), genrm.clone(), disrm, Prompts::builtin(), settings, 7)
}

#[tokio::test]
async fn ten_criteria_are_followed_ranked_and_combined() {
    let genrm = Scripted::new(honest);
    let judged = pipeline(&genrm, JudgeSettings::default()).judge(&comparison("seven", "eight")).await.unwrap();
    assert_eq!(judged.verdict.decision, Decision::Prefer(Choice::First));
    assert_eq!(judged.trajectories.len(), 10);
    // ŝ1 = 21 > ŝ2 = 13: consistent, worth ŝ2 − s2 = 13 − 5.
    assert!(judged.trajectories.iter().all(|t| t.meta.is_ok_and(|meta| meta.consistent && meta.value == 8.0)));
    assert_eq!(judged.trajectories[3].source, CriterionSource::Expanded);
    let counts = genrm.asked_by_step();
    let expected =
        [(Step::Criteria, 1), (Step::Expansion, 1), (Step::Judgment, 10), (Step::Refinement, 20), (Step::Combined, 1)];
    assert_eq!(counts, BTreeMap::from(expected));
    assert_eq!(judged.tally.valid_of(&[Step::Scoring]), (22, 22));
}

#[tokio::test]
async fn every_call_of_a_pair_shares_its_leading_spans_and_has_its_own_seed() {
    let genrm = Scripted::new(honest);
    pipeline(&genrm, JudgeSettings::default()).judge(&comparison("seven", "eight")).await.unwrap();
    let asked = genrm.asked.lock().unwrap();
    let shared = |request: &ChatRequest| -> Vec<grm_core::Span> {
        request.messages.iter().flat_map(|m| m.spans.clone()).take(request.shared_spans).collect()
    };
    let about_the_pair: Vec<_> = asked.iter().filter(|r| r.origin.step != Step::Refinement).collect();
    assert!(about_the_pair.windows(2).all(|two| shared(two[0]) == shared(two[1])));
    let mut seeds: Vec<u64> = asked.iter().map(|request| request.sampling.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), asked.len());
    assert!(seeds.iter().all(|seed| *seed < 1 << 53));
}

#[tokio::test]
async fn both_orders_expose_a_judge_that_always_says_a() {
    let genrm = Scripted::new(|request| match request.origin.step {
        Step::Judgment | Step::Combined => judgment(Choice::First),
        _ => honest(request),
    });
    let settings = JudgeSettings { both_orders: true, ..JudgeSettings::default() };
    let judged = pipeline(&genrm, settings).judge(&comparison("seven", "eight")).await.unwrap();
    assert_eq!(judged.verdict.decision, Decision::Tie);
    assert!(judged.trajectories.iter().all(|t| t.judgment == Err(Invalid::Undecided)));

    let settings = JudgeSettings { both_orders: true, ..JudgeSettings::default() };
    let judged = pipeline(&Scripted::new(honest), settings).judge(&comparison("eight", "seven")).await.unwrap();
    assert_eq!(judged.verdict.decision, Decision::Prefer(Choice::Second));
    assert_eq!((judged.verdict.votes.both_orders, judged.verdict.votes.consistent), (1, 1));
}

#[tokio::test]
async fn exploration_waits_until_the_first_judgments_disagree() {
    let settings = JudgeSettings { explore: Explore::WhenUnsure, ..JudgeSettings::default() };
    let agreeing = Scripted::new(honest);
    pipeline(&agreeing, settings.clone()).judge(&comparison("seven", "eight")).await.unwrap();
    assert_eq!(agreeing.asked_by_step().get(&Step::Expansion), None);

    let torn = Scripted::new(|request| {
        let second = request.origin.step == Step::Judgment && prompt_of(request).contains("Point 2");
        if second { judgment(Choice::Second) } else { honest(request) }
    });
    pipeline(&torn, settings).judge(&comparison("seven", "eight")).await.unwrap();
    assert_eq!(torn.asked_by_step().get(&Step::Expansion), Some(&1));
}

#[tokio::test]
async fn the_users_criteria_stand_alone_or_beside_generated_ones() {
    let own = vec![Criterion { name: "Primality".into(), explanation: "Is the number prime?".into() }];
    let alone = Scripted::new(honest);
    let settings = JudgeSettings { criteria: own.clone(), ..JudgeSettings::default() };
    let judged = pipeline(&alone, settings).judge(&comparison("seven", "eight")).await.unwrap();
    assert_eq!((judged.trajectories.len(), judged.trajectories[0].source), (1, CriterionSource::User));
    assert_eq!(alone.asked_by_step().get(&Step::Criteria), None);

    let settings = JudgeSettings { criteria: own, generate_beside: true, ..JudgeSettings::default() };
    let judged = pipeline(&Scripted::new(honest), settings).judge(&comparison("seven", "eight")).await.unwrap();
    assert_eq!(judged.trajectories.len(), 11);
}

#[tokio::test]
async fn unusable_replies_are_counted_and_never_become_scores() {
    let genrm = Scripted::new(|request| match request.origin.step {
        Step::Judgment if prompt_of(request).contains("Point 1\n") || prompt_of(request).contains("Point 1**") => {
            "I like A.".into()
        }
        Step::Refinement if prompt_of(request).contains("of B") => "nan".into(),
        _ => honest(request),
    });
    let settings = JudgeSettings { explore: Explore::Never, ..JudgeSettings::default() };
    let judged = pipeline(&genrm, settings).judge(&comparison("seven", "eight")).await.unwrap();
    assert!(judged.trajectories.iter().all(|t| t.meta.is_err()));
    let scoring = &judged.tally.0[&Step::Scoring];
    assert_eq!(scoring.invalid[&Invalid::MissingRewardScore], scoring.replies - scoring.valid);
    assert!(scoring.replies - scoring.valid >= 2);
    assert_eq!(judged.verdict.decision, Decision::Prefer(Choice::First));
}

#[tokio::test]
async fn no_criteria_is_an_invalid_verdict_not_a_guess() {
    let genrm = Scripted::new(|request| match request.origin.step {
        Step::Criteria | Step::Expansion => "I cannot think of any.".into(),
        _ => honest(request),
    });
    let judged = pipeline(&genrm, JudgeSettings::default()).judge(&comparison("seven", "eight")).await.unwrap();
    assert_eq!(judged.verdict.decision, Decision::Invalid(Invalid::NoCriteria));
}

#[tokio::test]
async fn votes_need_no_further_call() {
    for rule in [VerdictRule::Vote, VerdictRule::VoteTop, VerdictRule::MetaWeighted, VerdictRule::Best] {
        let genrm = Scripted::new(honest);
        let settings = JudgeSettings { rule, ..JudgeSettings::default() };
        let judged = pipeline(&genrm, settings).judge(&comparison("eight", "seven")).await.unwrap();
        assert_eq!(judged.verdict.decision, Decision::Prefer(Choice::Second), "{rule:?}");
        assert_eq!(genrm.asked_by_step().get(&Step::Combined), None);
    }
}

async fn synthesise(genrm: &Arc<Scripted>, settings: JudgeSettings, label: Choice) -> grm_judge::Synthesised {
    let preference = Preference { comparison: comparison("seven", "eight"), label };
    pipeline(genrm, settings).synthesise(&preference).await.expect("scripted models always answer")
}

/// Wrong under the first three criteria together, right under the best of all.
fn improves(request: &ChatRequest) -> String {
    match request.origin.step {
        Step::Combined if !prompt_of(request).contains("Point 9") => judgment(Choice::Second),
        Step::Combined => judgment(Choice::First),
        // Only the criteria from 8 on make the policy's work on B worth more.
        Step::Refinement if prompt_of(request).contains("of B") => "eight, even".into(),
        Step::Judgment if ["Point 8", "Point 9", "Point 10"].iter().any(|name| prompt_of(request).contains(name)) => {
            judgment(Choice::First)
        }
        Step::Judgment => judgment(Choice::Second),
        Step::Direct => "<think>hm</think>\n[[B]]".into(),
        _ => honest(request),
    }
}

#[tokio::test]
async fn an_easy_pair_costs_two_calls_and_gives_sft() {
    let genrm = Scripted::new(honest);
    let made = synthesise(&genrm, JudgeSettings::default(), Choice::First).await;
    assert_eq!((made.route, made.dpo), (Route::Easy, None));
    assert_eq!(genrm.asked.lock().unwrap().len(), 2);
    let sft = made.sft.unwrap();
    assert!(
        sft.target.starts_with("<think>\n1. **Point 1**") && sft.target.ends_with("</think>\n[[A]]"),
        "{}",
        sft.target
    );
}

#[tokio::test]
async fn an_improved_pair_gives_sft_and_dpo() {
    let genrm = Scripted::new(improves);
    let made = synthesise(&genrm, JudgeSettings::default(), Choice::First).await;
    assert_eq!(made.route, Route::Improved);
    let dpo = made.dpo.unwrap();
    assert!(dpo.chosen.ends_with("[[A]]") && dpo.chosen.contains("Point 9"));
    assert_eq!(dpo.rejected, "<think>hm</think>\n[[B]]");
    assert_eq!(made.judged.trajectories.len(), 10);
    assert!(made.judged.trajectories[0].meta.unwrap().consistent);

    let settings = JudgeSettings { rejected: Rejected::FirstJudgment, ..JudgeSettings::default() };
    let made = synthesise(&Scripted::new(improves), settings, Choice::First).await;
    assert!(made.dpo.unwrap().rejected.ends_with("[[B]]"));
}

#[tokio::test]
async fn a_pair_that_stays_wrong_is_dropped_and_one_right_by_itself_makes_no_dpo_pair() {
    let made = synthesise(&Scripted::new(honest), JudgeSettings::default(), Choice::Second).await;
    assert_eq!((made.route, made.sft, made.dpo), (Route::Dropped, None, None));

    let right_by_itself = Scripted::new(|request| match request.origin.step {
        Step::Direct => "<think>hm</think>\n[[A]]".into(),
        _ => improves(request),
    });
    let made = synthesise(&right_by_itself, JudgeSettings::default(), Choice::First).await;
    assert_eq!((made.route, made.sft.is_some(), made.dpo), (Route::ImprovedAndDirectRight, true, None));

    let out_of_form = Scripted::new(|request| match request.origin.step {
        Step::Direct => "B, I think".into(),
        _ => improves(request),
    });
    let made = synthesise(&out_of_form, JudgeSettings::default(), Choice::First).await;
    assert_eq!(made.route, Route::ImprovedAndDirectInvalid);
}

#[tokio::test]
async fn the_label_never_changes_what_is_asked_before_a_judgment() {
    let prompts_with = async |label| {
        let genrm = Scripted::new(improves);
        synthesise(&genrm, JudgeSettings::default(), label).await;
        let asked = genrm.asked.lock().unwrap();
        asked.iter().map(|request| (request.origin.step, prompt_of(request))).take(2).collect::<Vec<_>>()
    };
    assert_eq!(prompts_with(Choice::First).await, prompts_with(Choice::Second).await);
}

fn media(name: &str) -> MediaRef {
    MediaRef { sha256: name.repeat(8), path: format!("{name}.png") }
}

/// A question about a picture, and two pictures asked for.
fn shown(first: &str, second: &str) -> Comparison {
    let parts = vec![Part::Image { media: media("question") }, Part::text("Name the prime that is shown.")];
    Comparison { prompt: Prompt { turns: vec![Turn { role: Role::User, parts }] }, ..comparison(first, second) }
}

fn drawn() -> Comparison {
    let draw = |name: &str| Response { parts: vec![Part::Image { media: media(name) }, Part::text(name)] };
    Comparison { responses: [draw("seven"), draw("eight and some")], ..comparison("", "") }
}

/// Scores text and nothing else.
struct TextAlone(Length);

impl RewardModel for TextAlone {
    fn identity(&self) -> &ModelIdentity {
        self.0.identity()
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        if request.prompt.is_text_only() && request.response.is_text_only() {
            return self.0.score(request);
        }
        let (model, what, hint) = ("text alone".into(), "pictures".into(), "leave these pairs out".into());
        Box::pin(async move { Err(ModelError::Unsupported { model, what, hint }) })
    }
}

fn pipeline_of_text(genrm: &Arc<Scripted>) -> Pipeline {
    let disrm = Arc::new(TextAlone(Length(identity("length"))));
    Pipeline::new(genrm.clone(), genrm.clone(), disrm, Prompts::builtin(), JudgeSettings::default(), 7)
}

#[tokio::test]
async fn responses_that_are_shown_are_ranked_by_the_scores_they_have() {
    // Every second criterion prefers the other one.
    let genrm = Scripted::new(|request| match request.origin.step {
        Step::Judgment => {
            let even = ["Point 2", "Point 4", "Point 6", "Point 8", "Point 10"];
            let prompt = prompt_of(request);
            judgment(if even.iter().any(|name| prompt.contains(name)) { Choice::Second } else { Choice::First })
        }
        _ => honest(request),
    });
    let judged = pipeline(&genrm, JudgeSettings::default()).judge(&drawn()).await.unwrap();
    assert_eq!(judged.ranked_by(), Some(RankedBy::OriginalScores));
    assert_eq!(genrm.asked_by_step().get(&Step::Refinement), None, "no picture is revised");
    // "eight and some" is longer by nine.
    let metas: Vec<f32> = judged.trajectories.iter().map(|t| t.meta.unwrap().value).collect();
    assert_eq!(metas, [9.0, 9.0, 9.0, 9.0, 9.0, -9.0, -9.0, -9.0, -9.0, -9.0]);
    let order: Vec<usize> = judged.trajectories.iter().map(|t| t.index).collect();
    assert_eq!(order, [1, 3, 5, 7, 9, 0, 2, 4, 6, 8], "of equals the one proposed first");
    assert_eq!(judged.tally.valid_of(&[Step::Scoring]), (2, 2));
    let swapped = pipeline(&genrm, JudgeSettings::default()).judge(&drawn().swapped()).await.unwrap();
    assert_eq!(swapped.originals[0], judged.originals[1]);
}

#[tokio::test]
async fn without_scores_criteria_keep_their_order_and_it_is_counted() {
    for (comparison, refinement) in [(drawn(), Invalid::NotRefinable), (shown("seven", "eight"), Invalid::Unscorable)] {
        let genrm = Scripted::new(honest);
        let judged = pipeline_of_text(&genrm).judge(&comparison).await.unwrap();
        assert_eq!(judged.ranked_by(), Some(RankedBy::Proposal));
        assert!(judged.trajectories.iter().enumerate().all(|(place, t)| t.index == place));
        assert!(judged.trajectories.iter().all(|t| t.meta == Err(Invalid::Unscorable)));
        assert!(judged.trajectories.iter().all(|t| t.refinements[1] == Err(refinement)));
        assert_eq!(genrm.asked_by_step().get(&Step::Refinement), None, "nobody could score the revisions");
        assert_eq!(judged.tally.0[&Step::Scoring].invalid[&Invalid::Unscorable], 2);
        assert!(judged.verdict.decision.preferred().is_some());
    }
    // A text pair is no exception: there the same answer is a fault.
    let genrm = Scripted::new(honest);
    let judged = pipeline_of_text(&genrm).judge(&comparison("seven", "eight")).await.unwrap();
    assert_eq!(judged.ranked_by(), Some(RankedBy::Refinement));
}

#[tokio::test]
async fn an_example_has_the_form_of_its_modality_and_the_prompt_of_its_form() {
    let genrm = Scripted::new(honest);
    let pipeline = pipeline(&genrm, JudgeSettings::default());
    let preference = |comparison: Comparison| Preference { comparison, label: Choice::First };
    let sft = async |comparison, form| {
        pipeline.synthesise_as(&preference(comparison), form).await.unwrap().sft.expect("the judge is right")
    };
    let (text, media) = (comparison("seven", "eight"), shown("seven", "eight"));
    for (pair, asked, form) in [
        (&text, None, Form::Thinking),
        (&media, None, Form::NonThinking),
        (&text, Some(Form::NonThinking), Form::NonThinking),
        (&media, Some(Form::Thinking), Form::Thinking),
    ] {
        let example = sft(pair.clone(), asked).await;
        assert_eq!(example.form, form);
        assert_eq!(example.target.starts_with("<think>"), form == Form::Thinking, "{}", example.target);
        assert!(example.target.ends_with("[[A]]"));
        let prompts = Prompts::builtin();
        assert_eq!(example.messages, prompts.direct(&prompts.pair(pair), form).messages);
    }
    let example = sft(media, None).await;
    let shown: Vec<_> = example.messages[1].spans.iter().filter_map(|span| span.media()).collect();
    assert_eq!(shown.len(), 1, "the picture is part of the prompt");
}

#[tokio::test]
async fn hard_pairs_with_media_give_thinking_preferences_for_the_continual_stage() {
    let wrong_then_right = Arc::new(Mutex::new(0));
    let count = wrong_then_right.clone();
    let genrm = Scripted::new(move |request| match request.origin.step {
        Step::Combined => {
            let mut asked = count.lock().expect("no test panics while asking");
            *asked += 1;
            judgment(if *asked == 1 { Choice::Second } else { Choice::First })
        }
        Step::Direct => "<think>x</think>\n[[B]]".into(),
        _ => honest(request),
    });
    let preference = Preference { comparison: shown("seven", "eight"), label: Choice::First };
    let made = pipeline(&genrm, JudgeSettings::default()).synthesise(&preference).await.unwrap();
    assert_eq!(made.route, Route::Improved);
    let (sft, dpo) = (made.sft.unwrap(), made.dpo.unwrap());
    assert_eq!((sft.form, sft.target.as_str()), (Form::NonThinking, "[[A]]"));
    assert!(dpo.chosen.starts_with("<think>") && dpo.chosen.ends_with("[[A]]"), "{}", dpo.chosen);
    assert!(dpo.rejected.starts_with("<think>") && dpo.rejected.ends_with("[[B]]"), "{}", dpo.rejected);
    assert_ne!(sft.messages, dpo.messages, "each with the prompt of its form");
}
