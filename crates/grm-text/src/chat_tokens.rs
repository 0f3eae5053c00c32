//! Training rows from conversations: what a prompt and the reply to be learnt are in tokens.

use std::sync::Arc;

use grm_core::{ModelError, Role, Span};
use grm_gguf::GgufFile;

use crate::{
    template::{ChatTemplate, MediaWords, RenderOptions, Rendered, Stretch, TemplateMessage},
    tokenizer::{Tokenizer, TokenizerError},
};

/// One message of text, as training examples have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said: data, in which no control token is recognised.
    pub text: &'a str,
}

/// A conversation in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRow {
    /// The rendered prompt up to where the reply begins, exactly as it is given to a model that is to reply.
    pub prompt: Vec<u32>,
    /// Tokens of the prompt up to the end of what its last turn says, before the template goes on.
    pub prompt_end: usize,
    /// The reply, the token that ends its turn, and what the template writes after it.
    pub target: Vec<u32>,
    /// Tokens of the target up to and with the one that ends the turn: where a reward is read.
    pub turn_end: usize,
}

/// Why a conversation is no training row. Its place in the data is for the caller to add.
#[derive(Debug, thiserror::Error)]
pub enum ChatTokensError {
    /// The template failed.
    #[error(transparent)]
    Template(#[from] ModelError),
    /// The tokenizer failed, or could not be made.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// With the reply, the template writes something else before it than without.
    #[error(
        "the chat template of {model} opens a reply to come with {opening:?}, but a reply that is there with {found:?}, so \
         that what is learnt would not be what is asked; render with thinking switched off, or use another template"
    )]
    Opening {
        /// The model.
        model: String,
        /// The end of the prompt.
        opening: String,
        /// What stands there once the reply is known.
        found: String,
    },
    /// Nothing the template writes after a reply ends the turn.
    #[error(
        "the chat template of {model} writes {closing:?} after a reply, which has no token that ends the turn; \
         a model trained on it would never stop, use the template of a chat model"
    )]
    Unclosed {
        /// The model.
        model: String,
        /// What follows the reply.
        closing: String,
    },
}

/// A tokenizer and a chat template that belong together.
#[derive(Debug)]
pub struct ChatTokens {
    model: String,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    thinking: Option<bool>,
}

