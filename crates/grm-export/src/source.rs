//! A run folder of `grm synthesize`, read for handing over.

use std::path::{Path, PathBuf};

use grm_core::Part;
use grm_data::{
    DpoRecord, SftRecord,
    examples::{ExampleRecord, TextMessage, read},
};
use serde_json::Value;

use crate::{
    digest::sha256_file,
    error::ExportError,
    sample::{Answer, PromptMessage, Sample},
};

/// What a run holds for a trainer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name of the run folder.
    pub name: String,
    /// The files read, with their SHA-256.
    pub files: Vec<(String, String)>,
    /// Examples of `sft.jsonl`, in order.
    pub sft: Vec<Sample>,
    /// Examples of `dpo.jsonl`, in order.
    pub dpo: Vec<Sample>,
    /// Folders in which media may lie, the likeliest first.
    pub media: Vec<PathBuf>,
}

/// Reads `sft.jsonl` and `dpo.jsonl` of a run, of which there must be at least one.
///
/// # Errors
/// Neither file, one that cannot be read, or a line that is no training example.
pub fn read_run(run: &Path) -> Result<Source, ExportError> {
    let (sft, dpo) = (run.join("sft.jsonl"), run.join("dpo.jsonl"));
    if !sft.is_file() && !dpo.is_file() {
        return Err(ExportError::NoRun { path: run.to_owned() });
    }
    let mut files = Vec::new();
    for path in [&sft, &dpo].into_iter().filter(|path| path.is_file()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, sha256_file(path).map_err(|source| ExportError::io(path, source))?.sha256));
    }
    let media = media_folders(run);
    Ok(Source {
        name: folder_name(run),
        files,
        sft: samples::<SftRecord>(&sft)?,
        dpo: samples::<DpoRecord>(&dpo)?,
        media,
    })
}

fn folder_name(run: &Path) -> String {
    let whole = run.canonicalize().unwrap_or_else(|_| run.to_owned());
    whole.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The run's own folder, its `media`, and where the data lie it was made from: named as seen from where the run was
/// started, or within the run.
fn media_folders(run: &Path) -> Vec<PathBuf> {
    let mut folders = vec![run.to_owned(), run.join("media")];
    let manifest = std::fs::read(run.join("manifest.json")).ok();
    let manifest: Option<Value> = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(input) = manifest.as_ref().and_then(|manifest| manifest["input"]["path"].as_str()) {
        for input in [run.join(input), PathBuf::from(input)] {
            let is_file = !input.is_dir();
            folders.extend(if is_file { input.parent().map(Path::to_owned) } else { Some(input) });
        }
    }
    folders
}

fn samples<T: ExampleRecord>(path: &Path) -> Result<Vec<Sample>, ExportError>
where
    Sample: From<T>,
{
    if !path.is_file() {
        return Ok(Vec::new());
    }
    read::<T>(path)?.map(|record| Ok(record?.into())).collect()
}

impl From<SftRecord> for Sample {
    fn from(record: SftRecord) -> Self {
        let answer = Answer::Target { text: record.target().to_owned(), form: record.form };
        Self { prompt: record.prompt().iter().map(PromptMessage::from).collect(), pair: record.pair, answer }
    }
}

impl From<DpoRecord> for Sample {
    fn from(record: DpoRecord) -> Self {
        let reply = |messages: &[TextMessage]| {
            let text = messages.first().and_then(|message| message.content.text());
            text.unwrap_or_default().to_owned()
        };
        let answer = Answer::Preference { chosen: reply(&record.chosen), rejected: reply(&record.rejected) };
        Self { pair: record.pair, prompt: record.prompt.iter().map(PromptMessage::from).collect(), answer }
    }
}

impl From<&TextMessage> for PromptMessage {
    fn from(message: &TextMessage) -> Self {
        let parts: Vec<Part> = message.content.parts().into_owned();
        Self { role: message.role, parts }
    }
}
