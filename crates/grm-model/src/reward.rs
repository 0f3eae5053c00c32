//! A decoder that gives one reward: `score(norm(h))` at a row's last token, or over that and the mean of the response.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};

use crate::{
    build::Builder,
    config::DecoderConfig,
    decoder::{Decoder, Layout, Linear},
    lora::{LoraConfig, LoraError},
    network::{Gradients, Network, Outputs, ParameterInfo, RowError, TokenRow},
    parameters::{self, HostParameters, host_values},
    trunk::{Execution, PREFIX, Trunk, add_flat},
    weights::{HostTensor, WeightError, Weights},
};

const HEAD: &str = "score";

/// A decoder with a linear head of one output: `*ForSequenceClassification` (`score.weight`), or TRL's value head
/// (`v_head.summary.weight` and `.bias`). The head is trained whenever anything is.
#[derive(Debug, Clone)]
pub struct RewardModel {
    pub(crate) trunk: Trunk,
    pub(crate) head: Linear,
    pub(crate) pooling: Pooling,
}

/// Which final states of a row the head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooling {
    /// The last token's, as `*ForSequenceClassification` does.
    #[default]
    Last,
    /// The last token's, then the mean from [`TokenRow::targets_from`] on: twice as many features.
    LastAndMean,
}

impl Pooling {
    /// Features of a row, for states of `width` numbers.
    #[must_use]
    pub fn feature_count(self, width: usize) -> usize {
        self.parts() * width
    }

    fn parts(self) -> usize {
        match self {
            Self::Last => 1,
            Self::LastAndMean => 2,
        }
    }
}

/// Where in a layout a head reads: the final states it needs, and how each feature is summed from them.
struct Reading {
    /// Places of the layout, as the trunk is asked for them.
    places: Vec<usize>,
    /// `[rows · parts, places]`: 1 at a last token, 1 / length over a mean.
    sums: Tensor<2>,
    parts: usize,
}

impl Reading {
    fn of(pooling: Pooling, rows: &[TokenRow], layout: &Layout, device: &Device) -> Self {
        let read = |(row, places): (&TokenRow, &Vec<usize>)| match pooling {
            Pooling::Last => places.len() - 1..places.len(),
            Pooling::LastAndMean => row.targets_from.min(places.len() - 1)..places.len(),
        };
        let ranges: Vec<_> = rows.iter().zip(layout.places()).map(read).collect();
        let parts = pooling.parts();
        let columns: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        let mut sums = vec![0.0; rows.len() * parts * columns];
        let mut column = 0;
        for (row, range) in ranges.iter().enumerate() {
            let part = |part: usize, column: usize| (row * parts + part) * columns + column;
            let next = column + range.len();
            sums[part(0, next - 1)] = 1.0;
            if pooling == Pooling::LastAndMean {
                #[expect(clippy::cast_precision_loss, reason = "rows are far shorter than 2^24")]
                let share = 1.0 / range.len() as f32;
                sums[part(1, column)..part(1, next)].fill(share);
            }
            column = next;
        }
        let places = ranges.iter().zip(layout.places()).flat_map(|(range, places)| &places[range.clone()]).copied();
        let sums = Tensor::from_data(TensorData::new(sums, [rows.len() * parts, columns]), device);
        Self { places: places.collect(), sums, parts }
    }

    /// `[places, hidden]` to `[rows, parts · hidden]`.
    fn features(&self, hidden: Tensor<2>) -> Tensor<2> {
        let width = hidden.dims()[1];
        let rows = self.sums.dims()[0] / self.parts;
        self.sums.clone().matmul(hidden).reshape([rows, self.parts * width])
    }

    /// The gradient by the states from the gradient by the features.
    fn backward(&self, features: Tensor<2>) -> Tensor<2> {
        let [rows, width] = features.dims();
        self.sums.clone().transpose().matmul(features.reshape([rows * self.parts, width / self.parts]))
    }
}

