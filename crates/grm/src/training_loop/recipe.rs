//! What a loop is, in one TOML file.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::{
    cli,
    recipe::{ExampleForm, explain},
};

/// A loop's recipe. Unknown keys are errors; what is not said has the default beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoopRecipe {
    /// Seed of every step: sampling, A/B placement, training order.
    #[serde(default)]
    pub(crate) seed: u64,
    /// How often to go round.
    #[serde(default = "once")]
    pub(crate) iterations: u32,
    /// Folder of the data files named below, relative to where the command runs; unset is that place itself.
    pub(crate) data: Option<PathBuf>,
    /// The loop's folder, relative to where the command runs; unset is `runs/loop-` and the recipe's name.
    pub(crate) out: Option<PathBuf>,
    /// The model that is trained.
    pub(crate) student: String,
    /// Who judges in the first iteration's synthesis; unset is the student. Later it is the trained student.
    pub(crate) genrm: Option<String>,
    /// Trains the reward model; without it `disrm` in a synthesis' flags, or the built-in head, scores.
    pub(crate) disrm: Option<Disrm>,
    /// Where training records come from.
    #[serde(default)]
    pub(crate) synthesize: Vec<Synthesize>,
    /// Supervised fine-tuning.
    pub(crate) sft: Option<Training>,
    /// Preference optimisation, from the SFT adapter on.
    pub(crate) dpo: Option<Training>,
    /// Judging held-out pairs.
    pub(crate) evaluate: Option<Evaluate>,
}

/// `grm train bt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disrm {
    /// Labelled pairs.
    pub(crate) data: Vec<PathBuf>,
    /// Held-out labelled pairs.
    pub(crate) eval: Option<PathBuf>,
    /// The model below the head; unset is the student.
    pub(crate) model: Option<String>,
    /// Further flags of the command, `rank = 8` for `--rank 8`.
    #[serde(default)]
    pub(crate) flags: toml::Table,
}

/// `grm synthesize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Synthesize {
    /// Tells several apart; unset is the form.
    pub(crate) name: Option<String>,
    /// Labelled pairs.
    pub(crate) input: PathBuf,
    /// `thinking` asks the models, `verdict` writes the label alone.
    #[serde(default)]
    pub(crate) form: ExampleForm,
    /// Pass over the first N pairs.
    pub(crate) skip: Option<u64>,
    /// Use N pairs.
    pub(crate) limit: Option<u64>,
    /// Which training reads the records.
    #[serde(default = "both")]
    pub(crate) gives: Vec<Stage>,
    /// Further flags of the command.
    #[serde(default)]
    pub(crate) flags: toml::Table,
}

/// `grm train sft` and `grm train dpo`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Training {
    /// Training records beside those of this loop.
    pub(crate) data: Vec<PathBuf>,
    /// Further flags of the command.
    pub(crate) flags: toml::Table,
}

/// `grm judge` on held-out pairs, and `grm compare`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evaluate {
    /// Held-out labelled pairs.
    pub(crate) input: PathBuf,
    /// Which models; unset is base and everything that is trained.
    pub(crate) models: Option<Vec<Judged>>,
    /// Use N pairs.
    pub(crate) limit: Option<u64>,
    /// Ask for reasoning before the verdict.
    #[serde(default)]
    pub(crate) thinking: bool,
    /// Further flags of the command.
    #[serde(default)]
    pub(crate) flags: toml::Table,
}

/// The two trainings that read synthesised records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// `sft.jsonl`.
    Sft,
    /// `dpo.jsonl`.
    Dpo,
}

/// A model of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Judged {
    /// The student as it came.
    Base,
    /// After SFT.
    Sft,
    /// After DPO.
    Dpo,
}

fn once() -> u32 {
    1
}

fn both() -> Vec<Stage> {
    vec![Stage::Sft, Stage::Dpo]
}

impl LoopRecipe {
    /// Reads the recipe with flags on top; every path is then relative to where the command runs.
    pub(crate) fn assemble(flags: &cli::Loop) -> anyhow::Result<Self> {
        let path = &flags.recipe;
        let text =
            std::fs::read_to_string(path).with_context(|| format!("could not read recipe {}", path.display()))?;
        let recipe = Self::parse(&text).map_err(|problem| anyhow::anyhow!("recipe {}: {problem}", path.display()))?;
        let mut recipe = recipe.with(flags);
        recipe.check().with_context(|| format!("recipe {}", path.display()))?;
        recipe.out.get_or_insert_with(|| {
            Path::new("runs").join(format!("loop-{}", path.file_stem().unwrap_or_default().to_string_lossy()))
        });
        Ok(recipe)
    }

