//! What a pilot's journal says of easy and hard pairs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use grm_journal::RecordedCall;
use grm_judge::Route;
use serde::Serialize;

use crate::{metrics::Metrics, outcomes::each_record, run::read_manifest};

/// Counts of a finished run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Measured {
    /// The run folder.
    pub(crate) folder: PathBuf,
    /// The verb that made it.
    pub(crate) verb: String,
    /// Pairs it went through; those that failed are not among them.
    pub(crate) pairs: u64,
    /// Pairs with a call that had no reply.
    pub(crate) failed: u64,
    /// Pairs that gave an SFT example.
    pub(crate) sft: u64,
    /// Pairs that gave a DPO pair.
    pub(crate) dpo: u64,
    /// Pairs that needed no exploration.
    pub(crate) easy: Class,
    /// Pairs that did.
    pub(crate) hard: Class,
}

/// Pairs of one kind, with their calls by step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Class {
    /// How many pairs.
    pub(crate) pairs: u64,
    /// Their calls.
    pub(crate) steps: BTreeMap<String, Calls>,
}

/// Calls of one step, and their tokens as the engine counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Calls {
    pub(crate) calls: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) reply_tokens: u64,
}

impl Measured {
    /// Reads a finished run of synthesize or judge.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let manifest = read_manifest(folder)?;
        if !manifest.complete {
            bail!("the pilot {0} is not finished; continue with: grm runs resume {0}", folder.display());
        }
        let path = folder.join("metrics.json");
        let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        let metrics: Metrics =
            serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
        let count = |route: Route| metrics.routes.get(&route).copied().unwrap_or(0);
        let dpo = count(Route::Improved);
        let only_sft = [Route::Easy, Route::ImprovedAndDirectRight, Route::ImprovedAndDirectInvalid]
            .map(count)
            .iter()
            .sum::<u64>();
        let (easy, hard) = classes(folder)?;
        let (pairs, failed) = (easy.pairs + hard.pairs, metrics.failed_pairs());
        if pairs == 0 {
            bail!("the pilot {} holds no pair that was gone through; run it over some fifty", folder.display());
        }
        Ok(Self { folder: folder.to_owned(), verb: manifest.verb, pairs, failed, sft: only_sft + dpo, dpo, easy, hard })
    }

    /// All steps of the pilot in the method's order.
    pub(crate) fn steps(&self) -> Vec<&str> {
        let both: BTreeSet<&str> = self.easy.steps.keys().chain(self.hard.steps.keys()).map(String::as_str).collect();
        let order = |step: &&str| ORDER.iter().position(|known| known == step).unwrap_or(ORDER.len());
        let mut steps: Vec<&str> = both.into_iter().collect();
        steps.sort_by_key(order);
        steps
    }
}

/// Steps in the method's order.
const ORDER: [&str; 7] = ["criteria", "expansion", "judgment", "refinement", "scoring", "combined", "direct"];

/// Easy pairs are those for which no trajectory was followed.
fn classes(folder: &Path) -> anyhow::Result<(Class, Class)> {
    let (mut easy, mut hard) = (Class::default(), Class::default());
    let mut is_hard: BTreeMap<String, bool> = BTreeMap::new();
    each_record(folder, |record| {
        if let Some(judged) = record.judged() {
            let followed = !judged.trajectories.is_empty();
            is_hard.insert(record.comparison.id.clone(), followed);
            if followed { hard.pairs += 1 } else { easy.pairs += 1 }
        }
        Ok(true)
    })?;
    grm_journal::each_call(&folder.join("journal"), |call| match is_hard.get(&call.pair) {
        Some(true) => hard.count(&call),
        Some(false) => easy.count(&call),
        None => {}
    })?;
    Ok((easy, hard))
}

impl Class {
    fn count(&mut self, call: &RecordedCall) {
        let tokens = |name: &str| call.reply["usage"][name].as_u64().unwrap_or(0);
        let calls = self.steps.entry(call.step.clone()).or_default();
        calls.calls += 1;
        calls.prompt_tokens += tokens("prompt_tokens");
        calls.cached_tokens += tokens("cached_tokens");
        calls.reply_tokens += tokens("completion_tokens");
    }

    /// The calls of one step; none where there were none.
    pub(crate) fn of(&self, step: &str) -> Calls {
        self.steps.get(step).copied().unwrap_or_default()
    }
}
