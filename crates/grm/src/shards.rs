//! A share of the records: `--shard i/n` works on every n-th record from the i-th on, counted from 0.
//!
//! Shards take turns, so that sets sorted by source or difficulty are spread evenly, and joined again by taking turns.
//! Seeds and placement depend on ids alone, so a record gives the same bytes in any shard.

use std::{fmt, str::FromStr};

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// Which share, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// Its number, from 0.
    pub(crate) fn index(self) -> u32 {
        self.index
    }

    /// How many shards there are.
    pub(crate) fn of(self) -> u32 {
        self.of
    }

    /// True for the records that are its own, by their place among usable records.
    pub(crate) fn holds(self, place: u64) -> bool {
        place % u64::from(self.of) == u64::from(self.index)
    }

    /// How many of so many records are its own.
    pub(crate) fn share(self, records: u64) -> u64 {
        (records + u64::from(self.of - 1 - self.index)) / u64::from(self.of)
    }

    /// True for the one shard that counts what cannot be used, so that counts add up.
    pub(crate) fn counts_unusable(self) -> bool {
        self.index == 0
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let number = |text: &str| text.parse::<u32>().ok();
        let numbers = text.split_once('/').and_then(|(index, of)| Some((number(index)?, number(of)?)));
        let Some((index, of)) = numbers else {
            bail!("write a shard as i/n, such as 0/8, not {text:?}");
        };
        if index >= of {
            bail!(
                "there is no shard {text}: shards count from 0, so of {of} the last is {}/{of}",
                of.saturating_sub(1)
            );
        }
        Ok(Self { index, of })
    }
}

impl TryFrom<String> for Shard {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_one_shard_and_shares_add_up() {
        for of in 1..9 {
            let shards: Vec<Shard> = (0..of).map(|index| Shard { index, of }).collect();
            for records in 0..40 {
                let held = |shard: &Shard| (0..records).filter(|place| shard.holds(*place)).count() as u64;
                assert!(shards.iter().all(|shard| held(shard) == shard.share(records)));
                assert_eq!(shards.iter().map(held).sum::<u64>(), records);
            }
        }
    }

    #[test]
    fn shards_are_written_i_of_n_from_0() {
        assert_eq!("3/8".parse::<Shard>().unwrap().to_string(), "3/8");
        for (text, part) in [("8/8", "the last is 7/8"), ("0/0", "no shard"), ("3", "such as 0/8"), ("-1/4", "such as")]
        {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
