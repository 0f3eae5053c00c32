//! One field of a row as what a benchmark means by it, or an error with file, row and cure.

use std::path::PathBuf;

use grm_core::Role;
use serde_json::Value;

use super::files::Part;
use crate::messages::Said;
use crate::records::MediaFields;
use crate::row::{Blob, Row, list};
use crate::sets::{ItemPart, ItemTurn, MediaKind, MediaSource, Truth};
use crate::{Problem, ReadError, Spot};

/// Text that has to be there; it may be empty.
pub(super) fn text(row: &Row, name: &str) -> Result<String, ReadError> {
    row.text(name, row.required(name)?).map(str::to_owned)
}

/// Text, or the empty text where the field is absent or null.
pub(super) fn text_or_empty(row: &Row, name: &str) -> Result<String, ReadError> {
    if row.value(name).is_some() { text(row, name) } else { Ok(String::new()) }
}

/// Text, or a number or truth value as Python prints it: some publishers' files lost the quotes around such answers.
pub(super) fn printed(row: &Row, name: &str) -> Result<String, ReadError> {
    Ok(match row.required(name)? {
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        other => row.text(name, other)?.to_owned(),
    })
}

/// A list of texts.
pub(super) fn texts(row: &Row, name: &str) -> Result<Vec<String>, ReadError> {
    let Value::Array(values) = row.required(name)? else {
        return Err(row.wrong_kind(name, "a list of texts", row.required(name)?));
    };
    let texts = values.iter().enumerate();
    texts.map(|(place, value)| row.text(&format!("{name}[{place}]"), value).map(str::to_owned)).collect()
}

/// A record's own id, text or number, or else its place in its file.
pub(super) fn id(row: &Row, name: &str) -> Result<String, ReadError> {
    match row.value(name) {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= 1024 => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        Some(other) => Err(row.wrong_kind(name, "a number, or text of 1 to 1024 bytes,", other)),
        None => Ok(number(row)),
    }
}

/// The place of a row in its file.
pub(super) fn number(row: &Row) -> String {
    match row.place.spot {
        Spot::Line(number) | Spot::Element(number) | Spot::Row(number) => number.to_string(),
        Spot::Whole => "0".into(),
    }
}

/// A preference written as one of a few words or numbers; any other is refused, never guessed.
pub(super) fn truth(row: &Row, name: &str, words: &[(&str, Truth)]) -> Result<Truth, ReadError> {
    let value = row.required(name)?;
    let said = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        other => return Err(row.wrong_kind(name, &format!("one of {}", known(words)), other)),
    };
    words.iter().find(|(word, _)| *word == said).map(|(_, truth)| *truth).ok_or_else(|| {
        let found = format!("`{}`", said.chars().take(40).collect::<String>());
        let cure = "this reader does not know that preference: correct the record, or ask for the new form to be read";
        row.shape(format!("one of {} in `{name}`", known(words)), found, cure)
    })
}

fn known(words: &[(&str, Truth)]) -> String {
    list(words.iter().map(|(word, _)| *word))
}

/// A record that prefers nothing: it may be skipped, and is counted.
pub(super) fn no_preference(row: &Row, field: &str, found: String) -> ReadError {
    let problem = Problem::NoPreference { field: format!("`{field}`"), found };
    ReadError::Unusable { place: row.place.clone(), problem }
}

/// A prompt of one user turn, or the messages of the field as turns.
pub(super) fn prompt(row: &Row, name: &str) -> Result<Vec<ItemTurn>, ReadError> {
    Ok(match row.said(name, MediaFields::Refuse)? {
        Said::Text(text) => asked(vec![ItemPart::Text(text)]),
        Said::Turns(turns) => {
            let turn =
                |turn: grm_core::Turn| ItemTurn { role: turn.role, parts: vec![ItemPart::Text(turn.joined_text())] };
            turns.into_iter().map(turn).collect()
        }
    })
}

/// One user turn.
pub(super) fn asked(parts: Vec<ItemPart>) -> Vec<ItemTurn> {
    vec![ItemTurn { role: Role::User, parts }]
}

/// Text as a response.
pub(super) fn said(text: impl Into<String>) -> Vec<ItemPart> {
    vec![ItemPart::Text(text.into())]
}

/// A picture, clip or sound: a path, an address, a struct with `bytes` or `path`, or one with `array` and
/// `sampling_rate`.
pub(super) fn media(part: &Part, row: &Row, name: &str, kind: MediaKind) -> Result<ItemPart, ReadError> {
    let bytes = [format!("{name}.bytes"), name.to_owned()].into_iter().find_map(|path| match row.blobs.get(&path) {
        Some(Blob::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    });
    if let Some(bytes) = bytes {
        return Ok(ItemPart::Media(kind, MediaSource::Bytes(bytes)));
    }
    let value = row.required(name)?;
    let source = match value {
        Value::String(reference) => at(part, reference),
        Value::Object(members) => {
            let member = |name: &str| members.get(name).filter(|value| !value.is_null());
            let samples = row.blobs.get(&format!("{name}.array"));
            match (samples, member("array"), member("bytes"), member("path")) {
                (Some(Blob::Samples(samples)), ..) => MediaSource::Samples(samples.clone(), rate(row, name, value)?),
                (_, Some(Value::Array(samples)), ..) => {
                    MediaSource::Samples(numbers(row, name, samples)?, rate(row, name, value)?)
                }
                (_, _, Some(Value::String(bytes)), _) => MediaSource::Bytes(bytes.clone().into_bytes()),
                (_, _, _, Some(Value::String(path))) => at(part, path),
                _ => return Err(row.wrong_kind(name, "`bytes`, `path`, or `array` with `sampling_rate`", value)),
            }
        }
        other => return Err(row.wrong_kind(name, "a path, an address or a medium", other)),
    };
    Ok(ItemPart::Media(kind, source))
}

/// A path of a record, or an address.
fn at(part: &Part, reference: &str) -> MediaSource {
    if reference.starts_with("http://") || reference.starts_with("https://") {
        return MediaSource::Url(reference.to_owned());
    }
    MediaSource::File(part.media.join(PathBuf::from(reference)))
}

fn rate(row: &Row, name: &str, sound: &Value) -> Result<u32, ReadError> {
    let rate = sound.get("sampling_rate").unwrap_or(&Value::Null);
    let number = rate.as_u64().and_then(|rate| u32::try_from(rate).ok()).filter(|rate| *rate > 0);
    number.ok_or_else(|| row.wrong_kind(&format!("{name}.sampling_rate"), "a sampling rate in Hz", rate))
}

fn numbers(row: &Row, name: &str, samples: &[Value]) -> Result<Vec<f32>, ReadError> {
    let sample = |value: &Value| {
        #[expect(clippy::cast_possible_truncation, reason = "sound has fewer than 24 bits a sample")]
        let number = value.as_f64().map(|number| number as f32);
        number.ok_or_else(|| row.wrong_kind(&format!("{name}.array"), "the samples of one channel", value))
    };
    samples.iter().map(sample).collect()
}
