//! Every accepted shape gives the same pair.

use grm_core::{Choice, Comparison, Preference, Prompt, Response, Role};
use grm_data::records::{self, Order, ReadOptions, Record};
use proptest::prelude::*;

use crate::{plain, read, read_with, sample};

/// The record, however written, is the question "Which?" with "This" better than "That".
fn check(line: &str) {
    let records = read("x.jsonl", line);
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let (_, turns, responses) = plain(record);
    assert_eq!(turns, [(Role::User, "Which?".to_owned())], "{line}");
    assert_eq!(responses, ["This", "That"], "{line}");
    assert!(record.label().is_some(), "{line}");
}

#[test]
fn chosen_and_rejected() {
    check(r#"{"prompt":"Which?","chosen":"This","rejected":"That"}"#);
    check(r#"{"prompt":"Which?","chosen":"This","rejected":"That","images":[],"image":null,"video":""}"#);
    // RewardBench's columns.
    check(
        r#"{"id":7,"prompt":"Which?","chosen":"This","chosen_model":"m","rejected":"That","rejected_model":"n","subset":"s"}"#,
    );
    // TRL: messages, with the prompt beside them, before them, or both.
    let (user, this, that) = (
        r#"{"role":"user","content":"Which?"}"#,
        r#"{"role":"assistant","content":"This"}"#,
        r#"{"role":"assistant","content":"That"}"#,
    );
    check(&format!(r#"{{"prompt":[{user}],"chosen":[{this}],"rejected":[{that}]}}"#));
    check(&format!(r#"{{"chosen":[{user},{this}],"rejected":[{user},{that}]}}"#));
    check(&format!(r#"{{"prompt":[{user}],"chosen":[{user},{this}],"rejected":[{user},{that}]}}"#));
    check(&format!(r#"{{"prompt":"Which?","chosen":[{user},{this}],"rejected":[{user},{that}]}}"#));
    check(&format!(r#"{{"prompt":"Which?","chosen":[{this}],"rejected":"That"}}"#));
    let pieces = r#"{"role":"user","content":[{"type":"text","text":"Which?"}]}"#;
    check(&format!(r#"{{"prompt":[{pieces}],"chosen":[{this}],"rejected":[{that}]}}"#));
}

#[test]
fn two_responses_with_a_label() {
    for label in [r#""A""#, r#""a""#, "0", r#""first""#, r#""First""#] {
        check(&format!(r#"{{"prompt":"Which?","response_a":"This","response_b":"That","label":{label}}}"#));
    }
    for label in [r#""B""#, "1", r#""second""#] {
        check(&format!(r#"{{"prompt":"Which?","response_a":"That","response_b":"This","label":{label}}}"#));
    }
    for [first, second] in [["response_1", "response_2"], ["response1", "response2"]] {
        check(&format!(r#"{{"prompt":"Which?","{first}":"That","{second}":"This","label":"second"}}"#));
    }
}

#[test]
fn two_responses_without_a_label() {
    for label in ["", r#","label":null"#] {
        let line = format!(r#"{{"prompt":"Which?","response_a":"This","response_b":"That"{label}}}"#);
        let [record] = read("x.jsonl", line).try_into().unwrap();
        assert_eq!(record.label(), None);
        assert_eq!(plain(&record).2, ["This", "That"]);
    }
}

#[test]
fn rmb() {
    check(
        r#"{"pair_uid":"u","conversation_input":[{"content":"Which?","language":"en","role":"user"}],"chosen":{"llm_name":"m","answer":"This"},"reject":{"llm_name":"n","answer":"That"},"category_path":"c"}"#,
    );
}

fn preference() -> Preference {
    let comparison = Comparison {
        id: "mine".into(),
        prompt: Prompt::from_text("Which?"),
        responses: [Response::from_text("That"), Response::from_text("This")],
    };
    Preference { comparison, label: Choice::Second }
}

#[test]
fn our_own() {
    let preference = preference();
    check(&serde_json::to_string(&preference).unwrap());
    let labelled = read("x.jsonl", serde_json::to_string(&preference).unwrap());
    assert_eq!(labelled, [Record::Labelled(preference.clone())]);
    let unlabelled = read("x.jsonl", serde_json::to_string(&preference.comparison).unwrap());
    assert_eq!(unlabelled, [Record::Unlabelled(preference.comparison)]);
}

#[test]
fn a_conversation_keeps_its_turns() {
    let line = r#"{"chosen":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Bye"},{"role":"assistant","content":"Soon!"}],"rejected":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Bye"},{"role":"assistant","content":"Go."}]}"#;
    let [record] = read("x.jsonl", line).try_into().unwrap();
    let (_, turns, responses) = plain(&record);
    let roles: Vec<Role> = turns.iter().map(|(role, _)| *role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
    assert_eq!(responses, ["Soon!", "Go."]);
}

#[test]
fn a_transcript_is_one_text_unless_it_is_to_be_split() {
    let prompt = "\\n\\nHuman: Hi\\n\\nAssistant: Hello\\n\\nHuman: Bye";
    let beside = format!(r#"{{"prompt":"{prompt}","chosen":"Soon!","rejected":"Go."}}"#);
    let within = format!(r#"{{"chosen":"{prompt}\n\nAssistant: Soon!","rejected":"{prompt}\n\nAssistant: Go."}}"#);
    for line in [beside, within] {
        let sample = sample("hh.jsonl", line);
        let turns = |split_transcripts| {
            let options = ReadOptions { split_transcripts, ..ReadOptions::default() };
            let [record] = read_with(&sample.path, &options).try_into().unwrap();
            let (_, turns, responses) = plain(&record.unwrap());
            assert_eq!(responses, ["Soon!", "Go."]);
            turns
        };
        assert_eq!(turns(false).len(), 1);
        let split = turns(true);
        assert_eq!(split[0], (Role::User, "Hi".to_owned()));
        assert_eq!(split[1], (Role::Assistant, "Hello".to_owned()));
        assert_eq!(split[2], (Role::User, "Bye".to_owned()));
    }
}

fn many(count: usize) -> String {
    (0..count)
        .map(|n| format!("{{\"id\":\"p{n}\",\"prompt\":\"Q{n}\",\"chosen\":\"C{n}\",\"rejected\":\"R{n}\"}}\n"))
        .collect()
}

#[test]
fn placement_follows_seed_and_id_and_the_label_goes_with_it() {
    let sample = sample("x.jsonl", many(200));
    let labels = |options: &ReadOptions| -> Vec<Choice> {
        let records = read_with(&sample.path, options).into_iter().map(Result::unwrap);
        let labels = records.enumerate().map(|(n, record)| {
            assert_eq!(plain(&record).2, [format!("C{n}"), format!("R{n}")]);
            record.label().unwrap()
        });
        labels.collect()
    };
    let seeded = |seed| labels(&ReadOptions { seed, ..ReadOptions::default() });
    assert_eq!(seeded(3), seeded(3));
    assert_ne!(seeded(3), seeded(4));
    let firsts = seeded(3).iter().filter(|label| **label == Choice::First).count();
    assert!((65..=135).contains(&firsts), "{firsts}");
    let chosen_first = labels(&ReadOptions { order: Order::ChosenFirst, ..ReadOptions::default() });
    assert!(chosen_first.iter().all(|label| *label == Choice::First));
}

#[test]
fn ids_are_the_records_own_or_say_where_they_lie() {
    let lines = r#"{"prompt":"Q","chosen":"C","rejected":"R"}

{"id":12,"prompt":"Q","chosen":"C","rejected":"R"}
{"id":"12","prompt":"Q","chosen":"C","rejected":"R"}
{"pair_uid":"u","prompt":"Q","chosen":"C","rejected":"R"}"#;
    let sample = sample("mine.jsonl", lines);
    let mut records = records::open(&sample.path, &ReadOptions::default()).unwrap();
    let ids: Vec<String> = records.by_ref().map(|record| record.unwrap().comparison().id.clone()).collect();
    assert_eq!(ids, ["mine:1", "12", "12#2", "u"]);
    assert_eq!(records.repeated_ids(), 1);
}

#[test]
fn several_files_are_one_stream_with_their_names_in_the_ids() {
    let (first, second) = (sample("one.jsonl", many(2)), sample("two.json", format!("[{}]", many(1))));
    let paths = [first.path.clone(), second.path.clone()];
    let records = records::open_all(&paths, &ReadOptions::default()).unwrap();
    let ids: Vec<String> = records.map(|record| record.unwrap().comparison().id.clone()).collect();
    assert_eq!(ids, ["one/p0", "one/p1", "two/p0"]);
    let missing = records::open_all(&[paths[0].clone(), "no-such-file".into()], &ReadOptions::default());
    assert!(missing.is_err());
}

#[test]
fn a_limit_stops_the_stream() {
    let sample = sample("x.jsonl", many(10));
    let options = ReadOptions { limit: Some(3), ..ReadOptions::default() };
    assert_eq!(read_with(&sample.path, &options).len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any usable text comes through unchanged, in both containers.
    #[test]
    fn text_comes_through_unchanged(texts in proptest::collection::vec("\\PC{1,40}", 3..4), array: bool) {
        prop_assume!(texts.iter().all(|text| !text.trim().is_empty()) && texts[1].trim() != texts[2].trim());
        let line = serde_json::json!({ "prompt": texts[0], "chosen": texts[1], "rejected": texts[2] }).to_string();
        let records = read("x", if array { format!("[{line}]") } else { line });
        let (_, turns, responses) = plain(&records[0]);
        prop_assert_eq!(&turns[0].1, &texts[0]);
        prop_assert_eq!(responses.as_slice(), &texts[1..]);
    }
}
