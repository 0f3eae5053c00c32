//! Trained models in the forms others read: PEFT adapters, merged safetensors, GGUF models and GGUF adapters.
//!
//! Files and folders are written under a name ending in `.partial` and renamed when they are whole.

mod folder;
mod gguf;
mod gguf_adapter;
mod merged;
mod peft;
mod pieces;
mod read_peft;
mod safetensors;

use std::path::PathBuf;

use grm_gguf::GgufWriteError;

pub use gguf::base_metadata;
pub use gguf_adapter::write_gguf_adapter;
pub use merged::MergedExport;
pub use peft::write_peft;
pub use read_peft::{AdapterError, PeftAdapter, read_peft};
pub use safetensors::Precision;

use crate::weights::OpenError;

/// Why a model or an adapter cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The system refused.
    #[error("could not write {}: {source}; free some space or check the folder, then run the same command again", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A model with towers and no folder that describes them.
    #[error("a model that sees and hears is described by its base's config.json; name the base's folder")]
    NoThinkerBase,
    /// Something else has the name.
    #[error("{} is there already and is not an earlier export; name another place or move it away", path.display())]
    Occupied {
        /// File or folder.
        path: PathBuf,
    },
    /// Training diverged.
    #[error(
        "tensor {name} holds NaN or infinity at element {index}; take an earlier checkpoint, or train with a lower rate"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// Which element.
        index: usize,
    },
    /// Nothing to write.
    #[error("there is no adapter among the parameters; train one, or export the merged model")]
    NoAdapter,
    /// An adapter tensor of an unknown place, or without its other half.
    #[error(
        "{name} is not one half of an adapter on a decoder's linear layer; give the parameters as training has them"
    )]
    NotAdapter {
        /// The tensor.
        name: String,
    },
    /// A tensor whose shape is not the model's.
    #[error("tensor {name} has shape {found:?} where the model needs {expected:?}; give the model it was trained on")]
    Shape {
        /// The tensor.
        name: String,
        /// As given.
        found: Vec<usize>,
        /// As configured.
        expected: Vec<usize>,
    },
    /// llama.cpp reads an alpha of 0 as none given.
    #[error(
        "an adapter whose alpha is {alpha} cannot be written for llama.cpp, which would scale it otherwise; use one above 0"
    )]
    Alpha {
        /// As configured.
        alpha: f32,
    },
    /// `*ForSequenceClassification` has no place for a bias.
    #[error(
        "the reward head has a bias of {bias}, for which this format has no place; export to GGUF, whose head file has \
         one, or drop the bias if only differences of rewards matter"
    )]
    HeadBias {
        /// Its value.
        bias: f32,
    },
    /// Other programs read the last token only.
    #[error(
        "the reward head reads the mean of the states besides the last one, for which this format has no place; export \
         adapter and head apart, or train with --form chat-last-1"
    )]
    Pooling,
    /// The base is another model.
    #[error("{} is not the model that was trained ({what}); name the base it was trained from", base.display())]
    OtherBase {
        /// As given.
        base: PathBuf,
        /// Where they differ.
        what: String,
    },
    /// Safetensors have no tokenizer in GGUF's form beside them.
    #[error(
        "{} has no tokenizer in GGUF's form; train from a .gguf of the same model, or export merged safetensors and \
         convert them with llama.cpp's convert_hf_to_gguf.py", base.display()
    )]
    NoGgufTokenizer {
        /// The base.
        base: PathBuf,
    },
    /// The base cannot be read.
    #[error(transparent)]
    Base(#[from] OpenError),
    /// The GGUF file cannot be written.
    #[error("{}: {source}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<GgufWriteError>,
    },
}
