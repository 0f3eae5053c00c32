//! Prints the logits (or the reward) of a fixed row of tokens as JSON, to hold against another program's:
//! `benches/transformers_agree.py` does.
//!
//! `cargo run --release -p grm-model --example logits -- MODEL [ADAPTER]`

use std::{error::Error, path::Path};

use burn::tensor::Device;
use grm_model::{CausalLm, Network as _, RewardModel, TokenRow, read_peft};

#[expect(clippy::print_stdout, reason = "the result")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let model = Path::new(arguments.first().ok_or("expected: MODEL [ADAPTER]")?);
    let row = TokenRow::from_tokens((0..24).map(|index| index * 37 % 318 + 2).collect(), 1);
    let values = match RewardModel::open(model, &Device::default()) {
        Ok(reward) => reward.outputs(&[row])?.concat(),
        Err(_) => {
            let mut causal = CausalLm::open(model, &Device::default())?;
            if let Some(adapter) = arguments.get(1) {
                causal.put_on(&read_peft(Path::new(adapter))?)?;
            }
            causal.logits(&[row])?.remove(0).try_into_vec_as::<f32>()?
        }
    };
    println!("{}", serde_json::to_string(&values)?);
    Ok(())
}
