#!/usr/bin/env bash
# Native training against LLaMA-Factory on the records of one export: same order, f32, the same loss step by step.
#
#   bash tests/llamafactory/native.sh WORK_FOLDER
#
# WORK_FOLDER is that of run.sh, with `model` and what LLaMA-Factory made of it in `one`. Pinned on both sides: towers
# frozen, no dropout (the models have none), rows in the order of the export, one row a micro-batch, four a step.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:?usage: native.sh WORK_FOLDER}"
GRM=${GRM:-$here/../../target/release/grm}

rm -rf native
python3 "$here/records.py" one native
# Media as the export's caps have them.
media='{"image_pixels": [3136, 602112], "video_pixels": [3136, 100352], "frames_per_second": 2.0, "frames_max": 16}'
cat > native/settings.toml <<'TOML'
order = "as_given"
normalisation = "microbatch_mean"
batch = 1
accumulation = 4
learning_rate = 5e-4
schedule = "cosine"
warmup_ratio = 0.1
gradient_norm_max = 1.0
TOML
for stage in sft dpo; do
  # DPO begins where LLaMA-Factory's did: with its SFT, as grm import brought it back.
  base=model; if [ "$stage" = dpo ]; then base=one/out/sft-whole; fi
  cp -r "$base" "native/$stage-base"
  echo "$media" > "native/$stage-base/media.json"
  "$GRM" train "$stage" --full --model "native/$stage-base" --data "native/$stage.jsonl" --media one/data \
    --settings native/settings.toml --out "native/$stage" > "native/$stage.log" 2>&1
  python3 "$here/losses.py" "LLaMA-Factory and grm, $stage" 1e-4 "one/out/$stage/trainer_state.json" "native/$stage/metrics.jsonl"
done
