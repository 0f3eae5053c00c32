//! The thread that generates: new calls join between steps, and every step adds a token to each.

use std::sync::{
    Arc,
    mpsc::{Receiver, TryRecvError},
};

use futures::channel::oneshot;
use grm_core::{ChatReply, ChatRequest, ModelError, Usage};
use grm_model::{CausalLm, Forest, Grown, Leaf, TokenRow};

use crate::{
    chat::OmniSettings,
    folder::failed,
    reply::{Reply, Step},
    rows::Rows,
};

/// A request and who waits for it.
pub(crate) struct Call {
    pub(crate) request: ChatRequest,
    pub(crate) reply: oneshot::Sender<Result<ChatReply, ModelError>>,
}

/// A call whose prompt is known.
struct Arrival {
    call: Call,
    row: TokenRow,
}

/// A call whose reply grows.
struct Growing {
    reply: Reply,
    leaf: Leaf,
    next: u32,
    waiting: oneshot::Sender<Result<ChatReply, ModelError>>,
}

pub(crate) struct Worker {
    network: CausalLm,
    rows: Arc<Rows>,
    slots: usize,
    model: String,
    forest: Forest,
    growing: Vec<Growing>,
}

impl Worker {
    pub(crate) fn new(network: CausalLm, rows: Arc<Rows>, settings: OmniSettings, model: String) -> Self {
        let forest = network.forest(settings.tokens_kept);
        Self { network, rows, slots: settings.slots.max(1), model, forest, growing: Vec::new() }
    }

    pub(crate) fn run(mut self, calls: &Receiver<Call>) {
        while let Some(calls) = self.receive(calls) {
            let arrivals: Vec<Arrival> = calls.into_iter().filter_map(|call| self.arrive(call)).collect();
            self.plant(arrivals);
            self.growing.retain(|growing| !growing.waiting.is_canceled());
            self.grow();
        }
    }

    /// Calls for the free slots; waits for one when nothing else is to do. `None` when nobody is left to ask.
    fn receive(&self, calls: &Receiver<Call>) -> Option<Vec<Call>> {
        let mut received = Vec::new();
        if self.growing.is_empty() {
            received.push(calls.recv().ok()?);
        }
        while self.growing.len() + received.len() < self.slots {
            match calls.try_recv() {
                Ok(call) => received.push(call),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) if self.growing.is_empty() && received.is_empty() => return None,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        Some(received)
    }

    /// Renders a call's prompt; a call that cannot be asked is answered here.
    fn arrive(&self, call: Call) -> Option<Arrival> {
        if call.reply.is_canceled() {
            return None;
        }
        match self.rows.prompt(&call.request).and_then(|row| self.fitting(row, &call.request)) {
            Ok(row) => Some(Arrival { call, row }),
            Err(error) => {
                let _ = call.reply.send(Err(error));
                None
            }
        }
    }

    fn fitting(&self, row: TokenRow, request: &ChatRequest) -> Result<TokenRow, ModelError> {
        let (tokens, reserved) = (row.tokens.len() as u64, u64::from(request.sampling.max_tokens));
        let limit = self.network.config().positions_max as u64;
        if tokens + reserved <= limit { Ok(row) } else { Err(ModelError::PromptTooLong { tokens, reserved, limit }) }
    }

    /// Computes the prompts of new calls together; if one of them cannot be run, each alone.
    fn plant(&mut self, arrivals: Vec<Arrival>) {
        if arrivals.is_empty() {
            return;
        }
        let leaves: Vec<Leaf> = self.growing.iter().map(|growing| growing.leaf).collect();
        let rows: Vec<TokenRow> = arrivals.iter().map(|arrival| arrival.row.clone()).collect();
        match self.network.plant(&mut self.forest, &rows, &leaves) {
            Ok(planted) => {
                for (growing, leaf) in self.growing.iter_mut().zip(planted.growing) {
                    growing.leaf = leaf;
                }
                for ((arrival, grown), cached) in arrivals.into_iter().zip(planted.rows).zip(planted.cached) {
                    self.begin(arrival, &grown, cached);
                }
            }
            Err(error) => match <[Arrival; 1]>::try_from(arrivals) {
                Ok([alone]) => {
                    let error = failed(format!("{} could not read the prompt", self.model), error);
                    let _ = alone.call.reply.send(Err(error));
                }
                Err(several) => several.into_iter().for_each(|arrival| self.plant(vec![arrival])),
            },
        }
    }

    fn begin(&mut self, arrival: Arrival, grown: &Grown, cached: usize) {
        let Arrival { call: Call { request, reply: waiting }, row } = arrival;
        let usage =
            Usage { prompt_tokens: row.tokens.len() as u64, cached_tokens: cached as u64, completion_tokens: 0 };
        let reply = Reply::new(&request.sampling, request.verdict_logprobs, usage);
        self.advance(Growing { reply, leaf: grown.leaf, next: 0, waiting }, grown);
    }

    /// Adds a token to every growing reply.
    fn grow(&mut self) {
        let rows: Vec<(Leaf, u32)> = self.growing.iter().map(|growing| (growing.leaf, growing.next)).collect();
        if rows.is_empty() {
            return;
        }
        let grown = self.network.grow(&mut self.forest, &rows);
        for (growing, grown) in std::mem::take(&mut self.growing).into_iter().zip(grown) {
            self.advance(growing, &grown);
        }
    }

    /// Draws a reply's next token, or answers.
    fn advance(&mut self, mut growing: Growing, grown: &Grown) {
        let step = growing.reply.step(&grown.logits, self.rows.tokenizer(), &self.model);
        let answer = match step {
            Ok(Step::Token(next)) => {
                self.growing.push(Growing { leaf: grown.leaf, next, ..growing });
                return;
            }
            Ok(Step::Done(finish)) => Ok(growing.reply.finish(finish)),
            Err(error) => Err(error),
        };
        // A receiver that is gone was cancelled in this very step.
        let _ = growing.waiting.send(answer);
    }
}
