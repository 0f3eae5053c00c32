//! What another engine trained becomes a folder that vLLM serves and grm opens.
//!
//! Names are changed by writing each safetensors header anew in front of the same data, which is copied file to file: a
//! checkpoint of any size takes the memory of its headers.

mod adapter;
mod checkpoint;
mod config;
mod error;
mod first_loss;
mod header;
mod names;
mod side_files;
mod tensors;
mod training_log;
mod value_head;

use std::path::Path;

use serde_json::json;

pub use error::ImportError;

use crate::{folder::PartialFolder, import::names::Family, script};
use checkpoint::Checkpoint;
use training_log::TrainingLog;

/// The file by which an imported folder is known.
pub const IMPORT: &str = "import.json";

/// What was brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Every weight of a model.
    Model,
    /// LoRA factors, to be put on the base.
    Adapter,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Weights or an adapter.
    pub kind: Kind,
    /// Tensors written.
    pub tensors: usize,
    /// Of those, how many have another name than before.
    pub renamed: usize,
    /// Bytes of their values.
    pub bytes: u64,
    /// Tensors of the base that were not trained and are left out: speech output.
    pub left_out: usize,
    /// Whether a value head became `score.weight`.
    pub has_score: bool,
    /// Steps of training in the log, if there was one.
    pub steps: Option<usize>,
    /// DPO's loss at step 1, which must be ln 2, where it was logged.
    pub first_loss: Option<f64>,
}

/// Reads the training output `from`, compares it with `base` tensor by tensor, and writes `to`, whole or not at all.
///
/// # Errors
/// Files that cannot be read, tensors that are missing, unknown or of another shape than the base's, a DPO run that did not
/// begin at ln 2, or a name that is taken.
pub fn import(from: &Path, base: &Path, to: &Path) -> Result<Imported, ImportError> {
    let family = Family::of(&config::read(base)?);
    let base_tensors = Checkpoint::open(base)?;
    let log = TrainingLog::read(from)?;
    let first_loss = first_loss::check(from, &log)?;
    let failed = |source| ImportError::io(to, source);
    let occupied = || ImportError::Occupied { path: to.to_owned() };
    let folder = PartialFolder::create(to, IMPORT).map_err(failed)?.ok_or_else(occupied)?;
    let mut imported = if from.join(adapter::CONFIG).is_file() {
        adapter::import(from, &base_tensors, family, folder.place())?
    } else {
        model(from, base, &base_tensors, family, folder.place())?
    };
    imported.first_loss = first_loss;
    imported.steps = log.steps();
    log.write(folder.place())?;
    let summary = json!({
        "version": 1, "program": env!("CARGO_PKG_VERSION"), "kind": imported.kind, "tensors": imported.tensors,
        "renamed": imported.renamed, "bytes": imported.bytes, "left_out": imported.left_out, "score": imported.has_score,
        "steps": imported.steps, "first_loss": imported.first_loss,
    });
    folder.put(IMPORT, script::pretty(&summary).as_bytes()).map_err(failed)?;
    folder.commit(&[]).map_err(failed)?;
    Ok(imported)
}

fn model(
    from: &Path,
    base: &Path,
    base_tensors: &Checkpoint,
    family: Family,
    place: &Path,
) -> Result<Imported, ImportError> {
    let trained = Checkpoint::open(from)?;
    let config = config::read(from)?;
    tensors::account(&trained, base_tensors, family, config::is_tied(&config))?;
    let head = value_head::read(from)?;
    let written = tensors::write(&trained, head.as_ref(), family, place)?;
    let config = config::served(config, config::read(base)?, family, head.is_some(), written.has_speech);
    let path = place.join(config::NAME);
    std::fs::write(&path, script::pretty(&config)).map_err(|source| ImportError::io(&path, source))?;
    side_files::copy(from, base, place, family)?;
    let is_speech = |name: &&str| names::is_speech(name);
    let left_out = if written.has_speech { 0 } else { base_tensors.names().filter(is_speech).count() };
    Ok(Imported {
        kind: Kind::Model,
        tensors: written.tensors,
        renamed: written.renamed,
        bytes: written.bytes,
        left_out,
        has_score: head.is_some(),
        steps: None,
        first_loss: None,
    })
}
