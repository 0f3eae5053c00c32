//! Qwen3: no biases; q and k are normalised per head before they are rotated; heads of a width of their own.

use super::Description;

pub(crate) const DESCRIPTION: Description = Description {
    model_type: "qwen3",
    causal: "Qwen3ForCausalLM",
    classifier: "Qwen3ForSequenceClassification",
    attention_bias: false,
    query_key_norm: true,
    tied_by_default: false,
    interleaved_in_gguf: false,
};
