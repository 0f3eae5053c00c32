//! Networks small enough to differentiate by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Tensor};
use grm_model::{Gradients, Network, Outputs, ParameterInfo, RowError, TokenRow};

pub(crate) const VOCABULARY: usize = 8;

/// What goes wrong, by calls of `gradients` counted from 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(crate) calls: Arc<AtomicUsize>,
    /// This call is refused.
    pub(crate) refuse_at: Option<usize>,
    /// This call and later ones see outputs that are NaN.
    pub(crate) nan_from: Option<usize>,
}

impl Faults {
    fn next(&self) -> Result<bool, RowError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.refuse_at == Some(call) {
            return Err(RowError::Empty { row: 0 });
        }
        Ok(self.nan_from.is_some_and(|from| call >= from))
    }
}

fn host(tensor: &Tensor<1>) -> Vec<f32> {
    tensor.to_data().try_to_vec().unwrap()
}

fn tensor(values: &[f32]) -> Tensor<1> {
    Tensor::from_floats(values, &Device::default())
}

/// log p(next | previous) = log softmax(table[previous] + bias)[next].
#[derive(Debug, Clone)]
pub(crate) struct Bigram {
    pub(crate) table: Tensor<1>, // [VOCABULARY, VOCABULARY], flat
    pub(crate) bias: Tensor<1>,  // [VOCABULARY]
    pub(crate) start: Option<Box<Bigram>>,
    pub(crate) faults: Faults,
}

impl Bigram {
    pub(crate) fn new() -> Self {
        let wave = |index: usize| ((index * 37 % 101) as f32 / 101.0 - 0.5) * 0.3;
        let table: Vec<f32> = (0..VOCABULARY * VOCABULARY).map(wave).collect();
        Self { table: tensor(&table), bias: tensor(&[0.01; VOCABULARY]), start: None, faults: Faults::default() }
    }

    /// With itself as it is now to compare with, as LoRA's base is.
    pub(crate) fn with_reference(self) -> Self {
        Self { start: Some(Box::new(self.clone())), ..self }
    }

    fn log_probabilities(table: &[f32], bias: &[f32], previous: u32) -> Vec<f32> {
        let row = &table[previous as usize * VOCABULARY..][..VOCABULARY];
        let logits: Vec<f32> = row.iter().zip(bias).map(|(entry, bias)| entry + bias).collect();
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
        logits.iter().map(|logit| logit - most - sum.ln()).collect()
    }
}

/// Previous and next token of every target.
fn targets(row: &TokenRow) -> impl Iterator<Item = (u32, u32)> {
    row.tokens.windows(2).skip(row.targets_from.max(1) - 1).map(|pair| (pair[0], pair[1]))
}

impl Network for Bigram {
    fn outputs(&self, rows: &[TokenRow]) -> Result<Outputs, RowError> {
        let (table, bias) = (host(&self.table), host(&self.bias));
        let output = |(previous, next)| Self::log_probabilities(&table, &bias, previous)[next as usize];
        Ok(rows.iter().map(|row| targets(row).map(output).collect()).collect())
    }

    fn reference_outputs(&self, rows: &[TokenRow]) -> Option<Result<Outputs, RowError>> {
        self.start.as_ref().map(|start| start.outputs(rows))
    }

    fn gradients(&self, rows: &[TokenRow], loss: &mut dyn FnMut(&Outputs) -> Outputs) -> Result<Gradients, RowError> {
        let mut outputs = self.outputs(rows)?;
        if self.faults.next()? {
            outputs[0][0] = f32::NAN;
        }
        let derivatives = loss(&outputs);
        let (table, bias) = (host(&self.table), host(&self.bias));
        let (mut by_table, mut by_bias) = (vec![0.0; table.len()], vec![0.0; bias.len()]);
        for (row, derivatives) in rows.iter().zip(derivatives) {
            for ((previous, next), derivative) in targets(row).zip(derivatives) {
                for (index, log) in Self::log_probabilities(&table, &bias, previous).into_iter().enumerate() {
                    let change = derivative * (f32::from(u8::from(index == next as usize)) - log.exp());
                    by_table[previous as usize * VOCABULARY + index] += change;
                    by_bias[index] += change;
                }
            }
        }
        let mut gradients = Gradients::default();
        gradients.add("table.weight", tensor(&by_table));
        gradients.add("table.bias", tensor(&by_bias));
        Ok(gradients)
    }

    fn parameters(&self) -> Vec<ParameterInfo> {
        vec![
            ParameterInfo { name: "table.bias".into(), shape: vec![VOCABULARY] },
            ParameterInfo { name: "table.weight".into(), shape: vec![VOCABULARY, VOCABULARY] },
        ]
    }

    fn update(&mut self, change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>) {
        self.table = change("table.weight", self.table.clone());
        self.bias = change("table.bias", self.bias.clone());
    }
}

/// A row's reward is the mean weight of its tokens.
#[derive(Debug, Clone)]
pub(crate) struct Scorer {
    pub(crate) weights: Tensor<1>, // [VOCABULARY]
    pub(crate) faults: Faults,
}

impl Scorer {
    pub(crate) fn new() -> Self {
        Self { weights: tensor(&[0.02; VOCABULARY]), faults: Faults::default() }
    }
}

impl Network for Scorer {
    fn outputs(&self, rows: &[TokenRow]) -> Result<Outputs, RowError> {
        let weights = host(&self.weights);
        let reward = |row: &TokenRow| {
            let sum: f32 = row.tokens.iter().map(|&token| weights[token as usize]).sum();
            vec![sum / row.tokens.len() as f32]
        };
        Ok(rows.iter().map(reward).collect())
    }

    fn reference_outputs(&self, _: &[TokenRow]) -> Option<Result<Outputs, RowError>> {
        None
    }

    fn gradients(&self, rows: &[TokenRow], loss: &mut dyn FnMut(&Outputs) -> Outputs) -> Result<Gradients, RowError> {
        self.faults.next()?;
        let derivatives = loss(&self.outputs(rows)?);
        let mut by_weights = vec![0.0; VOCABULARY];
        for (row, derivative) in rows.iter().zip(derivatives) {
            for &token in &row.tokens {
                by_weights[token as usize] += derivative[0] / row.tokens.len() as f32;
            }
        }
        let mut gradients = Gradients::default();
        gradients.add("score.weight", tensor(&by_weights));
        Ok(gradients)
    }

    fn parameters(&self) -> Vec<ParameterInfo> {
        vec![ParameterInfo { name: "score.weight".into(), shape: vec![1, VOCABULARY] }]
    }

    fn update(&mut self, change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>) {
        self.weights = change("score.weight", self.weights.clone());
    }
}
