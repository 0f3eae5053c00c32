//! What a server says about itself, by the software imitated.

use serde_json::{Value, json};

use crate::config::{MockConfig, MockDialect};

/// The document at a GET path; `None` where that software has none.
pub(crate) fn document(path: &str, config: &MockConfig) -> Option<Value> {
    let model = config.models.first().map_or("mock", String::as_str);
    match (path, config.dialect) {
        ("/health", _) => Some(json!({"status": "ok"})),
        ("/v1/models", MockDialect::Vllm) => Some(models(config, Some("vllm"))),
        ("/v1/models", MockDialect::Sglang) => Some(models(config, Some("sglang"))),
        ("/v1/models", MockDialect::LlamaServer) => Some(models(config, Some("llamacpp"))),
        ("/v1/models", MockDialect::OpenAi) => Some(models(config, None)),
        ("/version", MockDialect::Vllm) => Some(json!({"version": "0.33.0"})),
        ("/get_model_info" | "/server_info", MockDialect::Sglang) => Some(json!({"model_path": model})),
        ("/props", MockDialect::LlamaServer) => Some(json!({"model_path": model, "total_slots": 4})),
        ("/info", MockDialect::Tei) => {
            Some(json!({"model_id": model, "model_sha": "mock", "model_type": {"classifier": {}}, "version": "1.8.0"}))
        }
        _ => None,
    }
}

fn models(config: &MockConfig, owner: Option<&str>) -> Value {
    let list = config.models.iter().map(|id| match owner {
        Some(owner) => json!({"id": id, "object": "model", "created": 0, "owned_by": owner, "root": id}),
        None => json!({"id": id, "object": "model", "created": 0}),
    });
    json!({"object": "list", "data": list.collect::<Vec<_>>()})
}
