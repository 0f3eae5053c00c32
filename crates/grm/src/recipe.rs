//! What a run is, in one TOML file: written by people, resolved by flags, kept beside the results.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use grm_core::Criterion;
use grm_data::{MediaFields, ReadError, ReadOptions, Record};
use grm_judge::{Explore, JudgeSettings, Sanitize, VerdictRule};
use serde::{Deserialize, Serialize};

use crate::cli::{
    Common, ConstrainFlag, ExploreFlag, FormFlag, MethodFlags, ModelFlags, RuleFlag, SanitizeFlag, Switch,
};
use crate::commands::eval::JudgeName;
use crate::{planning::PlanSettings, servers, shards::Shard};

/// A run's settings. Every key has a default; unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Recipe {
    /// Seed of sampling and of A/B placement.
    pub(crate) seed: u64,
    pub(crate) data: Data,
    pub(crate) models: Models,
    pub(crate) engine: Engine,
    pub(crate) endpoint: Endpoint,
    pub(crate) prompts: PromptChoice,
    pub(crate) run: RunLimits,
    pub(crate) judge: JudgeSettings,
    pub(crate) synthesis: Synthesis,
    pub(crate) eval: Evaluation,
    /// How much is wanted in the end; no part of a run.
    #[serde(skip_serializing_if = "PlanSettings::is_unset")]
    pub(crate) plan: PlanSettings,
}

/// What `eval` measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Evaluation {
    /// A set by name.
    pub(crate) set: Option<String>,
    /// The judges, in the order they are asked.
    pub(crate) judges: Vec<JudgeName>,
    /// Items drawn by seed; unset takes all.
    pub(crate) sample: Option<u64>,
    /// Draw as many of every subset.
    pub(crate) each_subset: bool,
    /// Subsets whose name begins so; empty takes all.
    pub(crate) subsets: Vec<String>,
}

impl Default for Evaluation {
    fn default() -> Self {
        let judges = vec![JudgeName::Random, JudgeName::Longer, JudgeName::Disrm, JudgeName::Direct];
        Self { set: None, judges, sample: None, each_subset: false, subsets: Vec::new() }
    }
}

/// What `synthesize` makes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Synthesis {
    /// The form of the examples.
    pub(crate) form: ExampleForm,
}

/// The form of training examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExampleForm {
    /// Reasoning, then the verdict, as the models make them.
    #[default]
    Thinking,
    /// The label as the verdict alone; no model is asked.
    Verdict,
}

/// Which pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Data {
    /// The file; relative paths are relative to where the command runs.
    pub(crate) input: Option<PathBuf>,
    /// Pass over the first N records; unset is none.
    pub(crate) skip: Option<u64>,
    /// Use only the first N records, after those passed over.
    pub(crate) limit: Option<u64>,
    /// Of those, every n-th from the i-th on, written "i/n"; unset is all.
    pub(crate) shard: Option<Shard>,
    /// More folders in which pictures, clips and sounds are looked for; the input's own comes first.
    pub(crate) media: Vec<PathBuf>,
    /// Judge the text alone and leave pictures, clips and sounds out.
    pub(crate) without_media: bool,
    /// A longer line or array element ends the run.
    pub(crate) line_limit_bytes: u64,
    /// A record with a longer prompt or response is left out.
    pub(crate) max_text_bytes: usize,
}

impl Default for Data {
    fn default() -> Self {
        let ReadOptions { line_limit_bytes, max_text_bytes, .. } = ReadOptions::default();
        Self {
            input: None,
            skip: None,
            limit: None,
            shard: None,
            media: Vec::new(),
            without_media: false,
            line_limit_bytes,
            max_text_bytes,
        }
    }
}

/// Which models play the three roles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Models {
    /// Short name, file.gguf, hf:org/repo/file.gguf or http(s)://host/v1; several servers as a list.
    #[serde(deserialize_with = "servers::one_or_several")]
    pub(crate) genrm: String,
    /// The same forms; unset is the GenRM.
    #[serde(deserialize_with = "servers::maybe_several")]
    pub(crate) policy: Option<String>,
    /// "builtin", a folder of `grm train bt`, a head.safetensors, or http(s)://host of a reward server, or several.
    #[serde(deserialize_with = "servers::one_or_several")]
    pub(crate) disrm: String,
}

