//! Bytes of a GGUF header, never past the file's real size.

use std::io::{self, Read};

use crate::{
    error::GgufError,
    metadata::{Array, Value},
};

pub(crate) const STRING_BYTES_MAX: u64 = 16 << 20;
const ARRAY_LENGTH_MAX: u64 = 16 << 20;
const ALIGNMENT_MAX: u64 = 1 << 20;

pub(crate) const UINT32: u32 = 4;
pub(crate) const STRING: u32 = 8;
pub(crate) const ARRAY: u32 = 9;
pub(crate) const UINT64: u32 = 10;

fn scalar_bytes(value_type: u32) -> Option<u64> {
    match value_type {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

pub(crate) fn truncated(actual: u64, expected: u64) -> GgufError {
    GgufError::Truncated { actual, expected, missing: expected.saturating_sub(actual) }
}

/// A reader that never goes past the file's real size and never allocates more than a checked length.
pub(crate) struct Input<R> {
    reader: R,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl<R: Read> Input<R> {
    pub(crate) fn new(reader: R, size: u64) -> Self {
        Self { reader, offset: 0, size }
    }

    fn claim(&mut self, bytes: u64) -> Result<(), GgufError> {
        let end = self.offset.saturating_add(bytes);
        if end > self.size {
            return Err(truncated(self.size, end));
        }
        self.offset = end;
        Ok(())
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.claim(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.claim(bytes)?;
        let skipped = io::copy(&mut self.reader.by_ref().take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(()) } else { Err(truncated(self.offset - bytes + skipped, self.offset)) }
    }

    pub(crate) fn refused(&self, what: String, found: u64, limit: String) -> GgufError {
        GgufError::Value { what, found, offset: self.offset, limit }
    }

    pub(crate) fn bounded(&self, what: &str, found: u64, limit: u64) -> Result<(), GgufError> {
        if found <= limit {
            return Ok(());
        }
        Err(self.refused(what.to_owned(), found, format!("more than the {limit} possible here")))
    }

    pub(crate) fn string(&mut self, what: &str, limit: u64) -> Result<String, GgufError> {
        let length = self.u64()?;
        self.bounded(what, length, limit)?;
        self.claim(length)?;
        let mut bytes = vec![0; usize::try_from(length).expect("bounded above")];
        self.reader.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| GgufError::NotUtf8(self.offset))
    }

    /// The value of `general.alignment`.
    pub(crate) fn alignment(&mut self, value_type: u32) -> Result<u32, GgufError> {
        if value_type != UINT32 {
            return Err(self.refused("the type of general.alignment".into(), value_type.into(), "not uint32".into()));
        }
        let alignment = self.u32()?;
        if alignment.is_power_of_two() && u64::from(alignment) <= ALIGNMENT_MAX {
            return Ok(alignment);
        }
        let limit = format!("not a power of two from 1 to {ALIGNMENT_MAX}");
        Err(self.refused("general.alignment".into(), alignment.into(), limit))
    }

    pub(crate) fn value(&mut self, value_type: u32, key: &str) -> Result<Value, GgufError> {
        Ok(match value_type {
            0 => Value::U8(u8::from_le_bytes(self.bytes()?)),
            1 => Value::I8(i8::from_le_bytes(self.bytes()?)),
            2 => Value::U16(u16::from_le_bytes(self.bytes()?)),
            3 => Value::I16(i16::from_le_bytes(self.bytes()?)),
            UINT32 => Value::U32(self.u32()?),
            5 => Value::I32(i32::from_le_bytes(self.bytes()?)),
            6 => Value::F32(f32::from_le_bytes(self.bytes()?)),
            7 => Value::Bool(self.bytes::<1>()? != [0]),
            STRING => Value::String(self.string(&format!("the length of {key}"), STRING_BYTES_MAX)?),
            ARRAY => Value::Array(self.array(key)?),
            UINT64 => Value::U64(self.u64()?),
            11 => Value::I64(i64::from_le_bytes(self.bytes()?)),
            12 => Value::F64(f64::from_le_bytes(self.bytes()?)),
            other => return Err(self.unknown_type(key, other)),
        })
    }

    fn array(&mut self, key: &str) -> Result<Array, GgufError> {
        let (element_type, length) = self.array_start(key)?;
        Ok(match element_type {
            0 => Array::U8(self.elements(length, u8::from_le_bytes)?),
            1 => Array::I8(self.elements(length, i8::from_le_bytes)?),
            2 => Array::U16(self.elements(length, u16::from_le_bytes)?),
            3 => Array::I16(self.elements(length, i16::from_le_bytes)?),
            UINT32 => Array::U32(self.elements(length, u32::from_le_bytes)?),
            5 => Array::I32(self.elements(length, i32::from_le_bytes)?),
            6 => Array::F32(self.elements(length, f32::from_le_bytes)?),
            7 => Array::Bool(self.elements(length, |byte: [u8; 1]| byte != [0])?),
            STRING => Array::String(self.strings(length, key)?),
            UINT64 => Array::U64(self.elements(length, u64::from_le_bytes)?),
            11 => Array::I64(self.elements(length, i64::from_le_bytes)?),
            12 => Array::F64(self.elements(length, f64::from_le_bytes)?),
            other => return Err(self.unknown_element_type(key, other)),
        })
    }

    fn array_start(&mut self, key: &str) -> Result<(u32, u64), GgufError> {
        let element_type = self.u32()?;
        let length = self.u64()?;
        self.bounded(&format!("the array length of {key}"), length, ARRAY_LENGTH_MAX)?;
        Ok((element_type, length))
    }

    fn elements<T, const N: usize>(&mut self, length: u64, read: fn([u8; N]) -> T) -> Result<Vec<T>, GgufError> {
        let bytes = length * N as u64;
        if bytes > self.size - self.offset {
            return Err(truncated(self.size, self.offset.saturating_add(bytes)));
        }
        (0..length).map(|_| self.bytes().map(read)).collect()
    }

    fn strings(&mut self, length: u64, key: &str) -> Result<Vec<String>, GgufError> {
        let what = format!("a string length in {key}");
        // Each string takes 8 bytes or more, so the list cannot outgrow the file by much.
        if length * 8 > self.size - self.offset {
            return Err(truncated(self.size, self.offset.saturating_add(length * 8)));
        }
        (0..length).map(|_| self.string(&what, STRING_BYTES_MAX)).collect()
    }

    /// Goes past a value after the same checks as reading it, except that its text may be anything.
    pub(crate) fn skip_value(&mut self, value_type: u32, key: &str) -> Result<(), GgufError> {
        match value_type {
            STRING => self.skip_string(key),
            ARRAY => self.skip_array(key),
            scalar => match scalar_bytes(scalar) {
                Some(bytes) => self.skip(bytes),
                None => Err(self.unknown_type(key, scalar)),
            },
        }
    }

    fn skip_string(&mut self, key: &str) -> Result<(), GgufError> {
        let length = self.u64()?;
        self.bounded(&format!("a string length in {key}"), length, STRING_BYTES_MAX)?;
        self.skip(length)
    }

    fn skip_array(&mut self, key: &str) -> Result<(), GgufError> {
        let (element_type, length) = self.array_start(key)?;
        if element_type == STRING {
            return (0..length).try_for_each(|_| self.skip_string(key));
        }
        match scalar_bytes(element_type) {
            Some(bytes) => self.skip(bytes * length),
            None => Err(self.unknown_element_type(key, element_type)),
        }
    }

    fn unknown_type(&self, key: &str, found: u32) -> GgufError {
        self.refused(format!("the value type of {key}"), found.into(), "not a GGUF type".into())
    }

    fn unknown_element_type(&self, key: &str, found: u32) -> GgufError {
        self.refused(format!("the element type of {key}"), found.into(), "not a scalar or string".into())
    }
}
