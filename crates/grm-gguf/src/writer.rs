//! A GGUF file written tensor by tensor, whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    metadata::{Array, Metadata, Value},
    parse::{ALIGNMENT_DEFAULT, DIMENSIONS_MAX, TENSOR_NAME_BYTES_MAX, tensor_bytes},
    quantise::quantiser,
    tensor_type::TensorType,
};

const ALIGNMENT: u64 = ALIGNMENT_DEFAULT as u64;
const VERSION: u32 = 3;

/// A tensor to be written: the file's table stands before all data, so it is known first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorPlan {
    /// Its name, up to 63 bytes.
    pub name: String,
    /// Sizes, rows first as torch has them; at most four.
    pub shape: Vec<usize>,
    /// How it is to be stored: F32, F16 or `Q8_0` from numbers, any type from bytes.
    pub kind: TensorType,
}

/// Why a GGUF file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum GgufWriteError {
    /// The system refused.
    #[error("could not write {path}; free some space or check the folder, then run the same command again")]
    Io {
        /// The file as it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No `general.architecture`, without which nobody can read the file.
    #[error("the metadata names no architecture; set `general.architecture` or start from a base file's metadata")]
    NoArchitecture,
    /// A name or shape a GGUF file cannot have.
    #[error(
        "tensor {tensor} of shape {shape:?} cannot be stored as {kind}: {reason}; give it another type, shape or name"
    )]
    Plan {
        /// The tensor.
        tensor: String,
        /// Its planned shape.
        shape: Vec<usize>,
        /// Its planned type.
        kind: TensorType,
        /// What is wrong.
        reason: String,
    },
    /// Tensors come in another order than planned, or too many or too few.
    #[error("{found} was written where the plan has {planned}; write the tensors in the order of the plan")]
    Order {
        /// What came.
        found: String,
        /// What was to come.
        planned: String,
    },
    /// Another count of values or bytes than the shape has.
    #[error("tensor {tensor} has {found} {of} where its shape asks for {expected}; write it whole")]
    Length {
        /// The tensor.
        tensor: String,
        /// What came.
        found: usize,
        /// What the plan asks for.
        expected: u64,
        /// Values or bytes.
        of: &'static str,
    },
    /// A NaN, an infinity, or a number beyond what the type holds.
    #[error(
        "value {index} of tensor {tensor} is {value}, which {kind} cannot hold; if it is finite store the tensor as \
         F32, else look for where training went wrong"
    )]
    Number {
        /// The tensor.
        tensor: String,
        /// Index into its values.
        index: usize,
        /// The value.
        value: f32,
        /// The planned type.
        kind: TensorType,
    },
}

/// A GGUF file under construction, named `NAME.partial` until [`GgufWriter::commit`]; dropped before that it is removed
/// and what had the name before stays as it was.
#[derive(Debug)]
pub struct GgufWriter {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    planned: Vec<TensorPlan>,
    written: usize,
    committed: bool,
}

impl GgufWriter {
    /// Begins a file with its metadata and tensor table. To start from a base file pass `base.metadata().clone()` with
    /// what changes set; the alignment is always 32 and the architecture comes first.
    pub fn create(path: &Path, metadata: &Metadata, tensors: Vec<TensorPlan>) -> Result<Self, GgufWriteError> {
        let head = head(metadata, &tensors)?;
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let failed = |source| GgufWriteError::Io { path: path.to_owned(), source };
        let file = BufWriter::with_capacity(1 << 20, File::create(&partial).map_err(failed)?);
        let mut writer = Self { path: path.to_owned(), partial, file, planned: tensors, written: 0, committed: false };
        writer.put(&head)?;
        Ok(writer)
    }

    /// Writes the next tensor of the plan from its values, rows first.
    pub fn write(&mut self, name: &str, values: &[f32]) -> Result<(), GgufWriteError> {
        let plan = self.next(name)?.clone();
        let expected = plan.shape.iter().map(|&size| size as u64).product::<u64>();
        if values.len() as u64 != expected {
            return Err(length(&plan, values.len(), expected, "values"));
        }
        let quantise = quantiser(plan.kind).ok_or_else(|| {
            refused(&plan, "numbers are written as F32, F16 or Q8_0 only, other types as they are stored".into())
        })?;
        // A piece is a whole count of blocks, so a tensor never stands in memory twice.
        const PIECE: usize = 1 << 16;
        let mut bytes = Vec::new();
        for (piece, values) in values.chunks(PIECE).enumerate() {
            bytes.clear();
            quantise(values, &mut bytes).map_err(|index| GgufWriteError::Number {
                tensor: name.to_owned(),
                index: piece * PIECE + index,
                value: values[index],
                kind: plan.kind,
            })?;
            self.put(&bytes)?;
        }
        self.finish_tensor(&plan)
    }

