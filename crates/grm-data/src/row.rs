//! One record as its container holds it: named JSON values and where they lie.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Place, ReadError};

/// JSON nesting that is still read.
pub(crate) const DEPTH_MAX: usize = 64;

/// Named values at a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) fields: Map<String, Value>,
    /// What no JSON value holds well, by its path, such as `image.bytes`; null stands for it in `fields`. Rows of JSON
    /// files have none.
    pub(crate) blobs: BTreeMap<String, Blob>,
}

/// Bytes or sound inside a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Blob {
    /// Bytes that are not UTF-8.
    Bytes(Vec<u8>),
    /// A list of floats under the name `array`, as decoded sound is kept.
    Samples(Vec<f32>),
}

impl Row {
    /// Parses one JSON object; depth is checked before anything is built.
    pub(crate) fn parse(place: Place, bytes: &[u8]) -> Result<Self, ReadError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Err(ReadError::NotUtf8 { place, at: error.valid_up_to() }),
        };
        if depth(bytes) > DEPTH_MAX {
            return Err(ReadError::TooDeep { place, limit: DEPTH_MAX });
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self { place, fields, blobs: BTreeMap::new() }),
            Ok(other) => Err(ReadError::Shape {
                place,
                expected: "an object with named fields".into(),
                found: kind(&other).into(),
                cure: "write each record as {\"prompt\": …, \"chosen\": …, \"rejected\": …}".into(),
            }),
            Err(source) => Err(ReadError::Json { place, cure: cure(text), source }),
        }
    }

    /// A field that is there and not null.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A field that has to be there.
    pub(crate) fn required(&self, name: &str) -> Result<&Value, ReadError> {
        self.value(name).ok_or_else(|| {
            let found = if self.fields.contains_key(name) { "null".to_owned() } else { self.keys() };
            let cure = match self.fields.keys().find(|field| is_near(field, name)) {
                Some(near) if !self.fields.contains_key(name) => format!("rename `{near}` to `{name}`"),
                _ => "every record of a file has the same fields, as its publisher names them".to_owned(),
            };
            self.shape(format!("a value for `{name}`"), found, &cure)
        })
    }

    /// Plain text under a name that has to be there; `path` is how messages call it.
    pub(crate) fn text<'a>(&self, path: &str, value: &'a Value) -> Result<&'a str, ReadError> {
        value.as_str().ok_or_else(|| self.wrong_kind(path, "text", value))
    }

    /// An error about this row's shape.
    pub(crate) fn shape(&self, expected: String, found: String, cure: &str) -> ReadError {
        ReadError::Shape { place: self.place.clone(), expected, found, cure: cure.to_owned() }
    }

    /// An error about one value's kind.
    pub(crate) fn wrong_kind(&self, path: &str, expected: &str, found: &Value) -> ReadError {
        self.shape(format!("{expected} in `{path}`"), kind(found).to_owned(), "rewrite that field")
    }

    /// The names that are there, for messages.
    pub(crate) fn keys(&self) -> String {
        list(self.fields.keys().map(String::as_str))
    }
}

/// One or two slips of the pen apart.
fn is_near(name: &str, meant: &str) -> bool {
    let distance = strsim::damerau_levenshtein(&name.to_lowercase(), meant);
    distance <= 2 && distance * 3 < meant.len()
}

/// Names between back-ticks, the first twenty.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let short = |name: &str| format!("`{}`", name.chars().take(40).collect::<String>());
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names.by_ref().take(20).map(short).collect();
    let more = names.count();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    if shown.is_empty() { "no fields".into() } else { shown.join(", ") }
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// How deep brackets nest outside strings.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn cure(text: &str) -> &'static str {
    match text.trim() {
        "{" => "a JSONL file has one whole object a line, and this one is spread over several: write each on one line",
        text if text.ends_with(',') => {
            "a JSONL file has no commas between lines; remove them, or make it an array in [ ]"
        }
        _ => "each record must be one complete JSON object in UTF-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spot;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(depth(br#"{"a":[{"b":"]]}}[[[[\"[["}]}"#), 3);
        assert_eq!(depth(b"1"), 0);
        let place = Place { file: "x".into(), spot: Spot::Line(1) };
        let at = |levels: usize| {
            let json = format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
            Row::parse(place.clone(), json.as_bytes())
        };
        assert!(at(DEPTH_MAX).is_ok());
        assert!(matches!(at(DEPTH_MAX + 1), Err(ReadError::TooDeep { .. })));
    }
}
