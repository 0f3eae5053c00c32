//! A linear Bradley–Terry head on frozen features.
//!
//! With `h` the features of a response and `d_i = (h_chosen − h_rejected) / scale` for pair `i` of `n`, the head `v`
//! minimises
//!
//! ```text
//! L(v) = 1/n Σ_i −log σ(v · d_i) + λ/2 ‖v‖²          score(h) = w · h,  w = v / scale
//! ```
//!
//! `scale` is each feature's standard deviation over all responses, so that one λ means the same for all of them; it is
//! folded into `w`. A constant added to every feature vector of a pair cancels in `d_i`, so no bias is fitted and none
//! is needed. L is strictly convex: the answer does not depend on where the search starts.
//!
//! λ is chosen by k-fold cross-validation. Pairs of one group (one prompt) never stand on both sides of a fold.
//!
//! All sums are in f64 and in index order: the same pairs give the same bytes.

use std::collections::VecDeque;

/// How the head is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenConfig {
    /// The λ tried, each above 0.
    pub lambdas: Vec<f64>,
    /// Folds of the cross-validation, at least 2; not used when only one λ is given.
    pub folds: usize,
    /// Steps of the search, at most.
    pub steps_max: usize,
    /// The search ends when the gradient's largest component is below this.
    pub gradient_max: f64,
}

impl Default for FrozenConfig {
    fn default() -> Self {
        let lambdas = vec![0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
        Self { lambdas, folds: 5, steps_max: 500, gradient_max: 1e-6 }
    }
}

/// The training pairs: row `i` of both tables belongs to pair `i`.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'a> {
    /// Features of the preferred responses.
    pub chosen: &'a [Vec<f32>],
    /// Features of the others.
    pub rejected: &'a [Vec<f32>],
    /// The group (prompt) of each pair.
    pub groups: &'a [u64],
}

/// A fitted head and how it was arrived at.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    /// One weight for each feature, scales folded in.
    pub weights: Vec<f32>,
    /// The λ chosen.
    pub lambda: f64,
    /// Cross-validated results, one for each λ in order; empty when only one was given.
    pub validation: Vec<Validation>,
    /// Share of the training pairs ordered rightly.
    pub training_accuracy: f64,
    /// Steps the final search took.
    pub steps: usize,
}

/// How well one λ did on the folds it had not seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validation {
    /// The λ.
    pub lambda: f64,
    /// Mean of −log σ of the margin.
    pub loss: f64,
    /// Share of pairs ordered rightly; a margin of 0 counts half.
    pub accuracy: f64,
}

/// Why no head can be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FrozenError {
    /// No pairs, or no features.
    #[error("there is nothing to fit: {pairs} pairs of {features} features")]
    Empty {
        /// Pairs given.
        pairs: usize,
        /// Features of the first.
        features: usize,
    },
    /// Tables of different lengths or widths.
    #[error("pair {pair} does not match the others: {what}")]
    Shape {
        /// 0-based index of the pair.
        pair: usize,
        /// What differs.
        what: &'static str,
    },
    /// A feature that is NaN or infinite.
    #[error("feature {feature} of pair {pair} is not a finite number; compute the features again")]
    NotFinite {
        /// 0-based index of the pair.
        pair: usize,
        /// 0-based index of the feature.
        feature: usize,
    },
    /// A setting out of range.
    #[error("{what} must be {expected}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The search did not settle.
    #[error("the search for lambda {lambda} did not settle in {steps} steps; raise steps_max or lambda")]
    Unsettled {
        /// The λ.
        lambda: f64,
        /// Steps taken.
        steps: usize,
    },
}

/// Fits the head.
pub fn fit(pairs: Pairs, config: &FrozenConfig) -> Result<Frozen, FrozenError> {
    check(pairs, config)?;
    let scales = scales(pairs);
    let rows = differences(pairs, &scales); // [pair, feature]
    let all: Vec<usize> = (0..rows.len()).collect();
    let validation = if config.lambdas.len() == 1 { Vec::new() } else { validate(&rows, pairs.groups, config)? };
    let best = validation.iter().min_by(|left, right| left.loss.total_cmp(&right.loss));
    let lambda = best.map_or(config.lambdas[0], |best| best.lambda);
    let start = vec![0.0; scales.len()];
    let (solution, steps) = minimise(&Problem { rows: &rows, members: &all, lambda }, start, config)?;
    let (_, training_accuracy) = evaluate(&rows, &all, &solution);
    #[expect(clippy::cast_possible_truncation, reason = "a head is stored in f32")]
    let weights = solution.iter().zip(&scales).map(|(weight, scale)| (weight / scale) as f32).collect();
    Ok(Frozen { weights, lambda, validation, training_accuracy, steps })
}

