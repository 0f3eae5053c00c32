//! How far a run is: a bar on a terminal, a plain line now and then elsewhere.

use std::{
    io::IsTerminal,
    sync::Arc,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::metrics::Metrics;

/// What the models report beside the pairs done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load {
    /// Calls in flight.
    pub(crate) in_flight: u64,
    /// Calls repeated after passing trouble.
    pub(crate) retries: u64,
    /// True while the run waits for a server that fails everything.
    pub(crate) paused: bool,
    /// Calls answered by the journal.
    pub(crate) replayed: u64,
    /// Calls answered by models.
    pub(crate) asked: u64,
}

/// Where [`Load`] comes from.
pub(crate) type LoadSource = Arc<dyn Fn() -> Load + Send + Sync>;

/// Progress of one run.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    last_line: Instant,
    every: Duration,
    plain: bool,
    total: Option<u64>,
    ticker: tokio::task::JoinHandle<()>,
}

impl Progress {
    /// Starts showing; `total` is unknown for streams that have not been counted.
    pub(crate) fn start(total: Option<u64>, load: LoadSource) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        bar.set_draw_target(if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
        let template = if total.is_some() {
            "{bar:28} {pos}/{len} pairs  {elapsed} < {eta}  {msg}"
        } else {
            "{spinner} {pos} pairs  {elapsed}  {msg}"
        };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let ticker = tokio::spawn(tick(bar.clone(), load));
        let now = Instant::now();
        Self { bar, started: now, last_line: now, every: Duration::from_secs(30), plain, total, ticker }
    }

    /// Shows one more pair done.
    pub(crate) fn done(&mut self, metrics: &Metrics) {
        self.bar.inc(1);
        if self.plain && self.last_line.elapsed() >= self.every {
            self.last_line = Instant::now();
            self.print_line(metrics);
        }
    }

    /// Prints above the bar without tearing it.
    pub(crate) fn print(&self, text: &str) {
        use std::io::Write as _;
        self.bar.suspend(|| {
            let _ = std::io::stdout().write_all(text.as_bytes());
        });
    }

    /// Removes the bar.
    pub(crate) fn finish(self) -> Duration {
        self.ticker.abort();
        self.bar.finish_and_clear();
        self.started.elapsed()
    }

    #[expect(clippy::print_stderr, reason = "progress where there is no terminal")]
    fn print_line(&self, metrics: &Metrics) {
        let seconds = self.started.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = metrics.pairs as f64 / seconds.max(1e-9);
        let of = self.total.map_or(String::new(), |total| format!("/{total}"));
        let eta = self.total.filter(|_| rate > 0.0).map_or(String::new(), |total| {
            #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
            let left = total.saturating_sub(metrics.pairs) as f64 / rate;
            format!(", about {left:.0} s left")
        });
        let message = self.bar.message();
        eprintln!("{}{of} pairs, {:.2} pairs/s{eta}, {message}, {}", metrics.pairs, rate, invalid_share(metrics));
    }
}

fn invalid_share(metrics: &Metrics) -> String {
    let (valid, replies) = metrics.replies.0.values().fold((0, 0), |(v, r), step| (v + step.valid, r + step.replies));
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    let percent = if replies == 0 { 0.0 } else { 100.0 * (replies - valid) as f64 / replies as f64 };
    format!("{percent:.1} % of replies invalid")
}

async fn tick(bar: ProgressBar, load: LoadSource) {
    let mut every = tokio::time::interval(Duration::from_millis(200));
    loop {
        every.tick().await;
        let now = load();
        let paused = if now.paused { ", PAUSED: the server fails every call, waiting for it" } else { "" };
        let retries = if now.retries > 0 { format!(", {} retries", now.retries) } else { String::new() };
        let replayed = if now.replayed > 0 { format!(", {} replayed", now.replayed) } else { String::new() };
        bar.set_message(format!("{} calls{replayed}, {} in flight{retries}{paused}", now.asked, now.in_flight));
    }
}
