//! Something to judge by.

use serde::{Deserialize, Serialize};

/// Where a criterion came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CriterionSource {
    /// Written by the user.
    User,
    /// Among the first k the GenRM proposed (exploit).
    Initial,
    /// Among the n the GenRM added (explore).
    Expanded,
}

/// A criterion `c_i`: a short name and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// A few words, as shown between `**`.
    pub name: String,
    /// One or two sentences saying what is evaluated.
    pub explanation: String,
}

impl Criterion {
    /// The name without case, punctuation or repeated blanks: two criteria with the same key are duplicates.
    #[must_use]
    pub fn duplicate_key(&self) -> String {
        let mut key = String::with_capacity(self.name.len());
        for word in self.name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            if !key.is_empty() {
                key.push(' ');
            }
            key.extend(word.chars().flat_map(char::to_lowercase));
        }
        key
    }
}
