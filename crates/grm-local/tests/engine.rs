//! The engine on real weights: SmolLM2-135M, where it has been pulled. Without it each test says that it is skipped.
#![expect(clippy::print_stderr, reason = "a skipped test says why")]

use std::sync::Arc;

use futures::{future::join_all, poll};
use grm_core::{
    CallOrigin, ChatModel, ChatRequest, Finish, Grammar, Message, ModelError, Prompt, Response, Role, Sampling, Span,
    Step,
};
use grm_local::{Engine, EngineConfig, HiddenStates, Places, TextForm, resolve};

/// One test at a time, one thread each: engines side by side would wait for each other's threads.
async fn turn() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

fn config() -> Option<EngineConfig> {
    match resolve("smollm2-135m", &Places::from_environment(), None) {
        Ok(model) => Some(EngineConfig { context_tokens: Some(4096), threads: Some(1), ..EngineConfig::new(model) }),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn engine(config: EngineConfig) -> Engine {
    Engine::load(config).expect("the model loads")
}

const ANSWERS: [&str; 2] = [
    "Water boils at 100 degrees Celsius at sea level. The higher you climb, the lower the pressure of the air and the \
     sooner water boils, so pasta takes longer in the mountains.",
    "It boils when it is hot enough. Just wait for the bubbles, they come after some minutes on a normal stove.",
];

/// A judgment-like call: what calls share first, then the criterion.
fn request(criterion: &str, shared_spans: usize) -> ChatRequest {
    let span = |text: &str| Span::Content(Arc::from(text));
    let ours = |text: &str| Span::Template(Arc::from(text));
    let spans = vec![
        ours("Compare two answers to a question. Question: "),
        span("At what temperature does water boil?"),
        ours("\nAnswer A: "),
        span(ANSWERS[0]),
        ours("\nAnswer B: "),
        span(ANSWERS[1]),
        ours("\nName one strength of answer A. Think of: "),
        span(criterion),
    ];
    ChatRequest {
        messages: vec![Message { role: Role::User, spans }],
        shared_spans,
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 1, max_tokens: 24, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: CallOrigin { pair: Arc::from("1"), step: Step::Judgment, sample: 0, template: Arc::from("") },
    }
}

const CRITERIA: [&str; 12] = [
    "accuracy",
    "clarity",
    "depth",
    "tone",
    "usefulness",
    "length",
    "honesty",
    "detail",
    "order",
    "care",
    "safety",
    "style",
];

#[tokio::test]
async fn sharing_a_prefix_saves_work_and_changes_no_reply() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let shared = engine(EngineConfig { guess: false, ..config.clone() });
    let together = join_all(CRITERIA.iter().map(|criterion| shared.chat(request(criterion, 6)))).await;
    let mut alike = 0;
    for (criterion, reply) in CRITERIA.iter().zip(&together) {
        // A fresh engine has nothing to share.
        let alone = engine(EngineConfig { guess: false, ..config.clone() });
        let alone = alone.chat(request(criterion, 0)).await.expect("a reply");
        let reply = reply.as_ref().expect("a reply");
        assert_eq!(alone.usage.prompt_tokens, reply.usage.prompt_tokens, "the prompt is cut into the same tokens");
        assert!(!reply.text.is_empty());
        alike += usize::from(alone.text == reply.text);
    }
    // Activations are rounded to 8 bits, and batches of another shape round differently, so a near-tie may fall the
    // other way (4 of 12 did on one machine). Over wrong tokens or positions hardly any reply would be the same.
    assert!(alike >= 6, "{alike} of 12 replies are the same");
    let stats = shared.stats().await.expect("stats");
    let asked: u64 = together.iter().flatten().map(|reply| reply.usage.prompt_tokens).sum();
    let cached: u64 = together.iter().flatten().map(|reply| reply.usage.cached_tokens).sum();
    assert_eq!(
        (stats.prompt_tokens_computed + stats.prompt_tokens_reused, stats.prompt_tokens_reused),
        (asked, cached)
    );
    assert!(asked >= 4 * stats.prompt_tokens_computed, "{asked} asked, {stats:?}");
}

#[tokio::test]
async fn guessing_ahead_changes_no_reply() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let copying = || {
        let mut request = request("accuracy", 0);
        request.messages[0].spans = vec![Span::Template(Arc::from(
            format!("Repeat this text word for word and write nothing else.\n\n{}", ANSWERS[0]).as_str(),
        ))];
        request.sampling.max_tokens = 60;
        request
    };
    let plain = engine(EngineConfig { guess: false, ..config.clone() });
    let guessing = engine(EngineConfig { guess: true, ..config });
    let expected = plain.chat(copying()).await.expect("a reply");
    let reply = guessing.chat(copying()).await.expect("a reply");
    // Steps of several tokens round differently from steps of one, so the ends may differ by a near-tie.
    assert!(expected.text.len() > 30 && reply.text.starts_with(&expected.text[..30]), "{expected:?} and {reply:?}");
    let (plain, guessing) = (plain.stats().await.expect("stats"), guessing.stats().await.expect("stats"));
    assert_eq!(plain.draft_tokens_tried, 0);
    assert!(guessing.draft_tokens_accepted > 0, "{guessing:?}");
    assert!(guessing.batches < plain.batches, "{guessing:?} against {plain:?}");
}

