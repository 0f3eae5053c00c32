//! What goes wrong, and when.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{
    canonical::{Key, share_of},
    config::{MockConfigError, require},
};

/// A request is not failed more often than this in a row, unless the rule is persistent: a client with five attempts
/// gets through.
const MOST_IN_A_ROW: u32 = 4;

/// When a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultWhen {
    /// Every request.
    Always,
    /// Every n-th request.
    Every(u64),
    /// The first n times each request is seen.
    FirstOfEachKey(u64),
    /// This share of requests, by hash; repetitions of a request are drawn anew.
    Share(f64),
    /// Requests number `from` to `to`, counted from 1, both included.
    Range {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
}

/// The `Retry-After` header of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfter {
    /// As a number.
    Seconds(f64),
    /// As an HTTP date this many seconds ahead.
    DateIn(f64),
}

impl RetryAfter {
    pub(crate) fn header(self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::DateIn(seconds) => {
                httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs_f64(seconds.max(0.0)))
            }
        }
    }
}

/// What happens instead of, or before, the reply.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultAction {
    /// An error reply.
    Status {
        /// The HTTP status.
        code: u16,
        /// When to come back.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
    },
    /// The right reply, this many milliseconds later.
    Delay(u64),
    /// The connection is reset before the reply begins.
    Reset,
    /// The connection breaks after this many bytes of the body.
    CutBody(usize),
    /// A web page with status 200.
    HtmlOk,
    /// The right reply's first half, with status 200.
    TruncatedJson,
    /// JSON of another shape.
    WrongShape,
    /// `choices: []`.
    EmptyChoices,
    /// `content: null`.
    NullContent,
    /// A body of this many bytes.
    HugeBody(u64),
    /// The right reply, one byte at a time with this many milliseconds between.
    SlowBody(u64),
}

/// One line of a script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// When it applies.
    pub when: FaultWhen,
    /// What then happens.
    #[serde(rename = "do")]
    pub action: FaultAction,
    /// Fails the same request for ever instead of four times in a row.
    #[serde(default)]
    pub persistent: bool,
    /// Only requests to this path.
    #[serde(default)]
    pub path: Option<String>,
}

impl FaultRule {
    /// A rule for all paths that gives up on a request after four failures in a row.
    #[must_use]
    pub fn new(when: FaultWhen, action: FaultAction) -> Self {
        Self { when, action, persistent: false, path: None }
    }

    /// A rule that never gives up.
    #[must_use]
    pub fn persistent(when: FaultWhen, action: FaultAction) -> Self {
        Self { persistent: true, ..Self::new(when, action) }
    }
}

/// Rules that were checked; the first that applies wins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FaultScript {
    rules: Vec<FaultRule>,
}

/// What a rule may look at.
pub(crate) struct Arrival<'a> {
    pub(crate) key: &'a Key,
    pub(crate) path: &'a str,
    /// From 1, over all requests.
    pub(crate) number: u64,
    /// From 1, for this key.
    pub(crate) times_seen: u64,
    /// Failures of this key just before.
    pub(crate) failed_in_a_row: u32,
}

impl FaultScript {
    /// Refuses rules that cannot apply or answer with an impossible status.
    pub fn new(rules: Vec<FaultRule>) -> Result<Self, MockConfigError> {
        for rule in &rules {
            match rule.when {
                FaultWhen::Every(n) => require(n > 0, "faults.when.every", n, "at least 1")?,
                FaultWhen::Share(share) => {
                    require((0.0..=1.0).contains(&share), "faults.when.share", share, "from 0 to 1")?;
                }
                FaultWhen::Range { from, to } => {
                    require(from <= to, "faults.when.range", format!("{from} to {to}"), "from ≤ to")?;
                }
                FaultWhen::Always | FaultWhen::FirstOfEachKey(_) => {}
            }
            if let FaultAction::Status { code, .. } = rule.action {
                require((200..=599).contains(&code), "faults.do.status.code", code, "from 200 to 599")?;
            }
        }
        Ok(Self { rules })
    }

