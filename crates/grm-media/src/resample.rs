//! Any rate to 16 kHz, piece by piece, by a windowed sinc.
//!
//! The output at time t is `Σ x[k] h(t - k)` with `h(u) = c sinc(c u) w(u)`, where `c` is the cut-off as a share of the
//! input's Nyquist frequency and `w` a Kaiser window (J. O. Smith, *Digital Audio Resampling*). For rates in the ratio
//! up : down, only `up` distinct sets of taps exist; each is computed once and scaled to a sum of one.

use std::f64::consts::PI;

/// Zero crossings of the sinc on each side.
const CROSSINGS: f64 = 64.0;
/// Kaiser's shape: stops 110 dB.
const BETA: f64 = 11.0;
/// The cut-off as a share of the lower Nyquist frequency: at 16 kHz flat to 7.1 kHz, and nothing left above 8 kHz.
const CUT_OFF: f64 = 0.947;

/// Turns samples at one rate into samples at another; the n-th output is at the time n / rate out.
pub(crate) struct Resampler {
    up: u64,
    down: u64,
    /// Taps on each side of an output's place.
    reach: usize,
    /// For each of the `up` places between two inputs, `2 * reach` taps.
    taps: Vec<Vec<f32>>,
    /// Inputs still needed; `first` is the index of the first, counted from the start of the sound.
    held: Vec<f32>,
    first: i64,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// From `rate_in` to `rate_out` hertz.
    pub(crate) fn new(rate_in: u32, rate_out: u32) -> Self {
        let common = greatest_common_divisor(rate_in, rate_out);
        let (up, down) = (rate_out / common, rate_in / common);
        let share = CUT_OFF * (f64::from(up) / f64::from(down)).min(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand at most")]
        let reach = (CROSSINGS / share).ceil() as usize;
        let taps = (0..up).map(|phase| taps(f64::from(phase) / f64::from(up), share, reach)).collect();
        // Silence before the start.
        let held = vec![0.0; reach - 1];
        let first = -i64::try_from(held.len()).expect("a few thousand at most");
        Self { up: u64::from(up), down: u64::from(down), reach, taps, held, first, taken: 0, given: 0 }
    }

    /// Takes more input and appends what output it completes.
    pub(crate) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.held.extend_from_slice(input);
        self.taken += input.len() as u64;
        self.advance(output);
    }

    /// Appends the rest, up to the end of the input's time: `ceil(inputs * up / down)` outputs in all.
    pub(crate) fn finish(&mut self, output: &mut Vec<f32>) {
        let wanted = (self.taken * self.up).div_ceil(self.down);
        self.held.resize(self.held.len() + 2 * self.reach, 0.0);
        let before = output.len();
        let missing = wanted.saturating_sub(self.given);
        self.advance(output);
        output.truncate(before + usize::try_from(missing).expect("less than one piece"));
    }

    fn advance(&mut self, output: &mut Vec<f32>) {
        let width = 2 * self.reach;
        loop {
            let place = self.given * self.down;
            let (whole, phase) = (place / self.up, place % self.up);
            let start = i64::try_from(whole).expect("samples fit") - self.first + 1;
            let start = usize::try_from(start).expect("inputs before the next output are held") - self.reach;
            let Some(window) = self.held.get(start..start + width) else {
                let done = start.min(self.held.len());
                self.held.drain(..done);
                self.first += i64::try_from(done).expect("samples fit");
                return;
            };
            let taps = &self.taps[usize::try_from(phase).expect("a phase is an index")];
            output.push(dot(window, taps));
            self.given += 1;
        }
    }
}

/// Taps for an output that lies `fraction` behind an input; the `reach`-th tap is for that input.
fn taps(fraction: f64, share: f64, reach: usize) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let weight = |index: usize| {
        let distance = fraction + (reach as f64 - 1.0) - index as f64;
        sinc(share * distance) * kaiser(distance * share / CROSSINGS)
    };
    let exact: Vec<f64> = (0..2 * reach).map(weight).collect();
    let sum: f64 = exact.iter().sum();
    #[expect(clippy::cast_possible_truncation, reason = "samples are f32")]
    exact.iter().map(|tap| (tap / sum) as f32).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Kaiser's window at -1 to 1, nothing outside.
fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 { 0.0 } else { bessel(BETA * (1.0 - x * x).sqrt()) / bessel(BETA) }
}

/// The modified Bessel function of the first kind and order 0, by its series `Σ ((x/2)^k / k!)²`.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum, mut index) = (1.0_f64, 1.0_f64, 1.0_f64);
    while term > sum * 1e-16 {
        term *= (x / 2.0 / index).powi(2);
        sum += term;
        index += 1.0;
    }
    sum
}

/// In eight sums, so that it is vectorised; always in the same order.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (lefts, rights) = (left.chunks_exact(8), right.chunks_exact(8));
    let rest: f32 = lefts.remainder().iter().zip(rights.remainder()).map(|(left, right)| left * right).sum();
    for (left, right) in lefts.zip(rights) {
        for lane in 0..8 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

fn greatest_common_divisor(left: u32, right: u32) -> u32 {
    if right == 0 { left } else { greatest_common_divisor(right, left % right) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "test tones")]
    fn tone(hertz: f64, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| (2.0 * PI * hertz * n as f64 / f64::from(rate)).sin() as f32).collect()
    }

    fn resampled(input: &[f32], rate: u32, piece: usize) -> Vec<f32> {
        let (mut resampler, mut output) = (Resampler::new(rate, 16_000), Vec::new());
        for piece in input.chunks(piece) {
            resampler.push(piece, &mut output);
        }
        resampler.finish(&mut output);
        output
    }

    /// The loudest of what should be nothing, away from the ends.
    fn loudest(samples: impl Iterator<Item = f32>, skipped: usize) -> f32 {
        let samples: Vec<f32> = samples.collect();
        samples[skipped..samples.len() - skipped].iter().fold(0.0, |loudest, sample| sample.abs().max(loudest))
    }

    #[test]
    fn tones_keep_their_height_loudness_and_place() {
        for rate in [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
            let highest = f64::from(rate.min(16_000)) / 2.0;
            for hertz in [50.0, 440.0, 0.5 * highest, 0.88 * highest] {
                let output = resampled(&tone(hertz, rate, rate as usize / 2), rate, 1000);
                let wanted = tone(hertz, 16_000, output.len());
                let error = loudest(output.iter().zip(&wanted).map(|(is, should)| is - should), 200);
                assert!(error < 2e-5, "{hertz} Hz at {rate} Hz is off by {error}");
            }
        }
    }

    #[test]
    fn what_16_khz_cannot_hold_is_gone() {
        for (rate, hertz) in [(44_100, 8_400.0), (44_100, 12_345.0), (48_000, 20_000.0), (96_000, 40_000.0)] {
            let left = loudest(resampled(&tone(hertz, rate, rate as usize / 2), rate, 4096).into_iter(), 200);
            assert!(left < 1e-5, "{left} is left of {hertz} Hz at {rate} Hz");
        }
    }

    #[test]
    fn a_constant_stays_one_and_lengths_round_up() {
        for (rate, samples, expected) in
            [(44_100, 44_100, 16_000), (44_100, 44_101, 16_001), (48_000, 7, 3), (8_000, 5, 10)]
        {
            assert_eq!(resampled(&vec![0.25; samples], rate, 999).len(), expected);
        }
        let steady = resampled(&vec![0.25; 44_100], 44_100, 999);
        assert!(loudest(steady.into_iter().map(|sample| sample - 0.25), 200) < 1e-6);
    }

    #[test]
    fn pieces_do_not_matter() {
        let input = tone(997.0, 44_100, 20_000);
        let whole = resampled(&input, 44_100, usize::MAX);
        for piece in [1, 7, 441, 5_000] {
            assert_eq!(resampled(&input, 44_100, piece), whole);
        }
    }
}
