//! Media that lie: each is refused, and the message names the file and the limit or fault.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod fixtures;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use fixtures::*;
use grm_media::{
    Format, Kind, Limits, MediaError, Sampling, Source, clip, open_inside, picture, probe, read_bounded, sound,
};
use image::ImageFormat;

fn picture_of(name: &str, bytes: &[u8]) -> String {
    message(picture(&source(name, bytes), &Limits::default()), name)
}

fn sound_of(name: &str, bytes: &[u8]) -> String {
    message(sound(&source(name, bytes), &Limits::default()), name)
}

fn clip_of(name: &str, bytes: &[u8]) -> String {
    message(clip(&source(name, bytes), &Sampling::default(), &Limits::default()), name)
}

fn has(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "\"{message}\" has no \"{word}\"");
    }
}

#[test]
fn pixel_bombs() {
    for (width, height, bits, colour) in [(100_000, 100_000, 8, 6), (60_000, 60_000, 1, 0), (16_385, 1, 16, 6)] {
        let bomb = png_claiming(width, height, bits, colour);
        has(&picture_of("bomb.png", &bomb), &[&format!("{width} x {height}"), "limit of 16384 pixels a side"]);
        let outcome = probe(&source("bomb.png", &bomb), Kind::Picture, &Limits::default());
        has(&message(outcome, "bomb.png"), &["limit of 16384 pixels a side"]);
    }
    has(&picture_of("wide.png", &png_claiming(16_000, 16_000, 8, 2)), &["16000 x 16000", "limit of 64000000 pixels"]);
    picture_of("none.png", &png_claiming(0, 7, 8, 2));
}

#[test]
fn other_formats_claim_too_much_as_well() {
    let mut jpeg = encoded(gradient(16, 16), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    has(&picture_of("bomb.jpg", &jpeg), &["65535 x 65535", "16384"]);
    let mut gif = gif(&[(plain([1, 2, 3]), 100), (plain([3, 2, 1]), 100)]);
    gif[6..10].copy_from_slice(&[0xff; 4]);
    has(&picture_of("bomb.gif", &gif), &["65535 x 65535", "16384"]);
    has(&clip_of("bomb.gif", &gif), &["65535 x 65535", "16384"]);
}

#[test]
fn cut_off_pictures_are_never_half_grey() {
    for (format, name) in
        [(ImageFormat::Png, "cut.png"), (ImageFormat::Jpeg, "cut.jpg"), (ImageFormat::WebP, "cut.webp")]
    {
        let whole = encoded(gradient(64, 48), format);
        let expected = picture(&source(name, &whole), &Limits::default()).unwrap();
        for length in 1..whole.len() {
            // What is behind the last pixel may be missing.
            if let Ok(found) = picture(&source(name, &whole[..length]), &Limits::default()) {
                assert_eq!(found, expected, "{name} cut at {length}");
                assert!(length + 16 > whole.len(), "{name} cut at {length} of {}", whole.len());
            }
        }
        has(&picture_of(name, &whole[..whole.len() / 2]), &["damaged"]);
    }
}

#[test]
fn empty_files() {
    let outcome = Source::from_bytes("nothing.png", Vec::new(), &Limits::default());
    has(&message(outcome, "nothing.png"), &["0 bytes"]);
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("nothing.wav"), b"").unwrap();
    let outcome = read_bounded(root.path(), Path::new("nothing.wav"), &Limits::default());
    has(&message(outcome, "nothing.wav"), &["0 bytes"]);
}

#[test]
fn content_decides_and_another_kind_is_refused() {
    let png = encoded(gradient(9, 7), ImageFormat::Png);
    assert_eq!(picture(&source("named.jpg", &png), &Limits::default()).unwrap().width, 9);
    has(&picture_of("tone.png", &wav(&tone(16_000, 16_000), 1, 16_000)), &["a picture", "a sound (audio/wav)"]);
    has(&picture_of("notes.png", "Bonjour, voilà.\n".as_bytes()), &["a picture", "text"]);
    has(&sound_of("photo.wav", &png), &["a sound", "a picture (image/png)"]);
    has(&clip_of("photo.mp4", &png), &["a clip", "a picture (image/png)"]);
    has(&clip_of("list.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n"), &["a clip", "text"]);
    has(&clip_of("list.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n"), &["a clip", "text"]);
    has(&sound_of("noise.mp3", &[7, 200, 3, 9, 255, 0, 1]), &["a sound", "no format"]);
}

