//! `AdamW` (Loshchilov & Hutter 2019), in the order of operations of `torch.optim.AdamW`.
//!
//! ```text
//! p ← p (1 − η λ)
//! m ← m + (g − m)(1 − β₁)          v ← β₂ v + (1 − β₂) g²
//! p ← p − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
//! ```
//!
//! The decay comes first and touches neither moment; ε is outside the root, after the bias correction. A parameter
//! without a gradient is left as it is, its decay and its t too.

use std::collections::BTreeMap;

use burn::tensor::{Device, FloatDType, Tensor};
use grm_model::{Gradients, Network, ParameterInfo};
use serde::{Deserialize, Serialize};

use crate::adamw_step::{Factors, State};
use crate::error::{CheckpointError, TrainError};
use crate::tensors::{self, NamedTensor};

/// `AdamW`'s dials. The default is torch's, but for the decay: 0, as transformers and LLaMA-Factory have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWSettings {
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub epsilon: f64,
    /// λ.
    pub weight_decay: f64,
    /// What decays.
    pub decay: Decay,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decay: Decay::WithoutNormsAndBiases }
    }
}

/// Which parameters decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// All but biases and the weights of norms, by name, as transformers groups them.
    #[default]
    WithoutNormsAndBiases,
    /// All, as bare torch does.
    Everything,
}

impl Decay {
    fn includes(self, name: &str) -> bool {
        let name = name.to_lowercase();
        let of_norm = |part: &str| part == "norm" || part.ends_with("_norm");
        let exempt =
            ["bias", "layernorm", "rmsnorm"].iter().any(|word| name.contains(word)) || name.split('.').any(of_norm);
        self == Self::Everything || !exempt
    }
}

/// The moments of every parameter that has had a gradient.
#[derive(Debug, Clone)]
pub struct AdamW {
    settings: AdamWSettings,
    moments: BTreeMap<String, Moments>,
}

#[derive(Debug, Clone)]
struct Moments {
    steps: i32,
    first: Tensor<1>,
    second: Tensor<1>,
}

impl AdamW {
    /// Before the first step.
    #[must_use]
    pub fn new(settings: AdamWSettings) -> Self {
        Self { settings, moments: BTreeMap::new() }
    }

    /// One step on every parameter that has a gradient.
    ///
    /// # Errors
    /// [`TrainError::Gradient`] for a gradient of no parameter's name or of another size; nothing is changed then.
    pub fn step<N: Network>(&mut self, network: &mut N, gradients: &Gradients, rate: f64) -> Result<(), TrainError> {
        check(&network.parameters(), gradients)?;
        network.update(&mut |name, value| match gradients.get(name) {
            Some(gradient) => self.change(name, value, gradient.clone().without_autodiff(), rate),
            None => value,
        });
        Ok(())
    }

    fn change(&mut self, name: &str, value: Tensor<1>, gradient: Tensor<1>, rate: f64) -> Tensor<1> {
        let (dtype, device) = (FloatDType::from(value.dtype()), value.device().inner());
        let (value, gradient) = (value.without_autodiff().cast(FloatDType::F32), gradient.cast(FloatDType::F32));
        let before = self.moments.remove(name).unwrap_or_else(|| Moments {
            steps: 0,
            first: gradient.zeros_like(),
            second: gradient.zeros_like(),
        });
        let factors = self.factors(name, before.steps + 1, rate);
        let state = State { value, first: before.first, second: before.second };
        let after = if device == Device::flex() {
            factors.step_on_host(state, gradient)
        } else {
            factors.step_on_device(state, gradient)
        };
        let moments = Moments { steps: before.steps + 1, first: after.first, second: after.second };
        self.moments.insert(name.to_owned(), moments);
        after.value.cast(dtype)
    }

    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn factors(&self, name: &str, steps: i32, rate: f64) -> Factors {
        let AdamWSettings { beta1, beta2, epsilon, weight_decay, decay } = self.settings;
        let weight_decay = if decay.includes(name) { weight_decay } else { 0.0 };
        Factors {
            decay: (1.0 - rate * weight_decay) as f32,
            toward: (1.0 - beta1) as f32,
            keep: beta2 as f32,
            add: (1.0 - beta2) as f32,
            root: (1.0 - beta2.powi(steps)).sqrt() as f32,
            epsilon: epsilon as f32,
            rate: (rate / (1.0 - beta1.powi(steps))) as f32,
        }
    }

