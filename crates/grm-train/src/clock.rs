//! How fast a run goes.

use std::time::{Duration, Instant};

use crate::job::Job;

/// How fast it goes and how long it will take; never written to a file.
pub(crate) struct Clock {
    began: Instant,
    /// Tokens of all steps before each, and of all.
    before: Vec<u64>,
    first: usize,
}

impl Clock {
    pub(crate) fn new(job: &Job, first: usize) -> Self {
        let mut sum = 0;
        let mut before = vec![0];
        for step in &job.plan.steps {
            sum += job.tokens(step);
            before.push(sum);
        }
        Self { began: Instant::now(), before, first }
    }

    #[expect(clippy::cast_precision_loss, reason = "for display")]
    pub(crate) fn read(&self, job: &Job, done: usize) -> (f64, Duration) {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-9);
        let speed = (self.before[done] - self.before[self.first]) as f64 / seconds;
        let left = (self.before[job.steps()] - self.before[done]) as f64;
        (speed, Duration::try_from_secs_f64(left / speed.max(1e-9)).unwrap_or(Duration::MAX))
    }
}
