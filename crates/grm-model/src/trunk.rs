//! What a generating and a scoring network share: a decoder, its configuration, and how rows reach it.

use std::{collections::BTreeSet, sync::Arc};

use burn::tensor::{Device, Tensor};

use crate::{
    config::DecoderConfig,
    decoder::{Decoder, Frequencies, Layout, Line, Order, layout::indices},
    network::{Gradients, ParameterInfo, RowError, TokenRow},
    omni::{
        Medium,
        senses::{FeatureTable, Placed, Senses},
    },
    parameters::{self, HostParameters},
    tape::{Checkpointing, Depth, Tape},
};

/// The decoder's parameters are named under this.
pub(crate) const PREFIX: &str = "model.";

/// How rows are computed; results do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// Rows that begin alike share the computation of what they share.
    pub packed: bool,
    /// What training keeps of each layer.
    pub checkpointing: Checkpointing,
}

impl Default for Execution {
    fn default() -> Self {
        Self { packed: true, checkpointing: Checkpointing::Auto }
    }
}

/// A decoder with all it takes to run rows through it.
#[derive(Debug, Clone)]
pub(crate) struct Trunk {
    pub(crate) config: DecoderConfig,
    pub(crate) decoder: Decoder,
    /// The towers of a model that sees and hears.
    pub(crate) senses: Option<Senses>,
    pub(crate) device: Device,
    pub(crate) execution: Execution,
    pub(crate) trainable: BTreeSet<String>,
    frequencies: Frequencies,
}

/// Rows laid out for one pass, with what they show.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) layout: Layout,
    media: Vec<Arc<Medium>>,
}

impl Trunk {
    pub(crate) fn new(config: DecoderConfig, decoder: Decoder, device: Device) -> Self {
        let frequencies = Frequencies::new(&config, None);
        let (execution, trainable) = (Execution::default(), BTreeSet::new());
        Self { config, decoder, senses: None, device, execution, trainable, frequencies }
    }

    /// The same with towers, where there are any: tokens stand in time, height and width from now on.
    pub(crate) fn with(mut self, senses: Option<Senses>) -> Self {
        self.frequencies = Frequencies::new(&self.config, senses.as_ref().map(Senses::sections));
        self.senses = senses;
        self
    }

    pub(crate) fn frequencies(&self) -> &Frequencies {
        &self.frequencies
    }

    /// Lays rows out, if all of them can be computed rightly.
    pub(crate) fn pass(&self, rows: &[TokenRow]) -> Result<Pass, RowError> {
        let mut table = FeatureTable::new(self.config.vocabulary_size);
        let placed = self.place(rows, &mut table)?;
        let lines: Vec<Line<'_>> = placed.iter().map(Placed::line).collect();
        Ok(Pass { layout: self.layout(&lines), media: table.media })
    }

    /// Rows with their positions, and placeholders numbered by what they stand for.
    pub(crate) fn place(&self, rows: &[TokenRow], table: &mut FeatureTable) -> Result<Vec<Placed>, RowError> {
        self.check(rows)?;
        if rows.iter().all(|row| row.media.is_empty()) {
            let text = |row: &TokenRow| Placed { tokens: row.tokens.clone(), positions: None };
            return Ok(rows.iter().map(text).collect());
        }
        self.senses.as_ref().ok_or(RowError::NoSenses)?.place(rows, table)
    }

