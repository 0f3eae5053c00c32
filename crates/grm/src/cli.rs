//! The command line: verbs and flags. A flag overrides its key in the recipe.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Judge preference pairs with criteria ranked by meta-reward, and make training data of them.
#[derive(Debug, Parser)]
#[command(name = "grm", version, about, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Say more (repeat for debug output); logs go to stderr.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Judge six built-in pairs with a small embedded model and show everything that is made on the way.
    Quickstart(Quickstart),
    /// Judge pairs: criteria, judgments, refinements, meta-rewards, verdicts.
    Judge(Judge),
    /// Turn labelled pairs into SFT and DPO data.
    Synthesize(Synthesize),
    /// Put judge runs over the same pairs side by side: accuracy, invalid verdicts, and what is more than chance.
    Compare(Compare),
    /// Put a benchmark before a panel of judges: accuracies by named protocols, with intervals.
    Eval(Box<crate::commands::eval::Eval>),
    /// Known benchmarks and training sets: list, show, check, sample, count.
    Data(crate::commands::data::Data),
    /// Write one self-contained page of a run: tables, figures, every item.
    Report(crate::commands::report::Report),
    /// Draw the paper's analyses from runs.
    Figures(crate::commands::figures::Figures),
    /// Measure a judge's position, length and verbosity bias.
    Audit(crate::commands::audit::Audit),
    /// A world of known truth: where ranking criteria helps, and where it cannot.
    Simulate(crate::commands::simulate::Simulate),
    /// A small world of pictures, sounds and clips with true preferences, and a newborn model to learn it
    OmniWorld(OmniWorldFlags),
    /// Train DisRM, synthesize, SFT, DPO and evaluate by one recipe, going on where it stopped.
    Loop(Loop),
    /// List or pull the embedded models known by a short name.
    Models(Models),
    /// Check an endpoint, a model file or a folder, and say what to do.
    Doctor(Doctor),
    /// Show or continue earlier runs.
    Runs(Runs),
    /// What a whole run takes: calls, tokens, GPU-hours and money, from a pilot of some fifty pairs.
    Plan(Box<crate::commands::plan::Plan>),
    /// Train: SFT, DPO, Bradley–Terry.
    Train(Train),
    /// Hand a run over to LLaMA-Factory, ms-swift or TRL, or check what was handed over.
    Export(crate::commands::export::Export),
    /// Bring back what another engine trained.
    Import(crate::commands::import::Import),
    /// A deterministic fake OpenAI-compatible chat and reward server, with scripted faults.
    MockServer(MockServer),
}

/// What every verb that runs over pairs understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// A TOML recipe; flags override it, unknown keys are errors.
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Use only the first N records.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Pass over the first N records; --limit counts from there.
    #[arg(long, value_name = "N")]
    pub(crate) skip: Option<u64>,
    /// Work on every n-th record from the i-th on (from 0), in a run folder of its own; `grm runs merge` joins them.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<crate::shards::Shard>,
    /// A folder in which pictures, clips and sounds are looked for besides the input's own; repeatable.
    #[arg(long, value_name = "DIR")]
    pub(crate) media: Vec<PathBuf>,
    /// Judge the text alone: pictures, clips and sounds are left out of what judges are shown.
    #[arg(long)]
    pub(crate) without_media: bool,
    /// Seed of sampling and of A/B placement.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Run folder; the same folder continues. Default: runs/ and a name made from the input and the settings.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON document on stdout instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Render prompts, count tokens and calls, estimate time (and cost with --prices); ask no model.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Prices for --dry-run: a TOML table of input and output prices per million tokens, by model name.
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Continue in a folder whose settings differ; calls that still match are not asked again.
    #[arg(long)]
    pub(crate) change_recipe: bool,
}

