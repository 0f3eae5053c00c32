//! What `grm-model` writes and what llama.cpp makes of it: tiny models of random weights, with a tokenizer of no words.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use burn::tensor::{Device, Tensor};
use grm_gguf::{Metadata, TensorType, Value};
use grm_model::{
    CausalLm, DecoderConfig, LoraConfig, Network as _, TokenRow, weights::SafetensorsFolder, write_gguf_adapter,
};
use llama_cpp_2::{
    context::params::{KvCacheType, LlamaContextParams},
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::{LlamaModel, params::LlamaModelParams},
    token::LlamaToken,
};

/// Measured: up to 0.009 on logits that reach 5, spread evenly over all positions as half-precision steps inside llama.cpp
/// spread it; the adapters move logits by 2.4, ignored rotary scaling by 1.3.
const TOLERANCE: f32 = 0.03;

#[test]
fn llama_cpp_computes_what_was_trained() {
    let backend = LlamaBackend::init().expect("the first and only one here");
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    for family in ["llama", "qwen2", "qwen3"] {
        let lora = LoraConfig { rank: 4, alpha: 6.0, ..LoraConfig::default() };
        let mut model = golden(family);
        let plain = ours(&model);
        model.write_gguf(&at("base.gguf"), &no_words(), TensorType::F32).expect("written");
        model.train_adapter(&lora).expect("a good configuration");
        add_noise(&mut model);
        let adapted = ours(&model);
        write_gguf_adapter(&at("adapter.gguf"), model.config(), &lora, &model.to_host(), TensorType::F32)
            .expect("written");
        model.write_gguf(&at("merged.gguf"), &no_words(), TensorType::F32).expect("written");

        assert!(difference(&plain, &adapted) > 0.1, "{family}: the adapter does something");
        let found = theirs(&backend, &at("base.gguf"), None);
        assert!(difference(&found, &plain) < TOLERANCE, "{family}, base: {}", difference(&found, &plain));
        let found = theirs(&backend, &at("base.gguf"), Some(&at("adapter.gguf")));
        assert!(difference(&found, &adapted) < TOLERANCE, "{family}, adapter: {}", difference(&found, &adapted));
        let found = theirs(&backend, &at("merged.gguf"), None);
        assert!(difference(&found, &adapted) < TOLERANCE, "{family}, merged: {}", difference(&found, &adapted));
    }
}

fn golden(family: &str) -> CausalLm {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "grm-model", "tests", "goldens", "text"].iter().collect();
    let weights = folder.join(format!("{family}.weights.safetensors"));
    let config = DecoderConfig::read(&folder.join(format!("{family}.config.json"))).expect("a good config");
    let store = SafetensorsFolder::open(&weights).expect("opens");
    CausalLm::new(config, &store, &weights, &Device::default()).expect("builds")
}

fn no_words() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.set("tokenizer.ggml.model", Value::String("no_vocab".into()));
    metadata
}

fn add_noise(model: &mut CausalLm) {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    model.update(&mut |_, value| {
        let moves: Vec<f32> = (0..value.dims()[0]).map(|_| next() * 0.2).collect();
        let moves = Tensor::from_floats(moves.as_slice(), &value.device());
        value + moves
    });
}

fn tokens() -> Vec<u32> {
    (0..24).map(|index| index * 37 % 318 + 2).collect()
}

fn ours(model: &CausalLm) -> Vec<f32> {
    let row = TokenRow::from_tokens(tokens(), 1);
    model.logits(&[row]).expect("runs").remove(0).try_into_vec_as::<f32>().expect("f32")
}

fn theirs(backend: &LlamaBackend, model: &Path, adapter: Option<&Path>) -> Vec<f32> {
    let mut model = LlamaModel::load_from_file(backend, model, &LlamaModelParams::default()).expect("loads");
    let mut adapter = adapter.map(|path| model.lora_adapter_init(path).expect("fits its base"));
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(64))
        .with_n_threads(1)
        .with_n_threads_batch(1)
        .with_type_k(KvCacheType::F32)
        .with_type_v(KvCacheType::F32);
    let mut context = model.new_context(backend, params).expect("a context");
    if let Some(adapter) = &mut adapter {
        context.lora_adapter_set(adapter, 1.0).expect("put on");
    }
    let tokens: Vec<LlamaToken> = tokens().into_iter().map(|token| LlamaToken(token as i32)).collect();
    let mut batch = LlamaBatch::new(tokens.len(), 1);
    batch.add_sequence(&tokens, 0, true).expect("room");
    context.decode(&mut batch).expect("decodes");
    (0..tokens.len()).flat_map(|index| context.get_logits_ith(index as i32).to_vec()).collect()
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
