//! Llama: no biases, optionally stretched rotary frequencies. llama.cpp rotates neighbours instead of halves, so its
//! files hold q and k reordered.

use super::Description;

pub(crate) const DESCRIPTION: Description = Description {
    model_type: "llama",
    causal: "LlamaForCausalLM",
    classifier: "LlamaForSequenceClassification",
    attention_bias: false,
    query_key_norm: false,
    tied_by_default: false,
    interleaved_in_gguf: true,
};
