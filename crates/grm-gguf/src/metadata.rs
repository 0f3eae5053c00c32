//! The key-value part of a GGUF file, typed as it is stored.

/// A value as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// 8 bits.
    U8(u8),
    /// 8 bits, signed.
    I8(i8),
    /// 16 bits.
    U16(u16),
    /// 16 bits, signed.
    I16(i16),
    /// 32 bits.
    U32(u32),
    /// 32 bits, signed.
    I32(i32),
    /// Single precision.
    F32(f32),
    /// One byte, 0 for false.
    Bool(bool),
    /// UTF-8.
    String(String),
    /// Values of one type.
    Array(Array),
    /// 64 bits.
    U64(u64),
    /// 64 bits, signed.
    I64(i64),
    /// Double precision.
    F64(f64),
}

/// An array as it is stored; arrays of arrays are refused when a file is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// 8 bits each.
    U8(Vec<u8>),
    /// 8 bits each, signed.
    I8(Vec<i8>),
    /// 16 bits each.
    U16(Vec<u16>),
    /// 16 bits each, signed.
    I16(Vec<i16>),
    /// 32 bits each.
    U32(Vec<u32>),
    /// 32 bits each, signed.
    I32(Vec<i32>),
    /// Single precision.
    F32(Vec<f32>),
    /// One byte each, 0 for false.
    Bool(Vec<bool>),
    /// UTF-8 each.
    String(Vec<String>),
    /// 64 bits each.
    U64(Vec<u64>),
    /// 64 bits each, signed.
    I64(Vec<i64>),
    /// Double precision.
    F64(Vec<f64>),
}

impl Value {
    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// A whole number of any width that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(number) => Some(number.into()),
            Self::U16(number) => Some(number.into()),
            Self::U32(number) => Some(number.into()),
            Self::U64(number) => Some(number),
            Self::I8(number) => number.try_into().ok(),
            Self::I16(number) => number.try_into().ok(),
            Self::I32(number) => number.try_into().ok(),
            Self::I64(number) => number.try_into().ok(),
            Self::F32(_) | Self::F64(_) | Self::Bool(_) | Self::String(_) | Self::Array(_) => None,
        }
    }

    /// A floating-point number of either width.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F32(number) => Some(number.into()),
            Self::F64(number) => Some(number),
            _ => None,
        }
    }

    /// A truth value.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The texts of an array of strings.
    #[must_use]
    pub fn as_strings(&self) -> Option<&[String]> {
        if let Self::Array(Array::String(texts)) = self { Some(texts) } else { None }
    }

    /// The numbers of an array of 32-bit signed integers, the usual type of token kinds.
    #[must_use]
    pub fn as_i32s(&self) -> Option<&[i32]> {
        if let Self::Array(Array::I32(numbers)) = self { Some(numbers) } else { None }
    }
}

/// Keys and values in the order of the file. An export starts from a clone of the base file's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
}

impl Metadata {
    /// No entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text under `key`, where it is a string.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The number under `key`, where it is a whole number of any width and not negative.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_u64()
    }

    /// Gives `key` a value, in its old place or at the end.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.entries.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key.to_owned(), value)),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(at).1)
    }

    /// All entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Adds an entry without looking for the key; the reader looks for doubles once, at the end.
    pub(crate) fn push(&mut self, key: String, value: Value) {
        self.entries.push((key, value));
    }
}
