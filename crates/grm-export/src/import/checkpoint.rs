//! The weight files of a folder, by their headers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    error::ImportError,
    header::{Tensor, TensorFile},
};

const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// One model's weights.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) path: PathBuf,
    pub(super) files: Vec<TensorFile>,
}

impl Checkpoint {
    /// Opens `model.safetensors`, or the shards its index names.
    pub(super) fn open(folder: &Path) -> Result<Self, ImportError> {
        let names = names(folder)?;
        let files = names.iter().map(|name| TensorFile::open(&folder.join(name))).collect::<Result<_, _>>()?;
        Ok(Self { path: folder.to_owned(), files })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().flat_map(|file| file.tensors.keys()).map(String::as_str)
    }

    /// Every tensor by its name as `of` gives it; those it gives none are passed over.
    pub(super) fn tensors(&self, of: impl Fn(&str) -> Option<String>) -> BTreeMap<String, &Tensor> {
        let all = self.files.iter().flat_map(|file| &file.tensors);
        all.filter_map(|(name, tensor)| Some((of(name)?, tensor))).collect()
    }
}

fn names(folder: &Path) -> Result<BTreeSet<String>, ImportError> {
    if folder.join(SINGLE).is_file() {
        return Ok(BTreeSet::from([SINGLE.to_owned()]));
    }
    let path = folder.join(INDEX);
    if !path.is_file() {
        return Err(ImportError::NoWeights { path: folder.to_owned() });
    }
    let bytes = std::fs::read(&path).map_err(|source| ImportError::io(&path, source))?;
    let index: Value =
        serde_json::from_slice(&bytes).map_err(|error| ImportError::damaged(&path, error.to_string()))?;
    let map = index["weight_map"].as_object().ok_or_else(|| ImportError::damaged(&path, "it has no `weight_map`"))?;
    let names: BTreeSet<String> = map.values().filter_map(Value::as_str).map(str::to_owned).collect();
    match names.iter().find(|name| Path::new(name).components().count() != 1 || *name == "..") {
        Some(name) => Err(ImportError::damaged(&path, format!("it names {name:?}, which is not a file beside it"))),
        None => Ok(names),
    }
}
