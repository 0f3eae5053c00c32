//! What the engines' folders have in common: the frame of `run.sh`, `DeepSpeed`'s settings, pinned requirements.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{Engine, Set};

/// JSON with indentation and a line feed at the end.
pub(crate) fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("a JSON value always becomes text");
    format!("{text}\n")
}

pub(crate) fn requirements(engine: Engine) -> String {
    let mut text = format!(
        "# One virtual environment for {} alone: engines pin versions that exclude each other's.\n",
        engine.as_str()
    );
    for line in engine.requirements() {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The first lines of `run.sh`.
pub(crate) fn head(engine: Engine, base_model: &str) -> String {
    let base = base_model.replace('\'', r"'\''");
    format!(
        "#!/usr/bin/env bash\n\
         # SFT, then DPO, then back: with {} in the environment of requirements.txt.\n\
         #   bash run.sh                                              one machine\n\
         #   NNODES=2 NODE_RANK=0 MASTER_ADDR=host MASTER_PORT=29500 bash run.sh    on each of two\n\
         # Run it again after a stop: it goes on where it was. Further arguments go to both trainings.\n\
         set -euo pipefail\n\
         cd \"$(dirname \"${{BASH_SOURCE[0]}}\")\"\n\
         BASE=${{BASE:-'{base}'}}\n\
         GRM=${{GRM:-grm}}\n\
         NNODES=${{NNODES:-1}}\n\
         NODE_RANK=${{NODE_RANK:-0}}\n\
         NPROC_PER_NODE=${{NPROC_PER_NODE:-8}}\n\n",
        engine.as_str()
    )
}

/// A kill in the middle of saving leaves a checkpoint that no engine can go on from, and that engines choose because it is
/// the last.
pub(crate) fn whole_checkpoints(text: &mut String) {
    text.push_str(
        "# trainer_state.json is written last: a checkpoint without it was cut short, and the one before it counts.\n\
         whole_checkpoints() {\n\
         \x20 local checkpoint\n\
         \x20 if [ \"$NODE_RANK\" = 0 ]; then for checkpoint in \"out/$1\"/checkpoint-*/; do\n\
         \x20   if [ ! -s \"$checkpoint/trainer_state.json\" ]; then rm -rf \"$checkpoint\"; fi\n\
         \x20 done; fi\n\
         }\n\n",
    );
}

/// The way back, from the last stage's output.
pub(crate) fn import(text: &mut String, sets: &[Set]) {
    let trained = sets.last().map_or("sft", |set| set.as_str());
    import_from(text, &format!("out/{trained}"));
}

pub(crate) fn import_from(text: &mut String, trained: &str) {
    let _ = write!(
        text,
        "\n# The base by its files, from the cache training has filled.\n\
         if [ \"$NODE_RANK\" = 0 ] && [ ! -d out/grm-omni ]; then\n\
         \x20 files=$BASE\n\
         \x20 if [ ! -d \"$files\" ]; then\n\
         \x20   files=$(python -c 'import sys, huggingface_hub as h; print(h.snapshot_download(sys.argv[1]))' \"$BASE\")\n\
         \x20 fi\n\
         \x20 \"$GRM\" import {trained} --base \"$files\" --to out/grm-omni\n\
         fi\n"
    );
}

/// `DeepSpeed` ZeRO-3: weights, gradients and optimiser states shared out, whole 16-bit weights gathered when saving.
pub(crate) fn zero3() -> String {
    pretty(&json!({
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": true,
        "bf16": { "enabled": "auto" },
        "fp16": { "enabled": "auto", "loss_scale": 0 },
        "zero_optimization": {
            "stage": 3,
            "overlap_comm": false,
            "contiguous_gradients": true,
            "reduce_bucket_size": "auto",
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": true,
        },
    }))
}