/// Which models play the three roles, and how the embedded engine runs.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Models")]
pub(crate) struct ModelFlags {
    /// Short name, file.gguf, hf:org/repo/file.gguf or http(s)://host/v1; several servers with commas between.
    #[arg(long, value_name = "MODEL")]
    pub(crate) genrm: Option<String>,
    /// The policy that refines; default: the GenRM.
    #[arg(long, value_name = "MODEL")]
    pub(crate) policy: Option<String>,
    /// "builtin", a folder of `grm train bt`, a head.safetensors, or http(s)://host of a reward server.
    #[arg(long, value_name = "MODEL")]
    pub(crate) disrm: Option<String>,
    /// Model id at a chat server with several.
    #[arg(long, value_name = "ID")]
    pub(crate) served_model: Option<String>,
    /// Environment variable that holds the server's key.
    #[arg(long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,
    /// Most calls in flight at remote servers.
    #[arg(long, value_name = "N")]
    pub(crate) max_in_flight: Option<usize>,
    /// Tokens the embedded model's context holds, all calls together.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) context: Option<u32>,
    /// Calls the embedded model works on at once.
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<usize>,
    /// Threads of the embedded model.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// LoRA adapter (GGUF) on the embedded GenRM.
    #[arg(long, value_name = "FILE")]
    pub(crate) adapter: Option<PathBuf>,
}

/// How each comparison is judged.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Method")]
pub(crate) struct MethodFlags {
    /// Criteria proposed first.
    #[arg(short = 'k', long, value_name = "K")]
    pub(crate) initial: Option<usize>,
    /// Criteria added by exploration.
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) expanded: Option<usize>,
    /// Criteria combined into the verdict.
    #[arg(short = 'm', long, value_name = "M")]
    pub(crate) combined: Option<usize>,
    /// When to explore.
    #[arg(long, value_enum)]
    pub(crate) explore: Option<ExploreFlag>,
    /// Samples of each judgment (needs a judgment temperature above 0).
    #[arg(long, value_name = "N")]
    pub(crate) samples: Option<u32>,
    /// Temperature of judgments.
    #[arg(long, value_name = "T")]
    pub(crate) judgment_temperature: Option<f32>,
    /// Ask every judgment in both presentation orders.
    #[arg(long)]
    pub(crate) both_orders: bool,
    /// How trajectories become a verdict.
    #[arg(long, value_enum)]
    pub(crate) rule: Option<RuleFlag>,
    /// Ask for reasoning before the verdict or not; off with --rule direct asks for the verdict alone.
    #[arg(long, value_enum)]
    pub(crate) thinking: Option<Switch>,
    /// A criterion of your own, "Name: explanation"; repeatable.
    #[arg(long = "criterion", value_name = "TEXT")]
    pub(crate) criteria: Vec<String>,
    /// Your own criteria, one "Name: explanation" a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) criteria_file: Option<PathBuf>,
    /// Generate criteria beside your own.
    #[arg(long)]
    pub(crate) generate_beside: bool,
    /// Keep replies in form by grammar where the engine can.
    #[arg(long, value_enum)]
    pub(crate) constrain: Option<ConstrainFlag>,
    /// Make markers and special tokens inside prompts and responses inert.
    #[arg(long, value_enum)]
    pub(crate) sanitize: Option<SanitizeFlag>,
    /// Folder with .j2 prompts that replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    pub(crate) prompts: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ExploreFlag {
    Always,
    WhenUnsure,
    Never,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RuleFlag {
    Combined,
    Direct,
    AllCriteria,
    Vote,
    VoteTop,
    MetaWeighted,
    Best,
}

/// Whether activations are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckpointingFlag {
    Auto,
    On,
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ConstrainFlag {
    Auto,
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SanitizeFlag {
    Neutralise,
    Off,
}

/// What the terminal shows of each pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Show {
    /// Verdict and ranked criteria.
    Criteria,
    /// Also the critiques.
    Critiques,
    /// Also what the policy changed, word by word.
    Refinements,
    /// One line a pair.
    Verdicts,
}

