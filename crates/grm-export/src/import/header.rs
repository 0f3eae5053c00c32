//! The header of a safetensors file: its length (u64, little-endian), then JSON of names, types, shapes and places.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::ImportError;

const HEADER_BYTES_MAX: u64 = 100 << 20;
const METADATA: &str = "__metadata__";

/// Where and what a tensor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tensor {
    /// `F32`, `BF16`, …
    pub(super) dtype: String,
    /// Rows first.
    pub(super) shape: Vec<u64>,
    /// From and to, counted from the end of the header.
    pub(super) data_offsets: [u64; 2],
}

impl Tensor {
    pub(super) fn bytes(&self) -> u64 {
        self.data_offsets[1] - self.data_offsets[0]
    }
}

/// One file by its header.
#[derive(Debug, Clone)]
pub(super) struct TensorFile {
    pub(super) path: PathBuf,
    pub(super) tensors: BTreeMap<String, Tensor>,
    metadata: Option<Value>,
    data_start: u64,
}

impl TensorFile {
    /// Reads the header and holds it against the size of the file.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let failed = |source| ImportError::io(path, source);
        let mut file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(failed)?;
        let length = u64::from_le_bytes(length);
        if length > HEADER_BYTES_MAX || length > size.saturating_sub(8) {
            return Err(ImportError::damaged(path, format!("its header claims {length} bytes of a {size}-byte file")));
        }
        let mut json = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact(&mut json).map_err(failed)?;
        let damaged = |error: serde_json::Error| ImportError::damaged(path, error.to_string());
        let mut entries: Map<String, Value> = serde_json::from_slice(&json).map_err(damaged)?;
        let metadata = entries.remove(METADATA);
        let tensors: BTreeMap<String, Tensor> = serde_json::from_value(Value::Object(entries)).map_err(damaged)?;
        let found = Self { path: path.to_owned(), tensors, metadata, data_start: 8 + length };
        found.check(size)?;
        Ok(found)
    }

    fn check(&self, size: u64) -> Result<(), ImportError> {
        let data = size - self.data_start;
        for (name, tensor) in &self.tensors {
            let [from, to] = tensor.data_offsets;
            if from > to || to > data {
                let what = format!("{name} should lie at {from}..{to} of {data} bytes");
                return Err(ImportError::damaged(&self.path, what));
            }
        }
        let end = self.tensors.values().map(|tensor| tensor.data_offsets[1]).max().unwrap_or(0);
        if end == data {
            return Ok(());
        }
        Err(ImportError::damaged(&self.path, format!("its header describes {end} bytes, there are {data}")))
    }

    /// Writes the same data behind a header with other names, and brings it to the disk.
    pub(super) fn write_renamed(&self, to: &Path, rename: impl Fn(&str) -> String) -> Result<(), ImportError> {
        let copy = || {
            let mut out = File::create(to)?;
            out.write_all(&self.header(&rename))?;
            let mut data = File::open(&self.path)?;
            data.seek(SeekFrom::Start(self.data_start))?;
            // Between files the system copies; the bytes never come here.
            io::copy(&mut data, &mut out)?;
            out.sync_all()
        };
        copy().map_err(|source| ImportError::io(to, source))
    }

    /// Padded with spaces, so that the data begin at a multiple of eight.
    fn header(&self, rename: impl Fn(&str) -> String) -> Vec<u8> {
        let mut entries = Map::new();
        let metadata = self.metadata.clone().unwrap_or_else(|| serde_json::json!({ "format": "pt" }));
        entries.insert(METADATA.to_owned(), metadata);
        for (name, tensor) in &self.tensors {
            let tensor = serde_json::to_value(tensor).expect("numbers and strings always become JSON");
            entries.insert(rename(name), tensor);
        }
        let mut json = Value::Object(entries).to_string().into_bytes();
        json.resize(json.len().next_multiple_of(8), b' ');
        [&(json.len() as u64).to_le_bytes()[..], &json].concat()
    }
}
