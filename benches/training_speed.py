"""Training speed and memory, ours beside PyTorch + peft, on random weights of a real model's shape.

    pip install torch transformers peft
    cargo build --release -p grm-train --example training_speed
    python3 benches/training_speed.py --model qwen-0.5b --mode lora --rounds 3

Both sides: f32, one row of 512 tokens, loss on every token, LoRA rank 8 on q and v (or every weight), AdamW, all cores.
Rounds alternate; each is a fresh process with one warm-up step. Printed: median tokens per second over all timed steps,
the largest resident size, and their ratios.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHAPES = {
    "smollm2-135m": ("llama", 576, 1536, 30, 9, 3, 49152),
    "qwen-0.5b": ("qwen2", 896, 4864, 24, 14, 2, 151936),
}
# What the grm command sets by mallopt before it trains.
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "268435456"}


def ours(arguments):
    program = ROOT / "target/release/examples/training_speed"
    command = [str(program), arguments.model, arguments.mode, str(arguments.tokens), arguments.checkpointing]
    text = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **MALLOC}).stdout
    speeds = [float(match) for match in re.findall(r"([0-9.]+) tokens/s", text)]
    peak = max(int(match) for match in re.findall(r"peak Some\((\d+)\)", text))
    return speeds[1:], peak


def theirs(arguments):
    command = [sys.executable, __file__, "--worker", "--model", arguments.model, "--mode", arguments.mode, "--tokens", str(arguments.tokens)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(text.splitlines()[-1])
    return result["speeds"][1:], result["peak_mib"]


def worker(arguments):
    import resource
    import time

    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

    kind, hidden, inner, layers, heads, keys, vocabulary = SHAPES[arguments.model]
    shape = dict(hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=heads,
                 num_key_value_heads=keys, vocab_size=vocabulary, rms_norm_eps=1e-6, max_position_embeddings=8192, tie_word_embeddings=True)
    model = AutoModelForCausalLM.from_config((LlamaConfig if kind == "llama" else Qwen2Config)(**shape)).float()
    if arguments.mode == "lora":
        model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]))
    model.train()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    ids = torch.arange(arguments.tokens)[None] * 7 % 1000
    speeds = []
    for _ in range(4):
        start = time.perf_counter()
        model(input_ids=ids, labels=ids).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        speeds.append(arguments.tokens / (time.perf_counter() - start))
    print(json.dumps({"speeds": speeds, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "torch": torch.__version__}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHAPES, default="qwen-0.5b")
    parser.add_argument("--mode", choices=["lora", "full"], default="lora")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checkpointing", choices=["on", "off"], default="off")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return worker(arguments)
    sides = {"ours": ([], []), "torch": ([], [])}
    for round_number in range(arguments.rounds):
        for name, run in (("ours", ours), ("torch", theirs)):
            speeds, peak = run(arguments)
            sides[name][0].extend(speeds)
            sides[name][1].append(peak)
            print(f"round {round_number + 1} {name}: {', '.join(f'{speed:.1f}' for speed in speeds)} tokens/s, peak {peak} MiB", flush=True)
    speed = {name: statistics.median(speeds) for name, (speeds, _) in sides.items()}
    peak = {name: max(peaks) for name, (_, peaks) in sides.items()}
    print(f"{arguments.model} {arguments.mode}, {arguments.tokens} tokens, checkpointing {arguments.checkpointing}: "
          f"speed {speed['ours'] / speed['torch']:.2f}x, memory {peak['ours'] / peak['torch']:.2f}x of PyTorch")


if __name__ == "__main__":
    main()
