//! The decoder's way forward and back.
//!
//! Each layer is differentiated on its own: going forward, its input is kept, with its graph or (checkpointing) without;
//! going back, the gradient of its output is multiplied in and the layer's graph walked. Layers below the first
//! trainable parameter are run without any graph. So at most one layer's gradients of activations are alive at a time,
//! and with checkpointing only one layer's activations.

use burn::{
    module::Module,
    tensor::{IndexingUpdateOp, Int, Tensor},
};

use crate::{
    config::DecoderConfig,
    decoder::{Context, Decoder, DecoderLayer, Layout, Order, RmsNorm, layout::indices},
    network::Gradients,
    omni::senses::TowerGraph,
    parameters,
};

/// Whether a layer's activations are kept or computed again on the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checkpointing {
    /// Kept while a micro-batch's activations fit into 2 GiB, computed again beyond.
    #[default]
    Auto,
    /// Kept: faster.
    Off,
    /// Computed again: one more forward pass, a fraction of the memory.
    On,
}

/// What [`Checkpointing::Auto`] lets a micro-batch keep.
const KEPT_BYTES_MAX: usize = 2 << 30;

impl Checkpointing {
    /// Whether a layout's activations are computed again.
    fn recomputes(self, layout: &Layout, config: &DecoderConfig, layers: usize) -> bool {
        match self {
            Self::Auto => kept_bytes(layout, config) * layers > KEPT_BYTES_MAX,
            Self::Off => false,
            Self::On => true,
        }
    }
}

/// About what one layer's graph holds: scores before and after the mask and the softmax of each head, and a dozen
/// states and half a dozen MLP states of each token.
fn kept_bytes(layout: &Layout, config: &DecoderConfig) -> usize {
    let scores = 3 * config.heads * layout.pair_count();
    let states = layout.token_count() * (12 * config.hidden_size + 6 * config.intermediate_size);
    size_of::<f32>() * (scores + states)
}

/// What is trainable in a decoder, as far as the way back needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth {
    /// Index of the first layer with a trainable parameter.
    pub(crate) first_layer: usize,
    /// Whether anything below the first layer is trained.
    pub(crate) input: bool,
    /// Whether the embedding is.
    pub(crate) embedding: bool,
}

/// A forward pass that knows the way back.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    decoder: &'a Decoder,
    context: Context,
    depth: Depth,
    steps: Vec<Step>,
    top: NormStep,
    below: Below,
    wanted: Tensor<1, Int>,
    token_count: usize,
}

/// What the first hidden states were made of.
#[derive(Debug, Default)]
struct Below {
    order: Option<Order>,
    towers: Option<TowerGraph>,
}

#[derive(Debug)]
enum Step {
    Kept(Box<Graph<DecoderLayer>>),
    Again(Box<Tensor<2>>),
}

/// A module run with gradients: what went in and what came out.
#[derive(Debug)]
struct Graph<M> {
    module: M,
    input: Tensor<2>,
    output: Tensor<2>,
}

type NormStep = Graph<RmsNorm>;

impl<'a> Tape<'a> {
    /// Runs the first hidden states of a layout. The tape's output is the final hidden state of each place in `wanted`,
    /// `[wanted, hidden]`.
    #[expect(clippy::too_many_arguments, reason = "one caller, and a struct for it would say the same again")]
    pub(crate) fn record(
        decoder: &'a Decoder,
        input: Tensor<2>,
        layout: &Layout,
        context: &Context,
        wanted: Tensor<1, Int>,
        depth: Depth,
        checkpointing: Checkpointing,
        config: &DecoderConfig,
    ) -> Self {
        let mut x = input;
        for layer in &decoder.layers[..depth.first_layer] {
            x = layer.forward(x, context, None);
        }
        let tracked = context.autodiff();
        let again = checkpointing.recomputes(layout, config, decoder.layers.len() - depth.first_layer);
        let mut steps = Vec::new();
        for (index, layer) in decoder.layers.iter().enumerate().skip(depth.first_layer) {
            let (output, step) = if again {
                (layer.forward(x.clone(), context, None), Step::Again(Box::new(x)))
            } else {
                let graph = run_layer(layer, x, &tracked, depth.needs_input_gradient(index));
                (graph.output.clone().inner(), Step::Kept(Box::new(graph)))
            };
            steps.push(step);
            x = output;
        }
        let module = decoder.norm.clone().train();
        let input = x.select(0, wanted.clone()).autodiff().require_grad();
        let output = module.forward(input.clone());
        let top = Graph { module, input, output };
        let (below, token_count) = (Below::default(), layout.token_count());
        Self { decoder, context: tracked, depth, steps, top, below, wanted, token_count }
    }

