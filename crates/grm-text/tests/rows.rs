//! Training rows: the prompt as it is asked, the reply, and the end of its turn.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use grm_core::Role;
use grm_text::{ChatTokens, ChatTokensError, SpecialIds, Stretch, Tokenizer, Turn};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn tokenizer() -> Tokenizer {
    Tokenizer::from_file(&golden("tokenizer.json")).unwrap()
}

fn chat(source: Option<&str>) -> ChatTokens {
    ChatTokens::new("tiny", tokenizer(), source).unwrap()
}

fn user(text: &str) -> Turn<'_> {
    Turn { role: Role::User, text }
}

fn ids(text: &str) -> Vec<u32> {
    tokenizer().encode(&[Stretch { text: text.to_owned(), special: true }]).unwrap()
}

fn plain(text: &str) -> Vec<u32> {
    tokenizer().encode(&[Stretch { text: text.to_owned(), special: false }]).unwrap()
}

#[test]
fn a_chatml_row_ends_with_the_end_of_the_turn_and_a_line_break() {
    let row = chat(None).row(&[user("Which?")], "A.<|im_end|>").unwrap();
    let prompt = [ids("<|im_start|>user\n"), plain("Which?"), ids("<|im_end|>\n<|im_start|>assistant\n")].concat();
    assert_eq!(row.prompt, prompt);
    assert_eq!(row.target, [plain("A.<|im_end|>"), ids("<|im_end|>\n")].concat());
    assert_eq!(row.target[row.turn_end - 1], 302);
    assert_eq!(row.target.iter().filter(|&&id| id == 302).count(), 1, "what the reply writes is not the end");
    assert_eq!(chat(None).prompt(&[user("Which?")]).unwrap(), row.prompt);
}

#[test]
fn the_prompt_is_what_transformers_renders() {
    let chat_golden: serde_json::Value = serde_json::from_slice(&fs::read(golden("chat.json")).unwrap()).unwrap();
    let template = fs::read_to_string(golden("chat_template.jinja")).unwrap();
    let question = chat_golden["messages"][0]["content"].as_str().unwrap();
    let expected: Vec<u32> = serde_json::from_value(chat_golden["input_ids"].clone()).unwrap();
    assert_eq!(chat(Some(&template)).prompt(&[user(question)]).unwrap(), expected);
}

#[test]
fn an_empty_reply_is_only_the_end_of_the_turn() {
    let row = chat(None).row(&[user("Say nothing.")], "").unwrap();
    assert_eq!((row.target, row.turn_end), (ids("<|im_end|>\n"), 1));
}

/// A model that thinks: its template closes the thoughts of a reply that has none, but leaves them to a reply to come.
const THINKING: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think>\n\n</think>\n\n\
                        {% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}\
                        <|im_start|>assistant\n{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}";

#[test]
fn a_template_that_opens_replies_in_two_ways_is_refused_until_thinking_is_off() {
    let error = chat(Some(THINKING)).row(&[user("Why?")], "So.").unwrap_err();
    assert!(matches!(error, ChatTokensError::Opening { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("<|im_start|>assistant\\n\"") && message.contains("</think>"), "{message}");
    let row = chat(Some(THINKING)).with_thinking(Some(false)).row(&[user("Why?")], "So.").unwrap();
    assert!(row.prompt.ends_with(&ids("<|im_start|>assistant\n<think>\n\n</think>\n\n")));
    assert_eq!(row.target, [plain("So."), ids("<|im_end|>\n")].concat());
}

#[test]
fn a_template_that_never_ends_a_turn_is_refused() {
    let source = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}\
                  {% if add_generation_prompt %}[assistant] {% endif %}";
    let error = chat(Some(source)).row(&[user("Why?")], "So.").unwrap_err();
    assert!(matches!(error, ChatTokensError::Unclosed { .. }), "{error:?}");
    assert!(error.to_string().contains("would never stop"), "{error}");
}

#[test]
fn a_template_that_fails_says_so() {
    let error = chat(Some("{{ raise_exception('no') }}")).row(&[user("Why?")], "So.").unwrap_err();
    assert!(matches!(error, ChatTokensError::Template(_)), "{error:?}");
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(golden("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn first_words(folder: &Path) -> String {
    let chat = ChatTokens::from_folder(folder).unwrap();
    chat.tokenizer().decode(&chat.prompt(&[user("x")]).unwrap()).unwrap()
}

#[test]
fn a_model_folder_has_template_and_special_tokens_beside_its_tokenizer() {
    let config = r#"{"bos_token": null, "eos_token": {"content": "<|im_end|>"}, "pad_token": "<|endoftext|>",
                     "chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "c {{ messages[0].content }}"}]}"#;
    let with_config = folder(&[("tokenizer_config.json", config)]);
    let chat = ChatTokens::from_folder(with_config.path()).unwrap();
    assert_eq!(chat.tokenizer().special(), SpecialIds { bos: None, eos: Some(302), pad: Some(300) });
    assert_eq!(first_words(with_config.path()), "c x");
    let with_both =
        folder(&[("tokenizer_config.json", config), ("chat_template.jinja", "f {{ messages[0].content }}")]);
    assert_eq!(first_words(with_both.path()), "f x");
    assert_eq!(first_words(folder(&[]).path()), "user\nx\nassistant\n", "ChatML without control tokens' own text");
    let broken = folder(&[("tokenizer_config.json", "{")]);
    assert!(ChatTokens::from_folder(broken.path()).unwrap_err().to_string().contains("tokenizer_config.json"));
}
