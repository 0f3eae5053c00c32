//! Many pairs at once, results in the order they were read, memory for those under way only.

use std::sync::Arc;

use futures::StreamExt;

/// Runs `work` on up to `width` items at a time and hands results to `sink` in input order. The first error of `work`
/// or `sink` ends the stream; work under way is dropped, which cancels its calls.
pub(crate) async fn in_order<Item, Output, Work, Running>(
    items: impl Iterator<Item = Item> + Send,
    width: usize,
    work: Work,
    mut sink: impl FnMut(Output) -> anyhow::Result<()>,
) -> anyhow::Result<()>
where
    Work: Fn(Item) -> Running,
    Running: Future<Output = anyhow::Result<Output>> + Send + 'static,
    Output: Send + 'static,
{
    let tasks = futures::stream::iter(items).map(|item| {
        let task = AbortOnDrop(tokio::spawn(work(item)));
        async move { task.join().await }
    });
    let mut results = std::pin::pin!(tasks.buffered(width));
    while let Some(result) = results.next().await {
        sink(result?)?;
    }
    Ok(())
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> AbortOnDrop<anyhow::Result<T>> {
    async fn join(mut self) -> anyhow::Result<T> {
        (&mut self.0).await.map_err(|error| anyhow::anyhow!("a worker stopped unexpectedly: {error}"))?
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Set by Ctrl-C or SIGTERM: the first asks the run to stop, the second ends the process.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<tokio::sync::Notify>);

impl Interrupt {
    /// Starts listening.
    pub(crate) fn listen() -> Self {
        let notify = Arc::new(tokio::sync::Notify::new());
        let signal = notify.clone();
        tokio::spawn(async move {
            stop_signal().await;
            signal.notify_one();
            stop_signal().await;
            std::process::exit(130);
        });
        Self(notify)
    }

    /// Waits for the first signal.
    pub(crate) async fn wait(&self) {
        self.0.notified().await;
    }
}

async fn stop_signal() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_come_in_order_whatever_finishes_first() {
        let mut seen = Vec::new();
        let work = |n: u64| async move {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(20 - n)).await;
            Ok(n)
        };
        in_order(0..20, 8, work, |n| {
            seen.push(n);
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn the_first_error_ends_the_stream() {
        let mut seen = 0;
        let work = |n: u64| async move { if n == 3 { anyhow::bail!("three") } else { Ok(n) } };
        let error = in_order(0..20, 4, work, |_| {
            seen += 1;
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!((error.to_string().as_str(), seen), ("three", 3));
    }
}