#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) models: ModelFlags,
    /// What to show of each pair.
    #[arg(long, value_enum, default_value = "criteria")]
    pub(crate) show: Show,
}

#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// Pairs as JSONL, JSON or parquet; "-" reads JSONL from stdin.
    #[arg(value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// One pair from flags: what was asked.
    #[arg(long, value_name = "TEXT", requires = "a", requires = "b", conflicts_with = "input")]
    pub(crate) prompt: Option<String>,
    /// One pair from flags: response A.
    #[arg(long, value_name = "TEXT", requires = "prompt")]
    pub(crate) a: Option<String>,
    /// One pair from flags: response B.
    #[arg(long, value_name = "TEXT", requires = "prompt")]
    pub(crate) b: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) models: ModelFlags,
    #[command(flatten)]
    pub(crate) method: MethodFlags,
    /// What to show of each pair [default: criteria up to 20 pairs, verdicts above].
    #[arg(long, value_enum)]
    pub(crate) show: Option<Show>,
}

#[derive(Debug, Args)]
pub(crate) struct Synthesize {
    /// Labelled pairs as JSONL, JSON or parquet.
    #[arg(value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// What the examples look like [default: thinking].
    #[arg(long, value_enum)]
    pub(crate) form: Option<FormFlag>,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) models: ModelFlags,
    #[command(flatten)]
    pub(crate) method: MethodFlags,
}

/// The two forms of training examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormFlag {
    /// Reasoning and verdict, as the models make them.
    Thinking,
    /// The label as the verdict alone; no model is asked.
    Verdict,
}

/// `grm compare`: runs over the same pairs, side by side.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Run folders of `grm judge`, one row each; a row is tested against the one above it.
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// Print one JSON document on stdout instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the table as Markdown too.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

