//! `prompt`, `chosen` and `rejected`, each text or messages: TRL's forms, RewardBench's columns and HH's transcripts.
//!
//! Where chosen and rejected hold whole conversations, what they share is the prompt and the last turn of each is the
//! response; `prompt` may then be missing, or repeat part of what they share.

use grm_core::{Prompt, Response, Role, Turn};

use super::{id, media};
use crate::messages::Said;
use crate::records::ReadOptions;
use crate::row::Row;
use crate::usable::{Draft, Known};
use crate::{Problem, ReadError, transcript};

const NAMES: [&str; 2] = ["chosen", "rejected"];

pub(super) fn read(row: &Row, options: &ReadOptions) -> Result<Draft, ReadError> {
    let [chosen, rejected] = NAMES.map(|name| said(row, name, options));
    let (prompt, responses) = match (chosen?, rejected?) {
        (Said::Text(chosen), Said::Text(rejected)) if !is_asked(row) => {
            from_transcripts(row, &chosen, &rejected, options)?
        }
        (Said::Turns(chosen), Said::Turns(rejected)) if chosen.len() > 1 || rejected.len() > 1 => {
            from_conversations(row, &chosen, &rejected, options)?
        }
        (..) => with_prompt(row, NAMES, options)?,
    };
    Ok(Draft { id: id(row)?, prompt, responses, names: NAMES, known: Known::FirstChosen })
}

/// The prompt and the two responses under these names.
pub(super) fn with_prompt(
    row: &Row,
    names: [&str; 2],
    options: &ReadOptions,
) -> Result<(Prompt, [Response; 2]), ReadError> {
    let prompt = opened(said(row, "prompt", options)?, options);
    let [first, second] = names.map(|name| reply(row, name, &prompt, options));
    Ok((prompt, [first?, second?]))
}

fn is_asked(row: &Row) -> bool {
    row.value("prompt").is_some() || media::stand_for(row, "prompt")
}

/// What a field says: no words where media stand for it.
fn said(row: &Row, name: &str, options: &ReadOptions) -> Result<Said, ReadError> {
    if row.value(name).is_none() && media::stand_for(row, name) {
        return Ok(Said::Text(String::new()));
    }
    row.said(name, options.media)
}

/// A prompt field as a prompt; a transcript stays one user text unless the options say otherwise.
fn opened(prompt: Said, options: &ReadOptions) -> Prompt {
    match prompt {
        Said::Turns(turns) => Prompt { turns },
        Said::Text(text) => match transcript::turns(&text).filter(|_| options.split_transcripts) {
            Some(turns) => Prompt { turns },
            None => Prompt::from_text(text),
        },
    }
}

/// A response field: text, a single assistant message, or the prompt's turns followed by one.
fn reply(row: &Row, name: &str, prompt: &Prompt, options: &ReadOptions) -> Result<Response, ReadError> {
    match said(row, name, options)? {
        Said::Text(text) => Ok(Response::from_text(text)),
        Said::Turns(turns) => one_reply(row, name, turns.strip_prefix(prompt.turns.as_slice()).unwrap_or(&turns)),
    }
}

fn one_reply(row: &Row, name: &str, turns: &[Turn]) -> Result<Response, ReadError> {
    match turns {
        [] => unusable(row, Problem::EmptyResponse { field: format!("`{name}`") }),
        [turn] if turn.role == Role::Assistant => Ok(Response { parts: turn.parts.clone() }),
        [turn] => {
            let found = format!("a {} message", turn.role.as_str());
            Err(row.shape(format!("an assistant message in `{name}`"), found, "the response is the assistant's turn"))
        }
        _ => unusable(row, Problem::SeveralTurns { field: format!("`{name}`"), turns: turns.len() }),
    }
}

fn from_conversations(
    row: &Row,
    chosen: &[Turn],
    rejected: &[Turn],
    options: &ReadOptions,
) -> Result<(Prompt, [Response; 2]), ReadError> {
    // Two equal conversations share even their last turn, which is then the response all the same.
    let most = chosen.len().min(rejected.len()).saturating_sub(1);
    let shared = chosen.iter().zip(rejected).take(most).take_while(|(left, right)| left == right).count();
    let prompt = Prompt { turns: chosen[..shared].to_vec() };
    if !repeats(row, &prompt, options)? {
        return unusable(row, Problem::DifferentPrompts);
    }
    let responses = [one_reply(row, NAMES[0], &chosen[shared..])?, one_reply(row, NAMES[1], &rejected[shared..])?];
    Ok((prompt, responses))
}

/// Whether the prompt field, if there is one, says the same as the conversations do: all of it, or its last user turn.
fn repeats(row: &Row, shared: &Prompt, options: &ReadOptions) -> Result<bool, ReadError> {
    if row.value("prompt").is_none() {
        return Ok(true);
    }
    Ok(match row.said("prompt", options.media)? {
        Said::Turns(turns) => shared.turns.ends_with(&turns),
        Said::Text(text) => {
            shared.turns.iter().any(|turn| turn.role == Role::User && turn.joined_text().trim() == text.trim())
        }
    })
}

fn from_transcripts(
    row: &Row,
    chosen: &str,
    rejected: &str,
    options: &ReadOptions,
) -> Result<(Prompt, [Response; 2]), ReadError> {
    let Some((prompt, responses)) = transcript::shared(chosen, rejected) else {
        let expected = "`prompt` beside `chosen` and `rejected`".into();
        let cure = "add `prompt`; only transcripts that begin with \"Human:\" or whole conversations can do without";
        return Err(row.shape(expected, row.keys(), cure));
    };
    Ok((opened(Said::Text(prompt.to_owned()), options), responses.map(Response::from_text)))
}

fn unusable<T>(row: &Row, problem: Problem) -> Result<T, ReadError> {
    Err(ReadError::Unusable { place: row.place.clone(), problem })
}
