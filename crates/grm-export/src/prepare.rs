//! Samples become rows: placeholders, an explicit system message, exact lengths; what engines would choke on is refused.

use std::collections::{BTreeMap, BTreeSet};

use grm_core::{Form, MediaRef, Part, Role};

use crate::{
    error::ExportError,
    export::ExportSettings,
    media::MediaKind,
    refusal::{Refusal, Refused},
    row::{Row, RowAnswer, RowMessage, content},
    sample::{Answer, PromptMessage, Sample},
    store::MediaStore,
    token_count::TokenCounter,
};

/// Rows of one file, and what was left out of it.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) rows: Vec<Row>,
    pub(crate) refused: Vec<Refused>,
    /// Prompts in which `<image>` and its like were written `< image>`.
    pub(crate) escaped: usize,
    /// Distinct media files by kind.
    pub(crate) media: BTreeMap<MediaKind, BTreeSet<String>>,
}

/// What rows are made with.
pub(crate) struct Preparer<'a> {
    pub(crate) settings: &'a ExportSettings,
    pub(crate) tokens: &'a TokenCounter,
    pub(crate) store: &'a mut MediaStore,
}

/// A row and whether something in it was escaped, or why there is none.
type Made = Result<(Row, bool), (Refusal, String)>;

impl Preparer<'_> {
    pub(crate) fn prepare(&mut self, samples: &[Sample]) -> Result<Prepared, ExportError> {
        let (mut prepared, mut ids, mut said) = (Prepared::default(), BTreeMap::new(), BTreeMap::new());
        for sample in samples {
            let id = numbered(&mut ids, format!("{}/{}", sample.pair, form(&sample.answer)));
            let made = self.row(sample, id.clone())?;
            match made.and_then(|(row, is_escaped)| new(row, &mut said).map(|row| (row, is_escaped))) {
                Ok((row, is_escaped)) => {
                    prepared.escaped += usize::from(is_escaped);
                    for kind in MediaKind::ALL {
                        let files = row.files(kind).iter().cloned();
                        prepared.media.entry(kind).or_default().extend(files);
                    }
                    prepared.rows.push(row);
                }
                Err((reason, detail)) => prepared.refused.push(Refused { id, reason, detail }),
            }
        }
        Ok(prepared)
    }

    /// The row and whether something in it was escaped.
    fn row(&mut self, sample: &Sample, id: String) -> Result<Made, ExportError> {
        let texts = match self.texts(sample) {
            Ok(texts) => texts,
            Err(refused) => return Ok(Err(refused)),
        };
        let answer = match &sample.answer {
            Answer::Target { text, .. } => RowAnswer::Target(text.clone()),
            Answer::Preference { chosen, rejected } => RowAnswer::Preference([chosen.clone(), rejected.clone()]),
        };
        let mut longest = 0;
        for text in answer.texts() {
            longest = longest.max(self.tokens.answer(text)?);
        }
        let tokens = self.tokens.prompt(&texts.prompt)? + texts.media_tokens + longest;
        if tokens > self.settings.cutoff_tokens {
            return Ok(Err((Refusal::OverCutoff, format!("{tokens} tokens"))));
        }
        let form = form(&sample.answer);
        Ok(Ok((Row { id, form, prompt: texts.prompt, answer, media: texts.media, tokens }, texts.is_escaped)))
    }

    fn texts(&mut self, sample: &Sample) -> Result<Texts, (Refusal, String)> {
        check_answer(&sample.answer, self.tokens)?;
        let mut texts = Texts::default();
        if sample.prompt.first().is_none_or(|first| first.role != Role::System) {
            texts.prompt.push(RowMessage { role: Role::System, content: self.settings.system.clone() });
        }
        for message in &sample.prompt {
            let content = self.content(message, &mut texts)?;
            texts.prompt.push(RowMessage { role: message.role, content });
        }
        check_turns(&texts.prompt)?;
        Ok(texts)
    }

    fn content(&mut self, message: &PromptMessage, texts: &mut Texts) -> Result<String, (Refusal, String)> {
        let mut content = String::new();
        for part in &message.parts {
            let (kind, media) = match part {
                Part::Text { text } => {
                    if let Some(token) = self.tokens.control_token(text) {
                        return Err((Refusal::ControlToken, format!("{token} in the prompt")));
                    }
                    let harmless = escape(text);
                    texts.is_escaped |= harmless != *text;
                    content.push_str(&harmless);
                    continue;
                }
                Part::Image { media } => (MediaKind::Image, media),
                Part::Video { media } => (MediaKind::Video, media),
                Part::Audio { media } => (MediaKind::Audio, media),
            };
            self.show(kind, media, texts)?;
            content.push_str(kind.placeholder());
        }
        Ok(content)
    }

    fn show(&mut self, kind: MediaKind, media: &MediaRef, texts: &mut Texts) -> Result<(), (Refusal, String)> {
        let engine = self.settings.engine;
        if engine == crate::Engine::Trl && kind != MediaKind::Image {
            return Err((Refusal::EngineLacksKind, kind.as_str().to_owned()));
        }
        let stored = self.store.take(kind, media)?;
        let unusable = |what: String| (Refusal::MediaUnusable, format!("{}: {what}", media.path));
        texts.media_tokens += self.settings.caps.tokens(engine, stored.facts).map_err(unusable)?;
        texts.media[kind as usize].push(stored.path);
        Ok(())
    }
}

