//! Our own records: a `Preference`, or a `Comparison` without its label.

use grm_core::{Comparison, Preference, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ReadError;
use crate::records::MediaFields;
use crate::row::Row;
use crate::usable::{Draft, Known};

pub(super) fn read(row: &Row, media: MediaFields) -> Result<Draft, ReadError> {
    let (comparison, known) = if row.fields.contains_key("comparison") {
        let Preference { comparison, label } = decode(row)?;
        (comparison, Known::Label(label))
    } else {
        (decode(row)?, Known::Nothing)
    };
    let Comparison { id, prompt, responses } = comparison;
    let is_text_only = prompt.is_text_only() && responses.iter().all(Response::is_text_only);
    if !is_text_only && media == MediaFields::Refuse {
        return Err(ReadError::Media { place: row.place.clone(), field: "parts".to_owned() });
    }
    Ok(Draft {
        id: Some(id).filter(|id| !id.is_empty()),
        prompt,
        responses,
        names: ["responses[0]", "responses[1]"],
        known,
    })
}

fn decode<T: DeserializeOwned>(row: &Row) -> Result<T, ReadError> {
    serde_path_to_error::deserialize(Value::Object(row.fields.clone())).map_err(|error| {
        let path = error.path().to_string();
        let expected = format!("a grm comparison or preference, but for `{path}`");
        row.shape(expected, error.into_inner().to_string(), "write it again with grm, or mend that field")
    })
}
