//! What a run shows while it trains.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use grm_train::{Progress, Start, StepReport};
use indicatif::{ProgressBar, ProgressStyle};

/// A bar with loss, rate, speed and time left; Ctrl-C ends the run at a checkpoint.
pub(super) struct Watch {
    bar: ProgressBar,
    stopped: Arc<AtomicBool>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    told.store(true, Ordering::Relaxed);
                }
            });
        }
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} steps  {msg}  {elapsed} < {prefix}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, stopped }
    }
}

impl Progress for Watch {
    fn started(&mut self, start: &Start) {
        self.bar.set_length(start.steps as u64);
        self.bar.set_position(start.resumed_from.unwrap_or(0) as u64);
        let settings: Vec<String> = start.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        self.bar.suspend(|| {
            tracing::info!("settings: {}", settings.join(", "));
            let dropped = start.dropped.too_long + start.dropped.empty;
            tracing::info!(
                "{} examples ({dropped} dropped), {} held out, {} trainable parameters{}",
                start.examples,
                start.held_out,
                start.parameters,
                start.resumed_from.map_or_else(String::new, |step| format!(", going on after step {step}")),
            );
        });
    }

    fn referenced(&mut self, done: usize, of: usize) {
        self.bar.set_message(format!("reference {done}/{of}"));
    }

    fn stepped(&mut self, step: &StepReport) {
        self.bar.set_position(step.step as u64);
        self.bar.set_prefix(format!("{} s", step.remaining.as_secs()));
        let extra = ["rewards/accuracies", "accuracy"].iter().find_map(|name| step.metrics.get(*name));
        let extra = extra.map_or_else(String::new, |value| format!(" accuracy {value:.2}"));
        let message = format!(
            "loss {:.4}{extra}  lr {:.1e}  {:.0} tokens/s",
            step.loss, step.learning_rate, step.tokens_per_second
        );
        if self.bar.is_hidden() {
            tracing::info!("step {}/{}  {message}  {} s left", step.step, step.of, step.remaining.as_secs());
        }
        self.bar.set_message(message);
    }

    fn evaluated(&mut self, step: usize, metrics: &BTreeMap<String, f64>, best: bool) {
        let values: Vec<String> = metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        let best = if best { ", the best so far" } else { "" };
        self.bar.suspend(|| tracing::info!("after step {step}: {}{best}", values.join(", ")));
    }

    fn saved(&mut self, folder: &Path) {
        self.bar.suspend(|| tracing::debug!("wrote {}", folder.display()));
    }

    fn noted(&mut self, note: &str) {
        self.bar.suspend(|| tracing::warn!("{note}"));
    }

    fn stop(&mut self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
