//! Measures appending and opening: `cargo run --release -p grm-journal --example append_rate -- RECORDS BYTES [FOLDER]`.

#![expect(clippy::print_stdout, reason = "a measurement's result belongs on stdout")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use grm_core::{
    BoxFuture, CallOrigin, ChatModel, ChatReply, ChatRequest, Finish, Message, ModelError, ModelIdentity, Role,
    Sampling, Span, Step, Usage,
};
use grm_journal::{Journal, JournalOptions};
use tokio::task::JoinSet;

struct Constant {
    identity: ModelIdentity,
    text: String,
}

impl ChatModel for Constant {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, _: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        let (text, finish, usage) = (self.text.clone(), Finish::Stop, Usage::default());
        Box::pin(async move { Ok(ChatReply { text, finish, usage, verdict_logprobs: None }) })
    }
}

fn request(number: u32) -> ChatRequest {
    let spans = vec![Span::Content("a question".into())];
    ChatRequest {
        messages: vec![Message { role: Role::User, spans }],
        shared_spans: 0,
        sampling: Sampling { temperature: 0.7, top_p: 1.0, seed: 0, max_tokens: 512, stop: vec![] },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: CallOrigin { pair: "pair".into(), step: Step::Judgment, sample: number, template: "hash".into() },
    }
}

/// Asks for every call, 64 in flight on two threads; gives back the seconds taken.
fn ask_all(model: &Arc<dyn ChatModel>, records: u32) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("threads can be made");
    let begun = Instant::now();
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for lane in 0..64 {
            let model = Arc::clone(model);
            tasks.spawn(async move {
                for number in (lane..records).step_by(64) {
                    model.chat(request(number)).await.expect("the journal can be written and read");
                }
            });
        }
        tasks.join_all().await;
    });
    begun.elapsed().as_secs_f64()
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown").replace('\t', " ")
}

fn measure(folder: &Path, records: u32, bytes: usize) {
    let identity = ModelIdentity { name: "constant".into(), revision: String::new(), adapter: String::new() };
    let model: Arc<dyn ChatModel> = Arc::new(Constant { identity: identity.clone(), text: "x".repeat(bytes) });

    let begun = Instant::now();
    let journal = Journal::open(folder, &JournalOptions::default()).expect("the folder can be opened");
    println!("open: {:.3} s, {}", begun.elapsed().as_secs_f64(), peak_memory());
    let seconds = ask_all(&journal.chat(model), records);
    journal.sync().expect("the disk can be flushed");
    println!("{:?}", journal.stats());
    println!("{records} calls in {seconds:.2} s: {:.0} a second, {}", f64::from(records) / seconds, peak_memory());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = |otherwise: u32| arguments.next().map_or(otherwise, |text| text.parse().expect("a number"));
    let (records, bytes) = (next(100_000), next(4_000) as usize);
    let folder = arguments.next().expect("a folder for the journal");
    measure(Path::new(&folder), records, bytes);
}
