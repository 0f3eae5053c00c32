//! The thread that owns a llama.cpp context: takes calls in, decodes batches, hands replies out.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
    time::Duration,
};

use futures::channel::oneshot;
use grm_core::{ChatReply, Finish, ModelError, Usage, VerdictLogprobs};
use grm_text::{Draw, LetterPlace, ReplyText, log_probabilities};
use llama_cpp_2::{context::LlamaContext, llama_batch::LlamaBatch, token::LlamaToken};

use crate::{
    cores,
    grammar::GrammarState,
    lookup::Lookup,
    scheduler::{CacheChange, EngineStats, Job, JobId, Run, Scheduler, Token},
    weights::{Weights, engine_error},
};

/// What callers send.
pub(crate) enum Command {
    Generate(Box<Generate>, oneshot::Sender<Result<ChatReply, ModelError>>),
    Hidden(Job, oneshot::Sender<Result<Hidden, ModelError>>),
    Stats(oneshot::Sender<EngineStats>),
}

/// A reply to be generated.
pub(crate) struct Generate {
    pub(crate) job: Job,
    pub(crate) draw: Draw,
    pub(crate) stops: Vec<String>,
    pub(crate) grammar: Option<grm_core::Grammar>,
    pub(crate) verdict_logprobs: bool,
    pub(crate) guess: bool,
}

/// Hidden states read after the final norm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hidden {
    /// The state of the last token.
    pub(crate) last: Vec<f32>,
    /// The mean state of the tokens after the shared ones.
    pub(crate) mean: Vec<f32>,
}

/// A call that is in.
enum Caller {
    Reply(Box<Replying>, oneshot::Sender<Result<ChatReply, ModelError>>),
    Hidden(Reading, oneshot::Sender<Result<Hidden, ModelError>>),
}

struct Replying {
    draw: Draw,
    text: ReplyText,
    grammar: Option<GrammarState>,
    verdict_logprobs: bool,
    logprobs: Option<VerdictLogprobs>,
    lookup: Option<Lookup>,
    prompt_tokens: usize,
    tokens: u64,
    tokens_max: u64,
}

/// The running sum of hidden states.
struct Reading {
    shared: usize,
    sum: Vec<f64>,
    count: usize,
}

/// One context and the calls it serves.
pub(crate) struct Worker<'model> {
    weights: Arc<Weights>,
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    batch_tokens: usize,
    threads: usize,
    embeddings: bool,
    scheduler: Scheduler,
    callers: Vec<(JobId, Caller)>,
}

impl<'model> Worker<'model> {
    pub(crate) fn new(
        weights: Arc<Weights>,
        context: LlamaContext<'model>,
        scheduler: Scheduler,
        batch_tokens: usize,
        threads: usize,
        embeddings: bool,
    ) -> Self {
        let batch = LlamaBatch::new(batch_tokens, 1);
        Self { weights, context, batch, batch_tokens, threads, embeddings, scheduler, callers: Vec::new() }
    }

