//! Where weights come from: any store that gives a tensor by its checkpoint name.

mod gguf;
pub(crate) mod gguf_names;
mod open;
pub(crate) mod rope_factors;
mod safetensors;

use std::path::PathBuf;

pub use gguf::GgufWeights;
pub(crate) use open::{GGUF_HEAD, GGUF_HEAD_DECODER};
pub use open::{OpenError, open};
pub use safetensors::SafetensorsFolder;

/// A tensor on the host, row-major, in f32.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Rows first.
    pub shape: Vec<usize>,
    /// As many values as the shape says.
    pub values: Vec<f32>,
}

/// A store of named tensors.
pub trait Weights {
    /// Every name in it, sorted, as Hugging Face checkpoints write them (`model.layers.0.self_attn.q_proj.weight`).
    fn names(&self) -> Vec<String>;

    /// Reads one tensor.
    ///
    /// # Errors
    /// A name that is not there, a type that cannot be read, a damaged file.
    fn read(&self, name: &str) -> Result<HostTensor, WeightError>;

    /// Whether it is there.
    fn contains(&self, name: &str) -> bool {
        self.names().iter().any(|known| known == name)
    }
}

/// Why weights cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    /// The file cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not what its name says, or cut short.
    #[error("{} is damaged: {reason}; fetch it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A GGUF file that cannot be read.
    #[error("{}: {source}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: grm_gguf::GgufError,
    },
    /// A file that could run code when opened.
    #[error(
        "{} is a pickle, which can run code when it is opened, so it is not: \
         convert it where you trust it, `python -c \"from safetensors.torch import save_model; …\"`, \
         or take the model's safetensors files", path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// No weights in a folder.
    #[error("{} holds no model: expected model.safetensors, model.safetensors.index.json or a .gguf", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A tensor the model needs is not there.
    #[error("{place} has no tensor {name}; the weights are not those of this configuration, or incomplete")]
    Missing {
        /// The store.
        place: String,
        /// The tensor.
        name: String,
    },
    /// Another shape than the configuration says.
    #[error(
        "{place}: tensor {name} has shape {found:?}, the configuration says {expected:?}; take the config.json beside the weights"
    )]
    Shape {
        /// The store.
        place: String,
        /// The tensor.
        name: String,
        /// As stored.
        found: Vec<usize>,
        /// As configured.
        expected: Vec<usize>,
    },
    /// A number that is not one.
    #[error(
        "{place}: tensor {name} holds NaN or infinity at element {index}; the file is damaged or its training diverged"
    )]
    NotFinite {
        /// The store.
        place: String,
        /// The tensor.
        name: String,
        /// Which element.
        index: usize,
    },
    /// A storage type that is not read.
    #[error("{place}: tensor {name} is stored as {dtype}, which is not read; convert it to F32, F16 or BF16")]
    Type {
        /// The store.
        place: String,
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
}
