//! What DPO's reference says about each pair, computed before the first step and kept beside the run.

use std::path::Path;

use grm_model::Network;
use serde::{Deserialize, Serialize};

use crate::batching::evaluation_batches;
use crate::disk;
use crate::error::{FolderError, TrainError};
use crate::job::{Job, ids, lengths};
use crate::objective::dpo::{LogProbability, PairLogProbabilities, ReferenceModel, pair_log_probabilities};
use crate::progress::Progress;
use crate::task::{Example, Split, rows};

const FILE: &str = "reference.json";
const VERSION: u32 = 1;

/// `reference.json`: two numbers for each pair that is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceFile {
    version: u32,
    data: String,
    train: Vec<[f64; 2]>,
    held_out: Vec<[f64; 2]>,
}

/// The reference's log-probabilities by index of the pair.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reference {
    pub(crate) train: Vec<PairLogProbabilities>,
    pub(crate) held_out: Vec<PairLogProbabilities>,
}

impl Reference {
    /// What DPO compares with when that is computed beforehand: read when going on with a run, else computed with the
    /// network as it is and written. Empty for all else.
    pub(crate) fn of<N: Network>(
        job: &Job,
        network: &N,
        folder: &Path,
        resumed: bool,
        progress: &mut dyn Progress,
    ) -> Result<Self, TrainError> {
        let Some(dpo) = job.dpo().filter(|dpo| dpo.reference == ReferenceModel::Start) else {
            return Ok(Self::default());
        };
        let path = folder.join(FILE);
        let Split { train, held_out } = &job.examples;
        if let Some(known) = Self::read(&path, &job.data, [train.len(), held_out.len()]).filter(|_| resumed) {
            return Ok(known);
        }
        let total = train.len() + held_out.len();
        let mut done = 0;
        let mut computed = |examples| {
            log_probabilities(job, network, examples, dpo.log_probability, &mut |count| {
                done += count;
                progress.referenced(done, total);
            })
        };
        let reference = Self { train: computed(train)?, held_out: computed(held_out)? };
        reference.write(&path, &job.data)?;
        Ok(reference)
    }

    /// Reads the file of a run on this data with these numbers of pairs; `None` when it is not there or is another's.
    fn read(path: &Path, data: &str, pairs: [usize; 2]) -> Option<Self> {
        let file: ReferenceFile = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let same = file.version == VERSION && file.data == data && [file.train.len(), file.held_out.len()] == pairs;
        same.then(|| Self { train: pairs_of(&file.train), held_out: pairs_of(&file.held_out) })
    }

    fn write(&self, path: &Path, data: &str) -> Result<(), FolderError> {
        let numbers = |pairs: &[PairLogProbabilities]| pairs.iter().map(|pair| [pair.chosen, pair.rejected]).collect();
        let file = ReferenceFile {
            version: VERSION,
            data: data.to_owned(),
            train: numbers(&self.train),
            held_out: numbers(&self.held_out),
        };
        let json = serde_json::to_vec(&file).expect("numbers and a word");
        disk::replace(path, &json).map_err(|source| FolderError { path: path.to_owned(), source })
    }
}

/// Of every pair, by index.
fn log_probabilities<N: Network>(
    job: &Job,
    network: &N,
    examples: &[Example],
    reduction: LogProbability,
    counted: &mut dyn FnMut(usize),
) -> Result<Vec<PairLogProbabilities>, TrainError> {
    let place = || "reference".to_owned();
    let mut all = vec![PairLogProbabilities { chosen: 0.0, rejected: 0.0 }; examples.len()];
    for batch in evaluation_batches(&lengths(examples), 2, &job.settings.batches()) {
        let pairs: Vec<&Example> = batch.iter().map(|&index| &examples[index]).collect();
        let outputs = network.outputs(&rows(&pairs)).map_err(|source| TrainError::Rows {
            place: place(),
            examples: ids(pairs.iter().map(|pair| pair.id)),
            source,
        })?;
        let checked = job.objective.check(&pairs, &outputs);
        checked.map_err(|source| TrainError::Outputs { place: place(), source })?;
        for (index, pair) in batch.iter().zip(pair_log_probabilities(&outputs, reduction)) {
            all[*index] = pair;
        }
        counted(batch.len());
    }
    Ok(all)
}

fn pairs_of(numbers: &[[f64; 2]]) -> Vec<PairLogProbabilities> {
    numbers.iter().map(|&[chosen, rejected]| PairLogProbabilities { chosen, rejected }).collect()
}
