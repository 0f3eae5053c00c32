//! `LLaMA-Factory`: `ShareGPT` records in OpenAI's names, `dataset_info.json`, one YAML a stage.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Set, TextFile, assistant, last_answer, messages};
use crate::{
    Engine,
    export::ExportSettings,
    media::MediaKind,
    row::{Row, RowAnswer, RowMessage},
    script,
};

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    messages: Vec<RowMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<RowMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<RowMessage>,
    images: &'a [String],
    videos: &'a [String],
    audios: &'a [String],
    tokens: usize,
}

pub(crate) fn line(row: &Row) -> String {
    let mut messages = row.prompt.clone();
    let (mut chosen, mut rejected) = (None, None);
    match &row.answer {
        RowAnswer::Target(text) => messages.push(assistant(text)),
        RowAnswer::Preference([better, worse]) => {
            (chosen, rejected) = (Some(assistant(better)), Some(assistant(worse)));
        }
    }
    let [images, videos, audios] = &row.media;
    let line = Line { id: &row.id, messages, chosen, rejected, images, videos, audios, tokens: row.tokens };
    serde_json::to_string(&line).expect("strings and numbers always become JSON")
}

pub(crate) fn read(set: Set, value: &Value) -> Result<(Vec<RowMessage>, RowAnswer), String> {
    let messages = messages(value, "messages")?;
    let side = |name: &str| {
        let message = serde_json::from_value::<RowMessage>(value[name].clone());
        message.map(|message| message.content).map_err(|error| format!("`{name}`: {error}"))
    };
    match set {
        Set::Sft => last_answer(messages).map(|(prompt, text)| (prompt, RowAnswer::Target(text))),
        Set::Dpo => Ok((messages, RowAnswer::Preference([side("chosen")?, side("rejected")?]))),
    }
}

pub(crate) fn files(settings: &ExportSettings, sets: &[Set]) -> Vec<TextFile> {
    let mut files = vec![
        ("data/dataset_info.json", dataset_info(sets)),
        ("ds_z3.json", script::zero3()),
        ("requirements.txt", script::requirements(Engine::LlamaFactory)),
        ("run.sh", run(settings, sets)),
    ];
    for &set in sets {
        let name = match set {
            Set::Sft => "sft.yaml",
            Set::Dpo => "dpo.yaml",
        };
        files.push((name, yaml(settings, set, sets)));
    }
    files
}

/// Columns of a set that must be named.
pub(crate) fn columns(set: Set) -> &'static [&'static str] {
    match set {
        Set::Sft => &["messages", "images", "videos", "audios"],
        Set::Dpo => &["messages", "chosen", "rejected", "images", "videos", "audios"],
    }
}

fn dataset_info(sets: &[Set]) -> String {
    let tags = json!({
        "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
        "system_tag": "system",
    });
    let mut info = Map::new();
    for &set in sets {
        let columns: Map<String, Value> =
            columns(set).iter().map(|column| ((*column).to_owned(), (*column).into())).collect();
        let name = format!("grm_{}", set.as_str());
        let mut entry = json!({
            "file_name": format!("{name}.jsonl"), "formatting": "sharegpt", "columns": columns, "tags": tags,
        });
        if set == Set::Dpo {
            entry["ranking"] = true.into();
        }
        info.insert(name, entry);
    }
    script::pretty(&Value::Object(info))
}

