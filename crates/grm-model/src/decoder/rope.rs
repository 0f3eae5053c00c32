//! Rotary positions: frequencies, and the cosines and sines of one forward pass.

use burn::tensor::{Device, Tensor, TensorData};

use crate::config::{DecoderConfig, Llama3Scaling};

/// `head_dim / 2` inverse frequencies, in f32 as the reference computes them.
#[must_use]
pub fn inverse_frequencies(config: &DecoderConfig) -> Vec<f32> {
    let half = config.head_dim / 2;
    let plain = |i: usize| 1.0 / (config.rope_theta as f32).powf((2 * i) as f32 / config.head_dim as f32);
    let scaled = |frequency: f32| config.rope_scaling.map_or(frequency, |scaling| scaling.apply(frequency));
    (0..half).map(plain).map(scaled).collect()
}

/// How fast each pair of a head's numbers turns, and by which of a token's three positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Frequencies {
    /// `head_dim / 2` inverse frequencies.
    pub inverse: Vec<f32>,
    /// For each of them: 0 turns by time, 1 by height, 2 by width. Text has the same position on all three.
    pub axes: Vec<usize>,
}

impl Frequencies {
    /// `sections`: how many frequencies turn by time, height and width (`mrope_section`); without, all by time.
    #[must_use]
    pub fn new(config: &DecoderConfig, sections: Option<[usize; 3]>) -> Self {
        let inverse = inverse_frequencies(config);
        let axes = match sections {
            None => vec![0; inverse.len()],
            Some(sections) => (0..3).flat_map(|axis| std::iter::repeat_n(axis, sections[axis])).collect(),
        };
        Self { inverse, axes }
    }

    fn angles(&self, position: [u32; 3]) -> impl Iterator<Item = f32> {
        self.inverse.iter().zip(&self.axes).map(move |(inverse, &axis)| position[axis] as f32 * inverse)
    }
}

impl Llama3Scaling {
    /// Slows long waves, leaves short ones, blends those between (Llama 3.1).
    fn apply(self, frequency: f32) -> f32 {
        let wavelength = 2.0 * std::f64::consts::PI / f64::from(frequency);
        let frequency = f64::from(frequency);
        let (longest, shortest) =
            (self.original_positions / self.low_frequency_factor, self.original_positions / self.high_frequency_factor);
        if wavelength > longest {
            return (frequency / self.factor) as f32;
        }
        if wavelength < shortest {
            return frequency as f32;
        }
        let span = self.high_frequency_factor - self.low_frequency_factor;
        let blend = (self.original_positions / wavelength - self.low_frequency_factor) / span;
        ((1.0 - blend) * frequency / self.factor + blend * frequency) as f32
    }
}

/// Cosines and sines for every token of a pass, each `[rows, 1, length, head_dim / 2]`.
#[derive(Debug, Clone)]
pub struct Rotation {
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Rotation {
    /// For `rows × length` positions (time, height, width), row by row.
    #[must_use]
    pub fn new(positions: &[[u32; 3]], rows: usize, frequencies: &Frequencies, device: &Device) -> Self {
        let shape = [rows, 1, positions.len() / rows.max(1), frequencies.inverse.len()];
        let angles: Vec<f32> = positions.iter().flat_map(|&position| frequencies.angles(position)).collect();
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().map(|&angle| f(angle)).collect();
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        Self { cos: table(f32::cos), sin: table(f32::sin) }
    }

    /// The same tables where gradients are tracked.
    #[must_use]
    pub(crate) fn autodiff(&self) -> Self {
        Self { cos: self.cos.clone().autodiff(), sin: self.sin.clone().autodiff() }
    }

    /// Turns `[rows, heads, length, head_dim]`; the first half of a head is paired with the second.
    #[must_use]
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let half = self.cos.dims()[3];
        let (first, second) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        let turned = first.clone() * self.cos.clone() - second.clone() * self.sin.clone();
        let other = second * self.cos.clone() + first * self.sin.clone();
        Tensor::cat(vec![turned, other], 3)
    }
}
