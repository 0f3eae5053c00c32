//! Tokens per second of one LoRA or full training step on random weights of a real model's shape.
//!
//! `cargo run --release -p grm-train --example training_speed -- smollm2-135m lora 512 on`

use std::{error::Error, path::Path, time::Instant};

use burn::tensor::Device;
use grm_model::{
    CausalLm, Checkpointing, DecoderConfig, Execution, HostTensor, LoraConfig, Network as _, TokenRow, WeightError,
    Weights,
};
use grm_train::{AdamW, AdamWSettings};
use serde_json::{Value, json};

/// Small pseudo-random weights of any shape.
struct Random(DecoderConfig);

impl Weights for Random {
    fn names(&self) -> Vec<String> {
        vec!["model.embed_tokens.weight".into()]
    }

    fn contains(&self, _name: &str) -> bool {
        true
    }

    fn read(&self, name: &str) -> Result<HostTensor, WeightError> {
        let config = &self.0;
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (queries, keys) = (config.heads * config.head_dim, config.key_value_heads * config.head_dim);
        let part = |name: &str| {
            name.trim_end_matches(".weight").trim_end_matches(".bias").rsplit('.').next().map(str::to_owned)
        };
        let (outputs, inputs) = match part(name).unwrap_or_default().as_str() {
            "embed_tokens" => (config.vocabulary_size, hidden),
            "q_proj" => (queries, hidden),
            "k_proj" | "v_proj" => (keys, hidden),
            "o_proj" => (hidden, queries),
            "gate_proj" | "up_proj" => (inner, hidden),
            "down_proj" => (hidden, inner),
            _ => (1, hidden),
        };
        let is_vector = name.ends_with(".bias") || outputs == 1;
        let shape = match (is_vector, outputs) {
            (true, 1) => vec![hidden],
            (true, outputs) => vec![outputs],
            (false, outputs) => vec![outputs, inputs],
        };
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / (1u32 << 24) as f32 - 0.5) * 0.1
        };
        let values = (0..shape.iter().product()).map(|_| next()).collect();
        Ok(HostTensor { shape, values })
    }
}

fn shape(name: &str) -> Option<Value> {
    let (model_type, hidden, inner, layers, heads, keys, vocabulary) = match name {
        "smollm2-135m" => ("llama", 576, 1536, 30, 9, 3, 49_152),
        "qwen-0.5b" => ("qwen2", 896, 4864, 24, 14, 2, 151_936),
        _ => return None,
    };
    Some(json!({
        "model_type": model_type, "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": keys, "vocab_size": vocabulary, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 8192, "tie_word_embeddings": true, "rope_theta": 1e6,
    }))
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

#[expect(clippy::print_stdout, reason = "a measurement")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, mode, tokens, checkpointing] = arguments.as_slice() else {
        return Err("expected: smollm2-135m|qwen-0.5b lora|full TOKENS checkpointing(on|off)".into());
    };
    let keys = shape(model).ok_or("no such shape")?;
    let config = DecoderConfig::from_keys(keys.as_object().ok_or("an object")?)?;
    let mut network = CausalLm::new(config.clone(), &Random(config), Path::new(model), &Device::default())?;
    match mode.as_str() {
        "lora" => {
            let targets = ["q_proj", "v_proj"].map(str::to_owned).to_vec();
            network.train_adapter(&LoraConfig { targets, ..LoraConfig::default() })?;
        }
        _ => network.train_everything(),
    }
    let checkpointing = if checkpointing == "on" { Checkpointing::On } else { Checkpointing::Off };
    network.set_execution(Execution { checkpointing, ..Execution::default() });
    let length: usize = tokens.parse()?;
    let row = TokenRow::from_tokens((0..length as u32).map(|i| i * 7 % 1000).collect(), 1);
    let mut optimiser = AdamW::new(AdamWSettings::default());
    for round in 0..4 {
        let start = Instant::now();
        let mean = 1.0 / length as f32;
        let mut loss = 0.0;
        let gradients = network.gradients(std::slice::from_ref(&row), &mut |outputs| {
            loss = -outputs[0].iter().sum::<f32>() * mean;
            vec![vec![-mean; outputs[0].len()]]
        })?;
        let norm = gradients.norm();
        optimiser.step(&mut network, &gradients, 1e-5)?;
        let seconds = start.elapsed().as_secs_f64();
        let rate = length as f64 / seconds;
        println!("round {round}: {rate:.1} tokens/s, loss {loss:.4}, |g| {norm:.4}, peak {:?} MiB", peak_memory_mib());
    }
    Ok(())
}
