//! `grm loop`: DisRM → synthesis → SFT → DPO → evaluation, perhaps again with the trained model as the next GenRM.
//!
//! A recipe becomes a list of steps, each the command line of an ordinary `grm` verb; the ledger says which are done; a
//! step is a child process. Nothing here trains or judges, so every step can be run by hand.

mod ledger;
mod plan;
mod recipe;
mod step;

pub(crate) use ledger::{Ledger, State};
pub(crate) use plan::{Step, missing_files, plan};
pub(crate) use recipe::LoopRecipe;
pub(crate) use step::{Ended, StepFailed, Workshop};
