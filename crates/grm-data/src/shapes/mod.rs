//! The accepted record shapes, one file a shape.

mod chosen_rejected;
pub(crate) mod media;
mod own;
mod response_pair;
mod rmb;

use serde_json::Value;

use crate::records::{Format, MediaFields, ReadOptions};
use crate::row::{Row, list};
use crate::usable::Draft;
use crate::{Place, ReadError};

/// One record shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    ChosenRejected,
    ResponsePair,
    Rmb,
    Own,
}

/// Said when a record has none of the shapes.
const ACCEPTED: &str = "`prompt`, `chosen` and `rejected`, each with or without media; or `prompt`, `response_a` and `response_b` with or without \
     `label`; or RMB's `conversation_input`, `chosen` and `reject`; or grm's own `comparison` and `label`, or `id`, \
     `prompt` and `responses`";

/// Fields that may hold a record's id, first one first.
const ID_FIELDS: [&str; 4] = ["id", "pair_uid", "pair_id", "uid"];

/// Fields that name pictures, clips or sounds.
const MEDIA_FIELDS: [&str; 15] = [
    "image",
    "images",
    "video",
    "videos",
    "audio",
    "audios",
    "media",
    "chosen_media",
    "rejected_media",
    "response_a_media",
    "response_b_media",
    "response_1_media",
    "response_2_media",
    "response1_media",
    "response2_media",
];

/// Fields of the shapes themselves.
const SHAPE_FIELDS: [&str; 15] = [
    "prompt",
    "chosen",
    "rejected",
    "reject",
    "conversation_input",
    "label",
    "response_a",
    "response_b",
    "response_1",
    "response_2",
    "response1",
    "response2",
    "comparison",
    "responses",
    "category_path",
];

/// What other data sets call our fields.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("question", "prompt"),
    ("instruction", "prompt"),
    ("query", "prompt"),
    ("input", "prompt"),
    ("better_response", "chosen"),
    ("worse_response", "rejected"),
    ("output_1", "response_1"),
    ("output_2", "response_2"),
    ("preference", "label"),
];

/// True for columns a reader needs; others need not be decoded.
pub(crate) fn is_known_field(name: &str) -> bool {
    ID_FIELDS.contains(&name) || MEDIA_FIELDS.contains(&name) || SHAPE_FIELDS.contains(&name)
}

/// True for columns that name pictures, clips or sounds.
pub(crate) fn is_media_field(name: &str) -> bool {
    MEDIA_FIELDS.contains(&name)
}

impl Shape {
    /// The shape named by the options, or else told by the field names of a file's first record.
    pub(crate) fn of(format: Format, names: &[&str], place: &Place) -> Result<Self, ReadError> {
        let has = |name: &str| names.contains(&name);
        match format {
            Format::ChosenRejected => return Ok(Self::ChosenRejected),
            Format::ResponsePair => return Ok(Self::ResponsePair),
            Format::Rmb => return Ok(Self::Rmb),
            Format::Own => return Ok(Self::Own),
            Format::Auto => {}
        }
        if has("comparison") && has("label") || has("prompt") && has("responses") {
            Ok(Self::Own)
        } else if has("conversation_input") && has("chosen") && has("reject") {
            Ok(Self::Rmb)
        } else if has("chosen") && has("rejected") || media::RESPONSES.into_iter().all(has) {
            Ok(Self::ChosenRejected)
        } else if response_pair::names(has).is_some() && (has("prompt") || MEDIA_FIELDS.into_iter().any(has)) {
            Ok(Self::ResponsePair)
        } else {
            Err(unknown(names, place))
        }
    }

    /// Reads one record of this shape.
    pub(crate) fn read(self, row: &Row, options: &ReadOptions) -> Result<Draft, ReadError> {
        let named = MEDIA_FIELDS.into_iter().find(|name| row.value(name).is_some_and(|value| !is_empty(value)));
        let takes_media = matches!(self, Self::ChosenRejected | Self::ResponsePair);
        if let Some(field) = named.filter(|_| !takes_media || options.media == MediaFields::Refuse) {
            return Err(ReadError::Media { place: row.place.clone(), field: field.to_owned() });
        }
        let mut draft = match self {
            Self::ChosenRejected => chosen_rejected::read(row, options),
            Self::ResponsePair => response_pair::read(row, options),
            Self::Rmb => rmb::read(row, options),
            Self::Own => own::read(row, options.media),
        }?;
        if named.is_some() {
            media::add(row, &mut draft)?;
        }
        Ok(draft)
    }
}

fn unknown(names: &[&str], place: &Place) -> ReadError {
    let hints: Vec<String> = names
        .iter()
        .filter(|name| !is_known_field(name))
        .filter_map(|name| Some(format!("rename `{name}` to `{}`", meant(name, names)?)))
        .collect();
    let cure = if hints.is_empty() { "rename the fields to one of these shapes".into() } else { hints.join(", ") };
    ReadError::Shape { place: place.clone(), expected: ACCEPTED.to_owned(), found: list(names.iter().copied()), cure }
}

/// The field a name was probably meant to be, if the record does not have that one already.
fn meant(name: &str, names: &[&str]) -> Option<&'static str> {
    let other = OTHER_NAMES.into_iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, ours)| ours);
    let lower = name.to_lowercase();
    let near = || {
        SHAPE_FIELDS
            .into_iter()
            .map(|field| (strsim::damerau_levenshtein(&lower, field), field))
            .filter(|(distance, field)| *distance <= 2 && *distance * 3 < field.len())
            .min()
            .map(|(_, field)| field)
    };
    other.or_else(near).filter(|ours| !names.contains(ours))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.iter().all(is_empty),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The record's own id, if it has one.
fn id(row: &Row) -> Result<Option<String>, ReadError> {
    let Some((name, value)) = ID_FIELDS.into_iter().find_map(|name| Some((name, row.value(name)?))) else {
        return Ok(None);
    };
    match value {
        Value::String(id) if id.is_empty() => Ok(None),
        Value::String(id) if id.len() <= 1024 => Ok(Some(id.clone())),
        Value::Number(id) => Ok(Some(id.to_string())),
        other => Err(row.wrong_kind(name, "a number, or text of at most 1024 bytes,", other)),
    }
}
