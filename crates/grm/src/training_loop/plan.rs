//! From a recipe to steps: command lines, what they read, what they leave.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Parser as _;

use super::recipe::{Disrm, Evaluate, Judged, LoopRecipe, Stage, Synthesize, Training};
use crate::{cli::Cli, recipe::ExampleForm};

/// One command of a loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// Unique in the loop; also the name of its log.
    pub(crate) name: String,
    /// What follows `grm`.
    pub(crate) arguments: Vec<String>,
    /// The step's own folder, if it has one.
    pub(crate) folder: Option<PathBuf>,
    /// Files whose content decides what the step makes.
    pub(crate) inputs: Vec<PathBuf>,
    /// Files that are there when it is done.
    pub(crate) outputs: Vec<PathBuf>,
}

impl Step {
    /// The command as it can be pasted into a shell.
    pub(crate) fn command_line(&self) -> String {
        let words = self.arguments.iter().map(|word| quoted(word));
        std::iter::once("grm".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// All steps in order. Each command line has passed the command's own parser, so a misspelt flag is found before the
/// first step runs.
pub(crate) fn plan(recipe: &LoopRecipe) -> anyhow::Result<Vec<Step>> {
    let mut planner = Planner { recipe, steps: Vec::new(), disrm: None };
    if let Some(disrm) = &recipe.disrm {
        planner.disrm(disrm)?;
    }
    let mut judge = Model { name: recipe.genrm.as_ref().unwrap_or(&recipe.student).clone(), adapter: None };
    let mut rows: Vec<PathBuf> = planner.evaluated(Judged::Base, "base", None)?.into_iter().collect();
    for iteration in 1..=recipe.iterations {
        let trained = planner.iteration(iteration, &judge)?;
        let sft = trained.sft.map(|folder| folder.join("adapter.gguf"));
        let dpo = trained.dpo.map(|folder| folder.join("adapter.gguf"));
        rows.extend(planner.evaluated(Judged::Sft, &format!("sft-{iteration}"), sft.as_deref())?);
        rows.extend(planner.evaluated(Judged::Dpo, &format!("dpo-{iteration}"), dpo.as_deref())?);
        judge = Model { name: recipe.student.clone(), adapter: dpo.or(sft) };
    }
    planner.compared(&rows)?;
    Ok(planner.steps)
}

/// Files the steps read that are not there and that no step makes.
pub(crate) fn missing_files(steps: &[Step]) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = Vec::new();
    let made: Vec<&PathBuf> = steps.iter().flat_map(|step| &step.outputs).collect();
    for input in steps.iter().flat_map(|step| &step.inputs) {
        if !made.contains(&input) && !missing.contains(input) && !input.is_file() {
            missing.push(input.clone());
        }
    }
    missing
}

struct Planner<'a> {
    recipe: &'a LoopRecipe,
    steps: Vec<Step>,
    /// The trained reward model.
    disrm: Option<Reward>,
}

/// A reward model as `--disrm` takes it, and the files it is made of.
struct Reward {
    place: PathBuf,
    files: Vec<PathBuf>,
}

/// A GenRM: a model, perhaps with what it has learnt.
struct Model {
    name: String,
    adapter: Option<PathBuf>,
}

/// Where one iteration's adapters are.
struct Trained {
    sft: Option<PathBuf>,
    dpo: Option<PathBuf>,
}

impl Planner<'_> {
    fn disrm(&mut self, disrm: &Disrm) -> anyhow::Result<()> {
        let folder = self.recipe.folder().join("disrm");
        // A head on frozen states is one file, a trained network a folder with head and adapter.
        let is_frozen = disrm.flags.get("frozen").and_then(toml::Value::as_bool) == Some(true);
        let head = folder.join("head.safetensors");
        let files = if is_frozen { vec![head.clone()] } else { vec![head.clone(), folder.join("adapter.gguf")] };
        let mut line = Line::new(&["train", "bt"]);
        line.files("--data", &disrm.data).option("--eval", disrm.eval.as_deref());
        line.model("--model", disrm.model.as_ref().unwrap_or(&self.recipe.student)).path("--out", &folder);
        line.flag("--seed", &self.recipe.seed.to_string()).further("[disrm]", &disrm.flags)?;
        let place = if is_frozen { head } else { folder.clone() };
        self.disrm = Some(Reward { place, files: files.clone() });
        self.push("disrm", Some(folder), line, files)
    }

