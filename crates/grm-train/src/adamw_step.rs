//! One `AdamW` step of one parameter, see `optimiser.rs` for the equations.
//!
//! Twice: as tensor operations for any device, and as one pass over memory where tensors lie in the host's, which takes
//! a third of the time since nothing else is read or written in between. Both do the same operations in the same order.

use burn::tensor::{Device, Tensor, TensorData};

/// Values in a piece of work for one thread; fewer are not worth a thread.
const PIECE: usize = 1 << 18;

/// What a step does with each value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factors {
    /// 1 − η λ
    pub(crate) decay: f32,
    /// 1 − β₁
    pub(crate) toward: f32,
    /// β₂
    pub(crate) keep: f32,
    /// 1 − β₂
    pub(crate) add: f32,
    /// √(1 − β₂ᵗ)
    pub(crate) root: f32,
    /// ε
    pub(crate) epsilon: f32,
    /// η / (1 − β₁ᵗ)
    pub(crate) rate: f32,
}

/// A parameter and its moments, flat and in f32.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) value: Tensor<1>,
    pub(crate) first: Tensor<1>,
    pub(crate) second: Tensor<1>,
}

impl Factors {
    /// With tensor operations.
    pub(crate) fn step_on_device(&self, state: State, gradient: Tensor<1>) -> State {
        let first = state.first.clone() + (gradient.clone() - state.first) * self.toward;
        let second = state.second * self.keep + gradient.clone() * gradient * self.add;
        let scale = second.clone().sqrt() / self.root + self.epsilon;
        let value = state.value * self.decay - first.clone() / scale * self.rate;
        State { value, first, second }
    }

    /// In one pass, in place where nobody else holds the tensors.
    pub(crate) fn step_on_host(&self, state: State, gradient: Tensor<1>) -> State {
        let mut data = [state.value, state.first, state.second].map(Tensor::into_data);
        let gradient = gradient.into_data();
        let [value, first, second] = data.each_mut().map(values);
        let gradient = gradient.as_slice::<f32>().expect(IN_HOST_MEMORY);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let piece = value.len().div_ceil(threads).max(PIECE);
        let pieces = value.chunks_mut(piece).zip(first.chunks_mut(piece)).zip(second.chunks_mut(piece));
        let several = gradient.len() > piece;
        std::thread::scope(|scope| {
            for (((value, first), second), gradient) in pieces.zip(gradient.chunks(piece)) {
                let mut work = move || self.step(value, first, second, gradient);
                if several {
                    scope.spawn(work);
                } else {
                    work();
                }
            }
        });
        let [value, first, second] = data.map(|data| Tensor::from_data(data, &Device::flex()));
        State { value, first, second }
    }

    fn step(&self, values: &mut [f32], firsts: &mut [f32], seconds: &mut [f32], gradients: &[f32]) {
        let moments = firsts.iter_mut().zip(seconds);
        for ((value, (first, second)), gradient) in values.iter_mut().zip(moments).zip(gradients) {
            *first += (gradient - *first) * self.toward;
            *second = *second * self.keep + gradient * gradient * self.add;
            let scale = second.sqrt() / self.root + self.epsilon;
            *value = *value * self.decay - *first / scale * self.rate;
        }
    }
}

const IN_HOST_MEMORY: &str = "f32 tensors of this device lie in the host's memory";

fn values(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice::<f32>().expect(IN_HOST_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(size: usize, step: f32) -> Tensor<1> {
        #[expect(clippy::cast_precision_loss, reason = "any number will do")]
        let values: Vec<f32> = (0..size).map(|index| (index as f32 * step).sin()).collect();
        Tensor::from_floats(values.as_slice(), &Device::flex())
    }

    /// One piece and several, whose seams must not show.
    #[test]
    fn both_ways_agree_to_the_bit() {
        for size in [5, PIECE + 1, 3 * PIECE + 7] {
            let factors =
                Factors { decay: 0.999, toward: 0.1, keep: 0.999, add: 0.001, root: 0.03, epsilon: 1e-8, rate: 0.01 };
            let state =
                State { value: wave(size, 0.3), first: wave(size, 0.7), second: wave(size, 0.9).powi_scalar(2) };
            let host = factors.step_on_host(state.clone(), wave(size, 1.1));
            let device = factors.step_on_device(state.clone(), wave(size, 1.1));
            let pairs = [(host.value, device.value), (host.first, device.first), (host.second, device.second)];
            for (host, device) in pairs {
                assert!(host.to_data().as_bytes() == device.to_data().as_bytes(), "{size} values");
            }
            let untouched = state.value.to_data();
            assert!(untouched.as_bytes() == wave(size, 0.3).to_data().as_bytes(), "a shared tensor was changed");
        }
    }
}