    /// Writes the next tensor of the plan from bytes as a file stores them, see [`crate::GgufFile::raw`].
    pub fn write_raw(&mut self, name: &str, bytes: &[u8]) -> Result<(), GgufWriteError> {
        let plan = self.next(name)?.clone();
        let expected = plan.bytes()?;
        if bytes.len() as u64 != expected {
            return Err(length(&plan, bytes.len(), expected, "bytes"));
        }
        self.put(bytes)?;
        self.finish_tensor(&plan)
    }

    /// Brings the file to the disk and gives it its name; refused while a planned tensor is missing.
    pub fn commit(mut self) -> Result<(), GgufWriteError> {
        if let Some(missing) = self.planned.get(self.written) {
            return Err(GgufWriteError::Order {
                found: "the end".to_owned(),
                planned: format!("tensor {}", missing.name),
            });
        }
        self.settle().map_err(|source| GgufWriteError::Io { path: self.path.clone(), source })
    }

    fn settle(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.partial, &self.path)?;
        self.committed = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn next(&self, name: &str) -> Result<&TensorPlan, GgufWriteError> {
        let next = self.planned.get(self.written);
        next.filter(|plan| plan.name == name).ok_or_else(|| GgufWriteError::Order {
            found: format!("tensor {name}"),
            planned: next.map_or("the end".to_owned(), |plan| format!("tensor {}", plan.name)),
        })
    }

    fn finish_tensor(&mut self, plan: &TensorPlan) -> Result<(), GgufWriteError> {
        let padding = padding(plan.bytes()?);
        self.put(&vec![0; padding])?;
        self.written += 1;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), GgufWriteError> {
        self.file.write_all(bytes).map_err(|source| GgufWriteError::Io { path: self.path.clone(), source })
    }
}

impl Drop for GgufWriter {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing hangs on it: the next attempt overwrites what cannot be removed.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

impl TensorPlan {
    /// Sizes in the file's order: the contiguous one first.
    fn dimensions(&self) -> Vec<u64> {
        self.shape.iter().rev().map(|&size| size as u64).collect()
    }

    fn bytes(&self) -> Result<u64, GgufWriteError> {
        let whole = tensor_bytes(&self.dimensions(), self.kind);
        whole.ok_or_else(|| refused(self, format!("rows must be whole blocks of {}", self.kind.block_values())))
    }

    fn check(&self) -> Result<(), GgufWriteError> {
        let reason = if self.name.len() as u64 > TENSOR_NAME_BYTES_MAX {
            format!("its name has {} bytes and may have {TENSOR_NAME_BYTES_MAX}", self.name.len())
        } else if self.shape.len() > DIMENSIONS_MAX as usize {
            format!("it has {} dimensions and may have {DIMENSIONS_MAX}", self.shape.len())
        } else {
            return Ok(());
        };
        Err(refused(self, reason))
    }
}

fn refused(plan: &TensorPlan, reason: String) -> GgufWriteError {
    GgufWriteError::Plan { tensor: plan.name.clone(), shape: plan.shape.clone(), kind: plan.kind, reason }
}

fn length(plan: &TensorPlan, found: usize, expected: u64, of: &'static str) -> GgufWriteError {
    GgufWriteError::Length { tensor: plan.name.clone(), found, expected, of }
}

fn padding(bytes: u64) -> usize {
    usize::try_from(bytes.next_multiple_of(ALIGNMENT) - bytes).expect("less than the alignment")
}

/// Everything before the data, padded to the alignment.
fn head(metadata: &Metadata, tensors: &[TensorPlan]) -> Result<Vec<u8>, GgufWriteError> {
    let is_architecture = |key: &str| key == "general.architecture";
    let architecture = metadata.text("general.architecture").filter(|name| !name.is_empty());
    let architecture = architecture.ok_or(GgufWriteError::NoArchitecture)?;
    let mut head = Vec::new();
    head.extend(b"GGUF");
    head.extend(VERSION.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.iter().len() as u64).to_le_bytes());
    put_entry(&mut head, "general.architecture", &Value::String(architecture.to_owned()));
    for (key, value) in metadata.iter().filter(|(key, _)| !is_architecture(key)) {
        let aligned = Value::U32(ALIGNMENT_DEFAULT);
        put_entry(&mut head, key, if key == "general.alignment" { &aligned } else { value });
    }
    put_table(&mut head, tensors)?;
    head.resize(head.len() + padding(head.len() as u64), 0);
    Ok(head)
}

