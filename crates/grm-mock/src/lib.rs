//! A deterministic fake chat and reward server with scripted faults.
//!
//! It answers like vLLM, SGLang, llama-server or TEI would, from a hash of the request, so that the same question
//! always gets the same reply: enough for dry runs, tests and measuring everything but the models themselves.
//! `replies` says how questions are recognised and what quality means here; `faults` says what can go wrong.

mod batch;
mod canonical;
mod chat_route;
mod config;
mod connection;
mod faults;
mod identity_routes;
mod parts;
mod prefix_memory;
mod replies;
mod reward_route;
mod routes;
mod server;
mod stats;

pub use batch::answer_batch;
pub use config::{MockConfig, MockConfigError, MockDialect, Squash};
pub use faults::{FaultAction, FaultRule, FaultScript, FaultWhen, RetryAfter};
pub use parts::{ArrivedPart, MockMedia, stand_in};
pub use replies::latent_quality;
pub use server::{MockServer, serve_forever};
pub use stats::{Arrived, MockStats, Received};
