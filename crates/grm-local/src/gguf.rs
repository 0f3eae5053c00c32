//! A check of a GGUF file's header before llama.cpp sees the file.
//!
//! llama.cpp trusts much of what a header says; a damaged or hostile file can make it allocate without bound or abort
//! the process. Every count, length, shape and offset is therefore held against the file's real size first, and the
//! few values the rest of this crate needs are picked up on the way.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

const STRING_BYTES_MAX: u64 = 16 << 20;
const ARRAY_LENGTH_MAX: u64 = 16 << 20;
const ENTRIES_MAX: u64 = 1 << 20;
const TENSOR_NAME_BYTES_MAX: u64 = 63;
const DIMENSIONS_MAX: u32 = 4;
const ALIGNMENT_DEFAULT: u64 = 32;
const ALIGNMENT_MAX: u64 = 1 << 20;

/// What this crate needs to know of a model file before loading it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GgufHeader {
    /// `general.architecture`: `llama`, `qwen2`, …
    pub architecture: String,
    /// `general.name`, where the file has one.
    pub name: Option<String>,
    /// `general.type`: `model`, `adapter`, …
    pub kind: Option<String>,
    /// Positions the model was trained for.
    pub context_length: Option<u64>,
    /// Width of a hidden state.
    pub embedding_length: Option<u64>,
    /// Layers.
    pub block_count: Option<u64>,
    /// Query heads.
    pub head_count: Option<u64>,
    /// Key and value heads; fewer than the query heads in grouped-query models.
    pub head_count_kv: Option<u64>,
    /// Jinja text of the chat template.
    pub chat_template: Option<String>,
    /// `tokenizer.ggml.model`: `gpt2`, `llama`, …
    pub tokenizer_model: Option<String>,
    /// Tensors in the file.
    pub tensor_count: u64,
    /// Bytes of the header: magic, entries and tensor table.
    pub header_bytes: u64,
    /// Bytes the file must have for its tensors to be whole.
    pub expected_bytes: u64,
}

impl GgufHeader {
    /// Bytes one token takes in an f16 key-value cache; `None` where the header does not say enough.
    #[must_use]
    pub fn kv_bytes_per_token(&self) -> Option<u64> {
        let heads = self.head_count.filter(|&heads| heads > 0)?;
        let head_width = self.embedding_length? / heads;
        let kv_heads = self.head_count_kv.unwrap_or(heads);
        self.block_count?.checked_mul(kv_heads)?.checked_mul(head_width)?.checked_mul(4)
    }
}

/// Why a file is not taken for a GGUF model.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The file could not be read.
    #[error("could not read the model file")]
    Io(#[from] io::Error),
    /// The first four bytes are not `GGUF`.
    #[error("not a GGUF file (it starts with {found}); {hint}")]
    Magic {
        /// The bytes found, escaped.
        found: String,
        /// What it may be, and what to do.
        hint: &'static str,
    },
    /// A version other than 2 or 3.
    #[error("GGUF version {0} is not supported; convert the model again with a current llama.cpp (version 3)")]
    Version(u32),
    /// The file ends before its own header or tensors do.
    #[error(
        "the file is cut short: {actual} bytes where {expected} are needed ({missing} missing); download it again, \
         for example with `grm models pull`"
    )]
    Truncated {
        /// Bytes in the file.
        actual: u64,
        /// Bytes its header asks for, as far as that was read.
        expected: u64,
        /// The difference.
        missing: u64,
    },
    /// A value no honest file has.
    #[error(
        "{what} is {found} at byte {offset}, {limit}; the file is damaged or hostile, get it from its source again"
    )]
    Value {
        /// Which value.
        what: String,
        /// What the file says.
        found: u64,
        /// Byte offset just after the value.
        offset: u64,
        /// What it may be.
        limit: String,
    },
    /// A key or name that is not UTF-8.
    #[error("a key or name before byte {0} is not UTF-8; the file is damaged, get it from its source again")]
    NotUtf8(u64),
    /// No `general.architecture`.
    #[error("the file names no architecture (`general.architecture`); it is not a language model")]
    NoArchitecture,
}

