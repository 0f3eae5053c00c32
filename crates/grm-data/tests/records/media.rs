//! Records with pictures, clips and sounds beside their text.

use std::fs;
use std::path::Path;

use grm_core::{Part, Role};
use grm_data::{MediaFields, Order, Problem, ReadError, ReadOptions, Record, open};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";
const WAV: &[u8] = b"RIFF\0\0\0\0WAVE and so on";

fn folder(lines: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.png"), PNG).unwrap();
    fs::write(folder.path().join("b.dat"), WAV).unwrap();
    fs::write(folder.path().join("words.png"), "no picture at all").unwrap();
    fs::write(folder.path().join("pairs.jsonl"), lines.join("\n")).unwrap();
    folder
}

fn read(folder: &Path, media: MediaFields) -> Vec<Result<Record, ReadError>> {
    let options = ReadOptions { media, order: Order::ChosenFirst, ..ReadOptions::default() };
    open(&folder.join("pairs.jsonl"), &options).unwrap().collect()
}

fn outline(parts: &[Part]) -> Vec<String> {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::Image { media } => format!("<image {}>", media.path),
        Part::Video { media } => format!("<video {}>", media.path),
        Part::Audio { media } => format!("<audio {}>", media.path),
    };
    parts.iter().map(part).collect()
}

#[test]
fn what_is_shown_stands_before_what_is_said_of_it() {
    let folder = folder(&[
        r#"{"prompt":"Which?","media":["b.dat","a.png"],"chosen":"One <image>.","rejected":"Two."}"#,
        r#"{"prompt":"Draw.","chosen_media":["a.png"],"rejected_media":["b.dat"],"rejected":"A noise."}"#,
        r#"{"prompt":[{"role":"system","content":"Short."},{"role":"user","content":"Who?"}],"images":["a.png"],"chosen":"x","rejected":"y"}"#,
    ]);
    let records = read(folder.path(), MediaFields::Name);
    let records: Vec<_> = records.iter().map(|record| record.as_ref().unwrap().comparison()).collect();
    assert_eq!(outline(&records[0].prompt.turns[0].parts), ["<audio b.dat>", "<image a.png>", "Which?"]);
    assert_eq!(outline(&records[0].responses[0].parts), ["One <image>."], "a word is no picture");
    assert_eq!(outline(&records[1].responses[0].parts), ["<image a.png>"]);
    assert_eq!(outline(&records[1].responses[1].parts), ["<audio b.dat>", "A noise."]);
    assert_eq!(records[2].prompt.turns[0].role, Role::System);
    assert_eq!(outline(&records[2].prompt.turns[1].parts), ["<image a.png>", "Who?"]);
    let Part::Image { media } = &records[1].responses[0].parts[0] else { panic!("a picture") };
    assert_eq!(media.sha256.len(), 64);
}

#[test]
fn pieces_of_messages_keep_their_order() {
    let folder = folder(&[
        r#"{"prompt":[{"role":"user","content":[{"type":"text","text":"This"},{"type":"image_url","image_url":{"url":"a.png"}},{"type":"text","text":"or this?"},{"type":"audio","audio":"b.dat"}]}],"chosen":"x","rejected":[{"role":"assistant","content":[{"type":"text","text":"See"},{"type":"image","path":"a.png"}]}]}"#,
        r#"{"images":["a.png"],"prompt":[{"role":"user","content":[{"type":"text","text":"Now"},{"type":"image","text":null}]}],"chosen":[{"role":"assistant","content":"x"}],"rejected":[{"role":"assistant","content":"y"}]}"#,
        r#"{"images":[{"path":"a.png"}],"chosen":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"Who?"}]},{"role":"assistant","content":"x"}],"rejected":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"Who?"}]},{"role":"assistant","content":"y"}]}"#,
    ]);
    let records = read(folder.path(), MediaFields::Name);
    let records: Vec<_> = records.iter().map(|record| record.as_ref().unwrap().comparison()).collect();
    let asked = |record: usize| outline(&records[record].prompt.turns[0].parts);
    assert_eq!(asked(0), ["This", "<image a.png>", "or this?", "<audio b.dat>"]);
    assert_eq!(outline(&records[0].responses[1].parts), ["See", "<image a.png>"]);
    assert_eq!(asked(1), ["Now", "<image a.png>"]);
    assert_eq!(asked(2), ["<image a.png>", "Who?"]);
    assert_eq!(outline(&records[2].responses[1].parts), ["y"]);
}

