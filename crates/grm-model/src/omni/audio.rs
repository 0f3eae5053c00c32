//! The tower for sounds: log-mel spectrograms in, a state every 40 ms out.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation::gelu, module::conv1d, ops::ConvOptions},
};

use super::{
    config::{AudioConfig, MEL_BINS},
    segments::{Segments, indices, runs},
    tower::TowerError,
};
use crate::decoder::Linear;

/// Inside the tower's norms.
pub(crate) const NORM_EPSILON: f64 = 1e-5;
/// Frames a convolution sees.
pub(crate) const KERNEL: usize = 3;
/// The slowest sinusoid is this much slower than the fastest.
const TIMESCALE_MAX: f32 = 10_000.0;

/// A sound's log-mel spectrogram.
#[derive(Debug, Clone, Copy)]
pub struct MelInput<'a> {
    /// `[128, frames]`, bin by bin.
    pub values: &'a [f32],
    /// Frames of 10 ms.
    pub frames: usize,
}

/// Whisper's encoder as Qwen2.5-Omni uses it: sounds are heard in chunks of two seconds that know nothing of each other.
/// Fields are named as in checkpoints.
#[derive(Module, Debug)]
pub struct AudioTower {
    /// `mel → width`, three frames wide.
    pub conv1: Convolution,
    /// `width → width`, three frames wide, every second one.
    pub conv2: Convolution,
    /// Upwards.
    pub layers: Vec<AudioLayer>,
    /// After pairs were averaged.
    pub ln_post: LayerNorm,
    /// To the decoder's width.
    pub proj: Linear,
    #[module(skip)]
    pub(crate) config: AudioConfig,
}

/// A convolution over time, padded with one frame of zeros at both ends.
#[derive(Module, Debug)]
pub struct Convolution {
    /// `[out, in, 3]`
    pub weight: Param<Tensor<3>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    pub(crate) stride: usize,
}

/// `x + attention(norm(x))`, then `x + fc2(gelu(fc1(norm(x))))`.
#[derive(Module, Debug)]
pub struct AudioLayer {
    /// Attention inside chunks.
    pub self_attn: AudioAttention,
    /// Before attention.
    pub self_attn_layer_norm: LayerNorm,
    /// `width → intermediate`
    pub fc1: Linear,
    /// `intermediate → width`
    pub fc2: Linear,
    /// Before the feed-forward part.
    pub final_layer_norm: LayerNorm,
}

/// Attention without positions of its own.
#[derive(Module, Debug)]
pub struct AudioAttention {
    /// Keys, without bias.
    pub k_proj: Linear,
    /// Values.
    pub v_proj: Linear,
    /// Queries.
    pub q_proj: Linear,
    /// Out.
    pub out_proj: Linear,
    #[module(skip)]
    pub(crate) heads: usize,
}

/// `(x − mean) / sqrt(variance + ε) · weight + bias` over the last dimension.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[width]`
    pub weight: Param<Tensor<1>>,
    /// `[width]`
    pub bias: Param<Tensor<1>>,
}

/// A stretch of a sound that is heard on its own.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    sound: usize,
    first_frame: usize,
    frames: usize,
}

/// States of one sound after the convolutions: every second frame, beginning with the first.
fn state_count(frames: usize) -> usize {
    frames.div_ceil(2)
}

impl AudioTower {
    /// Tokens of a sound of `frames` mel frames: one for every two states, so none below 3 frames.
    #[must_use]
    pub fn token_count(frames: usize) -> usize {
        state_count(frames) / 2
    }

    /// Its shape.
    #[must_use]
    pub fn config(&self) -> &AudioConfig {
        &self.config
    }

