//! A GGUF file opened to read its tensors.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    dequantise::Dequantise,
    error::GgufError,
    header::GgufHeader,
    metadata::Metadata,
    parse::{Keep, Parsed, TensorInfo, parse},
};

/// Values read at a time, whole blocks of every type.
const VALUES_AT_ONCE: usize = 1 << 18;

/// A GGUF file whose header fits it, with all metadata and the tensor table in memory and the data on the disk.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    file: Mutex<File>,
    parsed: Parsed,
    by_name: BTreeMap<String, usize>,
}

impl GgufFile {
    /// Checks the whole header as [`crate::read_header`] does, and keeps it. Refused besides: metadata that is not
    /// UTF-8, and keys or tensor names that stand there twice.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let parsed = parse(BufReader::with_capacity(1 << 16, &file), size, Keep::All)?;
        let names = parsed.tensors.iter().map(|tensor| tensor.name.clone());
        let by_name = names.zip(0..).collect();
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), parsed, by_name })
    }

    /// Where the file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The few values loaders ask for.
    #[must_use]
    pub fn header(&self) -> &GgufHeader {
        &self.parsed.header
    }

    /// Every key and value, in the order of the file.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.parsed.metadata
    }

    /// The tensor table, in the order of the file.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.parsed.tensors
    }

    /// The table's row for `name`; an error names a tensor with the same ending where there is one.
    pub fn info(&self, name: &str) -> Result<&TensorInfo, GgufError> {
        let found = self.by_name.get(name).map(|&index| &self.parsed.tensors[index]);
        found.ok_or_else(|| GgufError::NoTensor { name: name.to_owned(), similar: self.similar(name) })
    }

    /// Shape, rows first, and values of one tensor; only its bytes are read.
    pub fn tensor(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), GgufError> {
        let info = self.info(name)?;
        let block = Dequantise::of(info.kind)
            .ok_or_else(|| GgufError::TensorType { tensor: name.to_owned(), kind: info.kind.name().to_owned() })?;
        let mut values = vec![0.0; info.shape.iter().product()];
        self.read(info, &mut values, block)?;
        Ok((info.shape.clone(), values))
    }

    /// The bytes of one tensor as they are stored, for copying them into another file.
    pub fn raw(&self, name: &str) -> Result<Vec<u8>, GgufError> {
        let info = self.info(name)?;
        let mut bytes = vec![0; usize::try_from(info.bytes).expect("checked against the file when it was opened")];
        let mut file = self.at(info)?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&self, info: &TensorInfo, values: &mut [f32], block: Dequantise) -> Result<(), GgufError> {
        let mut file = self.at(info)?;
        let mut bytes = vec![0; VALUES_AT_ONCE.min(values.len()) / block.values * block.bytes];
        for part in values.chunks_mut(VALUES_AT_ONCE) {
            let bytes = &mut bytes[..part.len() / block.values * block.bytes];
            file.read_exact(bytes)?;
            block.run(bytes, part);
        }
        Ok(())
    }

    /// The file at the tensor's first byte, while nobody else moves its position.
    fn at(&self, info: &TensorInfo) -> Result<impl Read, GgufError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.parsed.data_start + info.offset))?;
        Ok(Locked(file))
    }

    fn similar(&self, name: &str) -> Option<String> {
        let ending = name.rsplit('.').take(2).collect::<Vec<_>>();
        let same = |tensor: &&TensorInfo| tensor.name.rsplit('.').take(2).eq(ending.iter().copied());
        self.parsed.tensors.iter().find(same).map(|tensor| tensor.name.clone())
    }
}

struct Locked<'a>(MutexGuard<'a, File>);

impl Read for Locked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}
