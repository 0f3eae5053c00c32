use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::Device;
use grm_model::{
    CausalLm,
    omni::{ThinkerConfig, expected_tensors},
    weights::{SafetensorsFolder, Weights as _},
};
use serde_json::{Map, Value, json};

use crate::import::{ImportError, Kind, import};

/// Writes a safetensors file; every value is the number of its tensor.
fn weights(path: &Path, tensors: &[(&str, &[u64])]) {
    let (mut header, mut data) = (Map::new(), Vec::new());
    for (index, (name, shape)) in tensors.iter().enumerate() {
        let start = data.len();
        let count = shape.iter().product::<u64>();
        for _ in 0..count {
            data.extend((index as f32 + 1.0).to_le_bytes());
        }
        header
            .insert((*name).to_owned(), json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] }));
    }
    let header = Value::Object(header).to_string().into_bytes();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()).unwrap();
}

fn put(path: &Path, value: &Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, value.to_string()).unwrap();
}

const THINKER: [(&str, &[u64]); 3] =
    [("model.embed_tokens.weight", &[6, 2]), ("model.norm.weight", &[2]), ("visual.merger.ln_q.weight", &[3])];

/// A base as published: everything under `thinker.`, in two files, and speech output.
fn omni_base(home: &Path) {
    let base = home.join("base");
    weights(
        &base.join("model-1.safetensors"),
        &[("thinker.model.embed_tokens.weight", &[6, 2]), ("talker.norm.weight", &[4])],
    );
    weights(
        &base.join("model-2.safetensors"),
        &[("thinker.model.norm.weight", &[2]), ("thinker.visual.merger.ln_q.weight", &[3])],
    );
    put(
        &base.join("model.safetensors.index.json"),
        &json!({ "weight_map": {
        "thinker.model.embed_tokens.weight": "model-1.safetensors", "talker.norm.weight": "model-1.safetensors",
        "thinker.model.norm.weight": "model-2.safetensors", "thinker.visual.merger.ln_q.weight": "model-2.safetensors",
    } }),
    );
    put(
        &base.join("config.json"),
        &json!({
            "model_type": "qwen2_5_omni", "architectures": ["Qwen2_5OmniModel"], "enable_audio_output": true,
            "thinker_config": { "old": true }, "talker_config": {},
        }),
    );
    fs::write(base.join("preprocessor_config.json"), "{}").unwrap();
}

fn thinker(home: &Path, name: &str, tensors: &[(&str, &[u64])]) {
    weights(&home.join(name).join("model.safetensors"), tensors);
    put(&home.join(name).join("config.json"), &json!({ "model_type": "qwen2_5_omni_thinker", "dtype": "bfloat16" }));
    fs::write(home.join(name).join("tokenizer.json"), "trained").unwrap();
}

fn values(folder: &Path) -> BTreeMap<String, Vec<f32>> {
    let opened = SafetensorsFolder::open(folder).unwrap();
    let names = opened.names();
    names.into_iter().map(|name| (name.clone(), opened.read(&name).unwrap().values)).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_thinker_comes_back_as_a_whole_model() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    omni_base(home);
    thinker(home, "trained", &THINKER);
    let imported = import(&home.join("trained"), &home.join("base"), &home.join("out")).unwrap();
    assert_eq!((imported.kind, imported.tensors, imported.renamed, imported.left_out), (Kind::Model, 3, 3, 1));
    let out = home.join("out");
    let renamed = values(&home.join("trained")).into_iter().map(|(name, values)| (format!("thinker.{name}"), values));
    assert_eq!(values(&out), renamed.collect());
    let config = read(&out.join("config.json"));
    assert_eq!(config["architectures"], json!(["Qwen2_5OmniModel"]));
    assert_eq!(config["enable_audio_output"], false);
    assert_eq!(config["thinker_config"], json!({ "model_type": "qwen2_5_omni_thinker" }));
    assert_eq!(config["dtype"], "bfloat16");
    assert_eq!(fs::read_to_string(out.join("tokenizer.json")).unwrap(), "trained");
    assert!(out.join("preprocessor_config.json").is_file(), "what the trainer did not save comes from the base");
    assert_eq!(fs::metadata(out.join("spk_dict.pt")).unwrap().len(), 1267);

    // What came back is a base for the next round, and a whole model with nothing to rename.
    let again = import(&out, &out, &home.join("again")).unwrap();
    assert_eq!((again.tensors, again.renamed), (3, 0));
    assert_eq!(values(&home.join("again")), values(&out));
}

