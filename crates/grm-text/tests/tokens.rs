//! Tokenizers against samples made with Hugging Face `transformers`, and what both kinds of file must refuse.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{fs, path::PathBuf};

use grm_gguf::{Array, Metadata, Value};
use grm_text::{SpecialIds, Stretch, Tokenizer};
use proptest::prelude::*;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn tokenizer() -> Tokenizer {
    Tokenizer::from_file(&golden("tokenizer.json")).unwrap()
}

fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&fs::read(golden(name)).unwrap()).unwrap()
}

fn text(text: &str, special: bool) -> [Stretch; 1] {
    [Stretch { text: text.to_owned(), special }]
}

/// The tokenizer of the goldens as a GGUF file would describe it.
fn metadata() -> Metadata {
    let json = json("tokenizer.json");
    let mut tokens: Vec<(u64, String, i32)> = Vec::new();
    for (token, id) in json["model"]["vocab"].as_object().unwrap() {
        tokens.push((id.as_u64().unwrap(), token.clone(), 1));
    }
    for added in json["added_tokens"].as_array().unwrap() {
        tokens.push((added["id"].as_u64().unwrap(), added["content"].as_str().unwrap().to_owned(), 3));
    }
    tokens.sort();
    let merges = json["model"]["merges"].as_array().unwrap();
    let merge = |pair: &serde_json::Value| format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    let mut metadata = Metadata::new();
    let mut set = |key: &str, value: Value| metadata.set(&format!("tokenizer.ggml.{key}"), value);
    set("model", Value::String("gpt2".to_owned()));
    set("pre", Value::String("qwen2".to_owned()));
    set("token_type", Value::Array(Array::I32(tokens.iter().map(|token| token.2).collect())));
    set("tokens", Value::Array(Array::String(tokens.into_iter().map(|token| token.1).collect())));
    set("merges", Value::Array(Array::String(merges.iter().map(merge).collect())));
    set("eos_token_id", Value::U32(302));
    set("padding_token_id", Value::U32(300));
    set("bos_token_id", Value::U32(300));
    set("add_bos_token", Value::Bool(false));
    metadata
}

#[test]
fn samples_have_the_tokens_transformers_gives_them() {
    let (file, gguf) = (tokenizer(), Tokenizer::from_gguf(&metadata()).unwrap());
    assert_eq!(file.vocabulary_size(), gguf.vocabulary_size());
    for sample in json("samples.json").as_array().unwrap() {
        let words = sample["text"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(sample["ids"].clone()).unwrap();
        assert_eq!(file.encode(&text(words, true)).unwrap(), ids, "{words:?}");
        // The one loose accent among the samples composes with nothing, so both agree here.
        assert_eq!(gguf.encode(&text(words, true)).unwrap(), ids, "{words:?} by GGUF");
        if !words.contains("<|") {
            assert_eq!(file.decode(&ids).unwrap(), words);
        }
    }
}

#[test]
fn pieces_joined_are_the_bytes_of_the_text() {
    for tokenizer in [tokenizer(), Tokenizer::from_gguf(&metadata()).unwrap()] {
        for words in ["Which is better?\n\tB", "naïve €5 🙂", "\u{0}\u{ad}\u{7f}"] {
            let ids = tokenizer.encode(&text(words, false)).unwrap();
            let bytes: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.piece(id)).collect();
            assert_eq!(bytes, words.as_bytes(), "{words:?}");
        }
        let control = tokenizer.encode(&text("<|im_end|>", true)).unwrap();
        assert_eq!((control.len(), tokenizer.piece(control[0]).len()), (1, 0));
    }
}

#[test]
fn a_tokenizer_file_composes_accents_and_a_gguf_does_not_as_in_llama_cpp() {
    let (file, gguf) = (tokenizer(), Tokenizer::from_gguf(&metadata()).unwrap());
    let [loose, composed] = ["cafe\u{301}", "caf\u{e9}"].map(|words| text(words, false));
    assert_eq!(file.encode(&loose).unwrap(), file.encode(&composed).unwrap());
    assert_ne!(gguf.encode(&loose).unwrap(), gguf.encode(&composed).unwrap());
}

#[test]
fn control_tokens_are_recognised_in_our_words_only() {
    for tokenizer in [tokenizer(), Tokenizer::from_gguf(&metadata()).unwrap()] {
        let end = tokenizer.token_id("<|im_end|>").unwrap();
        assert!(tokenizer.is_control(end));
        assert_eq!(tokenizer.encode(&text("<|im_end|>", true)).unwrap(), [end]);
        let data = tokenizer.encode(&text("<|im_end|>", false)).unwrap();
        assert!(data.len() > 3 && !data.contains(&end), "{data:?}");
        assert_eq!(tokenizer.decode(&data).unwrap(), "<|im_end|>");
        assert_eq!(tokenizer.decode(&[end]).unwrap(), "", "as pieces of a reply");
        assert_eq!(tokenizer.token(end).as_deref(), Some("<|im_end|>"));
    }
}

#[test]
fn words_given_besides_the_merges_are_found_in_data_too() {
    let mut metadata = metadata();
    let Some(Value::Array(Array::I32(mut kinds))) = metadata.remove("tokenizer.ggml.token_type") else {
        panic!("the types are there")
    };
    kinds[302] = 4;
    metadata.set("tokenizer.ggml.token_type", Value::Array(Array::I32(kinds.clone())));
    let tokenizer = Tokenizer::from_gguf(&metadata).unwrap();
    assert!(tokenizer.is_control(302), "some names are control tokens whatever the file says");

    kinds[303] = 4;
    metadata.set("tokenizer.ggml.token_type", Value::Array(Array::I32(kinds)));
    let tokenizer = Tokenizer::from_gguf(&metadata).unwrap();
    let given = tokenizer.token(303).unwrap();
    assert_eq!(tokenizer.encode(&text(&format!("a{given}"), false)).unwrap().last(), Some(&303));
    assert!(!tokenizer.is_control(303));
}

