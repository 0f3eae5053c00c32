//! What llama.cpp must give with an adapter written here: puts one of noise on a model, writes it (and the merged model,
//! if a third path is given), and prints the likeliest next tokens after a prompt of token ids, without and with it.
//!
//! `cargo run --release -p grm-model --example export_check -- base.gguf 504,3575,282,4649,314 adapter.gguf merged.gguf`

use std::{env, error::Error, io::Write, path::Path, time::Instant};

use burn::tensor::{Device, Tensor};
use grm_gguf::TensorType;
use grm_model::{CausalLm, LoraConfig, Network as _, TokenRow, export::base_metadata, write_gguf_adapter};

const SHOWN: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [base, prompt, adapter, merged @ ..] = arguments.as_slice() else {
        return Err("give a model, token ids, and a path for the adapter".into());
    };
    let prompt: Vec<u32> = prompt.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let start = Instant::now();
    let mut model = CausalLm::open(Path::new(base), &Device::default())?;
    say(&format!("opened in {:.2} s", start.elapsed().as_secs_f64()))?;
    show("without", &model, &prompt)?;

    let lora = LoraConfig { rank: 8, alpha: 16.0, seed: 5, ..LoraConfig::default() };
    model.train_adapter(&lora)?;
    add_noise(&mut model);
    write_gguf_adapter(Path::new(adapter), model.config(), &lora, &model.to_host(), TensorType::F32)?;
    show("with", &model, &prompt)?;
    if let Some(path) = merged.first() {
        model.write_gguf(Path::new(path), &base_metadata(Path::new(base))?, TensorType::F16)?;
    }
    Ok(())
}

/// As training would: B moves away from zero.
fn add_noise(model: &mut CausalLm) {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    model.update(&mut |name, value| {
        let size = if name.ends_with("lora_B.weight") { 0.4 } else { 0.0 };
        let noise: Vec<f32> = (0..value.dims()[0]).map(|_| next() * size).collect();
        let noise = Tensor::from_floats(noise.as_slice(), &value.device());
        value + noise
    });
}

fn show(title: &str, model: &CausalLm, prompt: &[u32]) -> Result<(), Box<dyn Error>> {
    let row = TokenRow { tokens: prompt.to_vec(), targets_from: prompt.len() };
    let logits = model.logits(&[row])?.remove(0);
    let last = logits.narrow(0, prompt.len() - 1, 1).try_into_vec_as::<f32>()?;
    let highest = last.iter().copied().fold(f32::MIN, f32::max);
    let log_sum = last.iter().map(|&logit| f64::from(logit - highest).exp()).sum::<f64>().ln();
    let mut order: Vec<usize> = (0..last.len()).collect();
    order.sort_by(|&a, &b| last[b].total_cmp(&last[a]));
    say(&format!("{title} the adapter: token, logit, log-probability"))?;
    for token in order.into_iter().take(SHOWN) {
        let log_probability = f64::from(last[token] - highest) - log_sum;
        say(&format!("{token:>8} {:>9.4} {log_probability:>9.4}", last[token]))?;
    }
    say(&format!("continued: {:?}", model.generate_greedily(prompt, 24, &[])?))
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
