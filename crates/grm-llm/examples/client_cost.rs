//! What one chat call costs the client: CPU time at 64 calls in flight against the mock server in another process.
//!
//! `cargo run --release -p grm-llm --example client_cost [calls] [prompt bytes]` (Linux: CPU time is read from /proc).

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use futures::{StreamExt, stream};
use grm_core::{CallOrigin, ChatModel, ChatRequest, Message, Role, Sampling, Span, Step};
use grm_llm::{ChatEndpoint, Concurrency, RemoteChat, Transport, TransportConfig};
use grm_mock::{MockConfig, MockServer};

type Failure = Box<dyn std::error::Error>;

const IN_FLIGHT: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("serve") => serve().await,
        calls => {
            let calls = calls.unwrap_or("30000").parse()?;
            let prompt_bytes = arguments.next().as_deref().unwrap_or("6000").parse()?;
            measure(calls, prompt_bytes).await
        }
    }
}

/// The other process: prints its address and stays until it is killed.
async fn serve() -> Result<(), Failure> {
    let server = MockServer::start(MockConfig::default()).await?;
    println!("{}", server.url());
    std::future::pending().await
}

async fn measure(calls: usize, prompt_bytes: usize) -> Result<(), Failure> {
    let (mut server, url) = start_server()?;
    let concurrency = Concurrency { start: IN_FLIGHT, min: IN_FLIGHT, max: IN_FLIGHT };
    let transport = Transport::new(TransportConfig { concurrency, ..TransportConfig::default() });
    let chat = RemoteChat::connect(ChatEndpoint::new(url), transport).await?;
    let shared: Arc<str> = pair(prompt_bytes).into();
    let (start, before) = (Instant::now(), [cpu_ms("self")?, cpu_ms(&server.id().to_string())?]);
    let failed = stream::iter(0..calls)
        .map(|number| chat.chat(request(&shared, number)))
        .buffer_unordered(IN_FLIGHT)
        .filter(|reply| std::future::ready(reply.is_err()))
        .count()
        .await;
    let (seconds, after) = (start.elapsed().as_secs_f64(), [cpu_ms("self")?, cpu_ms(&server.id().to_string())?]);
    server.kill()?;
    let per_call = |index: usize| (after[index] - before[index]) / calls as f64;
    println!("{calls} calls, {failed} failed, prompt {prompt_bytes} bytes, {IN_FLIGHT} in flight");
    println!("{:.0} calls/s", calls as f64 / seconds);
    println!("client {:.3} CPU-ms per call, mock server {:.3}", per_call(0), per_call(1));
    Ok(())
}

fn start_server() -> Result<(Child, String), Failure> {
    let mut server = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
    let mut url = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut url)?;
    Ok((server, url.trim().to_owned()))
}

/// User and system time of a process, from ticks of 10 ms.
fn cpu_ms(process: &str) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(')').ok_or("unexpected form of /proc stat")?.1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks * 10.0)
}

fn pair(bytes: usize) -> String {
    let text = "A sentence of some words, \"quoted\" here and there.\n".repeat(bytes / 2 / 51);
    format!("[Response A]\n1 {text}\n[End of Response A]\n\n[Response B]\n2 {text}\n[End of Response B]\n\n")
}

fn request(shared: &Arc<str>, number: usize) -> ChatRequest {
    let task = format!(
        "[Criteria]\n1. **Criterion {number}**: x\n[End of Criteria]\n\n<Judge A>critique</Judge A> then [[A]] or [[B]]"
    );
    let spans = vec![Span::Content(Arc::clone(shared)), Span::Template(task.into())];
    ChatRequest {
        messages: vec![Message { role: Role::User, spans }],
        shared_spans: 1,
        sampling: Sampling { temperature: 0.7, top_p: 0.95, seed: number as u64, max_tokens: 1024, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: Some(false),
        origin: CallOrigin { pair: "p".into(), step: Step::Judgment, sample: 0, template: "t".into() },
    }
}