    /// The moments under torch's words: `NAME.exp_avg`, `NAME.exp_avg_sq`, `NAME.step`.
    pub(crate) fn tensors(&self) -> Vec<NamedTensor> {
        let tensors = self.moments.iter().flat_map(|(name, moments)| {
            #[expect(clippy::cast_precision_loss, reason = "torch counts steps in f32 as well")]
            let steps = Tensor::from_floats([moments.steps as f32], &moments.first.device());
            [("exp_avg", moments.first.clone()), ("exp_avg_sq", moments.second.clone()), ("step", steps)]
                .map(|(what, tensor)| NamedTensor::flat(format!("{name}.{what}"), tensor))
        });
        tensors.collect()
    }

    /// Reads what [`AdamW::tensors`] gave, onto the devices of the network's parameters.
    pub(crate) fn load<N: Network>(
        settings: AdamWSettings,
        network: &mut N,
        mut file: tensors::TensorFile,
    ) -> Result<Self, CheckpointError> {
        let mut devices = Vec::new();
        network.update(&mut |name, value| {
            devices.push((name.to_owned(), value.shape().num_elements(), value.device().inner()));
            value
        });
        let mut moments = BTreeMap::new();
        for (name, size, device) in devices {
            if !file.has(&format!("{name}.step")) {
                continue;
            }
            let mut take = |what: &str, size| file.take(&format!("{name}.{what}"), &[size], &device, None);
            let (first, second) = (take("exp_avg", size)?, take("exp_avg_sq", size)?);
            #[expect(clippy::cast_possible_truncation, reason = "a whole number, see `tensors`")]
            let steps = take("step", 1)?.into_scalar::<f32>() as i32;
            moments.insert(name, Moments { steps, first, second });
        }
        file.finish()?;
        Ok(Self { settings, moments })
    }
}

