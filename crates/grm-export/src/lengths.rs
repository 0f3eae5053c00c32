//! Tokens of media, by each engine's own arithmetic of resizing and sampling.
//!
//! LLaMA-Factory caps pixels first, rounding sides down, and hands the result to the model's processor, which rounds to
//! multiples of 28 within bounds of its own. ms-swift goes through `qwen_omni_utils`, which does both in one.

use grm_model::omni::preprocess::{CELL_PIXELS, PixelBounds, smart_resize};

use crate::{
    engine::Engine,
    media::{ClipFacts, MediaFacts, PictureFacts, SoundFacts},
};

/// Fewest and most pixels of a picture or frame, and how clips are sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caps {
    /// `image_min_pixels`, `image_max_pixels`.
    pub image: PixelBounds,
    /// `video_min_pixels`, `video_max_pixels` of a frame.
    pub video: PixelBounds,
    /// Frames taken of a second.
    pub video_fps: f64,
    /// Frames taken at most.
    pub video_frames_max: usize,
    /// Bounds of the model's own processor for pictures (`preprocessor_config.json`).
    pub processor_image: PixelBounds,
    /// And for frames, as the engine calls it.
    pub processor_video: PixelBounds,
}

impl Default for Caps {
    /// 768 tokens a picture, 128 a pair of frames, 16 frames; the least as LLaMA-Factory has it.
    fn default() -> Self {
        Self {
            image: PixelBounds { min: 32 * 32, max: 768 * 784 },
            video: PixelBounds { min: 16 * 16, max: 128 * 784 },
            video_fps: 2.0,
            video_frames_max: 16,
            processor_image: PixelBounds::IMAGE,
            processor_video: PixelBounds::IMAGE,
        }
    }
}

/// Sounds are cut at 300 s by the feature extractor.
const SOUND_SECONDS_MAX: usize = 300;
const HOP_SAMPLES: usize = 160;

impl Caps {
    /// Tokens a file becomes, its two markers left out.
    ///
    /// # Errors
    /// In words, where an engine could not take the file.
    pub fn tokens(&self, engine: Engine, facts: MediaFacts) -> Result<usize, String> {
        match facts {
            MediaFacts::Picture(facts) => self.picture(engine, facts),
            MediaFacts::Clip(facts) => self.clip(engine, facts),
            MediaFacts::Sound(facts) => sound(facts),
        }
    }

    fn picture(&self, engine: Engine, PictureFacts { width, height }: PictureFacts) -> Result<usize, String> {
        match engine {
            Engine::LlamaFactory => {
                let [height, width] = capped([height, width], self.image);
                cells(height, width, self.processor_image)
            }
            Engine::MsSwift => cells(height, width, PixelBounds { min: PixelBounds::IMAGE.min, max: self.image.max }),
            Engine::Trl => cells(height, width, self.processor_image),
        }
    }

    fn clip(&self, engine: Engine, facts: ClipFacts) -> Result<usize, String> {
        match engine {
            Engine::LlamaFactory => {
                let frames = self.sampled_frames(facts).next_multiple_of(2);
                let [height, width] = capped([facts.height, facts.width], self.video);
                Ok(frames / 2 * cells(height, width, self.processor_video)?)
            }
            Engine::MsSwift => {
                let frames = self.published_frames(facts)?;
                let bounds = PixelBounds { min: PixelBounds::OMNI_VIDEO.min, max: self.video.max };
                Ok(frames / 2 * cells(facts.height, facts.width, bounds.for_frames(frames))?)
            }
            Engine::Trl => Err("TRL's trainers take text and pictures; use llamafactory or ms-swift".into()),
        }
    }

    /// LLaMA-Factory: whole seconds' worth, at least one, at most all.
    fn sampled_frames(&self, facts: ClipFacts) -> usize {
        let wanted = whole(facts.seconds * self.video_fps).max(1);
        wanted.min(self.video_frames_max).min(facts.frames)
    }

