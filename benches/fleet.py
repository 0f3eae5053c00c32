#!/usr/bin/env python3
"""Several servers and several processes: what a second server brings, what a dead one costs, and what shards make.

Every server is a `grm mock-server` that works on a few calls at once and makes the rest wait, as an engine does, so
that the servers and not the client are the bottleneck. Prints one JSON line a figure.

    cargo build --release
    python3 benches/fleet.py throughput --pairs 600      # 1 server and 2, in turn
    python3 benches/fleet.py death --pairs 5000          # 2 servers, and a third that is killed in the middle
    python3 benches/fleet.py shards --pairs 2000         # 8 processes, 4 of them killed and run again, against 1
    python3 benches/fleet.py throughput --router 'vllm-router --policy cache_aware'    # the same behind one address
"""

import argparse
import collections
import contextlib
import dataclasses
import filecmp
import json
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from orchestration import ROOT, write_pairs

OUTPUTS = ["trajectories.jsonl", "sft.jsonl", "dpo.jsonl", "metrics.json", "report.html", "manifest.json", "recipe.toml"]


@dataclasses.dataclass
class Server:
    """A mock server and the file that gets the key of every request it is asked."""

    process: subprocess.Popen
    url: str
    arrivals: pathlib.Path

    def asked(self) -> list[str]:
        return self.arrivals.read_text().split() if self.arrivals.exists() else []


def main() -> int:
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="grm-fleet-", dir=options.scratch) as folder, contextlib.ExitStack() as stack:
        bench = Bench(options, pathlib.Path(folder), stack)
        for row in {"throughput": throughput, "death": death, "shards": shards}[options.what](bench):
            print(json.dumps(row), flush=True)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["throughput", "death", "shards"])
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--slots", type=int, default=8, help="calls a server works on at once")
    parser.add_argument("--latency-ms", type=int, default=50, help="what each of them takes")
    parser.add_argument("--rounds", type=int, default=2, help="throughput: how often 1 and 2 servers are measured")
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--killed", type=int, default=4, help="shards that are killed under way and run again")
    parser.add_argument("--router", help="a router's command line; the workers' addresses and a port are added")
    parser.add_argument("--grm", type=pathlib.Path, default=ROOT / "target/release/grm", help="the program")
    parser.add_argument("--scratch", type=pathlib.Path, help="where run folders go, then deleted")
    options = parser.parse_args()
    if not options.grm.is_file():
        parser.error(f"{options.grm} is not there; run `cargo build --release` first")
    return options


class Bench:
    """A folder with pairs, a reward server that is never the bottleneck, and as many chat servers as wanted."""

    def __init__(self, options: argparse.Namespace, folder: pathlib.Path, stack: contextlib.ExitStack):
        self.options, self.folder, self.stack = options, folder, stack
        write_pairs(folder / "pairs.jsonl", options.pairs)
        label_pairs(folder / "pairs.jsonl")
        (folder / "recipe.toml").write_text("[run]\npairs_in_flight = 48\n")
        self.disrm = self.server("disrm", {})

    def server(self, name: str, settings: dict | None = None) -> Server:
        """A mock server with a queue, or with these settings."""
        if settings is None:
            settings = {"slots": self.options.slots, "latency_ms": [self.options.latency_ms] * 2}
        arrivals, config = self.folder / f"{name}.arrivals", self.folder / f"{name}.toml"
        lines = [f"{key} = {json.dumps(value)}" for key, value in {"arrivals": str(arrivals), **settings}.items()]
        config.write_text("\n".join(lines) + "\n")
        command = [str(self.options.grm), "mock-server", "--port", "0", "--config", str(config)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.stack.callback(stop, process)
        words = process.stdout.readline().split()
        if len(words) < 3:
            raise SystemExit(f"{shlex.join(command)} did not say where it listens")
        return Server(process, words[2].removesuffix("/v1"), arrivals)

    def command(self, out: str, genrm: list[str], more: list[str] = ()) -> list[str]:
        command = [str(self.options.grm), "synthesize", "pairs.jsonl", "--recipe", "recipe.toml", "--out", out]
        command += ["--genrm", ",".join(f"{url}/v1" for url in genrm), "--disrm", self.disrm.url]
        return [*command, "--max-in-flight", str(2 * self.options.slots), "--json", *more]

    def start(self, out: str, genrm: list[str], more: list[str] = ()) -> subprocess.Popen:
        log = (self.folder / f"{pathlib.Path(out).name}.log").open("a")
        return subprocess.Popen(self.command(out, genrm, more), cwd=self.folder, stdout=log, stderr=log)

    def run(self, out: str, genrm: list[str], more: list[str] = ()) -> float:
        begun = time.monotonic()
        self.finish(self.start(out, genrm, more), out)
        return time.monotonic() - begun

    def finish(self, process: subprocess.Popen, out: str) -> None:
        if process.wait() != 0:
            raise SystemExit(f"{out} ended with {process.returncode}:\n{(self.folder / f'{out}.log').read_text()[-2000:]}")

    def read(self, path: str) -> dict:
        return json.loads((self.folder / path).read_text())


def label_pairs(path: pathlib.Path) -> None:
    """Synthesis learns from labels, and which of two made-up responses is the better does not matter here."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    with path.open("w") as file:
        for record in records:
            chosen, rejected = record.pop("response_a"), record.pop("response_b")
            file.write(json.dumps({**record, "chosen": chosen, "rejected": rejected}) + "\n")


def throughput(bench: Bench):
    """The same pairs through one server and through two, in turn, each time in a new run folder."""
    servers, seconds = [bench.server("one"), bench.server("two")], collections.defaultdict(list)
    for turn in range(bench.options.rounds):
        for count in (1, 2):
            urls = [server.url for server in servers[:count]]
            before, out = sum(len(server.asked()) for server in servers), f"run-{count}-{turn}"
            with contextlib.ExitStack() as stack:
                wall = bench.run(out, [router(bench, stack, urls)] if bench.options.router else urls)
            calls = sum(len(server.asked()) for server in servers) - before
            seconds[count].append(wall)
            row = {"servers": count, "turn": turn, "seconds": round(wall, 1), "calls": calls}
            row["calls_per_second"] = round(calls / wall, 1)
            row["most_possible"] = count * bench.options.slots * 1000 / bench.options.latency_ms
            yield {**row, **affinity(bench, out)}
    yield {"speedup": round(sum(seconds[1]) / sum(seconds[2]), 3), "goal": 1.9}


def router(bench: Bench, stack: contextlib.ExitStack, urls: list[str]) -> str:
    """Puts a router before the servers and waits until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = shlex.split(bench.options.router) + ["--worker-urls", *urls, "--host", "127.0.0.1", "--port", str(port)]
    log = (bench.folder / "router.log").open("a")
    process = subprocess.Popen(command, cwd=bench.folder, stdout=log, stderr=log)
    stack.callback(stop, process)
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5)
            return f"http://127.0.0.1:{port}"
        time.sleep(0.1)
    raise SystemExit(f"{shlex.join(command)} does not answer:\n{(bench.folder / 'router.log').read_text()[-2000:]}")


