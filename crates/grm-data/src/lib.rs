//! Preference data in, training examples out.
//!
//! [`records::open`] turns a file of any accepted shape into a stream of comparisons and preferences in flat memory;
//! [`writer`] and [`examples`] put what a run made on disk, all at once or not at all.

mod content;
mod error;
pub mod examples;
mod ids;
pub mod media_library;
mod messages;
pub mod omni_world;
mod placement;
pub mod records;
mod row;
pub mod sets;
mod shapes;
mod sources;
mod transcript;
mod usable;
pub mod writer;

pub use error::{Place, Problem, ReadError, Spot};
pub use examples::{DpoRecord, SftRecord};
pub use media_library::FolderLibrary;
pub use placement::chosen_place;
pub use records::{Format, MediaFields, Order, ReadOptions, Record, Records, open, open_all};
pub use writer::{AtomicFile, JsonlWriter, WriteError};
