//! The prompts: templates of ours around other people's text.
//!
//! Templates are rendered once, when they are loaded, with a placeholder for everything that belongs to a
//! comparison; what remains is a list of our words and places to fill. So no user's text ever passes the template
//! engine, it keeps its own spans, and asking costs a few reference counts.
//!
//! A user message starts with what all calls of one pair and order share (conversation, responses) and ends with the
//! task, so an engine with a prefix cache computes the shared part once.

mod filling;
mod template;

use std::path::Path;
use std::sync::Arc;

use grm_core::{Comparison, Criterion, Form, Message, Prompt, Response, Role, Span};

use crate::sanitize::{Originals, Sanitize};
use filling::Filling;
pub use template::PromptError;
use template::{Skeleton, Sources};

/// All templates, ready to be filled.
#[derive(Debug, Clone)]
pub struct Prompts {
    sanitize: Sanitize,
    pair: Opening,
    media_pair: Opening,
    response: Opening,
    first_criteria: Tail,
    first_criterion: Tail,
    more_criteria: Tail,
    one_more_criterion: Tail,
    judgment: Tail,
    combined: Tail,
    direct_thinking: Tail,
    direct_verdict: Tail,
    refinement: Tail,
}

/// What opens a family of prompts: its system message and the frame of the material.
#[derive(Debug, Clone)]
struct Opening {
    system: Arc<str>,
    material: Skeleton,
}

/// What closes a prompt: the task, and the hash of all templates the prompt is made of, by what opens it.
#[derive(Debug, Clone)]
struct Tail {
    task: Skeleton,
    template: Arc<str>,
    template_for_media: Arc<str>,
}

/// The spans every call about one comparison, in one order, shares. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PairContext(Shared);

/// The spans every revision of one response shares, and what was neutralised in them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ResponseContext {
    shared: Shared,
    originals: Arc<Originals>,
}

#[derive(Debug, Clone)]
struct Shared {
    system: Arc<str>,
    material: Arc<[Span]>,
    /// A response is a picture, clip or sound, and the system message says so.
    shows_media: bool,
}

/// A prompt ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// A system and a user message.
    pub messages: Vec<Message>,
    /// How many leading spans, counted through all messages, are the context's.
    pub shared_spans: usize,
    /// The first 16 hex digits of the BLAKE3 of all template texts used.
    pub template: Arc<str>,
}

impl Prompts {
    /// The templates this program comes with.
    #[must_use]
    pub fn builtin() -> Self {
        #[expect(clippy::expect_used, reason = "tested: the built-in templates load")]
        Self::load(&Sources::builtin()).expect("the built-in templates load")
    }

    /// The built-in templates, with those replaced that `folder` has a file for (`judgment.j2`, `system.j2`, …).
    pub fn with_overrides(folder: &Path) -> Result<Self, PromptError> {
        Self::load(&Sources::with_overrides(folder)?)
    }

    /// The same prompts under another rule for reserved sequences; the default neutralises them.
    #[must_use]
    pub fn sanitize(self, sanitize: Sanitize) -> Self {
        Self { sanitize, ..self }
    }

    fn load(sources: &Sources) -> Result<Self, PromptError> {
        let tail = |[plain, media, material]: [&str; 3], name: &str, flags: &[&str]| -> Result<Tail, PromptError> {
            let hash = |system| sources.hash(&[system, material, name]);
            let (template, template_for_media) = (hash(plain), hash(media));
            Ok(Tail { task: sources.skeleton(name, flags)?, template, template_for_media })
        };
        let pair = |name: &str, flags: &[&str]| tail(["system.j2", "system_media.j2", "pair.j2"], name, flags);
        let revision = ["refinement_system.j2", "refinement_system.j2", "response.j2"];
        Ok(Self {
            sanitize: Sanitize::default(),
            pair: Opening::load(sources, ["system.j2", "pair.j2"])?,
            media_pair: Opening::load(sources, ["system_media.j2", "pair.j2"])?,
            response: Opening::load(sources, ["refinement_system.j2", "response.j2"])?,
            first_criteria: pair("criteria.j2", &[])?,
            first_criterion: pair("criteria.j2", &["single"])?,
            more_criteria: pair("criteria.j2", &["given"])?,
            one_more_criterion: pair("criteria.j2", &["given", "single"])?,
            judgment: pair("judgment.j2", &[])?,
            combined: pair("judgment.j2", &["several"])?,
            direct_thinking: pair("direct_thinking.j2", &[])?,
            direct_verdict: pair("direct_verdict.j2", &[])?,
            refinement: tail(revision, "refinement.j2", &[])?,
        })
    }

