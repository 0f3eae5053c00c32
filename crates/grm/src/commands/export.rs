//! `grm export`: a run of `grm synthesize` as a folder that another engine trains from.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use grm_export::{Engine, ExportSettings, Exported, TokenCounter, check};

use super::print;
use crate::{exit::Exit, terminal::plain};

/// Flags of `grm export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// LLaMA-Factory: text, pictures, clips and sounds; one YAML a stage.
    Llamafactory(Flags),
    /// ms-swift: the same, for packing, Megatron and GRPO.
    MsSwift(Flags),
    /// TRL: text and pictures.
    Trl(Flags),
    /// Look for everything an engine would stumble over.
    Check(CheckFlags),
}

#[derive(Debug, Args)]
struct Flags {
    /// Run folder of `grm synthesize`.
    run: PathBuf,
    /// The folder to write; an earlier export there is replaced, what was trained in it stays.
    folder: PathBuf,
    /// tokenizer.json of the model that is trained, or its folder (whose processor settings count too).
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// What is trained: a name on the hub, or a folder [default: Qwen/Qwen2.5-Omni-7B].
    #[arg(long, value_name = "MODEL")]
    base: Option<String>,
    /// Folder the media lie in, if not where the run says.
    #[arg(long, value_name = "DIR")]
    media: Option<PathBuf>,
    /// Tokens of a record, at most; longer ones are left out and counted [default: 4096].
    #[arg(long, value_name = "N")]
    cutoff: Option<usize>,
    /// Seed of the order of records [default: 42].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// System message of prompts that have none.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Print the manifest as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CheckFlags {
    /// A folder that `grm export` wrote.
    folder: PathBuf,
    /// Count lengths anew with this tokenizer.json, instead of believing those written down.
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(crate) fn run(flags: &Export) -> anyhow::Result<Exit> {
    match &flags.action {
        Action::Llamafactory(flags) => export(Engine::LlamaFactory, flags),
        Action::MsSwift(flags) => export(Engine::MsSwift, flags),
        Action::Trl(flags) => export(Engine::Trl, flags),
        Action::Check(flags) => inspect(flags),
    }
}

fn export(engine: Engine, flags: &Flags) -> anyhow::Result<Exit> {
    let mut settings = ExportSettings::paper(engine);
    settings.tokenizer.clone_from(&flags.tokenizer);
    settings.media.clone_from(&flags.media);
    settings.base_model = flags.base.clone().unwrap_or(settings.base_model);
    settings.cutoff_tokens = flags.cutoff.unwrap_or(settings.cutoff_tokens);
    settings.seed = flags.seed.unwrap_or(settings.seed);
    settings.system = flags.system.clone().unwrap_or(settings.system);
    let exported = grm_export::export(&flags.run, &flags.folder, &settings)?;
    if flags.json {
        print(&format!("{}\n", serde_json::to_string(&exported.manifest)?))?;
    } else {
        print(&plain(&summary(&exported, &flags.folder)))?;
    }
    Ok(Exit::Done)
}

/// How many records that were left out are named.
const NAMED_MAX: usize = 5;

fn summary(exported: &Exported, folder: &std::path::Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (set, counts) in &exported.manifest.sets {
        let modalities: Vec<String> = counts.modalities.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let _ = writeln!(
            text,
            "{}: {} records ({}), {} tokens, the longest {}",
            set.as_str(),
            counts.records,
            modalities.join(", "),
            counts.tokens.total,
            counts.tokens.max
        );
        for (reason, count) in &counts.left_out {
            let _ = writeln!(text, "  left out: {count} × {}", reason.explanation());
        }
        for refused in exported.refused.get(set).into_iter().flatten().take(NAMED_MAX) {
            let _ = writeln!(text, "    {} {}", refused.id, refused.detail);
        }
        if counts.escaped > 0 {
            let _ =
                writeln!(text, "  {} prompts quote a placeholder; it is written with a space after <", counts.escaped);
        }
    }
    let media: Vec<String> = exported
        .media
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(kind, count)| format!("{count} {}", kind.column()))
        .collect();
    if !media.is_empty() {
        let _ = writeln!(text, "media: {}", media.join(", "));
    }
    let _ = writeln!(text, "train and bring back: bash {0}/run.sh    check: grm export check {0}", folder.display());
    text
}

fn inspect(flags: &CheckFlags) -> anyhow::Result<Exit> {
    let tokens = flags.tokenizer.as_deref().map(TokenCounter::open).transpose()?;
    let findings = check::check(&flags.folder, tokens.as_ref()).context("the folder could not be checked")?;
    if flags.json {
        let (records, files) = (findings.records, findings.files);
        let json = serde_json::json!({ "version": 1, "records": records, "files": files, "faults": findings.faults });
        print(&format!("{json}\n"))?;
    } else {
        let faults: String = findings.faults.iter().map(|fault| format!("{fault}\n")).collect();
        let count = findings.faults.len();
        print(&plain(&format!("{faults}{} records, {} files: {count} faults\n", findings.records, findings.files)))?;
    }
    if findings.faults.is_empty() { Ok(Exit::Done) } else { Ok(Exit::TooManyFailures) }
}
