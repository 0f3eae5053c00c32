"""Tokens of every record as LLaMA-Factory itself cuts it, against the `tokens` column of an export.

usage: lengths.py EXPORT_FOLDER MODEL_FOLDER
"""

import json
import pathlib
import sys

from llamafactory.data.template import TEMPLATES
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer
import yaml


def main(folder, model):
    wrong = count = 0
    for name in ["sft", "dpo"]:
        settings = yaml.safe_load((folder / f"{name}.yaml").read_text())
        settings.update(model_name_or_path=model, deepspeed=None, bf16=False, output_dir="unused", use_cpu=True)
        settings.update(dataset_dir=str(folder / "data"), media_dir=str(folder / "data"))
        model_args, *_ = get_train_args(settings)
        words = load_tokenizer(model_args)
        template = TEMPLATES["qwen2_omni"]
        for line in (folder / f"data/grm_{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            media = [[str(folder / "data" / path) for path in row[kind]] for kind in ["images", "videos", "audios"]]
            system, *messages = row["messages"]
            answers = [row[side] for side in ["chosen", "rejected"] if side in row] or [messages.pop()]
            longest = 0
            for answer in answers:
                shown = template.mm_plugin.process_messages(messages + [answer], *media, words["processor"])
                pieces = template.encode_oneturn(words["tokenizer"], shown, system["content"], None)
                longest = max(longest, sum(map(len, pieces)))
            count += 1
            if longest != row["tokens"]:
                wrong += 1
                print(f"{name} {row['id']}: LLaMA-Factory {longest}, exported {row['tokens']}")
    print(f"{count - wrong} passed, {wrong} failed")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2]))
