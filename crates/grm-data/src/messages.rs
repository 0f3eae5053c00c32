//! What a field says: text, or messages whose content is text or pieces of text, pictures, clips and sounds.
//!
//! A piece names its file as servers and trainers do: `{"type":"image_url","image_url":{"url":"a.png"}}`, or
//! `{"type":"image","image":"a.png"}`, with `path` or `url` as other names for the last field. A piece that names none,
//! `{"type":"image"}`, is the place of the next file listed in `image` or `images` (TRL's form).

use grm_core::{MediaKind, Part, Role, Turn};
use serde_json::Value;

use crate::ReadError;
use crate::records::MediaFields;
use crate::row::Row;
use crate::shapes::media::{listed, part};

/// What a field says: plain text, or turns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Text(String),
    Turns(Vec<Turn>),
}

impl Row {
    /// Text or messages under a name that has to be there.
    pub(crate) fn said(&self, name: &str, media: MediaFields) -> Result<Said, ReadError> {
        match self.required(name)? {
            Value::String(text) => Ok(Said::Text(text.clone())),
            Value::Array(messages) => {
                let mut pieces = Pieces { row: self, media, placed: [0; 3] };
                let turns = messages.iter().enumerate();
                let turns = turns.map(|(place, message)| pieces.turn(&format!("{name}[{place}]"), message));
                Ok(Said::Turns(turns.collect::<Result<_, _>>()?))
            }
            other => Err(self.wrong_kind(name, "text, or a list of messages with `role` and `content`", other)),
        }
    }
}

/// Reads messages, and counts the pieces that name no file.
struct Pieces<'a> {
    row: &'a Row,
    media: MediaFields,
    /// Of each kind, how many of the listed files have their place already.
    placed: [usize; 3],
}

impl Pieces<'_> {
    fn turn(&mut self, path: &str, message: &Value) -> Result<Turn, ReadError> {
        let (Some(role), Some(content)) = (message.get("role"), message.get("content")) else {
            return Err(self.row.wrong_kind(path, "a message with `role` and `content`", message));
        };
        let role = self.role(&format!("{path}.role"), role)?;
        let path = format!("{path}.content");
        let Value::Array(pieces) = content else { return Ok(Turn::text(role, self.row.text(&path, content)?)) };
        let parts = pieces.iter().map(|piece| self.piece(&path, piece)).collect::<Result<Vec<_>, _>>()?;
        let turn = Turn { role, parts };
        let is_text = turn.parts.iter().all(|part| matches!(part, Part::Text { .. }));
        Ok(if is_text { Turn::text(role, turn.joined_text()) } else { turn })
    }

    fn role(&self, path: &str, role: &Value) -> Result<Role, ReadError> {
        match self.row.text(path, role)?.to_lowercase().as_str() {
            "system" => Ok(Role::System),
            "user" | "human" => Ok(Role::User),
            "assistant" | "gpt" | "chatbot" => Ok(Role::Assistant),
            other => {
                let found = format!("`{}`", other.chars().take(40).collect::<String>());
                let cure = "turns of tools and functions cannot be judged yet; leave them out";
                Err(self.row.shape(format!("system, user or assistant in `{path}`"), found, cure))
            }
        }
    }

    fn piece(&mut self, path: &str, piece: &Value) -> Result<Part, ReadError> {
        let Some(name) = piece.get("type").and_then(Value::as_str) else {
            return Err(self.row.wrong_kind(path, "pieces with a `type`", piece));
        };
        if let ("text", Some(text)) = (name, piece.get("text")) {
            return Ok(Part::text(self.row.text(path, text)?));
        }
        let Some(kind) = kind_of(name) else {
            let found = format!("`{}`", name.chars().take(40).collect::<String>());
            let cure = "leave pieces of other types out";
            return Err(self.row.shape(format!("pieces of text, image, video or audio in `{path}`"), found, cure));
        };
        if self.media == MediaFields::Refuse {
            return Err(ReadError::Media { place: self.row.place.clone(), field: path.to_owned() });
        }
        match named(piece, name, kind) {
            Some(file) => part(self.row, path, file, Some(kind)),
            None => self.next_listed(path, kind),
        }
    }

    /// The next file of the record's list for pieces that name none.
    fn next_listed(&mut self, path: &str, kind: MediaKind) -> Result<Part, ReadError> {
        let files = listed(self.row, kind)?;
        let placed = &mut self.placed[kind as usize];
        *placed += 1;
        let Some((field, file)) = files.get(*placed - 1) else {
            let (kind, count) = (kind.as_str(), files.len());
            let found = format!("place {placed} for a file, and {count} files in `{kind}` and `{kind}s`");
            return Err(self.row.shape(format!("a file for each {kind} of `{path}`"), found, "name it in the piece"));
        };
        part(self.row, field, file, Some(kind))
    }
}

/// Whether messages of this row have places for files that are listed elsewhere.
pub(crate) fn has_places(row: &Row, kind: MediaKind) -> bool {
    let messages = row.fields.values().filter_map(Value::as_array).flatten();
    let pieces = messages.filter_map(|message| message.get("content")?.as_array()).flatten();
    pieces.into_iter().any(|piece| match piece.get("type").and_then(Value::as_str) {
        Some(name) => kind_of(name) == Some(kind) && named(piece, name, kind).is_none(),
        None => false,
    })
}

fn kind_of(name: &str) -> Option<MediaKind> {
    match name {
        "image" | "image_url" | "input_image" => Some(MediaKind::Image),
        "video" | "video_url" | "input_video" => Some(MediaKind::Video),
        "audio" | "audio_url" | "input_audio" => Some(MediaKind::Audio),
        _ => None,
    }
}

/// The file a piece names.
fn named<'a>(piece: &'a Value, name: &str, kind: MediaKind) -> Option<&'a str> {
    let fields = [name, kind.as_str(), "path", "url"];
    fields.into_iter().filter_map(|field| piece.get(field)).find_map(file)
}

/// A path as text, or as `url`, `path` or `data` of an object.
fn file(value: &Value) -> Option<&str> {
    let inner = ["url", "path", "data"].into_iter().find_map(|field| value.get(field)?.as_str());
    value.as_str().or(inner)
}