impl Default for Models {
    fn default() -> Self {
        Self { genrm: "smollm2-135m".into(), policy: None, disrm: "builtin".into() }
    }
}

/// The embedded engine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Engine {
    /// Tokens the context holds, all calls together; unset lets the engine choose.
    pub(crate) context: Option<u32>,
    /// Calls worked on at once; unset lets the engine choose.
    pub(crate) slots: Option<usize>,
    /// Threads; unset uses the cores that are idle when the model is loaded.
    pub(crate) threads: Option<usize>,
    /// LoRA adapter (GGUF) on the GenRM.
    pub(crate) adapter: Option<PathBuf>,
}

/// Remote servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Endpoint {
    /// Model id at a chat server that serves several.
    pub(crate) served_model: Option<String>,
    /// Environment variable that holds the key.
    pub(crate) key_env: String,
    /// Most calls in flight.
    pub(crate) max_in_flight: usize,
    /// Seconds one call may take, retries apart.
    pub(crate) deadline_seconds: u64,
    /// Seconds to wait for a server that fails everything before the run stops.
    pub(crate) patience_seconds: u64,
    /// Passed to the server's chat template.
    pub(crate) chat_template_kwargs: toml::Table,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            served_model: None,
            key_env: "OPENAI_API_KEY".into(),
            max_in_flight: 64,
            deadline_seconds: 300,
            patience_seconds: 120,
            chat_template_kwargs: toml::Table::new(),
        }
    }
}

/// Prompts and what they let through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PromptChoice {
    /// Folder with .j2 files that replace the built-in ones.
    pub(crate) folder: Option<PathBuf>,
    /// Make markers and special tokens inside prompts and responses inert.
    pub(crate) sanitize: Sanitize,
}

impl Default for PromptChoice {
    fn default() -> Self {
        Self { folder: None, sanitize: Sanitize::Neutralise }
    }
}

/// How the run goes about it; none of it changes results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RunLimits {
    /// Pairs under way at once.
    pub(crate) pairs_in_flight: usize,
    /// Share of pairs that may fail before the exit code says so.
    pub(crate) failed_share_max: f64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self { pairs_in_flight: 16, failed_share_max: 0.05 }
    }
}

impl Data {
    /// How many records there will be, where that is known before they are read.
    pub(crate) fn expected(&self) -> Option<u64> {
        let limit = self.limit?;
        Some(self.shard.map_or(limit, |shard| shard.share(limit)))
    }
}

/// A record, or what is wrong with it.
pub(crate) type ReadRecord = Result<Record, ReadError>;

