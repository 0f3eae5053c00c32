//! Records that cannot be read say why and what to do; records that cannot be judged may be skipped.

use grm_data::records::{Format, ReadOptions};
use grm_data::{Problem, ReadError};

use crate::{fault, read_with, sample};

/// The message begins with the place, holds the parts, and stops the reading.
fn check_shape(line: &str, parts: &[&str]) {
    let (message, skippable) = fault(line);
    assert!(message.starts_with("x.jsonl:1: "), "{message}");
    for part in parts {
        assert!(message.contains(part), "{line}: {message}");
    }
    assert!(!skippable, "{message}");
}

#[test]
fn an_unknown_shape_lists_what_is_accepted_and_what_is_there() {
    check_shape(
        r#"{"text":"Q","score":1}"#,
        &["`prompt`, `chosen` and `rejected`", "`response_a`", "`conversation_input`", "found `score`, `text`"],
    );
}

#[test]
fn a_name_that_is_nearly_right_gets_a_suggestion() {
    for (line, cure) in [
        (r#"{"prompt":"Q","choosen":"C","rejected":"R"}"#, "rename `choosen` to `chosen`"),
        (
            r#"{"prompt":"Q","Chosen":"C","Rejected":"R"}"#,
            "rename `Chosen` to `chosen`, rename `Rejected` to `rejected`",
        ),
        (r#"{"promt":"Q","response_A":"C","response_B":"R"}"#, "rename `promt` to `prompt`"),
        (r#"{"question":"Q","response_a":"C","response_b":"R"}"#, "rename `question` to `prompt`"),
        (r#"{"input":"Q","output_1":"C","output_2":"R","label":1}"#, "rename `output_1` to `response_1`"),
    ] {
        check_shape(line, &[cure]);
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_named() {
    for (line, parts) in [
        (r#"{"prompt":1,"chosen":"C","rejected":"R"}"#, ["in `prompt`", "found a number"]),
        (r#"{"prompt":"Q","chosen":null,"rejected":"R"}"#, ["a value for `chosen`", "found null"]),
        (r#"{"prompt":"Q","chosen":["C"],"rejected":"R"}"#, ["`chosen[0]`", "found text"]),
        (r#"{"prompt":[{"role":"tool","content":"Q"}],"chosen":"C","rejected":"R"}"#, ["`prompt[0].role`", "`tool`"]),
        (
            r#"{"prompt":[{"role":"user","content":7}],"chosen":"C","rejected":"R"}"#,
            ["`prompt[0].content`", "a number"],
        ),
        (r#"{"prompt":"Q","chosen":[{"role":"user","content":"C"}],"rejected":"R"}"#, ["`chosen`", "a user message"]),
        (r#"{"chosen":"C","rejected":"R"}"#, ["add `prompt`", "`chosen`, `rejected`"]),
        (r#"{"id":[],"prompt":"Q","chosen":"C","rejected":"R"}"#, ["`id`", "a list"]),
        (r#"{"id":"i","prompt":{"turns":[]},"responses":[]}"#, ["for `responses", "comparison"]),
    ] {
        check_shape(line, &parts);
    }
}

#[test]
fn a_label_that_could_mean_either_is_refused() {
    let pair = |names: [&str; 2], label: &str| {
        let [first, second] = names;
        format!(r#"{{"prompt":"Q","{first}":"C","{second}":"R","label":{label}}}"#)
    };
    let letters = ["response_a", "response_b"];
    for label in ["2", "-1", "0.5", r#""tie""#, r#""C""#, "true"] {
        check_shape(&pair(letters, label), &["in `label`", label]);
    }
    for label in ["0", "1", "2"] {
        check_shape(&pair(["response_1", "response_2"], label), &["a number can mean either", "\"first\""]);
    }
}

#[test]
fn media_are_refused_by_name() {
    let omni = "only text is read here";
    check_shape(r#"{"prompt":"Q","chosen":"C","rejected":"R","images":["a.png"]}"#, &["`images`", omni]);
    check_shape(r#"{"prompt":"Q","chosen":"C","rejected":"R","image":{"bytes":"x","path":null}}"#, &["`image`", omni]);
    let piece = r#"{"prompt":[{"role":"user","content":[{"type":"image_url"}]}],"chosen":"C","rejected":"R"}"#;
    check_shape(piece, &["`prompt[0].content`", omni]);
}

#[test]
fn a_named_format_accepts_no_other() {
    let sample = sample("x.jsonl", r#"{"prompt":"Q","chosen":"C","rejected":"R"}"#);
    let first = |format| {
        let options = ReadOptions { format, ..ReadOptions::default() };
        read_with(&sample.path, &options).remove(0)
    };
    assert!(first(Format::ChosenRejected).is_ok());
    for format in [Format::ResponsePair, Format::Rmb, Format::Own] {
        assert!(matches!(first(format), Err(ReadError::Shape { .. })), "{format:?}");
    }
}

#[test]
fn a_file_keeps_the_shape_of_its_first_record() {
    let (message, _) = fault(
        "{\"prompt\":\"Q\",\"chosen\":\"C\",\"rejected\":\"R\"}\n{\"prompt\":\"Q\",\"response_a\":\"C\",\"response_b\":\"R\"}",
    );
    assert!(message.starts_with("x.jsonl:2: expected a value for `chosen`"), "{message}");
}

fn check_problem(line: &str, problem: &Problem) {
    let good = r#"{"prompt":"Q","chosen":"C","rejected":"R"}"#;
    let sample = sample("x.jsonl", format!("{good}\n{line}\n{good}"));
    let [first, second, third] = read_with(&sample.path, &ReadOptions::default()).try_into().unwrap();
    assert!(first.is_ok() && third.is_ok(), "{line}");
    let error = second.unwrap_err();
    assert!(error.is_skippable());
    let ReadError::Unusable { problem: found, .. } = error else { panic!("{error}") };
    assert_eq!(&found, problem, "{line}");
}

#[test]
fn a_record_that_cannot_be_judged_may_be_skipped() {
    let field = || "`rejected`".to_owned();
    check_problem(r#"{"prompt":" \n","chosen":"C","rejected":"R"}"#, &Problem::EmptyPrompt);
    check_problem(r#"{"prompt":[],"chosen":"C","rejected":"R"}"#, &Problem::EmptyPrompt);
    check_problem(r#"{"prompt":"Q","chosen":"C","rejected":"\t"}"#, &Problem::EmptyResponse { field: field() });
    check_problem(r#"{"prompt":"Q","chosen":"C","rejected":[]}"#, &Problem::EmptyResponse { field: field() });
    check_problem(r#"{"prompt":"Q","chosen":"C","rejected":"C "}"#, &Problem::SameResponses);
    let closed =
        r#"{"prompt":[{"role":"user","content":"Q"},{"role":"assistant","content":"A"}],"chosen":"C","rejected":"R"}"#;
    check_problem(closed, &Problem::PromptNotOpen);
    let user = r#"{"role":"user","content":"Q"}"#;
    let said = |text: &str| format!(r#"{{"role":"assistant","content":"{text}"}}"#);
    let long = format!(r#"{{"chosen":[{user},{}],"rejected":[{user},{},{user},{}]}}"#, said("C"), said("R"), said("S"));
    check_problem(&long, &Problem::SeveralTurns { field: field(), turns: 3 });
    let apart = format!(r#"{{"prompt":"Else","chosen":[{user},{}],"rejected":[{user},{}]}}"#, said("C"), said("R"));
    check_problem(&apart, &Problem::DifferentPrompts);
    let same = format!(r#"{{"chosen":[{user},{}],"rejected":[{user},{}]}}"#, said("C"), said("C"));
    check_problem(&same, &Problem::SameResponses);
}

#[test]
fn a_response_of_five_megabytes_may_be_skipped() {
    let line = format!(r#"{{"prompt":"Q","chosen":"{}","rejected":"R"}}"#, "c".repeat(5_000_000));
    let problem = Problem::TextTooLong { field: "`chosen`".into(), bytes: 5_000_000, limit: 1 << 20 };
    check_problem(&line, &problem);
    let sample = sample("x.jsonl", line);
    let options = ReadOptions { max_text_bytes: 5_000_000, ..ReadOptions::default() };
    assert!(read_with(&sample.path, &options)[0].is_ok());
}