fn check(parameters: &[ParameterInfo], gradients: &Gradients) -> Result<(), TrainError> {
    let sizes: BTreeMap<&str, usize> =
        parameters.iter().map(|info| (info.name.as_str(), info.shape.iter().product())).collect();
    for (name, gradient) in gradients.iter() {
        let given = gradient.shape().num_elements();
        if sizes.get(name) != Some(&given) {
            return Err(TrainError::Gradient { name: name.to_owned(), given, expected: sizes.get(name).copied() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use grm_model::{Outputs, RowError, TokenRow};

    use super::*;

    struct Parameters(BTreeMap<String, Tensor<1>>);

    impl Network for Parameters {
        fn outputs(&self, _: &[TokenRow]) -> Result<Outputs, RowError> {
            Ok(Vec::new())
        }

        fn reference_outputs(&self, _: &[TokenRow]) -> Option<Result<Outputs, RowError>> {
            None
        }

        fn gradients(&self, _: &[TokenRow], _: &mut dyn FnMut(&Outputs) -> Outputs) -> Result<Gradients, RowError> {
            Ok(Gradients::default())
        }

        fn parameters(&self) -> Vec<ParameterInfo> {
            let info =
                |(name, value): (&String, &Tensor<1>)| ParameterInfo { name: name.clone(), shape: value.dims().into() };
            self.0.iter().map(info).collect()
        }

        fn update(&mut self, change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>) {
            for (name, value) in &mut self.0 {
                *value = change(name, value.clone());
            }
        }
    }

    fn parameters(names: &[&str]) -> Parameters {
        let value = |name: &&str| ((*name).to_owned(), Tensor::from_floats([1.0, -2.0], &Device::default()));
        Parameters(names.iter().map(value).collect())
    }

    fn gradients(name: &str, values: &[f32]) -> Gradients {
        let mut gradients = Gradients::default();
        gradients.add(name, Tensor::from_floats(values, &Device::default()));
        gradients
    }

    fn values(network: &Parameters, name: &str) -> Vec<f32> {
        network.0[name].to_data().try_to_vec().unwrap()
    }

    /// The equations in f64, one number at a time.
    fn by_hand(start: f64, gradients: &[f64], settings: &AdamWSettings, rate: f64) -> f64 {
        let (mut value, mut first, mut second) = (start, 0.0, 0.0);
        for (step, gradient) in (1..).zip(gradients) {
            value -= rate * settings.weight_decay * value;
            first = settings.beta1 * first + (1.0 - settings.beta1) * gradient;
            second = settings.beta2 * second + (1.0 - settings.beta2) * gradient * gradient;
            let corrected = first / (1.0 - settings.beta1.powi(step));
            let scale = (second / (1.0 - settings.beta2.powi(step))).sqrt();
            value -= rate * corrected / (scale + settings.epsilon);
        }
        value
    }

    /// Worked out on paper: step 1 moves by η g / (|g| + ε) whatever g is, after a decay of η λ.
    #[test]
    fn the_first_step_is_the_sign_of_the_gradient() {
        let mut network = parameters(&["w"]);
        let settings = AdamWSettings { weight_decay: 0.01, ..AdamWSettings::default() };
        AdamW::new(settings).step(&mut network, &gradients("w", &[0.5, -4.0]), 0.1).unwrap();
        for (value, expected) in values(&network, "w").into_iter().zip([0.999 - 0.1, -1.998 + 0.1]) {
            assert!((value - expected).abs() < 1e-6, "{value} {expected}");
        }
    }

    #[test]
    fn many_steps_follow_the_equations() {
        let settings = AdamWSettings { weight_decay: 0.1, epsilon: 1e-3, ..AdamWSettings::default() };
        let mut network = parameters(&["w"]);
        let mut optimiser = AdamW::new(settings.clone());
        let steps = [[0.3, -0.02], [-0.1, 0.5], [0.7, 0.0], [0.05, -1.5]];
        for gradient in steps {
            optimiser.step(&mut network, &gradients("w", &gradient.map(|value: f64| value as f32)), 0.01).unwrap();
        }
        for (index, start) in [1.0, -2.0].into_iter().enumerate() {
            let expected = by_hand(start, &steps.map(|gradient| gradient[index]), &settings, 0.01);
            let value = f64::from(values(&network, "w")[index]);
            assert!((value - expected).abs() < 1e-6, "{value} {expected}");
        }
    }

    #[test]
    fn norms_and_biases_do_not_decay() {
        let exempt = [
            "model.layers.0.self_attn.q_proj.bias",
            "model.layers.0.input_layernorm.weight",
            "model.layers.0.self_attn.q_norm.weight",
            "model.norm.weight",
            "score.bias",
        ];
        let decaying = ["model.layers.0.self_attn.q_proj.lora_A.weight", "model.normal.weight", "lm_head.weight"];
        assert!(exempt.iter().all(|name| !Decay::WithoutNormsAndBiases.includes(name)));
        assert!(decaying.iter().all(|name| Decay::WithoutNormsAndBiases.includes(name)));
        assert!(exempt.iter().all(|name| Decay::Everything.includes(name)));
    }

    #[test]
    fn without_a_gradient_nothing_moves() {
        let mut network = parameters(&["a", "b"]);
        let settings = AdamWSettings { weight_decay: 0.5, ..AdamWSettings::default() };
        AdamW::new(settings).step(&mut network, &gradients("a", &[1.0, 1.0]), 0.1).unwrap();
        assert_eq!(values(&network, "b"), [1.0, -2.0]);
        assert_ne!(values(&network, "a"), [1.0, -2.0]);
    }

    #[test]
    fn a_gradient_that_fits_no_parameter_is_named() {
        let mut network = parameters(&["a"]);
        let mut optimiser = AdamW::new(AdamWSettings::default());
        for (name, values) in [("b", [1.0, 1.0].as_slice()), ("a", &[1.0])] {
            let error = optimiser.step(&mut network, &gradients(name, values), 0.1).unwrap_err().to_string();
            assert!(error.contains(&format!("gradient of {name}")), "{error}");
        }
    }
}
