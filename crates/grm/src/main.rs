//! `grm`: preference pairs in; criteria ranked by meta-reward, verdicts and training data out.
//!
//! This file is the index. A verb is one file in `commands/`; `assemble.rs` is the one place where concrete models meet
//! the method; `recipe.rs` is what a run is; `run.rs` is where it lives on disk.

mod assemble;
mod cli;
mod commands;
mod exit;
mod memory;
mod metrics;
mod outcomes;
mod page;
mod pairs;
mod plan;
mod planning;
mod progress;
mod recipe;
mod record;
mod run;
mod scoreboard;
mod servers;
mod shards;
mod stream;
mod terminal;
mod training_loop;
mod view;

use clap::Parser;

fn main() -> std::process::ExitCode {
    let arguments = cli::Cli::parse();
    terminal::init_logs(arguments.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&anyhow::Error::new(error).context("could not start the async runtime")),
    };
    match runtime.block_on(commands::dispatch(arguments)) {
        Ok(code) => code.into(),
        Err(error) => exit::report(&error),
    }
}
