//! Runs the case files under `tests/suite`: what models wrote (or what was done to them), and what must be made of it.
//!
//! A folder is a contract, a file a theme, a `[[case]]` one reply with a hand-set expectation. All failures of a
//! folder are reported together, each with its file and name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use grm_core::{Criterion, Finish, Invalid, Outcome};
use grm_judge::{criteria, direct, judgment, neutralise, refinement, restore};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<Case> {
    case: Vec<Case>,
}

/// A reply as a case states it: `reply`, `repeat` times over, and `then` once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    name: String,
    reply: String,
    repeat: Option<usize>,
    then: Option<String>,
    finish: Option<Finish>,
    /// Verdict cases: `A`, `B` or the reason. Refinement cases: the reason, if the reply is unusable.
    expect: Option<String>,
    // judgments
    scores: Option<[u8; 2]>,
    critiques: Option<[String; 2]>,
    // criteria
    wanted: Option<usize>,
    given: Option<Vec<String>>,
    names: Option<Vec<String>>,
    explanations: Option<Vec<String>>,
    problem: Option<Invalid>,
    // refinements
    original: Option<String>,
    text: Option<String>,
}

impl Reply {
    fn text(&self) -> String {
        self.reply.repeat(self.repeat.unwrap_or(1)) + self.then.as_deref().unwrap_or_default()
    }

    fn finish(&self) -> Finish {
        self.finish.unwrap_or(Finish::Stop)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hostile {
    name: String,
    text: String,
    /// What it becomes; left out when it must stay as it is.
    safe: Option<String>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite").join(name)
}

fn cases<Case: DeserializeOwned>(name: &str) -> Vec<(String, Case)> {
    let entries = std::fs::read_dir(folder(name)).expect("the folder of a contract");
    let files: BTreeSet<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    let mut all = Vec::new();
    for path in files {
        let file = path.file_name().expect("a file").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}/{file}: {error}"));
        let cases: File<Case> = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}/{file}: {error}"));
        all.extend(cases.case.into_iter().map(|case| (format!("{name}/{file}"), case)));
    }
    all
}

/// Runs every case of a folder and fails with the list of those that differ.
fn check<Case: DeserializeOwned>(name: &str, label: fn(&Case) -> &str, run: fn(&Case) -> Result<(), String>) {
    let mut failures = Vec::new();
    let mut names = BTreeSet::new();
    for (file, case) in cases::<Case>(name) {
        assert!(names.insert(label(&case).to_owned()), "{file}: two cases are named {:?}", label(&case));
        if let Err(difference) = run(&case) {
            failures.push(format!("{file}: {:?}\n  {difference}", label(&case)));
        }
    }
    assert!(!names.is_empty(), "no case in {name}");
    assert!(failures.is_empty(), "{} of {} cases failed\n{}", failures.len(), names.len(), failures.join("\n"));
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {got:?}")) }
}

fn shown(outcome: Outcome<char>) -> String {
    match outcome {
        Ok(letter) => letter.to_string(),
        Err(reason) => serde_json::to_value(reason).expect("a name").as_str().expect("a string").to_owned(),
    }
}

#[test]
fn judgments() {
    check::<Reply>(
        "judgment",
        |case| &case.name,
        |case| {
            let parsed = judgment::parse(&case.text(), case.finish());
            let verdict = parsed.as_ref().map(|judgment| judgment.preferred.letter()).map_err(|reason| *reason);
            same("verdict", &Some(shown(verdict)), &case.expect)?;
            if let (Some(expected), Ok(judgment)) = (&case.scores, &parsed) {
                same("scores", &judgment.scores, expected)?;
            }
            if let (Some(expected), Ok(judgment)) = (&case.critiques, &parsed) {
                same("critiques", &judgment.critiques, expected)?;
            }
            Ok(())
        },
    );
}

#[test]
fn direct_judgments() {
    check::<Reply>(
        "direct",
        |case| &case.name,
        |case| {
            let verdict = direct::parse(&case.text(), case.finish()).map(grm_core::Choice::letter);
            same("verdict", &Some(shown(verdict)), &case.expect)
        },
    );
}

#[test]
fn criteria_replies() {
    check::<Reply>(
        "criteria",
        |case| &case.name,
        |case| {
            let given = |name: &String| Criterion { name: name.clone(), explanation: "given".into() };
            let given: Vec<Criterion> = case.given.iter().flatten().map(given).collect();
            let reply = criteria::parse(&case.text(), case.finish(), case.wanted.unwrap_or(3), &given);
            let names = reply.criteria.iter().map(|criterion| criterion.name.clone()).collect();
            same("names", &names, &case.names.clone().unwrap_or_default())?;
            if let Some(expected) = &case.explanations {
                let all = reply.criteria.iter().map(|criterion| criterion.explanation.clone()).collect();
                same("explanations", &all, expected)?;
            }
            same("problem", &reply.problem, &case.problem)
        },
    );
}

#[test]
fn refinements() {
    check::<Reply>(
        "refinement",
        |case| &case.name,
        |case| {
            let original = case.original.as_deref().unwrap_or("A plain original response.");
            match refinement::parse(&case.text(), case.finish(), original) {
                Ok(text) => same("text", &Some(text), &case.text),
                Err(reason) => same("reason", &Some(shown(Err(reason))), &case.expect),
            }
        },
    );
}

#[test]
fn hostile_texts() {
    check::<Hostile>(
        "sanitize",
        |case| &case.name,
        |case| {
            let safe = neutralise(&case.text);
            same("safe text", &safe.as_ref(), &case.safe.as_deref().unwrap_or(&case.text))?;
            same("second pass", &neutralise(&safe), &safe)?;
            same("restored", &restore(&case.text, &safe), &case.text)
        },
    );
}

#[test]
fn the_corpus_has_not_shrunk() {
    let replies = ["criteria", "judgment", "refinement", "direct"].map(|name| cases::<Reply>(name).len());
    let hostile = cases::<Hostile>("sanitize").len();
    let all = replies.iter().sum::<usize>() + hostile;
    assert!(all >= 300, "{all} cases: {replies:?} replies and {hostile} hostile texts");
}