    /// The part all prompts about this comparison share. Where a response is a picture, clip or sound, the system
    /// message (`system_media.j2` instead of `system.j2`) speaks of what is shown and heard.
    #[must_use]
    pub fn pair(&self, comparison: &Comparison) -> PairContext {
        let [first, second] = &comparison.responses;
        let filling = Filling { sanitize: self.sanitize, prompt: Some(&comparison.prompt), ..Filling::default() };
        let filling = Filling { responses: [Some(first), Some(second)], ..filling };
        if comparison.has_text_responses() {
            return PairContext(self.pair.fill(&filling));
        }
        PairContext(Shared { shows_media: true, ..self.media_pair.fill(&filling) })
    }

    /// Asks for `count` criteria that repeat none of `given`.
    #[must_use]
    pub fn criteria(&self, pair: &PairContext, given: &[Criterion], count: usize) -> Rendered {
        let tail = match (given.is_empty(), count == 1) {
            (true, false) => &self.first_criteria,
            (true, true) => &self.first_criterion,
            (false, false) => &self.more_criteria,
            (false, true) => &self.one_more_criterion,
        };
        tail.after(&pair.0, &Filling { sanitize: self.sanitize, criteria: given, count, ..Filling::default() })
    }

    /// Asks for a judgment under one or more criteria.
    #[must_use]
    pub fn judgment(&self, pair: &PairContext, criteria: &[Criterion]) -> Rendered {
        let tail = if criteria.len() > 1 { &self.combined } else { &self.judgment };
        tail.after(&pair.0, &Filling { sanitize: self.sanitize, criteria, ..Filling::default() })
    }

    /// Asks for the verdict in one call.
    #[must_use]
    pub fn direct(&self, pair: &PairContext, form: Form) -> Rendered {
        let tail = match form {
            Form::Thinking => &self.direct_thinking,
            Form::NonThinking => &self.direct_verdict,
        };
        tail.after(&pair.0, &Filling::default())
    }

    /// The part all prompts about revising this response share.
    #[must_use]
    pub fn response(&self, prompt: &Prompt, response: &Response) -> ResponseContext {
        let filling = Filling {
            sanitize: self.sanitize,
            prompt: Some(prompt),
            responses: [Some(response), None],
            ..Filling::default()
        };
        let originals = match self.sanitize {
            Sanitize::Neutralise => originals(prompt, response),
            Sanitize::Off => Originals::default(),
        };
        ResponseContext { shared: self.response.fill(&filling), originals: Arc::new(originals) }
    }

    /// Asks for the response revised by one critique.
    #[must_use]
    pub fn refinement(&self, response: &ResponseContext, critique: &str) -> Rendered {
        let filling = Filling { sanitize: self.sanitize, critique, ..Filling::default() };
        self.refinement.after(&response.shared, &filling)
    }
}

impl ResponseContext {
    /// Gives a revision the exact sequences back that were neutralised in the response, and for look-alikes that
    /// occur only in the conversation those of the conversation.
    #[must_use]
    pub fn restore(&self, revised: &str) -> String {
        self.originals.restore(revised)
    }
}

fn originals(prompt: &Prompt, response: &Response) -> Originals {
    let conversation: Vec<String> = prompt.turns.iter().map(grm_core::Turn::joined_text).collect();
    Originals::of([response.joined_text().as_str()]).or(Originals::of(conversation.iter().map(String::as_str)))
}

impl Opening {
    fn load(sources: &Sources, [system, material]: [&str; 2]) -> Result<Self, PromptError> {
        let system = sources.skeleton(system, &[])?.plain_text();
        Ok(Self { system, material: sources.skeleton(material, &[])?.followed_by("\n\n") })
    }

    fn fill(&self, filling: &Filling<'_>) -> Shared {
        let material = filling.spans(&self.material).into();
        Shared { system: self.system.clone(), material, shows_media: false }
    }
}

impl Tail {
    fn after(&self, shared: &Shared, filling: &Filling<'_>) -> Rendered {
        let mut spans = shared.material.to_vec();
        spans.extend(filling.spans(&self.task));
        Rendered {
            messages: vec![
                Message { role: Role::System, spans: vec![Span::Template(shared.system.clone())] },
                Message { role: Role::User, spans },
            ],
            shared_spans: 1 + shared.material.len(),
            template: if shared.shows_media { &self.template_for_media } else { &self.template }.clone(),
        }
    }
}
