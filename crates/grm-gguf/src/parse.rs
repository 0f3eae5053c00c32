//! One walk over a GGUF header: magic, entries, tensor table.
//!
//! Readers such as llama.cpp trust much of what a header says; a damaged or hostile file can make them allocate without
//! bound or abort the process. Every count, length, shape and offset is therefore held against the file's real size.

use std::{collections::BTreeSet, io::Read};

use crate::{
    error::GgufError,
    header::GgufHeader,
    input::{Input, truncated},
    metadata::{Metadata, Value},
    tensor_type::TensorType,
};

const ENTRIES_MAX: u64 = 1 << 20;
pub(crate) const TENSOR_NAME_BYTES_MAX: u64 = 63;
pub(crate) const DIMENSIONS_MAX: u32 = 4;
pub(crate) const ALIGNMENT_DEFAULT: u32 = 32;

/// A row of the tensor table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// How its values are stored.
    pub kind: TensorType,
    /// Sizes, rows first as torch has them: the last one is contiguous. The file has them the other way round.
    pub shape: Vec<usize>,
    /// Where its data begins, counted from the start of all data.
    pub offset: u64,
    /// Bytes of its data.
    pub bytes: u64,
}

/// How much of a header is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The few values of [`GgufHeader`].
    Header,
    /// Every entry and the tensor table.
    All,
}

/// A header that fits its file.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) header: GgufHeader,
    pub(crate) metadata: Metadata,
    pub(crate) tensors: Vec<TensorInfo>,
    /// Byte offset of the first tensor's data.
    pub(crate) data_start: u64,
}

pub(crate) fn parse(reader: impl Read, size: u64, keep: Keep) -> Result<Parsed, GgufError> {
    let mut input = Input::new(reader, size);
    check_magic(&mut input)?;
    let tensor_count = input.u64()?;
    let entry_count = input.u64()?;
    // A tensor's table entry takes at least 32 bytes, a key with its value at least 13.
    input.bounded("tensor count", tensor_count, ENTRIES_MAX.min(size / 32))?;
    input.bounded("entry count", entry_count, ENTRIES_MAX.min(size / 13))?;

    let mut entries = Entries::new(keep);
    for _ in 0..entry_count {
        entries.read(&mut input)?;
    }
    let Entries { mut header, metadata, alignment, .. } = entries;
    let mut tensors = Vec::new();
    let mut tensor_bytes: u64 = 0;
    for _ in 0..tensor_count {
        let tensor = read_tensor(&mut input, alignment)?;
        tensor_bytes = tensor_bytes.max(tensor.offset + tensor.bytes);
        if keep == Keep::All {
            tensors.push(tensor);
        }
    }
    header.tensor_count = tensor_count;
    header.header_bytes = input.offset;
    let data_start = input.offset.next_multiple_of(alignment);
    header.expected_bytes = data_start.saturating_add(tensor_bytes);
    if header.expected_bytes > size && tensor_count > 0 {
        return Err(truncated(size, header.expected_bytes));
    }
    if header.architecture.is_empty() {
        return Err(GgufError::NoArchitecture);
    }
    refuse_doubles("the key", metadata.iter().map(|(key, _)| key))?;
    refuse_doubles("the tensor", tensors.iter().map(|tensor| tensor.name.as_str()))?;
    Ok(Parsed { header, metadata, tensors, data_start })
}

fn check_magic(input: &mut Input<impl Read>) -> Result<(), GgufError> {
    let magic = input.bytes::<4>()?;
    if &magic != b"GGUF" {
        let hint = match &magic {
            b"PK\x03\x04" | [0x80, ..] => {
                "it looks like a pickled checkpoint, which can run code when opened and is never read here; \
                 convert it with llama.cpp's convert_hf_to_gguf.py"
            }
            b"vers" => "it is a Git LFS pointer, not the file itself: run `git lfs pull`",
            b"<!do" | b"<!DO" | b"<htm" => "it is a web page, not the file: download it from the model's files tab",
            _ => "give the path of a .gguf file",
        };
        return Err(GgufError::Magic { found: magic.escape_ascii().to_string(), hint });
    }
    match input.u32()? {
        2 | 3 => Ok(()),
        version => Err(GgufError::Version(version)),
    }
}