    /// The fault of this request, if any.
    pub(crate) fn decide(&self, arrival: &Arrival<'_>) -> Option<FaultAction> {
        let rule = self.rules.iter().enumerate().find(|(index, rule)| rule.applies(arrival, *index as u64));
        rule.map(|(_, rule)| rule.action)
    }
}

impl FaultRule {
    fn applies(&self, arrival: &Arrival<'_>, index: u64) -> bool {
        if self.path.as_deref().is_some_and(|path| path != arrival.path) {
            return false;
        }
        if !self.persistent && self.action.fails() && arrival.failed_in_a_row >= MOST_IN_A_ROW {
            return false;
        }
        match self.when {
            FaultWhen::Always => true,
            FaultWhen::Every(n) => arrival.number.is_multiple_of(n),
            FaultWhen::FirstOfEachKey(n) => arrival.times_seen <= n,
            FaultWhen::Share(share) => share_of(arrival.key, &format!("fault {index} {}", arrival.times_seen)) < share,
            FaultWhen::Range { from, to } => (from..=to).contains(&arrival.number),
        }
    }
}

impl FaultAction {
    /// True when the client does not get the right reply.
    pub(crate) fn fails(self) -> bool {
        !matches!(self, Self::Delay(_) | Self::SlowBody(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(key: &Key, number: u64, times_seen: u64, failed_in_a_row: u32) -> Arrival<'_> {
        Arrival { key, path: "/v1/chat/completions", number, times_seen, failed_in_a_row }
    }

    fn script(when: FaultWhen) -> FaultScript {
        FaultScript::new(vec![FaultRule::new(when, FaultAction::Reset)]).unwrap()
    }

    #[test]
    fn rules_apply_when_they_say() {
        let key = [7; 32];
        let hit = |when, number, seen| script(when).decide(&arrival(&key, number, seen, 0)).is_some();
        assert!(hit(FaultWhen::Every(3), 6, 1) && !hit(FaultWhen::Every(3), 7, 1));
        assert!(hit(FaultWhen::FirstOfEachKey(2), 9, 2) && !hit(FaultWhen::FirstOfEachKey(2), 9, 3));
        assert!(hit(FaultWhen::Range { from: 2, to: 4 }, 4, 1) && !hit(FaultWhen::Range { from: 2, to: 4 }, 5, 1));
        assert!(hit(FaultWhen::Share(1.0), 1, 1) && !hit(FaultWhen::Share(0.0), 1, 1));
    }

    #[test]
    fn a_share_is_about_that_share() {
        let hits = (0..10_000_u64).filter(|number| {
            let key = *blake3::hash(&number.to_le_bytes()).as_bytes();
            script(FaultWhen::Share(0.1)).decide(&arrival(&key, 1, 1, 0)).is_some()
        });
        let hits = hits.count();
        assert!((900..1100).contains(&hits), "{hits}");
    }

    #[test]
    fn four_in_a_row_is_the_most_unless_persistent() {
        let key = [7; 32];
        assert!(script(FaultWhen::Always).decide(&arrival(&key, 9, 9, 3)).is_some());
        assert!(script(FaultWhen::Always).decide(&arrival(&key, 9, 9, 4)).is_none());
        let for_ever = FaultScript::new(vec![FaultRule::persistent(FaultWhen::Always, FaultAction::Reset)]).unwrap();
        assert!(for_ever.decide(&arrival(&key, 9, 9, 400)).is_some());
    }

    #[test]
    fn paths_are_kept_apart() {
        let rule =
            FaultRule { path: Some("/classify".into()), ..FaultRule::new(FaultWhen::Always, FaultAction::Reset) };
        assert!(FaultScript::new(vec![rule]).unwrap().decide(&arrival(&[1; 32], 1, 1, 0)).is_none());
    }
}