#[tokio::test]
async fn sampling_repeats_with_its_seed_and_differs_with_another() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let engine = engine(config);
    let sampled = |seed| {
        let mut request = request("depth", 6);
        request.sampling = Sampling { temperature: 1.0, top_p: 0.95, seed, ..request.sampling };
        engine.chat(request)
    };
    let first = sampled(1).await.expect("a reply");
    // The prompt is in the cache now, so both of these run in the same batches.
    let (again, repeated) = (sampled(1).await.expect("a reply"), sampled(1).await.expect("a reply"));
    assert_eq!(again.text, repeated.text);
    assert_ne!(first.text, sampled(2).await.expect("a reply").text);
}

#[tokio::test]
async fn many_calls_at_once_all_finish() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    // Fewer slots than calls, and fewer cells than all of them want.
    let engine = engine(EngineConfig { slots: 3, context_tokens: Some(768), ..config });
    let replies = join_all(CRITERIA.iter().enumerate().map(|(index, criterion)| {
        let mut request = request(criterion, if index % 2 == 0 { 6 } else { 0 });
        request.sampling.temperature = 0.8;
        engine.chat(request)
    }))
    .await;
    for reply in replies {
        let reply = reply.expect("a reply");
        assert!(reply.usage.completion_tokens <= 24);
        assert_eq!(reply.finish == Finish::Length, reply.usage.completion_tokens == 24);
    }
}

#[tokio::test]
async fn a_dropped_call_frees_its_slot() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let engine = engine(EngineConfig { slots: 1, ..config });
    let mut long = request("depth", 6);
    long.sampling = Sampling { max_tokens: 3000, temperature: 1.5, ..long.sampling };
    let mut abandoned = engine.chat(long);
    assert!(poll!(&mut abandoned).is_pending());
    drop(abandoned);
    engine.chat(request("tone", 6)).await.expect("the slot is free again");
    assert!(engine.stats().await.expect("stats").generated < 1000, "the abandoned call did not run to its end");
}

#[tokio::test]
async fn a_prompt_that_cannot_fit_is_refused_with_the_figures() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let engine = engine(EngineConfig { context_tokens: Some(512), ..config });
    let mut request = request(&"far ".repeat(600), 6);
    let counted = engine.count_tokens(&request).expect("counted");
    match engine.chat(request.clone()).await {
        Err(ModelError::PromptTooLong { tokens, reserved: 24, limit }) => {
            assert_eq!((tokens, limit), (counted, engine.context_tokens() as u64));
        }
        other => panic!("{other:?}"),
    }
    request.messages[0].spans.truncate(2);
    engine.chat(request).await.expect("a shorter one is answered");
}

