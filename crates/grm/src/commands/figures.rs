//! `grm figures`: the paper's figures and analyses of finished runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use grm_core::{Choice, Trajectory};
use grm_data::AtomicFile;
use grm_eval::{
    ItemOutcome, JudgedItem,
    analyses::{
        Analyses, BestOfN, CandidateSet, ClassShare, Estimate, Kappa, Order, Originals, VoteCurve, Weighting, analyse,
        best_of_n, class_shares, disrm_alone, kappa, read_sheet, sample_sheet, write_sheet,
    },
    figures::{Figure, NamedRun, best_of_n_figure, paper_figures},
};
use grm_judge::JudgedPair;
use serde::Serialize;

use super::print;
use crate::{exit::Exit, outcomes::each_record, record::PairRecord, run::pretty, terminal::plain};

/// Flags of `grm figures`.
#[derive(Debug, Args)]
pub(crate) struct Figures {
    /// Run folders with trajectories of labelled pairs; several are drawn side by side.
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the figures go: NAME.svg, NAME.csv and NAME.vl.json each, and analyses.json.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Names of the runs in legends, in their order; the folders' names otherwise.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    names: Vec<String>,
    /// A judge's candidate sets for figure 7, one JSON object a line: {"id", "correct": [true, false, ..],
    /// "judged": {"pointwise": [score or null, ..]} or {"pairwise": [[one, other, 1, 0.5 or 0], ..]}}.
    #[arg(long, value_name = "NAME=FILE")]
    candidates: Vec<String>,
    /// Draw this many wrong verdicts of the first run into errors.jsonl, for a reader to class.
    #[arg(long, value_name = "COUNT")]
    sample_errors: Option<usize>,
    /// A classed sheet, or two sheets of two readers (agreement is Cohen's kappa).
    #[arg(long, value_name = "FILE", num_args = 1..=2)]
    errors: Vec<PathBuf>,
    /// Seed of bootstraps and samples.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// `analyses.json`.
#[derive(Debug, Serialize)]
struct AnalysesFile {
    version: u32,
    runs: Vec<RunAnalyses>,
    best_of_n: BTreeMap<String, Vec<BestOfN>>,
    errors: Option<Errors>,
    /// Figures that could not be drawn, and why.
    missing: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RunAnalyses {
    name: String,
    folder: PathBuf,
    /// Pairs without a label, which are in no analysis.
    unlabelled: usize,
    /// Labelled pairs with a call that had no reply, which are in no analysis.
    failed: usize,
    /// The bar ranking has to clear.
    disrm_alone: Option<Estimate>,
    analyses: Analyses,
}

#[derive(Debug, Serialize)]
struct Errors {
    lines: usize,
    classes: Vec<ClassShare>,
    agreement: Option<Kappa>,
}

/// Runs the verb.
pub(crate) fn run(flags: &Figures) -> anyhow::Result<Exit> {
    if flags.runs.is_empty() && flags.candidates.is_empty() && flags.errors.is_empty() {
        bail!("nothing to draw; name a run folder, --candidates or --errors");
    }
    create(&flags.out)?;
    let runs =
        named(flags)?.into_iter().map(|(name, folder)| Labelled::read(name, folder)).collect::<Result<Vec<_>, _>>()?;
    let (mut figures, mut missing) = drawn(&runs);
    let curves = candidate_curves(flags)?;
    if !curves.is_empty() {
        match best_of_n_figure(&curves, &lead_of_candidates(flags)) {
            Ok(figure) => figures.push(figure),
            Err(note) => missing.push(note.to_string()),
        }
    }
    for figure in &figures {
        write_figure(&flags.out, figure)?;
    }
    let errors = errors(flags, &runs)?;
    let file = AnalysesFile {
        version: 1,
        runs: runs.iter().map(|run| run.analyses(flags.seed)).collect(),
        best_of_n: curves.into_iter().collect(),
        errors,
        missing,
    };
    write(&flags.out.join("analyses.json"), &pretty(&file)?)?;
    print(&plain(&summary(&flags.out, &figures, &file)))?;
    Ok(Exit::Done)
}

fn drawn(runs: &[Labelled]) -> (Vec<Figure>, Vec<String>) {
    if runs.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let named: Vec<NamedRun<'_>> = runs.iter().map(|run| NamedRun { name: &run.name, items: &run.items }).collect();
    let lead = if let [run] = runs { format!("Run {}:", run.name) } else { String::new() };
    let (figures, notes) = paper_figures(&named, &lead);
    (figures, notes.iter().map(ToString::to_string).collect())
}

/// Folders with the names legends give them; two alike would be one line.
fn named(flags: &Figures) -> anyhow::Result<Vec<(String, &Path)>> {
    if !flags.names.is_empty() && flags.names.len() != flags.runs.len() {
        bail!("{} names for {} runs; give one each, with commas between", flags.names.len(), flags.runs.len());
    }
    let last = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = |(index, folder): (usize, &PathBuf)| {
        flags.names.get(index).cloned().or_else(|| last(folder)).unwrap_or_else(|| folder.display().to_string())
    };
    let names: Vec<String> = flags.runs.iter().enumerate().map(name).collect();
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        bail!("two runs have the same name; tell them apart with --names ONE,OTHER");
    }
    Ok(names.into_iter().zip(flags.runs.iter().map(PathBuf::as_path)).collect())
}

/// The labelled pairs of one run, without the texts no analysis reads.
struct Labelled {
    name: String,
    folder: PathBuf,
    items: Vec<JudgedItem>,
    originals: Vec<Originals>,
    unlabelled: usize,
    failed: usize,
}

impl Labelled {
    fn read(name: String, folder: &Path) -> anyhow::Result<Self> {
        let subsets = subsets(folder)?;
        let (items, originals) = (Vec::new(), Vec::new());
        let mut run = Self { name, folder: folder.to_owned(), items, originals, unlabelled: 0, failed: 0 };
        each_record(folder, |record| {
            run.add(record, &subsets);
            Ok(true)
        })?;
        if run.items.is_empty() {
            bail!(
                "{} has no judged pair with a label ({} without a label, {} failed); judge labelled pairs",
                folder.display(),
                run.unlabelled,
                run.failed
            );
        }
        Ok(run)
    }