    /// `qwen_omni_utils`: even, at least 4 (or what there is), at most the cap.
    fn published_frames(&self, facts: ClipFacts) -> Result<usize, String> {
        let even = |count: usize| count / 2 * 2;
        #[expect(clippy::cast_precision_loss, reason = "frames of a clip are far below 2^52")]
        let rate = facts.frames as f64 / facts.seconds;
        #[expect(clippy::cast_precision_loss, reason = "frames of a clip are far below 2^52")]
        let wanted = facts.frames as f64 / rate * self.video_fps;
        let most = even(self.video_frames_max.min(facts.frames));
        let frames = even(whole(wanted).clamp(4.min(most), most)).min(facts.frames);
        if frames < 2 {
            Err("it has fewer than two frames; leave it out or show it as a picture".into())
        } else {
            Ok(frames)
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounding down is what is meant; negative is 0"
)]
fn whole(number: f64) -> usize {
    number.max(0.0) as usize
}

/// LLaMA-Factory's own resize before the processor's: `[height, width]`, each rounded down.
fn capped([mut height, mut width]: [usize; 2], bounds: PixelBounds) -> [usize; 2] {
    #[expect(clippy::cast_precision_loss, reason = "sides of a picture are far below 2^52")]
    let scaled = |height: usize, width: usize, to: usize| {
        let factor = (to as f64 / (width * height) as f64).sqrt();
        [whole(height as f64 * factor), whole(width as f64 * factor)]
    };
    if width * height > bounds.max {
        [height, width] = scaled(height, width, bounds.max);
    }
    if width * height < bounds.min && width * height > 0 {
        [height, width] = scaled(height, width, bounds.min);
    }
    [height, width] = [height.max(CELL_PIXELS), width.max(CELL_PIXELS)];
    if width > 200 * height {
        width = height * 180;
    }
    if height > 200 * width {
        height = width * 180;
    }
    [height, width]
}

fn cells(height: usize, width: usize, bounds: PixelBounds) -> Result<usize, String> {
    let [height, width] = smart_resize(height, width, bounds).map_err(|error| error.to_string())?;
    Ok(height / CELL_PIXELS * (width / CELL_PIXELS))
}

/// 25 a second: two convolutions' worth of halving over frames of 10 ms.
fn sound(facts: SoundFacts) -> Result<usize, String> {
    let samples = facts.samples.min(SOUND_SECONDS_MAX * 16_000);
    let frames = samples.div_ceil(HOP_SAMPLES);
    if frames <= 2 {
        return Err("it is too short to be heard (two frames of 10 ms); leave it out".into());
    }
    Ok((frames.div_ceil(2) - 2) / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(engine: Engine, width: usize, height: usize) -> usize {
        Caps::default().tokens(engine, MediaFacts::Picture(PictureFacts { width, height })).unwrap()
    }

    #[test]
    fn pictures_are_capped_then_rounded() {
        // 1920 × 1080 becomes 1034 × 582 under 602,112 pixels, then 1036 × 588: 37 × 21 cells.
        assert_eq!(picture(Engine::LlamaFactory, 1920, 1080), 777);
        // In one step: floor(1920 / 1.8558 / 28) × floor(1080 / 1.8558 / 28).
        assert_eq!(picture(Engine::MsSwift, 1920, 1080), 36 * 20);
        assert_eq!(picture(Engine::Trl, 1920, 1080), 69 * 39);
        assert_eq!(picture(Engine::LlamaFactory, 10, 10), 4, "the processor enlarges to 56 × 56");
        assert_eq!(picture(Engine::LlamaFactory, 28, 28_000), 180, "a strip is cut to 1 : 180");
    }

    #[test]
    fn clips_are_sampled_in_pairs() {
        let caps = Caps::default();
        let clip = |frames, seconds| MediaFacts::Clip(ClipFacts { width: 56, height: 56, frames, seconds });
        let tokens = |frames, seconds| caps.tokens(Engine::LlamaFactory, clip(frames, seconds)).unwrap();
        assert_eq!(tokens(300, 10.0), 8 * 4);
        assert_eq!(tokens(30, 1.6), 2 * 4, "three frames become two pairs");
        assert_eq!(tokens(1, 0.04), 4);
        // 20 frames wanted, 16 allowed; each frame is enlarged to at least 128 tokens, 12 × 12 here.
        assert_eq!(caps.tokens(Engine::MsSwift, clip(300, 10.0)), Ok(8 * 144));
        assert!(caps.tokens(Engine::Trl, clip(30, 1.0)).is_err());
    }

    #[test]
    fn sounds_give_25_tokens_a_second() {
        let tokens = |samples| {
            Caps::default().tokens(
                Engine::LlamaFactory,
                MediaFacts::Sound(SoundFacts { rate: 16_000, channels: 1, bits: 16, samples }),
            )
        };
        assert_eq!(tokens(16_000), Ok(25));
        assert_eq!(tokens(20_800), Ok(32));
        assert_eq!(tokens(400 * 16_000), Ok(7500), "cut at 300 s");
        assert!(tokens(320).is_err());
    }
}