fn check(pairs: Pairs, config: &FrozenConfig) -> Result<(), FrozenError> {
    let width = pairs.chosen.first().map_or(0, Vec::len);
    if width == 0 {
        return Err(FrozenError::Empty { pairs: pairs.chosen.len(), features: width });
    }
    let shortest = pairs.chosen.len().min(pairs.rejected.len()).min(pairs.groups.len());
    let longest = pairs.chosen.len().max(pairs.rejected.len()).max(pairs.groups.len());
    if shortest != longest {
        return Err(FrozenError::Shape { pair: shortest, what: "chosen, rejected and groups differ in length" });
    }
    for (pair, (chosen, rejected)) in pairs.chosen.iter().zip(pairs.rejected).enumerate() {
        if chosen.len() != width || rejected.len() != width {
            return Err(FrozenError::Shape { pair, what: "its number of features" });
        }
        let not_finite = (0..width).find(|&feature| !chosen[feature].is_finite() || !rejected[feature].is_finite());
        if let Some(feature) = not_finite {
            return Err(FrozenError::NotFinite { pair, feature });
        }
    }
    let lambdas_valid =
        !config.lambdas.is_empty() && config.lambdas.iter().all(|&lambda| lambda > 0.0 && lambda.is_finite());
    if !lambdas_valid {
        return Err(FrozenError::Setting { what: "every lambda", expected: "a number above 0" });
    }
    if config.folds < 2 {
        return Err(FrozenError::Setting { what: "folds", expected: "2 or more" });
    }
    Ok(())
}

/// Each feature's standard deviation over all responses; 1 for a feature that never varies.
fn scales(pairs: Pairs) -> Vec<f64> {
    let responses = || pairs.chosen.iter().chain(pairs.rejected);
    let count = as_float(pairs.chosen.len() * 2);
    (0..pairs.chosen[0].len())
        .map(|feature| {
            let mean = responses().map(|row| f64::from(row[feature])).sum::<f64>() / count;
            let variance = responses().map(|row| (f64::from(row[feature]) - mean).powi(2)).sum::<f64>() / count;
            // Below this, what varies is rounding.
            if variance.sqrt() > 1e-12 * (1.0 + mean.abs()) { variance.sqrt() } else { 1.0 }
        })
        .collect()
}

fn differences(pairs: Pairs, scales: &[f64]) -> Vec<Vec<f64>> {
    let difference = |(chosen, rejected): (&Vec<f32>, &Vec<f32>)| {
        let values = chosen.iter().zip(rejected).zip(scales);
        values.map(|((chosen, rejected), scale)| (f64::from(*chosen) - f64::from(*rejected)) / scale).collect()
    };
    pairs.chosen.iter().zip(pairs.rejected).map(difference).collect()
}

fn validate(rows: &[Vec<f64>], groups: &[u64], config: &FrozenConfig) -> Result<Vec<Validation>, FrozenError> {
    let fold_of: Vec<usize> = groups.iter().map(|&group| fold(group, config.folds)).collect();
    // From strong to weak, each search starts where the last one ended.
    let mut order: Vec<usize> = (0..config.lambdas.len()).collect();
    order.sort_by(|&left, &right| config.lambdas[right].total_cmp(&config.lambdas[left]));
    let mut sums = vec![(0.0, 0.0); config.lambdas.len()];
    let mut held_out_count = 0;
    for fold in 0..config.folds {
        let (held_out, members): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&pair| fold_of[pair] == fold);
        if held_out.is_empty() || members.is_empty() {
            continue;
        }
        held_out_count += held_out.len();
        let mut solution = vec![0.0; rows[0].len()];
        for &index in &order {
            let problem = Problem { rows, members: &members, lambda: config.lambdas[index] };
            solution = minimise(&problem, solution, config)?.0;
            let (loss, accuracy) = evaluate(rows, &held_out, &solution);
            let weight = as_float(held_out.len());
            sums[index].0 += loss * weight;
            sums[index].1 += accuracy * weight;
        }
    }
    let count = as_float(held_out_count.max(1));
    let result = |(&lambda, &(loss, accuracy)): (&f64, &(f64, f64))| Validation {
        lambda,
        loss: loss / count,
        accuracy: accuracy / count,
    };
    Ok(config.lambdas.iter().zip(&sums).map(result).collect())
}

