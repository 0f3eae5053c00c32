use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use super::PreprocessError;
use super::mel_filters::{FREQUENCY_BINS, MEL_BINS, mel_filters};

/// Samples of a second; sounds of another rate are resampled before they come here.
pub const SAMPLE_RATE_HERTZ: usize = 16_000;

/// Samples from one frame to the next: 10 ms.
pub const HOP_SAMPLES: usize = 160;

/// Most samples: 300 s. The published processor cuts what is longer; here that is an error, so that no judge speaks of a
/// sound it heard in part.
pub const SAMPLES_MAX: usize = 300 * SAMPLE_RATE_HERTZ;

/// Fewest samples: three frames. One or two frames become no token.
pub const SAMPLES_MIN: usize = 2 * HOP_SAMPLES + 1;

const WINDOW: usize = 400;

/// What the audio tower takes of one sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Mel {
    /// `[MEL_BINS, frames]`, row by row: log10 of power, at most 8 below the sound's loudest, plus 4, over 4.
    pub values: Vec<f32>,
    /// Frames of 10 ms, the last one perhaps begun only: `ceil(samples / 160)`.
    pub frames: usize,
}

/// Whisper's features of a mono sound at 16 kHz, as the Omni processor computes them of a sound followed by silence up to
/// 300 s: the last frame or two see that silence, not a mirror of the sound's end.
///
/// Worked out in f64; the processor's f32 was measured to differ by 1.2e-5 at most.
pub fn log_mel(samples: &[f32]) -> Result<Mel, PreprocessError> {
    check(samples)?;
    let frames = samples.len().div_ceil(HOP_SAMPLES);
    let mut values = logarithms(samples, frames);
    let loudest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter_mut().for_each(|value| *value = (value.max(loudest - 8.0) + 4.0) / 4.0);
    Ok(Mel { values: transposed(&values, frames), frames })
}

fn check(samples: &[f32]) -> Result<(), PreprocessError> {
    match samples.iter().position(|sample| !sample.is_finite()) {
        _ if samples.len() < SAMPLES_MIN => Err(PreprocessError::TooShort { samples: samples.len(), min: SAMPLES_MIN }),
        _ if samples.len() > SAMPLES_MAX => Err(PreprocessError::TooLong { samples: samples.len(), max: SAMPLES_MAX }),
        Some(place) => Err(PreprocessError::NotFinite(place)),
        None => Ok(()),
    }
}

/// log10 of each band's power, `[frames, MEL_BINS]`.
fn logarithms(samples: &[f32], frames: usize) -> Vec<f64> {
    let bands = Band::all();
    let transform = RealFftPlanner::<f64>::new().plan_fft_forward(WINDOW);
    let window: [f64; WINDOW] = std::array::from_fn(hann);
    let [mut frame, mut spectrum] = [transform.make_input_vec(), vec![]];
    spectrum.resize(FREQUENCY_BINS, 0.0);
    let mut waves = transform.make_output_vec();
    let mut values = Vec::with_capacity(frames * MEL_BINS);
    for center in (0..frames).map(|frame| frame * HOP_SAMPLES) {
        for (place, value) in frame.iter_mut().enumerate() {
            *value = window[place] * sample_at(samples, center + place);
        }
        transform.process(&mut frame, &mut waves).expect("both buffers were made for this transform");
        spectrum.iter_mut().zip(&waves).for_each(|(power, wave): (&mut f64, &Complex<f64>)| *power = wave.norm_sqr());
        values.extend(bands.iter().map(|band| band.power(&spectrum).max(1e-10).log10()));
    }
    values
}

/// The periodic Hann window.
fn hann(place: usize) -> f64 {
    0.5 - 0.5 * (std::f64::consts::TAU * place as f64 / WINDOW as f64).cos()
}

/// The sample half a window before `place`: mirrored at the start and at 300 s, silent from the sound's end to there.
fn sample_at(samples: &[f32], place: usize) -> f64 {
    let half = WINDOW / 2;
    let place = half.abs_diff(place);
    let place = if place < SAMPLES_MAX { place } else { 2 * (SAMPLES_MAX - 1) - place };
    samples.get(place).map_or(0.0, |&sample| f64::from(sample))
}

/// The frequencies under one triangle, and their weights.
struct Band {
    first: usize,
    weights: Vec<f64>,
}

impl Band {
    fn all() -> Vec<Self> {
        let filters = mel_filters();
        let band = |band: usize| {
            let weights: Vec<f64> = filters.iter().map(|row| row[band]).collect();
            let first = weights.iter().position(|&weight| weight > 0.0).unwrap_or(0);
            let end = weights.iter().rposition(|&weight| weight > 0.0).map_or(first, |last| last + 1);
            Self { first, weights: weights[first..end].to_vec() }
        };
        (0..MEL_BINS).map(band).collect()
    }

    fn power(&self, spectrum: &[f64]) -> f64 {
        self.weights.iter().zip(&spectrum[self.first..]).map(|(weight, power)| weight * power).sum()
    }
}

fn transposed(values: &[f64], frames: usize) -> Vec<f32> {
    let band = |band: usize| (0..frames).map(move |frame| values[frame * MEL_BINS + band] as f32);
    (0..MEL_BINS).flat_map(band).collect()
}
