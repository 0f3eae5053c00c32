//! LoRA adapters: PEFT's two files, with names that vLLM finds in the whole model.

use std::path::Path;

use serde_json::Value;

use super::{
    Imported, Kind, checkpoint::Checkpoint, error::ImportError, header::TensorFile, names::Family, side_files,
};
use crate::script;

pub(super) const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
const PREFIX: &str = "base_model.model.";

pub(super) fn import(from: &Path, base: &Checkpoint, family: Family, place: &Path) -> Result<Imported, ImportError> {
    let weights = TensorFile::open(&from.join(WEIGHTS))?;
    account(&weights, base, family)?;
    let rename = |name: &str| match name.strip_prefix(PREFIX) {
        Some(module) => format!("{PREFIX}{}", family.served(module)),
        None => name.to_owned(),
    };
    weights.write_renamed(&place.join(WEIGHTS), rename)?;
    let path = place.join(CONFIG);
    let config = served(&from.join(CONFIG), family)?;
    std::fs::write(&path, script::pretty(&config)).map_err(|source| ImportError::io(&path, source))?;
    side_files::copy(from, from, place, Family::Plain)?;
    Ok(Imported {
        kind: Kind::Adapter,
        tensors: weights.tensors.len(),
        renamed: weights.tensors.keys().filter(|name| rename(name) != **name).count(),
        bytes: weights.tensors.values().map(super::header::Tensor::bytes).sum(),
        left_out: 0,
        has_score: false,
        steps: None,
        first_loss: None,
    })
}

/// Each module has both factors, and they fit the base's matrix: A `[rank, inputs]`, B `[outputs, rank]`.
fn account(weights: &TensorFile, base: &Checkpoint, family: Family) -> Result<(), ImportError> {
    let expected = base.tensors(|name| Some(family.bare(name)));
    let other = |what: String| ImportError::Adapter { path: weights.path.clone(), what };
    for (name, tensor) in &weights.tensors {
        let module = name.strip_prefix(PREFIX).and_then(|name| name.rsplit_once(".lora_"));
        let Some((module, half @ ("A.weight" | "B.weight"))) = module else {
            return Err(other(format!("{name} is no factor of an adapter")));
        };
        let partner = format!("{PREFIX}{module}.lora_{}.weight", if half == "A.weight" { "B" } else { "A" });
        let partner = weights.tensors.get(&partner).ok_or_else(|| other(format!("{name} has no other half")))?;
        let weight = format!("{}.weight", family.bare(module));
        let matrix = expected.get(&weight).ok_or_else(|| ImportError::Unknown {
            trained: weights.path.clone(),
            base: base.path.clone(),
            count: 1,
            first: weight.clone(),
        })?;
        let is_a = half == "A.weight";
        let fits = match (matrix.shape.as_slice(), tensor.shape.as_slice(), partner.shape.as_slice()) {
            (&[_, inputs], &[rank, found], &[_, other]) if is_a => found == inputs && rank == other,
            (&[outputs, _], &[found, rank], &[other, _]) => found == outputs && rank == other,
            _ => false,
        };
        if !fits {
            let (found, expected) = (tensor.shape.clone(), matrix.shape.clone());
            return Err(ImportError::Shape { name: name.clone(), found, expected });
        }
    }
    Ok(())
}

fn served(path: &Path, family: Family) -> Result<Value, ImportError> {
    let bytes = std::fs::read(path).map_err(|source| ImportError::io(path, source))?;
    let mut config: Value =
        serde_json::from_slice(&bytes).map_err(|error| ImportError::damaged(path, error.to_string()))?;
    let saved = config["modules_to_save"].as_array().is_some_and(|modules| !modules.is_empty());
    for (is_set, what) in [
        (saved, "whole layers were trained beside it (`modules_to_save`)"),
        (config["use_dora"] == true, "it is a DoRA adapter"),
        (config["lora_bias"] == true, "it has biases (`lora_bias`)"),
    ] {
        if is_set {
            return Err(ImportError::Adapter { path: path.to_owned(), what: what.to_owned() });
        }
    }
    if let Some(targets) = config["target_modules"].as_array_mut() {
        let is_path = |name: &str| name.contains('.');
        for target in targets {
            if let Some(name) = target.as_str().filter(|name| is_path(name)) {
                *target = family.served(name).into();
            }
        }
    }
    Ok(config)
}
