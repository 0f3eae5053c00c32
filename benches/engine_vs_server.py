#!/usr/bin/env python3
"""Pairs per minute of the whole pipeline: the embedded engine beside a llama-server with the same model file.

    python3 benches/serve_xllamacpp.py MODEL.gguf --port 18080 &          # or any llama-server with parallel slots
    python3 benches/engine_vs_server.py --model MODEL.gguf --server http://127.0.0.1:18080/v1 PAIRS.jsonl --limit 4

Both sides run `grm judge` with the same recipe, pairs and DisRM, one after the other in alternating order, each in a fresh
folder. The idle side holds no work while the other is timed. Build both for the same instruction set, or the comparison
is of compilers: a packaged llama-server is often AVX2, so build grm with RUSTFLAGS="-C target-cpu=x86-64-v3" beside it.
Prints one JSON line: seconds and generated tokens of each round, and the median ratio of pairs per minute.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time


def tokens(folder: pathlib.Path) -> dict:
    """Prompt and reply tokens recorded in a run's journal."""
    total = {"calls": 0, "prompt": 0, "cached": 0, "replies": 0}
    for segment in sorted((folder / "journal").glob("*.jsonl")):
        for line in segment.read_text().splitlines():
            record = json.loads(line)
            if record["kind"] == "chat":
                usage = record["reply"]["usage"]
                total["calls"] += 1
                total["prompt"] += usage["prompt_tokens"]
                total["cached"] += usage["cached_tokens"]
                total["replies"] += usage["completion_tokens"]
    return total


def judge(options: argparse.Namespace, genrm: str, seed: int, folder: pathlib.Path) -> dict:
    command = [options.grm, "judge", options.pairs, "--genrm", genrm, "--limit", str(options.limit), "--out", str(folder),
               "--json", "--slots", str(options.slots), "--max-in-flight", str(options.slots), "--threads", str(options.threads), "--seed", str(seed)]
    started = time.monotonic()
    subprocess.run(command + options.flags.split(), check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.monotonic() - started, **tokens(folder)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs")
    parser.add_argument("--model", required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--grm", default="target/release/grm")
    parser.add_argument("--limit", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--flags", default="", help="further flags for grm judge, in one string")
    options = parser.parse_args()

    rounds = []
    for number in range(options.rounds):
        sides = [("embedded", options.model), ("server", options.server)]
        result = {}
        for name, genrm in sides if number % 2 == 0 else reversed(sides):
            with tempfile.TemporaryDirectory() as scratch:
                # Another seed every round: another A/B placement, so that no side answers from what it saw before.
                result[name] = judge(options, genrm, number, pathlib.Path(scratch) / "run")
        result["ratio"] = result["server"]["seconds"] / result["embedded"]["seconds"]
        rounds.append(result)
        print(json.dumps(result), flush=True)
    print(json.dumps({"pairs": options.limit, "median_ratio": statistics.median(r["ratio"] for r in rounds)}))


if __name__ == "__main__":
    main()
