//! `grm mock-server`: the fake server the tests use, for dry runs and CI of others.

use anyhow::Context;
use grm_mock::{MockConfig, serve_forever};
use tokio::net::TcpListener;

use super::print;
use crate::{cli, exit::Exit, stream::Interrupt};

/// Runs the verb until it is stopped.
pub(crate) async fn run(flags: cli::MockServer) -> anyhow::Result<Exit> {
    let mut config = match &flags.config {
        None => MockConfig::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
            MockConfig::from_toml(&text).with_context(|| format!("mock server settings {}", path.display()))?
        }
    };
    if let Some(latency) = flags.latency_ms {
        config.latency_ms = [latency; 2];
    }
    config.malformed = flags.malformed.unwrap_or(config.malformed);
    config.max_concurrency = flags.capacity.or(config.max_concurrency);
    config.slots = flags.slots.or(config.slots);
    config.check()?;
    let listener = TcpListener::bind(("127.0.0.1", flags.port)).await.with_context(|| {
        format!("could not listen on 127.0.0.1:{}; pick another --port, or 0 for a free one", flags.port)
    })?;
    let url = format!("http://{}", listener.local_addr()?);
    print(&format!("mock server: {url}/v1 for chat, {url} for rewards; counts at {url}/mock/stats\n"))?;
    let interrupt = Interrupt::listen();
    tokio::select! {
        result = serve_forever(config, listener) => result.context("the mock server stopped")?,
        () = interrupt.wait() => {}
    }
    Ok(Exit::Done)
}