    fn iteration(&mut self, iteration: u32, judge: &Model) -> anyhow::Result<Trained> {
        let recipe = self.recipe;
        let mut records: [Vec<PathBuf>; 2] = [Vec::new(), Vec::new()];
        for synthesize in &recipe.synthesize {
            let folder = self.synthesis(iteration, synthesize, judge)?;
            for (stage, name, files) in [(Stage::Sft, "sft.jsonl", 0), (Stage::Dpo, "dpo.jsonl", 1)] {
                if synthesize.gives.contains(&stage) {
                    records[files].push(folder.join(name));
                }
            }
        }
        let [sft_records, dpo_records] = records;
        let sft = recipe.sft.as_ref().map(|sft| self.training(iteration, "sft", sft, sft_records, None)).transpose()?;
        let start = sft.as_ref().map(|folder| folder.join("adapter"));
        let dpo = recipe.dpo.as_ref();
        let dpo = dpo.map(|dpo| self.training(iteration, "dpo", dpo, dpo_records, start.as_deref())).transpose()?;
        Ok(Trained { sft, dpo })
    }

    /// Records by a GenRM are made anew in each iteration; the verdict form asks nobody, so once is enough.
    fn synthesis(&mut self, iteration: u32, synthesize: &Synthesize, judge: &Model) -> anyhow::Result<PathBuf> {
        let is_verdict = synthesize.form == ExampleForm::Verdict;
        let made_in = if is_verdict { 1 } else { iteration };
        let name = format!("{made_in}-synthesize-{}", synthesize.label());
        let folder = self.recipe.folder().join(&name);
        if made_in < iteration {
            return Ok(folder);
        }
        let mut line = Line::new(&["synthesize"]);
        line.input(&synthesize.input).flag("--form", if is_verdict { "verdict" } else { "thinking" });
        line.number("--skip", synthesize.skip).number("--limit", synthesize.limit);
        line.flag("--seed", &self.recipe.seed.to_string()).path("--out", &folder);
        if !is_verdict {
            line.model("--genrm", &judge.name).option("--adapter", judge.adapter.as_deref());
            if let Some(reward) = &self.disrm {
                line.path("--disrm", &reward.place).inputs.extend(reward.files.iter().cloned());
            }
        }
        line.further("[[synthesize]]", &synthesize.flags)?;
        let outputs = ["sft.jsonl", "dpo.jsonl"].map(|name| folder.join(name)).to_vec();
        self.push(&name, Some(folder.clone()), line, outputs)?;
        Ok(folder)
    }

    fn training(
        &mut self,
        iteration: u32,
        kind: &str,
        training: &Training,
        mut records: Vec<PathBuf>,
        start: Option<&Path>,
    ) -> anyhow::Result<PathBuf> {
        let name = format!("{iteration}-{kind}");
        let folder = self.recipe.folder().join(&name);
        records.extend(training.data.iter().cloned());
        let mut line = Line::new(&["train", kind]);
        line.files("--data", &records).model("--model", &self.recipe.student);
        if let Some(start) = start {
            // The folder's one large file stands for it.
            line.words.extend(["--start".to_owned(), text(start)]);
            line.inputs.push(start.join("adapter_model.safetensors"));
        }
        line.path("--out", &folder).flag("--seed", &self.recipe.seed.to_string());
        line.further(&format!("[{kind}]"), &training.flags)?;
        let outputs = ["adapter.gguf", "adapter/adapter_model.safetensors"].map(|name| folder.join(name)).to_vec();
        self.push(&name, Some(folder.clone()), line, outputs)?;
        Ok(folder)
    }

    /// A row of the table, if the recipe wants it.
    fn evaluated(&mut self, model: Judged, row: &str, adapter: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
        let recipe = self.recipe;
        let Some(evaluate) = recipe.evaluate.as_ref().filter(|_| recipe.judged().contains(&model)) else {
            return Ok(None);
        };
        let folder = recipe.folder().join("judged").join(row);
        let Evaluate { input, limit, thinking, flags, .. } = evaluate;
        let mut line = Line::new(&["judge"]);
        line.input(input).model("--genrm", &recipe.student).option("--adapter", adapter);
        line.flag("--rule", "direct").flag("--thinking", if *thinking { "on" } else { "off" });
        line.number("--limit", *limit).flag("--seed", &recipe.seed.to_string()).path("--out", &folder);
        line.flag("--show", "verdicts").further("[evaluate]", flags)?;
        let outputs = vec![folder.join("trajectories.jsonl"), folder.join("metrics.json")];
        self.push(&format!("judged-{row}"), Some(folder.clone()), line, outputs)?;
        Ok(Some(folder))
    }

    fn compared(&mut self, rows: &[PathBuf]) -> anyhow::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let table = self.recipe.folder().join("table.md");
        let mut line = Line::new(&["compare"]);
        line.words.extend(rows.iter().map(|row| text(row)));
        line.inputs.extend(rows.iter().map(|row| row.join("trajectories.jsonl")));
        line.path("--markdown", &table);
        self.push("compare", None, line, vec![table])
    }

    fn push(&mut self, name: &str, folder: Option<PathBuf>, line: Line, outputs: Vec<PathBuf>) -> anyhow::Result<()> {
        let Line { words: arguments, inputs } = line;
        let step = Step { name: name.to_owned(), arguments, folder, inputs, outputs };
        if let Err(error) = Cli::try_parse_from(std::iter::once("grm").chain(step.arguments.iter().map(String::as_str)))
        {
            bail!("step {name} would not be understood: {}\n{}", step.command_line(), first_lines(&error.to_string()));
        }
        self.steps.push(step);
        Ok(())
    }
}

