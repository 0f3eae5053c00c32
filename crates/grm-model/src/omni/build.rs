//! Towers from weights, every shape checked.

use burn::{
    module::Param,
    tensor::{Device, Tensor},
};

use super::{
    audio::{self, AudioAttention, AudioLayer, AudioTower, Convolution, LayerNorm},
    config::{AudioConfig, MEL_BINS, VisionConfig},
    grid::{CELL_PATCHES, CHANNELS, PATCH_SIDE, PATCH_TIME},
    vision::{self, Gelu, PatchEmbed, PatchMerger, PatchProjection, VisionAttention, VisionBlock, VisionTower},
};
use crate::{
    build::TensorReader,
    decoder::Linear,
    weights::{WeightError, Weights},
};

/// Where vision towers lie in checkpoints: Qwen2.5-Omni's, a thinker's or Qwen2.5-VL's own, newer ones.
const VISION_PREFIXES: [&str; 4] = ["thinker.visual.", "visual.", "model.visual.", "thinker.model.visual."];
/// Where audio towers lie.
const AUDIO_PREFIXES: [&str; 4] =
    ["thinker.audio_tower.", "audio_tower.", "model.audio_tower.", "thinker.model.audio_tower."];

impl VisionTower {
    /// Builds it from a store; `place` names the store in errors.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, a value that is not finite.
    pub fn new(config: VisionConfig, weights: &dyn Weights, place: &str, device: &Device) -> Result<Self, WeightError> {
        let reader = TensorReader::new(weights, place, device);
        let prefix = reader.prefix(&VISION_PREFIXES, "patch_embed.proj.weight")?;
        let shape = [config.hidden_size, CHANNELS, PATCH_TIME, PATCH_SIDE, PATCH_SIDE];
        let weight = frozen(reader.tensor(&format!("{prefix}patch_embed.proj.weight"), shape)?);
        let block = |index| vision_block(&reader, &format!("{prefix}blocks.{index}"), &config);
        Ok(Self {
            patch_embed: PatchEmbed { proj: PatchProjection { weight } },
            blocks: (0..config.depth).map(block).collect::<Result<_, _>>()?,
            merger: merger(&reader, &format!("{prefix}merger"), &config)?,
            config,
        })
    }
}

impl AudioTower {
    /// Builds it from a store; `place` names the store in errors.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, a value that is not finite.
    pub fn new(config: AudioConfig, weights: &dyn Weights, place: &str, device: &Device) -> Result<Self, WeightError> {
        let reader = TensorReader::new(weights, place, device);
        let prefix = reader.prefix(&AUDIO_PREFIXES, "conv1.weight")?;
        let name = |rest: &str| format!("{prefix}{rest}");
        let width = config.width;
        let layer = |index| audio_layer(&reader, &format!("{prefix}layers.{index}"), &config);
        Ok(Self {
            conv1: convolution(&reader, &name("conv1"), [width, MEL_BINS], 1)?,
            conv2: convolution(&reader, &name("conv2"), [width, width], 2)?,
            layers: (0..config.layers).map(layer).collect::<Result<_, _>>()?,
            ln_post: layer_norm(&reader, &name("ln_post"), width)?,
            proj: reader.linear(&name("proj"), [config.out_hidden_size, width], true)?,
            config,
        })
    }
}

fn vision_block(reader: &TensorReader<'_>, name: &str, config: &VisionConfig) -> Result<VisionBlock, WeightError> {
    let hidden = config.hidden_size;
    Ok(VisionBlock {
        norm1: reader.rms_norm(&format!("{name}.norm1"), hidden, vision::NORM_EPSILON)?,
        norm2: reader.rms_norm(&format!("{name}.norm2"), hidden, vision::NORM_EPSILON)?,
        attn: vision_attention(reader, &format!("{name}.attn"), config)?,
        mlp: reader.mlp(&format!("{name}.mlp"), [config.intermediate_size, hidden], true)?,
    })
}

