//! `prompt` and two responses in an order of their own, with a label or without.

use grm_core::Choice;
use serde_json::Value;

use super::chosen_rejected::with_prompt;
use super::{id, media};
use crate::ReadError;
use crate::records::ReadOptions;
use crate::row::Row;
use crate::usable::{Draft, Known};

/// What the two responses may be called.
const NAMES: [[&str; 2]; 3] = [["response_a", "response_b"], ["response_1", "response_2"], ["response1", "response2"]];

/// What a record calls its two responses, which may be text, media or both.
pub(super) fn names(has: impl Fn(&str) -> bool) -> Option<[&'static str; 2]> {
    NAMES.into_iter().find(|names| names.iter().all(|name| has(name) || has(&media::of_response(name))))
}

pub(super) fn read(row: &Row, options: &ReadOptions) -> Result<Draft, ReadError> {
    let names = names(|name| row.fields.contains_key(name))
        .ok_or_else(|| row.shape("`response_a` and `response_b`".into(), row.keys(), "add what is missing"))?;
    let (prompt, responses) = with_prompt(row, names, options)?;
    Ok(Draft {
        id: id(row)?,
        prompt,
        responses,
        names,
        known: match row.value("label") {
            None => Known::Nothing,
            Some(value) => Known::Label(label(row, value, names)?),
        },
    })
}

fn label(row: &Row, value: &Value, names: [&str; 2]) -> Result<Choice, ReadError> {
    let letters = names == NAMES[0];
    match value {
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "a" | "first" => return Ok(Choice::First),
            "b" | "second" => return Ok(Choice::Second),
            _ => {}
        },
        Value::Number(number) if letters => match number.as_u64() {
            Some(0) => return Ok(Choice::First),
            Some(1) => return Ok(Choice::Second),
            _ => {}
        },
        _ => {}
    }
    let shown: String = value.to_string().chars().take(40).collect();
    if value.is_number() && !letters {
        // 1 may mean the first (numbered from 1) or the second (0 and 1): guessing wrong would turn every label round.
        let cure = "beside numbered responses a number can mean either; write \"first\" or \"second\"";
        return Err(row.shape("\"first\" or \"second\" in `label`".into(), shown, cure));
    }
    let expected = "\"A\", \"B\", \"first\", \"second\", 0 or 1 in `label`".into();
    Err(row.shape(expected, shown, "leave `label` out where nobody knows; a tie cannot be a label"))
}
