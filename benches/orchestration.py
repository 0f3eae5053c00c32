#!/usr/bin/env python3
"""What the client itself costs: CPU and memory of `grm judge` against a server that only waits.

Writes made-up pairs, starts `grm mock-server` with a fixed latency, judges the pairs over HTTP at default settings and
reads what the kernel charged the judging process alone. Prints one JSON line for each size, then a table on stderr.

    cargo build --release && python3 benches/orchestration.py --pairs 2000 20000
"""

import argparse
import dataclasses
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMPT_BYTES = 200
RESPONSE_BYTES = 800
WORDS = (
    "amber basin candle delta ember fabric garden harbor island jigsaw kettle lantern meadow needle orchard pepper "
    "quarry ribbon saddle timber umbrella valley willow yarn zephyr carries weighs settles answers borrows colours "
    "follows gathers mends notices opens repeats slowly often rarely nearby because although before, after; while"
).split()


@dataclasses.dataclass
class Row:
    """One size's figures; `calls` are the chat and reward requests the mock server counted."""

    pairs: int
    calls: int
    latency_ms: int
    max_in_flight: int
    wall_seconds: float
    cpu_seconds: float
    cpu_user_share: float
    cpu_ms_per_call: float
    peak_rss_mb: float
    in_flight_mean: float
    in_flight_peak: int
    journal_mb: float


def main() -> int:
    options = parse_options()
    rows = []
    for pairs in options.pairs:
        with tempfile.TemporaryDirectory(prefix="grm-orchestration-", dir=options.scratch) as folder:
            row = measure(options, pathlib.Path(folder), pairs)
        print(json.dumps(dataclasses.asdict(row)), flush=True)
        rows.append(row)
    print_table(rows)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[2000], help="sizes, measured one after another")
    parser.add_argument("--latency-ms", type=int, default=50, help="what the server waits before each reply")
    parser.add_argument("--max-in-flight", type=int, default=64, help="most calls under way")
    parser.add_argument("--pairs-in-flight", type=int, default=32, help="pairs under way: enough to keep calls waiting")
    parser.add_argument("--grm", type=pathlib.Path, default=ROOT / "target/release/grm", help="the program")
    parser.add_argument("--scratch", type=pathlib.Path, help="where run folders go (about 0.1 MB a pair), then deleted")
    options = parser.parse_args()
    if not options.grm.is_file():
        parser.error(f"{options.grm} is not there; run `cargo build --release` first")
    return options


def measure(options: argparse.Namespace, folder: pathlib.Path, pairs: int) -> Row:
    """Judges that many pairs with a server and a run folder of their own."""
    write_pairs(folder / "pairs.jsonl", pairs)
    recipe = folder / "recipe.toml"
    recipe.write_text(f"[run]\npairs_in_flight = {options.pairs_in_flight}\n")
    server, url = start_server(options)
    try:
        command = [options.grm, "judge", folder / "pairs.jsonl", "--recipe", recipe, "--out", folder / "run", "--json"]
        command += ["--genrm", f"{url}/v1", "--disrm", url, "--max-in-flight", str(options.max_in_flight)]
        wall, usage = run_charged([str(word) for word in command], folder / "stdout.json")
        stats = json.load(urllib.request.urlopen(f"{url}/mock/stats", timeout=60))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    check_judged(folder / "stdout.json", pairs)
    calls, cpu = stats["requests"], usage.ru_utime + usage.ru_stime
    return Row(
        pairs=pairs,
        calls=calls,
        latency_ms=options.latency_ms,
        max_in_flight=options.max_in_flight,
        wall_seconds=round(wall, 1),
        cpu_seconds=round(cpu, 2),
        cpu_user_share=round(usage.ru_utime / cpu, 2),
        cpu_ms_per_call=round(1000 * cpu / calls, 4),
        peak_rss_mb=round(usage.ru_maxrss / 1024, 1),
        # Little's law; retries and the server's own time would show as less than the wanted number.
        in_flight_mean=round(calls * options.latency_ms / 1000 / wall, 1),
        in_flight_peak=stats["in_flight_peak"],
        journal_mb=round(sum(path.stat().st_size for path in (folder / "run/journal").glob("*.jsonl")) / 1e6, 1),
    )


def write_pairs(path: pathlib.Path, pairs: int) -> None:
    """Made-up text of ordinary length, the same for the same number; a third of the pairs have several paragraphs."""
    with path.open("w") as file:
        for number in range(pairs):
            draw = random.Random(number)
            paragraphs = 1 + 2 * (number % 3 == 0)
            record = {
                "id": f"pair-{number}",
                "prompt": text(draw, PROMPT_BYTES, 1),
                "response_a": text(draw, RESPONSE_BYTES, paragraphs),
                "response_b": text(draw, RESPONSE_BYTES, paragraphs),
            }
            file.write(json.dumps(record) + "\n")


def text(draw: random.Random, size: int, paragraphs: int) -> str:
    """About `size` bytes, from half to one and a half times of it."""
    length = draw.randint(size // 2, size * 3 // 2) // paragraphs
    parts = []
    for _ in range(paragraphs):
        words = " ".join(draw.choices(WORDS, k=length // 5))[:length]
        parts.append(words.capitalize() + ".")
    return "\n\n".join(parts)


def start_server(options: argparse.Namespace) -> tuple[subprocess.Popen, str]:
    command = [str(options.grm), "mock-server", "--port", "0", "--latency-ms", str(options.latency_ms)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    words = server.stdout.readline().split()
    if len(words) < 3:
        raise SystemExit(f"{' '.join(command)} did not say where it listens")
    return server, words[2].removesuffix("/v1")


def run_charged(command: list[str], stdout: pathlib.Path) -> tuple[float, "os.struct_rusage"]:
    """Runs to the end and gives wall time and what this one process used. Peak memory counts from its fork, so it is
    never less than this script's own (some 20 MB)."""
    with stdout.open("wb") as file:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return wall, usage


def check_judged(stdout: pathlib.Path, pairs: int) -> None:
    """A figure for a run that judged fewer pairs would be a figure of something else."""
    metrics = json.loads(stdout.read_text())["metrics"]
    if metrics["pairs"] != pairs or metrics["failed"]:
        raise SystemExit(f"judged {metrics['pairs']} of {pairs} pairs, failed: {metrics['failed']}")


def print_table(rows: list[Row]) -> None:
    columns = ["pairs", "calls", "cpu_ms_per_call", "peak_rss_mb", "in_flight_mean", "wall_seconds", "journal_mb"]
    print("  ".join(f"{name:>15}" for name in columns), file=sys.stderr)
    for row in rows:
        print("  ".join(f"{getattr(row, name):>15}" for name in columns), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