#[test]
fn pairs_in_an_order_of_their_own_have_media_too() {
    let folder = folder(&[
        r#"{"prompt":"Which?","images":["a.png"],"response_a":"One.","response_b":"Two.","label":"B"}"#,
        r#"{"prompt":"Draw.","response_a_media":["a.png"],"response_b_media":["b.dat"],"label":"A"}"#,
    ]);
    let first = &read(folder.path(), MediaFields::Name)[0];
    let asked = &first.as_ref().unwrap().comparison().prompt.turns[0];
    assert_eq!(outline(&asked.parts), ["<image a.png>", "Which?"]);
    // The shape of a file is told by its first record: without text in the responses it is the same.
    fs::rename(folder.path().join("pairs.jsonl"), folder.path().join("both.jsonl")).unwrap();
    let both = fs::read_to_string(folder.path().join("both.jsonl")).unwrap();
    fs::write(folder.path().join("pairs.jsonl"), both.lines().last().unwrap()).unwrap();
    let second = &read(folder.path(), MediaFields::Name)[0];
    let [a, b] = &second.as_ref().unwrap().comparison().responses;
    assert_eq!(
        (outline(&a.parts), outline(&b.parts)),
        (vec!["<image a.png>".to_owned()], vec!["<audio b.dat>".to_owned()])
    );
}

#[test]
fn pieces_without_a_file_and_files_without_a_place_are_refused() {
    let piece = |piece: &str| {
        format!(
            r#"{{"prompt":[{{"role":"user","content":[{piece},{{"type":"text","text":"?"}}]}}],"chosen":"x","rejected":"y","images":["a.png"]}}"#
        )
    };
    let twice = piece(r#"{"type":"image"},{"type":"image"}"#);
    let lost = piece(r#"{"type":"image"}"#).replace(r#"["a.png"]"#, r#"["a.png","words.png"]"#);
    let inside = piece(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#);
    let tool = piece(r#"{"type":"tool_use"}"#);
    for (line, expected) in [
        (twice, "place 2 for a file, and 1 files"),
        (lost, "none for words.png"),
        (inside, "a file inside the record; write it beside the record"),
        (tool, "found `tool_use`"),
    ] {
        let folder = folder(&[&line]);
        let said = read(folder.path(), MediaFields::Name)[0].as_ref().unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn what_is_wrong_with_a_medium_leaves_its_record_out() {
    let folder = folder(&[
        r#"{"prompt":"a","media":["none.png"],"chosen":"x","rejected":"y"}"#,
        r#"{"prompt":"b","media":["../a.png"],"chosen":"x","rejected":"y"}"#,
        r#"{"prompt":"c","media":["words.png"],"chosen":"x","rejected":"y"}"#,
        r#"{"prompt":"d","images":["b.dat"],"chosen":"x","rejected":"y"}"#,
        r#"{"prompt":"e","media":["https://example.org/a.png"],"chosen":"x","rejected":"y"}"#,
        r#"{"prompt":"f","chosen_media":["a.png"],"rejected_media":["a.png"]}"#,
        r#"{"prompt":"g","media":["a.png"],"chosen":"x","rejected":"y"}"#,
    ]);
    let records = read(folder.path(), MediaFields::Name);
    let said: Vec<String> = records.iter().filter_map(|record| Some(record.as_ref().err()?.to_string())).collect();
    let expected = [
        "none.png",
        "leads out of the set's folder",
        "words.png is not a picture, clip or sound",
        "b.dat is not a picture",
        "nothing is fetched here",
        "the same media",
    ];
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.contains(expected), "{said}");
    }
    let kinds: Vec<&str> = records
        .iter()
        .filter_map(|record| match record {
            Err(ReadError::Unusable { problem, .. }) => Some(Problem::kind(problem)),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, ["media file", "media file", "media file", "media file", "media file", "same media"]);
    assert!(records[6].is_ok(), "the others are read");
}

#[test]
fn commands_of_text_still_refuse_and_own_records_keep_their_media() {
    let folder = folder(&[r#"{"prompt":"Which?","media":["a.png"],"chosen":"One.","rejected":"Two."}"#]);
    assert!(matches!(read(folder.path(), MediaFields::Refuse)[0], Err(ReadError::Media { .. })));
    let Record::Labelled(preference) = read(folder.path(), MediaFields::Name).remove(0).unwrap() else {
        panic!("labelled")
    };
    fs::write(folder.path().join("pairs.jsonl"), serde_json::to_string(&preference).unwrap()).unwrap();
    assert!(matches!(read(folder.path(), MediaFields::Refuse)[0], Err(ReadError::Media { .. })));
    let again = read(folder.path(), MediaFields::Name).remove(0).unwrap();
    assert_eq!(again, Record::Labelled(preference));
}
