//! Every trained tensor against the base's, and on to the disk.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{
    checkpoint::{Checkpoint, INDEX},
    error::ImportError,
    header::TensorFile,
    names::{Family, is_speech},
};
use crate::script;

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) tensors: usize,
    pub(super) renamed: usize,
    pub(super) bytes: u64,
    pub(super) has_speech: bool,
}

/// The trained tensors are the base's, by name and shape; speech output may be left out, and so may an output layer that is
/// tied to the embedding or has given way to a value head.
pub(super) fn account(
    trained: &Checkpoint,
    base: &Checkpoint,
    family: Family,
    is_tied: bool,
) -> Result<(), ImportError> {
    let bare = |name: &str| (!is_speech(name)).then(|| family.bare(name));
    let (found, expected) = (trained.tensors(bare), base.tensors(bare));
    let places = || (trained.path.clone(), base.path.clone());
    let lacking: Vec<&String> = expected
        .keys()
        .filter(|name| !(found.contains_key(*name) || is_tied && name.as_str() == "lm_head.weight"))
        .collect();
    if let [first, ..] = lacking.as_slice() {
        let (trained, base) = places();
        return Err(ImportError::Missing { trained, base, count: lacking.len(), first: (*first).clone() });
    }
    let is_copy = |name: &str| is_tied && name == "lm_head.weight";
    let unknown: Vec<&String> = found.keys().filter(|name| !expected.contains_key(*name) && !is_copy(name)).collect();
    if let [first, ..] = unknown.as_slice() {
        let (trained, base) = places();
        return Err(ImportError::Unknown { trained, base, count: unknown.len(), first: (*first).clone() });
    }
    for (name, tensor) in &found {
        if let Some(base) = expected.get(name)
            && base.shape != tensor.shape
        {
            let (found, expected) = (tensor.shape.clone(), base.shape.clone());
            return Err(ImportError::Shape { name: name.clone(), found, expected });
        }
    }
    Ok(())
}

/// Writes the files under served names: one as `model.safetensors`, several with an index.
pub(super) fn write(
    trained: &Checkpoint,
    head: Option<&TensorFile>,
    family: Family,
    place: &Path,
) -> Result<Written, ImportError> {
    let files: Vec<&TensorFile> = trained.files.iter().chain(head).collect();
    let count = files.len();
    let mut written = Written { tensors: 0, renamed: 0, bytes: 0, has_speech: false };
    let mut map = Map::new();
    for (index, file) in files.into_iter().enumerate() {
        let name = match count {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", index + 1),
        };
        let rename = |tensor: &str| super::value_head::score(tensor).unwrap_or_else(|| family.served(tensor));
        file.write_renamed(&place.join(&name), rename)?;
        for (tensor, entry) in &file.tensors {
            let served = rename(tensor);
            written.tensors += 1;
            written.renamed += usize::from(served != *tensor);
            written.bytes += entry.bytes();
            written.has_speech |= is_speech(tensor);
            map.insert(served, name.as_str().into());
        }
    }
    if count > 1 {
        let index = json!({ "metadata": { "total_size": written.bytes }, "weight_map": Value::Object(map) });
        let path = place.join(INDEX);
        std::fs::write(&path, script::pretty(&index)).map_err(|source| ImportError::io(&path, source))?;
    }
    Ok(written)
}
