//! Clips: frames at an even pace, chosen by number.

use crate::error::MediaError;
use crate::ffmpeg::{self, Video};
use crate::format::Kind;
use crate::limits::Limits;
use crate::picture::check_size;
use crate::source::Source;
use crate::{Clip, animation};

/// How frames are taken from a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The pace asked for; what comes out may differ, as frames are chosen evenly and by the pair. 2.
    pub frames_per_second: f64,
    /// At least so many, where the clip has them. 4.
    pub frames_min: u64,
    /// At most so many. 768.
    pub frames_max: u64,
    /// Whether the sound track is decoded too.
    pub with_sound: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { frames_per_second: 2.0, frames_min: 4, frames_max: 768, with_sound: false }
    }
}

/// Decodes the chosen frames of a clip and, if asked for, its sound track.
///
/// Animated GIF and WebP are decoded here, with their own times; all else needs ffmpeg. [`Clip::frames_per_second`] is
/// the pace of the frames that were taken. Rotation is applied. Refused are clips of less than two frames, and sound
/// tracks shorter than the limit, as both are less than any model can see or hear.
pub fn clip(source: &Source, sampling: &Sampling, limits: &Limits) -> Result<Clip, MediaError> {
    let format = source.format(Kind::Clip)?;
    if format.kind() == Kind::Picture {
        return animation::clip(source, format, sampling, limits);
    }
    let streams = ffmpeg::streams(source, limits)?;
    let video = streams.video.ok_or_else(|| source.damaged("it has no moving pictures"))?;
    check(source, video, limits)?;
    let mut clip = frames(source, video, sampling, limits)?;
    if let (true, Some(track)) = (sampling.with_sound, streams.sound) {
        clip.sound = Some(ffmpeg::track(source, track, limits)?);
    }
    Ok(clip)
}

/// The numbers of the frames to take of `frames`, which have a pace of `frames_per_second`; none where they are too few.
///
/// As Qwen's own sampler does it: `frames / pace * wanted pace`, held between the least and the most, made even
/// downwards; then that many numbers from the first to the last frame, evenly in `f32`, halves rounded to the even.
#[must_use]
pub fn frame_indices(frames: u64, frames_per_second: f64, sampling: &Sampling) -> Vec<u64> {
    let most = even_below(sampling.frames_max.min(frames));
    let least = even_below(sampling.frames_min + 1);
    #[expect(clippy::cast_precision_loss, reason = "frame numbers are small")]
    let wanted = frames as f64 / frames_per_second * sampling.frames_per_second;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, then is bounded")]
    let count = even_below((wanted as u64).max(least).min(most));
    evenly(count, frames)
}

fn even_below(count: u64) -> u64 {
    count / 2 * 2
}