/// A command line in the making, with the files it reads.
struct Line {
    words: Vec<String>,
    inputs: Vec<PathBuf>,
}

impl Line {
    fn new(verb: &[&str]) -> Self {
        Self { words: verb.iter().map(|word| (*word).to_owned()).collect(), inputs: Vec::new() }
    }

    fn flag(&mut self, flag: &str, value: &str) -> &mut Self {
        self.words.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    fn number(&mut self, flag: &str, value: Option<u64>) -> &mut Self {
        if let Some(value) = value {
            self.flag(flag, &value.to_string());
        }
        self
    }

    /// A model: one given as a file is an input, one given by name is not.
    fn model(&mut self, flag: &str, name: &str) -> &mut Self {
        self.inputs.extend(Some(PathBuf::from(name)).filter(|path| path.is_file()));
        self.flag(flag, name)
    }

    /// A place to write to.
    fn path(&mut self, flag: &str, path: &Path) -> &mut Self {
        self.flag(flag, &text(path))
    }

    /// The file a command is about.
    fn input(&mut self, path: &Path) -> &mut Self {
        self.words.push(text(path));
        self.inputs.push(path.to_owned());
        self
    }

    /// A file to read, if there is one.
    fn option(&mut self, flag: &str, path: Option<&Path>) -> &mut Self {
        if let Some(path) = path {
            self.words.push(flag.to_owned());
            self.input(path);
        }
        self
    }

    /// Several files to read under one flag.
    fn files(&mut self, flag: &str, paths: &[PathBuf]) -> &mut Self {
        self.words.push(flag.to_owned());
        for path in paths {
            self.input(path);
        }
        self
    }

    /// The recipe's own flags: `learning_rate = 1e-4` is `--learning-rate 0.0001`, `true` the flag alone, a list the
    /// flag once for each.
    fn further(&mut self, table: &str, flags: &toml::Table) -> anyhow::Result<()> {
        for (key, value) in flags {
            let flag = format!("--{}", key.replace('_', "-"));
            let values = match value {
                toml::Value::Array(values) => values.as_slice(),
                toml::Value::Boolean(false) => &[],
                toml::Value::Boolean(true) => {
                    self.words.push(flag);
                    continue;
                }
                one => std::slice::from_ref(one),
            };
            for value in values {
                let word = word(value).with_context(|| format!("{table} flags: {key} = {value}"))?;
                self.inputs.extend(Some(PathBuf::from(&word)).filter(|path| path.is_file()));
                self.words.extend([flag.clone(), word]);
            }
        }
        Ok(())
    }
}

fn word(value: &toml::Value) -> anyhow::Result<String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        _ => bail!("a flag takes text, a number, true, false or a list of these"),
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What clap says, without its usage lines.
fn first_lines(message: &str) -> String {
    let lines = message.lines().take_while(|line| !line.starts_with("Usage:"));
    lines.filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(text: &str) -> anyhow::Result<Vec<Step>> {
        plan(&LoopRecipe::parse(text).map_err(anyhow::Error::msg)?)
    }

    fn lines(text: &str) -> Vec<String> {
        planned(text).unwrap().iter().map(|step| format!("{}: {}", step.name, step.command_line())).collect()
    }

    const WHOLE: &str = r#"
        seed = 7
        iterations = 2
        out = "out"
        student = "smollm2-135m"
        genrm = "qwen2.5-coder-1.5b"
        [disrm]
        data = ["bt one.jsonl", "bt2.jsonl"]
        flags = { frozen = true, form = "chat-last-1" }
        [[synthesize]]
        input = "pairs.jsonl"
        limit = 200
        flags = { threads = 2, criterion = ["Tone: kind?", "Sum: right?"] }
        [[synthesize]]
        input = "pairs.jsonl"
        form = "verdict"
        skip = 200
        gives = ["sft"]
        [sft]
        flags = { rank = 16, learning_rate = 2e-4 }
        [dpo]
        data = ["more.jsonl"]
        [evaluate]
        input = "held_out.jsonl"
    "#;

    #[test]
    fn a_whole_recipe_becomes_these_commands() {
        let synthesis = "--seed 7 --out out";
        let flags = "--criterion 'Tone: kind?' --criterion 'Sum: right?' --threads 2";
        let judge = "grm judge held_out.jsonl --genrm smollm2-135m";
        let asked = "--rule direct --thinking off --seed 7 --out out/judged";
        let train = "--seed 7 --learning-rate 0.0002 --rank 16";
        let verdicts = "out/1-synthesize-verdict/sft.jsonl";
        assert_eq!(
            lines(WHOLE),
            [
                "disrm: grm train bt --data 'bt one.jsonl' bt2.jsonl --model smollm2-135m --out out/disrm --seed 7 --form chat-last-1 --frozen".to_owned(),
                format!("judged-base: {judge} {asked}/base --show verdicts"),
                format!("1-synthesize-thinking: grm synthesize pairs.jsonl --form thinking --limit 200 {synthesis}/1-synthesize-thinking --genrm qwen2.5-coder-1.5b --disrm out/disrm/head.safetensors {flags}"),
                format!("1-synthesize-verdict: grm synthesize pairs.jsonl --form verdict --skip 200 {synthesis}/1-synthesize-verdict"),
                format!("1-sft: grm train sft --data out/1-synthesize-thinking/sft.jsonl {verdicts} --model smollm2-135m --out out/1-sft {train}"),
                "1-dpo: grm train dpo --data out/1-synthesize-thinking/dpo.jsonl more.jsonl --model smollm2-135m --start out/1-sft/adapter --out out/1-dpo --seed 7".to_owned(),
                format!("judged-sft-1: {judge} --adapter out/1-sft/adapter.gguf {asked}/sft-1 --show verdicts"),
                format!("judged-dpo-1: {judge} --adapter out/1-dpo/adapter.gguf {asked}/dpo-1 --show verdicts"),
                format!("2-synthesize-thinking: grm synthesize pairs.jsonl --form thinking --limit 200 {synthesis}/2-synthesize-thinking --genrm smollm2-135m --adapter out/1-dpo/adapter.gguf --disrm out/disrm/head.safetensors {flags}"),
                format!("2-sft: grm train sft --data out/2-synthesize-thinking/sft.jsonl {verdicts} --model smollm2-135m --out out/2-sft {train}"),
                "2-dpo: grm train dpo --data out/2-synthesize-thinking/dpo.jsonl more.jsonl --model smollm2-135m --start out/2-sft/adapter --out out/2-dpo --seed 7".to_owned(),
                format!("judged-sft-2: {judge} --adapter out/2-sft/adapter.gguf {asked}/sft-2 --show verdicts"),
                format!("judged-dpo-2: {judge} --adapter out/2-dpo/adapter.gguf {asked}/dpo-2 --show verdicts"),
                "compare: grm compare out/judged/base out/judged/sft-1 out/judged/dpo-1 out/judged/sft-2 out/judged/dpo-2 --markdown out/table.md".to_owned(),
            ]
        );
    }

    #[test]
    fn a_trained_reward_network_is_a_folder() {
        let recipe = WHOLE.replace("frozen = true, form = \"chat-last-1\"", "epochs = 2");
        let steps = planned(&recipe).unwrap();
        let synthesis = steps.iter().find(|step| step.name == "1-synthesize-thinking").unwrap();
        assert!(synthesis.command_line().contains("--disrm out/disrm --criterion"), "{}", synthesis.command_line());
        assert!(synthesis.inputs.contains(&PathBuf::from("out/disrm/adapter.gguf")), "{:?}", synthesis.inputs);
    }

    #[test]
    fn what_one_step_makes_another_finds() {
        let steps = planned(WHOLE).unwrap();
        let mut missing = missing_files(&steps);
        missing.sort();
        let data = ["bt one.jsonl", "bt2.jsonl", "held_out.jsonl", "more.jsonl", "pairs.jsonl"];
        assert_eq!(missing, data.map(PathBuf::from));
    }

    #[test]
    fn a_misspelt_flag_is_found_before_anything_runs() {
        let text = "student = \"s\"\n[sft]\ndata = [\"x.jsonl\"]\nflags = { learning_rat = 1 }\n";
        let problem = planned(text).unwrap_err().to_string();
        assert!(problem.contains("--learning-rat") && problem.contains("--learning-rate"), "{problem}");
        assert!(problem.starts_with("step 1-sft would not be understood: grm train sft"), "{problem}");
        let twice = "student = \"s\"\n[sft]\ndata = [\"x.jsonl\"]\nflags = { out = \"y\" }\n";
        assert!(planned(twice).unwrap_err().to_string().contains("cannot be used multiple times"));
        let table = "student = \"s\"\n[sft]\ndata = [\"x.jsonl\"]\nflags = { rank = { a = 1 } }\n";
        assert!(format!("{:#}", planned(table).unwrap_err()).contains("[sft] flags: rank ="));
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("runs/a-1.jsonl"), "runs/a-1.jsonl");
        assert_eq!(quoted("it's 2+2?"), r"'it'\''s 2+2?'");
        assert_eq!(quoted(""), "''");
    }
}
