//! Three optimiser steps on whole tiny models end where the reference stack ends: losses, gradient norms and weights.

#[path = "../../grm-model/tests/reference/mod.rs"]
mod reference;

use grm_model::{HostParameters, LoraConfig, Network, Outputs, TokenRow};
use grm_train::{
    AdamW, AdamWSettings, BradleyTerrySettings, Decay, DpoSettings, LogProbability, Value, bradley_terry, clip, dpo,
    sft,
};
use reference::{Golden, causal, causal_at, classifier, folder, rows, target_rows};

/// What three steps on one batch came to.
struct Three {
    losses: Vec<f64>,
    norms: Vec<f64>,
}

fn three_steps<N: Network>(
    network: &mut N,
    rows: &[TokenRow],
    decay: Decay,
    norm_max: f64,
    objective: &dyn Fn(&Outputs) -> Value,
) -> Three {
    let settings = AdamWSettings { weight_decay: 0.01, decay, ..AdamWSettings::default() };
    let mut optimiser = AdamW::new(settings);
    let mut three = Three { losses: Vec::new(), norms: Vec::new() };
    for _ in 0..3 {
        let gradients = network.gradients(rows, &mut |outputs| {
            let value = objective(outputs);
            three.losses.push(value.loss);
            value.derivatives
        });
        let clipped = clip(gradients.expect("runs"), norm_max).expect("finite");
        three.norms.push(clipped.norm);
        optimiser.step(network, &clipped.gradients, 1e-3).expect("steps");
    }
    three
}

fn assert_losses(three: &Three, golden: &Golden) {
    for (found, expected) in three.losses.iter().zip(golden.values("losses")) {
        assert!((found / f64::from(expected) - 1.0).abs() < 5e-6, "{found}, expected {expected}");
    }
    assert_eq!(three.losses.len(), 3);
    if golden.names().contains(&"grad_norms".to_owned()) {
        for (found, expected) in three.norms.iter().zip(golden.values("grad_norms")) {
            assert!((found / f64::from(expected) - 1.0).abs() < 5e-5, "{found}, expected {expected}");
        }
    }
}

/// Entries whose gradient is rounding alone are turned into steps of full size by Adam, so a few differ more.
fn assert_weights(found: &HostParameters, golden: &Golden, prefix: &str) {
    let (mut differences, mut compared) = (Vec::new(), 0);
    for name in golden.names().into_iter().filter(|name| name.starts_with(prefix)) {
        let found = &found[&name[prefix.len()..]].values;
        let expected = golden.values(&name);
        assert_eq!(found.len(), expected.len(), "{name}");
        differences.extend(found.iter().zip(expected).map(|(a, b)| (a - b).abs()));
        compared += 1;
    }
    assert!(compared > 0);
    differences.sort_by(f32::total_cmp);
    let quantile = |share: f64| differences[((differences.len() - 1) as f64 * share) as usize];
    assert!(quantile(0.5) < 3e-8, "median {}", quantile(0.5));
    assert!(quantile(0.99) < 2e-6, "99 % {}", quantile(0.99));
    assert!(quantile(1.0) < 3e-4, "largest {}", quantile(1.0));
}

fn mean_cross_entropy(outputs: &Outputs) -> Value {
    sft::value(outputs, 1.0 / outputs.concat().len() as f64)
}

#[test]
fn full_sft() {
    let golden = Golden::open("train/sft");
    let mut model = causal("qwen2");
    model.train_everything();
    let three = three_steps(&mut model, &target_rows(&golden), Decay::Everything, 0.0, &mean_cross_entropy);
    assert_losses(&three, &golden);
    assert_weights(&model.to_host(), &Golden::open("train/sft.weights_after3"), "");
}

#[test]
fn full_sft_with_decay_groups_and_clipping() {
    let mut model = causal("qwen2");
    model.train_everything();
    let rows = target_rows(&Golden::open("train/sft"));
    three_steps(&mut model, &rows, Decay::WithoutNormsAndBiases, 1.0, &mean_cross_entropy);
    assert_weights(&model.to_host(), &Golden::open("train/sft_hf.weights_after3"), "");
}

#[test]
fn lora_sft() {
    let golden = Golden::open("train/lora");
    let targets = ["q_proj", "v_proj"].map(str::to_owned).to_vec();
    let mut model = causal("qwen2");
    model.train_adapter(&LoraConfig { rank: 8, alpha: 16.0, targets, seed: 0 }).expect("attaches");
    model.update(&mut |name, value| {
        let before = golden.values(&format!("before/base_model.model.{name}"));
        burn::tensor::Tensor::from_floats(before.as_slice(), &value.device())
    });
    let rows = target_rows(&Golden::open("train/sft"));
    let three = three_steps(&mut model, &rows, Decay::Everything, 0.0, &mean_cross_entropy);
    assert_losses(&three, &golden);
    assert_weights(&model.to_host(), &golden, "after3/base_model.model.");
}

#[test]
fn full_dpo() {
    let golden = Golden::open("train/dpo");
    let rows = target_rows(&golden);
    let reference = causal("qwen2").outputs(&rows).expect("runs");
    let reference = dpo::pair_log_probabilities(&reference, LogProbability::Sum);
    let mut policy = causal_at("qwen2", &folder().join("train/dpo.policy.safetensors"));
    policy.train_everything();
    let objective = |outputs: &Outputs| dpo::value(outputs, &reference, &DpoSettings::default(), 0.5);
    let three = three_steps(&mut policy, &rows, Decay::Everything, 0.0, &objective);
    assert_losses(&three, &golden);
    assert_weights(&policy.to_host(), &Golden::open("train/dpo.weights_after3"), "");
}

#[test]
fn bradley_terry() {
    let golden = Golden::open("train/bt");
    let (rows, _) = rows(&golden, "input_ids", "attention_mask");
    let mut model = classifier("qwen3");
    model.train_everything();
    let objective =
        |outputs: &Outputs| bradley_terry::value(outputs, &[0.0, 0.0], &BradleyTerrySettings::default(), 0.5);
    let three = three_steps(&mut model, &rows, Decay::Everything, 0.0, &objective);
    assert_losses(&three, &golden);
    assert_weights(&model.to_host(), &golden, "after3.");
}
