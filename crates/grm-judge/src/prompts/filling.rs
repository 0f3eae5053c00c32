//! Skeletons to spans: other people's text and media put in their places.

use std::sync::Arc;

use grm_core::{Criterion, Part, Prompt, Response, Role, Span};

use super::template::{Piece, Skeleton, Slot};
use crate::sanitize::Sanitize;

/// What there is to fill in; a template asks for some of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filling<'a> {
    pub(super) sanitize: Sanitize,
    pub(super) prompt: Option<&'a Prompt>,
    pub(super) responses: [Option<&'a Response>; 2],
    pub(super) criteria: &'a [Criterion],
    pub(super) count: usize,
    pub(super) critique: &'a str,
}

impl Filling<'_> {
    pub(super) fn spans(&self, skeleton: &Skeleton) -> Vec<Span> {
        let mut spans = Vec::with_capacity(skeleton.pieces.len() + 8);
        for piece in &skeleton.pieces {
            match piece {
                Piece::Text(text) => spans.push(Span::Template(text.clone())),
                Piece::Slot(slot) => self.fill(*slot, &mut spans),
            }
        }
        spans
    }

    fn fill(&self, slot: Slot, spans: &mut Vec<Span>) {
        match slot {
            Slot::Conversation => self.conversation(spans),
            Slot::ResponseA | Slot::Response => self.response(self.responses[0], spans),
            Slot::ResponseB => self.response(self.responses[1], spans),
            Slot::Given | Slot::Criteria => self.criteria(spans),
            Slot::Count => spans.push(template(&self.count.to_string())),
            Slot::Critique => self.content(self.critique, spans),
        }
    }

    fn conversation(&self, spans: &mut Vec<Span>) {
        for (index, turn) in self.prompt.iter().flat_map(|prompt| &prompt.turns).enumerate() {
            let speaker = match turn.role {
                Role::System => "System: ",
                Role::User => "User: ",
                Role::Assistant => "Assistant: ",
            };
            spans.push(if index == 0 { template(speaker) } else { template(&format!("\n\n{speaker}")) });
            self.parts(&turn.parts, spans);
        }
    }

    fn response(&self, response: Option<&Response>, spans: &mut Vec<Span>) {
        if let Some(response) = response {
            self.parts(&response.parts, spans);
        }
    }

    /// Texts that meet are joined before they are made inert, so that none completes a sequence of its neighbour;
    /// media stand on lines of their own.
    fn parts(&self, parts: &[Part], spans: &mut Vec<Span>) {
        let mut texts: Vec<&str> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let media = match part {
                Part::Text { text } => {
                    texts.push(text);
                    continue;
                }
                Part::Image { media } => Span::Image(media.clone()),
                Part::Video { media } => Span::Video(media.clone()),
                Part::Audio { media } => Span::Audio(media.clone()),
            };
            self.content(&texts.join("\n"), spans);
            texts.clear();
            if index > 0 {
                spans.push(template("\n"));
            }
            spans.push(media);
            if matches!(parts.get(index + 1), Some(Part::Text { .. })) {
                spans.push(template("\n"));
            }
        }
        self.content(&texts.join("\n"), spans);
    }

    fn criteria(&self, spans: &mut Vec<Span>) {
        for (index, criterion) in self.criteria.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            spans.push(template(&format!("{line_break}{}. **", index + 1)));
            self.content(&criterion.name, spans);
            spans.push(template("**: "));
            self.content(&criterion.explanation, spans);
        }
    }

    fn content(&self, text: &str, spans: &mut Vec<Span>) {
        if !text.is_empty() {
            spans.push(Span::Content(Arc::from(&*self.sanitize.apply(text))));
        }
    }
}

fn template(text: &str) -> Span {
    Span::Template(Arc::from(text))
}
