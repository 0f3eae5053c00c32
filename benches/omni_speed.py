"""A thinker with the decoder of Qwen2.5-0.5B and the published vision tower, random weights, in f32: how fast this
workspace computes tower and prompt, and how fast PyTorch does, side by side; and how much memory loading takes.

    python -m venv .venv && .venv/bin/pip install torch transformers safetensors
    cargo build --release --example omni_speed
    .venv/bin/python benches/omni_speed.py --folder /tmp/omni-speed

The folder (4 GB, in shards of 1 GB) is made once. Both sides use two threads, take the same 256 patches and 512 tokens,
and are run in turn, three rounds; the figure is the median of each.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

import torch
from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

PATCHES, TOKENS = 256, 512


def build(folder: Path) -> None:
    text = dict(vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
                num_key_value_heads=2, max_position_embeddings=32768, tie_word_embeddings=False,
                rope_scaling={"mrope_section": [8, 12, 12], "rope_type": "default", "type": "default"})
    vision = dict(depth=32, hidden_size=1280, embed_dim=1280, intermediate_size=3420, num_heads=16, out_hidden_size=896,
                  fullatt_block_indexes=[7, 15, 23, 31])
    audio = dict(encoder_layers=2, d_model=128, encoder_attention_heads=4, encoder_ffn_dim=256, output_dim=896,
                 num_mel_bins=128, n_window=100)
    config = Qwen2_5OmniThinkerConfig(text_config=text, vision_config=vision, audio_config=audio, vision_start_token_id=151652)
    torch.manual_seed(0)
    model = Qwen2_5OmniThinkerForConditionalGeneration(config).float().eval()
    model.save_pretrained(folder, max_shard_size="1GB")


def torch_times(model) -> dict:
    grid = torch.tensor([[1, 16, 16]])
    pixels = torch.zeros(PATCHES, 1176) + 0.1
    tokens = (torch.arange(TOKENS)[None] * 7) % 1000
    with torch.no_grad():
        start = time.perf_counter()
        model.visual(pixels, grid_thw=grid)
        tower = time.perf_counter() - start
        start = time.perf_counter()
        model(input_ids=tokens, logits_to_keep=1)
        return {"tower": tower, "prefill": time.perf_counter() - start}


def ours(program: str, folder: Path) -> dict:
    out = subprocess.run([program, str(folder)], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--program", default="target/release/examples/omni_speed")
    parser.add_argument("--rounds", type=int, default=3)
    flags = parser.parse_args()
    if not (flags.folder / "config.json").is_file():
        build(flags.folder)
    torch.set_num_threads(2)
    rounds = {"ours": [], "torch": []}
    for _ in range(flags.rounds):
        rounds["ours"].append(ours(flags.program, flags.folder))
        model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(flags.folder, dtype=torch.float32).eval()
        torch_times(model)
        rounds["torch"].append(torch_times(model))
        del model
    for part in ("tower", "prefill"):
        here, there = (statistics.median(r[part] for r in rounds[side]) for side in ("ours", "torch"))
        print(f"{part}: ours / PyTorch = {there / here:.2f} of its speed")
    print("loading:", {key: rounds["ours"][-1][key] for key in ("weights_mib", "peak_mib")})


if __name__ == "__main__":
    main()
