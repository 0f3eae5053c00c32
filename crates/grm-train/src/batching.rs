//! Which examples meet in which step.
//!
//! The whole plan of a run is computed before it starts, from the examples' lengths and the seed: a run that is resumed
//! computes the same plan and goes on where it stopped.

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::shuffle::Random;
use crate::task::Example;

/// Micro-batches whose examples are sorted by length together: enough for little padding, few enough that what meets
/// what changes from epoch to epoch.
const POOL_MICRO_BATCHES: usize = 64;

/// In which order examples are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Shuffled each epoch, then put beside others of like length; the micro-batches are shuffled again, so that long and
    /// short ones mix over time.
    #[default]
    Bucketed,
    /// Shuffled each epoch.
    Shuffled,
    /// As they came, for comparisons with other trainers.
    AsGiven,
}

/// What was left out before training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dropped {
    /// With a row longer than the cut-off: dropped whole, since half a judgment teaches a wrong one.
    pub too_long: usize,
    /// With a row that has nothing to predict or score.
    pub empty: usize,
    /// Tokens of the longest row there was.
    pub longest: usize,
}

impl Dropped {
    /// How many in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.too_long + self.empty
    }
}

/// Keeps the examples that can be used; an error when `which` ("training", "held-out") had some and none is left.
pub(crate) fn usable<'a>(
    examples: Vec<Example<'a>>,
    which: &'static str,
    fits: &Fits,
) -> Result<(Vec<Example<'a>>, Dropped), DataError> {
    let total = examples.len();
    let mut dropped = Dropped::default();
    let keep = |example: &Example| {
        let longest = example.longest();
        dropped.longest = dropped.longest.max(longest);
        let empty = example.rows.iter().any(|row| row.tokens.is_empty() || fits.targets && row.target_count() == 0);
        let too_long = longest > fits.cutoff_tokens;
        dropped.empty += usize::from(empty);
        dropped.too_long += usize::from(too_long && !empty);
        !empty && !too_long
    };
    let kept: Vec<_> = examples.into_iter().filter(keep).collect();
    if kept.is_empty() && total > 0 {
        return Err(DataError::AllDropped { which, total, dropped, cutoff: fits.cutoff_tokens });
    }
    Ok((kept, dropped))
}

/// What a usable example is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fits {
    /// Tokens of a row, at most.
    pub(crate) cutoff_tokens: usize,
    /// Whether rows need something to predict.
    pub(crate) targets: bool,
}

/// How steps are made of examples.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSettings {
    /// Examples in a micro-batch, at most.
    pub batch: usize,
    /// Tokens in a micro-batch with its padding, at most; an example that is longer alone is a micro-batch of its own.
    pub batch_tokens: Option<usize>,
    /// Micro-batches in a step, at most.
    pub accumulation: usize,
    /// In which order.
    pub order: Order,
    /// Of the order.
    pub seed: u64,
    /// How often every example is seen.
    pub epochs: u32,
    /// Where to stop early.
    pub steps_max: Option<usize>,
}

/// Every step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In order.
    pub steps: Vec<PlannedStep>,
}

/// One optimiser step.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// Epochs done after it.
    pub epoch: f64,
    /// What its gradients are summed over.
    pub micro_batches: Vec<MicroBatch>,
}

/// Indices of the examples that go through the network together.
pub type MicroBatch = Vec<usize>;

/// Plans a run over examples whose longest rows have these lengths; `rows` is how many rows each example has.
#[must_use]
pub fn plan(lengths: &[usize], rows: usize, settings: &BatchSettings) -> Plan {
    let mut steps = Vec::new();
    for epoch in 0..settings.epochs {
        let micro_batches = epoch_batches(lengths, rows, epoch, settings);
        let groups: Vec<_> = micro_batches.chunks(settings.accumulation.max(1)).collect();
        for (index, group) in groups.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
            let part = (index + 1) as f64 / groups.len() as f64;
            steps.push(PlannedStep { epoch: f64::from(epoch) + part, micro_batches: group.to_vec() });
        }
    }
    steps.truncate(settings.steps_max.unwrap_or(usize::MAX));
    Plan { steps }
}

fn epoch_batches(lengths: &[usize], rows: usize, epoch: u32, settings: &BatchSettings) -> Vec<MicroBatch> {
    let mut random = Random::new(settings.seed, u64::from(epoch));
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    if settings.order != Order::AsGiven {
        random.shuffle(&mut order);
    }
    let pool = match settings.order {
        Order::Bucketed => settings.batch.max(1) * POOL_MICRO_BATCHES,
        Order::Shuffled | Order::AsGiven => order.len().max(1),
    };
    let mut micro_batches = Vec::new();
    for pool in order.chunks_mut(pool) {
        if settings.order == Order::Bucketed {
            pool.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
        }
        micro_batches.extend(cut(pool, lengths, rows, settings));
    }
    if settings.order == Order::Bucketed {
        random.shuffle(&mut micro_batches);
    }
    micro_batches
}

/// Cuts an order into micro-batches within both limits.
fn cut(order: &[usize], lengths: &[usize], rows: usize, settings: &BatchSettings) -> Vec<MicroBatch> {
    let mut micro_batches: Vec<MicroBatch> = Vec::new();
    let mut longest = 0;
    for &index in order {
        let padded = longest.max(lengths[index]);
        let open = micro_batches.last_mut().filter(|open| {
            let tokens = (open.len() + 1).saturating_mul(rows).saturating_mul(padded);
            open.len() < settings.batch && settings.batch_tokens.is_none_or(|most| tokens <= most)
        });
        match open {
            Some(open) => {
                open.push(index);
                longest = padded;
            }
            None => {
                micro_batches.push(vec![index]);
                longest = lengths[index];
            }
        }
    }
    micro_batches
}