def death(bench: Bench):
    """Two servers and a third, which is killed when a third of the pairs' calls are through."""
    servers = [bench.server(name) for name in ("one", "two", "three")]
    process = bench.start("run", [server.url for server in servers])
    third, begun = servers[2], time.monotonic()
    while len(third.asked()) < bench.options.pairs and process.poll() is None:
        time.sleep(0.05)
    stats = json.load(urllib.request.urlopen(f"{third.url}/mock/stats", timeout=60))
    third.process.kill()
    yield {"killed_after_seconds": round(time.monotonic() - begun, 1), "in_flight_peak": stats["in_flight_peak"]}
    bench.finish(process, "run")
    asked = collections.Counter(key for server in servers for key in server.asked())
    again, of_third = [key for key, count in asked.items() if count > 1], set(third.asked())
    metrics = bench.read("run/metrics.json")
    row = {"pairs": metrics["pairs"], "failed": metrics["failed"], "seconds": round(time.monotonic() - begun, 1)}
    row |= {"calls": len(asked), "asked_twice": len(again), "of_those_at_the_dead": len(of_third.intersection(again))}
    yield {**row, "most_of_one": max(asked.values()), "scores_asked": len(bench.disrm.asked()), **affinity(bench, "run")}
    alone = bench.run("alone", [servers[0].url, servers[1].url])
    yield {"compared_with": "a run where nothing died", "seconds": round(alone, 1), "same": same(bench, "run", "alone")}


def affinity(bench: Bench, out: str) -> dict:
    """How far pairs kept together, by the client's own counts; nothing where it saw one address."""
    if not (bench.folder / out / "servers.json").exists():
        return {}
    stats = bench.read(f"{out}/servers.json")["GenRM"]
    shares = {name: round(stats[name] / stats["calls"], 4) for name in ("on_majority", "at_home")}
    counts = {name: stats[name] for name in ("rehomed", "moved", "overflowed")}
    return {**shares, **counts, "by_server": [server["calls"] for server in stats["servers"]]}


def shards(bench: Bench):
    """All shards at once, some killed with -9 and run again, then joined and compared with one process."""
    server, count = bench.server("one", {"latency_ms": [5, 15]}), bench.options.shards
    urls = [server.url]
    yield {"one_process_seconds": round(bench.run("whole", urls), 1)}
    begun, more = time.monotonic(), [["--shard", f"{index}/{count}"] for index in range(count)]
    before = len(server.asked())
    running = [bench.start(f"shard-{index}", urls, more[index]) for index in range(count)]
    while len(server.asked()) < before + 5 * bench.options.pairs and any(process.poll() is None for process in running):
        time.sleep(0.05)
    for process in running[: bench.options.killed]:
        process.send_signal(signal.SIGKILL)
    ended = [process.wait() for process in running]
    for index in (index for index, code in enumerate(ended) if code != 0):
        bench.run(f"shard-{index}", urls, more[index])
    yield {"shards": count, "killed": sum(code == -9 for code in ended), "seconds": round(time.monotonic() - begun, 1)}
    folders = [f"shard-{index}" for index in range(count)]
    merge = [str(bench.options.grm), "runs", "merge", "joined", *folders, "--json"]
    told = subprocess.run(merge, cwd=bench.folder, check=True, capture_output=True, text=True).stdout
    yield {"joined": json.loads(told)["journal"], "same": same(bench, "joined", "whole")}


def same(bench: Bench, one: str, other: str) -> dict[str, bool]:
    """Which outputs are the same byte for byte; addresses in the recipe may differ where servers do."""
    names = [name for name in OUTPUTS if name != "recipe.toml" or one == "joined"]
    compare = lambda name: filecmp.cmp(bench.folder / one / name, bench.folder / other / name, shallow=False)
    return {name: compare(name) for name in names}


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
