//! Merged safetensors: what is written is the model, whole, or nothing.

use std::{fs, path::Path};

use burn::tensor::Device;
use grm_model::{CausalLm, DecoderConfig, ExportError, MergedExport, Precision};
use serde_json::{Value, json};

use crate::tiny::{FAMILIES, adapted_causal, adapted_scorer, causal, difference, folder, logits, read, score, scorer};

fn json_at(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("read")).expect("JSON")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = folder
        .read_dir()
        .expect("a folder")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_model_without_an_adapter_comes_back_bit_for_bit() {
    let place = tempfile::tempdir().expect("a folder");
    for family in FAMILIES {
        let model = causal(&folder(place.path(), family));
        let out = place.path().join(format!("{family}-merged"));
        model.write_merged(&out, &MergedExport::default()).expect("written");
        let again = causal(&out);
        assert_eq!(again.to_host(), model.to_host(), "{family}");
        assert_eq!(again.config(), model.config(), "{family}");
    }
}

#[test]
fn an_adapter_is_folded_in() {
    let place = tempfile::tempdir().expect("a folder");
    for family in FAMILIES {
        let base = folder(place.path(), family);
        let model = adapted_causal(&base);
        let out = place.path().join(format!("{family}-merged"));
        model.write_merged(&out, &MergedExport::default()).expect("written");
        assert!(difference(&logits(&causal(&base)), &logits(&model)) > 0.01, "{family}: the adapter does something");
        assert!(difference(&logits(&causal(&out)), &logits(&model)) < 2e-5, "{family}");
    }
}

#[test]
fn shards_are_the_same_model_with_an_index() {
    let place = tempfile::tempdir().expect("a folder");
    let model = adapted_causal(&folder(place.path(), "llama"));
    let (whole, cut) = (place.path().join("whole"), place.path().join("cut"));
    model.write_merged(&whole, &MergedExport::default()).expect("written");
    let export = MergedExport { shard_bytes_max: 100_000, ..MergedExport::default() };
    model.write_merged(&cut, &export).expect("written");

    assert_eq!(causal(&cut).to_host(), causal(&whole).to_host());
    let index = json_at(&cut.join("model.safetensors.index.json"));
    let shards: Vec<String> = names(&cut).into_iter().filter(|name| name.starts_with("model-")).collect();
    assert!(shards.len() > 2);
    assert_eq!(shards[0], format!("model-00001-of-{:05}.safetensors", shards.len()));
    let mut bytes = 0;
    for shard in &shards {
        for (name, shape, _) in read(&cut.join(shard)) {
            assert_eq!(index["weight_map"][&name], *shard, "{name}");
            bytes += 4 * shape.iter().product::<usize>();
        }
    }
    assert_eq!(index["metadata"]["total_size"], bytes);

    fs::remove_file(cut.join(&shards[1])).expect("removed");
    let message = CausalLm::open(&cut, &Device::default()).map(|_| ()).expect_err("refused").to_string();
    assert!(message.contains(&shards[1]), "{message}");
}

#[test]
fn bf16_rounds_to_the_nearest_and_halves_to_even() {
    let place = tempfile::tempdir().expect("a folder");
    let mut model = scorer(&folder(place.path(), "llama_cls"));
    // Between 1 and its neighbour 1 + 2⁻⁷; then between that and 1 + 2⁻⁶; then just past the half.
    let mut head = vec![0.0; 64];
    head[..3].copy_from_slice(&[1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, 1.0 + 1.0 / 256.0 + 1e-6]);
    model.set_head(&head, None);
    let out = place.path().join("out");
    model.write_merged(&out, &MergedExport { precision: Precision::BF16, ..MergedExport::default() }).expect("written");
    let again = scorer(&out).to_host();
    assert_eq!(again["score.weight"].values[..3], [1.0, 1.015_625, 1.007_812_5]);
    for (name, tensor) in model.to_host() {
        for (found, expected) in again[&name].values.iter().zip(&tensor.values) {
            assert!((found - expected).abs() <= expected.abs() / 256.0, "{name}: {found} {expected}");
        }
    }
    assert_eq!(json_at(&out.join("config.json"))["torch_dtype"], "bfloat16");
}

#[test]
fn a_tied_output_layer_is_left_out() {
    let place = tempfile::tempdir().expect("a folder");
    for (family, has_head) in [("qwen2", false), ("qwen3", true)] {
        let out = place.path().join("out").join(family);
        causal(&folder(place.path(), family)).write_merged(&out, &MergedExport::default()).expect("written");
        let tensors = read(&out.join("model.safetensors"));
        assert_eq!(tensors.iter().any(|(name, ..)| name == "lm_head.weight"), has_head, "{family}");
    }
}