    /// Refuses rows that would be computed wrongly.
    fn check(&self, rows: &[TokenRow]) -> Result<(), RowError> {
        for (row, TokenRow { tokens, .. }) in rows.iter().enumerate() {
            if tokens.is_empty() {
                return Err(RowError::Empty { row });
            }
            let (length, longest, vocabulary) = (tokens.len(), self.config.positions_max, self.config.vocabulary_size);
            if length > longest {
                return Err(RowError::TooLong { row, length, longest });
            }
            if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
                return Err(RowError::TokenOutside { row, token, vocabulary });
            }
        }
        Ok(())
    }

    /// Packed while that saves work; many long rows that share little are cheaper side by side.
    fn layout(&self, lines: &[Line<'_>]) -> Layout {
        let padded = Layout::padded(lines);
        if !self.execution.packed {
            return padded;
        }
        let packed = Layout::packed(lines);
        if packed.cost() <= padded.cost() { packed } else { padded }
    }

    /// The first hidden state of every place: embedded tokens, and features of media where those stand.
    pub(crate) fn embedded(&self, decoder: &Decoder, order: &Order, features: Option<Tensor<2>>) -> Tensor<2> {
        let text = decoder.embed(indices(order.text.iter().map(|&token| token as usize), &self.device));
        match features {
            None => text,
            Some(features) => {
                let table = Tensor::cat(vec![text, features], 0);
                table.select(0, indices(order.places.iter().copied(), &self.device))
            }
        }
    }

    /// Features of media one below the other, where there are any.
    pub(crate) fn features(&self, media: &[Arc<Medium>]) -> Result<Option<Tensor<2>>, RowError> {
        let Some(senses) = self.senses.as_ref().filter(|_| !media.is_empty()) else { return Ok(None) };
        Ok(Some(senses.features(media, &self.device)?))
    }

    /// Final hidden states at `places`, `[places, hidden]`, without gradients.
    pub(crate) fn hidden(&self, pass: &Pass, places: &[usize]) -> Result<Tensor<2>, RowError> {
        self.hidden_by(&self.decoder, pass, places)
    }

    pub(crate) fn hidden_by(&self, decoder: &Decoder, pass: &Pass, places: &[usize]) -> Result<Tensor<2>, RowError> {
        let context = pass.layout.context(&self.frequencies, &self.device);
        let mut x = self.embedded(decoder, &self.order(&pass.layout), self.features(&pass.media)?);
        for layer in &decoder.layers {
            x = layer.forward(x, &context, None);
        }
        Ok(decoder.norm.forward(x.select(0, indices(places.iter().copied(), &self.device))))
    }

    /// The same, with the way back.
    pub(crate) fn record(&self, pass: &Pass, places: &[usize]) -> Result<Tape<'_>, RowError> {
        let context = pass.layout.context(&self.frequencies, &self.device);
        let wanted = indices(places.iter().copied(), &self.device);
        let trained_towers = self.senses.as_ref().filter(|_| self.trains_towers() && !pass.media.is_empty());
        let towers = trained_towers.map(|senses| senses.record(&pass.media, &self.device)).transpose()?;
        let features = match &towers {
            Some(graph) => Some(graph.features()),
            None => self.features(&pass.media)?,
        };
        let order = self.order(&pass.layout);
        let input = self.embedded(&self.decoder, &order, features);
        let depth = self.depth(towers.is_some());
        let checkpointing = self.execution.checkpointing;
        let tape =
            Tape::record(&self.decoder, input, &pass.layout, &context, wanted, depth, checkpointing, &self.config);
        Ok(tape.below(order, towers))
    }

    fn order(&self, layout: &Layout) -> Order {
        layout.order(self.config.vocabulary_size)
    }

    fn trains_towers(&self) -> bool {
        self.trainable.iter().any(|name| is_tower(name))
    }

    fn depth(&self, towers: bool) -> Depth {
        let is_trained = |index: &usize| {
            let layer = format!("{PREFIX}layers.{index}.");
            self.trainable.iter().any(|name| name.starts_with(&layer))
        };
        let embedding = self.trainable.contains(&format!("{PREFIX}embed_tokens.weight"));
        let layers = self.decoder.layers.len();
        let first_trained = (0..layers).find(is_trained).unwrap_or(layers);
        let input = embedding || towers;
        Depth { first_layer: if input { 0 } else { first_trained }, input, embedding }
    }

    /// Trains the adapters and nothing else.
    pub(crate) fn train_adapters(&mut self) {
        self.set_trainable(&|name| name.contains(".lora_"));
    }

    /// Trains every parameter of the decoder; the towers stay as they are.
    pub(crate) fn train_everything(&mut self) {
        self.set_trainable(&|name| !is_tower(name));
    }

    /// Trains the towers beside what is trained already.
    pub(crate) fn train_towers(&mut self) {
        let trained = self.trainable.clone();
        self.set_trainable(&|name| is_tower(name) || trained.contains(name));
    }

    fn set_trainable(&mut self, trainable: &dyn Fn(&str) -> bool) {
        self.decoder = parameters::set_trainable(self.decoder.clone(), PREFIX, trainable);
        self.senses = self.senses.take().map(|senses| senses.set_trainable(trainable));
        self.trainable = self.infos(trainable).into_iter().map(|info| info.name).collect();
    }

    /// Name and shape of every parameter of decoder and towers that `wanted` names.
    pub(crate) fn infos(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<ParameterInfo> {
        let mut infos = parameters::infos(&self.decoder, PREFIX, wanted);
        if let Some(senses) = &self.senses {
            infos.extend(parameters::infos(&senses.towers, "", wanted));
        }
        infos
    }

    /// Host copies of the parameters of decoder and towers that `wanted` names.
    pub(crate) fn to_host(&self, wanted: &dyn Fn(&str) -> bool) -> HostParameters {
        let mut copies = parameters::to_host(&self.decoder, PREFIX, wanted);
        if let Some(senses) = &self.senses {
            copies.extend(parameters::to_host(&senses.towers, "", wanted));
        }
        copies
    }

    pub(crate) fn update(&mut self, change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>) {
        self.decoder = parameters::map(self.decoder.clone(), PREFIX, &self.trainable, change);
        if self.trains_towers() {
            self.senses = self.senses.take().map(|senses| senses.updated(&self.trainable, change));
        }
    }

    /// The decoder as it was before training: without its adapters. `None` where its own weights are trained.
    pub(crate) fn base(&self) -> Option<Decoder> {
        let is_adapter = |name: &String| name.ends_with("lora_A.weight") || name.ends_with("lora_B.weight");
        if !self.trainable.iter().all(is_adapter) {
            return None;
        }
        let mut base = self.decoder.clone();
        for layer in &mut base.layers {
            for (_, linear) in crate::lora::linears(layer) {
                linear.lora = None;
            }
        }
        Some(base)
    }
}

/// Towers keep their checkpoint names beside the decoder's.
fn is_tower(name: &str) -> bool {
    name.starts_with("visual.") || name.starts_with("audio_tower.")
}

/// Gradients of a flat parameter under its name.
pub(crate) fn add_flat<const D: usize>(gradients: &mut Gradients, name: &str, gradient: Tensor<D>) {
    gradients.add(name, gradient.flatten(0, D - 1));
}
