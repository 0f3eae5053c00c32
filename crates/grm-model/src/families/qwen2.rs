//! Qwen2 and Qwen2.5: biases on q, k and v.

use super::Description;

pub(crate) const DESCRIPTION: Description = Description {
    model_type: "qwen2",
    causal: "Qwen2ForCausalLM",
    classifier: "Qwen2ForSequenceClassification",
    attention_bias: true,
    query_key_norm: false,
    tied_by_default: false,
    interleaved_in_gguf: false,
};
