//! The tiny golden models as folders, with adapters that have learned noise.

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::{Device, Tensor};
use grm_model::{CausalLm, LoraConfig, Network, RewardModel, TokenRow};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

pub(crate) const FAMILIES: [&str; 3] = ["qwen2", "qwen3", "llama"];

/// A folder as one downloads it.
pub(crate) fn folder(at: &Path, name: &str) -> PathBuf {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/text");
    let folder = at.join(name);
    fs::create_dir_all(&folder).expect("created");
    for (from, to) in [("config.json", "config.json"), ("weights.safetensors", "model.safetensors")] {
        fs::copy(goldens.join(format!("{name}.{from}")), folder.join(to)).expect("copied");
    }
    folder
}

pub(crate) fn lora() -> LoraConfig {
    LoraConfig { rank: 4, alpha: 6.0, seed: 3, ..LoraConfig::default() }
}

pub(crate) fn causal(path: &Path) -> CausalLm {
    CausalLm::open(path, &Device::default()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn scorer(path: &Path) -> RewardModel {
    RewardModel::open(path, &Device::default()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn adapted_causal(path: &Path) -> CausalLm {
    let mut model = causal(path);
    model.train_adapter(&lora()).expect("a good configuration");
    add_noise(&mut model);
    model
}

pub(crate) fn adapted_scorer(path: &Path) -> RewardModel {
    let mut model = scorer(path);
    model.train_adapter(&lora()).expect("a good configuration");
    add_noise(&mut model);
    model
}

/// As training would: every trainable parameter moves.
fn add_noise(model: &mut impl Network) {
    let mut noise = noise();
    model.update(&mut |_, value| {
        let moves: Vec<f32> = (0..value.dims()[0]).map(|_| noise() * 0.1).collect();
        let moves = Tensor::from_floats(moves.as_slice(), &value.device());
        value + moves
    });
}

/// Numbers within ±0.5, the same ones each time.
pub(crate) fn noise() -> impl FnMut() -> f32 {
    let mut state = 1_u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    }
}

pub(crate) fn row() -> TokenRow {
    TokenRow::from_tokens((0..24).map(|index| index * 37 % 318 + 2).collect(), 1)
}

pub(crate) fn logits(model: &CausalLm) -> Vec<f32> {
    let logits = model.logits(&[row()]).expect("runs").remove(0);
    logits.try_into_vec_as::<f32>().expect("f32")
}

pub(crate) fn score(model: &RewardModel) -> f32 {
    model.outputs(&[row()]).expect("runs")[0][0]
}

pub(crate) fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Names, shapes and values of an F32 file.
pub(crate) fn read(path: &Path) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let bytes = fs::read(path).expect("readable");
    let file = SafeTensors::deserialize(&bytes).expect("whole");
    let numbers = |bytes: &[u8]| bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4"))).collect();
    let tensor = |(name, view): (String, TensorView)| (name, view.shape().to_vec(), numbers(view.data()));
    let mut tensors: Vec<_> = file.tensors().into_iter().map(tensor).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}

/// Passes every tensor of a file through `change`; those it gives `None` for are left out.
pub(crate) fn rewrite(
    path: &Path,
    change: impl Fn(String, Vec<usize>, Vec<f32>) -> Option<(String, Vec<usize>, Vec<f32>)>,
) {
    let tensors = read(path).into_iter().filter_map(|(name, shape, values)| change(name, shape, values));
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .map(|(name, shape, values)| (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let view = |shape: &[usize], bytes| TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("fits");
    let views = tensors.iter().map(|(name, shape, bytes)| (name, view(shape, bytes)));
    fs::write(path, safetensors::serialize(views, None).expect("serialised")).expect("written");
}
