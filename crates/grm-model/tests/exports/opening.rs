//! What is not a whole model of a known kind is refused, with the place and the cure.

use std::{fs, path::Path};

use grm_model::open;
use serde_json::json;

use crate::tiny::{causal, folder, logits, rewrite, score, scorer};

fn refusal(path: &Path) -> String {
    let device = burn::tensor::Device::default();
    grm_model::CausalLm::open(path, &device).map(|_| ()).expect_err("refused").to_string()
}

#[track_caller]
fn check(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn a_single_file_and_its_folder_are_the_same_model() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = folder(place.path(), "llama");
    assert_eq!(logits(&causal(&folder)), logits(&causal(&folder.join("model.safetensors"))));
}

#[test]
fn a_value_head_beside_the_weights_belongs_to_them() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = folder(place.path(), "qwen3_cls");
    let expected = score(&scorer(&folder));
    let head = folder.join("value_head.safetensors");
    fs::copy(folder.join("model.safetensors"), &head).expect("copied");
    let is_score = |name: &str| name == "score.weight";
    rewrite(&folder.join("model.safetensors"), |name, shape, values| {
        (!is_score(&name)).then_some((name, shape, values))
    });
    rewrite(&head, |name, shape, values| is_score(&name).then(|| ("v_head.summary.weight".into(), shape, values)));
    assert_eq!(score(&scorer(&folder)), expected);
    fs::remove_file(head).expect("removed");
    let message =
        grm_model::RewardModel::open(&folder, &burn::tensor::Device::default()).expect_err("refused").to_string();
    check(&message, &["qwen3_cls", "no reward head", "new head"]);
}

#[test]
fn places_without_a_model_say_what_is_missing() {
    let place = tempfile::tempdir().expect("a folder");
    check(&refusal(&place.path().join("nothing")), &["no model at", "nothing", ".gguf"]);
    check(&refusal(place.path()), &["holds no model", "model.safetensors"]);
    fs::write(place.path().join("adapter_config.json"), "{}").expect("written");
    check(&refusal(place.path()), &["holds an adapter", "open its base model"]);
    for name in ["a.gguf", "b.gguf"] {
        fs::write(place.path().join(name), "").expect("written");
    }
    check(&refusal(place.path()), &["several .gguf files", "name the one"]);
    let folder = folder(place.path(), "llama");
    fs::remove_file(folder.join("config.json")).expect("removed");
    check(&refusal(&folder), &["config.json is missing"]);
}

#[test]
fn pickles_are_refused_with_the_way_out() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = folder(place.path(), "llama");
    fs::write(folder.join("model.safetensors"), b"PK\x03\x04and more").expect("written");
    check(&refusal(&folder), &["model.safetensors", "pickle", "safetensors"]);
    fs::remove_file(folder.join("model.safetensors")).expect("removed");
    fs::write(folder.join("pytorch_model.bin"), b"PK\x03\x04and more").expect("written");
    check(&refusal(&folder), &["pytorch_model.bin", "pickle"]);
    fs::write(place.path().join("x.gguf"), b"PK\x03\x04and more").expect("written");
    check(&refusal(&place.path().join("x.gguf")), &["x.gguf", "pickled checkpoint"]);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let place = tempfile::tempdir().expect("a folder");
    let name = "model.layers.1.mlp.up_proj.weight";
    let file = |folder: &Path| folder.join("model.safetensors");

    let missing = folder(place.path(), "llama");
    rewrite(&file(&missing), |n, shape, values| (n != name).then_some((n, shape, values)));
    check(&refusal(&missing), &[name, "has no tensor"]);

    let turned = folder(place.path(), "llama");
    let turn = |shape: Vec<usize>| shape.into_iter().rev().collect();
    rewrite(&file(&turned), |n, shape, v| Some((n.clone(), if n == name { turn(shape) } else { shape }, v)));
    check(&refusal(&turned), &[name, "[64, 128]", "[128, 64]"]);

    let diverged = folder(place.path(), "llama");
    let poison = |mut values: Vec<f32>| {
        values[7] = f32::NAN;
        values
    };
    rewrite(&file(&diverged), |n, shape, v| Some((n.clone(), shape, if n == name { poison(v) } else { v })));
    check(&refusal(&diverged), &[name, "NaN", "element 7"]);
}

#[test]
fn every_truncation_of_a_safetensors_file_is_refused() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = folder(place.path(), "llama");
    let file = folder.join("model.safetensors");
    let whole = fs::read(&file).expect("read");
    for length in [0, 4, 8, 9, 200, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).expect("written");
        check(&refusal(&folder), &["model.safetensors"]);
    }
    let mut huge = whole;
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&file, &huge).expect("written");
    check(&refusal(&folder), &["its header claims", "fetch it again"]);
}

#[test]
fn an_index_must_name_whole_files_beside_it() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = folder(place.path(), "llama");
    fs::rename(folder.join("model.safetensors"), place.path().join("outside.safetensors")).expect("moved");
    let index = |file: &str| {
        let index = json!({ "weight_map": { "model.norm.weight": file } }).to_string();
        fs::write(folder.join("model.safetensors.index.json"), index).expect("written");
    };
    for outside in ["../outside.safetensors", "..", "/etc/passwd", "deeper/../../outside.safetensors"] {
        index(outside);
        check(&refusal(&folder), &["index.json", outside, "not a file beside it"]);
    }
    index("model-00001-of-00002.safetensors");
    check(&refusal(&folder), &["model-00001-of-00002.safetensors"]);
    fs::write(folder.join("model.safetensors.index.json"), "[]").expect("written");
    check(&refusal(&folder), &["weight_map"]);
}

#[test]
fn another_architecture_is_refused_by_name() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = folder(place.path(), "llama");
    let config = fs::read_to_string(folder.join("config.json")).expect("read");
    fs::write(folder.join("config.json"), config.replace("\"llama\"", "\"mamba\"")).expect("written");
    let message = open(&folder).map(|_| ()).expect_err("refused").to_string();
    check(&message, &["config.json", "mamba", "Qwen3 or Llama"]);
}
