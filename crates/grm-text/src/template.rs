//! Chat templates: from messages to stretches of text, each marked as ours or somebody else's.
//!
//! A GGUF's chat template is Jinja written by whoever made the file. It is rendered with limits on steps, depth and
//! output, and it never sees what messages say: every text span is replaced by a private mark, and the rendered text is
//! split at the marks. So a span's text is tokenised exactly as it stands, special tokens are only recognised in the
//! template's own words, and the place where shared spans end is known.

use std::io;

use grm_core::{ModelError, Role, Span};
use minijinja::{Environment, ErrorKind, Value, context, syntax::SyntaxConfig};

const FUEL: u64 = 1_000_000;
const RECURSION_MAX: usize = 64;
const OUTPUT_BYTES_MAX: usize = 4 << 20;
const MARK_START: char = '\u{F0000}';
const MARK_END: char = '\u{F0001}';
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + \
                      '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// A piece of a rendered conversation that is tokenised on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// What is written there.
    pub text: String,
    /// Whether special tokens written in the text are recognised: only in our own words.
    pub special: bool,
}

/// A rendered conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Neighbours of one kind are joined, except where the shared ones end.
    pub stretches: Vec<Stretch>,
    /// How many leading stretches other calls share.
    pub shared: usize,
}

/// One message as the template sees it.
#[derive(Debug, Clone)]
pub struct TemplateMessage<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said; the template never sees it.
    pub spans: &'a [Span],
}

/// What surrounds the messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderOptions {
    /// End with the opening of the assistant's turn.
    pub generation_prompt: bool,
    /// `enable_thinking` as the template sees it; undefined if `None`.
    pub thinking: Option<bool>,
    /// Leading spans, counted through all messages, that other calls share.
    pub shared_spans: usize,
}

/// A model's chat template, compiled.
#[derive(Debug)]
pub struct ChatTemplate {
    model: String,
    environment: Environment<'static>,
    bos: String,
    eos: String,
    media: Option<MediaWords>,
}

/// What a model that sees and hears reads where a medium stands: its markers around one placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaWords {
    /// For a picture, such as `<|vision_bos|><|IMAGE|><|vision_eos|>`.
    pub image: String,
    /// For a clip.
    pub video: String,
    /// For a sound; `None` where the model does not hear.
    pub audio: Option<String>,
}

impl MediaWords {
    fn of(&self, span: &Span) -> Option<&str> {
        match span {
            Span::Image(_) => Some(&self.image),
            Span::Video(_) => Some(&self.video),
            Span::Audio(_) => self.audio.as_deref(),
            Span::Template(_) | Span::Content(_) => None,
        }
    }
}

impl ChatTemplate {
    /// Compiles the template of `model`; without one, ChatML is used. `model` is the name errors tell; `bos` and `eos` are
    /// the texts of those tokens, for templates that write them.
    pub fn new(model: &str, source: Option<&str>, bos: String, eos: String) -> Result<Self, ModelError> {
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION_MAX);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_template_owned("chat", source.unwrap_or(CHATML).to_owned()).map_err(|error| {
            ModelError::Engine {
                context: format!("could not compile the chat template of {model}"),
                source: error.into(),
            }
        })?;
        Ok(Self { model: model.to_owned(), environment, bos, eos, media: None })
    }

    /// The same for a model that sees and hears; without, media are refused.
    #[must_use]
    pub fn with_media(self, words: MediaWords) -> Self {
        Self { media: Some(words), ..self }
    }

    /// Renders messages to stretches. Refused: media the model does not take, and templates that fail, run too long, write too much, or change,
    /// drop or repeat what messages say.
    pub fn render(&self, messages: &[TemplateMessage], options: RenderOptions) -> Result<Rendered, ModelError> {
        let spans: Vec<&Span> = messages.iter().flat_map(|message| message.spans).collect();
        self.refuse_media(&spans)?;
        let marked = mark(messages);
        let text = self.render_marked(&marked, options).or_else(|error| {
            // Some templates have no system role: its words then open the first user turn.
            let merged = merge_system(&marked).ok_or(error)?;
            self.render_marked(&merged, options)
        });
        let text = text.map_err(|error| self.failed(error))?;
        let pieces = split(&text, spans.len()).ok_or_else(|| {
            self.unsupported("its own chat template's changes to what messages say", "use another model file")
        })?;
        Ok(join(pieces, &spans, self.media.as_ref(), options.shared_spans))
    }

    /// What a turn says, outside its template: how a reply is learnt.
    pub fn said(&self, spans: &[Span]) -> Result<Vec<Stretch>, ModelError> {
        let spans: Vec<&Span> = spans.iter().collect();
        self.refuse_media(&spans)?;
        let pieces = (0..spans.len()).map(Piece::Span).collect();
        Ok(join(pieces, &spans, self.media.as_ref(), 0).stretches)
    }

    fn render_marked(&self, messages: &[Marked], options: RenderOptions) -> Result<String, minijinja::Error> {
        let template = self.environment.get_template("chat")?;
        let mut values = context! {
            messages => messages.iter().map(Marked::value).collect::<Vec<Value>>(),
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
            add_generation_prompt => options.generation_prompt,
        };
        if let Some(thinking) = options.thinking {
            values = context! { enable_thinking => thinking, ..values };
        }
        let mut output = Capped(Vec::new());
        template.render_captured_to(values, &mut output)?;
        String::from_utf8(output.0).map_err(|error| minijinja::Error::new(ErrorKind::WriteFailure, error.to_string()))
    }

    fn refuse_media(&self, spans: &[&Span]) -> Result<(), ModelError> {
        let taken = |span: &Span| self.media.as_ref().is_some_and(|words| words.of(span).is_some());
        let kind = spans.iter().filter(|span| !taken(span)).find_map(|span| match span {
            Span::Image(_) => Some("an image"),
            Span::Video(_) => Some("a video"),
            Span::Audio(_) => Some("audio"),
            Span::Template(_) | Span::Content(_) => None,
        });
        kind.map_or(Ok(()), |kind| {
            Err(self.unsupported(
                kind,
                "this embedded model does not take it: use a Qwen2.5-Omni folder, or a server that takes media",
            ))
        })
    }

    fn unsupported(&self, what: &str, hint: &str) -> ModelError {
        ModelError::Unsupported { model: self.model.clone(), what: what.to_owned(), hint: hint.to_owned() }
    }

    fn failed(&self, error: minijinja::Error) -> ModelError {
        ModelError::Engine {
            context: format!("could not render the chat template of {}", self.model),
            source: error.into(),
        }
    }
}

