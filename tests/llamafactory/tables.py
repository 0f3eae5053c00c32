"""The tables of an export as `datasets` loads them, held against its JSON lines.

usage: tables.py EXPORT_FOLDER
"""

import json
import os
import pathlib
import sys
import tempfile

import datasets


def main(folder):
    os.chdir(folder)
    for name in ["sft", "dpo"]:
        with tempfile.TemporaryDirectory() as cache:
            table = datasets.load_dataset(os.getcwd(), name, split="train", cache_dir=cache)
            rows = [json.loads(line) for line in pathlib.Path(f"data/grm_{name}.jsonl").read_text().splitlines()]
            assert table["id"] == [row["id"] for row in rows], name
            assert table["tokens"] == [row["tokens"] for row in rows], name
            for found, row in zip(table, rows):
                turns = found["messages"] if name == "sft" else found["prompt"]
                assert turns == row["messages"], row["id"]
                for column in ["images", "videos", "audios"]:
                    assert found[column] == [f"data/{path}" for path in row[column]], row["id"]
                    assert all(pathlib.Path(path).is_file() for path in found[column]), row["id"]
                if name == "dpo":
                    assert [found["chosen"], found["rejected"]] == [[row["chosen"]], [row["rejected"]]], row["id"]
            print(f"load_dataset: {name}, {len(table)} rows, columns {', '.join(table.column_names)}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
