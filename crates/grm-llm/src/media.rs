//! Pictures, clips and sounds on their way into a request: fetched by name, told by their first bytes, and given the form
//! that the server's software takes.
//!
//! | software | picture | clip | sound | `uuid` |
//! |---|---|---|---|---|
//! | vLLM | `image_url` | `video_url` | `audio_url` | the SHA-256, so that the server need not hash again |
//! | SGLang | `image_url` | `video_url` | `audio_url` | – |
//! | llama-server, plain OpenAI | `image_url` | refused | `input_audio`, WAV or MP3 | – |
//!
//! All of them go as data: no server has to reach our disk, and none is asked to fetch an address.

use std::{collections::BTreeMap, fmt, sync::Arc};

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use grm_core::{MediaKind, MediaLibrary, MediaRef, Message, ModelError, NoMedia, Span, media_type};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::dialect::Dialect;

/// The most bytes of media one request carries, before base64 makes a third more of them.
const REQUEST_BYTES_MAX: usize = 256 << 20;

/// How a server is to look at media; what is not set is left to the server. Part of the model's identity, because it
/// changes what is answered.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaSettings {
    /// Pictures and frames of fewer pixels are enlarged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_pixels: Option<u64>,
    /// Pictures and frames of more pixels are reduced: the way to bound a picture's tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pixels: Option<u64>,
    /// Frames taken of each second of a clip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f32>,
    /// Listen to a clip's own sound too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_audio_in_video: Option<bool>,
}

impl MediaSettings {
    /// Refuses what this software would not be told: a setting is never dropped in silence.
    fn check(&self, dialect: Dialect, model: &str) -> Result<(), ModelError> {
        let beyond_fps = Self { fps: None, ..*self } != Self::default();
        let hint = match dialect {
            Dialect::Vllm => return Ok(()),
            Dialect::Sglang if !beyond_fps => return Ok(()),
            Dialect::Sglang => "SGLang takes fps alone by request; set the others when the server is started",
            _ if *self == Self::default() => return Ok(()),
            _ => "only vLLM takes them by request (and SGLang fps); set them when the server is started",
        };
        let what = format!("the media settings {}", self.written());
        Err(ModelError::Unsupported { model: model.to_owned(), what, hint: hint.to_owned() })
    }

