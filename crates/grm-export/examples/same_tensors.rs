//! Holds what burn has loaded of an imported model against what was trained, tensor by tensor and bit by bit.
//!
//! usage: `same_tensors TRAINED_FOLDER IMPORTED_FOLDER`
#![expect(clippy::print_stdout, reason = "its result")]

use std::{collections::BTreeMap, error::Error, path::Path};

use burn::tensor::Device;
use grm_model::{
    CausalLm,
    weights::{SafetensorsFolder, Weights as _},
};

/// A table the published model has and nothing computes with, in transformers neither.
const UNUSED: &str = "audio_tower.audio_bos_eos_token.weight";

fn main() -> Result<(), Box<dyn Error>> {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    let [trained, imported] = folders.as_slice() else {
        return Err("usage: same_tensors TRAINED_FOLDER IMPORTED_FOLDER".into());
    };
    let (trained, imported_path) = (SafetensorsFolder::open(Path::new(trained))?, Path::new(imported));
    let imported = SafetensorsFolder::open(imported_path)?;
    let loaded = CausalLm::open(imported_path, &Device::default())?.to_host();
    let bare = |name: &str| name.strip_prefix("thinker.").unwrap_or(name).to_owned();
    let loaded: BTreeMap<String, Vec<f32>> =
        loaded.into_iter().map(|(name, tensor)| (bare(&name), tensor.values)).collect();
    let names = trained.names();
    let mut values = 0;
    for name in &names {
        let expected = trained.read(name)?.values;
        // What nothing computes with stays in the file.
        let found = match loaded.get(&bare(name)) {
            Some(found) => found.clone(),
            None if name.ends_with(UNUSED) => imported.read(&format!("thinker.{}", bare(name)))?.values,
            None => return Err(format!("burn has no tensor {name}").into()),
        };
        if found != expected {
            return Err(format!("tensor {name} is not what was trained").into());
        }
        values += expected.len();
    }
    if loaded.len() > names.len() {
        return Err(format!("burn has {} tensors, {} were trained", loaded.len(), names.len()).into());
    }
    let (all, in_burn) = (names.len(), loaded.len());
    println!("{all} tensors of {values} values, {in_burn} of them in burn, each equal to what was trained");
    Ok(())
}
