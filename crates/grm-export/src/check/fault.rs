//! One thing that is wrong: where, what, and the cure.

use std::fmt;

use serde::Serialize;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A file of the manifest is not there.
    MissingFile,
    /// A file's content is not the manifest's.
    WrongSha256,
    /// A file the manifest does not know.
    UnknownFile,
    /// A line that is no record.
    BrokenLine,
    /// Two records with one id.
    DuplicateId,
    /// Two records with the same content.
    DuplicateRecord,
    /// Another number of records than the manifest says.
    WrongCount,
    /// No system message.
    MissingSystem,
    /// Turns that do not alternate.
    TurnOrder,
    /// More placeholders than files.
    ExtraPlaceholder,
    /// Fewer placeholders than files.
    MissingPlaceholder,
    /// A placeholder in what is to be learnt.
    LiteralPlaceholder,
    /// A control token written out in a text.
    ControlToken,
    /// Nothing is to be learnt.
    EmptyAnswer,
    /// Chosen and rejected are the same.
    SameAnswers,
    /// Longer than the cut-off.
    OverCutoff,
    /// A column of media that a record lacks.
    MissingColumn,
    /// A media file that is not there.
    MissingMedia,
    /// A path that leads out of the folder.
    MediaOutside,
    /// A media file no engine could take.
    UnusableMedia,
    /// A sound that is not mono 16 kHz WAV.
    SoundForm,
    /// A data set that `dataset_info.json` does not know.
    UnknownDataset,
    /// A column that `dataset_info.json` does not name.
    UnnamedColumn,
    /// A setting that is not the one lengths were counted with.
    SettingDiffers,
    /// A file that a setting names and that is not there.
    MissingSettingFile,
}

impl FaultKind {
    /// What to do about it.
    #[must_use]
    pub fn cure(self) -> &'static str {
        match self {
            Self::MissingFile | Self::WrongSha256 => "copy the file again, or export again",
            Self::UnknownFile => "move it elsewhere, or export again",
            Self::BrokenLine | Self::WrongCount => "export again: the file was edited or cut off",
            Self::DuplicateId | Self::DuplicateRecord => "remove one of the two",
            Self::MissingSystem => "add a system message: engines fill in one of their own",
            Self::TurnOrder => "let user and assistant alternate, the user first and last before the answer",
            Self::ExtraPlaceholder => "write it with a space after <, or list the file it stands for",
            Self::MissingPlaceholder => "write one placeholder where each file is shown",
            Self::LiteralPlaceholder => "remove the record: engines take the word for a file",
            Self::ControlToken => "remove the record, or synthesize with --sanitize neutralise",
            Self::EmptyAnswer | Self::SameAnswers => "remove the record: nothing can be learnt from it",
            Self::OverCutoff => "remove the record: engines would cut it, media tokens too",
            Self::MissingColumn => "write the column on every line, empty as []",
            Self::MissingMedia => "copy the file into data/media, or export again",
            Self::MediaOutside => "copy the file into data/media and name it there",
            Self::UnusableMedia => "convert it to PNG, MP4 or WAV and export again",
            Self::SoundForm => "convert it to 16-bit mono WAV at 16,000 Hz",
            Self::UnknownDataset => "name one of dataset_info.json, or add it there",
            Self::UnnamedColumn => "name it under columns in dataset_info.json",
            Self::SettingDiffers => "set it back, or export again with the value you want",
            Self::MissingSettingFile => "copy the file again, or take the setting out",
        }
    }
}

/// A fault; in order of file and line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// Relative to the folder.
    pub file: String,
    /// Counted from 1.
    pub line: Option<usize>,
    /// What kind.
    pub kind: FaultKind,
    /// What exactly.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        write!(out, ": {}; {}", self.what, self.kind.cure())
    }
}
