//! Hidden states of a model over a prompt and a response: the features a reward head is laid over.

use std::sync::Arc;

use grm_core::{ModelError, Part, Prompt, Response, Role, Span, Turn};
use grm_text::{RenderOptions, TemplateMessage};

use crate::{
    engine::{Engine, EngineConfig, Lane, LaneConfig},
    models::ResolvedModel,
    scheduler::{EngineStats, Job},
    weights::{Tokens, Weights},
    worker::{Command, Hidden},
};

/// Tokens of prompt and response together, at most; longer prompts lose their beginning.
pub const TEXT_TOKENS_MAX: usize = 2048;
/// Cuts are made in steps, so that responses to one prompt are usually cut alike and still share it.
const CUT_STEP: usize = 128;

/// How prompt and response are laid out as text, and which state is read. The name is part of a head's file: a head
/// is only ever used with the form it was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextForm {
    /// The response as the assistant's turn; the state at the token that ends the turn.
    ChatLast,
    /// The same text; the mean of the states from the end of the prompt on.
    ChatMean,
    /// The same text; both of the above, one after the other.
    ChatBoth,
    /// A question about the reply follows it; the state where the answer would begin.
    QuestionLast,
}

impl TextForm {
    /// All forms.
    pub const ALL: [Self; 4] = [Self::ChatLast, Self::ChatMean, Self::ChatBoth, Self::QuestionLast];

    /// The name written into head files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatLast => "chat-last-1",
            Self::ChatMean => "chat-mean-1",
            Self::ChatBoth => "chat-last-mean-1",
            Self::QuestionLast => "question-last-1",
        }
    }

    /// The form with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    /// Features of a text, for a model whose states have `width` numbers.
    #[must_use]
    pub fn feature_count(self, width: usize) -> usize {
        match self {
            Self::ChatLast | Self::ChatMean | Self::QuestionLast => width,
            Self::ChatBoth => 2 * width,
        }
    }

    fn question(self) -> Option<&'static str> {
        match self {
            Self::ChatLast | Self::ChatMean | Self::ChatBoth => None,
            Self::QuestionLast => Some(
                "Was your last reply helpful, honest and harmless, so that a careful person would prefer it? \
                 Answer yes or no.",
            ),
        }
    }
}

/// A state read over one prompt and response.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenState {
    /// The features of the form.
    pub values: Vec<f32>,
    /// Tokens cut from the prompt's beginning to fit [`TEXT_TOKENS_MAX`].
    pub cut_tokens: usize,
}

/// A model read for its hidden states. Calls made at the same time share batches, and responses to one prompt share
/// its computation.
#[derive(Debug)]
pub struct HiddenStates {
    weights: Arc<Weights>,
    lane: Lane,
    adapter: String,
}

impl HiddenStates {
    /// Loads a model for this use alone.
    pub fn load(config: EngineConfig) -> Result<Self, ModelError> {
        let adapter = crate::engine::one_adapter(&config)?;
        let lane_config = LaneConfig::of(&config, true);
        let (weights, adapter) = Weights::load(config.model, config.gpu_layers, adapter)?;
        let identity = adapter.as_ref().map(|adapter| adapter.identity.clone()).unwrap_or_default();
        let lane = Lane::start(&weights, adapter, lane_config)?;
        Ok(Self { weights, lane, adapter: identity })
    }

    /// Reads the weights an engine has loaded, through a cache of its own; the engine's adapter is not applied.
    pub fn on(engine: &Engine, config: &EngineConfig) -> Result<Self, ModelError> {
        let weights = Arc::clone(&engine.weights);
        let lane = Lane::start(&weights, None, LaneConfig::of(config, true))?;
        Ok(Self { weights, lane, adapter: String::new() })
    }

    /// The model that is read.
    #[must_use]
    pub fn model(&self) -> &ResolvedModel {
        &self.weights.source
    }

    /// Hash and scale of the adapter laid over it; empty if none.
    #[must_use]
    pub fn adapter(&self) -> &str {
        &self.adapter
    }

    /// Numbers in a state.
    #[must_use]
    pub fn width(&self) -> usize {
        self.weights.width()
    }

    /// How much was computed and how much was saved so far.
    pub async fn stats(&self) -> Result<EngineStats, ModelError> {
        self.lane.ask(Command::Stats).await
    }