/// What the entries read so far say.
struct Entries {
    keep: Keep,
    header: GgufHeader,
    metadata: Metadata,
    alignment: u64,
}

impl Entries {
    fn new(keep: Keep) -> Self {
        Self { keep, header: GgufHeader::default(), metadata: Metadata::new(), alignment: ALIGNMENT_DEFAULT.into() }
    }

    fn read(&mut self, input: &mut Input<impl Read>) -> Result<(), GgufError> {
        let key = input.string("a key's length", 1 << 16)?;
        let value_type = input.u32()?;
        let value = if key == "general.alignment" {
            let alignment = input.alignment(value_type)?;
            self.alignment = alignment.into();
            Value::U32(alignment)
        } else if self.keep == Keep::All || self.header.knows(&key) {
            input.value(value_type, &key)?
        } else {
            return input.skip_value(value_type, &key);
        };
        self.header.note(&key, &value);
        if self.keep == Keep::All {
            self.metadata.push(key, value);
        }
        Ok(())
    }
}

fn read_tensor(input: &mut Input<impl Read>, alignment: u64) -> Result<TensorInfo, GgufError> {
    let name = input.string("a tensor name's length", TENSOR_NAME_BYTES_MAX)?;
    let dimension_count = input.u32()?;
    input.bounded(&format!("dimension count of {name}"), dimension_count.into(), DIMENSIONS_MAX.into())?;
    let dimensions: Vec<u64> = (0..dimension_count).map(|_| input.u64()).collect::<Result<_, _>>()?;
    let type_id = input.u32()?;
    let Some(kind) = TensorType::from_id(type_id) else {
        return Err(input.refused(format!("the type of tensor {name}"), type_id.into(), "not one known here".into()));
    };
    let bytes = tensor_bytes(&dimensions, kind).ok_or_else(|| {
        let limit = format!("and the shape {dimensions:?} overflows or is not whole blocks of {}", kind.block_values());
        input.refused(format!("the first dimension of tensor {name}"), first(&dimensions), limit)
    })?;
    let offset = input.u64()?;
    if !offset.is_multiple_of(alignment) {
        let limit = format!("not a multiple of the alignment {alignment}");
        return Err(input.refused(format!("the offset of tensor {name}"), offset, limit));
    }
    if offset.checked_add(bytes).is_none_or(|end| end > i64::MAX as u64) {
        return Err(input.refused(format!("the offset of tensor {name}"), offset, "beyond any file".into()));
    }
    let shape = dimensions.iter().rev().map(|&size| usize::try_from(size)).collect::<Result<_, _>>().map_err(|_| {
        input.refused(format!("the first dimension of tensor {name}"), first(&dimensions), "too much here".into())
    })?;
    Ok(TensorInfo { name, kind, shape, offset, bytes })
}

fn first(dimensions: &[u64]) -> u64 {
    dimensions.first().copied().unwrap_or(1)
}

/// Bytes of a tensor whose sizes are in the file's order; `None` where they overflow or rows are not whole blocks.
pub(crate) fn tensor_bytes(dimensions: &[u64], kind: TensorType) -> Option<u64> {
    if dimensions.contains(&0) || !first(dimensions).is_multiple_of(kind.block_values()) {
        return None;
    }
    let values = dimensions.iter().try_fold(1_u64, |product, &dimension| product.checked_mul(dimension))?;
    if values > i64::MAX as u64 {
        return None;
    }
    (values / kind.block_values()).checked_mul(kind.block_bytes())
}

fn refuse_doubles<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), GgufError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(GgufError::Twice(format!("{what} {name}")));
        }
    }
    Ok(())
}
