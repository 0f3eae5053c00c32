//! What a server says it serves.

use grm_core::{ModelError, ModelIdentity};
use serde::Deserialize;

use crate::{connection::Connection, dialect::Dialect};

/// `GET /v1/models`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ModelList {
    pub(crate) data: Vec<Model>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Model {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) root: Option<String>,
    #[serde(default)]
    pub(crate) parent: Option<String>,
    #[serde(default)]
    pub(crate) owned_by: Option<String>,
}

/// The model to ask and what the server says about it.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) identity: ModelIdentity,
    pub(crate) dialect: Option<Dialect>,
}

impl ModelList {
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.data.iter().find_map(|model| Dialect::from_owner(model.owned_by.as_deref()?))
    }

    pub(crate) fn names(&self) -> String {
        self.data.iter().map(|model| model.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Picks the model that is named, or the only one there is.
pub(crate) async fn choose(connection: &Connection, wanted: Option<&str>) -> Result<Chosen, ModelError> {
    let list = match (connection.get::<ModelList>("/v1/models").await, wanted) {
        (Ok(list), _) => list,
        // Some gateways have no list; the name is then taken on trust.
        (Err(ModelError::Rejected { status: 404 | 405, .. }), Some(name)) => {
            return Ok(Chosen { identity: unlisted(name), dialect: None });
        }
        (Err(error), _) => return Err(error),
    };
    let dialect = list.dialect();
    let identity = pick(&list, wanted, &connection.address.route("/v1/models").place)?;
    Ok(Chosen { identity, dialect })
}

fn pick(list: &ModelList, wanted: Option<&str>, place: &str) -> Result<ModelIdentity, ModelError> {
    let rejected =
        |reason: String, hint: String| ModelError::Rejected { place: place.to_owned(), status: 200, reason, hint };
    match (wanted, list.data.as_slice()) {
        (Some(name), models) => match models.iter().find(|model| model.id == name) {
            Some(model) => Ok(identity(model)),
            // Only vLLM lists everything it answers to; elsewhere aliases work.
            None if list.dialect() == Some(Dialect::Vllm) => {
                Err(rejected(format!("it does not serve {name:?}"), format!("it serves {}", list.names())))
            }
            None => Ok(unlisted(name)),
        },
        (None, [model]) => Ok(identity(model)),
        (None, []) => Err(rejected("it lists no model".to_owned(), "name the model to ask".to_owned())),
        (None, models) => Err(rejected(
            format!("it serves {} models", models.len()),
            format!("name the one to ask: {}", list.names()),
        )),
    }
}

/// A LoRA adapter is listed beside its base model and names it as its parent.
fn identity(model: &Model) -> ModelIdentity {
    let owner = model.owned_by.as_deref().unwrap_or("unknown server");
    let root = model.root.as_deref().unwrap_or(&model.id);
    match &model.parent {
        Some(parent) => {
            ModelIdentity { name: model.id.clone(), revision: format!("{parent} ({owner})"), adapter: root.to_owned() }
        }
        None => ModelIdentity { name: model.id.clone(), revision: format!("{root} ({owner})"), adapter: String::new() },
    }
}

fn unlisted(name: &str) -> ModelIdentity {
    ModelIdentity { name: name.to_owned(), revision: "not reported".to_owned(), adapter: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> ModelList {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_only_model_needs_no_name() {
        let one = list(r#"{"data":[{"id":"m","root":"org/m","owned_by":"vllm","created":5}]}"#);
        let identity = pick(&one, None, "here").unwrap();
        assert_eq!((identity.name.as_str(), identity.revision.as_str()), ("m", "org/m (vllm)"));
        assert_eq!(one.dialect(), Some(Dialect::Vllm));
    }

    #[test]
    fn several_models_must_be_chosen_from() {
        let two = list(
            r#"{"data":[{"id":"m","owned_by":"vllm"},{"id":"lora","root":"path/lora","parent":"m","owned_by":"vllm"}]}"#,
        );
        let error = pick(&two, None, "here").unwrap_err().to_string();
        assert!(error.contains("name the one to ask: m, lora"), "{error}");
        let error = pick(&two, Some("x"), "here").unwrap_err().to_string();
        assert!(error.contains("\"x\"") && error.contains("m, lora"), "{error}");
        assert_eq!(pick(&two, Some("lora"), "here").unwrap().adapter, "path/lora");
    }

    #[test]
    fn aliases_are_accepted_where_lists_are_incomplete() {
        let one = list(r#"{"data":[{"id":"model.gguf","owned_by":"llamacpp"}]}"#);
        assert_eq!(pick(&one, Some("alias"), "here").unwrap().revision, "not reported");
        assert!(pick(&list(r#"{"data":[]}"#), None, "here").is_err());
    }
}