    /// Serves until every sender is gone and every call is answered or dropped.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        let mut open = true;
        while open || !self.scheduler.is_idle() {
            open = self.take_commands(commands);
            self.drop_cancelled();
            self.step();
        }
    }

    /// Takes in what was sent, waiting when there is nothing else to do; false once all senders are gone.
    fn take_commands(&mut self, commands: &Receiver<Command>) -> bool {
        if self.scheduler.is_idle() {
            match commands.recv() {
                Ok(command) => self.take(command),
                Err(_) => return false,
            }
            // Calls come in bursts; a moment's patience lets the burst share one batch.
            while let Ok(command) = commands.recv_timeout(Duration::from_micros(200)) {
                self.take(command);
            }
        }
        loop {
            match commands.try_recv() {
                Ok(command) => self.take(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Stats(reply) => {
                let _ = reply.send(self.scheduler.stats);
            }
            Command::Hidden(job, reply) => {
                let reading = Reading { shared: job.shared, sum: vec![0.0; self.weights.width()], count: 0 };
                let id = self.scheduler.submit(job);
                self.callers.push((id, Caller::Hidden(reading, reply)));
            }
            Command::Generate(generate, reply) => match self.replying(&generate) {
                Ok(replying) => {
                    let id = self.scheduler.submit(generate.job);
                    self.callers.push((id, Caller::Reply(Box::new(replying), reply)));
                }
                Err(error) => {
                    let _ = reply.send(Err(error));
                }
            },
        }
    }

    fn replying(&self, generate: &Generate) -> Result<Replying, ModelError> {
        let grammar = generate.grammar.as_ref().map(|grammar| GrammarState::new(&self.weights, grammar)).transpose()?;
        Ok(Replying {
            draw: generate.draw,
            text: ReplyText::new(&generate.stops),
            grammar,
            verdict_logprobs: generate.verdict_logprobs,
            logprobs: None,
            lookup: (generate.guess && self.weights.can_fork()).then(|| Lookup::new(generate.job.prompt.clone())),
            prompt_tokens: generate.job.prompt.len(),
            tokens: 0,
            tokens_max: generate.job.reply_tokens_max as u64,
        })
    }

    fn drop_cancelled(&mut self) {
        let scheduler = &mut self.scheduler;
        self.callers.retain(|(id, caller)| {
            let cancelled = match caller {
                Caller::Reply(_, reply) => reply.is_canceled(),
                Caller::Hidden(_, reply) => reply.is_canceled(),
            };
            if cancelled {
                scheduler.finish(*id);
            }
            !cancelled
        });
    }

    fn step(&mut self) {
        let (changes, runs) = self.scheduler.plan(self.batch_tokens);
        let outcome = changes.into_iter().try_for_each(|change| self.change(change));
        if runs.is_empty() {
            outcome.unwrap_or_else(|error| self.fail_all(&error));
            return;
        }
        match outcome.and_then(|()| self.decode(&runs)) {
            Ok(()) => self.read(&runs),
            Err(error) => self.fail_all(&error),
        }
    }

    fn change(&mut self, change: CacheChange) -> Result<(), String> {
        let position = |length: usize| u32::try_from(length).expect("a cache has fewer than 2^32 cells");
        let number = |sequence: usize| i32::try_from(sequence).expect("there are fewer than 256 sequences");
        match change {
            CacheChange::Fork { from, to, length } => self
                .context
                .copy_kv_cache_seq(number(from), number(to), Some(0), Some(position(length)))
                .map_err(|error| error.to_string()),
            CacheChange::Cut { sequence, length } => self.remove(sequence, Some(position(length))),
            CacheChange::Remove { sequence } => self.remove(sequence, None),
        }
    }

    fn remove(&mut self, sequence: usize, from: Option<u32>) -> Result<(), String> {
        let sequence = u32::try_from(sequence).expect("there are fewer than 256 sequences");
        match self.context.clear_kv_cache_seq(Some(sequence), from, None) {
            Ok(true) => Ok(()),
            Ok(false) => Err("the cache cannot drop the end of a sequence".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn decode(&mut self, runs: &[Run]) -> Result<(), String> {
        self.batch.clear();
        for run in runs {
            let sequence = [i32::try_from(run.sequence).expect("there are fewer than 256 sequences")];
            for (index, &token) in run.tokens.iter().enumerate() {
                let position = i32::try_from(run.start + index).expect("a cache has fewer than 2^31 cells");
                let output = self.embeddings || run.reader.is_some_and(|reader| index >= reader.first_output);
                self.batch.add(LlamaToken(token), position, &sequence, output).map_err(|error| error.to_string())?;
            }
        }
        let turn = cores::turn(self.threads);
        self.context.decode(&mut self.batch).map_err(|error| error.to_string())?;
        drop(turn);
        self.scheduler.decoded(runs);
        Ok(())
    }

    fn read(&mut self, runs: &[Run]) {
        let mut row = 0;
        for run in runs {
            let first_row = row;
            row += run.tokens.len();
            let Some(reader) = run.reader else { continue };
            let Some(at) = self.callers.iter().position(|(id, _)| *id == reader.job) else { continue };
            let complete = reader.first_output < run.tokens.len();
            let done = match &mut self.callers[at].1 {
                Caller::Hidden(reading, _) => match read_hidden(&self.context, reading, run, first_row) {
                    Ok(Some(last)) if complete => Some(Ok(Answer::Hidden(reading.answer(last)))),
                    Ok(_) => None,
                    Err(error) => Some(Err(error)),
                },
                Caller::Reply(..) if !complete => None,
                Caller::Reply(replying, _) => {
                    let mut step =
                        Step { weights: &self.weights, context: &self.context, scheduler: &mut self.scheduler };
                    step.reply(reader.job, replying, run, first_row + reader.first_output).transpose()
                }
            };
            if let Some(answer) = done {
                let (id, caller) = self.callers.swap_remove(at);
                self.scheduler.finish(id);
                caller.answer(answer);
            }
        }
    }

    /// A failed decode leaves the cache in doubt: everybody is told, and the cache starts anew.
    fn fail_all(&mut self, reason: &str) {
        self.scheduler.reset();
        self.context.clear_kv_cache();
        let name = &self.weights.source.name;
        for (_, caller) in self.callers.drain(..) {
            caller.answer(Err(engine_error(format!("could not run {name}"), reason.to_owned())));
        }
    }
}

enum Answer {
    Reply(ChatReply),
    Hidden(Hidden),
}

impl Caller {
    fn answer(self, answer: Result<Answer, ModelError>) {
        // A receiver that is gone was cancelled in this very step.
        match (self, answer) {
            (Self::Reply(_, reply), Ok(Answer::Reply(answer))) => drop(reply.send(Ok(answer))),
            (Self::Hidden(_, reply), Ok(Answer::Hidden(answer))) => drop(reply.send(Ok(answer))),
            (Self::Reply(_, reply), Err(error)) => drop(reply.send(Err(error))),
            (Self::Hidden(_, reply), Err(error)) => drop(reply.send(Err(error))),
            (Self::Reply(..), Ok(Answer::Hidden(_))) | (Self::Hidden(..), Ok(Answer::Reply(_))) => {
                unreachable!("answers are made for their own caller")
            }
        }
    }
}

/// What drawing the tokens of one step needs.
struct Step<'a, 'model> {
    weights: &'a Weights,
    context: &'a LlamaContext<'model>,
    scheduler: &'a mut Scheduler,
}

impl Step<'_, '_> {
    /// Draws at the first output of the run and, as long as guesses were right, at those after it. Returns the reply
    /// when it is finished.
    fn reply(
        &mut self,
        id: JobId,
        replying: &mut Replying,
        run: &Run,
        row: usize,
    ) -> Result<Option<Answer>, ModelError> {
        let first_output = run.reader.map_or(0, |reader| reader.first_output);
        let guesses = &run.tokens[first_output + 1..];
        let mut right = 0;
        loop {
            let logits = self.context.get_logits_ith(to_row(row + right));
            let token = replying.draw(logits, self.weights)?;
            if let Some(finish) = replying.push(token, logits, self.weights) {
                self.scheduler.drew(id, run, first_output + 1 + right, token, &[]);
                return Ok(Some(Answer::Reply(replying.finish(finish, self.scheduler.cached(id)))));
            }
            if guesses.get(right) != Some(&token) {
                let next = replying.guesses(guesses.len(), right);
                self.scheduler.drew(id, run, first_output + 1 + right, token, &next);
                return Ok(None);
            }
            right += 1;
        }
    }
}

impl Replying {
    fn draw(&mut self, logits: &[f32], weights: &Weights) -> Result<Token, ModelError> {
        match &mut self.grammar {
            Some(grammar) => grammar.draw(self.draw, logits, self.tokens, weights),
            None => {
                let token = self.draw.token(logits, self.tokens).and_then(|token| Token::try_from(token).ok());
                token.ok_or_else(|| ModelError::BadReply {
                    place: weights.source.name.clone(),
                    reason: "the model's logits are not finite numbers".into(),
                })
            }
        }
    }

    /// Adds a token and says whether the reply ends with it.
    fn push(&mut self, token: Token, logits: &[f32], weights: &Weights) -> Option<Finish> {
        self.tokens += 1;
        if weights.ends_turn(token) {
            return Some(Finish::Stop);
        }
        let piece = weights.piece(token);
        if self.verdict_logprobs {
            self.note_verdict(token, piece, logits, weights);
        }
        if let Some(lookup) = &mut self.lookup {
            lookup.push(token);
        }
        if self.text.push(piece) {
            return Some(Finish::Stop);
        }
        (self.tokens >= self.tokens_max).then_some(Finish::Length)
    }

    fn note_verdict(&mut self, token: Token, piece: &[u8], logits: &[f32], weights: &Weights) {
        let Some(place) = LetterPlace::find(self.text.bytes(), piece) else { return };
        let other = weights.token_writing(&place.counterpart(piece));
        self.logprobs = other.and_then(|other| {
            let [drawn, other] =
                log_probabilities(logits, [usize::try_from(token).ok()?, usize::try_from(other).ok()?]);
            let (a, b) = if place.letter == b'A' { (drawn, other) } else { (other, drawn) };
            Some(VerdictLogprobs { a, b })
        });
    }

    fn guesses(&mut self, tried: usize, right: usize) -> Vec<Token> {
        let Some(lookup) = &mut self.lookup else { return Vec::new() };
        lookup.learn(tried, right);
        lookup.guess()
    }

    fn finish(&mut self, finish: Finish, cached: usize) -> ChatReply {
        let text = std::mem::replace(&mut self.text, ReplyText::new(&[])).into_text();
        let usage = Usage {
            prompt_tokens: self.prompt_tokens as u64,
            cached_tokens: cached as u64,
            completion_tokens: self.tokens,
        };
        ChatReply { text, finish, usage, verdict_logprobs: self.logprobs }
    }
}

fn to_row(row: usize) -> i32 {
    i32::try_from(row).expect("a batch has fewer than 2^31 tokens")
}

/// Adds the states of a run to the sum and returns the last one. `None` means the run lies within the shared tokens.
fn read_hidden(
    context: &LlamaContext,
    reading: &mut Reading,
    run: &Run,
    first_row: usize,
) -> Result<Option<Vec<f32>>, ModelError> {
    let mut last = None;
    for index in 0..run.tokens.len() {
        if run.start + index < reading.shared {
            continue;
        }
        let state = context
            .embeddings_ith(to_row(first_row + index))
            .map_err(|error| engine_error("could not read a hidden state", error))?;
        reading.add(state);
        last = Some(state.to_vec());
    }
    Ok(last)
}

impl Reading {
    fn add(&mut self, state: &[f32]) {
        self.count += 1;
        for (sum, value) in self.sum.iter_mut().zip(state) {
            *sum += f64::from(*value);
        }
    }

    fn answer(&self, last: Vec<f32>) -> Hidden {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a mean of f32 states is an f32"
        )]
        let mean = self.sum.iter().map(|sum| (sum / self.count as f64) as f32).collect();
        Hidden { last, mean }
    }
}
