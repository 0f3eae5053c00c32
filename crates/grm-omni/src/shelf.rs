//! Media as the towers take them: found, decoded and prepared once, for every call that shows them.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use grm_core::{MediaLibrary, MediaRef, ModelError, Span};
use grm_media::{Clip, Limits, Picture, Sampling, Source};
use grm_model::omni::{
    Grid, LogMel, Medium, OmniKind, Visual,
    preprocess::{PixelBounds, image_patches, log_mel, video_patches, video_second_per_grid},
};
use serde::Deserialize;

use crate::folder::failed;

/// Numbers of prepared media kept: 256 MiB.
const KEPT_NUMBERS_MAX: usize = 64 << 20;
/// A model folder may say how its media are prepared.
const SETTINGS_FILE: &str = "media.json";

/// How media are prepared for a model.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaSettings {
    /// Fewest and most pixels of a picture.
    pub image: PixelBounds,
    /// Fewest and most pixels of a frame.
    pub video: PixelBounds,
    /// Which frames of a clip, and whether its sound is heard.
    pub sampling: Sampling,
    /// What is refused.
    pub limits: Limits,
}

/// `media.json` in a model's folder; what it leaves out is as published for the model's kind.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    image_pixels: Option<[usize; 2]>,
    video_pixels: Option<[usize; 2]>,
    frames_per_second: Option<f64>,
    frames_min: Option<u64>,
    frames_max: Option<u64>,
    sound_of_clips: Option<bool>,
}

impl MediaSettings {
    /// As the published processors of a kind do it.
    #[must_use]
    pub fn of(kind: OmniKind) -> Self {
        let video = match kind {
            OmniKind::Qwen25Omni => PixelBounds::OMNI_VIDEO,
            OmniKind::Qwen25Vl => PixelBounds::VL_VIDEO,
        };
        Self { image: PixelBounds::IMAGE, video, sampling: Sampling::default(), limits: Limits::default() }
    }

    /// The same with what `media.json` in the model's folder says, where there is one.
    pub fn read(folder: &Path, kind: OmniKind) -> Result<Self, ModelError> {
        let path = folder.join(SETTINGS_FILE);
        if !path.is_file() {
            return Ok(Self::of(kind));
        }
        let place = || format!("could not read {}", path.display());
        let bytes = std::fs::read(&path).map_err(|error| failed(place(), error))?;
        let written: Written = serde_json::from_slice(&bytes).map_err(|error| failed(place(), error))?;
        Ok(Self::of(kind).with(&written))
    }

    fn with(mut self, written: &Written) -> Self {
        let bounds = |[min, max]: [usize; 2]| PixelBounds { min, max };
        self.image = written.image_pixels.map_or(self.image, bounds);
        self.video = written.video_pixels.map_or(self.video, bounds);
        let sampling = &mut self.sampling;
        sampling.frames_per_second = written.frames_per_second.unwrap_or(sampling.frames_per_second);
        sampling.frames_min = written.frames_min.unwrap_or(sampling.frames_min);
        sampling.frames_max = written.frames_max.unwrap_or(sampling.frames_max);
        sampling.with_sound = written.sound_of_clips.unwrap_or(sampling.with_sound);
        self
    }

    /// What of the settings decides a medium's numbers, for its name.
    fn name(&self) -> String {
        let bounds = |bounds: PixelBounds| format!("{}-{}", bounds.min, bounds.max);
        let Sampling { frames_per_second, frames_min, frames_max, with_sound } = self.sampling;
        let (image, video) = (bounds(self.image), bounds(self.video));
        format!("{image} {video} {frames_per_second} {frames_min} {frames_max} {with_sound}")
    }
}

/// Prepared media by kind and content.
pub struct Shelf {
    library: Arc<dyn MediaLibrary>,
    settings: MediaSettings,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_name: BTreeMap<String, Arc<Medium>>,
    numbers: usize,
}

impl Shelf {
    /// A shelf that is filled from `library`.
    #[must_use]
    pub fn new(library: Arc<dyn MediaLibrary>, settings: MediaSettings) -> Self {
        Self { library, settings, kept: Mutex::default() }
    }

