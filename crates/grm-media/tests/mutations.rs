//! Whatever the bytes, decoding ends in a medium or an error.

mod fixtures;

use std::sync::LazyLock;

use fixtures::*;
use grm_media::{Format, Kind, Limits, Sampling, Source, clip, picture, probe, sound};
use image::ImageFormat;
use proptest::prelude::*;

/// Small limits, so that a lucky mutation does not take long.
fn limits() -> Limits {
    Limits { pixels: 1_000_000, sound_seconds: 20.0, clip_bytes: 50_000_000, ..Limits::default() }
}

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let animation = gif(&[(plain([1, 2, 3]), 100), (plain([200, 100, 0]), 50), (plain([0, 0, 0]), 10)]);
    let mut seeds = vec![
        encoded(gradient(40, 30), ImageFormat::Png),
        encoded(gradient(40, 30), ImageFormat::Jpeg),
        encoded(gradient(40, 30), ImageFormat::WebP),
        animation,
        wav(&tone(8_000, 2_000), 1, 8_000),
        wav(&tone(44_100, 2_000), 2, 44_100),
        float_wav(&[0.25; 900]),
        mp3(6, None),
        mp3(6, Some(6)),
    ];
    let sine = ["-f", "lavfi", "-i", "sine=duration=0.2"];
    for name in ["tone.flac", "tone.ogg", "tone.mp3"] {
        let codec: &[&str] = if name == "tone.ogg" { &["-c:a", "libvorbis"] } else { &[] };
        seeds.extend(by_ffmpeg(name, &[&sine, codec].concat()));
    }
    seeds
});

/// Everything that decodes in this process; ffmpeg is a program of its own.
fn try_all(bytes: &[u8]) {
    let limits = limits();
    let Ok(source) = Source::from_bytes("mutated", bytes, &limits) else { return };
    for kind in [Kind::Picture, Kind::Sound, Kind::Clip] {
        let in_process = matches!(
            Format::of(bytes),
            Some(
                Format::Png
                    | Format::Jpeg
                    | Format::Webp
                    | Format::Gif
                    | Format::Wav
                    | Format::Mp3
                    | Format::Flac
                    | Format::Vorbis
            )
        );
        if in_process {
            let _ = probe(&source, kind, &limits);
        }
    }
    if let Ok(found) = picture(&source, &limits) {
        assert_eq!(found.pixels.len(), found.width as usize * found.height as usize * 3);
    }
    if matches!(Format::of(bytes), Some(Format::Wav | Format::Mp3 | Format::Flac | Format::Vorbis))
        && let Ok(found) = sound(&source, &limits)
    {
        assert!(found.samples.iter().all(|sample| sample.is_finite()));
    }
    if matches!(Format::of(bytes), Some(Format::Gif | Format::Webp)) {
        let _ = clip(&source, &Sampling::default(), &limits);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_media_never_panic(
        seed in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        early in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = SEEDS[seed.index(SEEDS.len())].clone();
        for (place, value) in edits {
            // Headers are where lengths are.
            let reach = if early { bytes.len().min(80) } else { bytes.len() };
            bytes[place.index(reach)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(1));
        }
        try_all(&bytes);
    }

    #[test]
    fn noise_behind_a_head_never_panics(
        seed in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let head = &SEEDS[seed.index(SEEDS.len())];
        let bytes = [&head[..head.len().min(48)], &noise].concat();
        try_all(&bytes);
    }
}
