use super::PreprocessError;

/// Side of a merged cell in pixels: two patches of 14. Sides of a prepared picture are multiples of it.
pub const CELL_PIXELS: usize = 28;

/// Longest side over shortest side that is still taken.
const ASPECT_MAX: f64 = 200.0;

/// Fewest and most pixels of a prepared picture or frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelBounds {
    /// Fewest: smaller pictures are enlarged.
    pub min: usize,
    /// Most: larger pictures are reduced.
    pub max: usize,
}

impl PixelBounds {
    /// Pictures of Qwen2.5-Omni and Qwen2.5-VL: 4 to 16,384 tokens (`preprocessor_config.json` of both).
    pub const IMAGE: Self = Self { min: 3136, max: 12_845_056 };
    /// A frame of a clip for Qwen2.5-Omni: 128 to 768 tokens. Its processor sets them in code, over the file's.
    pub const OMNI_VIDEO: Self = Self { min: 128 * 784, max: 768 * 784 };
    /// A frame of a clip for Qwen2.5-VL: the file's bounds, the same as for pictures.
    pub const VL_VIDEO: Self = Self::IMAGE;

    /// Bounds of each frame of a long clip under the budget of the published inference path (`qwen_omni_utils`):
    /// 115,200 tokens for all pairs of frames together, yet never below 1.05 times the fewest pixels.
    #[must_use]
    pub fn for_frames(self, frames: usize) -> Self {
        let budget_pixels = 128_000 * 784 / 10 * 9;
        let share = budget_pixels * 2 / frames.max(1);
        Self { min: self.min, max: self.max.min(share).max(self.min + self.min / 20) }
    }

    fn check(self) -> Result<(), PreprocessError> {
        let Self { min, max } = self;
        let usable = min >= 1 && max >= min && max >= CELL_PIXELS * CELL_PIXELS;
        if usable { Ok(()) } else { Err(PreprocessError::Bounds { min, max }) }
    }
}

/// The height and width a picture is resized to: the nearest multiples of 28 within the bounds, its shape about kept.
///
/// Halves round to the even multiple. A picture that must be reduced or enlarged loses a little to rounding down or gains
/// a little by rounding up, so that the bounds hold; only a very long one, whose short side stays at 28, can exceed them.
pub fn smart_resize(height: usize, width: usize, bounds: PixelBounds) -> Result<[usize; 2], PreprocessError> {
    bounds.check()?;
    if height == 0 || width == 0 {
        return Err(PreprocessError::EmptyPicture { width, height });
    }
    if height.max(width) as f64 / height.min(width) as f64 > ASPECT_MAX {
        return Err(PreprocessError::AspectRatio { width, height });
    }
    let sides = [height as f64, width as f64];
    let pixels = sides[0] * sides[1];
    let nearest = sides.map(|side| (side / CELL_PIXELS as f64).round_ties_even() as usize * CELL_PIXELS);
    let [min, max] = [bounds.min as f64, bounds.max as f64];
    Ok(match nearest[0] * nearest[1] {
        // The order of operations is the reference's: it decides where a quotient lies just beside a whole number.
        found if found > bounds.max => {
            let shrink = (pixels / max).sqrt();
            sides.map(|side| cells((side / shrink / CELL_PIXELS as f64).floor()))
        }
        found if found < bounds.min => {
            let grow = (min / pixels).sqrt();
            sides.map(|side| cells((side * grow / CELL_PIXELS as f64).ceil()))
        }
        _ => nearest,
    })
}

fn cells(count: f64) -> usize {
    (count as usize).max(1) * CELL_PIXELS
}
