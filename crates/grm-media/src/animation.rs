//! Animated GIF and WebP as clips, decoded in this process, frame by frame, with the times the file states.

use std::io::BufReader;
use std::time::Duration;

use image::codecs::{gif::GifDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, Frame, ImageDecoder, ImageError, ImageResult};

use crate::clip::{Sampling, frame_indices, pace, too_few};
use crate::error::MediaError;
use crate::ffmpeg::check_bytes;
use crate::format::Format;
use crate::limits::Limits;
use crate::picture::{check_size, contained, decoder_limits, flattened, refused};
use crate::source::Source;
use crate::{Clip, Picture};

/// What a frame without a time is shown for, as in browsers.
const UNTIMED: Duration = Duration::from_millis(100);
/// Pixels decoded in all; frames that are not taken have to be decoded too. 2,000 frames of 1920 x 1080.
const DECODED_PIXELS_MAX: u64 = 4_000_000_000;

/// What is known of an animation without keeping its frames.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Timing {
    pub width: u32,
    pub height: u32,
    /// How long each frame is shown, in milliseconds.
    milliseconds: Vec<u64>,
}

impl Timing {
    pub(crate) fn frames(&self) -> u64 {
        self.milliseconds.len() as u64
    }

    pub(crate) fn seconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a clip has less than a week of milliseconds")]
        let milliseconds = self.milliseconds.iter().sum::<u64>() as f64;
        milliseconds / 1000.0
    }

    /// Frames need not be shown equally long: the longest time that divides all of theirs makes them even.
    fn tick(&self) -> u64 {
        self.milliseconds.iter().fold(0, |left, right| greatest_common_divisor(left, *right)).max(1)
    }

    /// Which frame is shown at a tick.
    fn shown_at(&self, tick: u64) -> usize {
        let mut left = tick * self.tick();
        let passed = self.milliseconds.iter().take_while(|shown| match left.checked_sub(**shown) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        });
        passed.count().min(self.milliseconds.len().saturating_sub(1))
    }
}

fn greatest_common_divisor(left: u64, right: u64) -> u64 {
    if right == 0 { left } else { greatest_common_divisor(right, left % right) }
}

/// Two passes: one for the times, one that keeps the chosen frames, so that memory holds no more than those.
pub(crate) fn clip(source: &Source, format: Format, sampling: &Sampling, limits: &Limits) -> Result<Clip, MediaError> {
    let timing = timing(source, format, limits)?;
    if timing.frames() < 2 {
        return Err(too_few(source, timing.frames()));
    }
    #[expect(clippy::cast_precision_loss, reason = "a clip has less than a week of milliseconds")]
    let ticks_per_second = 1000.0 / timing.tick() as f64;
    let ticks = timing.milliseconds.iter().sum::<u64>() / timing.tick();
    let indices = frame_indices(ticks, ticks_per_second, sampling);
    check_bytes(source, timing.width, timing.height, indices.len() as u64, limits)?;
    let chosen: Vec<usize> = indices.iter().map(|tick| timing.shown_at(*tick)).collect();
    let frames = keep(source, format, &chosen, limits)?;
    match frames.len() {
        0 | 1 => Err(too_few(source, frames.len() as u64)),
        found => {
            let frames_per_second = pace(found, ticks, ticks_per_second);
            Ok(Clip { frames, frames_per_second, sound: None })
        }
    }
}

/// Decodes all frames for their times and forgets them.
pub(crate) fn timing(source: &Source, format: Format, limits: &Limits) -> Result<Timing, MediaError> {
    contained(source, || {
        let (frames, width, height) = open(source, format, limits)?;
        let mut timing = Timing { width, height, milliseconds: Vec::new() };
        for frame in frames {
            let frame = frame.map_err(|error| refused(source, &error))?;
            timing.milliseconds.push(shown_for(&frame));
            check_length(source, &timing, limits)?;
        }
        Ok(timing)
    })
}

fn check_length(source: &Source, timing: &Timing, limits: &Limits) -> Result<(), MediaError> {
    let cure = "cut it into shorter ones, or raise the limit";
    if timing.seconds() > limits.clip_seconds {
        let what = format!("lasts over {:.0} s", limits.clip_seconds);
        return Err(source.over(what, format!("{:.0} s a clip", limits.clip_seconds), cure));
    }
    let decoded = timing.frames() * u64::from(timing.width) * u64::from(timing.height);
    if decoded > DECODED_PIXELS_MAX {
        let what = format!("has over {} frames of {} x {} pixels", timing.frames() - 1, timing.width, timing.height);
        return Err(source.over(what, format!("{DECODED_PIXELS_MAX} pixels in all frames of an animation"), cure));
    }
    Ok(())
}

/// The frames with these indices, which do not descend but may repeat.
fn keep(source: &Source, format: Format, chosen: &[usize], limits: &Limits) -> Result<Vec<Picture>, MediaError> {
    contained(source, || {
        let (frames, ..) = open(source, format, limits)?;
        let mut kept = Vec::with_capacity(chosen.len());
        for (index, frame) in frames.enumerate() {
            let times = chosen[kept.len()..].iter().take_while(|wanted| **wanted == index).count();
            if times > 0 {
                let frame = frame.map_err(|error| refused(source, &error))?.into_buffer();
                let (width, height) = frame.dimensions();
                let picture = Picture { width, height, pixels: flattened(frame.as_raw()) };
                kept.extend(std::iter::repeat_n(picture, times));
            }
            if kept.len() == chosen.len() {
                break;
            }
        }
        Ok(kept)
    })
}

/// The frames, and their width and height.
fn open(
    source: &Source,
    format: Format,
    limits: &Limits,
) -> Result<(impl Iterator<Item = ImageResult<Frame>>, u32, u32), MediaError> {
    let refused = |error: ImageError| refused(source, &error);
    let reader = BufReader::new(source.reader());
    let (frames, (width, height)) = match format {
        Format::Gif => {
            let mut decoder = GifDecoder::new(reader).map_err(refused)?;
            let size = decoder.dimensions();
            check_size(source, size.0, size.1, limits)?;
            decoder.set_limits(decoder_limits(limits)).map_err(refused)?;
            (decoder.into_frames(), size)
        }
        _ => {
            let mut decoder = WebPDecoder::new(reader).map_err(refused)?;
            let size = decoder.dimensions();
            check_size(source, size.0, size.1, limits)?;
            decoder.set_limits(decoder_limits(limits)).map_err(refused)?;
            (decoder.into_frames(), size)
        }
    };
    Ok((frames.into_iter(), width, height))
}

fn shown_for(frame: &Frame) -> u64 {
    let stated = Duration::from(frame.delay());
    let shown = if stated.is_zero() { UNTIMED } else { stated };
    u64::try_from(shown.as_millis()).unwrap_or(u64::MAX).max(1)
}