#[test]
fn headers_that_promise_more_sound_than_there_is() {
    let ten_hours = 36_000 * 16_000 * 2;
    let empty = wav_header(1, 1, 16_000, 16, ten_hours);
    has(&sound_of("hours.wav", &empty), &["36000 s", "limit of 1800 s"]);
    let outcome = probe(&source("hours.wav", &empty), Kind::Sound, &Limits::default());
    has(&message(outcome, "hours.wav"), &["36000 s", "limit of 1800 s"]);
    let mut minute = wav_header(1, 1, 16_000, 16, 60 * 32_000);
    minute.extend(vec![0; 32_000]);
    has(&sound_of("minute.wav", &minute), &["damaged", "960000 samples", "16000"]);
}

#[test]
fn a_header_that_promises_nothing_is_read_to_the_end() {
    let mut piped = wav_header(1, 1, 16_000, 16, u32::MAX);
    piped.extend(tone(16_000, 5_001).iter().flat_map(|sample| sample.to_le_bytes()));
    assert_eq!(sound(&source("piped.wav", &piped), &Limits::default()).unwrap().samples.len(), 5_001);
}

#[test]
fn sound_is_limited_while_it_is_decoded() {
    let limits = Limits { sound_seconds: 1.0, ..Limits::default() };
    // No length is stated, as by a program that writes to a pipe.
    let mut endless = wav_header(1, 1, 16_000, 16, u32::MAX);
    endless.extend(vec![0; 100_000]);
    has(&message(sound(&source("endless.wav", &endless), &limits), "endless.wav"), &["limit of 1 s"]);
    let long = mp3(60, None);
    has(&message(sound(&source("long.mp3", &long), &limits), "long.mp3"), &["lasts 2 s", "limit of 1 s"]);
}

#[test]
fn cut_off_sounds() {
    let whole = wav(&tone(16_000, 1_000), 1, 16_000);
    for length in 1..whole.len() {
        sound_of("cut.wav", &whole[..length]);
    }
    let whole = mp3(10, None);
    has(&sound_of("cut.mp3", &whole[..whole.len() - 100]), &["damaged", "cut off"]);
    let stated = mp3(10, Some(10));
    assert!(sound(&source("whole.mp3", &stated), &Limits::default()).is_ok());
    has(&sound_of("cut.mp3", &stated[..5 * 417]), &["damaged", "states 10 frames and has 4"]);
    if let Some(real) = shared("audio_rising_tones_44k.mp3") {
        assert!(sound(&source("tones.mp3", &real), &Limits::default()).is_ok());
        has(&sound_of("cut.mp3", &real[..real.len() / 2]), &["damaged"]);
    }
}

#[test]
fn samples_that_are_no_sound() {
    let mut samples = vec![0.1; 1_000];
    samples[500] = f32::NAN;
    has(&sound_of("nan.wav", &float_wav(&samples)), &["damaged", "sample 500 is NaN"]);
    samples[500] = f32::NEG_INFINITY;
    has(&sound_of("loud.wav", &float_wav(&samples)), &["sample 500 is -inf"]);
    samples[500] = 30_000.0;
    has(&sound_of("integers.wav", &float_wav(&samples)), &["sample 500 is 30000"]);
}

#[test]
fn too_little_for_two_feature_frames() {
    has(&sound_of("click.wav", &wav(&tone(16_000, 320), 1, 16_000)), &["320 samples", "least of 321"]);
    assert!(sound(&source("click.wav", &wav(&tone(16_000, 321), 1, 16_000)), &Limits::default()).is_ok());
    has(&clip_of("still.gif", &gif(&[(plain([9, 9, 9]), 100)])), &["1 frames", "least of 2 frames"]);
    if let Some(one) = by_ffmpeg("one.mp4", &["-f", "lavfi", "-i", "testsrc=size=64x48:rate=1:duration=1"]) {
        has(&clip_of("one.mp4", &one), &["1 frames", "least of 2 frames"]);
    }
    if let Some(short) = grey_clip("short.mp4", &["-af", "atrim=end_sample=100"]) {
        let sampling = Sampling { with_sound: true, ..Sampling::default() };
        let limits = Limits { sound_samples_min: 32_000, ..Limits::default() };
        has(&message(clip(&source("short.mp4", &short), &sampling, &limits), "short.mp4"), &["samples at 16 kHz"]);
    }
}

