//! Why a file is not taken for a GGUF model, or a tensor cannot be read from it.

use std::io;

/// Why a file is not taken for a GGUF model, or a tensor cannot be read from it.
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
    /// A key, a name or a string value that is not UTF-8.
    #[error("a key, name or text before byte {0} is not UTF-8; the file is damaged, get it from its source again")]
    NotUtf8(u64),
    /// No `general.architecture`.
    #[error("the file names no architecture (`general.architecture`); it is not a language model")]
    NoArchitecture,
    /// The same key or tensor name stands in the file twice.
    #[error("{0} stands in the file twice; the file is damaged, get it from its source again")]
    Twice(String),
    /// No tensor has this name.
    #[error("the file has no tensor {name}{}; is it a file of this architecture?", nearest(.similar.as_deref()))]
    NoTensor {
        /// The name asked for.
        name: String,
        /// A tensor of the file with the same last parts, if there is one.
        similar: Option<String>,
    },
    /// The tensor's values are stored in a type not read here.
    #[error(
        "tensor {tensor} is stored as {kind}, which is not read here; take a file of the model in F16, BF16, Q8_0, \
         Q6_K, Q5_K or Q4_K, or convert it with llama.cpp's llama-quantize"
    )]
    TensorType {
        /// The tensor.
        tensor: String,
        /// Its type, as ggml calls it.
        kind: String,
    },
}

fn nearest(similar: Option<&str>) -> String {
    similar.map(|name| format!(" (but {name})")).unwrap_or_default()
}
