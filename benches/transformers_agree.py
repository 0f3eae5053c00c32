"""Do transformers and PEFT compute what we trained? Trains three tiny models with `grm train`, loads what it leaves in
transformers and PEFT, and prints the largest difference of logits and rewards (goal: 2e-4).

    pip install torch transformers peft
    cargo build --release && cargo build --release -p grm-model --example logits
    python3 benches/transformers_agree.py
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

ROOT = Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "crates/grm-model/tests/goldens/text"
IDS = torch.arange(24)[None] * 37 % 318 + 2


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def ours(*words):
    return torch.tensor(json.loads(run(ROOT / "target/release/examples/logits", *words)))


def theirs(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits[0].flatten()


def records(folder):
    turn = lambda role, content: {"role": role, "content": content}
    with open(folder / "sft.jsonl", "w") as sft, open(folder / "bt.jsonl", "w") as bt:
        for number in range(6):
            messages = [turn("user", f"Is {number} even?"), turn("assistant", ["yes", "no"][number % 2])]
            sft.write(json.dumps({"version": 1, "pair": str(number), "form": "non_thinking", "messages": messages}) + "\n")
            bt.write(json.dumps({"id": str(number), "prompt": f"Is {number} even?", "chosen": "Certainly so.", "rejected": "No!"}) + "\n")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records(folder)
        for family in ("qwen2", "qwen3", "llama"):
            base = folder / family
            base.mkdir()
            shutil.copy(GOLDENS / f"{family}.config.json", base / "config.json")
            shutil.copy(GOLDENS / f"{family}.weights.safetensors", base / "model.safetensors")
            shutil.copy(GOLDENS / "tokenizer.json", base / "tokenizer.json")
            train = lambda verb, data, out, *flags: run(ROOT / "target/release/grm", "train", verb, "--data", folder / data, "--model", base,
                                                        "--out", folder / out, "--batch", 2, "--accumulation", 1, "--steps-max", 3, *flags)
            train("sft", "sft.jsonl", f"{family}-full", "--full", "--learning-rate", 0.001)
            train("sft", "sft.jsonl", f"{family}-lora", "--learning-rate", 0.01)
            train("bt", "bt.jsonl", f"{family}-reward", "--full", "--learning-rate", 0.001)
            full, lora, reward = (folder / f"{family}-{kind}" for kind in ("full/model", "lora/adapter", "reward/model"))
            peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), lora)
            pairs = {
                "merged": (ours(full), theirs(AutoModelForCausalLM.from_pretrained(full))),
                "PEFT adapter": (ours(base, lora), theirs(peft)),
                "reward": (ours(reward), theirs(AutoModelForSequenceClassification.from_pretrained(reward))),
            }
            for what, (mine, other) in pairs.items():
                print(f"{family} {what}: largest difference {(mine - other).abs().max():.1e}")


if __name__ == "__main__":
    main()