/// `grm loop`: a recipe of steps, each an ordinary `grm` command.
#[derive(Debug, Args)]
pub(crate) struct Loop {
    /// The loop's recipe (TOML); recipes/ has some.
    #[arg(value_name = "RECIPE")]
    pub(crate) recipe: PathBuf,
    /// Folder the recipe's data files are in; overrides its `data`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The loop's folder; the same folder continues. Overrides the recipe's `out` [default: runs/loop-RECIPE].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How often to go round; overrides the recipe's.
    #[arg(long, value_name = "N")]
    pub(crate) iterations: Option<u32>,
    /// Seed of every step; overrides the recipe's.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// At most N pairs of every file, for a first try.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Print the commands and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Steps done with other settings or inputs: put their folders aside and do them again.
    #[arg(long)]
    pub(crate) redo: bool,
    /// Print one JSON document on stdout; what the steps print goes to stderr.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) action: ModelsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsAction {
    /// The short names, their sizes and licences, and which are here.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model by short name or hf: id, checked by sha256.
    Pull {
        /// Short name or hf:org/repo/file.gguf.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// A URL, a .gguf file, a short model name, a data file or a run folder; none checks this machine.
    pub(crate) target: Option<String>,
    /// Environment variable that holds the server's key.
    #[arg(long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) action: RunsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsAction {
    /// What a run holds: settings, progress, results.
    Show {
        /// The run folder.
        folder: PathBuf,
        /// Only the pair with this id, in full.
        #[arg(long, value_name = "ID")]
        pair: Option<String>,
        /// What to show of each pair.
        #[arg(long, value_enum)]
        show: Option<Show>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Two runs over the same items: who wins, by how much, and every item they answer differently.
    Diff {
        /// A run folder; RUN:JUDGE names one of several judges.
        first: String,
        /// Another, or another judge of the same.
        second: String,
        /// How many items to list.
        #[arg(long, value_name = "N", default_value_t = 20)]
        flips: usize,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Continue a run from its own folder.
    Resume {
        /// The run folder.
        folder: PathBuf,
    },
    /// Join finished shards of one run (--shard i/n) into what one process would have made.
    Merge(crate::commands::runs_merge::Merge),
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    #[command(subcommand)]
    pub(crate) objective: TrainObjective,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrainObjective {
    /// Supervised fine-tuning on sft.jsonl.
    Sft(TrainSft),
    /// Direct preference optimisation on dpo.jsonl.
    Dpo(TrainDpo),
    /// Bradley–Terry reward model.
    Bt(TrainBradleyTerry),
}

/// What the native objectives have in common.
#[derive(Debug, Args)]
pub(crate) struct NativeTraining {
    /// The student: short name, file.gguf, a folder with config.json and safetensors, or hf:org/repo/file.gguf.
    #[arg(long, value_name = "MODEL", default_value = "smollm2-135m")]
    pub(crate) model: String,
    /// PEFT adapter folder to go on from.
    #[arg(long, value_name = "DIR")]
    pub(crate) start: Option<PathBuf>,
    /// Where checkpoints, logs, report and results are written; the same folder continues.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Settings as TOML; the flags below override it. Every default is printed when training starts (-v).
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Train every weight instead of a LoRA adapter.
    #[arg(long)]
    pub(crate) full: bool,
    /// Train the towers for pictures and sounds, too; they are frozen otherwise.
    #[arg(long)]
    pub(crate) train_towers: bool,
    /// Where pictures, clips and sounds of the data are; repeatable [default: the folders of the data files].
    #[arg(long, value_name = "DIR")]
    pub(crate) media: Vec<PathBuf>,
    /// Width of the adapter [default: 8].
    #[arg(long, value_name = "N")]
    pub(crate) rank: Option<usize>,
    /// The adapter's output is scaled by alpha / rank [default: twice the rank].
    #[arg(long, value_name = "F")]
    pub(crate) alpha: Option<f32>,
    /// Layers the adapter sits on [default: all seven linear layers].
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) targets: Vec<String>,
    /// Peak learning rate [default: LoRA 2e-4 (DPO 2e-5), full 1e-5 (DPO 1e-6)].
    #[arg(long, value_name = "F")]
    pub(crate) learning_rate: Option<f64>,
    /// How often every example is seen [default: 1].
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<u32>,
    /// Examples in a micro-batch [default: 2].
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<usize>,
    /// Micro-batches in a step [default: 64].
    #[arg(long, value_name = "N")]
    pub(crate) accumulation: Option<usize>,
    /// Of the order of examples and of a new adapter [default: 42].
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Steps, at most.
    #[arg(long, value_name = "N")]
    pub(crate) steps_max: Option<usize>,
    /// Tokens in a row; longer examples are dropped and counted [default: 4096].
    #[arg(long, value_name = "N")]
    pub(crate) cutoff: Option<usize>,
    /// Steps between checkpoints [default: 50].
    #[arg(long, value_name = "N")]
    pub(crate) checkpoint_steps: Option<usize>,
    /// Steps between evaluations on --eval [default: at the end only].
    #[arg(long, value_name = "N")]
    pub(crate) evaluation_steps: Option<usize>,
    /// DPO's beta [default: 0.1].
    #[arg(long, value_name = "F")]
    pub(crate) beta: Option<f64>,
    /// Compute activations again on the way back: a fraction of the memory for a third more time. "auto" does it for
    /// micro-batches whose activations would take more than 2 GiB.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) gradient_checkpointing: CheckpointingFlag,
    /// Micro-batches computed at once, each on its share of the cores [default: as many as there are cores].
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
    /// Use only the first N records of each file.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct TrainSft {
    /// sft.jsonl files; repeatable.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) data: Vec<PathBuf>,
    /// Held-out sft.jsonl to evaluate on.
    #[arg(long, value_name = "FILE")]
    pub(crate) eval: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) native: NativeTraining,
}

#[derive(Debug, Args)]
pub(crate) struct TrainDpo {
    /// dpo.jsonl files; repeatable.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) data: Vec<PathBuf>,
    /// Held-out dpo.jsonl to evaluate on.
    #[arg(long, value_name = "FILE")]
    pub(crate) eval: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) native: NativeTraining,
}

#[derive(Debug, Args)]
pub(crate) struct TrainBradleyTerry {
    /// Keep the network frozen and fit a linear head on its hidden states, read by llama.cpp.
    #[arg(long)]
    pub(crate) frozen: bool,
    /// A head.safetensors to start from, fitted with --frozen on the same model; its form is taken over.
    #[arg(long, value_name = "FILE", conflicts_with = "frozen")]
    pub(crate) head: Option<PathBuf>,
    /// Labelled pairs; repeatable.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) data: Vec<PathBuf>,
    /// Held-out labelled pairs to report accuracy on.
    #[arg(long, value_name = "FILE")]
    pub(crate) eval: Option<PathBuf>,
    /// Field of the held-out records to use as the prompt.
    #[arg(long, value_name = "FIELD", default_value = "prompt")]
    pub(crate) eval_prompt: String,
    /// What the head reads: chat-last-1 (last token) or chat-last-mean-1 (and the mean over the response); with --frozen
    /// also chat-mean-1 and question-last-1 [default: chat-last-mean-1 with --frozen, else chat-last-1].
    #[arg(long, value_name = "FORM", conflicts_with = "head")]
    pub(crate) form: Option<String>,
    #[command(flatten)]
    pub(crate) native: NativeTraining,
    /// With --frozen, threads of the embedded model.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct MockServer {
    /// Port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 8000)]
    pub(crate) port: u16,
    /// Settings and fault script (TOML); the flags below override it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Milliseconds before each reply.
    #[arg(long, value_name = "MS")]
    pub(crate) latency_ms: Option<u64>,
    /// Share of replies out of form, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    pub(crate) malformed: Option<f64>,
    /// Calls served at once; more are answered 429.
    #[arg(long, value_name = "N")]
    pub(crate) capacity: Option<usize>,
    /// Calls worked on at once; more wait, as in an engine's queue.
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<usize>,
}

/// Flags of `grm omni-world`.
#[derive(Debug, clap::Args)]
pub(crate) struct OmniWorldFlags {
    /// What to make.
    #[command(subcommand)]
    pub(crate) verb: OmniWorldVerb,
}

/// What `grm omni-world` makes.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum OmniWorldVerb {
    /// Pictures, sounds and clips with descriptions and preference pairs, drawn by seed
    Data(OmniWorldData),
    /// A thinker of a few million random parameters, with a tokenizer cut for a world
    Model(OmniWorldModel),
}

/// Flags of `grm omni-world data`.
#[derive(Debug, clap::Args)]
pub(crate) struct OmniWorldData {
    /// The folder to make; it must not be there.
    pub(crate) folder: PathBuf,
    /// Of every draw.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Make scenes that are in no world without this flag: for tests.
    #[arg(long)]
    pub(crate) held_out: bool,
    /// Descriptions of scenes, shown or told.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) describe: usize,
    /// Lessons in finding words again: repeated, looked up, decided by.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) recall: usize,
    /// Preference pairs about scenes told in words.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) text_pairs: usize,
    /// Preference pairs about pictures.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) image_pairs: usize,
    /// Preference pairs about sounds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) audio_pairs: usize,
    /// Preference pairs about clips.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) video_pairs: usize,
}

/// Flags of `grm omni-world model`.
#[derive(Debug, clap::Args)]
pub(crate) struct OmniWorldModel {
    /// The folder to make; it must not be there.
    pub(crate) folder: PathBuf,
    /// The world whose words the tokenizer is cut for.
    #[arg(long, value_name = "DIR")]
    pub(crate) world: PathBuf,
    /// Of the weights.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}
