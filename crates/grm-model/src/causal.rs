//! A decoder that predicts tokens.

use std::path::Path;

use burn::tensor::{Device, Tensor};

use crate::{
    build::Builder,
    config::DecoderConfig,
    decoder::Linear,
    log_probs::LogProbs,
    lora::{LoraConfig, LoraError},
    network::{Gradients, Network, Outputs, ParameterInfo, RowError, TokenRow},
    parameters::{self, HostParameters},
    trunk::{Execution, PREFIX, Trunk, add_flat},
    weights::{WeightError, Weights},
};

const HEAD: &str = "lm_head";

/// A decoder with its output layer (`*ForCausalLM`).
#[derive(Debug, Clone)]
pub struct CausalLm {
    pub(crate) trunk: Trunk,
    /// `None` where the embedding is the output layer.
    pub(crate) head: Option<Linear>,
}

impl CausalLm {
    /// Builds it from a store; `place` names the store in errors.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, a value that is not finite.
    pub fn new(
        config: DecoderConfig,
        weights: &dyn Weights,
        place: &Path,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let place = place.display().to_string();
        let builder = Builder::new(weights, &config, &place, device)?;
        let decoder = builder.decoder()?;
        let head = ["lm_head", "thinker.lm_head"].into_iter().find(|name| weights.contains(&format!("{name}.weight")));
        let head = match (config.tied_embeddings, head) {
            (true, _) => None,
            (false, head) => Some(builder.outer_linear(head.unwrap_or(HEAD), config.vocabulary_size)?),
        };
        Ok(Self { trunk: Trunk::new(config, decoder, device.clone()), head })
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &DecoderConfig {
        &self.trunk.config
    }

    /// How rows are computed from now on.
    pub fn set_execution(&mut self, execution: Execution) {
        self.trunk.execution = execution;
    }

    /// Freezes everything, puts adapters on and trains those.
    ///
    /// # Errors
    /// See [`LoraConfig::attach`].
    pub fn train_adapter(&mut self, lora: &LoraConfig) -> Result<(), LoraError> {
        lora.attach(&mut self.trunk.decoder)?;
        self.trunk.train_adapters();
        Ok(())
    }

    /// Trains the towers, too, beside what is trained already; they are frozen otherwise.
    pub fn train_towers(&mut self) {
        self.trunk.train_towers();
    }

    /// Trains all of it but the towers.
    pub fn train_everything(&mut self) {
        self.trunk.train_everything();
    }

    /// `[vocabulary, hidden]`
    pub(crate) fn output_weight(&self) -> Tensor<2> {
        match &self.head {
            None => self.trunk.decoder.embed_tokens.weight.val(),
            Some(head) => head.weight.val(),
        }
    }

    fn trains_head(&self) -> bool {
        self.trunk.trainable.contains(&format!("{PREFIX}embed_tokens.weight"))
    }

    /// Every parameter, adapters apart from what they sit on, on the host.
    #[must_use]
    pub fn to_host(&self) -> HostParameters {
        let mut parameters = self.trunk.to_host(&|_| true);
        if let Some(head) = &self.head {
            parameters.extend(parameters::to_host(head, HEAD, &|_| true));
        }
        parameters
    }

    /// What is trained: adapters, or everything.
    #[must_use]
    pub fn trained_to_host(&self) -> HostParameters {
        let trainable = &self.trunk.trainable;
        let mut parameters = self.trunk.to_host(&|name| trainable.contains(name));
        if let Some(head) = self.head.as_ref().filter(|_| self.trains_head()) {
            parameters.extend(parameters::to_host(head, HEAD, &|_| true));
        }
        parameters
    }

    /// Logits of every token of every row, `[tokens][vocabulary]` each: for tests and for small models.
    ///
    /// # Errors
    /// See [`Network::outputs`].
    pub fn logits(&self, rows: &[TokenRow]) -> Result<Vec<Tensor<2>>, RowError> {
        let pass = self.trunk.pass(rows)?;
        let logits =
            |places: &Vec<usize>| Ok(self.trunk.hidden(&pass, places)?.matmul(self.output_weight().transpose()));
        pass.layout.places().iter().map(logits).collect()
    }
}

/// Where targets are predicted: the places of the tokens before them, and the targets themselves, row after row.
struct Targets {
    places: Vec<usize>,
    tokens: Vec<u32>,
    counts: Vec<usize>,
}

impl Targets {
    fn of(rows: &[TokenRow], places: &[Vec<usize>]) -> Self {
        let mut targets = Self { places: Vec::new(), tokens: Vec::new(), counts: Vec::new() };
        for (row, places) in rows.iter().zip(places) {
            let first = row.tokens.len() - row.target_count();
            targets.places.extend((first..row.tokens.len()).map(|index| places[index - 1]));
            targets.tokens.extend(&row.tokens[first..]);
            targets.counts.push(row.target_count());
        }
        targets
    }

