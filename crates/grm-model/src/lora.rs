//! Putting low-rank adapters on a decoder.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::decoder::{Decoder, DecoderLayer, Linear, Lora};

/// Which layers get an adapter, and how wide it is.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    /// Width of the bottleneck.
    pub rank: usize,
    /// The adapter's output is scaled by `alpha / rank`.
    pub alpha: f32,
    /// Names of the linear layers: `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`, `up_proj`, `down_proj`.
    pub targets: Vec<String>,
    /// Draws the first factor.
    pub seed: u64,
}

/// Every linear layer of a decoder, in the order of a layer's fields.
pub const TARGETS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

impl Default for LoraConfig {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, targets: TARGETS.map(str::to_owned).to_vec(), seed: 0 }
    }
}

/// Why an adapter cannot be put on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoraError {
    /// Not a linear layer of a decoder.
    #[error("no layer is called {name:?}; adapters go on {}", TARGETS.join(", "))]
    Target {
        /// As written.
        name: String,
    },
    /// A width of 0.
    #[error("an adapter of rank 0 learns nothing; use 4 to 64")]
    Rank,
}

impl LoraConfig {
    /// `alpha / rank`
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.alpha / self.rank as f32
    }

    /// Puts fresh adapters on `decoder`: A uniform within ±1/√in (Kaiming, a = √5), B zero, so that nothing changes yet.
    ///
    /// # Errors
    /// An unknown layer name, or rank 0.
    pub fn attach(&self, decoder: &mut Decoder) -> Result<(), LoraError> {
        if let Some(name) = self.targets.iter().find(|name| !TARGETS.contains(&name.as_str())) {
            return Err(LoraError::Target { name: name.clone() });
        }
        if self.rank == 0 {
            return Err(LoraError::Rank);
        }
        let mut random = StdRng::seed_from_u64(self.seed);
        for layer in &mut decoder.layers {
            for (name, linear) in linears(layer) {
                if self.targets.iter().any(|target| target == name) {
                    linear.lora = Some(self.fresh(linear, &mut random));
                }
            }
        }
        Ok(())
    }

    fn fresh(&self, linear: &Linear, random: &mut StdRng) -> Lora {
        let weight = linear.weight.val();
        let ([outputs, inputs], device) = (weight.dims(), weight.device());
        let bound = 1.0 / (inputs as f32).sqrt();
        let values: Vec<f32> = (0..self.rank * inputs).map(|_| random.random_range(-bound..bound)).collect();
        Lora::new(
            matrix(values, [self.rank, inputs], &device),
            Tensor::zeros([outputs, self.rank], &device),
            self.scale(),
        )
    }
}

/// A layer's linear parts with their names.
pub(crate) fn linears(layer: &mut DecoderLayer) -> [(&'static str, &mut Linear); 7] {
    let (attention, mlp) = (&mut layer.self_attn, &mut layer.mlp);
    [
        ("q_proj", &mut attention.q_proj),
        ("k_proj", &mut attention.k_proj),
        ("v_proj", &mut attention.v_proj),
        ("o_proj", &mut attention.o_proj),
        ("gate_proj", &mut mlp.gate_proj),
        ("up_proj", &mut mlp.up_proj),
        ("down_proj", &mut mlp.down_proj),
    ]
}

fn matrix(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