    fn add(&mut self, record: &PairRecord, subsets: &BTreeMap<String, String>) {
        match (record.label, record.judged()) {
            (None, _) => self.unlabelled += 1,
            (Some(_), None) => self.failed += 1,
            (Some(label), Some(judged)) => {
                self.originals.push(Originals { scores: judged.originals, label });
                let subset = subsets.get(&record.comparison.id).cloned().unwrap_or_default();
                self.items.push(item(&record.comparison.id, subset, (label, judged)));
            }
        }
    }

    fn analyses(&self, seed: u64) -> RunAnalyses {
        RunAnalyses {
            name: self.name.clone(),
            folder: self.folder.clone(),
            unlabelled: self.unlabelled,
            failed: self.failed,
            disrm_alone: disrm_alone(&self.originals),
            analyses: analyse(&self.items, seed),
        }
    }
}

fn item(id: &str, subset: String, (label, judged): (Choice, &JudgedPair)) -> JudgedItem {
    let trajectories = judged.trajectories.iter().map(without_texts).collect();
    JudgedItem { id: id.to_owned(), subset, label, trajectories, verdict: judged.verdict.clone() }
}

fn without_texts(trajectory: &Trajectory) -> Trajectory {
    let mut trajectory = trajectory.clone();
    if let Ok(judgment) = &mut trajectory.judgment {
        judgment.critiques = Default::default();
    }
    for refinement in trajectory.refinements.iter_mut().flatten() {
        refinement.text = String::new();
    }
    trajectory
}

/// Subsets by item, from the outcome files of an evaluation's judges; none where the run has no such files.
fn subsets(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut subsets = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder.join("judges")) else { return Ok(subsets) };
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    for path in files {
        for outcome in lines::<ItemOutcome>(&path)? {
            subsets.entry(outcome.id).or_insert(outcome.subset);
        }
    }
    Ok(subsets)
}

/// Every line of a JSONL file; a broken one is named.
fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let file =
        std::fs::File::open(path).with_context(|| format!("could not read {}; check the name", path.display()))?;
    let mut all = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), index + 1);
        let line = line.with_context(place)?;
        if !line.trim().is_empty() {
            all.push(serde_json::from_str(&line).with_context(place)?);
        }
    }
    Ok(all)
}

fn candidate_curves(flags: &Figures) -> anyhow::Result<Vec<(String, Vec<BestOfN>)>> {
    let curve = |given: &String| {
        let Some((name, path)) = given.split_once('=') else {
            bail!("--candidates {given}: give the judge's name and the file, NAME=FILE");
        };
        let sets: Vec<CandidateSet> = lines(Path::new(path))?;
        let curve = best_of_n(&sets, flags.seed).with_context(|| format!("could not use {path}"))?;
        Ok((name.to_owned(), curve))
    };
    flags.candidates.iter().map(curve).collect()
}

