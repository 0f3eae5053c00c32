//! Writing a safetensors file tensor by tensor.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use half::bf16;
use serde_json::{Map, Value, json};

use super::{ExportError, pieces::Piece};

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// As they were trained.
    #[default]
    F32,
    /// Half the size: rounded to the nearest, halves to even.
    BF16,
}

impl Precision {
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::BF16 => 2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::BF16 => "BF16",
        }
    }

    /// As `config.json` calls it.
    pub(crate) fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::BF16 => "bfloat16",
        }
    }
}

/// Writes the pieces in their order and brings the file to the disk; `metadata` goes into the header.
pub(crate) fn write(
    path: &Path,
    pieces: &[Piece],
    precision: Precision,
    metadata: &[(&str, &str)],
) -> Result<(), ExportError> {
    let failed = |source| ExportError::Io { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    file.write_all(&header(pieces, precision, metadata)).map_err(failed)?;
    for piece in pieces {
        let values = piece.values()?;
        put(&mut file, &values, precision).map_err(failed)?;
    }
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)
}

/// Its own length, then JSON, padded with spaces so that the data begin at a multiple of eight.
fn header(pieces: &[Piece], precision: Precision, metadata: &[(&str, &str)]) -> Vec<u8> {
    let own = metadata.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect::<Map<_, _>>();
    let mut entries = Map::from_iter([("__metadata__".to_owned(), Value::Object(own))]);
    let mut start = 0;
    for piece in pieces {
        let end = start + piece.count() * precision.bytes();
        let entry = json!({ "dtype": precision.name(), "shape": piece.shape, "data_offsets": [start, end] });
        entries.insert(piece.name.clone(), entry);
        start = end;
    }
    let mut json = Value::Object(entries).to_string().into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    [&(json.len() as u64).to_le_bytes()[..], &json].concat()
}

fn put(file: &mut impl Write, values: &[f32], precision: Precision) -> io::Result<()> {
    const AT_ONCE: usize = 1 << 16;
    let mut bytes = Vec::new();
    for values in values.chunks(AT_ONCE) {
        bytes.clear();
        match precision {
            Precision::F32 => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            Precision::BF16 => bytes.extend(values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes())),
        }
        file.write_all(&bytes)?;
    }
    Ok(())
}
