//! `grm doctor`: checks what a run would stand on, and says what to do.

use std::{collections::BTreeMap, path::Path};

use grm_core::ModelError;
use grm_journal::{Journal, JournalOptions};
use grm_llm::{ApiKey, Health, Transport, TransportConfig, probe};
use grm_local::{Engine, EngineConfig, KNOWN_MODELS, Places};
use serde::Serialize;

use super::print;
use crate::{
    assemble::{Place, is_here, resolve},
    cli,
    exit::{Exit, chain},
    run::read_manifest,
    servers::urls,
    terminal::{Paint, colours, plain},
};

/// One finding.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    /// "ok", "warn" or "fail".
    health: &'static str,
    subject: String,
    finding: String,
    /// What to do; empty when all is well.
    cure: String,
}

impl Finding {
    fn new(health: &'static str, subject: &str, finding: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { health, subject: subject.to_owned(), finding: finding.into(), cure: cure.into() }
    }

    fn ok(subject: &str, finding: impl Into<String>) -> Self {
        Self::new("ok", subject, finding, "")
    }

    fn of_error(subject: &str, error: &anyhow::Error) -> Self {
        Self::new("fail", subject, chain(error), "")
    }
}

/// Runs the verb. Exit code 1 when something fails.
pub(crate) async fn run(flags: cli::Doctor) -> anyhow::Result<Exit> {
    let target = flags.target.clone().unwrap_or_default();
    let findings = if target.is_empty() {
        machine()
    } else if let Place::Remote(list) = Place::of(&target) {
        let mut findings = Vec::new();
        for url in urls(&list) {
            findings.extend(endpoint(url, flags.key_env.as_deref().unwrap_or("OPENAI_API_KEY")).await?);
        }
        findings
    } else if Path::new(&target).is_dir() {
        folder(Path::new(&target))
    } else if Path::new(&target).is_file() && !target.ends_with(".gguf") {
        data_file(Path::new(&target))
    } else {
        model(&target).await
    };
    if flags.json {
        print(&format!("{}\n", serde_json::json!({ "version": 1, "target": target, "findings": findings })))?;
    } else {
        for finding in &findings {
            print(&line(finding, Paint(colours())))?;
        }
    }
    let failed = findings.iter().filter(|finding| finding.health == "fail").count();
    if failed > 0 { anyhow::bail!("{failed} of {} checks failed", findings.len()) } else { Ok(Exit::Done) }
}

fn line(finding: &Finding, paint: Paint) -> String {
    let mark = match finding.health {
        "ok" => paint.green("ok  "),
        "warn" => paint.yellow("warn"),
        _ => paint.red("FAIL"),
    };
    let cure = if finding.cure.is_empty() { String::new() } else { format!("\n       → {}", plain(&finding.cure)) };
    format!("{mark} {}: {}{cure}\n", finding.subject, plain(&finding.finding))
}

fn machine() -> Vec<Finding> {
    let places = Places::from_environment();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut findings = vec![Finding::ok("cores", cores.to_string())];
    for known in KNOWN_MODELS {
        findings.push(if is_here(&places, known) {
            Finding::ok(known.name, format!("in {}", places.models.display()))
        } else {
            let cure = format!("grm models pull {}", known.name);
            Finding::new("warn", known.name, "not fetched yet", cure)
        });
    }
    let offline = if places.hub.offline { " (HF_HUB_OFFLINE is set: nothing is fetched)" } else { "" };
    findings.push(Finding::ok("hub cache", format!("{}{offline}", places.hub.folder.display())));
    findings
        .push(Finding::ok("more", "give a URL, a .gguf file or short name, a data file or a run folder to check it"));
    findings
}

