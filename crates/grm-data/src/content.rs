//! What a message of a training example holds: text, or parts in their order.

use std::borrow::Cow;
use std::fmt;

use grm_core::{Message, Part, Span};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// A message's content: a JSON string, or a list of parts where it holds a picture, clip or sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text alone.
    Text(String),
    /// Text and media, as they follow each other.
    Parts(Vec<Part>),
}

impl Content {
    /// The text where there is nothing else; `None` where there are parts, so that none is left out unseen.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Parts(_) => None,
        }
    }

    /// All of it as parts.
    #[must_use]
    pub fn parts(&self) -> Cow<'_, [Part]> {
        match self {
            Self::Text(text) => Cow::Owned(vec![Part::text(text.as_str())]),
            Self::Parts(parts) => Cow::Borrowed(parts),
        }
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Spans of text that meet are one text.
impl From<&Message> for Content {
    fn from(message: &Message) -> Self {
        if message.spans.iter().all(|span| span.media().is_none()) {
            return Self::Text(message.text());
        }
        let mut parts: Vec<Part> = Vec::new();
        for span in &message.spans {
            match (span, parts.last_mut()) {
                (Span::Template(more) | Span::Content(more), Some(Part::Text { text })) => text.push_str(more),
                (Span::Template(text) | Span::Content(text), _) => parts.push(Part::text(&**text)),
                (Span::Image(media), _) => parts.push(Part::Image { media: media.clone() }),
                (Span::Video(media), _) => parts.push(Part::Video { media: media.clone() }),
                (Span::Audio(media), _) => parts.push(Part::Audio { media: media.clone() }),
            }
        }
        Self::Parts(parts)
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Parts(parts) => parts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrParts)
    }
}

struct TextOrParts;

impl<'de> Visitor<'de> for TextOrParts {
    type Value = Content;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text, or a list of parts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Content, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Content, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(parts)).map(Content::Parts)
    }
}
