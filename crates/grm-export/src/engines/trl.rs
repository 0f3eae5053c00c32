//! TRL: conversational records of text and pictures, one YAML a stage for its command line.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Set, TextFile, assistant};
use crate::{
    Engine,
    export::ExportSettings,
    media::MediaKind,
    row::{Row, RowAnswer, RowMessage},
    script,
};

/// With pictures anywhere in the export, every content is a list of parts: a column has one type.
pub(crate) fn line(row: &Row, has_pictures: bool) -> String {
    let of =
        |messages: &[RowMessage]| messages.iter().map(|message| written(message, has_pictures)).collect::<Vec<_>>();
    let mut line = match &row.answer {
        RowAnswer::Target(text) => json!({ "messages": of(&[row.prompt.clone(), vec![assistant(text)]].concat()) }),
        RowAnswer::Preference([chosen, rejected]) => json!({
            "prompt": of(&row.prompt), "chosen": of(&[assistant(chosen)]), "rejected": of(&[assistant(rejected)]),
        }),
    };
    line["id"] = row.id.as_str().into();
    line["tokens"] = row.tokens.into();
    if has_pictures {
        line["images"] = row.files(MediaKind::Image).iter().map(|file| format!("data/{file}")).collect();
    }
    line.to_string()
}

fn written(message: &RowMessage, has_pictures: bool) -> Value {
    let content = if has_pictures { parts(&message.content) } else { Value::from(message.content.as_str()) };
    json!({ "role": message.role, "content": content })
}

fn parts(content: &str) -> Value {
    let mut parts = Vec::new();
    for (index, text) in content.split(MediaKind::Image.placeholder()).enumerate() {
        if index > 0 {
            parts.push(json!({ "type": "image", "text": Value::Null }));
        }
        if !text.is_empty() {
            parts.push(json!({ "type": "text", "text": text }));
        }
    }
    Value::Array(parts)
}

pub(crate) fn read(set: Set, value: &Value) -> Result<(Vec<RowMessage>, RowAnswer), String> {
    match set {
        Set::Sft => super::last_answer(read_messages(&value["messages"])?)
            .map(|(prompt, text)| (prompt, RowAnswer::Target(text))),
        Set::Dpo => {
            let side = |name: &str| super::last_answer(read_messages(&value[name])?).map(|(_, text)| text);
            Ok((read_messages(&value["prompt"])?, RowAnswer::Preference([side("chosen")?, side("rejected")?])))
        }
    }
}

fn read_messages(list: &Value) -> Result<Vec<RowMessage>, String> {
    let list = list.as_array().ok_or("messages are not a list")?;
    list.iter()
        .map(|message| {
            let role = serde_json::from_value(message["role"].clone()).map_err(|error| format!("`role`: {error}"))?;
            let content = match &message["content"] {
                Value::String(text) => text.clone(),
                Value::Array(parts) => {
                    parts.iter().map(part_text).collect::<Option<_>>().ok_or("`content`: unknown part")?
                }
                _ => return Err("`content` is neither text nor a list".to_owned()),
            };
            Ok(RowMessage { role, content })
        })
        .collect()
}

fn part_text(part: &Value) -> Option<&str> {
    match part["type"].as_str()? {
        "image" => Some(MediaKind::Image.placeholder()),
        _ => part["text"].as_str(),
    }
}

pub(crate) fn files(settings: &ExportSettings, sets: &[Set]) -> Vec<TextFile> {
    let mut files = vec![
        ("ds_z3.json", script::zero3()),
        ("requirements.txt", script::requirements(Engine::Trl)),
        ("run.sh", run(settings, sets)),
    ];
    for &set in sets {
        let name = if set == Set::Sft { "sft.yaml" } else { "dpo.yaml" };
        files.push((name, yaml(settings, set, sets)));
    }
    files
}

fn yaml(settings: &ExportSettings, set: Set, sets: &[Set]) -> String {
    let name = set.as_str();
    let model = match set {
        Set::Dpo if sets.contains(&Set::Sft) => "out/sft",
        _ => &settings.base_model,
    };
    let mut text = format!(
        "# {} with TRL 1.16, written by grm. Run it through run.sh.\n\n\
         # The paper's Table 6: 8 GPUs x 2 x 8 = 128 records a step.\n\
         per_device_train_batch_size: 2\ngradient_accumulation_steps: 8\nlearning_rate: {}\nnum_train_epochs: 1.0\n\
         lr_scheduler_type: cosine\nwarmup_ratio: 0.1\nmax_length: {}\n\n\
         # What is trained on what.\nmodel_name_or_path: {}\noutput_dir: out/{name}\n\
         datasets:\n  - path: json\n    data_files: data/grm_{name}.jsonl\n    split: train\n\n\
         # LLaMA-Factory's defaults, where TRL may have others.\nadam_beta1: 0.9\nadam_beta2: 0.999\nadam_epsilon: 1.0e-8\n\
         weight_decay: 0.0\nmax_grad_norm: 1.0\nseed: 42\n",
        name.to_uppercase(),
        set.learning_rate(),
        settings.cutoff_tokens,
        serde_json::to_string(model).expect("a string always becomes JSON, which YAML reads"),
    );
    if set == Set::Dpo {
        text.push_str("beta: 0.1\nloss_type: [sigmoid]\n");
    }
    text.push_str("\n# Ours: how it runs.\nbf16: true\ndeepspeed: ds_z3.json\nlogging_steps: 1\nsave_steps: 50\nsave_total_limit: 2\nreport_to: none\n");
    text
}

fn run(settings: &ExportSettings, sets: &[Set]) -> String {
    let mut text = script::head(Engine::Trl, &settings.base_model);
    text.push_str(
        "accumulation=$(( 128 / (2 * NNODES * NPROC_PER_NODE) ))\n\
         stage() {\n\
         \x20 if [ -f \"out/$1/.done\" ]; then echo \"out/$1 is done\"; return; fi\n\
         \x20 local last; last=$(ls -d \"out/$1\"/checkpoint-* 2>/dev/null | sort -V | tail -n 1 || true)\n\
         \x20 trl \"$1\" --config \"$1.yaml\" --num_processes $(( NNODES * NPROC_PER_NODE )) --num_machines \"$NNODES\" \\\n\
         \x20   --machine_rank \"$NODE_RANK\" --gradient_accumulation_steps $accumulation \\\n\
         \x20   ${last:+--resume_from_checkpoint \"$last\"} \"${@:2}\"\n\
         \x20 touch \"out/$1/.done\"\n\
         }\n\n",
    );
    for (index, set) in sets.iter().enumerate() {
        let base = if index == 0 { " --model_name_or_path \"$BASE\"" } else { "" };
        let _ = writeln!(text, "stage {}{base} \"$@\"", set.as_str());
    }
    script::import(&mut text, sets);
    text
}