/// The fold of a group: spread evenly by a fixed mixing of its number.
fn fold(group: u64, folds: usize) -> usize {
    let mut mixed = group.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((mixed >> 33) % folds as u64).expect("below the number of folds")
}

/// Mean loss without the λ term, and the share of pairs ordered rightly.
fn evaluate(rows: &[Vec<f64>], members: &[usize], solution: &[f64]) -> (f64, f64) {
    let (mut loss, mut right) = (0.0, 0.0);
    for &pair in members {
        let margin = dot(&rows[pair], solution);
        loss += softplus(-margin);
        right += if margin > 0.0 {
            1.0
        } else if margin < 0.0 {
            0.0
        } else {
            0.5
        };
    }
    let count = as_float(members.len());
    (loss / count, right / count)
}

struct Problem<'a> {
    rows: &'a [Vec<f64>],
    members: &'a [usize],
    lambda: f64,
}

impl Problem<'_> {
    /// L and its gradient, `∂L/∂v = 1/n Σ −σ(−v·d_i) d_i + λ v`.
    fn loss_and_gradient(&self, point: &[f64]) -> (f64, Vec<f64>) {
        let mut loss = 0.0;
        let mut gradient = vec![0.0; point.len()];
        for &pair in self.members {
            let row = &self.rows[pair];
            let margin = dot(row, point);
            loss += softplus(-margin);
            let pull = -sigmoid(-margin);
            for (sum, value) in gradient.iter_mut().zip(row) {
                *sum += pull * value;
            }
        }
        let count = as_float(self.members.len());
        for (sum, weight) in gradient.iter_mut().zip(point) {
            *sum = *sum / count + self.lambda * weight;
        }
        (loss / count + self.lambda / 2.0 * dot(point, point), gradient)
    }
}

const HISTORY: usize = 12;

/// L-BFGS with backtracking.
fn minimise(problem: &Problem, start: Vec<f64>, config: &FrozenConfig) -> Result<(Vec<f64>, usize), FrozenError> {
    let mut point = start;
    let (mut loss, mut gradient) = problem.loss_and_gradient(&point);
    let mut history: VecDeque<Curvature> = VecDeque::new();
    for step in 0..config.steps_max {
        if gradient.iter().fold(0.0_f64, |most, value| most.max(value.abs())) < config.gradient_max {
            return Ok((point, step));
        }
        let direction = descent(&gradient, &history);
        let slope = dot(&gradient, &direction);
        let Some((next, next_loss, next_gradient)) = line_search(problem, &point, loss, &direction, slope) else {
            // No shorter step lowers the loss: it is at its minimum to the last bit.
            return Ok((point, step));
        };
        let moved = subtract(&next, &point);
        let turned = subtract(&next_gradient, &gradient);
        let curvature = dot(&moved, &turned);
        if curvature > 0.0 {
            if history.len() == HISTORY {
                history.pop_front();
            }
            history.push_back(Curvature { moved, turned, curvature });
        }
        (point, loss, gradient) = (next, next_loss, next_gradient);
    }
    Err(FrozenError::Unsettled { lambda: problem.lambda, steps: config.steps_max })
}

/// A step taken and how it turned the gradient.
struct Curvature {
    moved: Vec<f64>,
    turned: Vec<f64>,
    curvature: f64,
}

fn line_search(
    problem: &Problem,
    point: &[f64],
    loss: f64,
    direction: &[f64],
    slope: f64,
) -> Option<(Vec<f64>, f64, Vec<f64>)> {
    let mut length = 1.0;
    for _ in 0..40 {
        let next: Vec<f64> = point.iter().zip(direction).map(|(value, along)| value + length * along).collect();
        let (next_loss, gradient) = problem.loss_and_gradient(&next);
        if next_loss <= loss + 1e-4 * length * slope && next_loss < loss {
            return Some((next, next_loss, gradient));
        }
        length /= 2.0;
    }
    None
}

