//! The tower for pictures and clips: patches in, one state a cell out.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation::gelu},
};

use super::{
    config::VisionConfig,
    grid::{CELL_PATCHES, Grid, PATCH_VALUES},
    segments::{Segments, indices, inverse},
    tower::TowerError,
    window_order::WindowOrder,
};
use crate::decoder::{Linear, Mlp, RmsNorm};

/// Inside the tower's norms; not configurable in any published file.
pub(crate) const NORM_EPSILON: f64 = 1e-6;
/// Base of the rotary frequencies.
const ROPE_THETA: f32 = 10_000.0;

/// Qwen2.5's vision transformer. Fields are named as in Qwen2.5-Omni's checkpoints; Qwen2.5-VL's fused `qkv` is split.
#[derive(Module, Debug)]
pub struct VisionTower {
    /// From a patch's pixels to its state.
    pub patch_embed: PatchEmbed,
    /// From the patches upwards.
    pub blocks: Vec<VisionBlock>,
    /// From the four patches of a cell to one state of the decoder's width.
    pub merger: PatchMerger,
    #[module(skip)]
    pub(crate) config: VisionConfig,
}

/// A convolution whose stride is its kernel: one product a patch.
#[derive(Module, Debug)]
pub struct PatchEmbed {
    /// The convolution.
    pub proj: PatchProjection,
}

/// The patches' kernel.
#[derive(Module, Debug)]
pub struct PatchProjection {
    /// `[hidden, colour, frame, row, column]`
    pub weight: Param<Tensor<5>>,
}

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Module, Debug)]
pub struct VisionBlock {
    /// Before attention.
    pub norm1: RmsNorm,
    /// Before the MLP.
    pub norm2: RmsNorm,
    /// Attention inside windows, or inside frames.
    pub attn: VisionAttention,
    /// Gated MLP, with biases.
    pub mlp: Mlp,
}

/// Attention of patches turned by their row and column.
#[derive(Module, Debug)]
pub struct VisionAttention {
    /// Queries.
    pub q: Linear,
    /// Keys.
    pub k: Linear,
    /// Values.
    pub v: Linear,
    /// Out.
    pub proj: Linear,
    #[module(skip)]
    pub(crate) heads: usize,
}

/// Four patches become one state.
#[derive(Module, Debug)]
pub struct PatchMerger {
    /// Over each patch.
    pub ln_q: RmsNorm,
    /// `4 · hidden → 4 · hidden → out`, with GELU between.
    pub mlp: (Linear, Gelu, Linear),
}

/// The Gaussian error linear unit, exact; a module so that its neighbours are numbered as in checkpoints.
#[derive(Module, Debug)]
pub struct Gelu;

/// What every block needs beside the states.
#[derive(Debug)]
struct VisionContext {
    rotation: PatchRotation,
    windows: Segments,
    frames: Segments,
}

impl VisionTower {
    /// Its shape.
    #[must_use]
    pub fn config(&self) -> &VisionConfig {
        &self.config
    }

    /// Patches of pictures and clips one after another, `[patches, 1176]`, to states, `[patches / 4, out]`, in the same
    /// order. Differentiable where the module is.
    ///
    /// # Errors
    /// As many patches as the grids do not have.
    pub fn forward(&self, patches: Tensor<2>, grids: &[Grid]) -> Result<Tensor<2>, TowerError> {
        let (states, order) = self.run(patches, grids)?;
        Ok(self.merger.forward(states).select(0, indices(&inverse(&order.cells), &self.device())))
    }

    /// The patches' states before four become one, `[patches, hidden]`, in the order the patches came.
    ///
    /// # Errors
    /// As [`VisionTower::forward`].
    pub fn patch_states(&self, patches: Tensor<2>, grids: &[Grid]) -> Result<Tensor<2>, TowerError> {
        let (states, order) = self.run(patches, grids)?;
        Ok(states.select(0, indices(&inverse(&order.patches()), &self.device())))
    }

