//! Tensors of a device in safetensors files, one tensor at a time in memory when writing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Serialize;

use crate::error::CheckpointError;

/// As the format's own reader has it.
const HEADER_BYTES_MAX: u64 = 100_000_000;

/// A tensor laid flat, with its name and its shape.
#[derive(Debug, Clone)]
pub(crate) struct NamedTensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) tensor: Tensor<1>,
}

impl NamedTensor {
    pub(crate) fn flat(name: String, tensor: Tensor<1>) -> Self {
        Self { name, shape: vec![tensor.shape().num_elements()], tensor }
    }
}

#[derive(Serialize)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// Writes a whole file: the header's length, the header padded to eight bytes, the values.
pub(crate) fn write(out: &mut dyn Write, tensors: &[NamedTensor]) -> io::Result<()> {
    let mut entries = BTreeMap::new();
    let mut end = 0;
    for named in tensors {
        let start = end;
        end += named.tensor.shape().num_elements() * named.tensor.dtype().size();
        let dtype = on_disk(named.tensor.dtype())?;
        let entry = Entry { dtype, shape: named.shape.clone(), data_offsets: [start, end] };
        entries.insert(named.name.as_str(), entry);
    }
    let mut header = serde_json::to_vec(&entries)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for named in tensors {
        let data = named.tensor.try_to_data().map_err(io::Error::other)?;
        out.write_all(data.as_bytes())?;
    }
    Ok(())
}

const DTYPES: [(DType, Dtype); 4] =
    [(DType::F32, Dtype::F32), (DType::F64, Dtype::F64), (DType::F16, Dtype::F16), (DType::BF16, Dtype::BF16)];

fn on_disk(dtype: DType) -> io::Result<Dtype> {
    let found = DTYPES.iter().find(|(ours, _)| *ours == dtype);
    found.map(|(_, theirs)| *theirs).ok_or_else(|| io::Error::other(format!("tensors of {dtype:?} are not written")))
}

/// An open file out of which tensors are taken one by one.
#[derive(Debug)]
pub(crate) struct TensorFile {
    path: PathBuf,
    file: File,
    values_start: u64,
    tensors: BTreeMap<String, TensorInfo>,
}

impl TensorFile {
    /// Reads the header and checks it against the file's length.
    pub(crate) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let mut file = File::open(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
        let (values_start, metadata) =
            header(&mut file).map_err(|why| CheckpointError::Damaged { path: path.to_owned(), why })?;
        let tensors = metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        Ok(Self { path: path.to_owned(), file, values_start, tensors })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Takes a tensor out, flat, in the dtype asked for or in its own.
    pub(crate) fn take(
        &mut self,
        name: &str,
        shape: &[usize],
        device: &Device,
        dtype: Option<DType>,
    ) -> Result<Tensor<1>, CheckpointError> {
        let data = self.data(name, shape).map_err(|why| CheckpointError::Damaged { path: self.path.clone(), why })?;
        let dtype = dtype.unwrap_or(data.dtype());
        Ok(Tensor::from_data(data, (device, dtype)))
    }

    fn data(&mut self, name: &str, shape: &[usize]) -> Result<TensorData, String> {
        let info = self.tensors.remove(name).ok_or_else(|| format!("tensor {name} of the network is missing"))?;
        if info.shape != shape {
            return Err(format!("tensor {name} has shape {:?}, the network's has {shape:?}", info.shape));
        }
        let found = DTYPES.iter().find(|(_, theirs)| *theirs == info.dtype);
        let (dtype, _) = found.ok_or_else(|| format!("tensor {name} has dtype {:?}", info.dtype))?;
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        let read = self.file.seek(SeekFrom::Start(self.values_start + start as u64));
        read.and_then(|_| self.file.read_exact(&mut bytes)).map_err(|error| format!("tensor {name}: {error}"))?;
        let size: usize = shape.iter().product();
        if *dtype == DType::F32 {
            // As numbers, so that they lie where numbers may.
            let words = bytes.as_chunks::<4>().0;
            return Ok(TensorData::new(words.iter().map(|word| f32::from_le_bytes(*word)).collect(), [size]));
        }
        TensorData::try_from_bytes_vec(bytes, [size], *dtype).map_err(|error| format!("tensor {name}: {error}"))
    }

    /// Refuses tensors that nobody took.
    pub(crate) fn finish(self) -> Result<(), CheckpointError> {
        match self.tensors.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let why = format!("tensor {name} is none of the network's");
                Err(CheckpointError::Damaged { path: self.path, why })
            }
        }
    }
}

/// Where the values begin, and what they are.
fn header(file: &mut File) -> Result<(u64, Metadata), String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(|_| "it has no header".to_owned())?;
    let size = u64::from_le_bytes(size);
    if size > HEADER_BYTES_MAX.min(length) {
        return Err(format!("its header would be {size} bytes long, the file is {length}"));
    }
    let mut json = Vec::new();
    file.take(size).read_to_end(&mut json).map_err(|error| error.to_string())?;
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|error| format!("its header: {error}"))?;
    let expected = 8 + size + metadata.data_len() as u64;
    if expected != length {
        return Err(format!("it is {length} bytes long, its header describes {expected}"));
    }
    Ok((8 + size, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn tensors() -> Vec<NamedTensor> {
        let device = Device::default();
        let half = Tensor::<1>::from_floats([1.5, -0.25], &device).cast(DType::F16);
        let whole = Tensor::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, f32::MIN_POSITIVE], &device);
        vec![NamedTensor { name: "a".into(), shape: vec![2, 3], tensor: whole }, NamedTensor::flat("b".into(), half)]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut bytes = Vec::new();
        write(&mut bytes, &tensors()).unwrap();
        let (_folder, path) = file("x.safetensors", &bytes);
        let mut read = TensorFile::open(&path).unwrap();
        for named in tensors() {
            let back = read.take(&named.name, &named.shape, &Device::default(), None).unwrap();
            assert_eq!(back.dtype(), named.tensor.dtype());
            assert_eq!(back.to_data().as_bytes(), named.tensor.to_data().as_bytes());
        }
        read.finish().unwrap();
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut bytes = Vec::new();
        write(&mut bytes, &tensors()).unwrap();
        let (_folder, path) = file("x.safetensors", &bytes);
        let take = |name: &str, shape: &[usize]| {
            TensorFile::open(&path).unwrap().take(name, shape, &Device::default(), None).unwrap_err().to_string()
        };
        assert!(take("c", &[1]).contains("tensor c of the network is missing"));
        assert!(take("a", &[3, 2]).contains("tensor a has shape [2, 3], the network's has [3, 2]"));
        let unused = TensorFile::open(&path).unwrap().finish().unwrap_err().to_string();
        assert!(unused.contains("tensor a is none of the network's"), "{unused}");
    }

    #[test]
    fn damaged_files_are_refused_wherever_they_end() {
        let mut bytes = Vec::new();
        write(&mut bytes, &tensors()).unwrap();
        for length in 0..bytes.len() {
            let (_folder, path) = file("x.safetensors", &bytes[..length]);
            assert!(TensorFile::open(&path).is_err(), "{length} bytes");
        }
        let (_folder, path) = file("x.safetensors", &[0xff; 64]);
        assert!(TensorFile::open(&path).unwrap_err().to_string().contains("x.safetensors"));
    }
}