fn lead_of_candidates(flags: &Figures) -> String {
    format!("{} judges.", flags.candidates.len())
}

fn errors(flags: &Figures, runs: &[Labelled]) -> anyhow::Result<Option<Errors>> {
    if let (Some(count), Some(run)) = (flags.sample_errors, runs.first()) {
        write_sheet(&flags.out.join("errors.jsonl"), &sample_sheet(&run.items, count, flags.seed))?;
    }
    let sheets = flags.errors.iter().map(|path| read_sheet(path)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = sheets.first() else { return Ok(None) };
    let agreement = sheets.get(1).map(|second| kappa(first, second));
    Ok(Some(Errors { lines: first.len(), classes: class_shares(first), agreement }))
}

fn summary(out: &Path, figures: &[Figure], file: &AnalysesFile) -> String {
    let mut text = String::new();
    for run in &file.runs {
        let RunAnalyses { name, analyses, unlabelled, failed, .. } = run;
        let quality = &analyses.ranking;
        let auc = quality.within_items.map_or("no item has both a right and a wrong judgment".to_owned(), |auc| {
            format!("{:.3} [{:.3}, {:.3}] over {} items", auc.value, auc.low, auc.high, quality.mixed_items)
        });
        text.push_str(&format!(
            "{name}: {} labelled items ({unlabelled} without a label and {failed} failed are left out)\n  verdict \
             right: {}\n  \
             DisRM alone: {}\n  vote of all criteria, ties as half: {}\n  AUC of s_meta against right judgments, \
             within items: {auc}\n  judgments without use: {}, \
             usable ones without a meta-reward: {}\n",
            analyses.items,
            percent(analyses.verdicts.accuracy),
            percent(run.disrm_alone),
            percent(vote_of_all(analyses)),
            quality.invalid,
            quality.unscored,
        ));
    }
    for figure in figures {
        text.push_str(&format!("{}: {}\n", out.join(&figure.name).with_extension("svg").display(), figure.title));
    }
    for note in &file.missing {
        text.push_str(&format!("not drawn: {note}\n"));
    }
    text
}

/// What the criteria say without ranking.
fn vote_of_all(analyses: &Analyses) -> Option<Estimate> {
    let plain = |curve: &&VoteCurve| curve.order == Order::Proposed && curve.weighting == Weighting::Equal;
    analyses.votes.iter().find(plain)?.points.last()?.ties_as_half()
}

/// A share with its interval, or a word that there is none.
pub(crate) fn percent(estimate: Option<Estimate>) -> String {
    let Some(Estimate { value, low, high, of }) = estimate else { return "none".to_owned() };
    format!("{:.1} % [{:.1}, {:.1}] of {of}", value * 100.0, low * 100.0, high * 100.0)
}

/// Writes a figure as picture, table and chart.
pub(crate) fn write_figure(folder: &Path, figure: &Figure) -> anyhow::Result<()> {
    let path = |ending: &str| folder.join(format!("{}.{ending}", figure.name));
    write(&path("svg"), (figure.svg() + "\n").as_bytes())?;
    write(&path("csv"), figure.csv().as_bytes())?;
    write(&path("vl.json"), &pretty(&figure.vega_lite())?)
}

/// Makes the folder if it is not there.
pub(crate) fn create(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))
}

/// Writes a small file whole.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).with_context(|| format!("could not write {}", path.display()))?;
    Ok(file.commit()?)
}

#[cfg(test)]
mod tests {
    use grm_core::{
        Comparison, Criterion, CriterionSource, Decision, Invalid, Judgment, MetaReward, Prompt, Response, Verdict,
        Votes,
    };

    use super::*;
    use crate::record::{Failure, PairOutcome};

    fn judged(preferred: &[Choice]) -> PairOutcome {
        let trajectory = |(index, preferred): (usize, &Choice)| Trajectory {
            index,
            criterion: Criterion { name: format!("c{index}"), explanation: String::new() },
            source: CriterionSource::Initial,
            judgment: Ok(Judgment {
                preferred: *preferred,
                scores: [8, 4],
                critiques: ["of A".into(), "of B".into()],
                logprobs: None,
                votes: Votes::default(),
            }),
            refinements: [Err(Invalid::Empty), Err(Invalid::Empty)],
            meta: Ok(MetaReward { value: 1.0, consistent: true }),
            ranked_by: grm_core::RankedBy::Refinement,
        };
        let decision = preferred.first().map_or(Decision::Tie, |preferred| Decision::Prefer(*preferred));
        PairOutcome::Judged(Box::new(JudgedPair {
            originals: [Err(Invalid::MissingRewardScore), Err(Invalid::MissingRewardScore)],
            trajectories: preferred.iter().enumerate().map(trajectory).collect(),
            verdict: Verdict { decision, confidence: None, rule: "combined".into(), votes: Votes::default() },
            tally: grm_judge::Tally::default(),
        }))
    }

