//! `config.json`, as vLLM and transformers want it beside the served names.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{error::ImportError, names::Family};

pub(super) const NAME: &str = "config.json";

pub(super) fn read(folder: &Path) -> Result<Value, ImportError> {
    let path = folder.join(NAME);
    let bytes = std::fs::read(&path).map_err(|source| ImportError::io(&path, source))?;
    let config: Value =
        serde_json::from_slice(&bytes).map_err(|error| ImportError::damaged(&path, error.to_string()))?;
    if config.is_object() { Ok(config) } else { Err(ImportError::damaged(&path, "it is no JSON object")) }
}

/// Whether embedding and output layer share their weights.
pub(super) fn is_tied(config: &Value) -> bool {
    let of =
        |config: &Value| config["tie_word_embeddings"] == true || config["text_config"]["tie_word_embeddings"] == true;
    of(config) || of(&config["thinker_config"])
}

/// The trained thinker's configuration inside the base's; a whole model's stays as trained.
pub(super) fn served(trained: Value, base: Value, family: Family, has_score: bool, has_speech: bool) -> Value {
    let mut config = match family {
        Family::Plain => trained,
        Family::Omni => omni(trained, base, has_speech),
    };
    if has_score {
        let architecture = config["architectures"][0].as_str().unwrap_or_default();
        if let Some(name) = architecture.strip_suffix("ForCausalLM") {
            config["architectures"] = json!([format!("{name}ForSequenceClassification")]);
        }
        // Regression means that vLLM applies no sigmoid to the reward.
        config["num_labels"] = 1.into();
        config["id2label"] = json!({ "0": "LABEL_0" });
        config["label2id"] = json!({ "LABEL_0": 0 });
        config["problem_type"] = "regression".into();
    }
    config
}

fn omni(trained: Value, base: Value, has_speech: bool) -> Value {
    let is_whole = trained["thinker_config"].is_object();
    let mut config = match (is_whole, base["thinker_config"].is_object()) {
        (true, _) => trained,
        (false, true) => with_thinker(base, trained),
        (false, false) => with_thinker(json!({ "model_type": "qwen2_5_omni" }), trained),
    };
    if config["architectures"].as_array().is_none_or(Vec::is_empty) {
        config["architectures"] = json!(["Qwen2_5OmniForConditionalGeneration"]);
    }
    config["enable_audio_output"] = (has_speech && config["enable_audio_output"] != false).into();
    config
}

fn with_thinker(mut config: Value, mut thinker: Value) -> Value {
    if let (Some(thinker), Some(config)) = (thinker.as_object_mut(), config.as_object_mut()) {
        // What belongs to the file as a whole moves up.
        for key in ["transformers_version", "dtype", "torch_dtype"] {
            move_up(key, thinker, config);
        }
    }
    config["thinker_config"] = thinker;
    config
}

fn move_up(key: &str, from: &mut Map<String, Value>, to: &mut Map<String, Value>) {
    if let Some(value) = from.remove(key).filter(|value| !value.is_null()) {
        to.insert(key.to_owned(), value);
    }
}
