//! PEFT adapters: written as PEFT writes them, read back from it and its relatives.

use std::{
    fs,
    path::{Path, PathBuf},
};

use grm_model::{AdapterError, LoraConfig, Network as _, read_peft, write_peft};
use serde_json::{Value, json};

use crate::tiny::{
    FAMILIES, adapted_causal, adapted_scorer, causal, folder, logits, lora, read, rewrite, score, scorer,
};

fn saved(place: &Path, family: &str) -> (PathBuf, PathBuf) {
    let base = folder(place, family);
    let out = place.join(format!("{family}-adapter"));
    write_peft(&out, "some/base", &lora(), &adapted_causal(&base).to_host()).expect("written");
    (base, out)
}

fn set(adapter: &Path, key: &str, value: Value) {
    let path = adapter.join("adapter_config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    config[key] = value;
    fs::write(path, config.to_string()).expect("written");
}

#[test]
fn an_adapter_comes_back_bit_for_bit() {
    let place = tempfile::tempdir().expect("a folder");
    for family in FAMILIES {
        let (base, out) = saved(place.path(), family);
        let adapter = read_peft(&out).expect("read");
        assert_eq!(adapter.base.as_deref(), Some("some/base"));
        assert_eq!(adapter.lora, LoraConfig { seed: 0, ..lora() });
        let mut model = causal(&base);
        model.put_on(&adapter).expect("fits");
        let expected = adapted_causal(&base);
        assert_eq!(model.to_host(), expected.to_host(), "{family}");
        assert_eq!(logits(&model), logits(&expected), "{family}");
        assert_eq!(model.parameters(), expected.parameters(), "{family}: training can go on");
    }
}

#[test]
fn names_and_configuration_are_those_of_peft() {
    let place = tempfile::tempdir().expect("a folder");
    let (_, out) = saved(place.path(), "llama");
    let names: Vec<String> = read(&out.join("adapter_model.safetensors")).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), 2 * 7 * 2);
    assert_eq!(names[0], "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight");
    assert_eq!(names[13], "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight");
    let config: Value =
        serde_json::from_slice(&fs::read(out.join("adapter_config.json")).expect("read")).expect("JSON");
    assert_eq!(config["peft_type"], "LORA");
    assert_eq!(config["task_type"], "CAUSAL_LM");
    assert_eq!((&config["r"], &config["lora_alpha"]), (&json!(4), &json!(6)));
    assert_eq!(config["modules_to_save"], Value::Null);
    assert_eq!(config["target_modules"][0], "q_proj");
    let header = fs::read(out.join("adapter_model.safetensors")).expect("read");
    assert!(header[8..].starts_with(b"{\"__metadata__\":{\"format\":\"pt\"}"));
}

#[test]
fn a_reward_models_adapter_brings_its_head() {
    let place = tempfile::tempdir().expect("a folder");
    let base = folder(place.path(), "qwen3_cls");
    let trained = adapted_scorer(&base);
    let out = place.path().join("adapter");
    write_peft(&out, "some/base", &lora(), &trained.to_host()).expect("written");
    let tensors = read(&out.join("adapter_model.safetensors"));
    assert!(tensors.iter().any(|(name, shape, _)| name == "base_model.model.score.weight" && *shape == [1, 64]));
    let config: Value =
        serde_json::from_slice(&fs::read(out.join("adapter_config.json")).expect("read")).expect("JSON");
    assert_eq!((&config["task_type"], &config["modules_to_save"]), (&json!("SEQ_CLS"), &json!(["score"])));

    let mut model = scorer(&base);
    model.put_on(&read_peft(&out).expect("read")).expect("fits");
    assert_eq!(score(&model), score(&trained));
    assert_ne!(score(&model), score(&scorer(&base)));
    let error = causal(&folder(place.path(), "qwen3")).put_on(&read_peft(&out).expect("read")).expect_err("refused");
    assert!(matches!(error, AdapterError::Head { .. }), "{error}");
}

#[test]
fn spellings_of_other_programs_are_understood() {
    let place = tempfile::tempdir().expect("a folder");
    let start = "base_model.model.model.";
    let spellings: [fn(&str) -> String; 4] = [
        |rest| format!("base_model.model.thinker.model.{rest}"),
        |rest| format!("base_model.model.model.language_model.{rest}"),
        |rest| format!("base_model.model.model.{}", rest.replace(".weight", ".default.weight")),
        |rest| format!("model.{rest}"),
    ];
    for spelling in spellings {
        let (base, out) = saved(place.path(), "qwen2");
        rewrite(&out.join("adapter_model.safetensors"), |name, shape, values| {
            Some((spelling(name.strip_prefix(start).expect("a plain name")), shape, values))
        });
        let mut model = causal(&base);
        model.put_on(&read_peft(&out).expect("read")).expect("fits");
        assert_eq!(logits(&model), logits(&adapted_causal(&base)), "{}", spelling("x"));
    }
}

