//! `grm train` on a tiny model: what it writes, how it survives being killed, and what it says of bad input.

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use sha2::{Digest as _, Sha256};

use crate::harness::{Bench, finish, wait_until};

const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../grm-model/tests/goldens");

/// A bench with a tiny Qwen2 in `student/`, and six records of each kind.
fn bench() -> Bench {
    let bench = Bench::new();
    fs::create_dir(bench.path("student")).expect("a writable folder");
    for (from, to) in [
        ("qwen2.config.json", "config.json"),
        ("qwen2.weights.safetensors", "model.safetensors"),
        ("tokenizer.json", "tokenizer.json"),
    ] {
        fs::copy(Path::new(GOLDENS).join("text").join(from), bench.path("student").join(to)).expect("a golden");
    }
    bench.write("sft.jsonl", lines((0..6).map(sft)));
    bench.write("dpo.jsonl", lines((0..6).map(dpo)));
    bench.write("bt.jsonl", lines((0..6).map(labelled)));
    bench
}

fn lines(records: impl Iterator<Item = Value>) -> String {
    records.map(|record| format!("{record}\n")).collect()
}

fn sft(index: usize) -> Value {
    let messages = [message("user", &format!("Is {index} even?")), message("assistant", ["yes", "no"][index % 2])];
    json!({"version": 1, "pair": format!("p{index}"), "form": "non_thinking", "messages": messages})
}

fn dpo(index: usize) -> Value {
    let [right, wrong] = if index.is_multiple_of(2) { ["yes", "no"] } else { ["no", "yes"] };
    json!({
        "version": 1, "pair": format!("p{index}"), "prompt": [message("user", &format!("Is {index} even?"))],
        "chosen": [message("assistant", right)], "rejected": [message("assistant", wrong)],
    })
}

fn labelled(index: usize) -> Value {
    json!({"id": format!("p{index}"), "prompt": format!("Is {index} even?"), "chosen": "Certainly so.", "rejected": "No!"})
}

