//! Asking remote models: OpenAI-compatible chat servers and reward endpoints.
//!
//! Everything that opens a connection is here, and everything that bounds, retries or pauses calls is in
//! [`Transport`]. Models and reward models stand behind the two traits of `grm_core`; nothing above this crate
//! knows that HTTP exists.
//!
//! ```text
//! RemoteChat ─┐                 ┌─ limiter   how many calls are under way (AIMD)
//!             ├─ Connection ── Lane ─ breaker   is anybody there at all
//! RemoteReward┘   (one server)  └─ prefix gate   who computes a shared prefix
//! ```

mod address;
mod api_key;
mod batch;
mod chat;
mod chat_reply;
mod chat_request;
mod connection;
mod control_tokens;
mod dialect;
mod download;
mod fleet;
mod media;
mod models;
mod prefix_gate;
mod probe;
mod probe_media;
mod reward;
mod reward_template;
mod reward_wire;
mod squash;
mod transport;
mod verdict_letters;

pub use api_key::ApiKey;
pub use batch::{BatchChat, CallName, Mailbox, Waiting};
pub use chat::{ChatEndpoint, RemoteChat};
pub use dialect::{Dialect, RewardKind, UnknownName};
pub use download::{Downloaded, download};
pub use fleet::{ChatFleet, FleetConfig, FleetStats, FleetWatch, RewardFleet, ServerStats};
pub use media::MediaSettings;
pub use probe::{EndpointReport, Health, ReportLine, probe};
pub use reward::{RemoteReward, RewardEndpoint};
pub use squash::SquashCheck;
pub use transport::{BreakerConfig, Concurrency, Transport, TransportConfig, TransportStats};
