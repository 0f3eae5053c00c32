//! Clips come out as the frames that were chosen, at the pace they really have.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod fixtures;

use fixtures::*;
use grm_media::{Clip, Format, Kind, Limits, Sampling, clip, frame_indices, probe};

fn decoded(name: &str, bytes: &[u8], sampling: &Sampling) -> Clip {
    clip(&source(name, bytes), sampling, &Limits::default()).unwrap()
}

/// The mean of a frame's bytes.
fn level(frame: &grm_media::Picture) -> f64 {
    frame.pixels.iter().map(|byte| f64::from(*byte)).sum::<f64>() / frame.pixels.len() as f64
}

/// The frames of [`grey_clip`] that these are: video levels 20, 27 .. are stretched from 16..235 to 0..255.
fn numbers(clip: &Clip) -> Vec<u64> {
    let number = |frame| ((level(frame) * 219.0 / 255.0 + 16.0 - 20.0) / 7.0).round() as u64;
    clip.frames.iter().map(number).collect()
}

#[test]
fn frames_of_a_video_are_chosen_by_number() {
    for (name, more) in [
        ("grey.mp4", &["-crf", "5"][..]),
        ("grey.mov", &["-crf", "5"]),
        // The codec's usual smoothing over time would mix the levels of neighbours.
        ("grey.webm", &["-c:v", "libvpx-vp9", "-lossless", "1"]),
        ("grey.mkv", &["-crf", "5", "-bf", "3"]),
        ("grey.avi", &["-q:v", "2"]),
    ] {
        let Some(bytes) = grey_clip(name, more) else { return };
        let sampling = Sampling { with_sound: true, ..Sampling::default() };
        let found = decoded(name, &bytes, &sampling);
        assert_eq!(numbers(&found), frame_indices(30, 10.0, &sampling), "{name}");
        assert_eq!(found.frames.len(), 6);
        assert!((found.frames_per_second - 2.0).abs() < 1e-3, "{name} at {}", found.frames_per_second);
        assert!(found.frames.iter().all(|frame| (frame.width, frame.height) == (64, 48)));
        let samples = found.sound.unwrap().samples;
        assert!(samples.len().abs_diff(48_000) < 3_200, "{name} has {} samples", samples.len());
        let all = Sampling { frames_per_second: 10.0, ..Sampling::default() };
        assert_eq!(numbers(&decoded(name, &bytes, &all)), (0..30).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn hundreds_of_frames_are_chosen_by_number() {
    let input = "color=black:size=32x32:rate=30:duration=40,format=yuv420p,geq=lum='20+mod(N,29)*7':cb=128:cr=128";
    let Some(bytes) = by_ffmpeg("long.mp4", &["-f", "lavfi", "-i", input, "-crf", "5"]) else { return };
    let sampling = Sampling { frames_per_second: 15.0, ..Sampling::default() };
    let found = decoded("long.mp4", &bytes, &sampling);
    assert_eq!(found.frames.len(), 600);
    let expected: Vec<u64> = frame_indices(1_200, 30.0, &sampling).iter().map(|index| index % 29).collect();
    assert_eq!(numbers(&found), expected);
}

#[test]
fn videos_that_lie_on_their_side_are_turned() {
    let Some(bytes) = grey_clip("flat.mp4", &["-crf", "5"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flat.mp4");
    std::fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap();
    let turned = by_ffmpeg("turned.mp4", &["-i", path, "-c", "copy", "-metadata:s:v:0", "rotate=90"]).unwrap();
    let facts = probe(&source("turned.mp4", &turned), Kind::Clip, &Limits::default()).unwrap();
    let found = decoded("turned.mp4", &turned, &Sampling::default());
    let size = (found.frames[0].width, found.frames[0].height);
    assert_eq!(facts.size, Some(size));
}

#[test]
fn what_a_cut_left_out_is_not_counted() {
    let Some(bytes) = grey_clip("whole.mp4", &["-crf", "5", "-g", "30"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.mp4");
    std::fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap();
    // Without encoding anew, the frames before the cut stay in the file, marked as not to be shown.
    let cut = by_ffmpeg("cut.mp4", &["-ss", "1.05", "-i", path, "-c", "copy"]).unwrap();
    let found = decoded("cut.mp4", &cut, &Sampling::default());
    let numbers = numbers(&found);
    assert_eq!(numbers.last(), Some(&29));
    assert!(numbers[0] >= 9, "{numbers:?}");
}

#[test]
fn animations_need_no_program() {
    let frames: Vec<_> = (0..10_u8).map(|n| (plain([n * 20, n * 20, n * 20]), 100)).collect();
    let bytes = gif(&frames);
    let mut limits = Limits::default();
    limits.helper.folder = Some("nowhere".into());
    let sampling = Sampling { frames_per_second: 10.0, with_sound: true, ..Sampling::default() };
    let found = clip(&source("levels.gif", &bytes), &sampling, &limits).unwrap();
    let levels: Vec<u8> = found.frames.iter().map(|frame| frame.pixels[0]).collect();
    assert_eq!(levels, (0..10).map(|n| n * 20).collect::<Vec<_>>());
    assert!((found.frames_per_second - 10.0).abs() < 1e-9);
    assert_eq!(found.sound, None);
    let four = clip(&source("levels.gif", &bytes), &Sampling::default(), &limits).unwrap();
    assert_eq!(four.frames.iter().map(|frame| frame.pixels[0]).collect::<Vec<_>>(), [0, 60, 120, 180]);
    assert!((four.frames_per_second - 4.0).abs() < 1e-9);
    let facts = probe(&source("levels.gif", &bytes), Kind::Clip, &limits).unwrap();
    assert_eq!((facts.format, facts.size, facts.seconds), (Format::Gif, Some((8, 6)), Some(1.0)));
    assert_eq!(facts.frames, Some((10, 10.0)));
}

#[test]
fn frames_that_are_shown_longer_are_taken_more_often() {
    let bytes = gif(&[(plain([10, 0, 0]), 200), (plain([20, 0, 0]), 600), (plain([30, 0, 0]), 200)]);
    let sampling = Sampling { frames_per_second: 5.0, frames_min: 2, ..Sampling::default() };
    let found = decoded("uneven.gif", &bytes, &sampling);
    // Five ticks of 200 ms, of which four are taken: 0, 1.33, 2.67, 4.
    assert_eq!(found.frames.iter().map(|frame| frame.pixels[0]).collect::<Vec<_>>(), [10, 20, 20, 30]);
    assert!((found.frames_per_second - 4.0).abs() < 1e-9);
}

#[test]
fn too_many_bytes_of_frames_are_refused_before_decoding() {
    let limits = Limits { clip_bytes: 64 * 48 * 3 * 5, ..Limits::default() };
    if let Some(bytes) = grey_clip("grey.mp4", &[]) {
        let outcome = clip(&source("grey.mp4", &bytes), &Sampling::default(), &limits);
        assert!(message(outcome, "grey.mp4").contains("limit of 46080 bytes of frames"));
        let limits = Limits { clip_seconds: 2.0, ..Limits::default() };
        let outcome = clip(&source("grey.mp4", &bytes), &Sampling::default(), &limits);
        assert!(message(outcome, "grey.mp4").contains("lasts 3 s, over the limit of 2 s"));
    }
    let limits = Limits { clip_bytes: 100, ..Limits::default() };
    let bytes = gif(&[(plain([10, 0, 0]), 200), (plain([20, 0, 0]), 200)]);
    let outcome = clip(&source("levels.gif", &bytes), &Sampling::default(), &limits);
    assert!(message(outcome, "levels.gif").contains("limit of 100 bytes of frames"));
}

#[test]
fn a_real_clip() {
    let Some(bytes) = shared("video_red_square_moves_right.mp4") else { return };
    if by_ffmpeg("any.wav", &["-f", "lavfi", "-i", "sine=duration=1"]).is_none() {
        return;
    }
    let sampling = Sampling { with_sound: true, ..Sampling::default() };
    let found = decoded("moves.mp4", &bytes, &sampling);
    // The middle of what is red goes to the right.
    let middles: Vec<f64> = found.frames.iter().map(middle_of_red).collect();
    assert!(middles.len() >= 4 && middles.windows(2).all(|pair| pair[0] < pair[1]), "{middles:?}");
}

fn middle_of_red(frame: &grm_media::Picture) -> f64 {
    let is_red = |pixel: &[u8]| pixel[0] > 150 && pixel[1] < 100 && pixel[2] < 100;
    let columns = frame.pixels.chunks(3).enumerate().filter(|(_, pixel)| is_red(pixel));
    let columns: Vec<f64> = columns.map(|(place, _)| (place % frame.width as usize) as f64).collect();
    columns.iter().sum::<f64>() / columns.len() as f64
}
