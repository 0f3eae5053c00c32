//! A pair as its shape gave it, and whether it can be judged.

use grm_core::{Choice, Prompt, Response, Role};

use crate::Problem;

/// A pair before ids are made unique and responses are placed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    pub(crate) id: Option<String>,
    pub(crate) prompt: Prompt,
    pub(crate) responses: [Response; 2],
    /// What the file calls the two responses.
    pub(crate) names: [&'static str; 2],
    pub(crate) known: Known,
}

/// What the record says about which response is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// The first was chosen; the two may be placed either way round.
    FirstChosen,
    /// The order is the record's own, and this one is better.
    Label(Choice),
    /// The order is the record's own, and nobody says.
    Nothing,
}

impl Draft {
    /// Refuses what no judge could make sense of.
    pub(crate) fn check(&self, max_text_bytes: usize) -> Result<(), Problem> {
        let prompt: Vec<String> = self.prompt.turns.iter().map(|turn| turn.joined_text()).collect();
        within("the prompt", prompt.iter().map(String::len).sum(), max_text_bytes)?;
        if self.prompt.is_text_only() && prompt.iter().all(|text| text.trim().is_empty()) {
            return Err(Problem::EmptyPrompt);
        }
        if self.prompt.turns.last().is_none_or(|turn| turn.role != Role::User) {
            return Err(Problem::PromptNotOpen);
        }
        let texts = self.responses.each_ref().map(Response::joined_text);
        for ((text, name), response) in texts.iter().zip(self.names).zip(&self.responses) {
            within(&format!("`{name}`"), text.len(), max_text_bytes)?;
            if text.trim().is_empty() && response.is_text_only() {
                return Err(Problem::EmptyResponse { field: format!("`{name}`") });
            }
        }
        match &self.responses {
            [first, second] if !first.is_text_only() && first == second => Err(Problem::SameMedia),
            [first, second] if !first.is_text_only() || !second.is_text_only() => Ok(()),
            _ if texts[0].trim() == texts[1].trim() => Err(Problem::SameResponses),
            _ => Ok(()),
        }
    }
}

fn within(field: &str, bytes: usize, limit: usize) -> Result<(), Problem> {
    if bytes > limit { Err(Problem::TextTooLong { field: field.to_owned(), bytes, limit }) } else { Ok(()) }
}