/// A thinker of the published make, as small as its parts allow.
fn small_config() -> Value {
    json!({
        "architectures": ["Qwen2_5OmniThinkerForConditionalGeneration"], "model_type": "qwen2_5_omni_thinker",
        "audio_token_index": 3, "audio_start_token_id": 4, "audio_end_token_id": 5, "vision_start_token_id": 6,
        "vision_end_token_id": 7, "image_token_index": 8, "video_token_index": 9, "position_id_per_seconds": 25,
        "seconds_per_chunk": 2,
        "text_config": {
            "vocab_size": 16, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 1, "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0, "rope_scaling": { "mrope_section": [1, 1, 2], "type": "default" },
            "tie_word_embeddings": false,
        },
        "vision_config": {
            "depth": 1, "hidden_size": 16, "embed_dim": 16, "intermediate_size": 24, "num_heads": 2, "in_channels": 3,
            "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
            "fullatt_block_indexes": [0], "out_hidden_size": 16, "hidden_act": "silu",
        },
        "audio_config": {
            "num_mel_bins": 128, "d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 24,
            "n_window": 100, "max_source_positions": 1500, "output_dim": 16, "activation_function": "gelu",
            "scale_embedding": false,
        },
    })
}

#[test]
fn burn_opens_what_came_back_with_every_tensor_equal() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let config = small_config();
    let thinker = ThinkerConfig::from_keys(config.as_object().unwrap()).unwrap();
    let expected = expected_tensors(&thinker);
    let shapes: Vec<(String, Vec<u64>)> =
        expected.into_iter().map(|(name, shape)| (name, shape.into_iter().map(|side| side as u64).collect())).collect();
    let served: Vec<(&str, &[u64])> = shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    let trained: Vec<(&str, &[u64])> = served.iter().map(|&(name, shape)| (bare(name), shape)).collect();
    weights(&home.join("base/model.safetensors"), &served);
    put(&home.join("base/config.json"), &json!({ "model_type": "qwen2_5_omni", "thinker_config": config }));
    weights(&home.join("trained/model.safetensors"), &trained);
    put(&home.join("trained/config.json"), &config);
    import(&home.join("trained"), &home.join("base"), &home.join("out")).unwrap();
    let loaded = CausalLm::open(&home.join("out"), &Device::default()).unwrap().to_host();
    let loaded: BTreeMap<String, Vec<f32>> =
        loaded.into_iter().map(|(name, tensor)| (bare(&name).to_owned(), tensor.values)).collect();
    let mut trained = values(&home.join("trained"));
    assert!(trained.remove("audio_tower.audio_bos_eos_token.weight").is_some(), "nothing computes with it");
    assert!(trained.len() > 40 && trained == loaded, "{:?} and {:?}", trained.keys(), loaded.keys());
}

fn bare(name: &str) -> &str {
    name.strip_prefix("thinker.").unwrap_or(name)
}

#[test]
fn names_of_newer_transformers_are_the_same() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    omni_base(home);
    let newer = THINKER.map(|(name, shape)| match name.strip_prefix("model.") {
        Some(rest) => (format!("thinker.model.language_model.{rest}"), shape),
        None => (format!("thinker.model.{name}"), shape),
    });
    let newer: Vec<(&str, &[u64])> = newer.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    thinker(home, "newer", &newer);
    thinker(home, "older", &THINKER);
    for name in ["newer", "older"] {
        import(&home.join(name), &home.join("base"), &home.join(format!("{name} out"))).unwrap();
    }
    assert_eq!(values(&home.join("newer out")), values(&home.join("older out")));
}

