//! One file an engine: its lines, its settings, its command.

pub(crate) mod llamafactory;
pub(crate) mod ms_swift;
pub(crate) mod trl;

use grm_core::Role;
use serde_json::Value;

use crate::{
    Engine,
    export::ExportSettings,
    media::MediaKind,
    row::{Row, RowAnswer, RowMessage},
};

/// The two data sets of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Set {
    /// Texts to be learnt.
    Sft,
    /// Preferences.
    Dpo,
}

impl Set {
    /// Both, in the order they are trained on.
    pub const BOTH: [Self; 2] = [Self::Sft, Self::Dpo];

    /// `sft` or `dpo`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Dpo => "dpo",
        }
    }

    /// Table 6: 1e-5 or 1e-6.
    pub(crate) fn learning_rate(self) -> &'static str {
        match self {
            Self::Sft => "1.0e-5",
            Self::Dpo => "1.0e-6",
        }
    }
}

/// A small text file of an export, by its name in the folder.
pub(crate) type TextFile = (&'static str, String);

/// Where the records of a set are, relative to the folder.
pub(crate) fn data_file(set: Set) -> String {
    format!("data/grm_{}.jsonl", set.as_str())
}

/// One record as the engine reads it, without the line feed.
pub(crate) fn line(engine: Engine, row: &Row, has_pictures: bool) -> String {
    match engine {
        Engine::LlamaFactory => llamafactory::line(row),
        Engine::MsSwift => ms_swift::line(row),
        Engine::Trl => trl::line(row, has_pictures),
    }
}

/// Settings and commands beside the records; `sets` are those with records.
pub(crate) fn files(settings: &ExportSettings, sets: &[Set]) -> Vec<TextFile> {
    match settings.engine {
        Engine::LlamaFactory => llamafactory::files(settings, sets),
        Engine::MsSwift => ms_swift::files(settings, sets),
        Engine::Trl => trl::files(settings, sets),
    }
}

/// A line read back; `form` is not told apart.
pub(crate) struct ReadLine {
    pub(crate) id: Option<String>,
    pub(crate) tokens: Option<usize>,
    pub(crate) prompt: Vec<RowMessage>,
    pub(crate) answer: RowAnswer,
    pub(crate) media: [Vec<String>; 3],
    /// Columns of media that are not there at all.
    pub(crate) missing: Vec<&'static str>,
}

/// Reads a line back; in words, what is wrong with it.
pub(crate) fn read_line(engine: Engine, set: Set, value: &Value) -> Result<ReadLine, String> {
    let (prompt, answer) = match engine {
        Engine::LlamaFactory => llamafactory::read(set, value)?,
        Engine::MsSwift => ms_swift::read(set, value)?,
        Engine::Trl => trl::read(set, value)?,
    };
    let mut missing = Vec::new();
    let mut media = [Vec::new(), Vec::new(), Vec::new()];
    for kind in MediaKind::ALL {
        match value.get(kind.column()) {
            None => missing.push(kind.column()),
            Some(files) => media[kind as usize] = strings(files, kind.column())?,
        }
    }
    let id = value["id"].as_str().map(str::to_owned);
    let tokens = value["tokens"].as_u64().and_then(|tokens| usize::try_from(tokens).ok());
    Ok(ReadLine { id, tokens, prompt, answer, media, missing })
}

fn strings(list: &Value, column: &str) -> Result<Vec<String>, String> {
    serde_json::from_value(list.clone()).map_err(|_| format!("`{column}` is not a list of paths"))
}

/// `{"role", "content"}` objects with text content.
pub(crate) fn messages(value: &Value, field: &str) -> Result<Vec<RowMessage>, String> {
    serde_json::from_value(value[field].clone()).map_err(|error| format!("`{field}`: {error}"))
}

/// Splits the assistant's last turn off.
pub(crate) fn last_answer(mut messages: Vec<RowMessage>) -> Result<(Vec<RowMessage>, String), String> {
    let last = messages.pop().filter(|last| last.role == Role::Assistant);
    let last = last.ok_or("`messages` do not end in a turn of the assistant's")?;
    Ok((messages, last.content))
}

/// A message of the assistant's.
pub(crate) fn assistant(content: &str) -> RowMessage {
    RowMessage { role: Role::Assistant, content: content.to_owned() }
}
