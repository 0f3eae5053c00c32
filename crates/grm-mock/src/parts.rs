//! A message's content: text, or parts of text, pictures, clips and sounds that are checked as a server would and more.
//!
//! Refused are part types the imitated software does not know, data URLs that do not decode, bytes that are not what
//! their type says, a `uuid` that is not the bytes' SHA-256, and addresses: the mock fetches nothing.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{chat_route::Refusal, config::MockDialect};

/// The kinds of media a server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MockMedia {
    /// `image_url`.
    Image,
    /// `video_url`.
    Video,
    /// `audio_url` and `input_audio`.
    Audio,
}

impl MockMedia {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Image, Self::Video, Self::Audio];

    fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// One part as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ArrivedPart {
    /// Text of this many bytes; a content that is a plain string is one such part.
    Text(usize),
    /// A medium that passed all checks.
    Media {
        /// What it is shown as.
        kind: MockMedia,
        /// The type its URL or format names.
        media_type: String,
        /// Of the bytes, in lower-case hex.
        sha256: String,
        /// How many there are.
        bytes: usize,
        /// Whether the request named it by its hash.
        has_uuid: bool,
    },
}

/// What stands for a medium in the text the mock reads; with it the latent quality of a response can be known.
#[must_use]
pub fn stand_in(kind: MockMedia, sha256: &str) -> String {
    format!("{{{} {sha256}}}", kind.as_str())
}

/// What a server of this software and model takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Takes<'a> {
    pub(crate) dialect: MockDialect,
    pub(crate) media: &'a [MockMedia],
}

/// Reads one message's content; its text, with [`stand_in`]s, is put at the end of `prompt`.
pub(crate) fn read(content: &RawValue, takes: Takes<'_>, prompt: &mut String) -> Result<Vec<ArrivedPart>, Refusal> {
    let malformed = |error: serde_json::Error| (400, format!("messages: content: {error}"));
    if !content.get().starts_with('[') {
        let text: CowText<'_> = serde_json::from_str(content.get()).map_err(malformed)?;
        prompt.push_str(&text.0);
        return Ok(vec![ArrivedPart::Text(text.0.len())]);
    }
    let parts: Vec<Part<'_>> = serde_json::from_str(content.get()).map_err(malformed)?;
    parts
        .iter()
        .enumerate()
        .map(|(place, part)| {
            part.read(takes, prompt).map_err(|reason| (400, format!("messages: content[{place}]: {reason}")))
        })
        .collect()
}

#[derive(Deserialize)]
struct CowText<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    of: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    image_url: Option<Address<'a>>,
    #[serde(borrow, default)]
    video_url: Option<Address<'a>>,
    #[serde(borrow, default)]
    audio_url: Option<Address<'a>>,
    #[serde(borrow, default)]
    input_audio: Option<Sound<'a>>,
    #[serde(borrow, default)]
    uuid: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Address<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Sound<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    format: Cow<'a, str>,
}

impl Part<'_> {
    fn read(&self, takes: Takes<'_>, prompt: &mut String) -> Result<ArrivedPart, String> {
        if self.of == "text" {
            let text = self.text.as_deref().ok_or("a text part without text")?;
            prompt.push_str(text);
            return Ok(ArrivedPart::Text(text.len()));
        }
        let (kind, media_type, data) = self.medium(takes.dialect)?;
        if !takes.media.contains(&kind) {
            return Err(format!("the model served here takes no {}", kind.as_str()));
        }
        let bytes = STANDARD.decode(data).map_err(|error| format!("its base64 does not decode: {error}"))?;
        if !agrees(&media_type, &bytes) {
            return Err(format!("its bytes are not {media_type}"));
        }
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        self.check_uuid(&sha256, takes.dialect)?;
        prompt.push_str(&stand_in(kind, &sha256));
        Ok(ArrivedPart::Media { kind, media_type, sha256, bytes: bytes.len(), has_uuid: self.uuid.is_some() })
    }

    /// Kind, type and base64 of a part, by the imitated software's rules.
    fn medium(&self, dialect: MockDialect) -> Result<(MockMedia, String, &str), String> {
        let takes_urls = matches!(dialect, MockDialect::Vllm | MockDialect::Sglang);
        let unknown = || format!("this server knows no part of type {}", self.of);
        let address = match &*self.of {
            "image_url" => (MockMedia::Image, &self.image_url),
            "video_url" if takes_urls => (MockMedia::Video, &self.video_url),
            "audio_url" if takes_urls => (MockMedia::Audio, &self.audio_url),
            "input_audio" => return self.sound(),
            _ => return Err(unknown()),
        };
        let (kind, Some(address)) = address else { return Err(format!("a part without its {}", self.of)) };
        let (media_type, data) = address
            .url
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"))
            .ok_or("it is no data URL in base64, and the mock fetches nothing")?;
        Ok((kind, media_type.to_owned(), data))
    }

    fn sound(&self) -> Result<(MockMedia, String, &str), String> {
        let sound = self.input_audio.as_ref().ok_or("a part without its input_audio")?;
        let media_type = match &*sound.format {
            "wav" => "audio/wav",
            "mp3" => "audio/mpeg",
            other => return Err(format!("input_audio.format is {other}, and may be wav or mp3")),
        };
        Ok((MockMedia::Audio, media_type.to_owned(), &sound.data))
    }

    fn check_uuid(&self, sha256: &str, dialect: MockDialect) -> Result<(), String> {
        match &self.uuid {
            None => Ok(()),
            Some(_) if dialect != MockDialect::Vllm => Err("this server knows no uuid".to_owned()),
            Some(uuid) if uuid == sha256 => Ok(()),
            Some(uuid) => Err(format!("its uuid is {uuid}, and the SHA-256 of its bytes is {sha256}")),
        }
    }
}