/// `count` numbers from 0 to `frames - 1`, from both ends towards the middle so that both are met exactly.
#[expect(clippy::cast_precision_loss, reason = "in f32, as the sampler it follows")]
fn evenly(count: u64, frames: u64) -> Vec<u64> {
    let last = frames.saturating_sub(1) as f32;
    let step = last / count.saturating_sub(1).max(1) as f32;
    let place = |index: u64| match index < count / 2 {
        true => step * index as f32,
        false => last - step * (count - 1 - index) as f32,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last frame")]
    (0..count).map(|index| place(index).round_ties_even() as u64).collect()
}

/// The pace of `taken` frames chosen evenly out of `frames`.
#[expect(clippy::cast_precision_loss, reason = "frame numbers are small")]
pub(crate) fn pace(taken: usize, frames: u64, frames_per_second: f64) -> f64 {
    taken as f64 * frames_per_second / frames as f64
}

/// Refuses too big, too long and too short clips.
pub(crate) fn check(source: &Source, video: Video, limits: &Limits) -> Result<(), MediaError> {
    check_size(source, video.width, video.height, limits)?;
    if video.seconds() > limits.clip_seconds {
        return Err(source.over(
            format!("lasts {:.0} s", video.seconds()),
            format!("{:.0} s a clip", limits.clip_seconds),
            "cut it into shorter ones, or raise the limit",
        ));
    }
    match video.frames {
        0 | 1 => Err(too_few(source, video.frames)),
        _ => Ok(()),
    }
}

pub(crate) fn too_few(source: &Source, frames: u64) -> MediaError {
    source.short(format!("{frames} frames"), "2 frames".to_owned())
}

fn frames(source: &Source, mut video: Video, sampling: &Sampling, limits: &Limits) -> Result<Clip, MediaError> {
    let mut taken = take(source, video, sampling, limits)?;
    if taken.1.len() < taken.0 {
        video.frames = ffmpeg::decoded_frames(source, video, limits)?;
        check(source, video, limits)?;
        taken = take(source, video, sampling, limits)?;
    }
    let (wanted, frames) = taken;
    match frames.len() {
        0 | 1 => Err(too_few(source, frames.len() as u64)),
        found if found < wanted => Err(source.damaged(format!("{wanted} frames were asked for and {found} came"))),
        found => {
            let frames_per_second = pace(found, video.frames, video.frames_per_second);
            Ok(Clip { frames, frames_per_second, sound: None })
        }
    }
}

/// How many frames were wanted, and those that came.
fn take(
    source: &Source,
    video: Video,
    sampling: &Sampling,
    limits: &Limits,
) -> Result<(usize, Vec<crate::Picture>), MediaError> {
    let indices = frame_indices(video.frames, video.frames_per_second, sampling);
    ffmpeg::check_bytes(source, video.width, video.height, indices.len() as u64, limits)?;
    Ok((indices.len(), ffmpeg::frames(source, video, &indices, limits)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(frames: u64, frames_per_second: f64) -> Vec<u64> {
        frame_indices(frames, frames_per_second, &Sampling::default())
    }

    #[test]
    fn counts_are_those_of_the_reference() {
        let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/goldens/preproc/tables.json");
        let Ok(text) = std::fs::read_to_string(tables) else {
            println!("skipped: there are no goldens beside the checkout");
            return;
        };
        let tables: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = tables["smart_nframes_rows"].as_array().unwrap();
        assert!(!rows.is_empty());
        for row in rows {
            let found = indices(row[0].as_u64().unwrap(), row[1].as_f64().unwrap());
            assert_eq!(found.len() as u64, row[2].as_u64().unwrap(), "{row}");
        }
    }

    #[test]
    fn indices_go_from_the_first_to_the_last_frame() {
        assert_eq!(indices(10, 30.0), [0, 3, 6, 9]);
        assert_eq!(indices(60, 25.0), [0, 20, 39, 59]);
        assert_eq!(indices(3, 30.0), [0, 2]);
        assert_eq!(indices(1, 30.0), [0_u64; 0]);
        assert_eq!(indices(0, 30.0), [0_u64; 0]);
    }

    #[test]
    fn halves_are_rounded_to_the_even() {
        let four = Sampling { frames_min: 4, frames_max: 4, ..Sampling::default() };
        // 0, 1.5 ..: steps of (frames - 1) / 3 meet no half; with three steps of 5.5 they do at 5.5 alone.
        assert_eq!(frame_indices(6, 2.0, &four), [0, 2, 3, 5]);
        let three_and_a_half = Sampling { frames_min: 2, frames_max: 2, ..Sampling::default() };
        assert_eq!(frame_indices(9, 2.0, &three_and_a_half), [0, 8]);
    }

    proptest::proptest! {
        #[test]
        fn indices_ascend_and_are_there(frames in 0_u64..200_000, pace in 0.1_f64..240.0) {
            let found = indices(frames, pace);
            proptest::prop_assert!(found.len().is_multiple_of(2) && found.len() <= 768);
            proptest::prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            proptest::prop_assert!(found.iter().all(|index| *index < frames));
        }
    }
}
