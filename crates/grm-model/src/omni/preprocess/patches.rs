use super::bicubic::{Bicubic, Size, resize};
use super::{PixelBounds, PreprocessError, smart_resize};

const PATCH: usize = 14;
const MERGE: usize = 2;
const FRAMES_A_PATCH: usize = 2;
const CHANNELS: usize = 3;

/// Values of one patch: 3 channels of 2 frames of 14 × 14 pixels, the channel slowest.
pub const PATCH_VALUES: usize = CHANNELS * FRAMES_A_PATCH * PATCH * PATCH;

/// CLIP's mean and deviation of each channel, in units of 0 to 1.
const MEAN: [f32; CHANNELS] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const DEVIATION: [f32; CHANNELS] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// What the vision tower takes of one picture or clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Patches {
    /// Rows of [`PATCH_VALUES`]. Row order: pair of frames, then cell of 2 × 2 patches row by row, then within the cell;
    /// four rows in turn make one token.
    pub values: Vec<f32>,
    /// Pairs of frames, patches down, patches across; their product is the number of rows.
    pub grid: [usize; 3],
}

impl Patches {
    /// Tokens the tower makes of them: one a cell.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.grid.iter().product::<usize>() / (MERGE * MERGE)
    }
}

/// Patches of one picture of `height × width × 3` bytes. It stands in both places of its pair of frames.
pub fn image_patches(rgb: &[u8], width: usize, height: usize, bounds: PixelBounds) -> Result<Patches, PreprocessError> {
    patches(&[rgb], Size { height, width }, bounds, Bicubic::default())
}

/// Patches of a clip of frames of `height × width × 3` bytes each. An odd last frame is repeated.
pub fn video_patches(
    frames: &[&[u8]],
    width: usize,
    height: usize,
    bounds: PixelBounds,
) -> Result<Patches, PreprocessError> {
    patches(frames, Size { height, width }, bounds, Bicubic::default())
}

/// Patches of frames of one size, resized in the way one asks for.
pub fn patches(
    frames: &[&[u8]],
    size: Size,
    bounds: PixelBounds,
    variant: Bicubic,
) -> Result<Patches, PreprocessError> {
    let [height, width] = smart_resize(size.height, size.width, bounds)?;
    check(frames, size)?;
    let to = Size { height, width };
    let grid = [frames.len().div_ceil(FRAMES_A_PATCH), height / PATCH, width / PATCH];
    let scale = brightness_tables();
    let mut values = Vec::with_capacity(grid.iter().product::<usize>() * PATCH_VALUES);
    for pair in frames.chunks(FRAMES_A_PATCH) {
        let mut pair: Vec<Vec<u8>> = pair.iter().map(|frame| resize(frame, size, to, variant)).collect();
        if pair.len() < FRAMES_A_PATCH {
            pair.push(pair[0].clone());
        }
        push_pair(&pair, to, &scale, &mut values);
    }
    Ok(Patches { values, grid })
}

fn check(frames: &[&[u8]], size: Size) -> Result<(), PreprocessError> {
    let expected = size.height * size.width * CHANNELS;
    let odd = frames.iter().position(|frame| frame.len() != expected);
    match odd {
        _ if frames.is_empty() => Err(PreprocessError::NoFrames),
        Some(frame) => Err(PreprocessError::Bytes { frame, expected, found: frames[frame].len() }),
        None => Ok(()),
    }
}

/// What each byte becomes in each channel: rescaling and normalising in one subtraction and one division, as
/// transformers 5 does (its 4th version did two, and differs in the last bit).
fn brightness_tables() -> [[f32; 256]; CHANNELS] {
    std::array::from_fn(|channel| {
        let [mean, deviation] = [MEAN[channel] * 255.0, DEVIATION[channel] * 255.0];
        std::array::from_fn(|byte| (byte as f32 - mean) / deviation)
    })
}

fn push_pair(pair: &[Vec<u8>], size: Size, scale: &[[f32; 256]; CHANNELS], values: &mut Vec<f32>) {
    let cell = PATCH * MERGE;
    for top in (0..size.height).step_by(cell) {
        for left in (0..size.width).step_by(cell) {
            for (y, x) in [(0, 0), (0, PATCH), (PATCH, 0), (PATCH, PATCH)] {
                push_patch(pair, size.width, [top + y, left + x], scale, values);
            }
        }
    }
}

fn push_patch(
    pair: &[Vec<u8>],
    width: usize,
    [top, left]: [usize; 2],
    scale: &[[f32; 256]; CHANNELS],
    values: &mut Vec<f32>,
) {
    for (channel, scale) in scale.iter().enumerate() {
        for frame in pair {
            for y in top..top + PATCH {
                let start = (y * width + left) * CHANNELS;
                let pixels = frame[start..start + PATCH * CHANNELS].as_chunks::<CHANNELS>().0;
                values.extend(pixels.iter().map(|pixel| scale[usize::from(pixel[channel])]));
            }
        }
    }
}
