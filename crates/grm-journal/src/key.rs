//! What makes two calls the same call.
//!
//! A key covers who answers, everything that is asked, the template, the step and the sample index. It leaves out
//! `pair`, which is for people, and `shared_spans`, which only tells a cache what to keep. Fields enter the hash with
//! their lengths, so no two different calls hash the same bytes.

use std::fmt;

use grm_core::{
    CallOrigin, ChatRequest, Grammar, MediaRef, Message, ModelIdentity, Part, Prompt, Response, RewardRequest, Role,
    Sampling, Span, Turn,
};

/// 128 bits that name one call; shown as 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey([u8; 16]);

impl CallKey {
    /// Hex digits in a written key.
    pub(crate) const HEX: usize = 32;

    /// The first 64 bits, enough to find candidates.
    pub(crate) fn fingerprint(&self) -> u64 {
        u64::from_be_bytes(std::array::from_fn(|place| self.0[place]))
    }

    /// Reads 32 lower-case hex digits.
    pub(crate) fn from_hex(hex: &[u8]) -> Option<Self> {
        if hex.len() != Self::HEX {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

fn digit(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'a'..=b'f' => Some(hex - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// The key of one question to a chat model.
#[must_use]
pub fn chat_key(model: &ModelIdentity, request: &ChatRequest) -> CallKey {
    let ChatRequest { messages, shared_spans: _, sampling, grammar, verdict_logprobs, thinking, origin } = request;
    let mut fields = Fields::new("chat");
    fields.identity(model);
    fields.origin(origin);
    fields.sampling(sampling);
    fields.option(grammar.as_ref(), |fields, Grammar { name, gbnf }| {
        fields.text(name);
        fields.text(gbnf);
    });
    fields.flag(*verdict_logprobs);
    fields.option(thinking.as_ref(), |fields, thinking| fields.flag(*thinking));
    fields.list(messages, Fields::message);
    fields.finish()
}

/// The key of one question to a reward model.
#[must_use]
pub fn reward_key(model: &ModelIdentity, request: &RewardRequest) -> CallKey {
    let RewardRequest { prompt: Prompt { turns }, response: Response { parts }, origin } = request;
    let mut fields = Fields::new("reward");
    fields.identity(model);
    fields.origin(origin);
    fields.list(turns, |fields, Turn { role, parts }| {
        fields.role(*role);
        fields.list(parts, Fields::part);
    });
    fields.list(parts, Fields::part);
    fields.finish()
}

/// A hasher fed with fields: every text has its length before it, every choice its own byte.
struct Fields(blake3::Hasher);

impl Fields {
    fn new(kind: &str) -> Self {
        let mut fields = Self(blake3::Hasher::new());
        fields.text("grm call key 1");
        fields.text(kind);
        fields
    }

    fn finish(self) -> CallKey {
        let hash = self.0.finalize();
        CallKey(std::array::from_fn(|place| hash.as_bytes()[place]))
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.tag(u8::from(flag));
    }

    fn tag(&mut self, tag: u8) {
        self.0.update(&[tag]);
    }

    fn option<T>(&mut self, value: Option<&T>, feed: impl FnOnce(&mut Self, &T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            feed(self, value);
        }
    }

    fn list<T>(&mut self, values: &[T], mut feed: impl FnMut(&mut Self, &T)) {
        self.number(values.len() as u64);
        for value in values {
            feed(self, value);
        }
    }

    fn identity(&mut self, ModelIdentity { name, revision, adapter }: &ModelIdentity) {
        self.text(name);
        self.text(revision);
        self.text(adapter);
    }

    fn origin(&mut self, CallOrigin { pair: _, step, sample, template }: &CallOrigin) {
        self.text(step.as_str());
        self.number(u64::from(*sample));
        self.text(template);
    }

    fn sampling(&mut self, Sampling { temperature, top_p, seed, max_tokens, stop }: &Sampling) {
        self.number(u64::from(temperature.to_bits()));
        self.number(u64::from(top_p.to_bits()));
        self.number(*seed);
        self.number(u64::from(*max_tokens));
        self.list(stop, |fields, stop| fields.text(stop));
    }

    fn role(&mut self, role: Role) {
        self.text(role.as_str());
    }

    fn message(&mut self, Message { role, spans }: &Message) {
        self.role(*role);
        self.list(spans, Self::span);
    }

    fn span(&mut self, span: &Span) {
        match span {
            Span::Template(text) => self.tagged_text(0, text),
            Span::Content(text) => self.tagged_text(1, text),
            Span::Image(media) => self.media(2, media),
            Span::Video(media) => self.media(3, media),
            Span::Audio(media) => self.media(4, media),
        }
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text } => self.tagged_text(1, text),
            Part::Image { media } => self.media(2, media),
            Part::Video { media } => self.media(3, media),
            Part::Audio { media } => self.media(4, media),
        }
    }

    fn tagged_text(&mut self, tag: u8, text: &str) {
        self.tag(tag);
        self.text(text);
    }

    /// By content alone: a folder that moves keeps its answers.
    fn media(&mut self, tag: u8, MediaRef { sha256, path: _ }: &MediaRef) {
        self.tagged_text(tag, sha256);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use grm_core::Step;

    use super::*;

    fn identity() -> ModelIdentity {
        ModelIdentity { name: "small".into(), revision: "r1".into(), adapter: String::new() }
    }

    fn origin() -> CallOrigin {
        CallOrigin { pair: "p".into(), step: Step::Judgment, sample: 0, template: "t".into() }
    }

    fn media(sha256: &str) -> MediaRef {
        MediaRef { sha256: sha256.into(), path: "a.png".into() }
    }

    fn request() -> ChatRequest {
        let spans = vec![Span::Template("ab".into()), Span::Content("c".into()), Span::Image(media("00"))];
        ChatRequest {
            messages: vec![Message { role: Role::User, spans }],
            shared_spans: 0,
            sampling: Sampling { temperature: 0.5, top_p: 0.9, seed: 1, max_tokens: 8, stop: vec!["x".into()] },
            grammar: None,
            verdict_logprobs: false,
            thinking: None,
            origin: origin(),
        }
    }

    type ChatEdit = fn(&mut ModelIdentity, &mut ChatRequest);

    fn grammar(name: &str, gbnf: &str) -> Option<Grammar> {
        Some(Grammar { name: name.into(), gbnf: gbnf.into() })
    }

    #[test]
    fn every_field_of_a_chat_call_changes_its_key() {
        let edits: &[ChatEdit] = &[
            |_, _| {},
            |model, _| model.name = "smaller".into(),
            |model, _| model.revision = "r2".into(),
            |model, _| model.adapter = "lora".into(),
            |_, call| call.messages[0].role = Role::System,
            |_, call| call.messages[0].spans[0] = Span::Template("ac".into()),
            |_, call| call.messages[0].spans[0] = Span::Content("ab".into()),
            |_, call| {
                call.messages[0].spans[0] = Span::Template("a".into());
                call.messages[0].spans[1] = Span::Content("bc".into());
            },
            |_, call| call.messages[0].spans[2] = Span::Image(media("01")),
            |_, call| call.messages[0].spans[2] = Span::Video(media("00")),
            |_, call| call.messages[0].spans[2] = Span::Audio(media("00")),
            |_, call| call.messages[0].spans.truncate(2),
            |_, call| call.messages.push(Message { role: Role::Assistant, spans: vec![] }),
            |_, call| call.sampling.temperature = 0.6,
            |_, call| call.sampling.top_p = 0.8,
            |_, call| call.sampling.seed = 2,
            |_, call| call.sampling.max_tokens = 9,
            |_, call| call.sampling.stop = vec!["y".into()],
            |_, call| call.sampling.stop = vec![],
            |_, call| call.grammar = grammar("verdict", "root ::= \"A\""),
            |_, call| call.grammar = grammar("verdict", "root ::= \"B\""),
            |_, call| call.grammar = grammar("scores", "root ::= \"B\""),
            |_, call| call.verdict_logprobs = true,
            |_, call| call.thinking = Some(true),
            |_, call| call.thinking = Some(false),
            |_, call| call.origin.step = Step::Combined,
            |_, call| call.origin.sample = 1,
            |_, call| call.origin.template = "u".into(),
        ];
        let keys: HashSet<CallKey> = edits
            .iter()
            .map(|edit| {
                let (mut model, mut call) = (identity(), request());
                edit(&mut model, &mut call);
                chat_key(&model, &call)
            })
            .collect();
        assert_eq!(keys.len(), edits.len());
    }

    #[test]
    fn pair_cache_hint_and_media_path_do_not_change_the_key() {
        let mut call = request();
        call.origin.pair = "q".into();
        call.shared_spans = 2;
        call.messages[0].spans[2] = Span::Image(MediaRef { sha256: "00".into(), path: "moved/a.png".into() });
        assert_eq!(chat_key(&identity(), &call), chat_key(&identity(), &request()));
    }

    fn reward_request() -> RewardRequest {
        RewardRequest { prompt: Prompt::from_text("q"), response: Response::from_text("r"), origin: origin() }
    }

    #[test]
    fn every_field_of_a_reward_call_changes_its_key() {
        let edits: &[fn(&mut ModelIdentity, &mut RewardRequest)] = &[
            |_, _| {},
            |model, _| model.name = "smaller".into(),
            |model, _| model.revision = "r2".into(),
            |model, _| model.adapter = "head".into(),
            |_, call| call.prompt = Prompt::from_text("q2"),
            |_, call| call.prompt.turns[0].role = Role::Assistant,
            |_, call| call.prompt.turns.push(Turn::text(Role::User, "more")),
            |_, call| call.prompt.turns[0].parts.push(Part::Image { media: media("00") }),
            |_, call| call.prompt.turns[0].parts.push(Part::Audio { media: media("00") }),
            |_, call| call.response = Response::from_text("s"),
            |_, call| call.response.parts.push(Part::text("s")),
            |_, call| call.origin.step = Step::Scoring,
            |_, call| call.origin.sample = 1,
            |_, call| call.origin.template = "u".into(),
        ];
        let keys: HashSet<CallKey> = edits
            .iter()
            .map(|edit| {
                let (mut model, mut call) = (identity(), reward_request());
                edit(&mut model, &mut call);
                reward_key(&model, &call)
            })
            .collect();
        assert_eq!(keys.len(), edits.len());
        let mut call = reward_request();
        call.origin.pair = "another".into();
        assert!(keys.contains(&reward_key(&identity(), &call)));
    }

    #[test]
    fn a_key_reads_back_from_its_hex_and_nothing_else_does() {
        let key = chat_key(&identity(), &request());
        assert_eq!(CallKey::from_hex(key.to_string().as_bytes()), Some(key));
        assert_eq!(CallKey::from_hex(key.to_string().to_uppercase().as_bytes()), None);
        assert_eq!(CallKey::from_hex(&key.to_string().as_bytes()[1..]), None);
    }
}
