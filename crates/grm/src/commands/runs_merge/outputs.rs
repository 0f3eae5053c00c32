//! Output files of shards, taken in turns; counts and pages made again from what was taken.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use grm_data::AtomicFile;
use serde::Deserialize;

use super::shard_runs::ShardRuns;
use crate::{
    commands::eval::protocols::report_merged,
    metrics::Metrics,
    page,
    record::PairRecord,
    run::{Run, pretty},
};

/// Writes every output of the whole run but the manifest; gives the number of pairs.
pub(super) fn write(run: &Run, shards: &ShardRuns, json: bool) -> anyhow::Result<u64> {
    let mut made = Made::new(run, shards)?;
    let mut pairs = Turns::of(&shards.files("trajectories.jsonl"))?;
    while let Some((shard, line)) = pairs.next()? {
        made.take(shard, &line)
            .with_context(|| format!("{}, trajectories.jsonl", shards.files("")[shard].display()))?;
    }
    if made.metrics.pairs == 0 {
        bail!("the shards hold no pair");
    }
    made.finish(run, shards, json)
}

/// What is under way.
struct Made {
    metrics: Metrics,
    first: Vec<PairRecord>,
    pairs: AtomicFile,
    examples: Vec<Examples>,
}

impl Made {
    fn new(run: &Run, shards: &ShardRuns) -> anyhow::Result<Self> {
        let names: &[&str] = if shards.manifest.verb == "synthesize" { &["sft.jsonl", "dpo.jsonl"] } else { &[] };
        let examples = names.iter().map(|name| Examples::of(run, shards, name)).collect::<anyhow::Result<_>>()?;
        let pairs = AtomicFile::create(&run.folder.join("trajectories.jsonl"))?;
        Ok(Self { metrics: Metrics::default(), first: Vec::new(), pairs, examples })
    }

    /// One pair with its examples.
    fn take(&mut self, shard: usize, line: &[u8]) -> anyhow::Result<()> {
        let record: PairRecord = serde_json::from_slice(line)?;
        self.pairs.write_all(line)?;
        self.metrics.count(&record);
        for examples in &mut self.examples {
            examples.take(shard, &record.comparison.id)?;
        }
        if self.first.len() < page::PAIRS_MAX {
            self.first.push(record);
        }
        Ok(())
    }

    fn finish(mut self, run: &Run, shards: &ShardRuns, json: bool) -> anyhow::Result<u64> {
        self.pairs.commit()?;
        for examples in self.examples {
            examples.finish()?;
        }
        for path in shards.files("metrics.json") {
            add_uncounted(&mut self.metrics, &path)?;
        }
        run.write("metrics.json", &pretty(&self.metrics)?)?;
        match shards.manifest.verb.as_str() {
            "eval" => {
                join_judges(run, shards)?;
                report_merged(run, shards.first(), json)?;
            }
            verb => {
                let title = if verb == "synthesize" { "Synthesised pairs" } else { "Judged pairs" };
                let page = page::render(title, page::facts(&self.metrics), &self.metrics, &self.first)?;
                run.write("report.html", page.as_bytes())?;
            }
        }
        Ok(self.metrics.pairs)
    }
}

/// Counts that no record holds: what could not be used, and what became of pairs in synthesis.
fn add_uncounted(metrics: &mut Metrics, path: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let shard: Metrics = serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    for (problem, count) in shard.skipped {
        *metrics.skipped.entry(problem).or_default() += count;
    }
    for (route, count) in shard.routes {
        *metrics.routes.entry(route).or_default() += count;
    }
    Ok(())
}

/// `judges/NAME.jsonl`, line by line in turns.
fn join_judges(run: &Run, shards: &ShardRuns) -> anyhow::Result<()> {
    std::fs::create_dir_all(run.folder.join("judges")).context("could not create the judges' folder")?;
    for judge in &run.recipe.eval.judges {
        let name = format!("judges/{}.jsonl", judge.as_str());
        let mut file = AtomicFile::create(&run.folder.join(&name))?;
        let mut outcomes = Turns::of(&shards.files(&name))?;
        while let Some((_, line)) = outcomes.next()? {
            file.write_all(&line).with_context(|| format!("could not write {name}"))?;
        }
        file.commit()?;
    }
    Ok(())
}

/// Lines of several files, one of each in turn.
struct Turns {
    files: Vec<Lines>,
    place: usize,
}

impl Turns {
    fn of(paths: &[PathBuf]) -> anyhow::Result<Self> {
        Ok(Self { files: paths.iter().map(|path| Lines::open(path)).collect::<anyhow::Result<_>>()?, place: 0 })
    }

    /// The next line with the number of its file. Files end one after the other, or one of them is not whole.
    fn next(&mut self) -> anyhow::Result<Option<(usize, Vec<u8>)>> {
        let shard = self.place % self.files.len();
        self.place += 1;
        if let Some(line) = self.files[shard].next()? {
            return Ok(Some((shard, line)));
        }
        for file in &mut self.files {
            if file.next()?.is_some() {
                let (short, long) = (self.files[shard].path.clone(), "another shard");
                bail!("{} ends before {long} does; was the input changed? run its command again", short.display());
            }
        }
        Ok(None)
    }
}

/// A pair and its line.
type Example = (String, Vec<u8>);

/// Training examples of every shard: one or none a pair, in the pairs' order.
struct Examples {
    shards: Vec<(Lines, Option<Example>)>,
    out: AtomicFile,
}

impl Examples {
    fn of(run: &Run, shards: &ShardRuns, name: &str) -> anyhow::Result<Self> {
        let open = |path: &PathBuf| -> anyhow::Result<_> {
            let mut lines = Lines::open(path)?;
            let first = lines.next_example()?;
            Ok((lines, first))
        };
        let shards = shards.files(name).iter().map(open).collect::<anyhow::Result<_>>()?;
        Ok(Self { shards, out: AtomicFile::create(&run.folder.join(name))? })
    }

    /// The shard's next example, if it is this pair's.
    fn take(&mut self, shard: usize, pair: &str) -> anyhow::Result<()> {
        let (lines, next) = &mut self.shards[shard];
        if let Some((_, line)) = next.take_if(|(of, _)| of == pair) {
            self.out.write_all(&line)?;
            *next = lines.next_example()?;
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        for (lines, next) in &self.shards {
            if let Some((pair, _)) = next {
                bail!(
                    "{} has an example of {pair:?}, which is not among its pairs; run it again",
                    lines.path.display()
                );
            }
        }
        Ok(self.out.commit()?)
    }
}

/// A file's lines as they are, line feed included.
struct Lines {
    path: PathBuf,
    file: BufReader<File>,
}

impl Lines {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("could not read {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file: BufReader::with_capacity(1 << 18, file) })
    }

    fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = self.file.read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("could not read {}", self.path.display()))?;
        Ok((read > 0).then_some(line))
    }

    fn next_example(&mut self) -> anyhow::Result<Option<(String, Vec<u8>)>> {
        #[derive(Deserialize)]
        struct Example {
            pair: String,
        }
        let Some(line) = self.next()? else { return Ok(None) };
        let example: Example =
            serde_json::from_slice(&line).with_context(|| format!("{} is damaged", self.path.display()))?;
        Ok(Some((example.pair, line)))
    }
}