fn vision_attention(
    reader: &TensorReader<'_>,
    name: &str,
    config: &VisionConfig,
) -> Result<VisionAttention, WeightError> {
    let square = [config.hidden_size; 2];
    let fused = format!("{name}.qkv");
    let [q, k, v] = if reader.contains(&format!("{fused}.weight")) {
        split(reader, &fused, config.hidden_size)?
    } else {
        let part = |part: &str| reader.linear(&format!("{name}.{part}"), square, true);
        [part("q")?, part("k")?, part("v")?]
    };
    Ok(VisionAttention { q, k, v, proj: reader.linear(&format!("{name}.proj"), square, true)?, heads: config.heads })
}

/// Queries, keys and values out of one layer, a third of its rows each.
fn split(reader: &TensorReader<'_>, name: &str, hidden: usize) -> Result<[Linear; 3], WeightError> {
    let weight = reader.matrix(&format!("{name}.weight"), [3 * hidden, hidden])?;
    let bias = reader.vector(&format!("{name}.bias"), 3 * hidden)?;
    Ok([0, 1, 2].map(|part| {
        let (weight, bias) = (weight.clone(), bias.clone());
        Linear::new(weight.narrow(0, part * hidden, hidden), Some(bias.narrow(0, part * hidden, hidden)))
    }))
}

fn merger(reader: &TensorReader<'_>, name: &str, config: &VisionConfig) -> Result<PatchMerger, WeightError> {
    let cell = CELL_PATCHES * config.hidden_size;
    let first = reader.linear(&format!("{name}.mlp.0"), [cell, cell], true)?;
    let second = reader.linear(&format!("{name}.mlp.2"), [config.out_hidden_size, cell], true)?;
    let ln_q = reader.rms_norm(&format!("{name}.ln_q"), config.hidden_size, vision::NORM_EPSILON)?;
    Ok(PatchMerger { ln_q, mlp: (first, Gelu, second) })
}

fn audio_layer(reader: &TensorReader<'_>, name: &str, config: &AudioConfig) -> Result<AudioLayer, WeightError> {
    let (width, inner) = (config.width, config.intermediate_size);
    let projection =
        |part: &str, has_bias: bool| reader.linear(&format!("{name}.self_attn.{part}_proj"), [width, width], has_bias);
    let self_attn = AudioAttention {
        k_proj: projection("k", false)?,
        v_proj: projection("v", true)?,
        q_proj: projection("q", true)?,
        out_proj: projection("out", true)?,
        heads: config.heads,
    };
    Ok(AudioLayer {
        self_attn,
        self_attn_layer_norm: layer_norm(reader, &format!("{name}.self_attn_layer_norm"), width)?,
        fc1: reader.linear(&format!("{name}.fc1"), [inner, width], true)?,
        fc2: reader.linear(&format!("{name}.fc2"), [width, inner], true)?,
        final_layer_norm: layer_norm(reader, &format!("{name}.final_layer_norm"), width)?,
    })
}

fn layer_norm(reader: &TensorReader<'_>, name: &str, width: usize) -> Result<LayerNorm, WeightError> {
    let vector = |part: &str| reader.vector(&format!("{name}.{part}"), width).map(frozen);
    Ok(LayerNorm { weight: vector("weight")?, bias: vector("bias")? })
}

fn convolution(
    reader: &TensorReader<'_>,
    name: &str,
    [outputs, inputs]: [usize; 2],
    stride: usize,
) -> Result<Convolution, WeightError> {
    let weight = frozen(reader.tensor(&format!("{name}.weight"), [outputs, inputs, audio::KERNEL])?);
    Ok(Convolution { weight, bias: frozen(reader.vector(&format!("{name}.bias"), outputs)?), stride })
}

fn frozen<const D: usize>(tensor: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(tensor).set_require_grad(false)
}
