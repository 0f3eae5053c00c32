//! What a medium is, from its header: cheap enough for every record of a data set.

use crate::error::MediaError;
use crate::ffmpeg::{self, Video};
use crate::format::{Format, Kind, described};
use crate::limits::Limits;
use crate::source::Source;
use crate::{animation, clip, picture, sound};

/// What is known of a medium without its pixels and samples. What its kind does not have is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// By its first bytes.
    pub format: Format,
    /// Width and height in pixels, upright.
    pub size: Option<(u32, u32)>,
    /// How long it lasts.
    pub seconds: Option<f64>,
    /// Frames of moving pictures, and how many of them make a second.
    pub frames: Option<(u64, f64)>,
    /// Channels of its sound before mixing.
    pub channels: Option<usize>,
    /// Samples a second of its sound before resampling.
    pub rate: Option<u32>,
}

/// Reads the header and checks it against the limits. A GIF or WebP is taken as a still picture unless `wanted` is a clip;
/// then its frames are decoded for their times. Clips need ffprobe.
pub fn probe(source: &Source, wanted: Kind, limits: &Limits) -> Result<Facts, MediaError> {
    let format = source.format(wanted)?;
    let nothing = Facts { format, size: None, seconds: None, frames: None, channels: None, rate: None };
    match (wanted, format.kind()) {
        (Kind::Picture, _) => Ok(Facts { size: Some(picture::size(source, format, limits)?), ..nothing }),
        (Kind::Clip, Kind::Picture) => {
            let timing = animation::timing(source, format, limits)?;
            #[expect(clippy::cast_precision_loss, reason = "frame numbers are small")]
            let pace = timing.frames() as f64 / timing.seconds();
            let size = Some((timing.width, timing.height));
            Ok(Facts { size, seconds: Some(timing.seconds()), frames: Some((timing.frames(), pace)), ..nothing })
        }
        _ if format.demuxer().is_some() => streams(source, wanted, limits, &nothing),
        _ => {
            let heading = sound::heading(source, format, limits)?;
            let (channels, rate) = (Some(heading.channels), Some(heading.rate));
            Ok(Facts { seconds: heading.seconds(), channels, rate, ..nothing })
        }
    }
}

fn streams(source: &Source, wanted: Kind, limits: &Limits, nothing: &Facts) -> Result<Facts, MediaError> {
    let streams = ffmpeg::streams(source, limits)?;
    let heading = streams.sound.map(|track| track.heading);
    let (channels, rate) = (heading.map(|heading| heading.channels), heading.map(|heading| heading.rate));
    let sound = Facts { channels, rate, ..nothing.clone() };
    match (wanted, streams.video, heading) {
        (Kind::Sound, _, Some(heading)) => Ok(Facts { seconds: heading.check(source, limits)?.seconds(), ..sound }),
        (Kind::Clip, Some(video), _) => {
            clip::check(source, video, limits)?;
            let Video { width, height, frames, frames_per_second, .. } = video;
            let frames = Some((frames, frames_per_second));
            Ok(Facts { size: Some((width, height)), seconds: Some(video.seconds()), frames, ..sound })
        }
        _ => Err(MediaError::WrongKind {
            path: source.name().to_owned(),
            wanted,
            found: format!("{} that has none", described(&source.head()?)),
        }),
    }
}
