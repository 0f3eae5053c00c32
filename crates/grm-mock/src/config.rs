//! What the fake server pretends to be.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    faults::{FaultRule, FaultScript},
    parts::{MockMedia, Takes},
};

/// The server software imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MockDialect {
    /// Chat, and `/classify` with messages.
    #[default]
    Vllm,
    /// Chat, and the native `/classify` with text.
    Sglang,
    /// Chat.
    LlamaServer,
    /// Chat; says nothing about itself.
    #[serde(rename = "openai")]
    OpenAi,
    /// Text Embeddings Inference: `/predict` alone.
    Tei,
}

/// What the reward routes do to the logit whatever the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Squash {
    /// Nothing: what a reward client wants.
    #[default]
    None,
    /// A sigmoid, which saturates.
    Sigmoid,
    /// A softmax over one logit, which is always 1.
    Softmax,
}

/// Settings of a [`crate::MockServer`]; in TOML every key may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MockConfig {
    /// The models it lists and answers for.
    pub models: Vec<String>,
    /// The server software imitated.
    pub dialect: MockDialect,
    /// Enters every hash: another seed is another model.
    pub seed: u64,
    /// Share of judgments that follow latent quality; the others are turned round.
    pub accuracy: f64,
    /// Share of chat replies that break their contract, by hash.
    pub malformed: f64,
    /// Least and most time a reply takes, in milliseconds; between them by hash.
    pub latency_ms: [u64; 2],
    /// More calls than this at once are answered 429.
    pub max_concurrency: Option<usize>,
    /// Calls worked on at once; more wait, as in an engine's queue.
    pub slots: Option<usize>,
    /// Seconds in the `Retry-After` of those 429.
    pub retry_after_seconds: f64,
    /// The bearer key it wants.
    pub api_key: Option<String>,
    /// Puts `<think>…</think>` into `reasoning_content`, as servers with a reasoning parser do.
    pub reasoning_parser: bool,
    /// What happens to reward logits.
    pub squash: Squash,
    /// Share of reward scores that are NaN, by hash.
    pub nan: f64,
    /// Numbers a reward reply holds; 1 for a reward model.
    pub reward_logits: usize,
    /// The media its models take, chat and reward alike, as far as the software has parts for them; none of a model of
    /// text.
    pub media: Vec<MockMedia>,
    /// Keeps every request for [`crate::MockServer::received`].
    pub record: bool,
    /// A file that gets every request's key in hex, a line each, before it is worked on: what a server was asked until
    /// it was killed.
    pub arrivals: Option<PathBuf>,
    /// What goes wrong, first rule first.
    pub faults: Vec<FaultRule>,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            models: vec!["mock".to_owned()],
            dialect: MockDialect::Vllm,
            seed: 0,
            accuracy: 0.85,
            malformed: 0.0,
            latency_ms: [0, 0],
            max_concurrency: None,
            slots: None,
            retry_after_seconds: 1.0,
            api_key: None,
            reasoning_parser: false,
            squash: Squash::None,
            nan: 0.0,
            reward_logits: 1,
            media: MockMedia::ALL.to_vec(),
            record: false,
            arrivals: None,
            faults: Vec::new(),
        }
    }
}

/// A mock configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MockConfigError {
    /// Not TOML, or not in our form.
    #[error("could not read the mock server's settings: {0}")]
    Form(#[from] toml::de::Error),
    /// The file for keys of requests cannot be written.
    #[error("could not write the mock server's arrivals to {path}: {source}; name a file in a folder that is there")]
    Arrivals {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A value out of its range.
    #[error("the mock server's {key} is {value}, but must be {range}")]
    Range {
        /// Where.
        key: String,
        /// What it is.
        value: String,
        /// What it may be.
        range: &'static str,
    },
}

impl MockConfig {
    /// Reads and checks TOML.
    pub fn from_toml(text: &str) -> Result<Self, MockConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    pub(crate) fn takes(&self) -> Takes<'_> {
        Takes { dialect: self.dialect, media: &self.media }
    }

    /// Refuses shares outside 0 to 1, empty model lists, turned-round ranges and rules that never apply.
    pub fn check(&self) -> Result<(), MockConfigError> {
        for (key, share) in [("accuracy", self.accuracy), ("malformed", self.malformed), ("nan", self.nan)] {
            require((0.0..=1.0).contains(&share), key, share, "from 0 to 1")?;
        }
        let [least, most] = self.latency_ms;
        require(least <= most, "latency_ms", format!("[{least}, {most}]"), "[least, most]")?;
        require(!self.models.is_empty(), "models", "[]", "at least one name")?;
        require(self.slots != Some(0), "slots", 0, "at least 1")?;
        require(self.reward_logits > 0, "reward_logits", self.reward_logits, "at least 1")?;
        let seconds = self.retry_after_seconds;
        require((0.0..=1e6).contains(&seconds), "retry_after_seconds", seconds, "from 0 to 1000000")?;
        FaultScript::new(self.faults.clone()).map(drop)
    }
}

pub(crate) fn require(
    holds: bool,
    key: &str,
    value: impl std::fmt::Display,
    range: &'static str,
) -> Result<(), MockConfigError> {
    if holds {
        return Ok(());
    }
    Err(MockConfigError::Range { key: key.to_owned(), value: value.to_string(), range })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{FaultAction, FaultWhen, RetryAfter};

    #[test]
    fn settings_and_faults_are_read_from_toml() {
        let config = MockConfig::from_toml(
            r#"
            dialect = "sglang"
            latency_ms = [5, 20]
            [[faults]]
            when = { every = 10 }
            do = { status = { code = 429, retry_after = { seconds = 2.0 } } }
            [[faults]]
            when = "always"
            do = "reset"
            persistent = true
            path = "/classify"
            "#,
        )
        .unwrap();
        assert_eq!(config.dialect, MockDialect::Sglang);
        assert_eq!(config.faults[0].when, FaultWhen::Every(10));
        let action = FaultAction::Status { code: 429, retry_after: Some(RetryAfter::Seconds(2.0)) };
        assert_eq!(config.faults[0].action, action);
        assert!(config.faults[1].persistent);
        let again = toml::to_string(&config).unwrap();
        assert_eq!(MockConfig::from_toml(&again).unwrap(), config);
    }

    #[test]
    fn mistakes_are_named() {
        for (toml, part) in [
            ("latencyms = [1, 2]", "latencyms"),
            ("accuracy = 1.5", "accuracy is 1.5"),
            ("latency_ms = [9, 2]", "[9, 2]"),
            ("models = []", "models"),
            ("[[faults]]\nwhen = { every = 0 }\ndo = \"reset\"", "every"),
            ("[[faults]]\nwhen = { share = 2.0 }\ndo = \"reset\"", "share is 2"),
            ("[[faults]]\nwhen = \"always\"\ndo = { status = { code = 99 } }", "code is 99"),
        ] {
            let error = MockConfig::from_toml(toml).unwrap_err().to_string();
            assert!(error.contains(part), "{toml}: {error}");
        }
    }
}
