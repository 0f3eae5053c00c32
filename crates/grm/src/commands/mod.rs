//! One file a verb.

pub(crate) mod audit;
mod compare;
pub(crate) mod data;
mod doctor;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod figures;
pub(crate) mod import;
mod judge;
mod mock_server;
mod models;
mod omni_world;
pub(crate) mod plan;
mod quickstart;
pub(crate) mod report;
mod runs;
mod runs_diff;
pub(crate) mod runs_merge;
pub(crate) mod simulate;
mod synthesize;
mod synthesize_verdict;
mod train;
mod training_loop;

use crate::{
    cli::{Cli, Verb},
    exit::Exit,
};

/// Runs the verb that was asked for.
pub(crate) async fn dispatch(arguments: Cli) -> anyhow::Result<Exit> {
    match arguments.verb {
        Verb::Quickstart(flags) => quickstart::run(flags).await,
        Verb::Judge(flags) => judge::run(flags).await,
        Verb::Synthesize(flags) => synthesize::run(flags).await,
        Verb::Models(flags) => models::run(flags).await,
        Verb::Doctor(flags) => doctor::run(flags).await,
        Verb::Runs(flags) => runs::run(flags).await,
        Verb::Compare(flags) => compare::run(&flags),
        Verb::Eval(flags) => eval::run(*flags).await,
        Verb::Data(flags) => data::run(&flags),
        Verb::Report(flags) => report::run(&flags),
        Verb::Figures(flags) => figures::run(&flags),
        Verb::Audit(flags) => audit::run(&flags),
        Verb::Simulate(flags) => simulate::run(&flags),
        Verb::OmniWorld(flags) => omni_world::run(&flags),
        Verb::Loop(flags) => training_loop::run(&flags).await,
        Verb::Plan(flags) => plan::run(&flags),
        Verb::Train(flags) => train::run(flags).await,
        Verb::Export(flags) => export::run(&flags),
        Verb::Import(flags) => import::run(&flags),
        Verb::MockServer(flags) => mock_server::run(flags).await,
    }
}

/// Writes results to stdout; a closed pipe (`grm … | head`) ends the command quietly.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}