/// A prompt in the making.
#[derive(Default)]
struct Texts {
    prompt: Vec<RowMessage>,
    media: [Vec<String>; 3],
    media_tokens: usize,
    is_escaped: bool,
}

fn form(answer: &Answer) -> &'static str {
    match answer {
        Answer::Target { form: Form::Thinking, .. } => "thinking",
        Answer::Target { form: Form::NonThinking, .. } => "non_thinking",
        Answer::Preference { .. } => "preference",
    }
}

/// The row, unless an earlier one says the same; `said` knows what was said by whom.
fn new(row: Row, said: &mut BTreeMap<String, String>) -> Result<Row, (Refusal, String)> {
    let said_before = said.entry(content(&row.prompt, &row.answer, &row.media)).or_insert_with(|| row.id.clone());
    if *said_before == row.id { Ok(row) } else { Err((Refusal::Duplicate, format!("as {said_before}"))) }
}

/// `id`, and from its second appearance on `id#2`, `id#3`.
fn numbered(ids: &mut BTreeMap<String, usize>, id: String) -> String {
    let count = ids.entry(id.clone()).or_default();
    *count += 1;
    if *count == 1 { id } else { format!("{id}#{count}") }
}

/// A prompt may quote a placeholder; a space keeps engines from taking it for a file.
fn escape(text: &str) -> String {
    MediaKind::ALL.into_iter().fold(text.to_owned(), |text, kind| {
        let placeholder = kind.placeholder();
        text.replace(placeholder, &format!("< {}", &placeholder[1..]))
    })
}

fn check_answer(answer: &Answer, tokens: &TokenCounter) -> Result<(), (Refusal, String)> {
    let texts = match answer {
        Answer::Target { text, .. } => vec![text],
        Answer::Preference { chosen, rejected } => vec![chosen, rejected],
    };
    for text in &texts {
        if text.trim().is_empty() {
            return Err((Refusal::EmptyAnswer, String::new()));
        }
        if let Some(kind) = MediaKind::ALL.into_iter().find(|kind| text.contains(kind.placeholder())) {
            return Err((Refusal::LiteralPlaceholder, kind.placeholder().to_owned()));
        }
        if let Some(token) = tokens.control_token(text) {
            return Err((Refusal::ControlToken, format!("{token} in what is to be learnt")));
        }
    }
    match texts.as_slice() {
        [chosen, rejected] if chosen == rejected => Err((Refusal::SameAnswers, String::new())),
        _ => Ok(()),
    }
}

/// A system message, then user, assistant, …, user.
fn check_turns(prompt: &[RowMessage]) -> Result<(), (Refusal, String)> {
    let expected = |index: usize| match index {
        0 => Role::System,
        odd if odd % 2 == 1 => Role::User,
        _ => Role::Assistant,
    };
    let is_right = prompt.iter().enumerate().all(|(index, message)| message.role == expected(index));
    if is_right && prompt.len().is_multiple_of(2) {
        return Ok(());
    }
    let roles: Vec<&str> = prompt.iter().map(|message| message.role.as_str()).collect();
    Err((Refusal::TurnOrder, roles.join(", ")))
}
