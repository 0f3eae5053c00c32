//! The tensors a checkpoint of a thinker has, by name and shape, without reading or allocating any.

use super::{
    config::{AudioConfig, MEL_BINS, OmniKind, ThinkerConfig, VisionConfig},
    grid::{CELL_PATCHES, CHANNELS, PATCH_SIDE, PATCH_TIME},
};
use crate::config::DecoderConfig;

/// A tensor's name and shape.
type Named = (String, Vec<usize>);

/// Every tensor of a published checkpoint, as it is named there: Qwen2.5-Omni's under `thinker.`, Qwen2.5-VL's bare and
/// with queries, keys and values of the vision tower in one. The audio tower's `audio_bos_eos_token`, which nothing
/// computes with, is among them.
#[must_use]
pub fn expected_tensors(config: &ThinkerConfig) -> Vec<Named> {
    let fused = config.kind == OmniKind::Qwen25Vl;
    let prefix = if fused { "" } else { "thinker." };
    let mut tensors = decoder(&config.decoder);
    tensors.extend(vision(&config.vision, fused));
    tensors.extend(config.audio.iter().flat_map(audio));
    tensors.into_iter().map(|(name, shape)| (format!("{prefix}{name}"), shape)).collect()
}

fn decoder(config: &DecoderConfig) -> Vec<Named> {
    let (hidden, vocabulary) = (config.hidden_size, config.vocabulary_size);
    let mut tensors = vec![named("model.embed_tokens.weight", &[vocabulary, hidden])];
    for layer in 0..config.layers {
        let name = |rest: &str| format!("model.layers.{layer}.{rest}");
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            tensors.push(named(&name(&format!("{norm}.weight")), &[hidden]));
        }
        for (part, has_bias) in [("q_proj", true), ("k_proj", true), ("v_proj", true), ("o_proj", false)] {
            tensors.extend(linear(&name(&format!("self_attn.{part}")), config.linear_shape(part), has_bias));
        }
        for part in ["gate_proj", "up_proj", "down_proj"] {
            tensors.extend(linear(&name(&format!("mlp.{part}")), config.linear_shape(part), false));
        }
    }
    tensors.push(named("model.norm.weight", &[hidden]));
    if !config.tied_embeddings {
        tensors.push(named("lm_head.weight", &[vocabulary, hidden]));
    }
    tensors
}

fn vision(config: &VisionConfig, fused: bool) -> Vec<Named> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let patch = [hidden, CHANNELS, PATCH_TIME, PATCH_SIDE, PATCH_SIDE];
    let mut tensors = vec![named("visual.patch_embed.proj.weight", &patch)];
    for block in 0..config.depth {
        let name = |rest: &str| format!("visual.blocks.{block}.{rest}");
        tensors.extend(["norm1", "norm2"].map(|norm| named(&name(&format!("{norm}.weight")), &[hidden])));
        let parts: &[_] = if fused { &[("qkv", 3)] } else { &[("q", 1), ("k", 1), ("v", 1)] };
        for &(part, count) in parts {
            tensors.extend(linear(&name(&format!("attn.{part}")), [count * hidden, hidden], true));
        }
        tensors.extend(linear(&name("attn.proj"), [hidden, hidden], true));
        tensors.extend(linear(&name("mlp.gate_proj"), [inner, hidden], true));
        tensors.extend(linear(&name("mlp.up_proj"), [inner, hidden], true));
        tensors.extend(linear(&name("mlp.down_proj"), [hidden, inner], true));
    }
    let cell = CELL_PATCHES * hidden;
    tensors.push(named("visual.merger.ln_q.weight", &[hidden]));
    tensors.extend(linear("visual.merger.mlp.0", [cell, cell], true));
    tensors.extend(linear("visual.merger.mlp.2", [config.out_hidden_size, cell], true));
    tensors
}

fn audio(config: &AudioConfig) -> Vec<Named> {
    let (width, inner, out) = (config.width, config.intermediate_size, config.out_hidden_size);
    let norm = |name: &str| ["weight", "bias"].map(|part| named(&format!("{name}.{part}"), &[width]));
    let mut tensors = vec![named("audio_tower.audio_bos_eos_token.weight", &[2, out])];
    for (convolution, inputs) in [("conv1", MEL_BINS), ("conv2", width)] {
        tensors.push(named(&format!("audio_tower.{convolution}.weight"), &[width, inputs, super::audio::KERNEL]));
        tensors.push(named(&format!("audio_tower.{convolution}.bias"), &[width]));
    }
    for layer in 0..config.layers {
        let name = |rest: &str| format!("audio_tower.layers.{layer}.{rest}");
        for (part, has_bias) in [("q", true), ("k", false), ("v", true), ("out", true)] {
            tensors.extend(linear(&name(&format!("self_attn.{part}_proj")), [width, width], has_bias));
        }
        tensors.extend(norm(&name("self_attn_layer_norm")));
        tensors.extend(norm(&name("final_layer_norm")));
        tensors.extend(linear(&name("fc1"), [inner, width], true));
        tensors.extend(linear(&name("fc2"), [width, inner], true));
    }
    tensors.extend(norm("audio_tower.ln_post"));
    tensors.extend(linear("audio_tower.proj", [out, width], true));
    tensors
}

fn linear(name: &str, [outputs, inputs]: [usize; 2], has_bias: bool) -> Vec<Named> {
    let bias = has_bias.then(|| named(&format!("{name}.bias"), &[outputs]));
    [named(&format!("{name}.weight"), &[outputs, inputs])].into_iter().chain(bias).collect()
}

fn named(name: &str, shape: &[usize]) -> Named {
    (name.to_owned(), shape.to_vec())
}