    fn split(&self, values: &[f32]) -> Outputs {
        let mut rest = values;
        let mut rows = Vec::with_capacity(self.counts.len());
        for &count in &self.counts {
            let (row, after) = rest.split_at(count);
            rows.push(row.to_vec());
            rest = after;
        }
        rows
    }
}

impl CausalLm {
    fn outputs_of(&self, decoder: &crate::decoder::Decoder, rows: &[TokenRow]) -> Result<Outputs, RowError> {
        let pass = self.trunk.pass(rows)?;
        let targets = Targets::of(rows, pass.layout.places());
        if targets.tokens.is_empty() {
            return Ok(targets.split(&[]));
        }
        let hidden = self.trunk.hidden_by(decoder, &pass, &targets.places)?;
        let (_, log_probs) = LogProbs::new(hidden, targets.tokens.clone(), self.output_weight());
        Ok(targets.split(&log_probs))
    }
}

impl Network for CausalLm {
    fn outputs(&self, rows: &[TokenRow]) -> Result<Outputs, RowError> {
        self.outputs_of(&self.trunk.decoder, rows)
    }

    fn reference_outputs(&self, rows: &[TokenRow]) -> Option<Result<Outputs, RowError>> {
        self.trunk.base().map(|base| self.outputs_of(&base, rows))
    }

    fn gradients(&self, rows: &[TokenRow], loss: &mut dyn FnMut(&Outputs) -> Outputs) -> Result<Gradients, RowError> {
        let pass = self.trunk.pass(rows)?;
        let targets = Targets::of(rows, pass.layout.places());
        let mut gradients = Gradients::default();
        if targets.tokens.is_empty() {
            loss(&targets.split(&[]));
            return Ok(gradients);
        }
        let tape = self.trunk.record(&pass, &targets.places)?;
        let (head, log_probs) = LogProbs::new(tape.output(), targets.tokens.clone(), self.output_weight());
        let derivatives = loss(&targets.split(&log_probs)).concat();
        let by = head.backward(&derivatives, self.trains_head());
        if let Some(weight) = by.weight {
            let tied = format!("{PREFIX}embed_tokens.weight");
            let name = if self.head.is_some() { format!("{HEAD}.weight") } else { tied };
            add_flat(&mut gradients, &name, weight);
        }
        tape.backward(by.hidden, PREFIX, &mut gradients);
        Ok(gradients)
    }

    fn parameters(&self) -> Vec<ParameterInfo> {
        let mut infos = self.trunk.infos(&|name| self.trunk.trainable.contains(name));
        if let Some(head) = self.head.as_ref().filter(|_| self.trains_head()) {
            infos.extend(parameters::infos(head, HEAD, &|_| true));
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        infos
    }

    fn update(&mut self, change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>) {
        self.trunk.update(change);
        if self.trains_head() {
            let which = [format!("{HEAD}.weight")].into();
            self.head = self.head.take().map(|head| parameters::map(head, HEAD, &which, change));
        }
    }
}
