"""Pairs of `grm omni-world data` as one file, in which every medium says of which kind it is: a GIF may be a clip.

usage: pairs.py WORLD_FOLDER > pairs.jsonl
"""

import json
import pathlib
import sys


def main(world):
    for kind in ["text", "image", "audio", "video"]:
        for line in (world / f"{kind}_pairs.jsonl").read_text().splitlines():
            pair = json.loads(line)
            shown = [{"type": kind, kind: path} for path in pair.get("media", [])]
            content = shown + [{"type": "text", "text": pair["prompt"]}]
            turn = {"role": "user", "content": content}
            print(json.dumps({"id": pair["id"], "prompt": [turn], "chosen": pair["chosen"], "rejected": pair["rejected"]}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
