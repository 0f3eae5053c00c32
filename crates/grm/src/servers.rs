//! Several servers in one role: how they are written, and what they did.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use grm_llm::{FleetStats, FleetWatch};
use serde::{Deserializer, de};

/// The addresses of a role's servers: one, or several with commas between.
pub(crate) fn urls(name: &str) -> Vec<&str> {
    name.split(',').map(str::trim).filter(|url| !url.is_empty()).collect()
}

/// Reads a name, or a list of addresses, into the form flags have.
pub(crate) fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_any(Names)
}

/// The same where nothing may be written.
pub(crate) fn maybe_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    one_or_several(deserializer).map(Some)
}

struct Names;

impl<'de> de::Visitor<'de> for Names {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model's name or address, or a list of addresses")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<String, E> {
        Ok(name.to_owned())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<String, A::Error> {
        let mut names: Vec<String> = Vec::new();
        while let Some(name) = list.next_element()? {
            names.push(name);
        }
        if names.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(names.join(",")) }
    }
}

/// Where a role's counts will be, once its servers are connected.
pub(crate) type Watched = Arc<OnceLock<FleetWatch>>;

/// The roles that have several servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleets(Vec<(&'static str, Watched)>);

impl Fleets {
    /// A place for a role's counts.
    pub(crate) fn add(&mut self, role: &'static str) -> Watched {
        let watched = Watched::default();
        self.0.push((role, watched.clone()));
        watched
    }

    /// What the servers did, by role.
    pub(crate) fn stats(&self) -> BTreeMap<&'static str, FleetStats> {
        self.0.iter().filter_map(|(role, watched)| Some((*role, watched.get()?.stats()))).collect()
    }

    /// True while a role is without any server.
    pub(crate) fn is_down(&self) -> bool {
        self.0.iter().any(|(_, watched)| watched.get().is_some_and(|watch| watch.stats().is_down()))
    }

    /// The same for people; nothing where every role has one server.
    pub(crate) fn text(&self) -> String {
        self.stats().iter().map(|(role, stats)| text(role, stats)).collect()
    }
}

fn text(role: &str, stats: &FleetStats) -> String {
    let share = affinity(stats);
    let mut text = format!("{role} servers: {share}, {} moved, {} overflowed\n", stats.moved, stats.overflowed);
    let width = stats.servers.iter().map(|server| server.place.len()).max().unwrap_or(0);
    for server in &stats.servers {
        let failed = if server.failed > 0 { format!(", {} failed", server.failed) } else { String::new() };
        let left_out = match (server.left_out, server.up) {
            (0, _) => String::new(),
            (times, true) => format!(", left out {times} times and back"),
            (_, false) => ", left out at the end".to_owned(),
        };
        text += &format!("  {:<width$}  {:>8} calls{failed}{left_out}\n", server.place, server.calls);
    }
    text
}

/// How far pairs kept together; pairs whose home died are told apart.
fn affinity(stats: &FleetStats) -> String {
    let (Some(together), Some(at_home)) = (stats.affinity(), stats.affinity_to_home()) else {
        return "no call yet".to_owned();
    };
    let text = format!("{:.1} % of a pair's calls on one server", 100.0 * together);
    if stats.rehomed == 0 {
        return text;
    }
    format!("{text} ({:.1} % at their pair's home of the time; {} pairs got another)", 100.0 * at_home, stats.rehomed)
}

#[cfg(test)]
mod tests {
    use grm_llm::ServerStats;

    use super::*;

    #[test]
    fn a_list_is_read_as_flags_write_it() {
        #[derive(serde::Deserialize)]
        struct Roles {
            #[serde(deserialize_with = "one_or_several")]
            genrm: String,
            #[serde(default, deserialize_with = "maybe_several")]
            policy: Option<String>,
        }
        let roles: Roles = toml::from_str("genrm = [\"http://a/v1\", \"http://b/v1\"]\npolicy = \"small\"").unwrap();
        assert_eq!(urls(&roles.genrm), ["http://a/v1", "http://b/v1"]);
        assert_eq!((roles.genrm.as_str(), roles.policy.as_deref()), ("http://a/v1,http://b/v1", Some("small")));
        let none: Roles = toml::from_str("genrm = \"m\"").unwrap();
        assert_eq!((urls(&none.genrm), none.policy), (vec!["m"], None));
        assert!(toml::from_str::<Roles>("genrm = []").is_err());
        assert_eq!(urls(" http://a , http://b,"), ["http://a", "http://b"]);
    }

    #[test]
    fn counts_are_told_server_by_server() {
        let server =
            |place: &str, calls, failed, left_out, up| ServerStats { place: place.into(), calls, failed, left_out, up };
        let servers = vec![server("http://a", 95, 0, 0, true), server("http://bb", 5, 2, 1, false)];
        let mut stats =
            FleetStats { servers, moved: 2, overflowed: 1, calls: 100, on_majority: 97, at_home: 99, rehomed: 0 };
        let expected = "GenRM servers: 97.0 % of a pair's calls on one server, 2 moved, 1 overflowed\n  \
                        http://a         95 calls\n  http://bb         5 calls, 2 failed, left out at the end\n";
        assert_eq!(text("GenRM", &stats), expected);
        stats.rehomed = 3;
        let told =
            "97.0 % of a pair's calls on one server (99.0 % at their pair's home of the time; 3 pairs got another)";
        assert_eq!(affinity(&stats), told);
    }
}
