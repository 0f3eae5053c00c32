//! Pictures, clips and sounds beside a record's text: paths relative to the record's file.
//!
//! `media` (and `images`, `videos`, `audios`) belong to the prompt, `chosen_media` and `rejected_media` (or the like, after
//! the responses' own names) to the responses, which may then be without text. What is shown comes before what is said
//! about it, in the fields' own order; a prompt's media stand in its last user turn, unless its messages have places for
//! them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use grm_core::{MediaKind, MediaRef, Part, Prompt, Role, Turn, media_kind, media_type};
use serde_json::Value;

use crate::messages::has_places;
use crate::row::Row;
use crate::sets::media::reference;
use crate::usable::Draft;
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

/// Puts the files that the record's own fields name into a pair.
pub(super) fn add(row: &Row, draft: &mut Draft) -> Result<(), ReadError> {
    let mut shown = Vec::new();
    for (field, kind) in PROMPT {
        match kind.filter(|kind| has_places(row, *kind)) {
            None => shown.extend(parts(row, field, kind)?),
            Some(kind) => all_placed(row, draft, kind)?,
        }
    }
    show(&mut draft.prompt, shown);
    for (response, name) in draft.responses.iter_mut().zip(draft.names) {
        show_before(&mut response.parts, parts(row, &of_response(name), None)?);
    }
    Ok(())
}

/// Refuses a record that lists more files than its messages have places for.
fn all_placed(row: &Row, draft: &Draft, kind: MediaKind) -> Result<(), ReadError> {
    let turns = draft.prompt.turns.iter().flat_map(|turn| &turn.parts);
    let parts: Vec<&Part> = turns.chain(draft.responses.iter().flat_map(|response| &response.parts)).collect();
    let is_placed = |path: &str| {
        parts.iter().any(|part| match part {
            Part::Image { media } | Part::Video { media } | Part::Audio { media } => media.path == path,
            Part::Text { .. } => false,
        })
    };
    match listed(row, kind)?.into_iter().find(|(_, path)| !is_placed(path)) {
        None => Ok(()),
        Some((field, path)) => {
            let cure = format!("add a piece {{\"type\":\"{}\"}} where it belongs, or leave it out", kind.as_str());
            Err(row.shape(
                format!("a place in the messages for each file of `{field}`"),
                format!("none for {path}"),
                &cure,
            ))
        }
    }
}

/// Whether media stand for a prompt or response that has no text.
pub(super) fn stand_for(row: &Row, name: &str) -> bool {
    match name {
        "prompt" => PROMPT.iter().any(|(field, _)| row.value(field).is_some()),
        response => row.value(&of_response(response)).is_some(),
    }
}

/// The files listed for a prompt's places of one kind, each with its field.
pub(crate) fn listed(row: &Row, wanted: MediaKind) -> Result<Vec<(&'static str, &str)>, ReadError> {
    let mut files = Vec::new();
    for (field, _) in PROMPT.into_iter().filter(|(_, kind)| *kind == Some(wanted)) {
        files.extend(paths(row, field)?.into_iter().map(|path| (field, path)));
    }
    Ok(files)
}

/// The field of media that belong to a response of this name.
pub(super) fn of_response(name: &str) -> String {
    format!("{name}_media")
}

/// Puts media before the words of the last user turn.
fn show(prompt: &mut Prompt, shown: Vec<Part>) {
    match prompt.turns.last_mut() {
        _ if shown.is_empty() => {}
        Some(turn) if turn.role == Role::User => show_before(&mut turn.parts, shown),
        _ => prompt.turns.push(Turn { role: Role::User, parts: shown }),
    }
}

/// Puts media before what there is, which may be a text of nothing.
fn show_before(parts: &mut Vec<Part>, mut shown: Vec<Part>) {
    if !shown.is_empty() {
        let is_said = |part: &Part| !matches!(part, Part::Text { text } if text.trim().is_empty());
        shown.extend(parts.drain(..).filter(is_said));
        *parts = shown;
    }
}

/// The media a field names.
fn parts(row: &Row, field: &str, kind: Option<MediaKind>) -> Result<Vec<Part>, ReadError> {
    paths(row, field)?.into_iter().map(|path| part(row, field, path, kind)).collect()
}

/// One path, or a list of them; each may be an object with a `path`.
fn paths<'a>(row: &'a Row, field: &str) -> Result<Vec<&'a str>, ReadError> {
    let paths = match row.value(field) {
        None => return Ok(Vec::new()),
        Some(Value::Array(paths)) => paths.iter().collect(),
        Some(path) => vec![path],
    };
    paths.into_iter().map(|path| row.text(field, path.get("path").unwrap_or(path))).collect()
}

/// A file of the record's folder as a part of its kind, which its first bytes tell where the field does not.
pub(crate) fn part(row: &Row, field: &str, path: &str, kind: Option<MediaKind>) -> Result<Part, ReadError> {
    let problem = |fault: String| ReadError::Unusable {
        place: row.place.clone(),
        problem: Problem::MediaFile { field: field.to_owned(), fault },
    };
    if path.starts_with("data:") {
        let fault = "a file inside the record; write it beside the record and give its path".to_owned();
        return Err(problem(fault));
    }
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
