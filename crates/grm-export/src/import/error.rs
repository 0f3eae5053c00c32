//! Why nothing could be brought in.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a training output cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The system refused.
    #[error("{}: {source}; check the place and the free space, then run the same command again", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No weights.
    #[error(
        "{} holds no safetensors weights and no adapter; name the `output_dir` of a training that has ended", path.display()
    )]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is not what it should be.
    #[error("{}: {what}; copy the file again from where it was trained", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Something else has the name.
    #[error("{} is there already and is not an earlier import; name another folder or move it away", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The base has tensors that were not trained and should have been saved.
    #[error(
        "{} has {count} tensors that {} lacks, the first is {first}; name the base it was trained from, or train again with \
         stage3_gather_16bit_weights_on_model_save", base.display(), trained.display()
    )]
    Missing {
        /// Training output.
        trained: PathBuf,
        /// The base.
        base: PathBuf,
        /// How many.
        count: usize,
        /// The first, in order of names.
        first: String,
    },
    /// Tensors the base does not have.
    #[error("{} has {count} tensors that {} lacks, the first is {first}; name the base it was trained from", trained.display(), base.display())]
    Unknown {
        /// Training output.
        trained: PathBuf,
        /// The base.
        base: PathBuf,
        /// How many.
        count: usize,
        /// The first, in order of names.
        first: String,
    },
    /// A tensor of another shape.
    #[error("tensor {name} has shape {found:?}, the base's {expected:?}; name the base it was trained from")]
    Shape {
        /// The tensor.
        name: String,
        /// As trained.
        found: Vec<u64>,
        /// As in the base.
        expected: Vec<u64>,
    },
    /// An adapter that cannot be served as one.
    #[error("{}: {what}; merge it into the base with `llamafactory-cli export` and import the result", path.display())]
    Adapter {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        what: String,
    },
    /// A DPO run whose policy was not its reference at the start.
    #[error(
        "{}: DPO's loss at step 1 is {found}, not ln 2 = 0.6931: the policy did not begin as the reference, so what was \
         trained is not what the settings say; check model_name_or_path and ref_model, then train again", path.display()
    )]
    FirstLoss {
        /// The log.
        path: PathBuf,
        /// As logged.
        found: f64,
    },
}

impl ImportError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}