#[test]
fn a_rank_stabilised_adapter_has_its_own_scale() {
    let place = tempfile::tempdir().expect("a folder");
    let (base, out) = saved(place.path(), "qwen2");
    // 3 / √4 is 6 / 4.
    set(&out, "use_rslora", json!(true));
    set(&out, "lora_alpha", json!(3));
    let mut model = causal(&base);
    model.put_on(&read_peft(&out).expect("read")).expect("fits");
    assert_eq!(logits(&model), logits(&adapted_causal(&base)));
}

#[test]
fn layers_without_an_adapter_stay_without() {
    let place = tempfile::tempdir().expect("a folder");
    let (base, out) = saved(place.path(), "qwen2");
    rewrite(&out.join("adapter_model.safetensors"), |name, shape, values| {
        name.contains("layers.1.self_attn.v_proj").then_some((name, shape, values))
    });
    let adapter = read_peft(&out).expect("read");
    assert_eq!(adapter.lora.targets, ["v_proj"]);
    let mut model = adapted_causal(&base);
    model.put_on(&adapter).expect("fits");
    let names: Vec<String> = model.parameters().into_iter().map(|info| info.name).collect();
    let module = "model.layers.1.self_attn.v_proj";
    assert_eq!(names, [format!("{module}.lora_A.weight"), format!("{module}.lora_B.weight")]);
}

#[test]
fn other_kinds_of_adapters_are_refused_by_name() {
    let place = tempfile::tempdir().expect("a folder");
    for (key, value) in [
        ("use_dora", json!(true)),
        ("lora_bias", json!(true)),
        ("bias", json!("all")),
        ("fan_in_fan_out", json!(true)),
        ("rank_pattern", json!({ "q_proj": 2 })),
        ("alpha_pattern", json!({ "q_proj": 2 })),
        ("layer_replication", json!([[0, 2]])),
        ("modules_to_save", json!(["embed_tokens"])),
        ("init_lora_weights", json!("pissa_niter_4")),
        ("peft_type", json!("IA3")),
        ("r", json!(0)),
        ("lora_alpha", json!("much")),
    ] {
        let (_, out) = saved(place.path(), "qwen2");
        set(&out, key, value);
        let message = read_peft(&out).expect_err(key).to_string();
        let named = ["biases", "embed_tokens", "pissa", "IA3", key].iter().any(|part| message.contains(part));
        assert!(named && message.contains("adapter_config.json"), "{key}: {message}");
    }
}

#[test]
fn adapters_of_another_model_are_refused_and_leave_it_alone() {
    let place = tempfile::tempdir().expect("a folder");
    type Tensor = (String, Vec<usize>, Vec<f32>);
    type Change = fn(String, Vec<usize>, Vec<f32>) -> Option<Tensor>;
    let cases: [(&str, Change); 5] = [
        ("beyond the last layer", |n, s, v| Some((n.replace("layers.1", "layers.9"), s, v))),
        ("lora_B", |n, s, v| (!n.ends_with("layers.0.mlp.up_proj.lora_B.weight")).then_some((n, s, v))),
        ("has shape", |n, s, v| Some((n, s.into_iter().rev().collect(), v))),
        ("no place in a decoder", |n, s, v| Some((n.replace("up_proj", "embed_tokens"), s, v))),
        ("NaN", |n, s, v| Some((n, s, vec![f32::NAN; v.len()]))),
    ];
    for (expected, change) in cases {
        let (base, out) = saved(place.path(), "qwen2");
        rewrite(&out.join("adapter_model.safetensors"), change);
        let mut model = causal(&base);
        let message = read_peft(&out).and_then(|adapter| model.put_on(&adapter)).expect_err(expected).to_string();
        assert!(message.contains(expected) && message.contains("adapter_model.safetensors"), "{message}");
        assert_eq!(model.to_host(), causal(&base).to_host());
    }
}

#[test]
fn a_missing_or_pickled_adapter_is_named() {
    let place = tempfile::tempdir().expect("a folder");
    let message = read_peft(place.path()).expect_err("nothing there").to_string();
    assert!(message.contains("adapter_config.json") && message.contains("save_pretrained"), "{message}");
    let (_, out) = saved(place.path(), "qwen2");
    fs::rename(out.join("adapter_model.safetensors"), out.join("adapter_model.bin")).expect("renamed");
    let message = read_peft(&out).expect_err("a pickle").to_string();
    assert!(message.contains("adapter_model.bin") && message.contains("pickle"), "{message}");
}

#[test]
fn parameters_without_a_whole_adapter_are_not_written() {
    let place = tempfile::tempdir().expect("a folder");
    let base = folder(place.path(), "qwen2");
    let out = place.path().join("out");
    let write = |parameters| write_peft(&out, "some/base", &lora(), &parameters).expect_err("refused").to_string();
    assert!(write(causal(&base).to_host()).contains("no adapter"));
    let mut parameters = adapted_causal(&base).to_host();
    parameters.remove("model.layers.0.self_attn.q_proj.lora_B.weight").expect("there");
    assert!(write(parameters).contains("model.layers.0.self_attn.q_proj.lora_A.weight"));
    assert!(!out.exists());
}
