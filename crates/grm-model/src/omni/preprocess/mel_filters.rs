/// Mel bands of a frame.
pub const MEL_BINS: usize = 128;

/// Frequencies of a frame: 0 to 8000 Hz in steps of 40.
pub const FREQUENCY_BINS: usize = 201;

const HIGHEST_HERTZ: f64 = 8000.0;

/// Below this the scale is straight, above it logarithmic (Slaney's Auditory Toolbox).
const BEND_HERTZ: f64 = 1000.0;
const BEND_MEL: f64 = 15.0;

/// Weight of each frequency in each band, `[FREQUENCY_BINS][MEL_BINS]`: triangles of equal area on Slaney's scale.
#[must_use]
pub fn mel_filters() -> Vec<[f64; MEL_BINS]> {
    let top = mel(HIGHEST_HERTZ);
    let edge = |band: usize| hertz(top * band as f64 / (MEL_BINS + 1) as f64);
    let edges: Vec<f64> = (0..MEL_BINS + 2).map(edge).collect();
    let frequency = |bin: usize| HIGHEST_HERTZ * bin as f64 / (FREQUENCY_BINS - 1) as f64;
    let row = |bin| std::array::from_fn(|band| triangle(&edges[band..band + 3], frequency(bin)));
    (0..FREQUENCY_BINS).map(row).collect()
}

fn triangle(edges: &[f64], frequency: f64) -> f64 {
    let rising = (frequency - edges[0]) / (edges[1] - edges[0]);
    let falling = (edges[2] - frequency) / (edges[2] - edges[1]);
    rising.min(falling).max(0.0) * 2.0 / (edges[2] - edges[0])
}

fn mel(hertz: f64) -> f64 {
    if hertz < BEND_HERTZ {
        hertz * BEND_MEL / BEND_HERTZ
    } else {
        BEND_MEL + (hertz / BEND_HERTZ).ln() * 27.0 / 6.4_f64.ln()
    }
}

fn hertz(mel: f64) -> f64 {
    if mel < BEND_MEL {
        mel * BEND_HERTZ / BEND_MEL
    } else {
        BEND_HERTZ * ((mel - BEND_MEL) * 6.4_f64.ln() / 27.0).exp()
    }
}
