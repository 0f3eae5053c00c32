//! Training examples as they lie on disk, in TRL's conversational form: `datasets`, TRL and LLaMA-Factory read the
//! files as they are, and so does grm's own trainer.
//!
//! A message without media is plain text, as it always was. One with media is a list of parts in the order a judge was
//! shown them, `{"type":"image","media":{"sha256":"…","path":"…"}}` among `{"type":"text","text":"…"}`: there are no
//! placeholders, so no word in a text can be taken for one.

use std::fs::File;
use std::io::BufReader;
use std::marker::PhantomData;
use std::path::Path;

use grm_core::{DpoExample, Form, Message, Role, SftExample};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::content::Content;
use crate::row::Row;
use crate::sources::Lines;
use crate::{Place, ReadError, Spot};

/// The version these records carry.
pub const VERSION: u32 = 1;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said, and shown.
    pub content: Content,
}

/// A line of `sft.jsonl`: a conversation whose last turn is to be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftRecord {
    /// [`VERSION`].
    pub version: u32,
    /// The pair it came from.
    pub pair: String,
    /// Which form the last turn has.
    pub form: Form,
    /// The prompt, and then the assistant turn to learn.
    pub messages: Vec<TextMessage>,
}

/// A line of `dpo.jsonl`: a prompt with a better and a worse answer, each one assistant message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpoRecord {
    /// [`VERSION`].
    pub version: u32,
    /// The pair it came from.
    pub pair: String,
    /// The prompt both answers were given to.
    pub prompt: Vec<TextMessage>,
    /// The better answer.
    pub chosen: Vec<TextMessage>,
    /// The worse answer.
    pub rejected: Vec<TextMessage>,
}

impl From<&SftExample> for SftRecord {
    fn from(example: &SftExample) -> Self {
        let mut messages = messages(&example.messages);
        messages.push(assistant(&example.target));
        Self { version: VERSION, pair: example.pair.clone(), form: example.form, messages }
    }
}

impl From<&DpoExample> for DpoRecord {
    fn from(example: &DpoExample) -> Self {
        Self {
            version: VERSION,
            pair: example.pair.clone(),
            prompt: messages(&example.messages),
            chosen: vec![assistant(&example.chosen)],
            rejected: vec![assistant(&example.rejected)],
        }
    }
}

impl SftRecord {
    /// The messages before the turn to learn.
    #[must_use]
    pub fn prompt(&self) -> &[TextMessage] {
        self.messages.split_last().map_or(&[], |(_, prompt)| prompt)
    }

    /// The text to learn.
    #[must_use]
    pub fn target(&self) -> &str {
        self.messages.last().and_then(|message| message.content.text()).unwrap_or_default()
    }
}

fn assistant(text: &str) -> TextMessage {
    TextMessage { role: Role::Assistant, content: text.into() }
}

fn messages(messages: &[Message]) -> Vec<TextMessage> {
    let message = |message: &Message| TextMessage { role: message.role, content: Content::from(message) };
    messages.iter().map(message).collect()
}

/// What an example file holds; [`read`] checks it line by line.
pub trait ExampleRecord: DeserializeOwned {
    /// What is wrong with the record, if anything, in the form "expected …": version, and who speaks last.
    fn fault(&self) -> Option<&'static str>;
}

const OTHER_VERSION: &str = "`version` 1";

impl ExampleRecord for SftRecord {
    fn fault(&self) -> Option<&'static str> {
        match self.messages.as_slice() {
            _ if self.version != VERSION => Some(OTHER_VERSION),
            [_, .., last] if last.role == Role::Assistant && last.content.text().is_some() => None,
            _ => Some("`messages` with a prompt and then an assistant turn of text"),
        }
    }
}

impl ExampleRecord for DpoRecord {
    fn fault(&self) -> Option<&'static str> {
        let is_one_reply = |messages: &[TextMessage]| matches!(messages, [reply] if reply.role == Role::Assistant && reply.content.text().is_some());
        if self.version != VERSION {
            Some(OTHER_VERSION)
        } else if self.prompt.is_empty() {
            Some("`prompt` with at least one message")
        } else if !is_one_reply(&self.chosen) || !is_one_reply(&self.rejected) {
            Some("one assistant message of text each in `chosen` and `rejected`")
        } else {
            None
        }
    }
}