#[test]
fn shards_stay_shards_and_a_value_head_becomes_the_score() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let tensors: [(&str, &[u64]); 2] = [("model.embed_tokens.weight", &[6, 2]), ("model.norm.weight", &[2])];
    for name in ["base", "trained"] {
        weights(&home.join(name).join("model.safetensors"), &tensors);
        put(
            &home.join(name).join("config.json"),
            &json!({
                "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "tie_word_embeddings": true,
            }),
        );
    }
    let head: [(&str, &[u64]); 2] = [("v_head.summary.bias", &[1]), ("v_head.summary.weight", &[1, 2])];
    weights(&home.join("trained/value_head.safetensors"), &head);
    let imported = import(&home.join("trained"), &home.join("base"), &home.join("out")).unwrap();
    assert!(imported.has_score);
    let out = values(&home.join("out"));
    assert_eq!(out["score.weight"], [2.0, 2.0]);
    assert_eq!(out["score.bias"], [1.0]);
    let index = read(&home.join("out/model.safetensors.index.json"));
    assert_eq!(index["metadata"]["total_size"], 4 * (12 + 2 + 3));
    assert_eq!(index["weight_map"]["score.weight"], "model-00002-of-00002.safetensors");
    let config = read(&home.join("out/config.json"));
    assert_eq!(config["architectures"], json!(["Qwen2ForSequenceClassification"]));
    assert_eq!((&config["num_labels"], &config["problem_type"]), (&json!(1), &json!("regression")));
}

#[test]
fn every_tensor_is_accounted_for() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    omni_base(home);
    let run = |name: &str, tensors: &[(&str, &[u64])]| {
        thinker(home, name, tensors);
        import(&home.join(name), &home.join("base"), &home.join("out")).unwrap_err()
    };
    let error = run("fewer", &THINKER[..2]);
    assert!(
        matches!(&error, ImportError::Missing { count: 1, first, .. } if first == "visual.merger.ln_q.weight"),
        "{error}"
    );
    let more = [&THINKER[..], &[("model.extra", &[1])]].concat();
    assert!(matches!(run("more", &more), ImportError::Unknown { count: 1, .. }));
    let mut other = THINKER;
    other[1].1 = &[4];
    let error = run("other", &other);
    assert_eq!(
        error.to_string(),
        "tensor model.norm.weight has shape [4], the base's [2]; name the base it was trained from"
    );
    assert!(!home.join("out").exists() && !home.join("out.partial").exists());
}

fn adapter(home: &Path, tensors: &[(&str, &[u64])], config: &Value) {
    weights(&home.join("trained/adapter_model.safetensors"), tensors);
    put(&home.join("trained/adapter_config.json"), config);
}

#[test]
fn an_adapter_gets_the_prefix_vllm_looks_for() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    omni_base(home);
    let factors: [(&str, &[u64]); 2] = [
        ("base_model.model.model.embed_tokens.lora_A.weight", &[1, 2]),
        ("base_model.model.model.embed_tokens.lora_B.weight", &[6, 1]),
    ];
    adapter(home, &factors, &json!({ "r": 1, "target_modules": ["model.embed_tokens", "q_proj"] }));
    let run = || import(&home.join("trained"), &home.join("base"), &home.join("out"));
    let imported = run().unwrap();
    assert_eq!((imported.kind, imported.tensors, imported.renamed), (Kind::Adapter, 2, 2));
    let out = SafetensorsFolder::open(&home.join("out/adapter_model.safetensors")).unwrap();
    assert_eq!(out.read("base_model.model.thinker.model.embed_tokens.lora_B.weight").unwrap().values, [2.0; 6]);
    let config = read(&home.join("out/adapter_config.json"));
    assert_eq!(config["target_modules"], json!(["thinker.model.embed_tokens", "q_proj"]));

    adapter(home, &factors, &json!({ "r": 1, "modules_to_save": ["lm_head"] }));
    assert!(run().unwrap_err().to_string().contains("modules_to_save"));
    adapter(home, &factors[..1], &json!({}));
    assert!(run().unwrap_err().to_string().contains("no other half"));
    let wide: [(&str, &[u64]); 2] = [(factors[0].0, &[1, 3]), factors[1]];
    adapter(home, &wide, &json!({}));
    assert!(matches!(run().unwrap_err(), ImportError::Shape { .. }));
}