impl ChatTokens {
    /// Puts the two together; `model` is the name errors tell, and `source` the template's Jinja text (ChatML without).
    pub fn new(model: &str, tokenizer: Tokenizer, source: Option<&str>) -> Result<Self, ChatTokensError> {
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.token(id)).unwrap_or_default();
        let (bos, eos) = (text(tokenizer.special().bos), text(tokenizer.special().eos));
        let template = ChatTemplate::new(model, source, bos, eos)?;
        Ok(Self { model: model.to_owned(), tokenizer, template, thinking: None })
    }

    /// Takes both from a GGUF file.
    pub fn from_gguf(file: &GgufFile) -> Result<Self, ChatTokensError> {
        let header = file.header();
        let name = header.name.clone().unwrap_or_else(|| file.path().display().to_string());
        Self::new(&name, Tokenizer::from_gguf(file.metadata())?, header.chat_template.as_deref())
    }

    /// Sets `enable_thinking` for the template; models that think before they reply are trained with it off.
    #[must_use]
    pub fn with_thinking(self, thinking: Option<bool>) -> Self {
        Self { thinking, ..self }
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The same for a model that sees and hears: where a medium stands, these words do.
    #[must_use]
    pub fn with_media(self, words: MediaWords) -> Self {
        Self { template: self.template.with_media(words), ..self }
    }

    /// The prompt in tokens, ending where a reply begins.
    pub fn prompt(&self, turns: &[Turn]) -> Result<Vec<u32>, ChatTokensError> {
        let spans = spans_of(turns);
        self.prompt_of(&messages_of(turns, &spans), self.thinking)
    }

    /// The same for messages of several spans; each medium is its placeholder, once. `thinking` as the template sees it.
    pub fn prompt_of(&self, messages: &[TemplateMessage], thinking: Option<bool>) -> Result<Vec<u32>, ChatTokensError> {
        let options = RenderOptions { generation_prompt: true, thinking, ..RenderOptions::default() };
        Ok(self.tokenizer.encode(&self.template.render(messages, options)?.stretches)?)
    }

    /// A prompt and a reply in tokens. Each is cut on its own, as when the reply is generated.
    pub fn row(&self, prompt: &[Turn], reply: &str) -> Result<ChatRow, ChatTokensError> {
        let spans = spans_of(prompt);
        self.row_of(&messages_of(prompt, &spans), &[Span::Content(Arc::from(reply))])
    }

    /// The same for messages and a reply of several spans; each medium is its placeholder, once.
    pub fn row_of(&self, prompt: &[TemplateMessage], reply: &[Span]) -> Result<ChatRow, ChatTokensError> {
        let Rendered { stretches: before, shared } = self.rendered(prompt, true)?;
        let closing = self.closing(prompt, &before)?;
        let closing_tokens =
            |text: &str| self.tokenizer.encode_more(&[Stretch { text: text.to_owned(), special: true }]);
        let mut target = self.tokenizer.encode_more(&self.template.said(reply)?)?;
        let ending = closing_tokens(&closing)?;
        // As where a reward is read: at the token that ends the turn, not at white space after it.
        let turn_end = target.len() + closing_tokens(closing.trim_end())?.len();
        if !ending.iter().any(|&id| self.tokenizer.is_control(id)) {
            return Err(ChatTokensError::Unclosed { model: self.model.clone(), closing });
        }
        target.extend(ending);
        let prompt_end = if shared == 0 { 0 } else { self.tokenizer.encode(&before[..shared])?.len() };
        Ok(ChatRow { prompt: self.tokenizer.encode(&before)?, prompt_end, target, turn_end })
    }

    /// What the template writes after a reply. Templates never see what is said, so any reply shows it.
    fn closing(&self, prompt: &[TemplateMessage], before: &[Stretch]) -> Result<String, ChatTokensError> {
        const REPLY: &str = "reply";
        let reply = [Span::Content(Arc::from(REPLY))];
        let turn = TemplateMessage { role: Role::Assistant, spans: &reply };
        let with_reply: Vec<TemplateMessage> = prompt.iter().cloned().chain([turn]).collect();
        let whole = self.rendered(&with_reply, false)?.stretches;
        let reply = Stretch { text: REPLY.to_owned(), special: false };
        match whole.strip_prefix(before) {
            Some([first, rest @ ..]) if *first == reply => {
                Ok(rest.iter().map(|stretch| stretch.text.as_str()).collect())
            }
            _ => Err(ChatTokensError::Opening {
                model: self.model.clone(),
                opening: last_words(before),
                found: last_words(whole.split(|stretch| *stretch == reply).next().unwrap_or_default()),
            }),
        }
    }

    fn rendered(&self, messages: &[TemplateMessage], generation_prompt: bool) -> Result<Rendered, ChatTokensError> {
        let shared_spans = messages.iter().map(|message| message.spans.len()).sum();
        let options = RenderOptions { generation_prompt, thinking: self.thinking, shared_spans };
        Ok(self.template.render(messages, options)?)
    }
}

fn spans_of(turns: &[Turn]) -> Vec<[Span; 1]> {
    turns.iter().map(|turn| [Span::Content(Arc::from(turn.text))]).collect()
}

fn messages_of<'a>(turns: &[Turn], spans: &'a [[Span; 1]]) -> Vec<TemplateMessage<'a>> {
    turns.iter().zip(spans).map(|(turn, spans)| TemplateMessage { role: turn.role, spans }).collect()
}

/// The end of the last stretch, short enough for a message.
fn last_words(stretches: &[Stretch]) -> String {
    let text = stretches.last().map_or("", |stretch| stretch.text.as_str());
    let from = text.char_indices().rev().nth(59).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}
