//! The `grm` command as people use it, against the mock server: what it prints, writes, asks, and survives.

mod bad_input;
mod data;
mod eval;
mod fleet;
mod harness;
mod kill;
mod paper_plan;
mod plan;
mod replay;
mod report;
mod shards;
mod train;
mod training_loop;
mod views;
