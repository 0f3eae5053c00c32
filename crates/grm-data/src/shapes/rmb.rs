//! RMB's pairwise files: `conversation_input`, and the two answers under `chosen.answer` and `reject.answer`.

use grm_core::{Prompt, Response};

use super::id;
use crate::ReadError;
use crate::messages::Said;
use crate::records::ReadOptions;
use crate::row::Row;
use crate::usable::{Draft, Known};

pub(super) fn read(row: &Row, options: &ReadOptions) -> Result<Draft, ReadError> {
    let prompt = match row.said("conversation_input", options.media)? {
        Said::Text(text) => Prompt::from_text(text),
        Said::Turns(turns) => Prompt { turns },
    };
    Ok(Draft {
        id: id(row)?,
        prompt,
        responses: [answer(row, "chosen")?, answer(row, "reject")?],
        names: ["chosen.answer", "reject.answer"],
        known: Known::FirstChosen,
    })
}

fn answer(row: &Row, name: &str) -> Result<Response, ReadError> {
    let value = row.required(name)?;
    let path = format!("{name}.answer");
    let answer = value.get("answer").ok_or_else(|| row.wrong_kind(name, "an object with `answer`", value))?;
    row.text(&path, answer).map(Response::from_text)
}