    /// States of the sounds one after another, `[tokens, out]`. Differentiable where the module is.
    ///
    /// # Errors
    /// No sounds, one too short to give a token, or values that are not 128 bins of its frames.
    pub fn forward(&self, mels: &[MelInput<'_>]) -> Result<Tensor<2>, TowerError> {
        let (states, places) = self.run(mels)?;
        let pairs: Vec<&[usize]> = places.iter().flat_map(|places| places.chunks_exact(2)).collect();
        let half = |half: usize| {
            let places: Vec<usize> = pairs.iter().map(|pair| pair[half]).collect();
            states.clone().select(0, indices(&places, &self.device()))
        };
        Ok(self.proj.forward(self.ln_post.forward((half(0) + half(1)) * 0.5)))
    }

    /// States before two become one, every 20 ms, `[states, width]`, sound after sound.
    ///
    /// # Errors
    /// As [`AudioTower::forward`].
    pub fn states(&self, mels: &[MelInput<'_>]) -> Result<Tensor<2>, TowerError> {
        let (states, places) = self.run(mels)?;
        Ok(states.select(0, indices(&places.concat(), &self.device())))
    }

    /// States after the last layer in the tower's own order, and where each sound's lie.
    fn run(&self, mels: &[MelInput<'_>]) -> Result<(Tensor<2>, Vec<Vec<usize>>), TowerError> {
        check(mels)?;
        let chunks = chunks(mels, self.config.chunk_frames);
        let heard = chunks.chunk_by(|a, b| a.frames == b.frames).map(|group| self.listen(mels, group));
        let mut x = Tensor::cat(heard.collect(), 0);
        let segments = Segments::in_place(runs(chunks.iter().map(|chunk| state_count(chunk.frames))));
        for layer in &self.layers {
            x = layer.forward(x, &segments);
        }
        Ok((x, places(&chunks, mels)))
    }

    fn device(&self) -> Device {
        self.conv1.weight.val().device()
    }

    /// Chunks of equal length through the convolutions, one after another, `[states, width]`.
    fn listen(&self, mels: &[MelInput<'_>], chunks: &[Chunk]) -> Tensor<2> {
        let device = &self.device();
        let frames = chunks[0].frames;
        let values: Vec<f32> = chunks.iter().flat_map(|chunk| chunk.values(&mels[chunk.sound])).collect();
        let x = Tensor::<3>::from_data(TensorData::new(values, [chunks.len(), MEL_BINS, frames]), device);
        let x = gelu(self.conv2.forward(gelu(self.conv1.forward(x)))).swap_dims(1, 2); // [chunks, states, width]
        let [count, states, width] = x.dims();
        (x + sinusoids(states, width, device)).reshape([count * states, width])
    }
}

impl Chunk {
    /// Its part of each bin.
    fn values(self, mel: &MelInput<'_>) -> Vec<f32> {
        let part = |bin: &[f32]| bin[self.first_frame..self.first_frame + self.frames].to_vec();
        mel.values.chunks_exact(mel.frames).flat_map(part).collect()
    }
}

impl Convolution {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        conv1d(x, self.weight.val(), Some(self.bias.val()), ConvOptions::new([self.stride], [1], [1], 1))
    }
}

impl AudioLayer {
    fn forward(&self, x: Tensor<2>, segments: &Segments) -> Tensor<2> {
        let x = x.clone() + self.self_attn.forward(self.self_attn_layer_norm.forward(x), segments);
        x.clone() + self.fc2.forward(gelu(self.fc1.forward(self.final_layer_norm.forward(x))))
    }
}

impl AudioAttention {
    fn forward(&self, x: Tensor<2>, segments: &Segments) -> Tensor<2> {
        let [states, width] = x.dims();
        let split = |y: Tensor<2>| y.reshape([states, self.heads, width / self.heads]);
        let queries = split(self.q_proj.forward(x.clone()));
        let keys = split(self.k_proj.forward(x.clone()));
        self.out_proj.forward(segments.attend(queries, keys, split(self.v_proj.forward(x))))
    }
}

impl LayerNorm {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let centred = x.clone() - x.mean_dim(1);
        let inverse = (centred.clone().square().mean_dim(1) + NORM_EPSILON).sqrt().recip();
        centred * inverse * self.weight.val().unsqueeze() + self.bias.val().unsqueeze()
    }
}

fn check(mels: &[MelInput<'_>]) -> Result<(), TowerError> {
    if mels.is_empty() {
        return Err(TowerError::NoSound);
    }
    for (index, &MelInput { values, frames }) in mels.iter().enumerate() {
        if AudioTower::token_count(frames) == 0 {
            return Err(TowerError::TooShort { index, frames });
        }
        if frames.checked_mul(MEL_BINS) != Some(values.len()) {
            let expected = frames.saturating_mul(MEL_BINS);
            return Err(TowerError::Mels { index, given: values.len(), expected });
        }
    }
    Ok(())
}

/// Chunks of all sounds, those of equal length side by side.
fn chunks(mels: &[MelInput<'_>], length: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for (sound, mel) in mels.iter().enumerate() {
        let chunk = |first_frame: usize| Chunk { sound, first_frame, frames: length.min(mel.frames - first_frame) };
        chunks.extend((0..mel.frames).step_by(length).map(chunk));
    }
    chunks.sort_by_key(|chunk| chunk.frames);
    chunks
}

/// For each sound, where its states lie.
fn places(chunks: &[Chunk], mels: &[MelInput<'_>]) -> Vec<Vec<usize>> {
    let mut places: Vec<Vec<usize>> = mels.iter().map(|mel| vec![0; state_count(mel.frames)]).collect();
    let mut place = 0;
    for chunk in chunks {
        for state in 0..state_count(chunk.frames) {
            places[chunk.sound][chunk.first_frame / 2 + state] = place;
            place += 1;
        }
    }
    places
}

/// `[1, states, width]`: sines of every position at `width / 2` speeds, then the cosines.
fn sinusoids(states: usize, width: usize, device: &Device) -> Tensor<3> {
    let half = width / 2;
    let step = TIMESCALE_MAX.ln() / (half - 1) as f32;
    let speeds: Vec<f32> = (0..half).map(|index| (-step * index as f32).exp()).collect();
    let at = |position: usize| {
        let angles: Vec<f32> = speeds.iter().map(|speed| position as f32 * speed).collect();
        [angles.iter().map(|angle| angle.sin()).collect::<Vec<_>>(), angles.iter().map(|angle| angle.cos()).collect()]
    };
    let values: Vec<f32> = (0..states).flat_map(at).flatten().collect();
    Tensor::from_data(TensorData::new(values, [1, states, width]), device)
}
