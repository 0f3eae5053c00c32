//! Beeps, as mono WAV of 16 bits at 16 kHz.

use super::draws::Draws;
use super::question::{Aspect, Claim, Medium};
use super::words::{NUMBERS, PITCHES, SLOPES, SPEEDS, TONES, Word, index};

pub(super) const SAMPLE_RATE_HERTZ: usize = 16_000;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sound {
    pitch: Word,
    slope: Word,
    count: Word,
    speed: Word,
    tone: Word,
    /// Where in the range of its pitch it lies, how loud it is and how late it starts, each 0 to 1.
    height: f64,
    loudness: f64,
    delay: f64,
    tenths_of_a_second: usize,
}

impl Sound {
    /// A scene of which the claim's truth holds.
    pub(super) fn draw(claim: &Claim, draws: &mut Draws) -> Self {
        let mut of =
            |aspect: Aspect| claim.truth_of(aspect).unwrap_or_else(|| draws.pick(Medium::Sound.values(aspect)));
        let [pitch, slope, count, speed, tone] =
            [Aspect::Pitch, Aspect::Direction, Aspect::Count, Aspect::Speed, Aspect::Tone].map(&mut of);
        let [height, loudness, delay] = [draws.share(), draws.share(), draws.share()];
        let tenths_of_a_second = draws.pick(&[16, 18, 20]);
        Self { pitch, slope, count, speed, tone, height, loudness, delay, tenths_of_a_second }
    }

    /// What is true of it, in the order it is told.
    pub(super) fn facts(&self) -> Vec<(Aspect, Word)> {
        let Self { pitch, slope, count, speed, tone, .. } = self;
        vec![
            (Aspect::Pitch, *pitch),
            (Aspect::Direction, *slope),
            (Aspect::Count, *count),
            (Aspect::Speed, *speed),
            (Aspect::Tone, *tone),
        ]
    }

    pub(super) fn wav(&self) -> Vec<u8> {
        let samples = self.samples();
        let bytes = 2 * samples.len() as u32;
        let rate = SAMPLE_RATE_HERTZ as u32;
        let mut wav = Vec::with_capacity(44 + bytes as usize);
        wav.extend(b"RIFF");
        wav.extend((36 + bytes).to_le_bytes());
        wav.extend(b"WAVEfmt ");
        wav.extend(16_u32.to_le_bytes());
        // PCM, one channel, frames of two bytes of 16 bits.
        wav.extend([1_u16, 1].map(u16::to_le_bytes).as_flattened());
        wav.extend([rate, 2 * rate].map(u32::to_le_bytes).as_flattened());
        wav.extend([2_u16, 16].map(u16::to_le_bytes).as_flattened());
        wav.extend(b"data");
        wav.extend(bytes.to_le_bytes());
        wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        wav
    }

    /// Only sums, products and quotients, so that every machine makes the same bytes.
    pub(super) fn samples(&self) -> Vec<i16> {
        let length = self.tenths_of_a_second * SAMPLE_RATE_HERTZ / 10;
        let count = index(&NUMBERS, self.count) + 1;
        let period = [0.3, 0.14][index(&SPEEDS, self.speed)];
        let start = 0.02 + 0.06 * self.delay;
        let amplitude = 9000.0 * (0.5 + self.loudness);
        let mut phase = 0.0;
        let mut sample = |place: usize| {
            let since = place as f64 / SAMPLE_RATE_HERTZ as f64 - start;
            phase = (phase + self.hertz(since / (period * count as f64)) / SAMPLE_RATE_HERTZ as f64) % 1.0;
            let beep = (since / period).floor();
            let within = since - beep * period;
            let sounds = beep >= 0.0 && beep < count as f64;
            if sounds { (amplitude * swell(within, 0.6 * period) * self.wave(phase)).round() as i16 } else { 0 }
        };
        (0..length).map(&mut sample).collect()
    }

    /// Frequency at a share of the way through the beeps: 200 to 300 or 900 to 1350 Hz in the middle, a third higher or
    /// lower at the ends unless steady.
    fn hertz(&self, way: f64) -> f64 {
        let middle = [200.0, 900.0][index(&PITCHES, self.pitch)] * (1.0 + 0.5 * self.height);
        let slope = [0.66, -0.66, 0.0][index(&SLOPES, self.slope)];
        middle * (1.0 + slope * (way.clamp(0.0, 1.0) - 0.5))
    }

    /// A sine, or one with its third, fifth and seventh overtone.
    fn wave(&self, phase: f64) -> f64 {
        let overtones: &[f64] = if self.tone == TONES[0] { &[1.0] } else { &[1.0, 3.0, 5.0, 7.0] };
        overtones.iter().map(|&times| sine(phase * times) / times).sum()
    }
}

/// Loudness within a beep of a length in seconds: up in 10 ms, down in 10 ms.
fn swell(within: f64, length: f64) -> f64 {
    (within / 0.01).min((length - within) / 0.01).clamp(0.0, 1.0)
}

/// sin(2π·turns) from its series, good to 1e-6.
fn sine(turns: f64) -> f64 {
    let turns = turns - turns.round();
    // The quarter wave nearest to zero has the same height.
    let near = if turns.abs() > 0.25 { turns.signum() * 0.5 - turns } else { turns };
    let angle = near * std::f64::consts::TAU;
    let square = angle * angle;
    let terms = [110.0, 72.0, 42.0, 20.0, 6.0];
    angle * terms.iter().fold(1.0, |inner, divisor| 1.0 - square / divisor * inner)
}
