#!/bin/sh
# A small omni world: does a judge that learnt to prefer from text alone judge pictures, sounds and clips better?
#
#   sh recipes/omni-world.sh FOLDER          # kill it when you like; the same command goes on
#
# A thinker of 3.3 million random parameters learns to find words again, to see and hear, and the form of a judgment with
# a coin's verdicts: that is the base. Then SFT and DPO on pairs told in words, towers frozen, and every stage before
# pairs of all four kinds, both ways round. No other weights or data are needed. `GRM` names the program, `WORKERS` the
# processes of a training, `PAIRS` how many pairs of each kind are judged.
set -eu
grm=${GRM:-grm}
mkdir -p "$1" && cd "$1"

train() { # KIND FROM TO FLAGS...
    kind=$1 from=$2 to=$3 && shift 3
    [ -d "$to/model" ] || "$grm" train "$kind" --model "$from" --out "$to" --full --batch 32 --accumulation 1 \
        --workers "${WORKERS:-1}" --media lessons --settings training.toml --checkpoint-steps 60 "$@"
}

# Batches of one medium each, which rows of like length make, are a worse teacher of a newborn than mixed ones.
printf 'order = "shuffled"\nwarmup_ratio = 0.03\n' > training.toml

[ -d lessons ] || "$grm" omni-world data lessons --seed 1 --describe 12000 --recall 96000 \
    --text-pairs 1500 --image-pairs 1500 --audio-pairs 1500 --video-pairs 1500
[ -d preferences ] || "$grm" omni-world data preferences --seed 2 --text-pairs 5000
[ -d test ] || "$grm" omni-world data test --seed 1 --held-out \
    --text-pairs 300 --image-pairs 300 --audio-pairs 300 --video-pairs 300
[ -d newborn ] || "$grm" omni-world model newborn --world lessons
head -n 4000 lessons/recall.jsonl > reminder.jsonl # so that what comes next does not push it out

train sft newborn recall --data lessons/recall.jsonl --learning-rate 2e-3 --epochs 2 --steps-max 4000
train sft recall/model see --data lessons/sft.jsonl --data reminder.jsonl --train-towers --learning-rate 1.5e-3 \
    --epochs 2 --steps-max 700
train sft see/model base --data lessons/coin_sft.jsonl --data reminder.jsonl --train-towers --learning-rate 1e-3 \
    --steps-max 250
train sft base/model sft --data preferences/text_sft.jsonl --learning-rate 5e-4 --steps-max 250
train dpo sft/model dpo --data preferences/text_dpo.jsonl --learning-rate 5e-5 --steps-max 50

for stage in base sft dpo; do
    for kind in text image audio video; do
        "$grm" eval pairs "test/${kind}_pairs.jsonl" --judges random,direct --thinking on --both-orders \
            --prompts lessons/prompts --genrm "$stage/model" --limit "${PAIRS:-300}" --out "eval-$stage-$kind"
    done
done