/// A longer line is refused unread.
const LINE_LIMIT_BYTES: u64 = 64 << 20;

/// Records of an example file, in order; the stream ends with its first error.
pub struct Examples<T> {
    lines: Lines<BufReader<File>>,
    over: bool,
    of: PhantomData<fn() -> T>,
}

/// Opens `sft.jsonl` (as `read::<SftRecord>`) or `dpo.jsonl` (as `read::<DpoRecord>`).
pub fn read<T: ExampleRecord>(path: &Path) -> Result<Examples<T>, ReadError> {
    let place = || Place { file: path.to_owned(), spot: Spot::Whole };
    let file = File::open(path).map_err(|source| ReadError::Io { place: place(), source })?;
    let lines = Lines::new(BufReader::with_capacity(1 << 16, file), path, LINE_LIMIT_BYTES);
    Ok(Examples { lines, over: false, of: PhantomData })
}

impl<T: ExampleRecord> Iterator for Examples<T> {
    type Item = Result<T, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = self.lines.next()?.and_then(decode);
        self.over = item.is_err();
        Some(item)
    }
}

fn decode<T: ExampleRecord>(row: Row) -> Result<T, ReadError> {
    let shape = |expected: String, found: String| ReadError::Shape {
        place: row.place.clone(),
        expected,
        found,
        cure: "write the file again with `grm synthesize`".into(),
    };
    let record: T = serde_path_to_error::deserialize(Value::Object(row.fields)).map_err(|error| {
        let path = error.path().to_string();
        shape(format!("a training example, but for `{path}`"), error.into_inner().to_string())
    })?;
    match record.fault() {
        None => Ok(record),
        Some(expected) => Err(shape(expected.to_owned(), "something else".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use grm_core::{Choice, MediaRef, Part, Span};
    use proptest::prelude::*;

    use super::*;
    use crate::writer::JsonlWriter;

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let span = (any::<bool>(), any::<String>()).prop_map(|(ours, text)| match ours {
            true => Span::Template(text.into()),
            false => Span::Content(text.into()),
        });
        proptest::collection::vec(span, 0..3)
    }

    fn messages() -> impl Strategy<Value = Vec<Message>> {
        let role = prop_oneof![Just(Role::System), Just(Role::User), Just(Role::Assistant)];
        let message = (role, spans()).prop_map(|(role, spans)| Message { role, spans });
        proptest::collection::vec(message, 1..4)
    }

    fn round_trip<T: ExampleRecord + Serialize>(records: &[T]) -> Vec<T> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("examples.jsonl");
        let mut writer = JsonlWriter::create(&path).unwrap();
        records.iter().for_each(|record| writer.write(record).unwrap());
        writer.commit().unwrap();
        read(&path).unwrap().map(Result::unwrap).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sft_examples_survive_the_disk(messages in messages(), target: String, pair: String, thinking: bool) {
            let form = if thinking { Form::Thinking } else { Form::NonThinking };
            let example = SftExample { pair, messages, target, form, preferred: Choice::First };
            let record = SftRecord::from(&example);
            let [back] = round_trip(std::slice::from_ref(&record)).try_into().unwrap();
            prop_assert_eq!(back.target(), &example.target);
            prop_assert_eq!(back.prompt().len(), example.messages.len());
            for (text, message) in back.prompt().iter().zip(&example.messages) {
                prop_assert_eq!((text.role, &text.content), (message.role, &Content::Text(message.text())));
            }
            prop_assert_eq!(back, record);
        }

        #[test]
        fn dpo_examples_survive_the_disk(messages in messages(), chosen: String, rejected: String, pair: String) {
            let example = DpoExample { pair, messages, chosen, rejected };
            let record = DpoRecord::from(&example);
            let [back] = round_trip(std::slice::from_ref(&record)).try_into().unwrap();
            prop_assert_eq!(back.chosen[0].content.text(), Some(example.chosen.as_str()));
            prop_assert_eq!(back.rejected[0].content.text(), Some(example.rejected.as_str()));
            prop_assert_eq!(back, record);
        }
    }

    #[test]
    fn the_form_on_disk_is_what_trl_reads() {
        let messages = vec![Message { role: Role::User, spans: vec![Span::Template("Which?".into())] }];
        let sft = SftExample {
            pair: "p1".into(),
            messages: messages.clone(),
            target: "[[A]]".into(),
            form: Form::NonThinking,
            preferred: Choice::First,
        };
        assert_eq!(
            serde_json::to_string(&SftRecord::from(&sft)).unwrap(),
            r#"{"version":1,"pair":"p1","form":"non_thinking","messages":[{"role":"user","content":"Which?"},{"role":"assistant","content":"[[A]]"}]}"#
        );
        let dpo = DpoExample { pair: "p1".into(), messages, chosen: "[[A]]".into(), rejected: "[[B]]".into() };
        assert_eq!(
            serde_json::to_string(&DpoRecord::from(&dpo)).unwrap(),
            r#"{"version":1,"pair":"p1","prompt":[{"role":"user","content":"Which?"}],"chosen":[{"role":"assistant","content":"[[A]]"}],"rejected":[{"role":"assistant","content":"[[B]]"}]}"#
        );
    }

    #[test]
    fn media_keep_their_places_and_words_are_no_media() {
        let media = || MediaRef { sha256: "00".into(), path: "a.png".into() };
        let spans = vec![
            Span::Template("Is ".into()),
            Span::Content("<image>".into()),
            Span::Image(media()),
            Span::Audio(media()),
            Span::Template("it?".into()),
        ];
        let messages = vec![Message { role: Role::User, spans }];
        let example = DpoExample { pair: "p9".into(), messages, chosen: "[[A]]".into(), rejected: "[[B]]".into() };
        let record = DpoRecord::from(&example);
        let parts = record.prompt[0].content.parts();
        let expected = [
            Part::text("Is <image>"),
            Part::Image { media: media() },
            Part::Audio { media: media() },
            Part::text("it?"),
        ];
        assert_eq!(*parts, expected);
        assert_eq!(record.prompt[0].content.text(), None, "not to be taken for text");
        assert_eq!(round_trip(std::slice::from_ref(&record)), std::slice::from_ref(&record));
        let json = serde_json::to_string(&record.prompt).unwrap();
        assert_eq!(
            json,
            r#"[{"role":"user","content":[{"type":"text","text":"Is <image>"},{"type":"image","media":{"sha256":"00","path":"a.png"}},{"type":"audio","media":{"sha256":"00","path":"a.png"}},{"type":"text","text":"it?"}]}]"#
        );
    }

    fn fault(line: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sft.jsonl");
        std::fs::write(&path, line).unwrap();
        let mut records = read::<SftRecord>(&path).unwrap();
        let error = records.next().unwrap().unwrap_err().to_string();
        assert!(records.next().is_none());
        error
    }

    #[test]
    fn faulty_lines_are_named() {
        let last_is_user = r#"{"version":1,"pair":"p","form":"thinking","messages":[{"role":"assistant","content":""},{"role":"user","content":""}]}"#;
        assert!(fault(last_is_user).contains("sft.jsonl:1: expected `messages`"), "{}", fault(last_is_user));
        let newer = last_is_user.replace(":1,", ":2,");
        assert!(fault(&newer).contains("expected `version` 1"), "{}", fault(&newer));
        let misspelt = last_is_user.replace("content", "contents");
        assert!(fault(&misspelt).contains("messages[0].contents"), "{}", fault(&misspelt));
        let shown = r#"{"version":1,"pair":"p","form":"thinking","messages":[{"role":"user","content":"?"},{"role":"assistant","content":[]}]}"#;
        assert!(fault(shown).contains("assistant turn of text"), "{}", fault(shown));
        let number = shown.replace("[]", "7");
        assert!(fault(&number).contains("text, or a list of parts"), "{}", fault(&number));
    }
}
