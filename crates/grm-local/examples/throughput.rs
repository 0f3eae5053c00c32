//! Tokens a second of an embedded model: prompt, one reply, eight replies at once.
//!
//! ```text
//! cargo run --release -p grm-local --example throughput -- [model] [repeats]
//! ```
#![expect(clippy::print_stdout, reason = "an example prints its results")]
#![expect(clippy::cast_precision_loss, reason = "token counts are small")]

use std::{env, error::Error, sync::Arc, time::Instant};

use futures::future::join_all;
use grm_core::{CallOrigin, ChatModel, ChatRequest, Message, ModelError, Role, Sampling, Span, Step};
use grm_local::{Engine, EngineConfig, Places, resolve};

fn request(seed: usize, words: usize, max_tokens: u32) -> ChatRequest {
    let text: String = (0..words).map(|word| format!("word{} ", (word * 7 + seed * 13) % 997)).collect();
    ChatRequest {
        messages: vec![Message { role: Role::User, spans: vec![Span::Content(Arc::from(text.as_str()))] }],
        shared_spans: 0,
        sampling: Sampling { temperature: 1.0, top_p: 1.0, seed: seed as u64, max_tokens, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: CallOrigin { pair: "1".into(), step: Step::Judgment, sample: 0, template: "".into() },
    }
}

/// Runs the requests and returns tokens a second, of prompts or of replies.
async fn rate(engine: &Engine, requests: Vec<ChatRequest>, replies: bool) -> Result<f64, ModelError> {
    let before = engine.stats().await?;
    let started = Instant::now();
    for reply in join_all(requests.into_iter().map(|request| engine.chat(request))).await {
        reply?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = engine.stats().await?;
    let tokens = if replies {
        after.generated - before.generated
    } else {
        after.prompt_tokens_computed - before.prompt_tokens_computed
    };
    Ok(tokens as f64 / seconds)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "smollm2-135m".into());
    let repeats: usize = arguments.next().map_or(Ok(3), |repeats| repeats.parse())?;
    let model = resolve(&name, &Places::from_environment(), None)?;
    let engine = Engine::load(EngineConfig { guess: false, ..EngineConfig::new(model) })?;
    engine.chat(request(0, 8, 8)).await?;
    for repeat in 1..=repeats {
        let seed = repeat * 100;
        let prompt = rate(&engine, vec![request(seed, 170, 1)], false).await?;
        let one = rate(&engine, vec![request(seed + 1, 4, 96)], true).await?;
        let eight = rate(&engine, (2..10).map(|call| request(seed + call, 4, 48)).collect(), true).await?;
        println!("{name} repeat {repeat}: prompt {prompt:.0}/s, one reply {one:.1}/s, eight replies {eight:.1}/s");
    }
    Ok(())
}
