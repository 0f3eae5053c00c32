//! TRL's value head, as LLaMA-Factory saves reward models, under the name classifiers are served with.

use std::path::Path;

use super::{error::ImportError, header::TensorFile};

const NAME: &str = "value_head.safetensors";

/// The head beside the weights, if there is one.
pub(super) fn read(folder: &Path) -> Result<Option<TensorFile>, ImportError> {
    let path = folder.join(NAME);
    if !path.is_file() {
        return Ok(None);
    }
    let file = TensorFile::open(&path)?;
    match file.tensors.keys().find(|name| score(name).is_none()) {
        Some(name) => Err(ImportError::damaged(&path, format!("{name} is no part of a value head"))),
        None => Ok(Some(file)),
    }
}

/// `score.weight` for `v_head.summary.weight`, and the bias likewise; `None` for anything else.
pub(super) fn score(name: &str) -> Option<String> {
    let part = name.strip_prefix("v_head.summary.")?;
    matches!(part, "weight" | "bias").then(|| format!("score.{part}"))
}