/// Micro-batches for evaluation: longest first, so that lack of memory shows at once.
pub(crate) fn evaluation_batches(lengths: &[usize], rows: usize, settings: &BatchSettings) -> Vec<MicroBatch> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    cut(&order, lengths, rows, settings)
}

#[cfg(test)]
mod tests {
    use grm_model::TokenRow;
    use proptest::prelude::*;

    use super::*;
    use crate::task::{SftRow, Split, Task};

    fn settings() -> BatchSettings {
        BatchSettings {
            batch: 2,
            batch_tokens: None,
            accumulation: 3,
            order: Order::Bucketed,
            seed: 42,
            epochs: 2,
            steps_max: None,
        }
    }

    fn seen(plan: &Plan) -> Vec<usize> {
        plan.steps.iter().flat_map(|step| step.micro_batches.iter().flatten().copied()).collect()
    }

    proptest! {
        #[test]
        fn every_example_is_seen_once_an_epoch(
            lengths in prop::collection::vec(1usize..300, 1..400),
            seed in any::<u64>(),
            batch in 1usize..9,
            accumulation in 1usize..5,
            batch_tokens in prop::option::of(1usize..900),
            order in prop_oneof![Just(Order::Bucketed), Just(Order::Shuffled), Just(Order::AsGiven)],
        ) {
            let settings = BatchSettings { batch, batch_tokens, accumulation, order, seed, ..settings() };
            let plan = plan(&lengths, 2, &settings);
            let mut seen = seen(&plan);
            seen.sort_unstable();
            let expected: Vec<usize> = (0..lengths.len()).flat_map(|index| [index, index]).collect();
            prop_assert_eq!(seen, expected);
            for step in &plan.steps {
                prop_assert!((1..=accumulation).contains(&step.micro_batches.len()));
                for micro_batch in &step.micro_batches {
                    let longest = micro_batch.iter().map(|&index| lengths[index]).max().unwrap();
                    prop_assert!(micro_batch.len() <= batch);
                    prop_assert!(micro_batch.len() == 1 || 2 * longest * micro_batch.len() <= batch_tokens.unwrap_or(usize::MAX));
                }
            }
            prop_assert_eq!(plan.steps.last().map(|step| step.epoch), Some(2.0));
        }
    }

    #[test]
    fn buckets_hold_like_lengths_and_come_mixed() {
        let lengths: Vec<usize> = (0..128).map(|index| if index % 2 == 0 { 10 } else { 1000 }).collect();
        let plan = plan(&lengths, 1, &BatchSettings { accumulation: 1, epochs: 1, ..settings() });
        let of = |step: &PlannedStep| step.micro_batches[0].iter().map(|&index| lengths[index]).collect::<Vec<_>>();
        let kinds: Vec<_> = plan.steps.iter().map(of).collect();
        assert!(kinds.iter().all(|kind| kind[0] == kind[1]));
        let long_first_half = kinds[..32].iter().filter(|kind| kind[0] == 1000).count();
        assert!((8..=24).contains(&long_first_half), "{long_first_half} of 32 long");
    }

    #[test]
    fn epochs_differ_and_a_seed_repeats() {
        let lengths = vec![5; 40];
        let first = plan(&lengths, 1, &settings());
        assert_eq!(first, plan(&lengths, 1, &settings()));
        let order = seen(&first);
        assert_ne!(order[..40], order[40..]);
        assert_ne!(order, seen(&plan(&lengths, 1, &BatchSettings { seed: 43, ..settings() })));
    }

    #[test]
    fn steps_are_counted_as_transformers_counts_them() {
        // ceil(ceil(11 / 2) / 4) = 2 steps an epoch.
        let short = BatchSettings { accumulation: 4, ..settings() };
        let plan_of = |settings: &BatchSettings| plan(&[1; 11], 1, settings);
        let epochs: Vec<f64> = plan_of(&short).steps.iter().map(|step| step.epoch).collect();
        assert_eq!(epochs, [0.5, 1.0, 1.5, 2.0]);
        assert_eq!(plan_of(&short).steps[1].micro_batches.len(), 2);
        assert_eq!(plan_of(&BatchSettings { steps_max: Some(3), ..short }).steps.len(), 3);
    }

    fn task(lengths: &[usize]) -> Task {
        let example = |(index, &length): (usize, &usize)| SftRow {
            id: format!("row {index}"),
            row: TokenRow::from_tokens(vec![1; length], 1),
        };
        Task::Sft(Split { train: lengths.iter().enumerate().map(example).collect(), held_out: Vec::new() })
    }

    #[test]
    fn the_cut_off_drops_and_counts() {
        let fits = Fits { cutoff_tokens: 8, targets: true };
        let task = task(&[8, 9, 1, 0, 30]);
        let (kept, dropped) = usable(task.examples().train, "training", &fits).unwrap();
        assert_eq!(kept.iter().map(|example| example.id).collect::<Vec<_>>(), ["row 0"]);
        assert_eq!(dropped, Dropped { too_long: 2, empty: 2, longest: 30 });
    }

    #[test]
    fn dropping_everything_says_what_to_do() {
        let fits = Fits { cutoff_tokens: 8, targets: true };
        let task = task(&[9, 12]);
        let error = usable(task.examples().train, "training", &fits).unwrap_err();
        assert_eq!(
            error.to_string(),
            "all 2 training examples were dropped: 2 longer than the cut-off of 8 tokens (the longest has 12), \
             0 with nothing to learn; raise the cut-off, or check how the data was made"
        );
    }
}
