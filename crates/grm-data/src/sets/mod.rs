//! Public preference data sets by name: benchmarks and training sets, one file a set.
//!
//! A reader opens a folder as its publisher lays it out and yields [`Item`]s in the records' own order. It refuses what
//! it does not know with file, place and cure; it never guesses a preference.

pub mod benchmarks;
pub mod hold_out;
mod item;
pub mod media;
pub mod overlap;
pub mod plain;
pub mod stats;
pub mod training;

use std::path::Path;

pub use grm_core::MediaKind;
pub use item::{Item, ItemPart, ItemTurn, MediaSource, Truth};
pub(crate) use media::is_inside;
pub use media::{MediaFault, MediaProblem};

use crate::ReadError;

/// What a set is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Judges are measured on it; nothing is trained on it.
    Benchmark,
    /// It is trained on (Table 4).
    Training,
}

/// Items of a set as a stream in flat memory. It ends after an error that is not [skippable](ReadError::is_skippable).
pub type Items = Box<dyn Iterator<Item = Result<Item, ReadError>> + Send>;

/// A public data set and how to read it.
#[derive(Clone, Copy)]
pub struct DataSet {
    /// Its name in commands, such as `rewardbench`.
    pub name: &'static str,
    /// Its name in papers.
    pub title: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it comes from: the publisher's repository or Hub id.
    pub source: &'static str,
    /// What its publisher allows, as stated there.
    pub licence: &'static str,
    /// What its folder holds, for people who look for the files.
    pub layout: &'static str,
    /// Opens a folder (or, where a set is one file, that file).
    pub open: fn(&Path) -> Result<Items, ReadError>,
}

impl std::fmt::Debug for DataSet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("DataSet").field("name", &self.name).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// Every known set, benchmarks first.
pub fn all() -> impl Iterator<Item = &'static DataSet> {
    benchmarks::ALL.iter().chain(training::ALL)
}

/// The set with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static DataSet> {
    all().find(|set| set.name == name)
}