#[test]
fn cut_off_clips() {
    let Some(whole) = grey_clip("whole.mp4", &[]) else { return };
    for length in [whole.len() - 1, whole.len() / 2, 40, 9] {
        has(&clip_of("cut.mp4", &whole[..length]), &["damaged"]);
    }
    let Some(streamed) = grey_clip("streamed.mp4", &["-movflags", "faststart"]) else { return };
    has(&clip_of("cut.mp4", &streamed[..streamed.len() - 50]), &["damaged", "`mdat`"]);
    let Some(webm) = grey_clip("whole.webm", &[]) else { return };
    has(&clip_of("cut.webm", &webm[..webm.len() - 50]), &["damaged", "segment"]);
    let whole = gif(&[(plain([1, 2, 3]), 100), (plain([3, 2, 1]), 100), (plain([1, 9, 1]), 100)]);
    has(&clip_of("cut.gif", &whole[..whole.len() - 20]), &["cut.gif"]);
}

#[test]
fn no_path_leads_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("inner")).unwrap();
    std::fs::write(folder.path().join("secret.png"), b"secret").unwrap();
    std::fs::write(root.join("inner/own.png"), b"own").unwrap();
    symlink("../secret.png", root.join("link.png")).unwrap();
    symlink(folder.path(), root.join("up")).unwrap();
    symlink("inner/own.png", root.join("within.png")).unwrap();
    symlink("round.png", root.join("round.png")).unwrap();
    let limits = Limits::default();
    for path in ["../secret.png", "inner/../../secret.png", "inner/../inner/own.png", "link.png", "up/secret.png"] {
        has(&message(open_inside(&root, Path::new(path), &limits), path), &["leads out"]);
    }
    let absolute = folder.path().join("secret.png");
    has(&message(read_bounded(&root, &absolute, &limits), "secret.png"), &["leads out"]);
    message(open_inside(&root, Path::new("round.png"), &limits), "round.png");
    message(open_inside(&root, Path::new("missing.png"), &limits), "missing.png");
    for path in ["inner/own.png", "./inner/own.png", "within.png"] {
        assert_eq!(read_bounded(&root, Path::new(path), &limits).unwrap(), b"own");
    }
}

#[test]
fn links_of_a_hugging_face_cache_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("datasets--a--b/snapshots/0123");
    let blobs = folder.path().join("datasets--a--b/blobs");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join("abcd"), b"pixels").unwrap();
    symlink("../../blobs/abcd", root.join("photo.png")).unwrap();
    assert_eq!(read_bounded(&root, Path::new("photo.png"), &Limits::default()).unwrap(), b"pixels");
}

#[test]
fn only_regular_files_of_bounded_size() {
    let root = tempfile::tempdir().unwrap();
    let limits = Limits::default();
    let made = Command::new("mkfifo").arg(root.path().join("pipe.png")).status().unwrap();
    assert!(made.success());
    has(&message(open_inside(root.path(), Path::new("pipe.png"), &limits), "pipe.png"), &["a FIFO", "regular files"]);
    std::fs::create_dir(root.path().join("folder.png")).unwrap();
    has(&message(open_inside(root.path(), Path::new("folder.png"), &limits), "folder.png"), &["a folder"]);
    let _listener = std::os::unix::net::UnixListener::bind(root.path().join("socket.png")).unwrap();
    has(&message(open_inside(root.path(), Path::new("socket.png"), &limits), "socket.png"), &["a socket"]);
    has(&message(open_inside(Path::new("/dev"), Path::new("null"), &limits), "null"), &["a device"]);
    // A file with a hole takes no space.
    std::fs::File::create(root.path().join("huge.wav")).unwrap().set_len(limits.file_bytes + 1).unwrap();
    let outcome = Source::open(root.path(), Path::new("huge.wav"), &limits);
    has(&message(outcome, "huge.wav"), &["268435457 bytes", "limit of 268435456 bytes"]);
}

#[test]
fn names_cannot_move_the_cursor() {
    let outcome = Source::from_bytes("a\u{1b}[2J\nb.png", Vec::new(), &Limits::default());
    let message = outcome.unwrap_err().to_string();
    assert!(!message.chars().any(char::is_control), "{message:?}");
}

/// Programs that stand in for ffmpeg and do what a taken-over decoder might.
fn with_programs(body: &str) -> (tempfile::TempDir, Limits) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for name in ["ffmpeg", "ffprobe"] {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut limits = Limits::default();
    limits.helper.folder = Some(folder.path().to_owned());
    (folder, limits)
}