impl Recipe {
    /// Reads a recipe; an unknown key names its table and the nearest known key.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("could not read recipe {}", path.display()))?;
        Self::parse(&text).map_err(|problem| anyhow::anyhow!("recipe {}: {problem}", path.display()))
    }

    /// Parses a recipe's text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| explain(text, &error))
    }

    /// The records of a file that the recipe is about: those after `skip`, up to `limit`. What cannot be used among
    /// the records passed over is passed over too; a broken file is an error wherever it breaks.
    pub(crate) fn records(&self, path: &Path) -> Result<impl Iterator<Item = ReadRecord> + Send + use<>, ReadError> {
        let Data { limit, skip, line_limit_bytes, max_text_bytes, .. } = self.data;
        let skip = skip.unwrap_or(0);
        let limit = limit.map(|limit| limit.saturating_add(skip));
        let media = MediaFields::Name;
        let options =
            ReadOptions { seed: self.seed, limit, line_limit_bytes, max_text_bytes, media, ..ReadOptions::default() };
        let mut passed = 0;
        let after_skip = grm_data::open(path, &options)?.filter(move |record| match record {
            _ if passed == skip => true,
            Ok(_) => {
                passed += 1;
                false
            }
            Err(error) => !error.is_skippable(),
        });
        let (shard, mut place) = (self.data.shard, 0);
        let shared = after_skip.filter(move |record| match (shard, record) {
            (None, _) => true,
            (Some(shard), Ok(_)) => {
                place += 1;
                shard.holds(place - 1)
            }
            (Some(shard), Err(error)) => shard.counts_unusable() || !error.is_skippable(),
        });
        let without_media = self.data.without_media;
        Ok(shared.map(move |record| if without_media { record.map(Record::without_media) } else { record }))
    }

    /// The recipe with every default spelled out, as kept in the run folder.
    pub(crate) fn resolved_text(&self) -> anyhow::Result<String> {
        toml::to_string(self).context("could not write the recipe as TOML")
    }

    /// A recipe file, or the defaults, with flags on top.
    pub(crate) fn assemble(
        base: Self,
        common: &Common,
        models: &ModelFlags,
        method: &MethodFlags,
    ) -> anyhow::Result<Self> {
        let mut recipe = match &common.recipe {
            Some(path) => Self::read(path)?,
            None => base,
        };
        recipe.apply_common(common);
        recipe.apply_models(models);
        recipe.apply_method(method)?;
        recipe.judge.check().map_err(|error| anyhow::anyhow!("setting {error}"))?;
        if recipe.run.pairs_in_flight == 0 || recipe.endpoint.max_in_flight == 0 {
            bail!("pairs_in_flight and max_in_flight must be at least 1");
        }
        Ok(recipe)
    }

    fn apply_common(&mut self, common: &Common) {
        self.seed = common.seed.unwrap_or(self.seed);
        self.data.media.extend(common.media.iter().cloned());
        self.data.without_media |= common.without_media;
        self.data.skip = common.skip.or(self.data.skip).filter(|skip| *skip > 0);
        self.data.limit = common.limit.or(self.data.limit);
        self.data.shard = common.shard.or(self.data.shard);
    }

    fn apply_models(&mut self, flags: &ModelFlags) {
        let ModelFlags { genrm, policy, disrm, served_model, key_env, max_in_flight, context, slots, threads, adapter } =
            flags.clone();
        self.models.genrm = genrm.unwrap_or(std::mem::take(&mut self.models.genrm));
        self.models.policy = policy.or(self.models.policy.take());
        self.models.disrm = disrm.unwrap_or(std::mem::take(&mut self.models.disrm));
        self.endpoint.served_model = served_model.or(self.endpoint.served_model.take());
        self.endpoint.key_env = key_env.unwrap_or(std::mem::take(&mut self.endpoint.key_env));
        self.endpoint.max_in_flight = max_in_flight.unwrap_or(self.endpoint.max_in_flight);
        self.engine.context = context.or(self.engine.context);
        self.engine.slots = slots.or(self.engine.slots);
        self.engine.threads = threads.or(self.engine.threads);
        self.engine.adapter = adapter.or(self.engine.adapter.take());
    }

    fn apply_method(&mut self, flags: &MethodFlags) -> anyhow::Result<()> {
        let judge = &mut self.judge;
        judge.initial_criteria = flags.initial.unwrap_or(judge.initial_criteria);
        judge.expanded_criteria = flags.expanded.unwrap_or(judge.expanded_criteria);
        judge.combined_criteria = flags.combined.unwrap_or(judge.combined_criteria);
        judge.explore = flags.explore.map_or(judge.explore, Explore::from);
        judge.samples = flags.samples.unwrap_or(judge.samples);
        judge.judgment_temperature = flags.judgment_temperature.unwrap_or(judge.judgment_temperature);
        judge.both_orders |= flags.both_orders;
        judge.rule = flags.rule.map_or(judge.rule, VerdictRule::from);
        judge.generate_beside |= flags.generate_beside;
        judge.constrain = flags.constrain.map_or(judge.constrain, |flag| matches!(flag, ConstrainFlag::Auto));
        judge.thinking = flags.thinking.map(|flag| flag == Switch::On).or(judge.thinking);
        let given = given_criteria(flags)?;
        if !given.is_empty() {
            judge.criteria = given;
        }
        if let Some(flag) = flags.sanitize {
            self.prompts.sanitize = flag.into();
        }
        self.prompts.folder = flags.prompts.clone().or(self.prompts.folder.take());
        Ok(())
    }
}