#[test]
fn a_reward_model_is_a_classifier_with_one_label() {
    let place = tempfile::tempdir().expect("a folder");
    for (family, class) in
        [("qwen3_cls", "Qwen3ForSequenceClassification"), ("llama_cls", "LlamaForSequenceClassification")]
    {
        let base = folder(place.path(), family);
        let model = adapted_scorer(&base);
        let out = place.path().join(format!("{family}-merged"));
        model.write_merged(&out, &MergedExport { base: Some(base), ..MergedExport::default() }).expect("written");
        assert!((score(&scorer(&out)) - score(&model)).abs() < 2e-5, "{family}");
        let config = json_at(&out.join("config.json"));
        assert_eq!(config["architectures"], json!([class]));
        assert_eq!(config["num_labels"], 1);
        assert_eq!(config["id2label"], json!({ "0": "LABEL_0" }));
        assert_eq!(config["problem_type"], "regression");
        let tensors = read(&out.join("model.safetensors"));
        assert!(tensors.iter().any(|(name, shape, _)| name == "score.weight" && *shape == [1, 64]));
        assert!(!tensors.iter().any(|(name, ..)| name.contains("lora") || name.contains("lm_head")));
    }
}

#[test]
fn a_head_with_a_bias_is_refused_unless_it_is_zero() {
    let place = tempfile::tempdir().expect("a folder");
    let mut model = scorer(&folder(place.path(), "llama_cls"));
    let out = place.path().join("out");
    model.set_head(&[0.5; 64], Some(0.25));
    let error = model.write_merged(&out, &MergedExport::default()).expect_err("refused");
    assert!(error.to_string().contains("bias of 0.25"), "{error}");
    model.set_head(&[0.5; 64], Some(0.0));
    model.write_merged(&out, &MergedExport::default()).expect("written");
}

#[test]
fn what_lies_beside_the_base_goes_along() {
    let place = tempfile::tempdir().expect("a folder");
    let base = folder(place.path(), "qwen2");
    fs::write(base.join("tokenizer.json"), "{\"a\": 1}").expect("written");
    fs::write(base.join("chat_template.jinja"), "{{ messages }}").expect("written");
    fs::write(base.join("notes.txt"), "mine").expect("written");
    let mut config = json_at(&base.join("config.json"));
    config["quantization_config"] = json!({ "quant_method": "awq" });
    fs::write(base.join("config.json"), config.to_string()).expect("written");
    let out = place.path().join("out");
    let export = MergedExport { base: Some(base.clone()), ..MergedExport::default() };
    causal(&base).write_merged(&out, &export).expect("written");
    assert_eq!(names(&out), ["chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json"]);
    let written = json_at(&out.join("config.json"));
    assert_eq!(written["eos_token_id"], 1, "kept from the base");
    assert!(written.get("quantization_config").is_none());
    assert_eq!(written["architectures"], json!(["Qwen2ForCausalLM"]));
    assert_eq!(
        DecoderConfig::read(&out.join("config.json")).expect("read"),
        DecoderConfig::read(&base.join("config.json")).expect("read")
    );

    let other = folder(place.path(), "llama");
    let error = causal(&other).write_merged(&place.path().join("no"), &export).expect_err("refused");
    assert!(matches!(error, ExportError::OtherBase { .. }), "{error}");
}

#[test]
fn an_earlier_export_is_replaced_and_anything_else_is_not() {
    let place = tempfile::tempdir().expect("a folder");
    let base = folder(place.path(), "llama");
    let out = place.path().join("out");
    let export = MergedExport { shard_bytes_max: 100_000, ..MergedExport::default() };
    causal(&base).write_merged(&out, &export).expect("written");
    adapted_causal(&base).write_merged(&out, &MergedExport::default()).expect("written again");
    assert_eq!(names(&out), ["config.json", "model.safetensors"], "nothing of the earlier one is left");
    assert_eq!(names(place.path()), ["llama", "out"]);

    fs::write(out.join("thesis.tex"), "mine").expect("written");
    let error = causal(&base).write_merged(&out, &MergedExport::default()).expect_err("refused");
    assert!(matches!(error, ExportError::Occupied { .. }), "{error}");
    assert!(out.join("thesis.tex").exists());
}

#[test]
fn a_diverged_model_leaves_nothing_behind() {
    let place = tempfile::tempdir().expect("a folder");
    let mut model = scorer(&folder(place.path(), "llama_cls"));
    model.set_head(&[f32::INFINITY; 64], None);
    let error = model.write_merged(&place.path().join("out"), &MergedExport::default()).expect_err("refused");
    assert!(error.to_string().contains("score.weight holds NaN or infinity at element 0"), "{error}");
    assert_eq!(names(place.path()), ["llama_cls"]);
}
