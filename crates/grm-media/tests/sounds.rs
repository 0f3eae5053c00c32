//! Sounds come out as one channel at 16 kHz.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod fixtures;

use fixtures::*;
use grm_media::{Format, Kind, Limits, probe, sound};

fn decoded(name: &str, bytes: &[u8]) -> Vec<f32> {
    sound(&source(name, bytes), &Limits::default()).unwrap().samples
}

/// The largest difference to a tone of 440 Hz at half of full scale, away from the ends.
fn off_by(samples: &[f32], margin: usize) -> f32 {
    let expected = tone(16_000, samples.len());
    let pairs = samples.iter().zip(&expected).take(samples.len() - margin).skip(margin);
    pairs.map(|(is, should)| (is - f32::from(*should) / 32_768.0).abs()).fold(0.0, f32::max)
}

#[test]
fn sixteen_bit_mono_at_16_khz_is_exact() {
    let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let expected: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
    assert_eq!(decoded("exact.wav", &wav(&samples, 1, 16_000)), expected);
}

#[test]
fn channels_are_averaged() {
    let both: Vec<i16> = (0..1_000).flat_map(|n| [n * 4, n * 2]).collect();
    let expected: Vec<f32> = (0..1_000_i16).map(|n| f32::from(n * 3) / 32_768.0).collect();
    assert_eq!(decoded("stereo.wav", &wav(&both, 2, 16_000)), expected);
}

#[test]
fn other_rates_are_resampled() {
    for rate in [8_000, 22_050, 44_100, 48_000] {
        let samples = decoded("tone.wav", &wav(&tone(rate, rate as usize), 1, rate));
        assert_eq!(samples.len(), 16_000);
        let off = off_by(&samples, 200);
        assert!(off < 1e-4, "{off} at {rate} Hz");
    }
}

#[test]
fn floats_pass_and_may_be_a_little_loud() {
    let samples: Vec<f32> = (0_i16..1_000).map(|n| f32::from(n) / 800.0).collect();
    assert_eq!(decoded("floats.wav", &float_wav(&samples)), samples);
}

#[test]
fn silent_mp3_is_as_long_as_its_frames() {
    let samples = decoded("silent.mp3", &mp3(50, None));
    assert_eq!(samples.len(), (50 * 1152 * 16_000_usize).div_ceil(44_100));
    assert!(samples.iter().all(|sample| *sample == 0.0));
    let facts = probe(&source("silent.mp3", &mp3(50, None)), Kind::Sound, &Limits::default()).unwrap();
    assert_eq!((facts.format, facts.channels, facts.rate), (Format::Mp3, Some(1), Some(44_100)));
    assert!((facts.seconds.unwrap() - 50.0 * 1152.0 / 44_100.0).abs() < 1e-9);
    // Behind tags, and before one.
    let tagged = [&b"ID3\x04\0\0\0\0\0\x0a0123456789"[..], &mp3(50, Some(50)), b"TAG", &[0; 125]].concat();
    assert_eq!(decoded("tagged.mp3", &tagged).len(), samples.len());
}

#[test]
fn every_codec_gives_the_same_tone() {
    let sine = "sine=frequency=440:sample_rate=44100:duration=2,volume=4";
    for (name, codec, bound) in [
        ("tone.flac", "flac", 1e-3),
        // LAME lowers what it encodes by a twentieth.
        ("tone.mp3", "libmp3lame", 0.025),
        ("tone.ogg", "libvorbis", 0.01),
        ("tone.opus", "libopus", 0.01),
        ("tone.m4a", "aac", 0.01),
        ("tone.webm", "libvorbis", 0.01),
    ] {
        let Some(bytes) = by_ffmpeg(name, &["-f", "lavfi", "-i", sine, "-c:a", codec, "-b:a", "128k"]) else {
            continue;
        };
        let samples = decoded(name, &bytes);
        assert!(samples.len().abs_diff(32_000) < 1_600, "{name} has {} samples", samples.len());
        // Codecs may delay; what is asked is a tone of its height and loudness.
        let middle = &samples[2_000..30_000];
        let loudness = (middle.iter().map(|sample| sample * sample).sum::<f32>() / 28_000.0).sqrt();
        assert!((loudness - 0.5 / 2.0_f32.sqrt()).abs() < bound, "{name} has a loudness of {loudness}");
        let rises = middle.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!(rises.abs_diff(770) <= 1, "{name} has {rises} periods");
        let facts = probe(&source(name, &bytes), Kind::Sound, &Limits::default()).unwrap();
        assert_eq!(facts.channels, Some(1), "{name}");
        assert!((facts.seconds.unwrap() - 2.0).abs() < 0.1, "{name} lasts {:?}", facts.seconds);
    }
}

#[test]
fn cut_off_files_of_every_codec_are_refused() {
    let sine = "sine=frequency=440:sample_rate=44100:duration=2";
    for (name, codec) in [
        ("cut.flac", "flac"),
        ("cut.mp3", "libmp3lame"),
        ("cut.ogg", "libvorbis"),
        ("cut.opus", "libopus"),
        ("cut.m4a", "aac"),
        ("cut.webm", "libvorbis"),
    ] {
        let Some(bytes) = by_ffmpeg(name, &["-f", "lavfi", "-i", sine, "-c:a", codec]) else { continue };
        for length in [bytes.len() - 1, bytes.len() - 300, bytes.len() / 2, 100] {
            let outcome = sound(&source(name, &bytes[..length]), &Limits::default());
            assert!(outcome.is_err(), "{name} cut at {length} of {}", bytes.len());
            message(outcome, name);
        }
    }
}

#[test]
fn a_flipped_bit_in_flac_is_found_by_its_checksum() {
    let sine = "sine=frequency=440:sample_rate=16000:duration=1";
    let Some(mut bytes) = by_ffmpeg("tone.flac", &["-f", "lavfi", "-i", sine]) else { return };
    // In the sound, behind the room that is left for tags.
    let place = bytes.len() - 500;
    bytes[place] ^= 4;
    message(sound(&source("flipped.flac", &bytes), &Limits::default()), "flipped.flac");
}

#[test]
fn real_sounds() {
    if let Some(bytes) = shared("audio_speech_16k.wav") {
        let samples = decoded("speech.wav", &bytes);
        // Its samples stand at the end of the file as they are.
        let last = &bytes[bytes.len() - 2 * samples.len()..];
        let expected = last.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0);
        assert!(samples.iter().copied().eq(expected));
    }
    if let Some(bytes) = shared("audio_rising_tones_44k.mp3") {
        let facts = probe(&source("tones.mp3", &bytes), Kind::Sound, &Limits::default()).unwrap();
        let samples = decoded("tones.mp3", &bytes);
        assert!((facts.seconds.unwrap() * 16_000.0 - samples.len() as f64).abs() < 2.0);
        assert_eq!(facts.rate, Some(44_100));
    }
}