fn message(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

const SMALL: &str = "--model student --batch 2 --accumulation 1 --epochs 4 --learning-rate 0.01 --checkpoint-steps 2";

/// The records of a run's log.
fn log(bench: &Bench, run: &str) -> Vec<Value> {
    let text = fs::read_to_string(bench.path(run).join("metrics.jsonl")).expect("a log");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn value(record: &Value, name: &str) -> f64 {
    record.get(name).or_else(|| record["values"].get(name)).and_then(Value::as_f64).expect(name)
}

#[test]
fn an_adapter_is_left_in_every_form_with_its_card_and_report() {
    let bench = bench();
    bench.bare(&format!("train sft --data sft.jsonl --out run {SMALL}")).ok();
    for file in [
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "adapter.gguf",
        "README.md",
        "report.html",
        "metrics.jsonl",
        "tensorboard/events.out.tfevents.0.grm",
    ] {
        assert!(bench.path("run").join(file).is_file(), "{file}");
    }
    let (first, last) = (log(&bench, "run").remove(0), log(&bench, "run").pop().expect("steps"));
    assert!(value(&last, "loss") < value(&first, "loss"));
    let card = fs::read_to_string(bench.path("run/README.md")).expect("a card");
    assert!(card.contains("6 non-thinking records") && card.contains("learning_rate"), "{card}");
}

#[test]
fn preference_training_starts_at_ln_2_and_goes_on_with_an_adapter() {
    let bench = bench();
    bench.bare(&format!("train sft --data sft.jsonl --out sft {SMALL}")).ok();
    bench.bare(&format!("train dpo --data dpo.jsonl --start sft/adapter --out dpo {SMALL}")).ok();
    let first = value(&log(&bench, "dpo")[0], "loss");
    assert!((first - std::f64::consts::LN_2).abs() < 1e-6, "{first}");
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let bench = bench();
    bench.bare("train sft --data sft.jsonl --out run --model student --full --batch 6 --accumulation 1 --epochs 60 --learning-rate 0.01").ok();
    let loss = value(&log(&bench, "run").pop().expect("steps"), "loss");
    assert!(loss < 0.05, "{loss}");
    assert!(bench.path("run/model/config.json").is_file());
}

#[test]
fn a_whole_trained_model_is_trained_again() {
    let bench = bench();
    bench.bare(&format!("train bt --data bt.jsonl --out first --full {SMALL}")).ok();
    let config = fs::read_to_string(bench.path("first/model/config.json")).expect("a config");
    assert!(config.contains("Qwen2ForSequenceClassification") && config.contains("regression"), "{config}");
    let again = "train bt --data bt.jsonl --eval bt.jsonl --out second --full --batch 2 --accumulation 1 --steps-max 1";
    let said = bench.bare(&format!("{again} --model first/model")).ok().stdout;
    assert!(said.contains("held out, right: 100.0 %"), "{said}");
}

#[test]
fn a_killed_run_ends_in_the_bytes_of_an_uninterrupted_one() {
    let bench = bench();
    let words = format!("train sft --data sft.jsonl {}", SMALL.replace("--epochs 4", "--epochs 12"));
    bench.bare(&format!("{words} --out whole")).ok();
    let mut kills = 0;
    for checkpoint in [2, 8, 20] {
        let mut command = bench.bare_command(format!("{words} --out killed").split_whitespace());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("grm starts");
        let reached = bench.path(format!("killed/checkpoint-{checkpoint}"));
        wait_until("a checkpoint is there", || reached.is_dir() || child.try_wait().is_ok_and(|ended| ended.is_some()));
        child.kill().expect("a process of ours");
        kills += usize::from(child.wait().expect("a process of ours").signal() == Some(9));
    }
    assert!(kills > 0, "no kill landed before the run was over");
    finish(&mut bench.bare_command(format!("{words} --out killed").split_whitespace())).ok();
    for file in ["adapter/adapter_model.safetensors", "adapter.gguf", "metrics.jsonl", "report.html"] {
        let [whole, killed] = ["whole", "killed"].map(|run| {
            Sha256::digest(fs::read(bench.path(run).join(file)).unwrap_or_else(|error| panic!("{file}: {error}")))
        });
        assert_eq!(whole, killed, "{file}");
    }
}

#[test]
fn bad_input_is_named_with_its_cure() {
    let bench = bench();
    let train = |words: &str| bench.bare(&format!("train sft {words} --out bad {SMALL}"));
    bench.write("empty.jsonl", "");
    train("--data empty.jsonl").fails(1, &["no training examples"]);
    train("--data sft.jsonl --cutoff 4").fails(1, &["6", "cut-off", "4"]);
    train("--data missing.jsonl").fails(1, &["missing.jsonl"]);
    train("--data dpo.jsonl").fails(1, &["dpo.jsonl", "messages"]);
    train("--data sft.jsonl --targets q_project").fails(1, &["q_project", "q_proj"]);
    let steep = SMALL.replace("0.01", "1e30");
    bench.bare(&format!("train sft --data sft.jsonl --out steep {steep}")).fails(1, &["step", "checkpoint"]);
}

#[test]
fn a_broken_model_is_named_with_its_cure() {
    let bench = bench();
    let train = || bench.bare(&format!("train sft --data sft.jsonl --out bad {SMALL}"));
    let config = fs::read_to_string(bench.path("student/config.json")).expect("a config");
    bench.write("student/config.json", config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"));
    train().fails(1, &["model.layers.2", "has no tensor"]);
    bench.write("student/config.json", config.replace("\"intermediate_size\": 128", "\"intermediate_size\": 96"));
    train().fails(1, &["[128, 64]", "[96, 64]"]);
    bench.write("student/config.json", &config);
    let tokenizer = fs::read_to_string(bench.path("student/tokenizer.json")).expect("a tokenizer");
    let mut larger: Value = serde_json::from_str(&tokenizer).expect("JSON");
    let added = larger["added_tokens"].as_array_mut().expect("a list");
    for id in 311..340 {
        let mut token = added[0].clone();
        (token["id"], token["content"]) = (json!(id), json!(format!("<|new {id}|>")));
        added.push(token);
    }
    bench.write("student/tokenizer.json", larger.to_string());
    train().fails(1, &["340 tokens", "320 rows", "do not belong together"]);
    bench.write("student/tokenizer.json", &tokenizer);
    fs::rename(bench.path("student/model.safetensors"), bench.path("student/pytorch_model.bin")).expect("renamed");
    train().fails(1, &["pickle", "safetensors"]);
}

#[test]
fn a_full_disk_leaves_no_torn_checkpoint() {
    let bench = bench();
    // No file may grow past 16 KiB: checkpoints do not fit.
    let line =
        format!("ulimit -f 16; exec {} train sft --data sft.jsonl --out full {SMALL}", env!("CARGO_BIN_EXE_grm"));
    let mut command = Command::new("bash");
    command.args(["-c", &format!("trap '' XFSZ; {line}")]).current_dir(bench.path("")).stdin(Stdio::null());
    finish(&mut command).fails(1, &["checkpoint", "File too large"]);
    let left = fs::read_dir(bench.path("full")).expect("a folder").filter_map(Result::ok);
    let left: Vec<_> =
        left.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().starts_with("checkpoint")).collect();
    assert!(left.is_empty(), "{left:?}");
}
