//! One pair judged under ten criteria, with and without a shared prefix.
//!
//! ```text
//! cargo run --release -p grm-local --example shared_prefix -- [model] [words of each response] [reply tokens]
//! ```
#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::{env, error::Error, sync::Arc, time::Instant};

use futures::future::join_all;
use grm_core::{CallOrigin, ChatModel, ChatRequest, Message, Role, Sampling, Span, Step};
use grm_local::{Engine, EngineConfig, Places, resolve};

const CRITERIA: [&str; 10] =
    ["accuracy", "clarity", "depth", "tone", "usefulness", "length", "honesty", "detail", "order", "care"];

fn request(words: usize, criterion: &str, shared: bool, reply_tokens: u32) -> ChatRequest {
    let response =
        |seed: usize| -> String { (0..words).map(|word| format!("word{} ", (word * 7 + seed) % 97)).collect() };
    let texts = [
        "Judge two answers by one criterion. Question: how does the tide work? Answer A: ".to_owned(),
        response(1),
        "\nAnswer B: ".to_owned(),
        response(2),
        "\nCriterion: ".to_owned(),
        format!("{criterion}. Say which answer is better and why."),
    ];
    let spans = texts.iter().map(|text| Span::Content(Arc::from(text.as_str()))).collect();
    ChatRequest {
        messages: vec![Message { role: Role::User, spans }],
        shared_spans: if shared { 4 } else { 0 },
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 1, max_tokens: reply_tokens, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: CallOrigin { pair: "1".into(), step: Step::Judgment, sample: 0, template: "".into() },
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "smollm2-135m".into());
    let words: usize = arguments.next().map_or(Ok(150), |words| words.parse())?;
    let reply_tokens: u32 = arguments.next().map_or(Ok(64), |tokens| tokens.parse())?;
    let model = resolve(&name, &Places::from_environment(), None)?;
    let load = || {
        Engine::load(EngineConfig { context_tokens: Some(16_384), guess: false, ..EngineConfig::new(model.clone()) })
    };

    let engine = load()?;
    let prompt_tokens = engine.count_tokens(&request(words, CRITERIA[0], true, reply_tokens)).unwrap_or(0);
    println!("{name}: {} criteria, about {prompt_tokens} prompt tokens each", CRITERIA.len());
    let started = Instant::now();
    let replies =
        join_all(CRITERIA.iter().map(|criterion| engine.chat(request(words, criterion, true, reply_tokens)))).await;
    let seconds = started.elapsed().as_secs_f64();
    let generated: u64 =
        replies.into_iter().map(|reply| reply.map(|reply| reply.usage.completion_tokens)).sum::<Result<_, _>>()?;
    let shared = engine.stats().await?;
    println!(
        "shared:     {:6} prompt tokens computed, {generated} generated, {seconds:.2} s",
        shared.prompt_tokens_computed
    );

    let (mut computed, started) = (0, Instant::now());
    for criterion in CRITERIA {
        let engine = load()?;
        engine.chat(request(words, criterion, false, reply_tokens)).await?;
        computed += engine.stats().await?.prompt_tokens_computed;
    }
    println!("one by one: {computed:6} prompt tokens computed, {:.2} s with loading", started.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let ratio = computed as f64 / shared.prompt_tokens_computed as f64;
    println!("{ratio:.1} times fewer prompt tokens");
    Ok(())
}
