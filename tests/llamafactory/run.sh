#!/usr/bin/env bash
# The real LLaMA-Factory on our exports, opt-in: some ten minutes on two cores, and 6 GB of packages the first time.
#
#   bash tests/llamafactory/run.sh WORK_FOLDER
#
# WORK_FOLDER must not be there, or hold only `venv`, a virtual environment with the requirements of an export; it is
# made if it is not. GRM names the command, if it is not the one that cargo builds. Needs Python 3.11 and ffmpeg.
#
# What is shown, each with its figures:
#   1. lengths of records are those LLaMA-Factory itself counts, and `datasets.load_dataset` takes the tables
#   2. one process and two (gloo) give the same losses
#   3. a run that is killed in SFT and in DPO, and then run again, ends in the same bytes
#   4. what `grm import` brings back loads in burn with every tensor equal
#   5. `grm train` in f32 has the same losses, step by step
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(realpath -m "${1:?usage: run.sh WORK_FOLDER}")
mkdir -p "$work"
if [ -n "${GRM:-}" ]; then
  GRM=$(realpath "$GRM")
else
  (cd "$root" && cargo build --release --locked --workspace --bins)
  GRM=$root/target/release/grm
fi
export GRM HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
cd "$work"

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

say "a small world, and what a mock server makes of its pairs"
"$GRM" omni-world data world --seed 3 --text-pairs 24 --image-pairs 24 --audio-pairs 24 --video-pairs 24 > world.log
python3 "$here/pairs.py" world > world/pairs.jsonl
awk 'NR % 2 == 0' world/pairs.jsonl > world/even.jsonl
awk 'NR % 2 == 1' world/pairs.jsonl > world/odd.jsonl
"$GRM" mock-server --port 0 > mock.log 2>&1 & mock=$!
trap 'kill "$mock" 2> /dev/null || true' EXIT
until grep -q 'http://[0-9.:]*/v1' mock.log; do kill -0 "$mock"; sleep 0.1; done
url=$(grep -o 'http://[0-9.:]*' mock.log | head -n 1)
"$GRM" synthesize world/even.jsonl --genrm "$url/v1" --disrm "$url" --out thinking 2>&1 | grep pairs
kill "$mock"
"$GRM" synthesize world/odd.jsonl --form verdict --out verdict 2>&1 | grep pairs
# Thinking and verdicts alone in one run; counts that two processes of any step divide evenly.
mkdir run
for name in sft dpo; do
  { head -n 24 "thinking/$name.jsonl"; shuf --random-source=<(yes) "verdict/$name.jsonl"; } > all.jsonl
  count=24; if [ "$name" = sft ]; then count=48; fi
  head -n "$count" all.jsonl > "run/$name.jsonl"
done

export_to() { "$GRM" export llamafactory run "$1" --media world --tokenizer model --base "$work/model"; }
if [ ! -d venv ]; then
  say "a virtual environment of LLaMA-Factory's own"
  "$GRM" omni-world model newborn --world world
  "$GRM" export llamafactory run for-requirements --media world --tokenizer newborn > requirements.log
  python3.11 -m venv venv
  venv/bin/pip install -r for-requirements/requirements.txt > pip.log
fi
export PATH=$work/venv/bin:$PATH

say "a tiny random Qwen2.5-Omni, and a run with media of every size"
python "$here/make_tiny.py" model edges > tiny.log 2>&1
"$GRM" export llamafactory edges edges-out --tokenizer model --base "$work/model" | head -n 2
export_to one
for folder in one edges-out; do
  "$GRM" export check "$folder" --tokenizer model/tokenizer.json
  python "$here/lengths.py" "$folder" model 2> /dev/null | tail -n 1
done
python "$here/tables.py" one 2> /dev/null

# f32 on a CPU, where neither DeepSpeed nor bf16 work; everything else is as exported. Losses are logged unrounded.
train() {
  local folder=$1; shift
  NPROC_PER_NODE=$1 PYTHONPATH=$here/exact OMP_NUM_THREADS=1 bash "$folder/run.sh" deepspeed=null bf16=false use_cpu=true \
    per_device_train_batch_size=1 gradient_accumulation_steps=$((4 / $1)) learning_rate=5e-4 save_steps=2 \
    preprocessing_num_workers=1 dataloader_num_workers=0 >> "$folder.log" 2>&1
}

say "SFT, then DPO, then back: one process"
train one 1
say "the same in two processes"
export_to two > /dev/null
train two 2
for stage in sft dpo; do
  python "$here/losses.py" "one and two processes, $stage" 1e-5 one/out/$stage/trainer_state.json two/out/$stage/trainer_state.json
done

# Every process below one, itself first.
family() { echo "$1"; local child; for child in $(ps -o pid= --ppid "$1"); do family "$child"; done; }
killed_at() {
  train killed 1 & local pid=$!
  until [ -s "$1" ]; do kill -0 "$pid"; sleep 0.1; done
  kill -KILL $(family "$pid")
  wait "$pid" 2> /dev/null || true
}
say "killed in SFT, killed in DPO after half a checkpoint, and run again"
export_to killed > /dev/null
killed_at killed/out/sft/checkpoint-4/trainer_state.json
killed_at killed/out/dpo/checkpoint-2/trainer_state.json
mkdir -p killed/out/dpo/checkpoint-99
head -c 1000 one/out/dpo/model.safetensors > killed/out/dpo/checkpoint-99/model.safetensors
train killed 1
grep -h 'Resuming training from' killed.log | sort -u | sed 's/.*Resuming/Resuming/'
for file in sft/model.safetensors dpo/model.safetensors grm-omni/model.safetensors; do
  cmp "one/out/$file" "killed/out/$file"
  sha256sum "one/out/$file" "killed/out/$file"
done

say "brought back: every tensor in burn, and the log in our form"
cat one/out/grm-omni/import.json; echo
(cd "$root" && cargo build --release --locked --workspace --example same_tensors)
"$root/target/release/examples/same_tensors" one/out/dpo one/out/grm-omni
python "$here/losses.py" "imported log" 0 one/out/dpo/trainer_state.json one/out/grm-omni/metrics.jsonl | tail -n 1

say "grm train on the same records"
bash "$here/native.sh" "$work"
say "all is as it should be"