fn put_table(head: &mut Vec<u8>, tensors: &[TensorPlan]) -> Result<(), GgufWriteError> {
    let mut offset: u64 = 0;
    for (index, plan) in tensors.iter().enumerate() {
        plan.check()?;
        if tensors[..index].iter().any(|before| before.name == plan.name) {
            return Err(refused(plan, "another tensor has this name".to_owned()));
        }
        let dimensions = plan.dimensions();
        put_string(head, &plan.name);
        head.extend(u32::try_from(dimensions.len()).expect("at most four").to_le_bytes());
        head.extend(dimensions.iter().flat_map(|size| size.to_le_bytes()));
        head.extend(plan.kind.id().to_le_bytes());
        head.extend(offset.to_le_bytes());
        offset = plan
            .bytes()?
            .checked_next_multiple_of(ALIGNMENT)
            .and_then(|bytes| offset.checked_add(bytes))
            .ok_or_else(|| refused(plan, "the file would be larger than any disk".to_owned()))?;
    }
    Ok(())
}

fn put_string(head: &mut Vec<u8>, text: &str) {
    head.extend((text.len() as u64).to_le_bytes());
    head.extend(text.as_bytes());
}

fn put_entry(head: &mut Vec<u8>, key: &str, value: &Value) {
    put_string(head, key);
    head.extend(value_type(value).to_le_bytes());
    put_value(head, value);
}

fn value_type(value: &Value) -> u32 {
    match value {
        Value::U8(_) => 0,
        Value::I8(_) => 1,
        Value::U16(_) => 2,
        Value::I16(_) => 3,
        Value::U32(_) => 4,
        Value::I32(_) => 5,
        Value::F32(_) => 6,
        Value::Bool(_) => 7,
        Value::String(_) => 8,
        Value::Array(_) => 9,
        Value::U64(_) => 10,
        Value::I64(_) => 11,
        Value::F64(_) => 12,
    }
}

fn put_value(head: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(number) => head.extend(number.to_le_bytes()),
        Value::I8(number) => head.extend(number.to_le_bytes()),
        Value::U16(number) => head.extend(number.to_le_bytes()),
        Value::I16(number) => head.extend(number.to_le_bytes()),
        Value::U32(number) => head.extend(number.to_le_bytes()),
        Value::I32(number) => head.extend(number.to_le_bytes()),
        Value::F32(number) => head.extend(number.to_le_bytes()),
        Value::Bool(value) => head.push(u8::from(*value)),
        Value::String(text) => put_string(head, text),
        Value::Array(array) => put_array(head, array),
        Value::U64(number) => head.extend(number.to_le_bytes()),
        Value::I64(number) => head.extend(number.to_le_bytes()),
        Value::F64(number) => head.extend(number.to_le_bytes()),
    }
}

fn put_array(head: &mut Vec<u8>, array: &Array) {
    match array {
        Array::U8(items) => put_items(head, 0, items, |number| number.to_le_bytes()),
        Array::I8(items) => put_items(head, 1, items, |number| number.to_le_bytes()),
        Array::U16(items) => put_items(head, 2, items, |number| number.to_le_bytes()),
        Array::I16(items) => put_items(head, 3, items, |number| number.to_le_bytes()),
        Array::U32(items) => put_items(head, 4, items, |number| number.to_le_bytes()),
        Array::I32(items) => put_items(head, 5, items, |number| number.to_le_bytes()),
        Array::F32(items) => put_items(head, 6, items, |number| number.to_le_bytes()),
        Array::Bool(items) => put_items(head, 7, items, |value| [u8::from(*value)]),
        Array::String(items) => {
            put_array_start(head, 8, items.len());
            items.iter().for_each(|text| put_string(head, text));
        }
        Array::U64(items) => put_items(head, 10, items, |number| number.to_le_bytes()),
        Array::I64(items) => put_items(head, 11, items, |number| number.to_le_bytes()),
        Array::F64(items) => put_items(head, 12, items, |number| number.to_le_bytes()),
    }
}

fn put_items<T, const N: usize>(head: &mut Vec<u8>, element_type: u32, items: &[T], bytes: fn(&T) -> [u8; N]) {
    put_array_start(head, element_type, items.len());
    head.extend(items.iter().flat_map(bytes));
}

fn put_array_start(head: &mut Vec<u8>, element_type: u32, length: usize) {
    head.extend(element_type.to_le_bytes());
    head.extend((length as u64).to_le_bytes());
}