    /// Reads the state of `response` as a reply to `prompt`. A prompt that does not fit loses its beginning, counted in
    /// the answer; a response that does not fit alone is an error.
    pub async fn read(&self, prompt: &Prompt, response: &Response, form: TextForm) -> Result<HiddenState, ModelError> {
        let (tokens, cut_tokens) = self.tokens(prompt, response, form)?;
        let Tokens { ids, shared } = tokens;
        let job = Job { prompt: ids, shared, reusable: shared, reply_tokens_max: 0 };
        let Hidden { last, mean } = self.lane.ask(|reply| Command::Hidden(job, reply)).await??;
        let values = match form {
            TextForm::ChatLast | TextForm::QuestionLast => last,
            TextForm::ChatMean => mean,
            TextForm::ChatBoth => [last, mean].concat(),
        };
        Ok(HiddenState { values, cut_tokens })
    }

    fn tokens(&self, prompt: &Prompt, response: &Response, form: TextForm) -> Result<(Tokens, usize), ModelError> {
        let mut messages: Vec<(Role, Vec<Span>)> = prompt.turns.iter().map(turn_message).collect();
        let shared_spans = messages.iter().map(|(_, spans)| spans.len()).sum();
        messages.push((Role::Assistant, spans(&response.parts)));
        if let Some(question) = form.question() {
            messages.push((Role::User, vec![Span::Template(Arc::from(question))]));
        }
        let messages: Vec<TemplateMessage> =
            messages.iter().map(|(role, spans)| TemplateMessage { role: *role, spans }).collect();
        let generation_prompt = form.question().is_some();
        let options = RenderOptions { generation_prompt, thinking: None, shared_spans };
        let mut rendered = self.weights.template.render(&messages, options)?;
        if let Some(last) = rendered.stretches.last_mut().filter(|last| last.special && !generation_prompt) {
            // The state is read at the token that ends the turn, not at white space after it.
            last.text.truncate(last.text.trim_end().len());
        }
        cut(self.weights.tokenize(&rendered), TEXT_TOKENS_MAX.min(self.lane.limit))
    }
}

fn turn_message(turn: &Turn) -> (Role, Vec<Span>) {
    (turn.role, spans(&turn.parts))
}

fn spans(parts: &[Part]) -> Vec<Span> {
    let mut spans = Vec::with_capacity(parts.len());
    for part in parts {
        if !spans.is_empty() {
            spans.push(Span::Template(Arc::from("\n")));
        }
        spans.push(match part {
            Part::Text { text } => Span::Content(Arc::from(text.as_str())),
            Part::Image { media } => Span::Image(media.clone()),
            Part::Video { media } => Span::Video(media.clone()),
            Part::Audio { media } => Span::Audio(media.clone()),
        });
    }
    spans
}

/// Drops tokens from the prompt's beginning until all fit, and says how many.
fn cut(mut tokens: Tokens, limit: usize) -> Result<(Tokens, usize), ModelError> {
    let length = tokens.ids.len();
    let excess = length.saturating_sub(limit);
    if excess == 0 {
        return Ok((tokens, 0));
    }
    if excess > tokens.shared {
        return Err(ModelError::PromptTooLong {
            tokens: (length - tokens.shared) as u64,
            reserved: 0,
            limit: limit as u64,
        });
    }
    let dropped = excess.next_multiple_of(CUT_STEP).min(tokens.shared);
    tokens.ids.drain(..dropped);
    tokens.shared -= dropped;
    Ok((tokens, dropped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(length: usize, shared: usize) -> Tokens {
        Tokens { ids: (0..).take(length).collect(), shared }
    }

    #[test]
    fn a_long_prompt_loses_its_beginning_and_the_response_never_does() {
        let (kept, dropped) = cut(tokens(1000, 800), 900).expect("fits after the cut");
        assert_eq!((dropped, kept.ids.len(), kept.ids[0], kept.shared), (128, 872, 128, 672));
        let (kept, dropped) = cut(tokens(1000, 110), 900).expect("fits after the cut");
        assert_eq!((dropped, kept.ids.len(), kept.shared), (110, 890, 0));
        let error = cut(tokens(1000, 90), 900).expect_err("the response alone is too long");
        assert!(matches!(error, ModelError::PromptTooLong { tokens: 910, limit: 900, .. }), "{error:?}");
        assert_eq!(cut(tokens(900, 90), 900).expect("fits"), (tokens(900, 90), 0));
    }

    #[test]
    fn form_names_are_read_back() {
        for form in TextForm::ALL {
            assert_eq!(TextForm::from_name(form.name()), Some(form));
        }
        assert_eq!(TextForm::from_name("chat"), None);
    }
}