    /// States after the last block, in the tower's own order.
    fn run(&self, patches: Tensor<2>, grids: &[Grid]) -> Result<(Tensor<2>, WindowOrder), TowerError> {
        let expected: usize = grids.iter().map(|grid| grid.patch_count()).sum();
        if expected == 0 || patches.dims() != [expected, PATCH_VALUES] {
            return Err(TowerError::Patches { given: patches.dims(), expected: [expected, PATCH_VALUES] });
        }
        let order = WindowOrder::new(grids, self.config.window_cells);
        let device = self.device();
        let context = VisionContext::new(grids, &order, &self.config, &device);
        let patches = if device.is_autodiff() { patches.autodiff() } else { patches };
        let mut x = self.patch_embed.forward(patches).select(0, indices(&order.patches(), &device));
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, &context, self.config.full_attention_blocks.contains(&index));
        }
        Ok((x, order))
    }

    fn device(&self) -> Device {
        self.patch_embed.proj.weight.val().device()
    }
}

impl PatchEmbed {
    /// `[patches, 1176]` to `[patches, hidden]`.
    #[must_use]
    pub fn forward(&self, patches: Tensor<2>) -> Tensor<2> {
        let weight = self.proj.weight.val();
        let hidden = weight.dims()[0];
        patches.matmul(weight.reshape([hidden, PATCH_VALUES]).transpose())
    }
}

impl VisionBlock {
    fn forward(&self, x: Tensor<2>, context: &VisionContext, sees_frame: bool) -> Tensor<2> {
        let segments = if sees_frame { &context.frames } else { &context.windows };
        let x = x.clone() + self.attn.forward(self.norm1.forward(x), &context.rotation, segments);
        x.clone() + self.mlp.forward(self.norm2.forward(x))
    }
}

impl VisionAttention {
    fn forward(&self, x: Tensor<2>, rotation: &PatchRotation, segments: &Segments) -> Tensor<2> {
        let [patches, hidden] = x.dims();
        let split = |y: Tensor<2>| y.reshape([patches, self.heads, hidden / self.heads]);
        let queries = rotation.apply(split(self.q.forward(x.clone())));
        let keys = rotation.apply(split(self.k.forward(x.clone())));
        let values = split(self.v.forward(x));
        self.proj.forward(segments.attend(queries, keys, values))
    }
}

impl PatchMerger {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [patches, hidden] = x.dims();
        let cells = self.ln_q.forward(x).reshape([patches / CELL_PATCHES, CELL_PATCHES * hidden]);
        let (first, activation, second) = &self.mlp;
        second.forward(activation.forward(first.forward(cells)))
    }
}

impl Gelu {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        gelu(x)
    }
}

impl VisionContext {
    fn new(grids: &[Grid], order: &WindowOrder, config: &VisionConfig, device: &Device) -> Self {
        let places: Vec<[usize; 2]> = grids.iter().flat_map(|grid| grid.patch_places().repeat(grid.time())).collect();
        let places: Vec<[usize; 2]> = order.patches().into_iter().map(|patch| places[patch]).collect();
        Self {
            rotation: PatchRotation::new(&places, config.head_width(), device),
            windows: Segments::in_place(order.windows.clone()),
            frames: Segments::gathered(order.frames.clone(), &order.frame_patches, device),
        }
    }
}

/// Cosines and sines of each patch, `[patches, 1, head_width / 2]`: half of the frequencies turn with the row, half with
/// the column. In f32, as the reference computes them.
#[derive(Debug)]
struct PatchRotation {
    cos: Tensor<3>,
    sin: Tensor<3>,
}

impl PatchRotation {
    fn new(places: &[[usize; 2]], head_width: usize, device: &Device) -> Self {
        let half = head_width / 2;
        let frequency = |index: usize| 1.0 / ROPE_THETA.powf((2 * index) as f32 / half as f32);
        let frequencies: Vec<f32> = (0..half / 2).map(frequency).collect();
        let angle = |&place: &usize| frequencies.iter().map(move |frequency| place as f32 * frequency);
        let angles: Vec<f32> = places.iter().flatten().flat_map(angle).collect();
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().map(|&angle| f(angle)).collect();
            Tensor::from_data(TensorData::new(values, [places.len(), 1, half]), device)
        };
        Self { cos: table(f32::cos), sin: table(f32::sin) }
    }

    /// Turns `[patches, heads, head_width]`; the first half of a head is paired with the second.
    fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        let half = self.cos.dims()[2];
        let (first, second) = (x.clone().narrow(2, 0, half), x.narrow(2, half, half));
        let turned = first.clone() * self.cos.clone() - second.clone() * self.sin.clone();
        let other = second * self.cos.clone() + first * self.sin.clone();
        Tensor::cat(vec![turned, other], 2)
    }
}
