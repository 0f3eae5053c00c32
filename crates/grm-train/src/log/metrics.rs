//! Lines of `metrics.jsonl`: numbers by the names TRL logs them under.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

const VERSION: u32 = 1;

/// One line: a step, or an evaluation after it, whose names begin with `eval_`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Steps done.
    pub step: usize,
    /// Epochs done.
    pub epoch: f64,
    /// `loss`, `learning_rate`, `grad_norm`, `num_tokens` and the objective's; all finite.
    pub values: BTreeMap<String, f64>,
}

impl Record {
    /// As it is written, with its line feed.
    #[must_use]
    pub fn line(&self) -> String {
        let mut fields = Map::new();
        fields.insert("version".to_owned(), VERSION.into());
        fields.insert("step".to_owned(), self.step.into());
        let numbers = self.values.iter().map(|(name, value)| (name.as_str(), *value));
        for (name, value) in numbers.chain([("epoch", self.epoch)]) {
            fields.insert(name.to_owned(), Number::from_f64(value).map_or(Value::Null, Value::Number));
        }
        format!("{}\n", Value::Object(fields))
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(line: &str) -> Result<Self, String> {
        let fields: Map<String, Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let mut values = BTreeMap::new();
        for (name, value) in &fields {
            let number = value.as_f64().ok_or_else(|| format!("{name} is not a number"))?;
            values.insert(name.clone(), number);
        }
        let whole =
            |name: &str| fields.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
        match whole("version") {
            Some(1) => {}
            other => return Err(format!("version is {other:?}, this program reads {VERSION}")),
        }
        let step = whole("step").ok_or("step is missing")?;
        let epoch = values.remove("epoch").ok_or("epoch is missing")?;
        values.retain(|name, _| name != "version" && name != "step");
        Ok(Self { step, epoch, values })
    }

    /// Whether it is an evaluation.
    #[must_use]
    pub fn is_evaluation(&self) -> bool {
        self.values.contains_key("eval_loss")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_flat_json() {
        let values = BTreeMap::from([("loss".to_owned(), 0.5), ("rewards/margins".to_owned(), -1e-7)]);
        let line = Record { step: 3, epoch: 0.25, values }.line();
        assert_eq!(line, "{\"epoch\":0.25,\"loss\":0.5,\"rewards/margins\":-1e-7,\"step\":3,\"version\":1}\n");
    }

    #[test]
    fn other_lines_are_refused() {
        for line in ["", "{}", "[1]", r#"{"version":2,"step":1,"epoch":0}"#, r#"{"version":1,"step":1,"epoch":null}"#] {
            assert!(Record::parse(line).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn records_survive_a_round_trip(
            step in any::<u32>(),
            epoch in 0f64..10.0,
            values in prop::collection::btree_map("[a-d]{3,8}", prop::num::f64::NORMAL, 0..5),
        ) {
            let record = Record { step: step as usize, epoch, values };
            prop_assert_eq!(Record::parse(&record.line()), Ok(record));
        }
    }
}