async fn endpoint(url: &str, key_env: &str) -> Result<Vec<Finding>, ModelError> {
    let transport = Transport::new(TransportConfig::default());
    let report = probe(url, None, ApiKey::from_env(key_env)?, transport).await;
    let findings = report.lines.into_iter().map(|found| {
        let health = match found.health {
            Health::Ok => "ok",
            Health::Warn => "warn",
            Health::Fail => "fail",
        };
        Finding::new(health, found.subject, found.finding, found.cure)
    });
    Ok(findings.collect())
}

async fn model(name: &str) -> Vec<Finding> {
    let name = name.to_owned();
    let checked = tokio::task::spawn_blocking(move || check_model(&name)).await;
    checked.unwrap_or_else(|error| vec![Finding::new("fail", "model", error.to_string(), "")])
}

fn check_model(name: &str) -> Vec<Finding> {
    let model = match resolve(name) {
        Ok(model) => model,
        Err(error) => return vec![Finding::of_error("file", &error)],
    };
    let mut findings = vec![
        Finding::ok("file", format!("{} (sha256 {}…)", model.path.display(), &model.sha256[..16])),
        Finding::ok(
            "header",
            format!(
                "{:?}, {} layers of context {:?}",
                model.header.architecture,
                model.header.name.as_deref().unwrap_or("unnamed"),
                model.header.context_length
            ),
        ),
    ];
    if let Some(note) = model.note {
        findings.push(Finding::new("warn", "origin", note, ""));
    }
    findings.push(match Engine::load(EngineConfig::new(model)) {
        Ok(engine) => Finding::ok("loads", format!("yes, with room for {} tokens", engine.context_tokens())),
        Err(error) => Finding::of_error("loads", &error.into()),
    });
    findings
}

fn data_file(path: &Path) -> Vec<Finding> {
    let records = match grm_data::open(path, &grm_data::ReadOptions::default()) {
        Ok(records) => records,
        Err(error) => return vec![Finding::of_error("records", &error.into())],
    };
    let (mut labelled, mut unlabelled) = (0_u64, 0_u64);
    let mut unusable: BTreeMap<String, u64> = BTreeMap::new();
    let mut findings = Vec::new();
    for record in records {
        match record {
            Ok(record) if record.label().is_some() => labelled += 1,
            Ok(_) => unlabelled += 1,
            Err(error) if error.is_skippable() => *unusable.entry(error.to_string()).or_default() += 1,
            Err(error) => findings.push(Finding::of_error("records", &error.into())),
        }
    }
    findings.insert(0, Finding::ok("records", format!("{labelled} with a label, {unlabelled} without")));
    for (problem, count) in unusable.into_iter().take(5) {
        findings.push(Finding::new("warn", "left out", format!("{count} × {problem}"), ""));
    }
    if labelled + unlabelled == 0 {
        findings.push(Finding::new(
            "fail",
            "records",
            "none can be used",
            "check the file's fields against grm judge --help",
        ));
    }
    findings
}

fn folder(path: &Path) -> Vec<Finding> {
    let manifest = match read_manifest(path) {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::of_error("run", &error)],
    };
    let resume = format!("grm runs resume {}", path.display());
    let mut findings = vec![Finding::ok("run", format!("{} of {}", manifest.verb, manifest.input.path.display()))];
    match Journal::open(&path.join("journal"), &JournalOptions::replay_only()) {
        Ok(journal) => {
            let stats = journal.stats();
            findings.push(Finding::ok("journal", format!("{} calls in {} bytes", stats.indexed, stats.bytes)));
            if stats.damaged + stats.recovered_torn > 0 {
                let found = format!(
                    "{} damaged and {} torn records; their calls are asked again",
                    stats.damaged, stats.recovered_torn
                );
                findings.push(Finding::new("warn", "journal", found, resume.clone()));
            }
        }
        Err(error) => findings.push(Finding::of_error("journal", &error.into())),
    }
    findings.push(if manifest.complete {
        Finding::ok("outputs", "complete")
    } else {
        Finding::new("warn", "outputs", "not finished", resume)
    });
    findings
}