#[tokio::test]
async fn a_grammar_holds_the_reply_to_its_form() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let engine = engine(config);
    let gbnf = "root ::= \"<Judge A>\" score \"</Judge A><Judge B>\" score \"</Judge B>\\n[[\" [AB] \"]]\"\nscore ::= [1-9] | \"10\"";
    for temperature in [0.0, 1.0] {
        let calls = join_all(CRITERIA.iter().take(4).map(|criterion| {
            let mut request = request(criterion, 6);
            request.grammar = Some(Grammar { name: Arc::from("judgment"), gbnf: Arc::from(gbnf) });
            request.sampling = Sampling { temperature, max_tokens: 64, ..request.sampling };
            request.verdict_logprobs = true;
            engine.chat(request)
        }));
        for reply in calls.await {
            let reply = reply.expect("a reply");
            let verdict = reply.text.strip_suffix("]]").and_then(|text| text.split_once("</Judge B>\n[["));
            let (_, letter) = verdict.unwrap_or_else(|| panic!("not in the form: {:?}", reply.text));
            assert!(reply.text.starts_with("<Judge A>") && ["A", "B"].contains(&letter), "{:?}", reply.text);
            assert_eq!(reply.finish, Finish::Stop);
            let logprobs = reply.verdict_logprobs.expect("the letter is one token");
            assert!(logprobs.a < 0.0 && logprobs.b < 0.0 && logprobs.a.is_finite() && logprobs.b.is_finite());
            if temperature == 0.0 {
                assert_eq!(letter == "A", logprobs.log_odds() >= 0.0);
            }
        }
    }
}

#[tokio::test]
async fn a_grammar_that_cannot_be_read_is_an_error() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let engine = engine(config);
    for gbnf in ["root ::= (\"a\"", "start ::= \"a\"", "root ::= root \"a\"", ""] {
        let mut request = request("tone", 6);
        request.grammar = Some(Grammar { name: Arc::from("judgment"), gbnf: Arc::from(gbnf) });
        let error = engine.chat(request).await.expect_err("refused");
        assert!(error.to_string().contains("the grammar of the judgment prompt"), "{error}");
    }
    engine.chat(request("tone", 6)).await.expect("the engine goes on");
}

#[tokio::test]
async fn a_stop_string_ends_the_reply() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let engine = engine(config);
    let whole = engine.chat(request("clarity", 6)).await.expect("a reply");
    let word = whole.text.split_whitespace().nth(3).expect("several words").to_owned();
    let mut stopped = request("clarity", 6);
    stopped.sampling.stop = vec![word.clone()];
    let reply = engine.chat(stopped).await.expect("a reply");
    assert_eq!(reply.finish, Finish::Stop);
    assert_eq!(Some(reply.text.as_str()), whole.text.split(&word).next());
}

#[tokio::test]
async fn hidden_states_do_not_depend_on_company() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let states = HiddenStates::load(config.clone()).expect("the model loads");
    let prompt = Prompt::from_text("At what temperature does water boil?");
    let responses = ANSWERS.map(Response::from_text);
    for form in TextForm::ALL {
        let together = join_all(responses.iter().map(|response| states.read(&prompt, response, form))).await;
        for (response, together) in responses.iter().zip(together) {
            let fresh = HiddenStates::load(config.clone()).expect("the model loads");
            let alone = fresh.read(&prompt, response, form).await.expect("a state").values;
            let together = together.expect("a state").values;
            assert_eq!(together.len(), form.feature_count(states.width()));
            let size = alone.iter().map(|value| value * value).sum::<f32>().sqrt();
            let apart = alone.iter().zip(&together).map(|(left, right)| (left - right).powi(2)).sum::<f32>().sqrt();
            // 8-bit rounding of activations grows through 30 layers: 4 % was seen between batches of different shape.
            assert!(apart < 0.12 * size, "{}: {apart} apart, size {size}", form.name());
        }
    }
    let stats = states.stats().await.expect("stats");
    assert!(stats.prompt_tokens_reused > 0, "{stats:?}");
}

#[tokio::test]
async fn a_long_prompt_is_cut_and_counted() {
    let _turn = turn().await;
    let Some(config) = config() else { return };
    let states = HiddenStates::load(config).expect("the model loads");
    let long = Prompt::from_text("very ".repeat(3000));
    let response = Response::from_text(ANSWERS[0]);
    let state = states.read(&long, &response, TextForm::ChatLast).await.expect("a state");
    assert!(state.cut_tokens > 900, "{}", state.cut_tokens);
    let error = states.read(&long, &Response::from_text("very ".repeat(3000)), TextForm::ChatLast).await;
    assert!(matches!(error, Err(ModelError::PromptTooLong { .. })));
}