/// The smallest file that passes for MP4.
fn hollow_mp4() -> Vec<u8> {
    b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov".to_vec()
}

fn clip_with(limits: &Limits) -> MediaError {
    clip(&source("clip.mp4", &hollow_mp4()), &Sampling::default(), limits).unwrap_err()
}

#[test]
fn without_ffmpeg_the_message_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut limits = Limits::default();
    limits.helper.folder = Some(folder.path().to_owned());
    let error = clip_with(&limits);
    assert!(matches!(error, MediaError::NoProgram { .. }), "{error}");
    has(&error.to_string(), &["clip.mp4", "ffprobe", "apt-get install ffmpeg"]);
    // Animations and ordinary sounds need none.
    let moving = gif(&[(plain([1, 2, 3]), 100), (plain([3, 2, 1]), 100)]);
    assert!(clip(&source("moving.gif", &moving), &Sampling::default(), &limits).is_ok());
}

#[test]
fn a_child_that_hangs_is_stopped() {
    for body in ["while :; do :; done", "exec >&- 2>&-; read -r line </dev/zero", "exec 2>&-; while :; do echo; done"] {
        let (_folder, mut limits) = with_programs(body);
        limits.helper.seconds = 1;
        has(&clip_with(&limits).to_string(), &["clip.mp4"]);
    }
}

#[test]
fn a_child_cannot_flood_us() {
    let (_folder, limits) = with_programs("while :; do printf '%01000000d' 0; done");
    has(&clip_with(&limits).to_string(), &["clip.mp4", "too many streams"]);
    let (_folder, limits) =
        with_programs("i=0; while [ $i -lt 2000 ]; do i=$((i+1)); printf '%01000d\\033' 0 >&2; done; exit 3");
    let message = clip_with(&limits).to_string();
    assert!(message.len() < 1_000 && !message.chars().any(char::is_control), "{message}");
}

#[test]
fn a_child_has_bounded_memory_and_writes_no_file() {
    let (_folder, limits) = with_programs("ulimit -v; ulimit -f; ulimit -t; exit 1");
    has(&clip_with(&limits).to_string(), &["clip.mp4", "60 s", "1024 MiB"]);
    let (folder, mut limits) =
        with_programs("echo \"$(ulimit -v) $(ulimit -f) $(ulimit -t)\" >&2; echo x >\"$0.out\"; exit 1");
    limits.helper.memory_bytes = 512 << 20;
    let message = clip_with(&limits).to_string();
    assert_eq!(std::fs::read(folder.path().join("ffprobe.out")).unwrap_or_default(), b"");
    if cfg!(target_os = "linux") {
        has(&message, &["524288 0 60"]);
    }
}

#[test]
fn a_child_gets_no_other_variables() {
    let (_folder, limits) = with_programs("echo \"home=$HOME report=$FFREPORT\" >&2; exit 1");
    has(&clip_with(&limits).to_string(), &["home= report="]);
}

#[test]
fn every_format_is_known_by_its_first_bytes() {
    for (head, format) in [
        (&b"\x89PNG\r\n\x1a\n"[..], Some(Format::Png)),
        (b"\xff\xd8\xff\xe0", Some(Format::Jpeg)),
        (b"GIF89a", Some(Format::Gif)),
        (b"RIFF\0\0\0\0WEBP", Some(Format::Webp)),
        (b"RIFF\0\0\0\0WAVE", Some(Format::Wav)),
        (b"RIFF\0\0\0\0AVI ", Some(Format::Avi)),
        (b"fLaC", Some(Format::Flac)),
        (b"ID3\x04", Some(Format::Mp3)),
        (b"\xff\xfb\x90\xc0", Some(Format::Mp3)),
        (b"\0\0\0\x20ftypM4A ", Some(Format::M4a)),
        (b"\0\0\0\x20ftypqt  ", Some(Format::Quicktime)),
        (b"\0\0\0\x20ftypisom", Some(Format::Mp4)),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x84webm", Some(Format::Webm)),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x88matroska", Some(Format::Matroska)),
        // AAC in ADTS, a layer that is not the third, a reserved rate.
        (b"\xff\xf1\x50\x80", None),
        (b"\xff\xfd\x90\xc0", None),
        (b"\xff\xfb\x9c\xc0", None),
        (b"hello", None),
        (b"", None),
    ] {
        assert_eq!(Format::of(head), format, "{head:?}");
    }
}
