//! What a whole run would take, from a pilot of it: `measured.rs` reads the pilot, `paper_size.rs` does the arithmetic,
//! `told.rs` shows it line by line.

mod measured;
mod paper_size;
mod settings;
mod told;

pub(crate) use measured::Measured;
pub(crate) use paper_size::PaperSize;
pub(crate) use settings::{PlanSettings, Speed};
pub(crate) use told::told;
