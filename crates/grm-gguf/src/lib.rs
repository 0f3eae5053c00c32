//! GGUF model files: checked before anything trusts them, read tensor by tensor, and written whole or not at all.
//!
//! [`read_header`] holds every count, length, shape and offset of a file against its real size and keeps the few values
//! a loader needs. [`GgufFile`] does the same, keeps all metadata and the tensor table, and reads one tensor at a time as
//! `f32`. [`GgufWriter`] streams metadata and tensors to a new file.

mod dequantise;
mod error;
mod file;
mod header;
mod input;
mod metadata;
mod parse;
mod quantise;
mod tensor_type;
mod writer;

pub use error::GgufError;
pub use file::GgufFile;
pub use header::{GgufHeader, check, read_header};
pub use metadata::{Array, Metadata, Value};
pub use parse::TensorInfo;
pub use tensor_type::TensorType;
pub use writer::{GgufWriteError, GgufWriter, TensorPlan};
