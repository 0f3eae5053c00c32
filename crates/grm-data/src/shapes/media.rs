//! `prompt`, `chosen` and `rejected` with pictures, clips and sounds beside them: paths relative to the record's file.
//!
//! `media` (and `images`, `videos`, `audios`) belong to the prompt, `chosen_media` and `rejected_media` to the
//! responses, which may then be without text. What is shown comes before what is said about it, in the fields' own
//! order; a prompt's media stand in its last user turn.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use grm_core::{MediaKind, MediaRef, Part, Prompt, Response, Role, Turn, media_kind, media_type};
use serde_json::Value;

use super::chosen_rejected::{opened, reply};
use super::id;
use crate::records::ReadOptions;
use crate::row::{Row, Said};
use crate::sets::media::reference;
use crate::usable::{Draft, Known};
use crate::{Problem, ReadError};

/// The fields of media that are responses.
pub(super) const RESPONSES: [&str; 2] = ["chosen_media", "rejected_media"];

/// The prompt's fields; the first takes any kind, told by each file's first bytes.
const PROMPT: [(&str, Option<MediaKind>); 7] = [
    ("media", None),
    ("image", Some(MediaKind::Image)),
    ("images", Some(MediaKind::Image)),
    ("video", Some(MediaKind::Video)),
    ("videos", Some(MediaKind::Video)),
    ("audio", Some(MediaKind::Audio)),
    ("audios", Some(MediaKind::Audio)),
];

const TEXTS: [&str; 2] = ["chosen", "rejected"];

pub(super) fn read(row: &Row, options: &ReadOptions) -> Result<Draft, ReadError> {
    let said = match row.value("prompt") {
        Some(_) => row.said("prompt")?,
        None => Said::Text(String::new()),
    };
    let mut prompt = opened(said, options);
    let texts = TEXTS.map(|name| row.value(name).map_or(Ok(String::new()), |_| reply(row, name, &prompt)));
    let mut shown = Vec::new();
    for (field, kind) in PROMPT {
        shown.extend(parts(row, field, kind)?);
    }
    show(&mut prompt, shown);
    let [chosen, rejected] = texts;
    let [first, second] = RESPONSES.map(|field| parts(row, field, None));
    let responses = [response(first?, chosen?), response(second?, rejected?)];
    Ok(Draft { id: id(row)?, prompt, responses, names: TEXTS, known: Known::FirstChosen })
}

fn response(mut parts: Vec<Part>, text: String) -> Response {
    if !text.trim().is_empty() || parts.is_empty() {
        parts.push(Part::text(text));
    }
    Response { parts }
}

/// Puts media before the words of the last user turn.
fn show(prompt: &mut Prompt, mut shown: Vec<Part>) {
    if shown.is_empty() {
        return;
    }
    match prompt.turns.last_mut() {
        Some(turn) if turn.role == Role::User => {
            let is_said = |part: &Part| !matches!(part, Part::Text { text } if text.trim().is_empty());
            shown.extend(turn.parts.drain(..).filter(is_said));
            turn.parts = shown;
        }
        _ => prompt.turns.push(Turn { role: Role::User, parts: shown }),
    }
}

/// The media a field names: one path, or a list of them.
fn parts(row: &Row, field: &str, kind: Option<MediaKind>) -> Result<Vec<Part>, ReadError> {
    let paths = match row.value(field) {
        None => return Ok(Vec::new()),
        Some(Value::Array(paths)) => paths.iter().collect(),
        Some(path) => vec![path],
    };
    paths.into_iter().map(|path| part(row, field, row.text(field, path)?, kind)).collect()
}

fn part(row: &Row, field: &str, path: &str, kind: Option<MediaKind>) -> Result<Part, ReadError> {
    let problem = |fault: String| ReadError::Unusable {
        place: row.place.clone(),
        problem: Problem::MediaFile { field: field.to_owned(), fault },
    };
    if path.contains("://") {
        let fault = format!("{path} is an address, and nothing is fetched here; download it and give its path");
        return Err(problem(fault));
    }
    let folder = row.place.file.parent().unwrap_or(Path::new(""));
    let media = reference(folder, Path::new(path)).map_err(|fault| problem(fault.to_string()))?;
    let head = head(&folder.join(path)).map_err(|error| problem(format!("could not read {path}: {error}")))?;
    let found = kind.filter(|kind| media_type(&head, *kind).is_some()).or_else(|| media_kind(&head));
    match (found, kind) {
        (Some(found), None) => Ok(of_kind(found, media)),
        (Some(found), Some(named)) if found == named => Ok(of_kind(found, media)),
        (_, named) => {
            let wanted = named.map_or("a picture, clip or sound", MediaKind::noun);
            Err(problem(format!("{path} is not {wanted} by its first bytes; correct the path or convert the file")))
        }
    }
}

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(16);
    File::open(path)?.take(16).read_to_end(&mut head)?;
    Ok(head)
}

fn of_kind(kind: MediaKind, media: MediaRef) -> Part {
    match kind {
        MediaKind::Image => Part::Image { media },
        MediaKind::Video => Part::Video { media },
        MediaKind::Audio => Part::Audio { media },
    }
}