    /// Parses a recipe's text; an unknown key names its table and the nearest known key.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| explain(text, &error))
    }

    /// The loop's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.out.as_deref().unwrap_or(Path::new("."))
    }

    /// The models of the table.
    pub(crate) fn judged(&self) -> Vec<Judged> {
        let chosen = self.evaluate.as_ref().and_then(|evaluate| evaluate.models.clone());
        let trained = [(Judged::Base, true), (Judged::Sft, self.sft.is_some()), (Judged::Dpo, self.dpo.is_some())];
        chosen.unwrap_or_else(|| trained.iter().filter(|(_, is_there)| *is_there).map(|(model, _)| *model).collect())
    }

    fn with(mut self, flags: &cli::Loop) -> Self {
        self.seed = flags.seed.unwrap_or(self.seed);
        self.iterations = flags.iterations.unwrap_or(self.iterations);
        self.out = flags.out.clone().or(self.out);
        self.data = flags.data.clone().or(self.data);
        let least = |limit: Option<u64>| limit.into_iter().chain(flags.limit).min();
        for synthesize in &mut self.synthesize {
            synthesize.limit = least(synthesize.limit);
        }
        if let Some(evaluate) = &mut self.evaluate {
            evaluate.limit = least(evaluate.limit);
        }
        if let (Some(disrm), Some(limit)) = (&mut self.disrm, flags.limit) {
            disrm.flags.insert("limit".into(), toml::Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        }
        if let Some(folder) = self.data.clone() {
            self.data_files_mut().for_each(|file| *file = folder.join(&*file));
        }
        self
    }

    /// Every data file the recipe names.
    fn data_files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let disrm = self.disrm.iter_mut().flat_map(|disrm| disrm.data.iter_mut().chain(&mut disrm.eval));
        let inputs = self.synthesize.iter_mut().map(|synthesize| &mut synthesize.input);
        let records = self.sft.iter_mut().chain(&mut self.dpo).flat_map(|training| &mut training.data);
        let held_out = self.evaluate.iter_mut().map(|evaluate| &mut evaluate.input);
        disrm.chain(inputs).chain(records).chain(held_out)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.iterations == 0 {
            bail!("iterations = 0: go round at least once");
        }
        for (stage, table, training) in [(Stage::Sft, "sft", &self.sft), (Stage::Dpo, "dpo", &self.dpo)] {
            let Some(training) = training else { continue };
            let is_fed = self.synthesize.iter().any(|synthesize| synthesize.gives.contains(&stage));
            if !is_fed && training.data.is_empty() {
                bail!(
                    "[{table}] has nothing to learn from: a [[synthesize]] must have it in `gives`, or give it `data`"
                );
            }
            if training.flags.get("full").and_then(toml::Value::as_bool) == Some(true) {
                bail!("[{table}] flags: full = true: the loop hands adapters on; leave it out");
            }
        }
        for model in self.judged() {
            let (name, is_there) = match model {
                Judged::Base => ("base", true),
                Judged::Sft => ("sft", self.sft.is_some()),
                Judged::Dpo => ("dpo", self.dpo.is_some()),
            };
            if !is_there {
                bail!("[evaluate] models has \"{name}\", but there is no [{name}]: add the table or leave it out");
            }
        }
        self.check_names()
    }

    fn check_names(&self) -> anyhow::Result<()> {
        let mut names: Vec<&str> = Vec::new();
        for synthesize in &self.synthesize {
            let name = synthesize.label();
            let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if !is_plain {
                bail!("[[synthesize]] name = {name:?}: use letters, digits, - and _; it names a folder");
            }
            if names.contains(&name) {
                bail!("two [[synthesize]] are named \"{name}\": give each a `name` of its own");
            }
            names.push(name);
        }
        Ok(())
    }
}

impl Synthesize {
    /// What its folder is named by.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(match self.form {
            ExampleForm::Thinking => "thinking",
            ExampleForm::Verdict => "verdict",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        match LoopRecipe::parse(text) {
            Err(problem) => problem,
            Ok(recipe) => recipe.check().unwrap_err().to_string(),
        }
    }

    #[test]
    fn mistakes_name_their_place_and_the_cure() {
        let check = |text: &str, part: &str| {
            let problem = problem(text);
            assert!(problem.contains(part), "{part:?} is not in: {problem}");
        };
        check("studnet = \"x\"\n", "unknown key \"studnet\"; did you mean \"student\"?");
        check(
            "student = \"x\"\n[[synthesize]]\ninput = \"p\"\nfrom = \"verdict\"\n",
            "line 4: unknown key \"from\" in [[synthesize]]; did you mean \"form\"?",
        );
        check("seed = 1\n", "missing field `student`");
        check("student = \"x\"\niterations = 0\n", "at least once");
        check("student = \"x\"\n[sft]\n", "[sft] has nothing to learn from");
        check("student = \"x\"\n[evaluate]\ninput = \"h\"\nmodels = [\"dpo\"]\n", "there is no [dpo]");
        check("student = \"x\"\n[sft]\ndata = [\"s\"]\nflags = { full = true }\n", "hands adapters on");
        let two = "[[synthesize]]\ninput = \"p\"\n";
        check(&format!("student = \"x\"\n{two}{two}"), "two [[synthesize]] are named \"thinking\"");
        check(&format!("student = \"x\"\n{two}name = \"../x\"\n"), "it names a folder");
    }
}