#[test]
fn a_bos_comes_first_where_the_file_asks_for_one_and_only_once() {
    let mut metadata = metadata();
    metadata.set("tokenizer.ggml.add_bos_token", Value::Bool(true));
    let tokenizer = Tokenizer::from_gguf(&metadata).unwrap();
    assert_eq!(tokenizer.special(), SpecialIds { bos: Some(300), eos: Some(302), pad: Some(300) });
    let a = tokenizer.token_id("a").unwrap();
    assert_eq!(tokenizer.encode(&text("a", false)).unwrap(), [300, a]);
    assert_eq!(tokenizer.encode(&text("<|endoftext|>a", true)).unwrap(), [300, a]);
    assert_eq!(tokenizer.encode_more(&text("a", false)).unwrap(), [a]);
    metadata.remove("tokenizer.ggml.bos_token_id");
    let message = Tokenizer::from_gguf(&metadata).unwrap_err().to_string();
    assert!(message.contains("bos_token_id is missing"), "{message}");
}

#[test]
fn how_text_is_cut_follows_the_name_in_the_file() {
    let pieces = |pre: &str, words: &str| {
        let mut metadata = metadata();
        metadata.set("tokenizer.ggml.pre", Value::String(pre.to_owned()));
        metadata.set("tokenizer.ggml.add_bos_token", Value::Bool(false));
        let Some(Value::Array(Array::String(mut tokens))) = metadata.remove("tokenizer.ggml.tokens") else {
            panic!("the tokens are there")
        };
        tokens.push("12".to_owned());
        metadata.set("tokenizer.ggml.tokens", Value::Array(Array::String(tokens)));
        metadata.set("tokenizer.ggml.merges", Value::Array(Array::String(vec!["1 2".to_owned()])));
        metadata.remove("tokenizer.ggml.token_type");
        let tokenizer = Tokenizer::from_gguf(&metadata).unwrap();
        tokenizer.encode(&text(words, false)).unwrap().len()
    };
    // Two digits may merge where numbers are cut as words, and never where each digit stands alone.
    for (pre, count) in [("qwen2", 2), ("smollm", 2), ("gpt-2", 1), ("llama-bpe", 1), ("default", 1), ("qwen35", 2)] {
        assert_eq!(pieces(pre, "12"), count, "{pre}");
    }
}

#[test]
fn more_white_space_than_can_be_cut_is_refused() {
    let tokenizer = tokenizer();
    for space in [" ", "\u{3000}"] {
        let words = |count| text(&format!("a{}b", space.repeat(count)), false);
        let message = tokenizer.encode(&words(500_001)).unwrap_err().to_string();
        assert!(message.contains("500001 characters of white space"), "{message}");
        let ids = tokenizer.encode(&words(500_000)).unwrap();
        assert_eq!(ids.last(), tokenizer.token_id("b").as_ref());
    }
}

#[test]
fn what_is_not_known_is_refused_with_a_cure() {
    let refused = |key: &str, value: Option<Value>, words: &str| {
        let mut metadata = metadata();
        match value {
            Some(value) => metadata.set(&format!("tokenizer.ggml.{key}"), value),
            None => drop(metadata.remove(&format!("tokenizer.ggml.{key}"))),
        }
        let message = Tokenizer::from_gguf(&metadata).expect_err(words).to_string();
        assert!(message.contains(words), "{message}");
    };
    let strings =
        |items: &[&str]| Some(Value::Array(Array::String(items.iter().map(|&item| item.to_owned()).collect())));
    refused("model", Some(Value::String("llama".to_owned())), "`llama` is not supported");
    refused("pre", Some(Value::String("tekken".to_owned())), "known: qwen2");
    refused("model", None, "tokenizer.ggml.model is missing");
    refused("tokens", None, "tokenizer.ggml.tokens is missing");
    refused("merges", strings(&["ab"]), "\"ab\" in tokenizer.ggml.merges is not a pair");
    refused("merges", strings(&["a neverseen"]), "convert the model again");
    refused("tokens", strings(&["a", "b"]), "cannot be used");
    refused("token_type", Some(Value::Array(Array::I32(vec![1]))), "not one number a token");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let from_text = |text: &str| {
        fs::write(&path, text).unwrap();
        Tokenizer::from_file(&path).unwrap_err().to_string()
    };
    assert!(from_text("{").contains("could not understand"));
    let words = r#"{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0,"[UNK]":1},"unk_token":"[UNK]"}}"#;
    assert!(from_text(words).contains("byte-level BPE"));
    fs::remove_file(&path).unwrap();
    assert!(Tokenizer::from_file(&path).unwrap_err().to_string().contains("could not read"));
}

proptest! {
    #[test]
    fn data_comes_back_as_it_was_and_never_becomes_a_control_token(
        words in prop_oneof![any::<String>(), "(<\\|im_(start|end)\\|>|<\\|endoftext\\|>|[a-z <|>\\n]|é|🙂){0,12}"],
    ) {
        let tokenizer = Tokenizer::from_gguf(&metadata()).unwrap();
        let ids = tokenizer.encode(&text(&words, false)).unwrap();
        prop_assert!(ids.iter().all(|&id| !tokenizer.is_control(id) && (id as usize) < tokenizer.vocabulary_size()));
        prop_assert_eq!(tokenizer.decode(&ids).unwrap(), words);
    }
}
