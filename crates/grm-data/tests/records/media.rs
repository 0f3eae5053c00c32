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