/// The two-loop recursion: an estimate of −H⁻¹ g from the last steps.
fn descent(gradient: &[f64], history: &VecDeque<Curvature>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|value| -value).collect();
    let mut shares = Vec::with_capacity(history.len());
    for past in history.iter().rev() {
        let share = dot(&past.moved, &direction) / past.curvature;
        add_scaled(&mut direction, -share, &past.turned);
        shares.push(share);
    }
    if let Some(last) = history.back() {
        let scale = last.curvature / dot(&last.turned, &last.turned);
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for (past, share) in history.iter().zip(shares.iter().rev()) {
        let back = dot(&past.turned, &direction) / past.curvature;
        add_scaled(&mut direction, share - back, &past.moved);
    }
    direction
}

/// In a fixed order: eight running sums over the lanes, then those from first to last.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    let (left_lanes, left_rest) = left.as_chunks::<8>();
    let (right_lanes, right_rest) = right.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (left, right) in left_lanes.iter().zip(right_lanes) {
        for lane in 0..8 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f64>() + rest
}

fn subtract(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| left - right).collect()
}

fn add_scaled(sum: &mut [f64], factor: f64, values: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

/// log(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

fn as_float(count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of pairs are far below 2^52")]
    let float = count as f64;
    float
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in (−1, 1) from a fixed sequence.
    fn noise(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    struct Table {
        chosen: Vec<Vec<f32>>,
        rejected: Vec<Vec<f32>>,
        groups: Vec<u64>,
    }

    impl Table {
        fn pairs(&self) -> Pairs<'_> {
            Pairs { chosen: &self.chosen, rejected: &self.rejected, groups: &self.groups }
        }
    }

    /// Pairs whose order follows `direction` as Bradley–Terry says.
    fn planted(direction: &[f64], count: usize) -> Table {
        let mut state = 1;
        let mut table = Table { chosen: Vec::new(), rejected: Vec::new(), groups: (0..count as u64).collect() };
        for _ in 0..count {
            let mut row = || direction.iter().map(|_| noise(&mut state) as f32).collect::<Vec<f32>>();
            let (first, second) = (row(), row());
            let score = |row: &[f32]| row.iter().zip(direction).map(|(x, w)| f64::from(*x) * w).sum::<f64>();
            let first_wins = (noise(&mut state) + 1.0) / 2.0 < sigmoid(score(&first) - score(&second));
            let (chosen, rejected) = if first_wins { (first, second) } else { (second, first) };
            table.chosen.push(chosen);
            table.rejected.push(rejected);
        }
        table
    }

    fn cosine(left: &[f32], right: &[f64]) -> f64 {
        let left: Vec<f64> = left.iter().map(|&value| f64::from(value)).collect();
        dot(&left, right) / (dot(&left, &left) * dot(right, right)).sqrt()
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let table = planted(&[1.0, -2.0, 0.5], 50);
        let rows = differences(table.pairs(), &scales(table.pairs()));
        let members: Vec<usize> = (0..rows.len()).collect();
        let problem = Problem { rows: &rows, members: &members, lambda: 0.1 };
        let point = [0.3, -0.7, 1.1];
        let (_, gradient) = problem.loss_and_gradient(&point);
        for feature in 0..3 {
            let at = |shift: f64| {
                let mut shifted = point;
                shifted[feature] += shift;
                problem.loss_and_gradient(&shifted).0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (slope - gradient[feature]).abs() < 1e-8,
                "feature {feature}: {slope} against {}",
                gradient[feature]
            );
        }
    }

    #[test]
    fn a_planted_direction_is_recovered() {
        let direction = [3.0, -2.0, 0.0, 1.0, 0.0, -1.0];
        let fitted = fit(planted(&direction, 4000).pairs(), &FrozenConfig::default()).expect("fitted");
        assert!(cosine(&fitted.weights, &direction) > 0.99, "{:?}", fitted.weights);
        assert!(fitted.training_accuracy > 0.75, "{}", fitted.training_accuracy);
        assert_eq!(fitted.validation.len(), FrozenConfig::default().lambdas.len());
    }

    #[test]
    fn a_constant_added_to_every_response_changes_nothing() {
        let table = planted(&[2.0, -1.0, 0.5, 0.0], 400);
        let shifted = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
            rows.iter().map(|row| row.iter().map(|value| value + 4.0).collect()).collect()
        };
        let moved =
            Table { chosen: shifted(&table.chosen), rejected: shifted(&table.rejected), groups: table.groups.clone() };
        let config = FrozenConfig { lambdas: vec![0.01], ..FrozenConfig::default() };
        let (plain, moved) =
            (fit(table.pairs(), &config).expect("fitted"), fit(moved.pairs(), &config).expect("fitted"));
        for (left, right) in plain.weights.iter().zip(&moved.weights) {
            assert!((left - right).abs() < 1e-4, "{left} and {right}");
        }
    }

    #[test]
    fn features_on_other_scales_give_the_same_scores() {
        let table = planted(&[2.0, -1.0], 400);
        let stretched =
            |rows: &[Vec<f32>]| -> Vec<Vec<f32>> { rows.iter().map(|row| vec![row[0] * 1024.0, row[1]]).collect() };
        let wide = Table {
            chosen: stretched(&table.chosen),
            rejected: stretched(&table.rejected),
            groups: table.groups.clone(),
        };
        let config = FrozenConfig::default();
        let (plain, wide) = (fit(table.pairs(), &config).expect("fitted"), fit(wide.pairs(), &config).expect("fitted"));
        assert!((plain.weights[0] - wide.weights[0] * 1024.0).abs() < 1e-4);
        assert!((plain.weights[1] - wide.weights[1]).abs() < 1e-4);
    }

    #[test]
    fn the_same_pairs_give_the_same_bytes() {
        let table = planted(&[1.0, 0.5, -0.5], 300);
        let bits = || -> Vec<u32> {
            let fitted = fit(table.pairs(), &FrozenConfig::default()).expect("fitted");
            fitted.weights.iter().map(|weight| weight.to_bits()).collect()
        };
        assert_eq!(bits(), bits());
    }

    #[test]
    fn swapping_chosen_and_rejected_turns_the_head_round() {
        let table = planted(&[1.0, 0.5, -0.5], 300);
        let swapped = Pairs { chosen: &table.rejected, rejected: &table.chosen, groups: &table.groups };
        let config = FrozenConfig { lambdas: vec![0.01], ..FrozenConfig::default() };
        let (plain, swapped) = (fit(table.pairs(), &config).expect("fitted"), fit(swapped, &config).expect("fitted"));
        for (left, right) in plain.weights.iter().zip(&swapped.weights) {
            assert!((left + right).abs() < 1e-5);
        }
    }

    #[test]
    fn groups_stay_on_one_side_of_a_fold() {
        let folds: Vec<usize> = (0..1000).map(|group| fold(group, 5)).collect();
        for wanted in 0..5 {
            let share = folds.iter().filter(|&&fold| fold == wanted).count();
            assert!((140..=260).contains(&share), "fold {wanted} has {share}");
        }
        assert_eq!(fold(77, 5), fold(77, 5));
    }

    #[test]
    fn what_cannot_be_fitted_is_named() {
        let mut table = planted(&[1.0, 1.0], 10);
        let config = FrozenConfig::default();
        table.rejected[3][1] = f32::NAN;
        assert_eq!(fit(table.pairs(), &config), Err(FrozenError::NotFinite { pair: 3, feature: 1 }));
        table.rejected[3] = vec![0.0];
        assert!(matches!(fit(table.pairs(), &config), Err(FrozenError::Shape { pair: 3, .. })));
        table.rejected.pop();
        assert!(matches!(fit(table.pairs(), &config), Err(FrozenError::Shape { pair: 9, .. })));
        let none = Pairs { chosen: &[], rejected: &[], groups: &[] };
        assert!(matches!(fit(none, &config), Err(FrozenError::Empty { .. })));
        let table = planted(&[1.0], 10);
        for lambdas in [vec![], vec![0.0], vec![f64::NAN]] {
            let wrong = FrozenConfig { lambdas, ..FrozenConfig::default() };
            assert!(matches!(fit(table.pairs(), &wrong), Err(FrozenError::Setting { .. })));
        }
    }

    #[test]
    fn a_feature_that_never_varies_gets_no_weight() {
        let mut table = planted(&[1.0, 1.0], 100);
        for row in table.chosen.iter_mut().chain(&mut table.rejected) {
            row[1] = 5.0;
        }
        let fitted = fit(table.pairs(), &FrozenConfig::default()).expect("fitted");
        assert_eq!(fitted.weights[1], 0.0);
    }
}