    fn line(id: &str, label: Option<Choice>, outcome: PairOutcome) -> String {
        let responses = [Response::from_text("one"), Response::from_text("two")];
        let comparison = Comparison { id: id.into(), prompt: Prompt::from_text("q"), responses };
        serde_json::to_string(&PairRecord { version: 1, comparison, label, outcome }).unwrap() + "\n"
    }

    fn failed() -> PairOutcome {
        PairOutcome::Failed(Failure { kind: "unreachable".into(), message: "no answer".into() })
    }

    fn flags(folder: &Path, runs: &[&str]) -> Figures {
        Figures {
            runs: runs.iter().map(|run| folder.join(run)).collect(),
            out: folder.join("out"),
            names: Vec::new(),
            candidates: Vec::new(),
            sample_errors: None,
            errors: Vec::new(),
            seed: 1,
        }
    }

    fn a_run(folder: &Path, name: &str, lines: &[String]) {
        let run = folder.join(name);
        std::fs::create_dir_all(run.join("judges")).unwrap();
        std::fs::write(run.join("trajectories.jsonl"), lines.concat()).unwrap();
        let outcome =
            r#"{"id":"p1","subset":"hard","truth":"first","shown_first":"first","said":"first","lengths":[3,3]}"#;
        std::fs::write(run.join("judges/longer.jsonl"), outcome).unwrap();
    }

    #[test]
    fn only_labelled_and_judged_pairs_count_and_the_others_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let both = [Choice::First, Choice::Second];
        let lines = [
            line("p1", Some(Choice::First), judged(&both)),
            line("p2", Some(Choice::Second), judged(&both)),
            line("p3", None, judged(&both)),
            line("p4", Some(Choice::First), failed()),
        ];
        a_run(folder.path(), "r", &lines);
        let flags = Figures { sample_errors: Some(9), ..flags(folder.path(), &["r"]) };
        run(&flags).unwrap();
        let text = std::fs::read_to_string(flags.out.join("analyses.json")).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let of_run = &file["runs"][0];
        assert_eq!((&of_run["unlabelled"], &of_run["failed"]), (&1.into(), &1.into()));
        assert_eq!(of_run["analyses"]["items"], 2);
        assert_eq!(of_run["disrm_alone"], serde_json::Value::Null);
        assert_eq!(of_run["analyses"]["meta_ranges"][1]["subset"], "hard");
        for name in ["fig4.svg", "fig10.csv", "fig11.vl.json", "fig12.svg"] {
            assert!(flags.out.join(name).exists(), "{name}");
        }
        let sheet = read_sheet(&flags.out.join("errors.jsonl")).unwrap();
        assert_eq!((sheet.len(), sheet[0].id.as_str()), (1, "p2"));
    }

    #[test]
    fn what_cannot_be_read_or_told_apart_is_refused_with_a_cure() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |flags: &Figures| crate::exit::chain(&run(flags).unwrap_err());
        assert!(refused(&flags(folder.path(), &[])).contains("name a run folder"));
        assert!(refused(&flags(folder.path(), &["absent"])).contains("trajectories.jsonl"));
        a_run(folder.path(), "r", &[line("p3", None, judged(&[Choice::First]))]);
        assert!(refused(&flags(folder.path(), &["r"])).contains("judge labelled pairs"));
        assert!(refused(&flags(folder.path(), &["r", "r"])).contains("--names"));
        std::fs::write(folder.path().join("r/judges/broken.jsonl"), "\n{}\n").unwrap();
        assert!(refused(&flags(folder.path(), &["r"])).contains("broken.jsonl, line 2"));
    }

    #[test]
    fn candidate_sets_give_figure_seven() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("math.jsonl");
        let sets = r#"{"id":"q1","correct":[true,false],"judged":{"pointwise":[2.0,null]}}
{"id":"q2","correct":[false,true],"judged":{"pairwise":[[0,1,0.0]]}}"#;
        std::fs::write(&path, sets).unwrap();
        let flags = Figures { candidates: vec![format!("ours={}", path.display())], ..flags(folder.path(), &[]) };
        run(&flags).unwrap();
        assert!(flags.out.join("fig7.svg").exists());
        let text = std::fs::read_to_string(flags.out.join("analyses.json")).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(file["best_of_n"]["ours"][1]["picked"]["value"], 1.0);
    }
}
