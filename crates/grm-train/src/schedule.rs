//! The learning rate of each step, as transformers computes it (`optimization.py`).
//!
//! ```text
//! s < W    base · s / W
//! cosine   base · ½ (1 + cos π p)     linear   base · (1 − p)     constant   base          p = (s − W) / (T − W)
//! ```
//!
//! s counts from 0: with a warm-up the first step has rate 0.

use serde::{Deserialize, Serialize};

/// How the rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It does not.
    Constant,
    /// In a straight line to 0.
    Linear,
    /// Half a cosine to 0.
    #[default]
    Cosine,
}

/// The learning rate as a function of the step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    schedule: Schedule,
    base: f64,
    warmup: usize,
    steps: usize,
}

impl LearningRate {
    /// For a run of `steps` of which the first ⌈`steps` · `warmup_ratio`⌉ warm up.
    #[must_use]
    pub fn new(schedule: Schedule, base: f64, warmup_ratio: f64, steps: usize) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio of 0 to 1 of a number of steps is a number of steps"
        )]
        let warmup = (steps as f64 * warmup_ratio).ceil() as usize;
        Self { schedule, base, warmup, steps }
    }

    /// Steps of warm-up.
    #[must_use]
    pub fn warmup(&self) -> usize {
        self.warmup
    }

    /// The rate of a step, counted from 0.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.base * step as f64 / self.warmup as f64;
        }
        let after = self.steps.saturating_sub(self.warmup).max(1);
        let progress = (step - self.warmup) as f64 / after as f64;
        match self.schedule {
            Schedule::Constant => self.base,
            Schedule::Linear => self.base * (1.0 - progress).max(0.0),
            Schedule::Cosine => self.base * (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: Schedule, ratio: f64, expected: [f64; 4]) {
        let rate = LearningRate::new(schedule, 1e-3, ratio, 4);
        for (step, expected) in expected.into_iter().enumerate() {
            assert!((rate.at(step) - expected).abs() < 1e-15, "{schedule:?} step {step}: {}", rate.at(step));
        }
    }

    #[test]
    fn four_steps_one_of_warm_up() {
        check(Schedule::Cosine, 0.1, [0.0, 1e-3, 7.5e-4, 2.5e-4]);
        check(Schedule::Linear, 0.1, [0.0, 1e-3, 1e-3 * 2.0 / 3.0, 1e-3 / 3.0]);
        check(Schedule::Constant, 0.5, [0.0, 5e-4, 1e-3, 1e-3]);
        check(Schedule::Linear, 0.0, [1e-3, 7.5e-4, 5e-4, 2.5e-4]);
    }

    /// The paper's runs: 172 and 157 steps.
    #[test]
    fn warm_up_is_rounded_up() {
        let warmup = |steps| LearningRate::new(Schedule::Cosine, 1e-5, 0.1, steps).warmup();
        assert_eq!((warmup(172), warmup(157), warmup(0)), (18, 16, 0));
        assert_eq!(LearningRate::new(Schedule::Cosine, 1.0, 1.0, 3).at(2), 2.0 / 3.0);
    }
}
