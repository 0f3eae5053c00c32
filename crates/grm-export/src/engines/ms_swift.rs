//! ms-swift: JSONL with the chosen answer as the last message, everything else on the command line.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::{Set, TextFile, assistant, last_answer, messages};
use crate::{
    Engine,
    export::ExportSettings,
    row::{Row, RowAnswer, RowMessage},
    script,
};

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    messages: Vec<RowMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_response: Option<&'a str>,
    images: Vec<String>,
    videos: Vec<String>,
    audios: Vec<String>,
    tokens: usize,
}

/// Paths are relative to the export's folder, in which run.sh runs.
pub(crate) fn line(row: &Row) -> String {
    let mut messages = row.prompt.clone();
    let (answer, rejected_response) = match &row.answer {
        RowAnswer::Target(text) => (text, None),
        RowAnswer::Preference([chosen, rejected]) => (chosen, Some(rejected.as_str())),
    };
    messages.push(assistant(answer));
    let [images, videos, audios] =
        row.media.clone().map(|files| files.iter().map(|file| format!("data/{file}")).collect());
    let line = Line { id: &row.id, messages, rejected_response, images, videos, audios, tokens: row.tokens };
    serde_json::to_string(&line).expect("strings and numbers always become JSON")
}

pub(crate) fn read(set: Set, value: &Value) -> Result<(Vec<RowMessage>, RowAnswer), String> {
    let (prompt, answer) = last_answer(messages(value, "messages")?)?;
    match set {
        Set::Sft => Ok((prompt, RowAnswer::Target(answer))),
        Set::Dpo => {
            let rejected = value["rejected_response"].as_str().ok_or("`rejected_response` is missing")?;
            Ok((prompt, RowAnswer::Preference([answer, rejected.to_owned()])))
        }
    }
}

pub(crate) fn files(settings: &ExportSettings, sets: &[Set]) -> Vec<TextFile> {
    vec![
        ("ds_z3.json", script::zero3()),
        ("requirements.txt", script::requirements(Engine::MsSwift)),
        ("run.sh", run(settings, sets)),
    ]
}

fn run(settings: &ExportSettings, sets: &[Set]) -> String {
    let ExportSettings { caps, cutoff_tokens, .. } = settings;
    let mut text = script::head(Engine::MsSwift, &settings.base_model);
    script::whole_checkpoints(&mut text);
    let _ = write!(
        text,
        "# The caps the lengths in data/ were counted with; no speech output, which ZeRO-3 would wait for.\n\
         export NPROC_PER_NODE NNODES NODE_RANK ENABLE_AUDIO_OUTPUT=0 MAX_PIXELS={} VIDEO_MAX_PIXELS={} FPS={:?} FPS_MAX_FRAMES={}\n\
         accumulation=$(( 128 / (2 * NNODES * NPROC_PER_NODE) ))\n\
         if (( 2 * NNODES * NPROC_PER_NODE * accumulation != 128 )); then\n\
         \x20 echo \"128 records a step cannot be divided among $NNODES x $NPROC_PER_NODE processes of 2\" >&2; exit 2\n\
         fi\n\
         # The paper's Table 6.\n\
         table6=(--per_device_train_batch_size 2 --gradient_accumulation_steps $accumulation --num_train_epochs 1\n\
         \x20 --lr_scheduler_type cosine --warmup_ratio 0.1 --max_length {cutoff_tokens})\n\
         # LLaMA-Factory's defaults, where ms-swift has others (weight decay 0.1, beta2 0.95).\n\
         defaults=(--weight_decay 0 --adam_beta2 0.999 --max_grad_norm 1.0 --freeze_vit true --freeze_aligner true --seed 42)\n\
         # Ours: how it runs. The rows are already in a seeded order that mixes modalities evenly.\n\
         ours=(--tuner_type full --torch_dtype bfloat16 --deepspeed ds_z3.json --split_dataset_ratio 0 --dataset_shuffle false\n\
         \x20 --train_dataloader_shuffle false --add_version false --save_steps 50 --save_total_limit 2 --logging_steps 1)\n\n\
         # A stage that is done has left its mark; one that was stopped goes on from its last checkpoint.\n\
         stage() {{\n\
         \x20 if [ -f \"out/$1/.done\" ]; then echo \"out/$1 is done\"; return; fi\n\
         \x20 whole_checkpoints \"$1\"\n\
         \x20 local last; last=$(ls -d \"out/$1\"/checkpoint-* 2>/dev/null | sort -V | tail -n 1 || true)\n\
         \x20 swift \"${{@:2}}\" \"${{table6[@]}}\" \"${{defaults[@]}}\" \"${{ours[@]}}\" --dataset \"data/grm_$1.jsonl\" \\\n\
         \x20   --output_dir \"out/$1\" ${{last:+--resume_from_checkpoint \"$last\"}}\n\
         \x20 touch \"out/$1/.done\"\n\
         }}\n\n",
        caps.image.max, caps.video.max, caps.video_fps, caps.video_frames_max,
    );
    for (index, set) in sets.iter().enumerate() {
        let model = if index == 0 { "$BASE" } else { "out/sft/last-checkpoint" };
        let verb = match set {
            Set::Sft => "sft",
            Set::Dpo => "rlhf --rlhf_type dpo --beta 0.1",
        };
        let name = set.as_str();
        let _ =
            writeln!(text, "stage {name} {verb} --model \"{model}\" --learning_rate {} \"$@\"", set.learning_rate());
    }
    let trained = sets.last().map_or("sft", |set| set.as_str());
    script::import_from(&mut text, &format!("out/{trained}/last-checkpoint"));
    text
}