    /// Says what the first hidden states were made of, for those who train that.
    pub(crate) fn below(mut self, order: Order, towers: Option<TowerGraph>) -> Self {
        self.below = Below { order: Some(order), towers };
        self
    }

    /// The final hidden states asked for.
    pub(crate) fn output(&self) -> Tensor<2> {
        self.top.output.clone().inner()
    }

    /// Carries the gradient of [`Tape::output`] back to the decoder's parameters, named under `prefix`.
    pub(crate) fn backward(self, gradient: Tensor<2>, prefix: &str, into: &mut Gradients) {
        let hidden = gradient.dims()[1];
        let Some(top) = self.top.backward(gradient, &format!("{prefix}norm"), into) else { return };
        let zeros = Tensor::<2>::zeros([self.token_count, hidden], &top.device());
        let mut above = zeros.select_assign(0, self.wanted, top, IndexingUpdateOp::Add);
        let first = self.depth.first_layer;
        for (offset, step) in self.steps.into_iter().enumerate().rev() {
            let index = first + offset;
            let graph = match step {
                Step::Kept(graph) => *graph,
                Step::Again(input) => {
                    let layer = &self.decoder.layers[index];
                    run_layer(layer, *input, &self.context, self.depth.needs_input_gradient(index))
                }
            };
            match graph.backward(above, &format!("{prefix}layers.{index}"), into) {
                Some(below) => above = below,
                None => return,
            }
        }
        if self.depth.input {
            self.below.backward(
                above,
                self.depth.embedding.then(|| self.decoder.embed_tokens.weight.val()),
                prefix,
                into,
            );
        }
    }
}

impl Below {
    /// From the gradient of the first hidden states to that of the embedding, where it is given, and of the towers.
    fn backward(self, above: Tensor<2>, embedding: Option<Tensor<2>>, prefix: &str, into: &mut Gradients) {
        let Some(order) = self.order else { return };
        let (device, [places, hidden]) = (above.device(), above.dims());
        let features = self.towers.as_ref().map_or(0, TowerGraph::feature_count);
        let table = if order.is_text_only() {
            above
        } else {
            let rows = order.places.iter().max().map_or(places, |last| last + 1).max(order.text.len() + features);
            let zeros = Tensor::<2>::zeros([rows, hidden], &device);
            zeros.select_assign(0, indices(order.places.iter().copied(), &device), above, IndexingUpdateOp::Add)
        };
        if let Some(embedding) = embedding {
            let tokens = indices(order.text.iter().map(|&token| token as usize), &device);
            let zeros = Tensor::<2>::zeros(embedding.dims(), &device);
            let text = table.clone().narrow(0, 0, order.text.len());
            let sum = zeros.select_assign(0, tokens, text, IndexingUpdateOp::Add);
            into.add(&format!("{prefix}embed_tokens.weight"), sum.flatten(0, 1));
        }
        if let Some(towers) = self.towers {
            towers.backward(table.narrow(0, order.text.len(), features), into);
        }
    }
}

impl Depth {
    fn needs_input_gradient(self, layer: usize) -> bool {
        self.input || layer > self.first_layer
    }
}

fn run_layer(layer: &DecoderLayer, input: Tensor<2>, context: &Context, needs_gradient: bool) -> Graph<DecoderLayer> {
    let module = layer.clone().train();
    let input = input.autodiff().set_require_grad(needs_gradient);
    let output = module.forward(input.clone(), context, None);
    Graph { module, input, output }
}

impl<M: Module> Graph<M> {
    /// The gradient of the input, where it was asked for; the parameters' go into `into`.
    fn backward(self, gradient: Tensor<2>, prefix: &str, into: &mut Gradients) -> Option<Tensor<2>> {
        if !self.output.is_tracked() {
            return Some(gradient);
        }
        let mut gradients = (self.output * gradient.autodiff()).sum().backward();
        parameters::collect(&self.module, prefix, &mut gradients, into);
        self.input.grad_remove(&mut gradients)
    }
}
