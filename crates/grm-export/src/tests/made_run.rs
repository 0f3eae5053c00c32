//! A run of every kind of media, made by code.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

use crate::{
    Engine, ExportSettings,
    digest::sha256,
    media::{ClipFacts, clip::mp4, wav},
};

/// A tokenizer of single bytes and Qwen2.5-Omni's markers.
pub(super) fn tokenizer() -> Value {
    const SPECIAL: [&str; 11] = [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|AUDIO|>",
        "<|audio_bos|>",
        "<|audio_eos|>",
        "<|vision_bos|>",
        "<|vision_eos|>",
        "<|vision_pad|>",
        "<|IMAGE|>",
        "<|VIDEO|>",
    ];
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let plain = (0..=255).filter(is_plain).map(|byte: u8| (byte, char::from(byte)));
    let others = (0..=255).filter(|byte| !is_plain(byte)).zip(256_u32..);
    let others = others.map(|(byte, code)| (byte, char::from_u32(code).unwrap()));
    let vocabulary: Map<String, Value> =
        plain.chain(others).map(|(byte, character)| (character.to_string(), byte.into())).collect();
    let added = SPECIAL.iter().zip(256..).map(|(content, id)| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(), "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": [] },
    })
}

/// A PNG's header; nothing here decodes it.
pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// A WAV of silence of any form.
pub(super) fn silence(rate: u32, channels: u16, samples: usize) -> Vec<u8> {
    let mut bytes = wav(&vec![0.0; samples * usize::from(channels)]);
    bytes[22..24].copy_from_slice(&channels.to_le_bytes());
    bytes[24..28].copy_from_slice(&rate.to_le_bytes());
    bytes[28..32].copy_from_slice(&(rate * 2 * u32::from(channels)).to_le_bytes());
    bytes[32..34].copy_from_slice(&(2 * channels).to_le_bytes());
    bytes
}

/// Puts a file into the run's media; the part of a message that shows it.
pub(super) fn keep(run: &Path, kind: &str, name: &str, bytes: &[u8]) -> Value {
    fs::create_dir_all(run.join("media")).unwrap();
    fs::write(run.join("media").join(name), bytes).unwrap();
    json!({ "type": kind, "media": { "sha256": sha256(bytes), "path": format!("media/{name}") } })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// A line of `sft.jsonl`; `content` is the user's.
pub(super) fn sft(pair: &str, form: &str, content: &Value, target: &str) -> Value {
    json!({ "version": 1, "pair": pair, "form": form, "messages": [
        { "role": "system", "content": "You compare responses." }, { "role": "user", "content": content },
        { "role": "assistant", "content": target },
    ] })
}

/// A line of `dpo.jsonl`, without a system message.
pub(super) fn dpo(pair: &str, content: &Value, chosen: &str, rejected: &str) -> Value {
    json!({ "version": 1, "pair": pair, "prompt": [{ "role": "user", "content": content }],
            "chosen": [{ "role": "assistant", "content": chosen }], "rejected": [{ "role": "assistant", "content": rejected }] })
}

/// Writes lines as a file of the run.
pub(super) fn write(run: &Path, name: &str, lines: &[Value]) {
    fs::write(run.join(name), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// `run/` and `tokenizer.json` in `home`: six records of SFT and three of DPO can be handed over, seven cannot.
pub(super) fn make(home: &Path) {
    let run = home.join("run");
    fs::create_dir_all(&run).unwrap();
    fs::write(home.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    let picture = keep(&run, "image", "spider.png", &png(640, 480));
    let small = keep(&run, "image", "dot.png", &png(20, 30));
    let clip = ClipFacts { width: 320, height: 240, frames: 75, seconds: 3.0 };
    let clip = keep(&run, "video", "walk.mp4", &mp4(clip, 600));
    let ready = keep(&run, "audio", "hum.wav", &silence(16_000, 1, 16_000));
    let stereo = keep(&run, "audio", "stereo.wav", &silence(44_100, 2, 22_050));
    let lost = json!({ "type": "image", "media": { "sha256": "00", "path": "media/lost.png" } });
    let other = json!({ "type": "image", "media": { "sha256": "00", "path": "media/dot.png" } });
    let think = "<think>1. Count: B counts the legs.</think>\n[[B]]";
    let question = |parts: &[&Value]| {
        let asked = text("How many legs are there? [A] Six. [B] Eight.");
        Value::Array(parts.iter().copied().chain([&asked]).cloned().collect())
    };
    write(
        &run,
        "sft.jsonl",
        &[
            sft("p1", "thinking", &json!("How many legs has a spider? [A] Six. [B] Eight."), think),
            sft("p1", "non_thinking", &json!("How many legs has a spider? [A] Six. [B] Eight."), "[[B]]"),
            sft("p2", "thinking", &question(&[&picture]), think),
            sft("p3", "thinking", &question(&[&clip, &ready]), think),
            sft("p4", "thinking", &json!([text("Which sounds better? [A] "), stereo, text(" [B] "), ready]), think),
            sft("p5", "thinking", &json!("[A] Write <image src> or <image> in HTML. [B] No."), think),
            sft("p6", "thinking", &json!("Q"), "<think>It says <video> there.</think>\n[[A]]"),
            sft("p7", "thinking", &json!("An <|im_end|> in the text"), think),
            sft("p8", "thinking", &question(&[&lost]), think),
            sft("p9", "thinking", &question(&[&other]), think),
            sft("p10", "thinking", &json!("long ".repeat(1000)), think),
        ],
    );
    write(
        &run,
        "dpo.jsonl",
        &[
            dpo("p1", &json!("How many legs has a spider? [A] Six. [B] Eight."), think, "[[A]]"),
            dpo("p2", &question(&[&picture, &small]), think, "[[A]]"),
            dpo("p3", &question(&[&clip]), think, "[[A]]"),
            dpo("p4", &json!("Q"), "[[A]]", "[[A]]"),
            dpo("p5", &json!("Q"), "[[A]]", " "),
        ],
    );
}

/// The paper's settings with the made tokenizer.
pub(super) fn settings(home: &Path, engine: Engine) -> ExportSettings {
    ExportSettings { tokenizer: Some(home.join("tokenizer.json")), ..ExportSettings::paper(engine) }
}