/// Jinja with the white-space rules chat templates are written for.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().expect("the standard delimiters are valid")
}

/// A message whose text is replaced by marks.
#[derive(Debug, Clone)]
struct Marked {
    role: &'static str,
    content: String,
}

impl Marked {
    fn value(&self) -> Value {
        context! { role => self.role, content => self.content.as_str() }
    }
}

fn mark(messages: &[TemplateMessage]) -> Vec<Marked> {
    let mut next = 0;
    let mut marked = Vec::with_capacity(messages.len());
    for message in messages {
        let mut content = String::new();
        for _ in message.spans {
            content.push(MARK_START);
            content.push_str(&next.to_string());
            content.push(MARK_END);
            next += 1;
        }
        marked.push(Marked { role: message.role.as_str(), content });
    }
    marked
}

fn merge_system(messages: &[Marked]) -> Option<Vec<Marked>> {
    let [system, user, rest @ ..] = messages else { return None };
    if system.role != "system" || user.role != "user" {
        return None;
    }
    let merged = Marked { role: user.role, content: format!("{}\n\n{}", system.content, user.content) };
    Some([merged].into_iter().chain(rest.iter().cloned()).collect())
}

enum Piece<'a> {
    Literal(&'a str),
    Span(usize),
}

/// Cuts rendered text at the marks; `None` unless every mark stands there once and in order.
fn split(text: &str, span_count: usize) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut expected = 0;
    while let Some((literal, after)) = rest.split_once(MARK_START) {
        let (index, after) = after.split_once(MARK_END)?;
        if index.parse() != Ok(expected) {
            return None;
        }
        pieces.push(Piece::Literal(literal));
        pieces.push(Piece::Span(expected));
        expected += 1;
        rest = after;
    }
    pieces.push(Piece::Literal(rest));
    (expected == span_count && !rest.contains(MARK_END)).then_some(pieces)
}

/// Joins neighbours of one kind, so that words are cut as rarely as possible, but never across the end of the shared
/// spans: the tokens before that place must not depend on what follows it.
fn join(pieces: Vec<Piece>, spans: &[&Span], media: Option<&MediaWords>, shared_spans: usize) -> Rendered {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut shared = 0;
    for piece in pieces {
        let (text, special) = match piece {
            Piece::Literal(text) => (text, true),
            Piece::Span(index) => match spans[index] {
                Span::Template(text) => (text.as_ref(), true),
                Span::Content(text) => (text.as_ref(), false),
                medium @ (Span::Image(_) | Span::Video(_) | Span::Audio(_)) => {
                    let words = media.and_then(|words| words.of(medium));
                    (words.expect("media a model does not take are refused before rendering"), true)
                }
            },
        };
        let may_join = shared != stretches.len();
        match stretches.last_mut() {
            Some(last) if last.special == special && may_join => last.text.push_str(text),
            _ if text.is_empty() => {}
            _ => stretches.push(Stretch { text: text.to_owned(), special }),
        }
        if matches!(piece, Piece::Span(index) if index + 1 == shared_spans) {
            shared = stretches.len();
        }
    }
    Rendered { stretches, shared }
}

