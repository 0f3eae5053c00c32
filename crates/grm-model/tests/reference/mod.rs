//! Reading the goldens.
#![allow(dead_code, reason = "each test binary uses a part of this module")]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use grm_model::{CausalLm, DecoderConfig, RewardModel, TokenRow, Weights as _, weights::SafetensorsFolder};
use safetensors::{Dtype, SafeTensors};

pub(crate) struct Golden {
    bytes: Vec<u8>,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../grm-model/tests/goldens")
}

impl Golden {
    pub(crate) fn open(name: &str) -> Self {
        let path = folder().join(format!("{name}.safetensors"));
        Self { bytes: std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) }
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("a whole file")
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.tensors().names().into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn shape(&self, name: &str) -> Vec<usize> {
        self.tensors().tensor(name).expect(name).shape().to_vec()
    }

    /// Values as f32, whatever they are stored as.
    pub(crate) fn values(&self, name: &str) -> Vec<f32> {
        let tensors = self.tensors();
        let tensor = tensors.tensor(name).expect(name);
        let bytes = tensor.data();
        match tensor.dtype() {
            Dtype::F32 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4"))).collect(),
            Dtype::I32 => bytes.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().expect("4")) as f32).collect(),
            Dtype::I64 => bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("8")) as f32).collect(),
            other => panic!("{name} is {other:?}"),
        }
    }

    /// Cut along everything but the last dimension.
    pub(crate) fn rows(&self, name: &str) -> Vec<Vec<f32>> {
        let width = *self.shape(name).last().expect("a dimension");
        self.values(name).chunks_exact(width).map(<[f32]>::to_vec).collect()
    }

    pub(crate) fn tokens(&self, name: &str) -> Vec<u32> {
        self.values(name).into_iter().map(|value| value as u32).collect()
    }
}

/// The real tokens of each row, and the places they have in the flat batch.
pub(crate) fn rows(golden: &Golden, ids: &str, mask: &str) -> (Vec<TokenRow>, Vec<Vec<usize>>) {
    let width = golden.shape(ids)[1];
    let (ids, mask) = (golden.tokens(ids), golden.tokens(mask));
    let places = |row: usize| (row * width..(row + 1) * width).filter(|&place| mask[place] == 1).collect::<Vec<_>>();
    let places: Vec<Vec<usize>> = (0..ids.len() / width).map(places).collect();
    let row = |places: &Vec<usize>| TokenRow::from_tokens(places.iter().map(|&p| ids[p]).collect(), 0);
    (places.iter().map(row).collect(), places)
}

pub(crate) fn config(name: &str) -> DecoderConfig {
    DecoderConfig::read(&folder().join(format!("text/{name}.config.json"))).expect("a good config")
}

pub(crate) fn causal(family: &str) -> CausalLm {
    let path = folder().join(format!("text/{family}.weights.safetensors"));
    causal_at(family, &path)
}

pub(crate) fn causal_at(family: &str, path: &Path) -> CausalLm {
    let weights = SafetensorsFolder::open(path).expect("opens");
    assert!(!weights.names().is_empty());
    CausalLm::new(config(family), &weights, path, &Device::default()).expect("builds")
}

pub(crate) fn classifier(family: &str) -> RewardModel {
    let path = folder().join(format!("text/{family}_cls.weights.safetensors"));
    let weights = SafetensorsFolder::open(&path).expect("opens");
    RewardModel::new(config(&format!("{family}_cls")), &weights, &path, &Device::default()).expect("builds")
}

pub(crate) fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The prompts and targets of a batch with a completion mask.
pub(crate) fn target_rows(golden: &Golden) -> Vec<TokenRow> {
    let (mut rows, _) = rows(golden, "input_ids", "attention_mask");
    for (row, mask) in rows.iter_mut().zip(golden.rows("completion_mask")) {
        row.targets_from = mask.iter().position(|&m| m == 1.0).expect("a completion");
    }
    rows
}
