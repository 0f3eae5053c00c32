//! What is wrong with a data file, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// Where in a file something was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file as it was named.
    pub file: PathBuf,
    /// Where in it.
    pub spot: Spot,
}

/// A record's place in its file. Lines count from 1, elements and rows from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spot {
    /// The file as a whole.
    Whole,
    /// A line of a JSONL file.
    Line(u64),
    /// An element of a JSON array.
    Element(u64),
    /// A row of a parquet file.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.spot {
            Spot::Whole => write!(out, "{file}"),
            Spot::Line(line) => write!(out, "{file}:{line}"),
            Spot::Element(element) => write!(out, "{file}, element {element}"),
            Spot::Row(row) => write!(out, "{file}, row {row}"),
        }
    }
}

/// A record or file that cannot be read. After an error that is not [skippable](ReadError::is_skippable) a reader ends.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system would not let it be read.
    #[error("could not read {place}; check that the file exists and is readable")]
    Io {
        /// The file.
        place: Place,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is no container of records.
    #[error("{place}: expected JSON lines, a JSON array of objects or parquet, found {found}; {cure}")]
    Container {
        /// The file.
        place: Place,
        /// What it begins with.
        found: &'static str,
        /// What to do.
        cure: &'static str,
    },
    /// A line or array element longer than the limit. It was not read to its end.
    #[error("{place}: longer than {limit} bytes; shorten the record or raise line_limit_bytes")]
    TooLong {
        /// The record.
        place: Place,
        /// The limit.
        limit: u64,
    },
    /// JSON nested deeper than any accepted shape.
    #[error("{place}: nested deeper than {limit} levels; a record needs fewer than ten, so remove the nested part")]
    TooDeep {
        /// The record.
        place: Place,
        /// The limit.
        limit: usize,
    },
    /// Bytes that are no text.
    #[error("{place}: not UTF-8 at byte {at} of the record; save the file as UTF-8")]
    NotUtf8 {
        /// The record.
        place: Place,
        /// Byte within the record.
        at: usize,
    },
    /// Text that is no JSON.
    #[error("{place}: not valid JSON; {cure}")]
    Json {
        /// The record.
        place: Place,
        /// What to do.
        cure: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// JSON whose fields are not those of an accepted shape.
    #[error("{place}: expected {expected}, found {found}; {cure}")]
    Shape {
        /// The record.
        place: Place,
        /// What would be accepted.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        cure: String,
    },
    /// A picture, clip or sound.
    #[error("{place}: `{field}` holds media, and only text is read here; remove the column to use the text alone")]
    Media {
        /// The record.
        place: Place,
        /// The field that names it.
        field: String,
    },
    /// A file that says it is parquet and cannot be decoded.
    #[error(
        "{place}: could not decode the parquet file; write it again, with snappy, gzip or zstd compression or none"
    )]
    Parquet {
        /// The file or row.
        place: Place,
        /// What the decoder said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A parquet header that asks for too much memory; what it describes was not read.
    #[error(
        "{place}: {what} takes {bytes} bytes, and at most {limit} are read; write the file again with smaller row groups and pages"
    )]
    ParquetLimit {
        /// The file.
        place: Place,
        /// Which part.
        what: String,
        /// Its size by its header.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A data set's folder without a file that its publisher puts there.
    #[error("{}: expected {expected}, found {found}; {cure}", folder.display())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        cure: String,
    },
    /// A record that can be read but not judged.
    #[error("{place}: {problem}")]
    Unusable {
        /// The record.
        place: Place,
        /// Why not.
        problem: Problem,
    },
}

impl ReadError {
    /// True for a fault of one record that leaves the rest of the file good: it may be skipped, and should be counted.
    #[must_use]
    pub fn is_skippable(&self) -> bool {
        matches!(self, Self::Unusable { .. })
    }
}

