/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels down.
    pub height: usize,
    /// Pixels across.
    pub width: usize,
}

/// Whose whole-number arithmetic a resized picture equals, byte for byte. On our golden picture the two differ by one grey
/// level at most, 0.015 after normalising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bicubic {
    /// torchvision with antialiasing, what transformers 5 does by default: weights of 16 bits.
    #[default]
    Torchvision,
    /// Pillow, what transformers 4 and `qwen_omni_utils` do: weights of 22 bits after the point.
    Pillow,
}

/// Resizes `from.height × from.width × 3` bytes (of exactly that length) with an antialiased cubic filter.
///
/// Keys' cubic with a = -0.5, stretched when the picture shrinks; rows first, then columns, with bytes in between.
#[must_use]
pub fn resize(rgb: &[u8], from: Size, to: Size, variant: Bicubic) -> Vec<u8> {
    assert_eq!(rgb.len(), from.height * from.width * 3, "the caller counts the bytes");
    let wide = if from.width == to.width { rgb.to_vec() } else { across(rgb, from, to.width, variant) };
    if from.height == to.height { wide } else { down(&wide, from.height, to.height, variant) }
}

/// Weights of the input pixels that make one output pixel.
struct Taps {
    first: usize,
    weights: Vec<f64>,
}

/// Taps of every output pixel of a line, as whole numbers over `1 << shift`.
struct Line {
    taps: Vec<(usize, Vec<i32>)>,
    shift: u32,
}

impl Line {
    fn new(from: usize, to: usize, variant: Bicubic) -> Self {
        let taps: Vec<Taps> = (0..to).map(|place| Taps::new(from, to, place)).collect();
        let shift = variant.shift(&taps);
        let whole = |weight: &f64| (weight * f64::from(1 << shift)).round() as i32;
        let taps = taps.iter().map(|taps| (taps.first, taps.weights.iter().map(whole).collect())).collect();
        Self { taps, shift }
    }

    fn byte(&self, sum: i32) -> u8 {
        ((sum + (1 << (self.shift - 1))) >> self.shift).clamp(0, 255) as u8
    }
}

impl Taps {
    fn new(from: usize, to: usize, place: usize) -> Self {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = 2.0 * stretch;
        let center = scale * (place as f64 + 0.5);
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let weight = |input: usize| cubic((input as f64 - center + 0.5) * (1.0 / stretch));
        let mut weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Self { first, weights }
    }
}

impl Bicubic {
    /// Bits after the point: Pillow always 22; torchvision as many as keep the largest weight of the line in 16 bits.
    fn shift(self, taps: &[Taps]) -> u32 {
        let largest = taps.iter().flat_map(|taps| &taps.weights).fold(0.0, |most: f64, &weight| most.max(weight));
        let fits = |shift: &u32| 0.5 + largest * f64::from(1 << (shift + 1)) < f64::from(1 << 15);
        match self {
            Self::Pillow => 22,
            Self::Torchvision => (0..22).find(|shift| !fits(shift)).unwrap_or(22),
        }
    }
}

/// Keys' cubic with a = -0.5 (Catmull-Rom).
fn cubic(distance: f64) -> f64 {
    let a = -0.5;
    let x = distance.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

fn across(rgb: &[u8], from: Size, width: usize, variant: Bicubic) -> Vec<u8> {
    let line = Line::new(from.width, width, variant);
    let mut out = Vec::with_capacity(from.height * width * 3);
    for row in rgb.chunks_exact(from.width * 3) {
        for (first, weights) in &line.taps {
            let mut sums = [0_i32; 3];
            for (pixel, weight) in row[first * 3..].as_chunks::<3>().0.iter().zip(weights) {
                sums.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += i32::from(value) * weight);
            }
            out.extend(sums.map(|sum| line.byte(sum)));
        }
    }
    out
}

fn down(rgb: &[u8], from: usize, height: usize, variant: Bicubic) -> Vec<u8> {
    let line = Line::new(from, height, variant);
    let stride = rgb.len() / from;
    let mut out = Vec::with_capacity(height * stride);
    let mut sums = vec![0_i32; stride];
    for (first, weights) in &line.taps {
        sums.fill(0);
        for (row, weight) in rgb[first * stride..].chunks_exact(stride).zip(weights) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += i32::from(value) * weight);
        }
        out.extend(sums.iter().map(|&sum| line.byte(sum)));
    }
    out
}
