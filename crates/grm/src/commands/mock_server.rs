//! `grm mock-server`: the fake server the tests use, for dry runs and CI of others.

use anyhow::Context;
use grm_mock::{FaultScript, MockConfig, MockServer};

use super::print;
use crate::{cli, exit::Exit, stream::Interrupt};

/// Runs the verb until it is stopped.
pub(crate) async fn run(flags: cli::MockServer) -> anyhow::Result<Exit> {
    let faults = match &flags.faults {
        None => FaultScript::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
            FaultScript::parse(&text).with_context(|| format!("fault script {}", path.display()))?
        }
    };
    let config = MockConfig {
        port: flags.port,
        latency_ms: flags.latency_ms,
        malformed: flags.malformed,
        capacity: flags.capacity,
        faults,
        ..MockConfig::default()
    };
    let server = MockServer::start(config).await?;
    print(&format!("mock server at {}/v1 (chat) and {} (rewards); counts at {}/mock/stats\n", server.url(), server.url(), server.url()))?;
    Interrupt::listen().wait().await;
    Ok(Exit::Done)
}