impl RewardModel {
    /// Builds it from a store that has a head; `place` names the store in errors.
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
        let is_there = |name: &&str| weights.contains(&format!("{name}.weight"));
        let head = builder.outer_linear(["score", "v_head.summary"].into_iter().find(is_there).unwrap_or(HEAD), 1)?;
        Ok(Self { trunk: Trunk::new(config, decoder, device.clone()), head, pooling: Pooling::Last })
    }

    /// Puts a head of zeros on a decoder that has none: every reward is 0 until it is trained.
    ///
    /// # Errors
    /// As [`RewardModel::new`].
    pub fn with_new_head(
        config: DecoderConfig,
        weights: &dyn Weights,
        place: &Path,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let decoder = Builder::new(weights, &config, &place.display().to_string(), device)?.decoder()?;
        let head = Linear::new(Tensor::zeros([1, config.hidden_size], device), None);
        Ok(Self { trunk: Trunk::new(config, decoder, device.clone()), head, pooling: Pooling::Last })
    }

    /// Reads other states from now on, with a head of zeros until one is set or trained.
    pub fn set_pooling(&mut self, pooling: Pooling) {
        self.pooling = pooling;
        self.set_head(&vec![0.0; pooling.feature_count(self.trunk.config.hidden_size)], None);
    }

    /// Which states the head reads.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Replaces the head, `[1, features]` of [`RewardModel::pooling`], and an optional bias.
    pub fn set_head(&mut self, weight: &[f32], bias: Option<f32>) {
        let device = &self.trunk.device;
        let weight = Tensor::from_data(TensorData::new(weight.to_vec(), [1, weight.len()]), device);
        self.head = Linear::new(weight, bias.map(|bias| Tensor::from_data([bias], device)));
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

    /// Freezes the decoder, puts adapters on, and trains those and the head.
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

    /// Every parameter, adapters apart from what they sit on, on the host.
    #[must_use]
    pub fn to_host(&self) -> HostParameters {
        let mut parameters = self.trunk.to_host(&|_| true);
        parameters.extend(self.head_to_host());
        parameters
    }

    /// What is trained: adapters or everything, and the head.
    #[must_use]
    pub fn trained_to_host(&self) -> HostParameters {
        let trainable = &self.trunk.trainable;
        let mut parameters = self.trunk.to_host(&|name| trainable.contains(name));
        parameters.extend(self.head_to_host());
        parameters
    }

    /// `score.weight`, and `score.bias` where there is one.
    #[must_use]
    pub fn head_to_host(&self) -> HostParameters {
        parameters::to_host(&self.head, HEAD, &|_| true)
    }

    /// The token a transformers classifier scores: the last one that is not the padding token, wherever it stands.
    /// [`Network::outputs`] scores a row's last token; cut rows here first to agree with such a classifier on rows that
    /// end in padding-like tokens.
    #[must_use]
    pub fn pooled_length(&self, tokens: &[u32]) -> usize {
        let Some(pad) = self.trunk.config.pad_token else { return tokens.len() };
        tokens.iter().rposition(|&token| token != pad).map_or(tokens.len(), |last| last + 1)
    }

    fn outputs_of(&self, decoder: &Decoder, rows: &[TokenRow]) -> Result<Outputs, RowError> {
        let pass = self.trunk.pass(rows)?;
        let reading = Reading::of(self.pooling, rows, &pass.layout, &self.trunk.device);
        let hidden = self.trunk.hidden_by(decoder, &pass, &reading.places)?;
        Ok(one_each(host_values(self.head.forward(reading.features(hidden)))))
    }

    /// The value at every token of a row (TRL's value head): for tests.
    ///
    /// # Errors
    /// See [`Network::outputs`].
    pub fn values(&self, row: &TokenRow) -> Result<HostTensor, RowError> {
        let pass = self.trunk.pass(std::slice::from_ref(row))?;
        let values = host_values(self.head.forward(self.trunk.hidden(&pass, &pass.layout.places()[0])?));
        Ok(HostTensor { shape: vec![values.len()], values })
    }
}

fn one_each(values: Vec<f32>) -> Outputs {
    values.into_iter().map(|value| vec![value]).collect()
}

impl Network for RewardModel {
    fn outputs(&self, rows: &[TokenRow]) -> Result<Outputs, RowError> {
        self.outputs_of(&self.trunk.decoder, rows)
    }

    fn reference_outputs(&self, rows: &[TokenRow]) -> Option<Result<Outputs, RowError>> {
        self.trunk.base().map(|base| self.outputs_of(&base, rows))
    }

    fn gradients(&self, rows: &[TokenRow], loss: &mut dyn FnMut(&Outputs) -> Outputs) -> Result<Gradients, RowError> {
        let pass = self.trunk.pass(rows)?;
        let reading = Reading::of(self.pooling, rows, &pass.layout, &self.trunk.device);
        let tape = self.trunk.record(&pass, &reading.places)?;
        let features = reading.features(tape.output());
        let derivatives = loss(&one_each(host_values(self.head.forward(features.clone())))).concat();
        let count = derivatives.len();
        let derivatives = Tensor::<2>::from_data(TensorData::new(derivatives, [count, 1]), &self.trunk.device);
        let mut gradients = Gradients::default();
        add_flat(&mut gradients, "score.weight", derivatives.clone().transpose().matmul(features));
        if self.head.bias.is_some() {
            gradients.add("score.bias", derivatives.clone().sum());
        }
        tape.backward(reading.backward(derivatives.matmul(self.head.weight.val())), PREFIX, &mut gradients);
        Ok(gradients)
    }

    fn parameters(&self) -> Vec<ParameterInfo> {
        let mut infos = self.trunk.infos(&|name| self.trunk.trainable.contains(name));
        infos.extend(parameters::infos(&self.head, HEAD, &|_| true));
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        infos
    }

    fn update(&mut self, change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>) {
        self.trunk.update(change);
        let which = ["score.weight".to_owned(), "score.bias".to_owned()].into();
        self.head = parameters::map(self.head.clone(), HEAD, &which, change);
    }
}
