"""Records of an export as grm trains on them, in the same order, with the media of the export.

usage: records.py EXPORT_FOLDER TO_FOLDER
"""

import json
import pathlib
import re
import sys

COLUMNS = {"image": "images", "video": "videos", "audio": "audios"}


def parts(text, files):
    """Text and placeholders as parts; files are taken in turn."""
    for piece in re.split("(<image>|<video>|<audio>)", text):
        kind = piece.strip("<>")
        if kind in files and piece.startswith("<"):
            path = files[kind].pop(0)
            sha256 = pathlib.PurePath(path).stem
            yield {"type": kind, "media": {"sha256": sha256, "path": path}}
        elif piece:
            yield {"type": "text", "text": piece}


def prompt(row, messages):
    files = {kind: list(row[column]) for kind, column in COLUMNS.items()}
    turns = [{"role": turn["role"], "content": list(parts(turn["content"], files))} for turn in messages]
    assert not any(files.values()), row["id"]
    return turns


def sft(row):
    *messages, answer = row["messages"]
    pair, form = row["id"].rsplit("/", 1)
    return {"version": 1, "pair": pair, "form": form.split("#")[0], "messages": prompt(row, messages) + [answer]}


def dpo(row):
    pair = row["id"].rsplit("/", 1)[0]
    sides = {side: [row[side]] for side in ["chosen", "rejected"]}
    return {"version": 1, "pair": pair, "prompt": prompt(row, row["messages"])} | sides


def main(folder, to):
    to.mkdir(parents=True, exist_ok=True)
    for name, convert in [("sft", sft), ("dpo", dpo)]:
        lines = (folder / f"data/grm_{name}.jsonl").read_text().splitlines()
        (to / f"{name}.jsonl").write_text("".join(json.dumps(convert(json.loads(line))) + "\n" for line in lines))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
