//! A thinker or vision model with a reward head as a [`RewardModel`] (Skywork-VL-Reward).

use std::sync::{
    Arc,
    mpsc::{Receiver, Sender, channel},
};
use std::thread::{self, JoinHandle};

use burn::tensor::Device;
use futures::channel::oneshot;
use grm_core::{
    BoxFuture, MediaLibrary, ModelError, ModelIdentity, Prompt, Response, RewardModel, RewardRequest, RewardScore,
    ScorerId,
};
use grm_model::{Network as _, RewardModel as RewardNetwork, TokenRow};

use crate::{
    folder::{OmniFolder, failed},
    rows::Rows,
};

/// Conversations scored together, at most: the four of a judgment (two originals, two refinements) share their prompt.
const BATCH_MAX: usize = 8;

/// A discriminative reward model that sees, and hears where its network does.
pub struct OmniReward {
    identity: ModelIdentity,
    scorer: ScorerId,
    calls: Option<Sender<Call>>,
    thread: Option<JoinHandle<()>>,
}

struct Call {
    prompt: Prompt,
    response: Response,
    reply: oneshot::Sender<Result<f32, ModelError>>,
}

impl OmniReward {
    /// Loads the model and starts its thread. Blocks while weights are read.
    pub fn load(folder: &OmniFolder, library: Arc<dyn MediaLibrary>, device: &Device) -> Result<Self, ModelError> {
        let identity = folder.identity()?;
        let network = folder.reward(device)?;
        let rows = Rows::new(folder, library)?;
        let (calls, queue) = channel();
        let thread = thread::Builder::new().name("omni-reward".into());
        let thread = thread.spawn(move || run(&network, &rows, &queue));
        let thread = thread.map_err(|error| failed("could not start the reward model's thread", error))?;
        Ok(Self { scorer: ScorerId::of(&identity), identity, calls: Some(calls), thread: Some(thread) })
    }

    async fn ask(&self, request: RewardRequest) -> Result<RewardScore, ModelError> {
        let gone = || failed("the reward model stopped", "its thread ended; run the same command again");
        let (reply, answer) = oneshot::channel();
        let calls = self.calls.as_ref().ok_or_else(gone)?;
        let call = Call { prompt: request.prompt, response: request.response, reply };
        calls.send(call).map_err(|_| gone())?;
        let value = answer.await.map_err(|_| gone())??;
        let score = RewardScore::new(value, self.scorer);
        score.map_err(|_| ModelError::NonFinite { place: self.identity.name.clone() })
    }
}

impl RewardModel for OmniReward {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        Box::pin(self.ask(request))
    }
}

impl Drop for OmniReward {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Scores what waits, several conversations at once.
fn run(network: &RewardNetwork, rows: &Rows, queue: &Receiver<Call>) {
    while let Ok(first) = queue.recv() {
        let calls: Vec<Call> = std::iter::once(first).chain(queue.try_iter().take(BATCH_MAX - 1)).collect();
        let mut ready: Vec<(TokenRow, oneshot::Sender<Result<f32, ModelError>>)> = Vec::new();
        for Call { prompt, response, reply } in calls.into_iter().filter(|call| !call.reply.is_canceled()) {
            match rows.scored(&prompt, &response) {
                Ok(row) => ready.push((row, reply)),
                Err(error) => drop(reply.send(Err(error))),
            }
        }
        answer(network, ready);
    }
}

/// Scores rows together; if one of them cannot be run, each alone.
fn answer(network: &RewardNetwork, ready: Vec<(TokenRow, oneshot::Sender<Result<f32, ModelError>>)>) {
    let (rows, replies): (Vec<_>, Vec<_>) = ready.into_iter().unzip();
    match network.outputs(&rows) {
        Ok(outputs) => {
            for (reply, output) in replies.into_iter().zip(outputs) {
                let _ = reply.send(Ok(output[0]));
            }
        }
        Err(error) if rows.len() == 1 => {
            let error = failed("could not score a conversation", error);
            replies.into_iter().take(1).zip([error]).for_each(|(reply, error)| drop(reply.send(Err(error))));
        }
        Err(_) => rows.into_iter().zip(replies).for_each(|one| answer(network, vec![one])),
    }
}