/// Whether a file that begins so may be of this type.
fn agrees(media_type: &str, bytes: &[u8]) -> bool {
    let riff = |form: &[u8]| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(form);
    let boxes = || bytes.get(4..8) == Some(b"ftyp");
    match media_type {
        "image/png" => bytes.starts_with(b"\x89PNG"),
        "image/jpeg" => bytes.starts_with(b"\xff\xd8\xff"),
        "image/gif" => bytes.starts_with(b"GIF8"),
        "image/webp" => riff(b"WEBP"),
        "audio/wav" => riff(b"WAVE"),
        "audio/mpeg" => bytes.starts_with(b"ID3") || matches!(bytes, [0xff, second, ..] if second & 0xe0 == 0xe0),
        "audio/flac" => bytes.starts_with(b"fLaC"),
        "audio/ogg" => bytes.starts_with(b"OggS"),
        "audio/mp4" | "video/mp4" => boxes(),
        "audio/webm" | "video/webm" => bytes.starts_with(b"\x1a\x45\xdf\xa3"),
        "video/x-msvideo" => riff(b"AVI "),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot a whole one";
    const WAV: &[u8] = b"RIFF\0\0\0\0WAVEfmt ";

    fn reading(content: &serde_json::Value, dialect: MockDialect) -> Result<(Vec<ArrivedPart>, String), String> {
        let raw = RawValue::from_string(content.to_string()).unwrap();
        let mut prompt = String::new();
        let takes = Takes { dialect, media: &MockMedia::ALL };
        read(&raw, takes, &mut prompt).map(|parts| (parts, prompt)).map_err(|(_, reason)| reason)
    }

    fn picture(media_type: &str, bytes: &[u8]) -> serde_json::Value {
        let url = format!("data:{media_type};base64,{}", STANDARD.encode(bytes));
        serde_json::json!({"type": "image_url", "image_url": {"url": url}})
    }

    #[test]
    fn parts_are_read_in_their_order() {
        let sound =
            serde_json::json!({"type": "input_audio", "input_audio": {"data": STANDARD.encode(WAV), "format": "wav"}});
        let content = serde_json::json!([picture("image/png", PNG), {"type": "text", "text": " é "}, sound]);
        let (parts, prompt) = reading(&content, MockDialect::OpenAi).unwrap();
        assert!(matches!(
            parts.as_slice(),
            [
                ArrivedPart::Media { kind: MockMedia::Image, .. },
                ArrivedPart::Text(4),
                ArrivedPart::Media { kind: MockMedia::Audio, .. }
            ]
        ));
        let sha256 = |bytes: &[u8]| format!("{:x}", Sha256::digest(bytes));
        let expected =
            [stand_in(MockMedia::Image, &sha256(PNG)), " é ".into(), stand_in(MockMedia::Audio, &sha256(WAV))];
        assert_eq!(prompt, expected.concat());
    }

    #[test]
    fn what_is_wrong_with_a_part_is_said() {
        let check = |part: serde_json::Value, dialect, expected: &str| {
            let error = reading(&serde_json::json!([part]), dialect).unwrap_err();
            assert!(error.contains(expected) && error.contains("content[0]"), "{error}");
        };
        check(picture("image/jpeg", PNG), MockDialect::Vllm, "its bytes are not image/jpeg");
        check(picture("text/html", PNG), MockDialect::Vllm, "its bytes are not text/html");
        let url = |url: &str| serde_json::json!({"type": "image_url", "image_url": {"url": url}});
        check(url("data:image/png;base64,@@"), MockDialect::Vllm, "does not decode");
        check(url("https://example.org/a.png"), MockDialect::Vllm, "fetches nothing");
        let mut named = picture("image/png", PNG);
        named["uuid"] = "ab".into();
        check(named.clone(), MockDialect::Vllm, "its uuid is ab");
        check(named, MockDialect::Sglang, "knows no uuid");
        let clip = serde_json::json!({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}});
        check(clip, MockDialect::LlamaServer, "no part of type video_url");
        let flac = serde_json::json!({"type": "input_audio", "input_audio": {"data": "", "format": "flac"}});
        check(flac, MockDialect::OpenAi, "wav or mp3");
    }
}