    /// The medium of a span, prepared; `None` for text.
    pub fn take(&self, span: &Span) -> Result<Option<Arc<Medium>>, ModelError> {
        let (kind, media) = match span {
            Span::Template(_) | Span::Content(_) => return Ok(None),
            Span::Image(media) => ("image", media),
            Span::Video(media) => ("video", media),
            Span::Audio(media) => ("audio", media),
        };
        let name = format!("{kind} {} {}", media.sha256, self.settings.name());
        if let Some(known) = self.kept().by_name.get(&name) {
            return Ok(Some(known.clone()));
        }
        let refused = |reason: String| ModelError::Media { path: media.path.clone(), reason };
        let (visual, sound) = self.prepared(kind, media).map_err(|fault| match fault {
            Fault::Library(error) => error,
            Fault::Medium(reason) => refused(reason),
        })?;
        let medium = Arc::new(Medium { name, visual, sound });
        self.kept().keep(&medium);
        Ok(Some(medium))
    }

    fn prepared(&self, kind: &str, media: &MediaRef) -> Result<(Option<Visual>, Option<LogMel>), Fault> {
        let limits = &self.settings.limits;
        let source = Source::from_bytes(&media.path, self.library.bytes(media)?, limits)?;
        Ok(match kind {
            "image" => (Some(self.picture(&grm_media::picture(&source, limits)?)?), None),
            "audio" => (None, Some(mel(&grm_media::sound(&source, limits)?.samples)?)),
            _ => self.clip(&grm_media::clip(&source, &self.settings.sampling, limits)?)?,
        })
    }

    fn picture(&self, picture: &Picture) -> Result<Visual, Fault> {
        let Picture { width, height, pixels } = picture;
        let patches = image_patches(pixels, *width as usize, *height as usize, self.settings.image)?;
        Ok(Visual { grid: Grid::new(patches.grid)?, patches: patches.values, seconds_per_grid: None })
    }

    fn clip(&self, clip: &Clip) -> Result<(Option<Visual>, Option<LogMel>), Fault> {
        let frames: Vec<&[u8]> = clip.frames.iter().map(|frame| frame.pixels.as_slice()).collect();
        let first = clip.frames.first().ok_or_else(|| Fault::Medium("it has no frames; leave it out".into()))?;
        let bounds = self.settings.video.for_frames(frames.len());
        let patches = video_patches(&frames, first.width as usize, first.height as usize, bounds)?;
        let seconds = f64::from(video_second_per_grid(clip.frames_per_second)?);
        let sound = clip.sound.as_ref().map(|sound| mel(&sound.samples)).transpose()?;
        let visual =
            Visual { grid: Grid::new(patches.grid)?, patches: patches.values, seconds_per_grid: Some(seconds) };
        Ok((Some(visual), sound))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds the lock")
    }
}

impl Kept {
    /// Forgets everything when it grows too large: media of one pair come together.
    fn keep(&mut self, medium: &Arc<Medium>) {
        let shown = medium.visual.as_ref().map_or(0, |visual| visual.patches.len());
        let numbers = shown + medium.sound.as_ref().map_or(0, |sound| sound.values.len());
        if self.numbers + numbers > KEPT_NUMBERS_MAX {
            *self = Self::default();
        }
        self.numbers += numbers;
        self.by_name.insert(medium.name.clone(), medium.clone());
    }
}

fn mel(samples: &[f32]) -> Result<LogMel, Fault> {
    let mel = log_mel(samples)?;
    Ok(LogMel { values: mel.values, frames: mel.frames })
}

/// Why a medium is not had.
enum Fault {
    /// The library's own error, which names the file.
    Library(ModelError),
    /// What is wrong with its content.
    Medium(String),
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        Self::Library(error)
    }
}

macro_rules! faults {
    ($($error:ty),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Medium(error.to_string())
            }
        })*
    };
}

faults!(grm_media::MediaError, grm_model::omni::preprocess::PreprocessError, grm_model::omni::GridError);