/// Checks the header of the file at `path` and returns what the crate needs of it.
pub fn read_header(path: &Path) -> Result<GgufHeader, GgufError> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    check(BufReader::with_capacity(1 << 16, file), size)
}

/// Checks a header read from `reader`, for a file of `size` bytes.
pub fn check(reader: impl Read, size: u64) -> Result<GgufHeader, GgufError> {
    let mut input = Input { reader, offset: 0, size };
    check_magic(&mut input)?;
    let tensor_count = input.u64()?;
    let entry_count = input.u64()?;
    // A tensor's table entry takes at least 32 bytes, a key with its value at least 13.
    input.bounded("tensor count", tensor_count, ENTRIES_MAX.min(size / 32))?;
    input.bounded("entry count", entry_count, ENTRIES_MAX.min(size / 13))?;

    let mut header = GgufHeader { tensor_count, ..GgufHeader::default() };
    let mut alignment = ALIGNMENT_DEFAULT;
    for _ in 0..entry_count {
        read_entry(&mut input, &mut header, &mut alignment)?;
    }
    let mut tensor_bytes: u64 = 0;
    for _ in 0..tensor_count {
        tensor_bytes = tensor_bytes.max(read_tensor(&mut input, alignment)?);
    }
    header.header_bytes = input.offset;
    let data_start = input.offset.next_multiple_of(alignment);
    header.expected_bytes = data_start.saturating_add(tensor_bytes);
    if header.expected_bytes > size && tensor_count > 0 {
        return Err(truncated(size, header.expected_bytes));
    }
    if header.architecture.is_empty() { Err(GgufError::NoArchitecture) } else { Ok(header) }
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

fn read_entry(input: &mut Input<impl Read>, header: &mut GgufHeader, alignment: &mut u64) -> Result<(), GgufError> {
    let key = input.string("a key's length", 1 << 16)?;
    let value_type = input.u32()?;
    let field = key.strip_prefix(header.architecture.as_str()).unwrap_or(&key);
    match (key.as_str(), field) {
        ("general.architecture", _) if value_type == STRING => header.architecture = input.value_string(&key)?,
        ("general.name", _) if value_type == STRING => header.name = Some(input.value_string(&key)?),
        ("general.type", _) if value_type == STRING => header.kind = Some(input.value_string(&key)?),
        ("tokenizer.chat_template", _) if value_type == STRING => {
            header.chat_template = Some(input.value_string(&key)?);
        }
        ("tokenizer.ggml.model", _) if value_type == STRING => {
            header.tokenizer_model = Some(input.value_string(&key)?);
        }
        ("general.alignment", _) => *alignment = input.alignment(value_type)?,
        (_, ".context_length") => header.context_length = input.whole(value_type, &key)?,
        (_, ".embedding_length") => header.embedding_length = input.whole(value_type, &key)?,
        (_, ".block_count") => header.block_count = input.whole(value_type, &key)?,
        (_, ".attention.head_count") => header.head_count = input.whole(value_type, &key)?,
        (_, ".attention.head_count_kv") => header.head_count_kv = input.whole(value_type, &key)?,
        _ => input.skip_value(value_type, &key)?,
    }
    Ok(())
}

/// Reads one row of the tensor table and returns where its data ends, counted from the start of the data.
fn read_tensor(input: &mut Input<impl Read>, alignment: u64) -> Result<u64, GgufError> {
    let name = input.string("a tensor name's length", TENSOR_NAME_BYTES_MAX)?;
    let dimension_count = input.u32()?;
    input.bounded(&format!("dimension count of {name}"), dimension_count.into(), DIMENSIONS_MAX.into())?;
    let mut dimensions = [1_u64; DIMENSIONS_MAX as usize];
    for dimension in dimensions.iter_mut().take(dimension_count as usize) {
        *dimension = input.u64()?;
    }
    let type_id = input.u32()?;
    let Some((block_values, block_bytes)) = block_layout(type_id) else {
        return Err(input.value(format!("the type of tensor {name}"), type_id.into(), "not one known here".into()));
    };
    let bytes = tensor_bytes(dimensions, block_values, block_bytes).ok_or_else(|| {
        let limit = format!("and the shape {dimensions:?} overflows or is not whole blocks of {block_values}");
        input.value(format!("the first dimension of tensor {name}"), dimensions[0], limit)
    })?;
    let start = input.u64()?;
    if !start.is_multiple_of(alignment) {
        let limit = format!("not a multiple of the alignment {alignment}");
        return Err(input.value(format!("the offset of tensor {name}"), start, limit));
    }
    let end = start.checked_add(bytes).filter(|&end| end <= i64::MAX as u64);
    end.ok_or_else(|| input.value(format!("the offset of tensor {name}"), start, "beyond any file".into()))
}

fn tensor_bytes(dimensions: [u64; DIMENSIONS_MAX as usize], block_values: u64, block_bytes: u64) -> Option<u64> {
    if dimensions.contains(&0) || !dimensions[0].is_multiple_of(block_values) {
        return None;
    }
    let values = dimensions.iter().try_fold(1_u64, |product, &dimension| product.checked_mul(dimension))?;
    if values > i64::MAX as u64 {
        return None;
    }
    (values / block_values).checked_mul(block_bytes)
}

/// Values and bytes of one block of a ggml tensor type; `None` for types withdrawn or unknown.
fn block_layout(type_id: u32) -> Option<(u64, u64)> {
    Some(match type_id {
        0 | 26 => (1, 4),      // F32, I32
        1 | 25 | 30 => (1, 2), // F16, I16, BF16
        2 | 20 => (32, 18),    // Q4_0, IQ4_NL
        3 => (32, 20),         // Q4_1
        6 => (32, 22),         // Q5_0
        7 => (32, 24),         // Q5_1
        8 => (32, 34),         // Q8_0
        9 => (32, 36),         // Q8_1
        10 => (256, 84),       // Q2_K
        11 | 21 => (256, 110), // Q3_K, IQ3_S
        12 => (256, 144),      // Q4_K
        13 => (256, 176),      // Q5_K
        14 => (256, 210),      // Q6_K
        15 => (256, 292),      // Q8_K
        16 | 35 => (256, 66),  // IQ2_XXS, TQ2_0
        17 => (256, 74),       // IQ2_XS
        18 => (256, 98),       // IQ3_XXS
        19 => (256, 50),       // IQ1_S
        22 => (256, 82),       // IQ2_S
        23 => (256, 136),      // IQ4_XS
        24 => (1, 1),          // I8
        27 | 28 => (1, 8),     // I64, F64
        29 => (256, 56),       // IQ1_M
        34 => (256, 54),       // TQ1_0
        39 => (32, 17),        // MXFP4
        40 => (64, 36),        // NVFP4
        41 => (128, 18),       // Q1_0
        42 => (64, 18),        // Q2_0
        _ => return None,
    })
}

const UINT32: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const UINT64: u32 = 10;

fn scalar_bytes(value_type: u32) -> Option<u64> {
    match value_type {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn truncated(actual: u64, expected: u64) -> GgufError {
    GgufError::Truncated { actual, expected, missing: expected.saturating_sub(actual) }
}

/// A reader that never goes past the file's real size and never allocates more than a checked length.
struct Input<R> {
    reader: R,
    offset: u64,
    size: u64,
}

impl<R: Read> Input<R> {
    fn claim(&mut self, bytes: u64) -> Result<(), GgufError> {
        let end = self.offset.saturating_add(bytes);
        if end > self.size {
            return Err(truncated(self.size, end));
        }
        self.offset = end;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.claim(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.claim(bytes)?;
        let skipped = io::copy(&mut self.reader.by_ref().take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(()) } else { Err(truncated(self.offset - bytes + skipped, self.offset)) }
    }

    fn value(&self, what: String, found: u64, limit: String) -> GgufError {
        GgufError::Value { what, found, offset: self.offset, limit }
    }

    fn bounded(&self, what: &str, found: u64, limit: u64) -> Result<(), GgufError> {
        if found <= limit {
            return Ok(());
        }
        Err(self.value(what.to_owned(), found, format!("more than the {limit} possible here")))
    }

    fn string(&mut self, what: &str, limit: u64) -> Result<String, GgufError> {
        let length = self.u64()?;
        self.bounded(what, length, limit)?;
        self.claim(length)?;
        let mut bytes = vec![0; usize::try_from(length).expect("bounded above")];
        self.reader.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| GgufError::NotUtf8(self.offset))
    }

    fn value_string(&mut self, key: &str) -> Result<String, GgufError> {
        self.string(&format!("the length of {key}"), STRING_BYTES_MAX)
    }

    fn alignment(&mut self, value_type: u32) -> Result<u64, GgufError> {
        if value_type != UINT32 {
            return Err(self.value("the type of general.alignment".into(), value_type.into(), "not uint32".into()));
        }
        let alignment = u64::from(self.u32()?);
        if alignment.is_power_of_two() && alignment <= ALIGNMENT_MAX {
            return Ok(alignment);
        }
        let limit = format!("not a power of two from 1 to {ALIGNMENT_MAX}");
        Err(self.value("general.alignment".into(), alignment, limit))
    }

    /// A whole number; per-layer arrays and other types are skipped and give `None`.
    fn whole(&mut self, value_type: u32, key: &str) -> Result<Option<u64>, GgufError> {
        match value_type {
            UINT32 => Ok(Some(self.u32()?.into())),
            UINT64 => Ok(Some(self.u64()?)),
            other => self.skip_value(other, key).map(|()| None),
        }
    }

    fn skip_value(&mut self, value_type: u32, key: &str) -> Result<(), GgufError> {
        match value_type {
            STRING => self.skip_string(key),
            ARRAY => self.skip_array(key),
            scalar => match scalar_bytes(scalar) {
                Some(bytes) => self.skip(bytes),
                None => Err(self.value(format!("the value type of {key}"), scalar.into(), "not a GGUF type".into())),
            },
        }
    }

    fn skip_string(&mut self, key: &str) -> Result<(), GgufError> {
        let length = self.u64()?;
        self.bounded(&format!("a string length in {key}"), length, STRING_BYTES_MAX)?;
        self.skip(length)
    }

    fn skip_array(&mut self, key: &str) -> Result<(), GgufError> {
        let element_type = self.u32()?;
        let length = self.u64()?;
        self.bounded(&format!("the array length of {key}"), length, ARRAY_LENGTH_MAX)?;
        if element_type == STRING {
            return (0..length).try_for_each(|_| self.skip_string(key));
        }
        match scalar_bytes(element_type) {
            Some(bytes) => self.skip(bytes * length),
            None => Err(self.value(
                format!("the element type of {key}"),
                element_type.into(),
                "not a scalar or string".into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A small, valid file: two entries of interest, an array, one tensor of 64 `Q4_0` values.
    fn tiny() -> Vec<u8> {
        let mut file = Vec::new();
        file.extend(b"GGUF");
        file.extend(3_u32.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(5_u64.to_le_bytes());
        entry_string(&mut file, "general.architecture", "llama");
        entry_string(&mut file, "tokenizer.chat_template", "{{ messages }}");
        entry_u32(&mut file, "llama.context_length", 2048);
        entry_u32(&mut file, "general.alignment", 32);
        string(&mut file, "tokenizer.ggml.tokens");
        file.extend(ARRAY.to_le_bytes());
        file.extend(STRING.to_le_bytes());
        file.extend(2_u64.to_le_bytes());
        string(&mut file, "a");
        string(&mut file, "b");
        string(&mut file, "token_embd.weight");
        file.extend(2_u32.to_le_bytes());
        file.extend(32_u64.to_le_bytes());
        file.extend(2_u64.to_le_bytes());
        file.extend(2_u32.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.resize(file.len().next_multiple_of(32) + 36, 0);
        file
    }

    fn string(file: &mut Vec<u8>, text: &str) {
        file.extend((text.len() as u64).to_le_bytes());
        file.extend(text.as_bytes());
    }

    fn entry_string(file: &mut Vec<u8>, key: &str, value: &str) {
        string(file, key);
        file.extend(STRING.to_le_bytes());
        string(file, value);
    }

    fn entry_u32(file: &mut Vec<u8>, key: &str, value: u32) {
        string(file, key);
        file.extend(UINT32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }

    fn checked(file: &[u8]) -> Result<GgufHeader, GgufError> {
        check(file, file.len() as u64)
    }

    fn replaced(from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut file = tiny();
        let at = file.windows(from.len()).position(|window| window == from).expect("the bytes are in the file");
        file.splice(at..at + from.len(), to.iter().copied());
        file
    }

    #[test]
    fn a_valid_file_is_read() {
        let header = checked(&tiny()).expect("valid");
        assert_eq!(header.architecture, "llama");
        assert_eq!(header.context_length, Some(2048));
        assert_eq!(header.chat_template.as_deref(), Some("{{ messages }}"));
        assert_eq!(header.expected_bytes, tiny().len() as u64);
    }

    #[test]
    fn every_truncation_is_refused_with_sizes() {
        let file = tiny();
        for length in 0..file.len() {
            let error = checked(&file[..length]).expect_err("cut short");
            match error {
                GgufError::Truncated { actual, expected, .. } => {
                    assert_eq!(actual, length as u64);
                    assert!(expected > actual);
                }
                GgufError::Value { ref limit, .. } => assert!(limit.contains("possible here"), "{error}"),
                other => panic!("at {length}: {other}"),
            }
        }
        let message = checked(&file[..file.len() - 1]).expect_err("cut short").to_string();
        assert!(message.contains("1 missing") && message.contains("download it again"), "{message}");
    }

    #[test]
    fn hostile_values_are_named() {
        let alignment = |value: u32| {
            let mut from = b"general.alignment".to_vec();
            from.extend(UINT32.to_le_bytes());
            let mut to = from.clone();
            from.extend(32_u32.to_le_bytes());
            to.extend(value.to_le_bytes());
            checked(&replaced(&from, &to)).expect_err("refused").to_string()
        };
        for value in [0, 3, 2 << 20] {
            assert!(alignment(value).contains("general.alignment"), "{}", alignment(value));
        }
        let mut shape = 2_u32.to_le_bytes().to_vec();
        shape.extend(32_u64.to_le_bytes());
        shape.extend(2_u64.to_le_bytes());
        let mut huge = 2_u32.to_le_bytes().to_vec();
        huge.extend((1_u64 << 62).to_le_bytes());
        huge.extend(8_u64.to_le_bytes());
        assert!(checked(&replaced(&shape, &huge)).expect_err("refused").to_string().contains("overflows"));
        let mut many = b"GGUF".to_vec();
        many.extend(3_u32.to_le_bytes());
        many.extend(u64::MAX.to_le_bytes());
        many.extend(1_u64.to_le_bytes());
        assert!(checked(&many).expect_err("refused").to_string().contains("tensor count"));
    }

    #[test]
    fn an_unknown_tensor_type_is_refused() {
        let mut table = 2_u64.to_le_bytes().to_vec();
        table.extend(2_u32.to_le_bytes());
        table.extend(0_u64.to_le_bytes());
        for type_id in [4_u32, 5, 31, 36, 43, u32::MAX] {
            let mut changed = 2_u64.to_le_bytes().to_vec();
            changed.extend(type_id.to_le_bytes());
            changed.extend(0_u64.to_le_bytes());
            let message = checked(&replaced(&table, &changed)).expect_err("refused").to_string();
            assert!(message.contains("the type of tensor token_embd.weight"), "{message}");
        }
    }

    #[test]
    fn other_formats_get_a_hint() {
        for (start, hint) in [(&b"PK\x03\x04...."[..], "pickled"), (b"version https://git-lfs", "git lfs pull")] {
            let message = checked(start).expect_err("refused").to_string();
            assert!(message.contains(hint), "{message}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn mutations_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            let mut file = tiny();
            for (index, byte) in changes {
                let at = index.index(file.len());
                file[at] = byte;
            }
            let _ = checked(&file);
        }

        #[test]
        fn noise_after_the_magic_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..512)) {
            let mut file = b"GGUF\x03\x00\x00\x00".to_vec();
            file.extend(noise);
            prop_assert!(checked(&file).is_err());
        }
    }
}