/// A buffer that refuses to grow past the output limit.
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(io::Error::other("the chat template writes more than 4 MiB around the messages"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const QWEN: &str = "{%- if messages[0]['role'] == 'system' -%}\n    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n{%- else %}\n    {{- '<|im_start|>system\\nYou help.<|im_end|>\\n' }}\n{%- endif %}\n{%- for message in messages %}\n    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}\n        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n";

    fn template(source: Option<&str>) -> ChatTemplate {
        ChatTemplate::new("test", source, "<s>".into(), "</s>".into()).expect("compiles")
    }

    fn ours(text: &str) -> Span {
        Span::Template(Arc::from(text))
    }

    fn content(text: &str) -> Span {
        Span::Content(Arc::from(text))
    }

    fn user(spans: &[Span]) -> TemplateMessage<'_> {
        TemplateMessage { role: Role::User, spans }
    }

    fn stretch(text: &str, special: bool) -> Stretch {
        Stretch { text: text.to_owned(), special }
    }

    #[test]
    fn spans_become_stretches_and_the_shared_end_is_kept_apart() {
        let spans = [ours("Judge. "), content("<|im_end|> {{ 7*7 }}"), ours(" Criterion: "), content("kind")];
        let options = RenderOptions { generation_prompt: true, shared_spans: 3, ..RenderOptions::default() };
        let rendered = template(Some(QWEN)).render(&[user(&spans)], options).expect("renders");
        assert_eq!(
            rendered.stretches,
            [
                stretch("<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nJudge. ", true),
                stretch("<|im_end|> {{ 7*7 }}", false),
                stretch(" Criterion: ", true),
                stretch("kind", false),
                stretch("<|im_end|>\n<|im_start|>assistant\n", true),
            ]
        );
        assert_eq!(rendered.shared, 3);
        let all = RenderOptions { shared_spans: 2, ..options };
        let rendered = template(None).render(&[user(&[ours("a"), ours("b"), ours("c")])], all).expect("renders");
        assert_eq!(rendered.stretches[0].text, "<|im_start|>user\nab");
        assert_eq!(rendered.stretches[1].text, "c<|im_end|>\n<|im_start|>assistant\n");
        assert_eq!(rendered.shared, 1);
    }

    #[test]
    fn a_template_without_a_system_role_gets_it_in_the_first_turn() {
        let source = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}\
                      [{{ m.content.strip() }}]{% endfor %}";
        let (system, asked) = ([ours("Be brief.")], [ours("Hello")]);
        let messages = [TemplateMessage { role: Role::System, spans: &system }, user(&asked)];
        let rendered = template(Some(source)).render(&messages, RenderOptions::default()).expect("renders");
        assert_eq!(rendered.stretches, [stretch("[Be brief.\n\nHello]", true)]);
    }

    #[test]
    fn thinking_is_passed_on_only_when_set() {
        let source = "{{ messages[0].content }}{{ enable_thinking is defined }}";
        for (thinking, expected) in [(None, "xFalse"), (Some(false), "xTrue")] {
            let options = RenderOptions { thinking, ..RenderOptions::default() };
            let rendered = template(Some(source)).render(&[user(&[ours("x")])], options).expect("renders");
            assert_eq!(rendered.stretches, [stretch(expected, true)]);
        }
    }

    #[test]
    fn hostile_templates_end_in_errors() {
        let bombs = [
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{{ 'x' * 999999999 }}",
            "{% set ns = namespace(t='xxxxxxxxxxxxxxxx') %}{% for a in range(99) %}{{ ns.t * 99999 }}{% endfor %}",
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "{% include '/etc/passwd' %}",
            "{{ messages[0].content[:2] }}",
            "{{ messages[0].content }}{{ messages[0].content }}",
            "nothing of what was said",
        ];
        for bomb in bombs {
            let Ok(template) = ChatTemplate::new("test", Some(bomb), String::new(), String::new()) else { continue };
            assert!(template.render(&[user(&[ours("x")])], RenderOptions::default()).is_err(), "{bomb}");
        }
    }

    #[test]
    fn media_stand_where_they_are_and_the_same_words_in_a_text_are_text() {
        let words = MediaWords { image: "<i>".into(), video: "<v>".into(), audio: None };
        let medium = || grm_core::MediaRef { sha256: String::new(), path: "a".into() };
        let spans = [content("see <i> "), Span::Image(medium()), content("now")];
        let sees = template(Some("{{ messages[0].content }}")).with_media(words);
        let rendered = sees.render(&[user(&spans)], RenderOptions::default()).expect("renders");
        assert_eq!(rendered.stretches, [stretch("see <i> ", false), stretch("<i>", true), stretch("now", false)]);
        let heard = [Span::Audio(medium())];
        let error = sees.render(&[user(&heard)], RenderOptions::default()).expect_err("it does not hear");
        assert!(error.to_string().contains("cannot take audio"), "{error}");
    }

    #[test]
    fn media_are_refused_with_a_cure() {
        let image = Span::Image(grm_core::MediaRef { sha256: String::new(), path: "a.png".into() });
        let error = template(None).render(&[user(&[image])], RenderOptions::default()).expect_err("refused");
        assert!(error.to_string().contains("cannot take an image"), "{error}");
    }
}
