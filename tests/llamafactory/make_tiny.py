"""Makes a tiny random Qwen2.5-Omni with a tokenizer of single bytes, and a run of `grm synthesize` over every kind of media.

usage: make_tiny.py MODEL_FOLDER RUN_FOLDER
"""

import hashlib
import json
import math
import pathlib
import struct
import sys
import wave

import av
import numpy
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen2VLImageProcessor,
    WhisperFeatureExtractor,
)

SPECIAL = (
    "<|endoftext|> <|im_start|> <|im_end|> <|AUDIO|> <|audio_bos|> <|audio_eos|> "
    "<|vision_bos|> <|vision_eos|> <|vision_pad|> <|IMAGE|> <|VIDEO|>"
).split()


def tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({character: index for index, character in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={
            "image_token": "<|IMAGE|>",
            "audio_token": "<|AUDIO|>",
            "video_token": "<|VIDEO|>",
            "vision_bos_token": "<|vision_bos|>",
            "vision_eos_token": "<|vision_eos|>",
            "audio_bos_token": "<|audio_bos|>",
            "audio_eos_token": "<|audio_eos|>",
        },
    )


def model(folder):
    words = tokenizer()
    ids = {name: words.convert_tokens_to_ids(name) for name in SPECIAL}
    thinker = {
        "text_config": {
            "vocab_size": 320, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 8192, "max_window_layers": 2,
            "rope_scaling": {"rope_type": "default", "type": "default", "mrope_section": [1, 1, 2]},
        },
        "vision_config": {
            "depth": 1, "hidden_size": 32, "embed_dim": 32, "intermediate_size": 48, "num_heads": 4,
            "out_hidden_size": 32, "fullatt_block_indexes": [0],
        },
        "audio_config": {
            "encoder_layers": 1, "encoder_attention_heads": 4, "encoder_ffn_dim": 64, "d_model": 32, "output_dim": 32,
            "num_mel_bins": 128, "n_window": 100, "max_source_positions": 1500,
        },
        "audio_token_index": ids["<|AUDIO|>"], "image_token_index": ids["<|IMAGE|>"],
        "video_token_index": ids["<|VIDEO|>"], "audio_start_token_id": ids["<|audio_bos|>"],
        "audio_end_token_id": ids["<|audio_eos|>"], "vision_start_token_id": ids["<|vision_bos|>"],
        "vision_end_token_id": ids["<|vision_eos|>"], "pad_token_id": ids["<|endoftext|>"],
    }
    torch.manual_seed(7)
    config = Qwen2_5OmniConfig(thinker_config=thinker, enable_audio_output=False)
    whole = Qwen2_5OmniForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.normal_(0.0, 0.1)
    whole.save_pretrained(folder)
    words.save_pretrained(folder)
    # As the published processor: pictures and sounds in one file.
    settings = Qwen2VLImageProcessor(min_pixels=3136, max_pixels=12845056).to_dict()
    settings.update(WhisperFeatureExtractor(feature_size=128, chunk_length=300, return_attention_mask=True).to_dict())
    settings.update(
        processor_class="Qwen2_5OmniProcessor",
        image_processor_type="Qwen2VLImageProcessor",
        feature_extractor_type="WhisperFeatureExtractor",
    )
    settings.pop("mel_filters", None)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=1, default=lambda value: value.tolist()))
    torch.save({}, folder / "spk_dict.pt")


def picture(path, width, height, shade):
    rows, columns = numpy.mgrid[0:height, 0:width]
    pixels = numpy.stack([rows * 3 % 256, columns * 5 % 256, (rows + columns + shade) % 256], -1)
    Image.fromarray(pixels.astype(numpy.uint8)).save(path)


def sound(path, rate, channels, seconds, pitch):
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        for index in range(int(rate * seconds)):
            value = int(9000 * math.sin(2 * math.pi * pitch * index / rate))
            out.writeframes(struct.pack("<h", value) * channels)


def clip(path, width, height, frames, rate):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            pixels = numpy.full((height, width, 3), 7 * index % 256, numpy.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)


def run(folder):
    media = folder / "media"
    media.mkdir(parents=True)
    picture(media / "wide.png", 300, 170, 0)
    picture(media / "large.png", 1900, 700, 90)
    picture(media / "dot.png", 20, 31, 40)
    sound(media / "ready.wav", 16000, 1, 1.37, 440)
    sound(media / "stereo.wav", 44100, 2, 0.8, 300)
    clip(media / "walk.mp4", 160, 120, 37, 10)
    clip(media / "short.mp4", 96, 200, 5, 10)

    def part(kind, name):
        digest = hashlib.sha256((media / name).read_bytes()).hexdigest()
        return {"type": kind, "media": {"sha256": digest, "path": f"media/{name}"}}

    text = lambda words: {"type": "text", "text": words}
    ask = "Which is better?\n[A] {}\n[B] {}"
    prompts = [
        "\n\nWhich is better? [A] One. [B] Zwei, drei – и четыре.",
        [part("image", "wide.png"), text(ask.format("A field.", "A wall."))],
        [text("Watch. "), part("video", "walk.mp4"), text(ask.format("He walks.", "He runs."))],
        [part("audio", "ready.wav"), text(ask.format("A hum.", "A bell."))],
        [text("[A] "), part("audio", "stereo.wav"), text(" [B] "), part("audio", "ready.wav")],
        [part("image", "dot.png"), part("video", "short.mp4"), part("image", "large.png"), text("Is it <image> or <b>?")],
        ask.format("Yes.", "No."),
        [part("video", "walk.mp4"), part("audio", "stereo.wav"), text(ask.format("In time.", "Late."))],
    ]
    sft, dpo = [], []
    for index, content in enumerate(prompts):
        letter, other = ("A", "B") if index % 2 else ("B", "A")
        thought = f"<think>1. Accuracy: {letter} says what is there, in case {index}.</think>\n[[{letter}]]"
        messages = [{"role": "system", "content": "You compare responses."}, {"role": "user", "content": content}]
        for form, target in [("thinking", thought), ("non_thinking", f"[[{letter}]]")]:
            answer = {"role": "assistant", "content": target}
            sft.append({"version": 1, "pair": f"p{index}", "form": form, "messages": messages + [answer]})
        say = lambda words: [{"role": "assistant", "content": words}]
        dpo.append({"version": 1, "pair": f"p{index}", "prompt": messages, "chosen": say(thought), "rejected": say(f"[[{other}]]")})
    for name, lines in [("sft.jsonl", sft), ("dpo.jsonl", dpo)]:
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    to_model, to_run = map(pathlib.Path, sys.argv[1:])
    to_model.mkdir(parents=True)
    model(to_model)
    run(to_run)
