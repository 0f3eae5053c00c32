//! How GGUF files call a decoder's tensors, and in which order they hold their rows.

use crate::config::DecoderConfig;

/// Tensors that stand once: Hugging Face, GGUF.
const OUTER: [(&str, &str); 3] = [
    ("model.embed_tokens.weight", "token_embd.weight"),
    ("model.norm.weight", "output_norm.weight"),
    ("lm_head.weight", "output.weight"),
];

/// Modules of each layer: Hugging Face, GGUF.
const INNER: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// What llama.cpp divides each rotary frequency by.
pub(crate) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// `model.layers.3.mlp.up_proj.weight` → `blk.3.ffn_up.weight`; `None` for what a GGUF decoder does not have.
pub(crate) fn to_gguf(name: &str) -> Option<String> {
    if let Some((_, gguf)) = OUTER.iter().find(|(ours, _)| *ours == name) {
        return Some((*gguf).to_owned());
    }
    let (index, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (module, kind) = rest.rsplit_once('.')?;
    let (_, gguf) = INNER.iter().find(|(ours, _)| *ours == module)?;
    is_index_and_kind(index, kind).then(|| format!("blk.{index}.{gguf}.{kind}"))
}

/// The other way.
pub(crate) fn from_gguf(name: &str) -> Option<String> {
    if let Some((ours, _)) = OUTER.iter().find(|(_, gguf)| *gguf == name) {
        return Some((*ours).to_owned());
    }
    let (index, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (module, kind) = rest.rsplit_once('.')?;
    let (ours, _) = INNER.iter().find(|(_, gguf)| *gguf == module)?;
    is_index_and_kind(index, kind).then(|| format!("model.layers.{index}.{ours}.{kind}"))
}

fn is_index_and_kind(index: &str, kind: &str) -> bool {
    index.parse::<u32>().is_ok_and(|number| number.to_string() == index) && matches!(kind, "weight" | "bias")
}

/// Heads of a tensor whose rows GGUF holds in another order: q and k of the families that llama.cpp rotates in
/// neighbouring pairs. `name` is Hugging Face's, of a weight, a bias or an adapter's `lora_B`.
pub(crate) fn interleaved_heads(config: &DecoderConfig, name: &str) -> Option<usize> {
    let interleaved = config.family.is_interleaved_in_gguf();
    match name.rsplit_once("self_attn.").filter(|_| interleaved)?.1.split_once('.')?.0 {
        "q_proj" => Some(config.heads),
        "k_proj" => Some(config.key_value_heads),
        _ => None,
    }
}

/// Rows in GGUF's order. In a head of width d, Hugging Face's row `half · d/2 + j` is GGUF's row `2 j + half`: a pair
/// that turns together stands side by side.
pub(crate) fn interleave(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    reorder(values, rows, heads, |width, row| row % 2 * (width / 2) + row / 2)
}

/// Rows in Hugging Face's order again.
pub(crate) fn separate(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    reorder(values, rows, heads, |width, row| row % (width / 2) * 2 + row / (width / 2))
}

/// Row `row` of each head is taken from row `source(head width, row)` of it.
fn reorder(values: &[f32], rows: usize, heads: usize, source: fn(usize, usize) -> usize) -> Vec<f32> {
    let (width, columns) = (rows / heads, values.len() / rows);
    let mut reordered = Vec::with_capacity(values.len());
    for row in 0..rows {
        let from = (row / width * width + source(width, row % width)) * columns;
        reordered.extend_from_slice(&values[from..from + columns]);
    }
    reordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (ours, gguf) in [
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("model.norm.weight", "output_norm.weight"),
            ("lm_head.weight", "output.weight"),
            ("model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight"),
            ("model.layers.12.self_attn.q_proj.bias", "blk.12.attn_q.bias"),
            ("model.layers.7.self_attn.o_proj.weight", "blk.7.attn_output.weight"),
            ("model.layers.7.self_attn.k_norm.weight", "blk.7.attn_k_norm.weight"),
            ("model.layers.7.post_attention_layernorm.weight", "blk.7.ffn_norm.weight"),
            ("model.layers.7.mlp.down_proj.weight", "blk.7.ffn_down.weight"),
        ] {
            assert_eq!(to_gguf(ours).as_deref(), Some(gguf));
            assert_eq!(from_gguf(gguf).as_deref(), Some(ours));
        }
        for odd in ["blk.07.attn_q.weight", "blk.-1.attn_q.weight", "blk.0.attn_q.scale", "blk.0.ffn_gate_exps.weight"]
        {
            assert_eq!(from_gguf(odd), None, "{odd}");
        }
        assert_eq!(to_gguf("score.weight"), None);
    }

    #[test]
    fn pairs_that_turn_together_stand_side_by_side() {
        let rows: Vec<f32> = (0..8).map(|row| row as f32).collect();
        assert_eq!(interleave(&rows, 8, 2), [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
        let wide: Vec<f32> = (0..16).map(|value| value as f32).collect();
        assert_eq!(interleave(&wide, 8, 1)[..4], [0.0, 1.0, 8.0, 9.0]);
    }

    #[test]
    fn separating_undoes_interleaving() {
        for (heads, width, columns) in [(1, 2, 1), (3, 8, 5), (4, 64, 3), (9, 6, 1)] {
            let values: Vec<f32> = (0..heads * width * columns).map(|value| value as f32).collect();
            let there = interleave(&values, heads * width, heads);
            assert!(width == 2 || there != values);
            assert_eq!(separate(&there, heads * width, heads), values);
        }
    }
}
