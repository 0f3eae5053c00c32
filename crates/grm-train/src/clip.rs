//! Gradients no longer than allowed, as `torch.nn.utils.clip_grad_norm_` does it.

use grm_model::Gradients;

/// Gradients after clipping, and their norm before.
#[derive(Debug, Clone)]
pub struct Clipped {
    /// Scaled down where they were too long.
    pub gradients: Gradients,
    /// The L2 norm over all of them, before.
    pub norm: f64,
}

/// Scales by min(1, `norm_max` / (norm + 1e-6)); a `norm_max` of 0 never scales. `None` when the norm is NaN or infinite:
/// such gradients must not reach an optimiser.
#[must_use]
pub fn clip(gradients: Gradients, norm_max: f64) -> Option<Clipped> {
    let norm = gradients.norm();
    if !norm.is_finite() {
        return None;
    }
    let coefficient = norm_max / (norm + 1e-6);
    if norm_max == 0.0 || coefficient >= 1.0 {
        return Some(Clipped { gradients, norm });
    }
    #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
    let gradients = gradients.scaled(coefficient as f32);
    Some(Clipped { gradients, norm })
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::*;

    fn gradients(values: [f32; 3]) -> Gradients {
        let mut gradients = Gradients::default();
        let device = Device::default();
        gradients.add("a", Tensor::from_floats([values[0], values[1]], &device));
        gradients.add("b", Tensor::from_floats([values[2]], &device));
        gradients
    }

    fn values(gradients: &Gradients) -> Vec<f32> {
        gradients.iter().flat_map(|(_, gradient)| gradient.to_data().try_to_vec::<f32>().unwrap()).collect()
    }

    #[test]
    fn long_gradients_are_scaled_together() {
        let clipped = clip(gradients([2.0, 3.0, 6.0]), 1.0).unwrap();
        assert_eq!(clipped.norm, 7.0);
        for (value, expected) in values(&clipped.gradients).into_iter().zip([2.0, 3.0, 6.0]) {
            assert!((value - expected / 7.000_001).abs() < 1e-6);
        }
    }

    #[test]
    fn short_ones_and_no_limit_leave_them_as_they_are() {
        for norm_max in [0.0, 8.0] {
            let clipped = clip(gradients([2.0, 3.0, 6.0]), norm_max).unwrap();
            assert_eq!((clipped.norm, values(&clipped.gradients)), (7.0, vec![2.0, 3.0, 6.0]));
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        assert!(clip(gradients([f32::NAN, 0.0, 1.0]), 1.0).is_none());
        assert!(clip(gradients([0.0, 0.0, f32::INFINITY]), 1.0).is_none());
    }
}