/// Why a readable record cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing was asked.
    #[error("the prompt is empty; remove the record")]
    EmptyPrompt,
    /// A response of white space alone.
    #[error("{field} is empty; remove the record")]
    EmptyResponse {
        /// The response's field.
        field: String,
    },
    /// Nothing to choose between.
    #[error("both responses are the same text; remove the record")]
    SameResponses,
    /// A text no context could hold.
    #[error("{field} takes {bytes} bytes, and at most {limit} are taken; shorten it or raise max_text_bytes")]
    TextTooLong {
        /// The text's field.
        field: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A conversation whose last word is not the user's, so that there is nothing to answer.
    #[error("the prompt does not end with a user turn; end it where the responses begin")]
    PromptNotOpen,
    /// A response that is a conversation of its own.
    #[error("{field} goes on for {turns} turns after the prompt; only the next assistant turn can be compared")]
    SeveralTurns {
        /// The response's field.
        field: String,
        /// Turns after the prompt.
        turns: usize,
    },
    /// Two conversations that do not answer the same prompt.
    #[error("chosen and rejected do not answer the same prompt; remove the record")]
    DifferentPrompts,
    /// A record that says of neither response that it is better, nor that they are level.
    #[error("{field} holds {found}, which prefers neither response and calls none level; count the record as left out")]
    NoPreference {
        /// The field, or fields.
        field: String,
        /// What it says, in short.
        found: String,
    },
    /// Content that no judge here can be shown.
    #[error("{field} holds {what}, which no judge here can be shown; count the record as left out")]
    NotShowable {
        /// The field.
        field: String,
        /// What it holds.
        what: &'static str,
    },
    /// A rating of one response.
    #[error("it rates one response by itself, so there is nothing to compare; keep to the release's pairwise files")]
    Pointwise,
    /// Words that are not exactly one statement of a preference.
    #[error(
        "{field} does not state one preference and no other: {found}; expected {expected}; mend or remove the record"
    )]
    UnclearPreference {
        /// The field with the words.
        field: String,
        /// What they are, shortened.
        found: String,
        /// What would be understood.
        expected: String,
    },
    /// A plain statement that both responses are level, where only a better one is of use.
    #[error(
        "{field} says that neither response is better: {found}; only a pair with a better one can be trained on, so remove the record"
    )]
    Level {
        /// The field with the statement.
        field: String,
        /// What it is, shortened.
        found: String,
    },
    /// One text from which prompt and responses cannot be told with certainty.
    #[error("{field} cannot be taken apart: {found}; expected {expected}; mend or remove the record")]
    UnclearLayout {
        /// The field with the text.
        field: String,
        /// What is missing or there twice.
        found: String,
        /// What would be understood.
        expected: String,
    },
    /// Pictures or frames that cannot be shared out among prompt and responses.
    #[error("{field} names {found} media, and {expected}; mend or remove the record")]
    MediaCount {
        /// The field that names them.
        field: String,
        /// How many there are.
        found: usize,
        /// What would do.
        expected: String,
    },
    /// A picture, clip or sound that is not there, or not what its field says.
    #[error("`{field}`: {fault}")]
    MediaFile {
        /// The field that names it.
        field: String,
        /// What is wrong with it, and the cure.
        fault: String,
    },
    /// Both responses are one picture, clip or sound.
    #[error("both responses are the same media; remove the record")]
    SameMedia,
}

impl Problem {
    /// What kind of problem it is, in two or three words: what counts are kept by.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::EmptyPrompt => "empty prompt",
            Self::EmptyResponse { .. } => "empty response",
            Self::SameResponses => "same responses",
            Self::TextTooLong { .. } => "text too long",
            Self::PromptNotOpen => "prompt not open",
            Self::SeveralTurns { .. } => "several turns",
            Self::DifferentPrompts => "different prompts",
            Self::NoPreference { .. } => "no preference",
            Self::NotShowable { .. } => "not showable",
            Self::Pointwise => "pointwise",
            Self::UnclearPreference { .. } => "unclear preference",
            Self::Level { .. } => "level",
            Self::UnclearLayout { .. } => "unclear layout",
            Self::MediaCount { .. } => "media count",
            Self::MediaFile { .. } => "media file",
            Self::SameMedia => "same media",
        }
    }
}