#[test]
#[expect(clippy::approx_constant, reason = "a trainer's log rounds")]
fn the_trainers_log_becomes_ours_and_dpo_must_begin_at_ln_2() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    omni_base(home);
    thinker(home, "trained", &THINKER);
    let state = |loss: f64| {
        json!({ "log_history": [
            { "epoch": 0.5, "step": 1, "loss": loss, "learning_rate": 0.0, "grad_norm": 2.5, "rewards/margins": 0.0 },
            { "epoch": 1.0, "step": 2, "loss": 0.62, "learning_rate": 1e-6, "grad_norm": 2.0, "rewards/margins": 0.15 },
            { "epoch": 1.0, "step": 2, "train_loss": 0.65, "train_runtime": 3.0 },
        ] })
    };
    let run = || import(&home.join("trained"), &home.join("base"), &home.join("out"));
    put(&home.join("trained/trainer_state.json"), &state(0.6931));
    let imported = run().unwrap();
    assert_eq!((imported.steps, imported.first_loss), (Some(2), Some(0.6931)));
    assert_eq!(
        fs::read_to_string(home.join("out/metrics.jsonl")).unwrap(),
        "{\"epoch\":0.5,\"grad_norm\":2.5,\"learning_rate\":0.0,\"loss\":0.6931,\"rewards/margins\":0.0,\"step\":1,\"version\":1}\n\
         {\"epoch\":1.0,\"grad_norm\":2.0,\"learning_rate\":1e-6,\"loss\":0.62,\"rewards/margins\":0.15,\"step\":2,\"version\":1}\n"
    );
    assert!(fs::read_to_string(home.join("out/report.html")).unwrap().contains("rewards/margins"));

    put(&home.join("trained/trainer_state.json"), &state(0.71));
    let error = run().unwrap_err();
    assert!(matches!(error, ImportError::FirstLoss { .. }) && error.to_string().contains("0.71"), "{error}");

    fs::remove_file(home.join("trained/trainer_state.json")).unwrap();
    let line = r#"{"current_steps":3,"total_steps":9,"loss":5.5,"lr":1e-05,"epoch":0.3,"percentage":33.3,"elapsed_time":"0:00:01"}"#;
    fs::write(home.join("trained/trainer_log.jsonl"), format!("{line}\n")).unwrap();
    assert_eq!(run().unwrap().steps, Some(3));
    let log = fs::read_to_string(home.join("out/metrics.jsonl")).unwrap();
    assert_eq!(log, "{\"epoch\":0.3,\"learning_rate\":0.00001,\"loss\":5.5,\"step\":3,\"version\":1}\n");
}

#[test]
fn damaged_weights_are_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    omni_base(home);
    thinker(home, "trained", &THINKER);
    let path = home.join("trained/model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for (cut, what) in [(bytes.len() - 4, "should lie"), (20, "header claims")] {
        fs::write(&path, &bytes[..cut]).unwrap();
        let error = import(&home.join("trained"), &home.join("base"), &home.join("out")).unwrap_err().to_string();
        assert!(error.contains("model.safetensors") && error.contains(what), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let error = import(&home.join("trained"), &home.join("base"), &home.join("out")).unwrap_err();
    assert!(matches!(error, ImportError::NoWeights { .. }));
}
