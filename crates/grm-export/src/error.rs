//! Why nothing could be handed over.

use std::{
    io,
    path::{Path, PathBuf},
};

use grm_data::ReadError;
use grm_text::TokenizerError;

/// Why a run cannot be exported. What is wrong with single records is counted instead, see [`crate::Refusal`].
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The system refused.
    #[error("{}: {source}; check the place and the free space, then run the same command again", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No training data.
    #[error("{} holds neither sft.jsonl nor dpo.jsonl; name a run folder that `grm synthesize` finished", path.display())]
    NoRun {
        /// As given.
        path: PathBuf,
    },
    /// A file of examples that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Lengths cannot be counted.
    #[error(
        "token lengths are counted with the trained model's own tokenizer, and none was given; add --tokenizer with its \
         tokenizer.json, or with the model's folder"
    )]
    NoTokenizer,
    /// A tokenizer that cannot be read.
    #[error("could not read the tokenizer: {0}; give the tokenizer.json that lies beside the model's weights")]
    Tokenizer(#[from] TokenizerError),
    /// A processor's settings that cannot be read.
    #[error("{}: {what}; copy the file from the model again", path.display())]
    Processor {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Something else has the name.
    #[error("{} is there already and is not an earlier export; name another folder or move it away", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A manifest that cannot be read.
    #[error("{}: {what}; name a folder that `grm export` wrote, or export again", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Everything was refused.
    #[error("none of {records} records can be handed over: {reasons}; see what each needs in docs/export.md")]
    NothingLeft {
        /// How many there were.
        records: usize,
        /// Counts by reason.
        reasons: String,
    },
    /// Parquet could not be written.
    #[error("{}: {source}; check the place and the free space, then run the same command again", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The encoder's words.
        source: parquet::errors::ParquetError,
    },
}

impl ExportError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
