//! Safetensors files: one, or shards with an index.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use safetensors::{Dtype, tensor::Metadata};
use serde_json::Value;

use super::{HostTensor, WeightError, Weights};

const HEADER_BYTES_MAX: u64 = 100 << 20;
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The safetensors files of one model, opened by header; tensors are read one at a time.
#[derive(Debug)]
pub struct SafetensorsFolder {
    place: PathBuf,
    entries: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

/// A file's header.
struct Header {
    entries: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Entry {
    file: PathBuf,
    dtype: Dtype,
    shape: Vec<usize>,
    start: u64,
    bytes: u64,
}

impl SafetensorsFolder {
    /// Opens `model.safetensors`, or the shards its index names, in `folder`; or one safetensors file.
    ///
    /// # Errors
    /// No such files, a header that contradicts the file, a shard that is missing.
    pub fn open(path: &Path) -> Result<Self, WeightError> {
        let mut folder = Self { place: path.to_owned(), entries: BTreeMap::new(), metadata: BTreeMap::new() };
        for file in files(path)? {
            folder.join(&file)?;
        }
        Ok(folder)
    }

    /// Opens one file by its header.
    pub(crate) fn open_file(path: &Path) -> Result<Self, WeightError> {
        let mut file = Self { place: path.to_owned(), entries: BTreeMap::new(), metadata: BTreeMap::new() };
        file.join(path)?;
        Ok(file)
    }

    /// Whether `folder` holds a model's safetensors files.
    pub(crate) fn is_in(folder: &Path) -> bool {
        [SINGLE, INDEX].iter().any(|name| folder.join(name).is_file())
    }

    /// Adds another file's tensors.
    pub(crate) fn join(&mut self, file: &Path) -> Result<(), WeightError> {
        let header = read_header(file)?;
        self.metadata.extend(header.metadata);
        for (name, entry) in header.entries {
            if let Some(before) = self.entries.insert(name.clone(), entry) {
                let reason = format!("it holds {name}, and so does {}", before.file.display());
                return Err(WeightError::Damaged { path: file.to_owned(), reason });
            }
        }
        Ok(())
    }

    /// A value of the files' own `__metadata__`.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }
}

impl Weights for SafetensorsFolder {
    fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    fn read(&self, name: &str) -> Result<HostTensor, WeightError> {
        let place = || self.place.display().to_string();
        let missing = || WeightError::Missing { place: place(), name: name.to_owned() };
        let entry = self.entries.get(name).ok_or_else(missing)?;
        let bytes = entry.read().map_err(|source| WeightError::Io { path: entry.file.clone(), source })?;
        let values = to_f32(entry.dtype, &bytes).ok_or_else(|| WeightError::Type {
            place: place(),
            name: name.to_owned(),
            dtype: format!("{:?}", entry.dtype),
        })?;
        Ok(HostTensor { shape: entry.shape.clone(), values })
    }
}

impl Entry {
    fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.start))?;
        let mut bytes = vec![0; self.bytes as usize];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, WeightError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if path.join(INDEX).is_file() {
        return shards(path);
    }
    if path.join(SINGLE).is_file() {
        return Ok(vec![path.join(SINGLE)]);
    }
    let pickle = ["pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth"];
    match pickle.iter().map(|name| path.join(name)).find(|file| file.exists()) {
        Some(path) => Err(WeightError::Pickle { path }),
        None => Err(WeightError::NoWeights { path: path.to_owned() }),
    }
}

fn shards(folder: &Path) -> Result<Vec<PathBuf>, WeightError> {
    let path = folder.join(INDEX);
    let damaged = |reason: String| WeightError::Damaged { path: path.clone(), reason };
    let bytes = std::fs::read(&path).map_err(|source| WeightError::Io { path: path.clone(), source })?;
    let index: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let map = index.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| damaged("it has no `weight_map`".into()))?;
    let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if let Some(name) = names.iter().find(|name| Path::new(name).components().count() != 1 || **name == "..") {
        return Err(damaged(format!("it names {name:?}, which is not a file beside it")));
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn read_header(path: &Path) -> Result<Header, WeightError> {
    let io = |source| WeightError::Io { path: path.to_owned(), source };
    let damaged = |reason: String| WeightError::Damaged { path: path.to_owned(), reason };
    let mut file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(io)?;
    if length.starts_with(b"PK\x03\x04") || length.starts_with(b"\x80\x02") {
        return Err(WeightError::Pickle { path: path.to_owned() });
    }
    let length = u64::from_le_bytes(length);
    if length > HEADER_BYTES_MAX || length > size.saturating_sub(8) {
        return Err(damaged(format!("its header claims {length} bytes of a {size}-byte file")));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(io)?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
    let data_bytes = data_bytes(&metadata);
    if 8 + length + data_bytes != size {
        let expected = 8 + length + data_bytes;
        return Err(damaged(format!("its header describes {expected} bytes, the file has {size}")));
    }
    let entry = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
        let (from, to) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let (file, shape) = (path.to_owned(), info.shape.clone());
        (name, Entry { file, dtype: info.dtype, shape, start: 8 + length + from, bytes: to - from })
    };
    let entries = metadata.tensors().into_iter().map(entry).collect();
    let metadata = metadata.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(Header { entries, metadata })
}

fn data_bytes(metadata: &Metadata) -> u64 {
    metadata.tensors().values().map(|info| info.data_offsets.1 as u64).max().unwrap_or(0)
}

fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let wide = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let brain = |b: &[u8]| f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16);
    let half = |b: &[u8]| half::f16::from_le_bytes([b[0], b[1]]).to_f32();
    match dtype {
        Dtype::F32 => Some(bytes.chunks_exact(4).map(wide).collect()),
        Dtype::BF16 => Some(bytes.chunks_exact(2).map(brain).collect()),
        Dtype::F16 => Some(bytes.chunks_exact(2).map(half).collect()),
        _ => None,
    }
}
