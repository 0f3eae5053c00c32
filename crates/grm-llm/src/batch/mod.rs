//! Calls without a server: left in an OpenAI batch file, answered from another one later.
//!
//! `vllm run-batch -i requests.jsonl -o replies.jsonl --model MODEL` is the other half. A call whose reply has come is
//! answered like one over HTTP, with the same body and the same decoder. A call whose reply has not come is written down,
//! and its pair goes no further this time; the next time, it gets one stage further. Nothing here remembers a reply: the
//! journal in front of it does.

mod attendance;
mod chat;
mod replies;
mod requests;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use grm_core::{ChatModel, ChatRequest, ModelError, ModelIdentity, RewardModel};

use crate::ChatEndpoint;
use attendance::{Attendance, Attended};
pub use chat::BatchChat;
use replies::Replies;
use requests::Requests;

/// The name of a call in both files, the same whenever the same is asked.
pub type CallName = Box<dyn Fn(&ModelIdentity, &ChatRequest) -> String + Send + Sync>;

/// Both files of a run.
pub struct Mailbox {
    name: CallName,
    replies: Replies,
    requests: Requests,
    attendance: Arc<Attendance>,
}

/// Calls without a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Holds a line for each of them.
    pub requests: PathBuf,
    /// Where replies are looked for.
    pub replies: PathBuf,
    /// How many there are.
    pub calls: u64,
    /// Of those, how many were asked before and failed.
    pub failed: u64,
    /// How the first of those failed.
    pub failure: Option<String>,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("replies", &self.replies).finish_non_exhaustive()
    }
}

impl Mailbox {
    /// Reads what replies there are in `folder`, which is made if it is not there.
    pub fn open(folder: &Path, name: CallName) -> Result<Arc<Self>, ModelError> {
        std::fs::create_dir_all(folder).map_err(|error| trouble("could not create", folder, error))?;
        let replies = Replies::open(&folder.join("replies.jsonl"))?;
        let requests = Requests::new(folder.join("requests.jsonl"));
        Ok(Arc::new(Self { name, replies, requests, attendance: Arc::default() }))
    }

    /// A chat model that is asked through the files: `root` as vLLM is given it, under the endpoint's name or that one.
    /// The endpoint's address is not used.
    pub fn chat(self: &Arc<Self>, root: &str, endpoint: ChatEndpoint) -> Result<BatchChat, ModelError> {
        BatchChat::new(self.clone(), root, endpoint)
    }

    /// A chat model of a server or of this process, whose calls a waiting pair lets finish.
    #[must_use]
    pub fn attend_chat(&self, model: Arc<dyn ChatModel>) -> Arc<dyn ChatModel> {
        Arc::new(Attended { model, attendance: self.attendance.clone() })
    }

    /// The same of a reward model.
    #[must_use]
    pub fn attend_reward(&self, model: Arc<dyn RewardModel>) -> Arc<dyn RewardModel> {
        Arc::new(Attended { model, attendance: self.attendance.clone() })
    }

    /// Puts the file of requests in its place; `None` when no call waits, and then there is no such file.
    pub fn close(&self) -> Result<Option<Waiting>, ModelError> {
        let left = self.requests.close()?;
        Ok((left.calls > 0).then(|| Waiting {
            requests: self.requests.path().to_owned(),
            replies: self.replies.path().to_owned(),
            calls: left.calls,
            failed: left.failed,
            failure: left.failure,
        }))
    }
}

fn trouble(what: &str, path: &Path, error: io::Error) -> ModelError {
    ModelError::Engine { context: format!("{what} {}", path.display()), source: Box::new(error) }
}