fn yaml(settings: &ExportSettings, set: Set, sets: &[Set]) -> String {
    let caps = settings.caps;
    let model = match set {
        Set::Dpo if sets.contains(&Set::Sft) => "out/sft-whole",
        _ => &settings.base_model,
    };
    let name = set.as_str();
    let mut text = format!(
        "# {} with LLaMA-Factory 0.9.5, written by grm. Run it through run.sh, which passes the batch of 128 to any number of GPUs.\n",
        name.to_uppercase()
    );
    let mut section = |title: &str, keys: &[(&str, String)]| {
        let _ = write!(text, "\n# {title}\n");
        for (key, value) in keys {
            let _ = writeln!(text, "{key}: {value}");
        }
    };
    let s = str::to_owned;
    section(
        "The paper's Table 6: 8 GPUs x 2 x 8 = 128 records a step.",
        &[
            ("per_device_train_batch_size", s("2")),
            ("gradient_accumulation_steps", s("8")),
            ("learning_rate", s(set.learning_rate())),
            ("num_train_epochs", s("1.0")),
            ("lr_scheduler_type", s("cosine")),
            ("warmup_ratio", s("0.1")),
            ("cutoff_len", settings.cutoff_tokens.to_string()),
        ],
    );
    section(
        "What is trained on what.",
        &[
            ("stage", s(name)),
            ("do_train", s("true")),
            ("model_name_or_path", quoted(model)),
            ("template", s("qwen2_omni")),
            ("dataset", format!("grm_{name}")),
            ("dataset_dir", s("data")),
            ("media_dir", s("data")),
            ("output_dir", format!("out/{name}")),
        ],
    );
    section(
        "Media: the caps the lengths in data/ were counted with.",
        &[
            ("image_max_pixels", caps.image.max.to_string()),
            ("image_min_pixels", caps.image.min.to_string()),
            ("video_max_pixels", caps.video.max.to_string()),
            ("video_min_pixels", caps.video.min.to_string()),
            ("video_fps", format!("{:?}", caps.video_fps)),
            ("video_maxlen", caps.video_frames_max.to_string()),
            ("use_audio_in_video", s("false")),
        ],
    );
    let mut defaults = vec![
        ("freeze_vision_tower", s("true")),
        ("freeze_multi_modal_projector", s("true")),
        ("optim", s("adamw_torch")),
        ("adam_beta1", s("0.9")),
        ("adam_beta2", s("0.999")),
        ("adam_epsilon", s("1.0e-8")),
        ("weight_decay", s("0.0")),
        ("max_grad_norm", s("1.0")),
        ("seed", s("42")),
    ];
    if set == Set::Dpo {
        defaults.extend([
            ("pref_beta", s("0.1")),
            ("pref_loss", s("sigmoid")),
            ("pref_ftx", s("0.0")),
            ("dpo_label_smoothing", s("0.0")),
        ]);
    }
    section("LLaMA-Factory's defaults, which the paper does not contradict, written out.", &defaults);
    section(
        "Ours: how it runs. The rows are already in a seeded order that mixes modalities evenly.",
        &[
            ("finetuning_type", s("full")),
            ("deepspeed", s("ds_z3.json")),
            ("bf16", s("true")),
            ("disable_shuffling", s("true")),
            ("preprocessing_num_workers", s("16")),
            ("dataloader_num_workers", s("4")),
            ("logging_steps", s("1")),
            ("save_steps", s("50")),
            ("save_total_limit", s("2")),
            ("save_only_model", s("false")),
            ("ddp_timeout", s("180000000")),
            ("report_to", s("none")),
        ],
    );
    text
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string always becomes JSON, which YAML reads")
}

fn run(settings: &ExportSettings, sets: &[Set]) -> String {
    let mut text = script::head(Engine::LlamaFactory, &settings.base_model);
    script::whole_checkpoints(&mut text);
    text.push_str(
        "export FORCE_TORCHRUN=1 NPROC_PER_NODE\n\
         # Table 6's batch of 128, whatever the number of GPUs.\n\
         accumulation=$(( 128 / (2 * NNODES * NPROC_PER_NODE) ))\n\
         if (( 2 * NNODES * NPROC_PER_NODE * accumulation != 128 )); then\n\
         \x20 echo \"128 records a step cannot be divided among $NNODES x $NPROC_PER_NODE processes of 2\" >&2; exit 2\n\
         fi\n\n\
         # LLaMA-Factory goes on from the last checkpoint in out/; a stage that left its results is done.\n\
         stage() {\n\
         \x20 if [ -f \"out/$1/train_results.json\" ]; then echo \"out/$1 is done\"; return; fi\n\
         \x20 whole_checkpoints \"$1\"\n\
         \x20 llamafactory-cli train \"$1.yaml\" gradient_accumulation_steps=$accumulation \"${@:2}\"\n\
         }\n\n",
    );
    text.push_str(WHOLE);
    for (index, set) in sets.iter().enumerate() {
        let (base, name) = (if index == 0 { " \"model_name_or_path=$BASE\"" } else { "" }, set.as_str());
        let whole = if index + 1 == sets.len() { "grm-omni".to_owned() } else { format!("{name}-whole") };
        let _ = writeln!(text, "stage {name}{base} \"$@\"\nwhole out/{name} out/{whole}");
    }
    text
}

/// LLaMA-Factory saves the thinker alone, which neither transformers nor vLLM loads.
const WHOLE: &str = r#"# A stage leaves the thinker alone, which no engine loads: grm puts it back into the frame of the base, whose files are in
# the cache that training has filled. With several nodes, out/ is a folder they share.
whole() {
  if [ "$NODE_RANK" != 0 ]; then until [ -d "$2" ]; do sleep 5; done; return; fi
  if [ -d "$2" ]; then return; fi
  files=$BASE
  if [ ! -d "$files" ]; then
    files=$(python -c 'import sys, huggingface_hub as h; print(h.snapshot_download(sys.argv[1]))' "$BASE")
  fi
  "$GRM" import "$1" --base "$files" --to "$2"
}

"#;

/// What the linter reads of a stage's YAML: flat keys, comments and quotes taken off.
pub(crate) fn yaml_keys(text: &str) -> Vec<(usize, String, String)> {
    let key = |(number, line): (usize, &str)| {
        let line = line.split(" #").next().unwrap_or("").trim_end();
        let (key, value) = line.split_once(':')?;
        let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_key.then(|| (number + 1, key.to_owned(), value.trim().trim_matches('"').to_owned()))
    };
    text.lines().enumerate().filter_map(key).collect()
}

/// Whether `kind` is listed where LLaMA-Factory looks for it.
pub(crate) fn is_media_column(column: &str) -> bool {
    MediaKind::ALL.into_iter().any(|kind| kind.column() == column)
}
