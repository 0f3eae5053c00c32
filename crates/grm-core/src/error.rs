//! Why a model call failed. A failure is never turned into a value.

/// A call that has no reply. Each message ends with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Prompt and room for the reply exceed the context.
    #[error(
        "the prompt takes {tokens} tokens and {reserved} are reserved for the reply, but the context holds {limit}; shorten the pair, lower max_tokens, or raise --context"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: u64,
        /// Tokens reserved for generation.
        reserved: u64,
        /// The engine's limit.
        limit: u64,
    },
    /// Nobody answered at the address.
    #[error("could not reach {place}: {reason}; is the server running, and is the URL right?")]
    Unreachable {
        /// URL without credentials.
        place: String,
        /// The transport's own words.
        reason: String,
    },
    /// The server answered that it will not do this, now or later.
    #[error("{place} answered {status}: {reason}; {hint}")]
    Rejected {
        /// URL without credentials.
        place: String,
        /// HTTP status.
        status: u16,
        /// The body's message, shortened.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// All attempts failed on passing trouble.
    #[error("{place} kept failing after {attempts} attempts: {reason}; run the same command again to continue")]
    Exhausted {
        /// URL without credentials.
        place: String,
        /// Attempts made.
        attempts: u32,
        /// The last failure.
        reason: String,
    },
    /// The reply came but does not have the agreed shape.
    #[error("{place} sent a reply that could not be read: {reason}")]
    BadReply {
        /// URL or model.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model cannot take this kind of input.
    #[error("{model} cannot take {what}; {hint}")]
    Unsupported {
        /// The model's name.
        model: String,
        /// What it was given.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A picture, clip or sound whose bytes cannot be had.
    #[error("could not use the media file {path}: {reason}")]
    Media {
        /// The file, as the record names it.
        path: String,
        /// What is wrong with it, and the cure.
        reason: String,
    },
    /// A score that is NaN or infinite.
    #[error("{place} gave a reward score that is not finite")]
    NonFinite {
        /// URL or model.
        place: String,
    },
    /// The call is left in a batch file, and its reply comes another time.
    #[error("the call waits in {place}; answer that file, and run the same command again")]
    Waits {
        /// The file.
        place: String,
    },
    /// The run is being stopped.
    #[error("the call was cancelled")]
    Cancelled,
    /// The engine or the journal failed.
    #[error("{context}")]
    Engine {
        /// What was being done.
        context: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ModelError {
    /// True when further calls would fail the same way, so the run should stop with this message.
    #[must_use]
    pub fn stops_the_run(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Exhausted { .. } | Self::Cancelled | Self::Engine { .. } => true,
            Self::Rejected { status, .. } => matches!(status, 401 | 403 | 404),
            Self::PromptTooLong { .. }
            | Self::BadReply { .. }
            | Self::Unsupported { .. }
            | Self::Media { .. }
            | Self::NonFinite { .. }
            | Self::Waits { .. } => false,
        }
    }

    /// A short stable name for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PromptTooLong { .. } => "prompt_too_long",
            Self::Unreachable { .. } => "unreachable",
            Self::Rejected { .. } => "rejected",
            Self::Exhausted { .. } => "exhausted",
            Self::BadReply { .. } => "bad_reply",
            Self::Unsupported { .. } => "unsupported",
            Self::Media { .. } => "media",
            Self::NonFinite { .. } => "non_finite",
            Self::Waits { .. } => "waits",
            Self::Cancelled => "cancelled",
            Self::Engine { .. } => "engine",
        }
    }
}
