//! What training needs of a network, and nothing more.
//!
//! An objective is a function of a few numbers per row: the log-probability of each target token, or one reward. It gets
//! those numbers on the host and answers with the derivative of its loss by each of them; the network carries that back
//! to its parameters. So an objective is plain arithmetic, and a network may lay rows out as it likes (padded, packed,
//! prefixes shared) as long as the numbers stay the same.

use std::{collections::BTreeMap, sync::Arc};

use burn::tensor::Tensor;

use crate::omni::{Medium, TowerError};

/// A row of tokens and where its targets begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenRow {
    /// The whole row, without padding.
    pub tokens: Vec<u32>,
    /// Tokens from this index on are predicted; those before are context. Reward networks that read a
    /// mean state take it from here on; others do not look at this.
    pub targets_from: usize,
    /// What its placeholder tokens stand for, in the order they come in.
    pub media: Vec<Arc<Medium>>,
}

impl TokenRow {
    /// A prompt and the tokens to predict after it.
    #[must_use]
    pub fn new(prompt: &[u32], target: &[u32]) -> Self {
        Self { tokens: [prompt, target].concat(), targets_from: prompt.len(), media: Vec::new() }
    }

    /// Tokens of which those from `targets_from` on are predicted.
    #[must_use]
    pub fn from_tokens(tokens: Vec<u32>, targets_from: usize) -> Self {
        Self { tokens, targets_from, media: Vec::new() }
    }

    /// The same row with what its placeholders stand for.
    #[must_use]
    pub fn with_media(self, media: Vec<Arc<Medium>>) -> Self {
        Self { media, ..self }
    }

    /// How many tokens are to be predicted; the very first token of a row cannot be.
    #[must_use]
    pub fn target_count(&self) -> usize {
        self.tokens.len() - self.targets_from.max(1).min(self.tokens.len())
    }
}

/// One list a row: natural-log probabilities of its targets in order, or its single reward.
pub type Outputs = Vec<Vec<f32>>;

/// Gradients by parameter name, each laid flat.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    by_name: BTreeMap<String, Tensor<1>>,
}

impl Gradients {
    /// Adds a gradient to what is there under `name`.
    pub fn add(&mut self, name: &str, gradient: Tensor<1>) {
        let sum = match self.by_name.remove(name) {
            Some(before) => before + gradient,
            None => gradient,
        };
        self.by_name.insert(name.to_owned(), sum);
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: Self) {
        for (name, gradient) in other.by_name {
            self.add(&name, gradient);
        }
    }

    /// The gradient of one parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor<1>> {
        self.by_name.get(name)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<1>)> {
        self.by_name.iter().map(|(name, gradient)| (name.as_str(), gradient))
    }

    /// The L2 norm over all of them together, summed in the order of their names.
    #[must_use]
    pub fn norm(&self) -> f64 {
        let squares = |gradient: &Tensor<1>| f64::from(gradient.clone().powi_scalar(2).sum().into_scalar::<f32>());
        self.by_name.values().map(squares).sum::<f64>().sqrt()
    }

    /// All of them times `factor`.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        let scale = |(name, gradient): (String, Tensor<1>)| (name, gradient * factor);
        Self { by_name: self.by_name.into_iter().map(scale).collect() }
    }
}

/// Name and shape of a trainable parameter, as checkpoints write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// For example `model.layers.0.self_attn.q_proj.lora_A.weight`.
    pub name: String,
    /// Rows first, as in the checkpoint.
    pub shape: Vec<usize>,
}

/// A network that can be trained; several threads may run rows at once.
pub trait Network: Sync {
    /// The outputs of each row; nothing is kept for gradients.
    ///
    /// # Errors
    /// An empty row, a token outside the vocabulary, or a row longer than the network takes.
    fn outputs(&self, rows: &[TokenRow]) -> Result<Outputs, RowError>;

    /// The outputs of the network as it was before training: for LoRA the base with the adapter off. `None` where there
    /// is no such thing (full fine-tuning).
    ///
    /// # Errors
    /// As [`Network::outputs`].
    fn reference_outputs(&self, rows: &[TokenRow]) -> Option<Result<Outputs, RowError>>;

    /// Runs the rows, asks `loss` for the derivative of the loss by each output, and carries it back.
    ///
    /// # Errors
    /// As [`Network::outputs`].
    fn gradients(&self, rows: &[TokenRow], loss: &mut dyn FnMut(&Outputs) -> Outputs) -> Result<Gradients, RowError>;

    /// Every trainable parameter, in the order of their names.
    fn parameters(&self) -> Vec<ParameterInfo>;

    /// Gives every trainable parameter, laid flat, to `change` and keeps what it returns.
    fn update(&mut self, change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>);
}

/// Why rows cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Nothing to run.
    #[error("row {row} has no tokens; leave it out of the batch")]
    Empty {
        /// Index in the batch.
        row: usize,
    },
    /// The tokenizer and the model do not belong together.
    #[error(
        "row {row} has token {token}, but the model's vocabulary ends at {vocabulary}: \
         the tokenizer is not this model's; take the one beside its weights"
    )]
    TokenOutside {
        /// Index in the batch.
        row: usize,
        /// The token.
        token: u32,
        /// Tokens the model knows.
        vocabulary: usize,
    },
    /// Media for a model of text.
    #[error(
        "a row has pictures, clips or sounds, and this model reads text only; use a Qwen2.5-Omni or Qwen2.5-VL model"
    )]
    NoSenses,
    /// A medium that no tower can take.
    #[error("a medium cannot be computed: {0}; prepare it again from its file")]
    Tower(#[from] TowerError),
    /// Placeholders and media that do not belong together.
    #[error("row {row}: {what}; render the row again with the processor of this model")]
    Media {
        /// Index in the batch.
        row: usize,
        /// What does not fit.
        what: String,
    },
    /// More tokens than positions.
    #[error("row {row} has {length} tokens, the model has positions for {longest}; lower the cut-off")]
    TooLong {
        /// Index in the batch.
        row: usize,
        /// Its tokens.
        length: usize,
        /// Positions.
        longest: usize,
    },
}
