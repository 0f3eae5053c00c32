//! JSON lines and arrays are told apart, streamed, and refused before they fill the memory.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use grm_data::ReadError;
use grm_data::records::{self, ReadOptions};

use crate::{fault, plain, read, read_with, sample};

const LINE: &str = r#"{"prompt":"Q, [{\" ]","chosen":"C","rejected":"R"}"#;

#[test]
fn lines_and_arrays_are_told_by_their_first_bytes() {
    for (text, ids) in [
        (format!("{LINE}\n{LINE}\n"), ["x:1", "x:2"]),
        (format!("\u{feff}\n{LINE}\r\n\r\n{LINE}"), ["x:2", "x:4"]),
        (format!("[{LINE},{LINE}]"), ["x:0", "x:1"]),
        (format!("\u{feff} [\n  {LINE} ,\n {LINE}\n]\n\n"), ["x:0", "x:1"]),
    ] {
        let found: Vec<String> = read("x.anything", &text).iter().map(|record| plain(record).0).collect();
        assert_eq!(found, ids, "{text}");
    }
    assert!(read("x", " [ ] ").is_empty());
}

#[test]
fn broken_arrays_are_refused_with_the_element() {
    for (text, part) in [
        (format!("[{LINE},{LINE}"), "element 1: expected one JSON array of objects, found the file ends before"),
        (format!("[{LINE}] {LINE}"), "more text after the array"),
        (format!("[{LINE},]"), "element 1: not valid JSON"),
        (format!("[{LINE},3]"), "element 1: expected an object with named fields, found a number"),
        (format!("[{LINE}}}"), "element 0"),
    ] {
        let (message, skippable) = fault(&text);
        assert!(message.contains(part), "{text}: {message}");
        assert!(!skippable);
    }
}

#[test]
fn what_is_no_container_of_records_is_named() {
    for (bytes, part) in [
        (b"".as_slice(), "an empty file"),
        (b"\n \n", "blanks alone"),
        (b"\x1f\x8b\x08\x00", "gunzip"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd -d"),
        (b"\xff\xfe{\x00", "UTF-16"),
        (b"id,prompt\n1,2\n", "something else"),
    ] {
        let (message, _) = fault(bytes);
        assert!(message.contains(part), "{message}");
    }
    let missing = records::open("no-such-file.jsonl".as_ref(), &ReadOptions::default()).unwrap_err();
    assert!(missing.to_string().contains("no-such-file.jsonl"), "{missing}");
}

#[test]
fn bad_lines_are_named() {
    for (text, part) in [
        (format!("{LINE}\n{{"), "x.jsonl:2: not valid JSON; a JSONL file has one whole object a line"),
        (format!("{LINE},\n{LINE}"), "x.jsonl:1: not valid JSON; a JSONL file has no commas"),
        (format!("{LINE}\n[1]"), "x.jsonl:2: expected an object with named fields, found a list"),
        (format!("{{\"prompt\":{}{}}}", "[".repeat(64), "]".repeat(64)), "x.jsonl:1: nested deeper than 64"),
        (r#"{"prompt":"\ud800","chosen":"C","rejected":"R"}"#.to_owned(), "x.jsonl:1: not valid JSON"),
        (r#"{"prompt":NaN,"chosen":"C","rejected":"R"}"#.to_owned(), "x.jsonl:1: not valid JSON"),
    ] {
        let (message, skippable) = fault(&text);
        assert!(message.contains(part), "{text}: {message}");
        assert!(!skippable);
    }
    let (message, _) = fault(b"{\"prompt\":\"\xff\"}");
    assert!(message.contains("x.jsonl:1: not UTF-8 at byte 11"), "{message}");
}

#[test]
fn the_stream_ends_with_an_error_that_cannot_be_skipped() {
    let sample = sample("x.jsonl", format!("{LINE}\nnonsense\n{LINE}"));
    let results = read_with(&sample.path, &ReadOptions::default());
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_line_or_element_over_the_limit_is_refused() {
    let options = ReadOptions { line_limit_bytes: 100, ..ReadOptions::default() };
    let long = LINE.replace('Q', &"Q".repeat(100));
    for text in [format!("{LINE}\n{long}\n{LINE}"), format!("[{LINE},{long},{LINE}]")] {
        let sample = sample("x", text);
        let results = read_with(&sample.path, &options);
        assert!(matches!(results.as_slice(), [Ok(_), Err(ReadError::TooLong { limit: 100, .. })]), "{results:?}");
    }
    let exact = LINE.replace('Q', &"Q".repeat(101 - LINE.len()));
    assert_eq!(exact.len(), 100);
    let sample = sample("x", format!("{exact}\n{exact}"));
    assert!(read_with(&sample.path, &options).iter().all(Result::is_ok));
}

/// Two gigabytes of one line, as a hole in the file: refused after the first 16 MiB, which takes no time.
#[test]
fn a_line_of_two_gigabytes_is_refused_unread() {
    for start in ["{", "["] {
        let sample = sample("huge", start);
        let mut file = File::options().write(true).open(&sample.path).unwrap();
        file.seek(SeekFrom::Start(2 << 30)).unwrap();
        file.write_all(b"}\n").unwrap();
        let results = read_with(&sample.path, &ReadOptions::default());
        assert!(matches!(results.as_slice(), [Err(ReadError::TooLong { .. })]), "{results:?}");
    }
}

#[test]
fn an_array_that_is_larger_than_any_buffer_is_streamed() {
    let element = LINE.replace('Q', &"Q ".repeat(5000));
    let text = format!("[{}]", vec![element; 300].join(",\n"));
    assert_eq!(read("x.json", text).len(), 300);
}
