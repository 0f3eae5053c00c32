//! One micro-batch: rows to the network, its outputs to the objective, derivatives back.

use grm_model::{Gradients, Network, Outputs, RowError};

use crate::error::TrainError;
use crate::job::{Job, ids};
use crate::objective::dpo::{PairLogProbabilities, ReferenceModel, pair_log_probabilities};
use crate::objective::{Value, WrongOutputs};
use crate::task::{Example, rows};

/// What is needed to work on a micro-batch; several may be worked on at once.
pub(crate) struct Desk<'a, N> {
    pub(crate) job: &'a Job<'a>,
    pub(crate) network: &'a N,
    /// Named in errors.
    pub(crate) step: usize,
}

impl<N: Network> Desk<'_, N> {
    /// Gradients, with loss and metrics.
    pub(crate) fn micro_batch(
        &self,
        examples: &[&Example],
        reference: &[PairLogProbabilities],
        weight: f64,
    ) -> Result<(Gradients, Value), TrainError> {
        let mut value = None;
        let gradients = self.network.gradients(&rows(examples), &mut |outputs| {
            let result = self.job.objective.value(examples, outputs, reference, weight);
            let derivatives = result.as_ref().map_or_else(|_| zeros(outputs), |value| value.derivatives.clone());
            value = Some(result);
            derivatives
        });
        let gradients = gradients.map_err(|source| self.refused(examples, source))?;
        let value = value.expect("a network asks for the derivatives before it gives gradients");
        Ok((gradients, value.map_err(|source| self.wrong(source))?))
    }

    /// Loss and metrics alone.
    pub(crate) fn value(
        &self,
        examples: &[&Example],
        reference: &[PairLogProbabilities],
        weight: f64,
    ) -> Result<Value, TrainError> {
        let outputs = self.network.outputs(&rows(examples)).map_err(|source| self.refused(examples, source))?;
        let value = self.job.objective.value(examples, &outputs, reference, weight);
        value.map_err(|source| self.wrong(source))
    }

    /// What the reference says about these pairs; nothing when the objective has none.
    pub(crate) fn reference(
        &self,
        indices: &[usize],
        examples: &[&Example],
        known: &[PairLogProbabilities],
    ) -> Result<Vec<PairLogProbabilities>, TrainError> {
        let Some(dpo) = self.job.dpo() else { return Ok(Vec::new()) };
        if dpo.reference == ReferenceModel::Start {
            return Ok(indices.iter().map(|&index| known[index]).collect());
        }
        let outputs = self.network.reference_outputs(&rows(examples)).ok_or(TrainError::NoReference)?;
        let outputs = outputs.map_err(|source| self.refused(examples, source))?;
        self.job.objective.check(examples, &outputs).map_err(|source| self.wrong(source))?;
        Ok(pair_log_probabilities(&outputs, dpo.log_probability))
    }

    fn place(&self) -> String {
        format!("step {}", self.step)
    }

    fn refused(&self, examples: &[&Example], source: RowError) -> TrainError {
        TrainError::Rows { place: self.place(), examples: ids(examples.iter().map(|example| example.id)), source }
    }

    fn wrong(&self, source: WrongOutputs) -> TrainError {
        TrainError::Outputs { place: self.place(), source }
    }
}

fn zeros(outputs: &Outputs) -> Outputs {
    outputs.iter().map(|row| vec![0.0; row.len()]).collect()
}