fn given_criteria(flags: &MethodFlags) -> anyhow::Result<Vec<Criterion>> {
    let mut lines: Vec<(String, String)> =
        flags.criteria.iter().map(|text| ("--criterion".to_owned(), text.clone())).collect();
    if let Some(path) = &flags.criteria_file {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("could not read criteria {}", path.display()))?;
        let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        lines.extend(
            numbered.map(|(number, line)| (format!("{}, line {}", path.display(), number + 1), line.to_owned())),
        );
    }
    lines.iter().map(|(place, text)| criterion(place, text)).collect()
}

fn criterion(place: &str, text: &str) -> anyhow::Result<Criterion> {
    match text.split_once(':') {
        Some((name, explanation)) if !name.trim().is_empty() && !explanation.trim().is_empty() => {
            Ok(Criterion { name: name.trim().to_owned(), explanation: explanation.trim().to_owned() })
        }
        _ => bail!("{place}: write a criterion as \"Name: explanation\", not {text:?}"),
    }
}

/// `unknown key "temprature" in [judge]; did you mean "temperature"?`, or the parser's message with its line.
pub(crate) fn explain(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line = text[..start.min(text.len())].matches('\n').count() + 1;
    let message = error.message();
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (true, Some((unknown, known))) = (message.starts_with("unknown field"), names.split_first()) else {
        return format!("line {line}: {}", message.trim_end());
    };
    let table = text[..start.min(text.len())].lines().rev().find(|line| line.trim_start().starts_with('['));
    let place = table.map_or(String::new(), |table| format!(" in {}", table.trim()));
    let nearest =
        known.iter().max_by(|a, b| strsim::jaro_winkler(a, unknown).total_cmp(&strsim::jaro_winkler(b, unknown)));
    let hint = match nearest {
        Some(near) if strsim::jaro_winkler(near, unknown) > 0.7 => format!("did you mean \"{near}\"?"),
        _ => format!("known keys: {}", known.join(", ")),
    };
    format!("line {line}: unknown key \"{unknown}\"{place}; {hint}")
}

impl From<ExploreFlag> for Explore {
    fn from(flag: ExploreFlag) -> Self {
        match flag {
            ExploreFlag::Always => Self::Always,
            ExploreFlag::WhenUnsure => Self::WhenUnsure,
            ExploreFlag::Never => Self::Never,
        }
    }
}

impl From<RuleFlag> for VerdictRule {
    fn from(flag: RuleFlag) -> Self {
        match flag {
            RuleFlag::Combined => Self::Combined,
            RuleFlag::Direct => Self::Direct,
            RuleFlag::AllCriteria => Self::AllCriteria,
            RuleFlag::Vote => Self::Vote,
            RuleFlag::VoteTop => Self::VoteTop,
            RuleFlag::MetaWeighted => Self::MetaWeighted,
            RuleFlag::Best => Self::Best,
        }
    }
}

impl From<FormFlag> for ExampleForm {
    fn from(flag: FormFlag) -> Self {
        match flag {
            FormFlag::Thinking => Self::Thinking,
            FormFlag::Verdict => Self::Verdict,
        }
    }
}

impl From<SanitizeFlag> for Sanitize {
    fn from(flag: SanitizeFlag) -> Self {
        match flag {
            SanitizeFlag::Neutralise => Self::Neutralise,
            SanitizeFlag::Off => Self::Off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolved_recipe_reads_back_as_itself() {
        let recipe = Recipe { seed: 7, ..Recipe::default() };
        assert_eq!(Recipe::parse(&recipe.resolved_text().unwrap()).unwrap(), recipe);
    }

    #[test]
    fn an_unknown_key_names_its_table_and_the_nearest_key() {
        let problem = Recipe::parse("seed = 1\n[judge]\njudgment_temprature = 0.5\n").unwrap_err();
        assert_eq!(
            problem,
            "line 3: unknown key \"judgment_temprature\" in [judge]; did you mean \"judgment_temperature\"?"
        );
        assert!(Recipe::parse("[judge]\nsamples = \"x\"\n").unwrap_err().starts_with("line 2:"));
    }

    #[test]
    fn criteria_need_a_name_and_an_explanation() {
        assert_eq!(criterion("x", "Tone : is it kind?").unwrap().name, "Tone");
        assert!(criterion("--criterion", "Tone").unwrap_err().to_string().contains("Name: explanation"));
    }
}