    fn written(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Where a model's media come from and how they are sent.
#[derive(Clone)]
pub(crate) struct Shelf {
    library: Arc<dyn MediaLibrary>,
    settings: MediaSettings,
    dialect: Dialect,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("settings", &self.settings)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

/// A request's media, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    media: BTreeMap<(MediaKind, String), Medium>,
    settings: MediaSettings,
    dialect: Dialect,
}

#[derive(Debug)]
struct Medium {
    bytes: Arc<[u8]>,
    media_type: &'static str,
    form: Form,
}

/// The kind of part a medium becomes.
#[derive(Debug, Clone, Copy)]
enum Form {
    ImageUrl,
    VideoUrl,
    AudioUrl,
    /// With the format's name.
    InputAudio(&'static str),
}

impl Shelf {
    /// Refuses settings that the software does not take.
    pub(crate) fn new(
        library: Option<Arc<dyn MediaLibrary>>,
        settings: MediaSettings,
        dialect: Dialect,
        model: &str,
    ) -> Result<Self, ModelError> {
        settings.check(dialect, model)?;
        Ok(Self { library: library.unwrap_or_else(|| Arc::new(NoMedia)), settings, dialect })
    }

    /// What the settings add to the name of what answers; empty where there are none.
    pub(crate) fn identity(&self) -> String {
        if self.settings == MediaSettings::default() {
            return String::new();
        }
        format!("mm_processor_kwargs={}", self.settings.written())
    }

    /// Fetches all media of a conversation; one that is named twice once.
    pub(crate) async fn load(&self, messages: &[Message], model: &str) -> Result<Loaded, ModelError> {
        let wanted: Vec<(MediaKind, MediaRef)> = messages
            .iter()
            .flat_map(|message| &message.spans)
            .filter_map(Span::media)
            .map(|(kind, media)| (kind, media.clone()))
            .collect();
        if wanted.is_empty() {
            return Ok(Loaded::default());
        }
        let (shelf, model) = (self.clone(), model.to_owned());
        let fetched = tokio::task::spawn_blocking(move || shelf.fetch(wanted, &model)).await;
        fetched.unwrap_or_else(|error| {
            let context = "reading the media of a request stopped unexpectedly".to_owned();
            Err(ModelError::Engine { context, source: Box::new(error) })
        })
    }

    fn fetch(&self, wanted: Vec<(MediaKind, MediaRef)>, model: &str) -> Result<Loaded, ModelError> {
        let mut loaded = Loaded { settings: self.settings, dialect: self.dialect, ..Loaded::default() };
        let mut total = 0;
        for (kind, media) in wanted {
            if loaded.media.contains_key(&(kind, media.sha256.clone())) {
                continue;
            }
            let refused = |reason: String| ModelError::Media { path: media.path.clone(), reason };
            let bytes = self.library.bytes(&media)?;
            let media_type = media_type(&bytes, kind).ok_or_else(|| {
                refused(format!("it is not {} by its first bytes; correct the record or convert the file", kind.noun()))
            })?;
            total += bytes.len();
            if total > REQUEST_BYTES_MAX {
                let limit = REQUEST_BYTES_MAX >> 20;
                return Err(refused(format!("with it a request carries over {limit} MiB of media; make them smaller")));
            }
            let form = form(kind, media_type, self.dialect, model)?;
            loaded.media.insert((kind, media.sha256), Medium { bytes, media_type, form });
        }
        Ok(loaded)
    }
}

fn form(kind: MediaKind, media_type: &str, dialect: Dialect, model: &str) -> Result<Form, ModelError> {
    let takes_urls = matches!(dialect, Dialect::Vllm | Dialect::Sglang);
    let unsupported = |what: &str, hint: &str| {
        let (what, hint) = (what.to_owned(), hint.to_owned());
        Err(ModelError::Unsupported { model: model.to_owned(), what, hint })
    };
    match (kind, media_type) {
        (MediaKind::Image, _) => Ok(Form::ImageUrl),
        (MediaKind::Video, _) if takes_urls => Ok(Form::VideoUrl),
        (MediaKind::Video, _) => {
            let hint = "this kind of server has no part for them: serve the model with vLLM or SGLang, or leave out pairs with clips";
            unsupported("clips", hint)
        }
        (MediaKind::Audio, _) if takes_urls => Ok(Form::AudioUrl),
        (MediaKind::Audio, "audio/wav") => Ok(Form::InputAudio("wav")),
        (MediaKind::Audio, "audio/mpeg") => Ok(Form::InputAudio("mp3")),
        (MediaKind::Audio, other) => unsupported(
            &format!("sounds of type {other}"),
            "this kind of server takes WAV and MP3: convert the file, or serve the model with vLLM or SGLang",
        ),
    }
}

impl Loaded {
    /// Bytes that the media will take in a body.
    pub(crate) fn encoded_length(&self, messages: &[Message]) -> usize {
        let spans = messages.iter().flat_map(|message| &message.spans);
        let media = spans.filter_map(Span::media).filter_map(|(kind, media)| self.medium(kind, media));
        media.map(|medium| medium.bytes.len().div_ceil(3) * 4 + 192).sum()
    }

    /// The settings to send along, by software: vLLM's own field.
    pub(crate) fn processor_arguments(&self) -> Option<MediaSettings> {
        let given = !self.media.is_empty() && self.settings != MediaSettings::default();
        (given && self.dialect == Dialect::Vllm).then_some(self.settings)
    }

    fn medium(&self, kind: MediaKind, media: &MediaRef) -> Option<&Medium> {
        // A key to look up by reference would have to own its text too; a name is 64 bytes.
        self.media.get(&(kind, media.sha256.clone()))
    }

    /// The part of a message that shows this medium.
    pub(crate) fn part<'a>(&'a self, kind: MediaKind, media: &'a MediaRef) -> impl Serialize + use<'a> {
        let medium = self.medium(kind, media).expect("every medium of a request was loaded");
        Part { medium, uuid: (self.dialect == Dialect::Vllm).then_some(media.sha256.as_str()), fps: self.frames() }
    }

    /// SGLang is told beside the clip.
    fn frames(&self) -> Option<f32> {
        self.settings.fps.filter(|_| self.dialect == Dialect::Sglang)
    }
}

struct Part<'a> {
    medium: &'a Medium,
    uuid: Option<&'a str>,
    fps: Option<f32>,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            r#type: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            image_url: Option<Address<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            video_url: Option<Address<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            audio_url: Option<Address<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            input_audio: Option<Sound<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            uuid: Option<&'a str>,
        }
        #[derive(Serialize)]
        struct Address<'a> {
            url: Encoded<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            fps: Option<f32>,
        }
        #[derive(Serialize)]
        struct Sound<'a> {
            data: Encoded<'a>,
            format: &'static str,
        }
        let Medium { bytes, media_type, form } = self.medium;
        let address = |fps| Some(Address { url: Encoded { bytes, media_type: Some(media_type) }, fps });
        let (image_url, video_url, audio_url, input_audio) = (None, None, None, None);
        let empty = Wire { r#type: "", image_url, video_url, audio_url, input_audio, uuid: self.uuid };
        let wire = match *form {
            Form::ImageUrl => Wire { r#type: "image_url", image_url: address(None), ..empty },
            Form::VideoUrl => Wire { r#type: "video_url", video_url: address(self.fps), ..empty },
            Form::AudioUrl => Wire { r#type: "audio_url", audio_url: address(None), ..empty },
            Form::InputAudio(format) => {
                let data = Encoded { bytes, media_type: None };
                Wire { r#type: "input_audio", input_audio: Some(Sound { data, format }), ..empty }
            }
        };
        wire.serialize(serializer)
    }
}

/// Bytes in base64, written piece by piece into the body; a data URL where a type is given.
struct Encoded<'a> {
    bytes: &'a [u8],
    media_type: Option<&'static str>,
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(media_type) = self.media_type {
            write!(f, "data:{media_type};base64,")?;
        }
        write!(f, "{}", Base64Display::new(self.bytes, &STANDARD))
    }
}
