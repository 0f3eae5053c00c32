//! DPO begins with the policy equal to the reference, so its first loss is −log σ(0) = ln 2 whatever the data: anything else
//! means another reference, another start or dropout.

use std::{f64::consts::LN_2, path::Path};

use super::{error::ImportError, training_log::TrainingLog};

const TOLERANCE: f64 = 1e-3;

/// The loss at step 1 of a DPO run that logged it; `None` for other trainings.
pub(super) fn check(folder: &Path, log: &TrainingLog) -> Result<Option<f64>, ImportError> {
    let is_preference = |name: &String| name.starts_with("rewards/");
    let first = log.records.iter().find(|record| !record.is_evaluation()).filter(|record| record.step == 1);
    let Some(loss) = first.filter(|record| record.values.keys().any(is_preference)).and_then(|r| r.values.get("loss"))
    else {
        return Ok(None);
    };
    if (loss - LN_2).abs() <= TOLERANCE {
        return Ok(Some(*loss));
    }
    Err(ImportError::FirstLoss { path: folder.join(log.path.file_name().unwrap_or_default()), found: *loss })
}
