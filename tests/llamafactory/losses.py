"""Two trainings step by step; fails where a step's losses differ by more than a tolerance.

usage: losses.py LABEL TOLERANCE LOG LOG, each a trainer_state.json, a logging.jsonl or a metrics.jsonl
"""

import json
import pathlib
import sys


def losses(path):
    text = path.read_text()
    lines = json.loads(text)["log_history"] if path.suffix == ".json" else map(json.loads, text.splitlines())
    found = {}
    for line in lines:
        step = line.get("step", line.get("global_step/max_steps"))
        step = int(step.split("/")[0]) if isinstance(step, str) else step
        if "loss" in line:
            found[step] = float(line["loss"])
    return found


def main(label, tolerance, *paths):
    one, two = (losses(pathlib.Path(path)) for path in paths)
    assert one and one.keys() == two.keys(), f"{label}: steps {sorted(one)} and {sorted(two)}"
    widest = 0.0
    for step in sorted(one):
        widest = max(widest, abs(one[step] - two[step]))
        print(f"{label} step {step}: {one[step]:.7f} {two[step]:.7f} {two[step] - one[step]:+.1e}")
    print(f"{label}: {len(one)} steps, the losses differ by {widest:.1e} at most, {tolerance} is allowed")
    return 0 if widest <= float(tolerance) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
