//! Damage of every kind costs the damaged record and nothing else.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use futures::FutureExt;
use grm_journal::{Journal, JournalError, JournalOptions};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::models::{Echo, identity, question, scoring, segments};

const RECORDS: u32 = 200;

/// A finished journal of chats and scores in turn, in one segment.
struct Written {
    folder: TempDir,
    segment: PathBuf,
    bytes: Vec<u8>,
    /// Where each record begins, and where the last one ends.
    starts: Vec<usize>,
}

fn written(records: u32) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), &JournalOptions::default()).unwrap();
    let (chat, reward) = (journal.chat(Echo::new("said")), journal.reward(Echo::new("said")));
    for number in 0..records {
        match number % 2 {
            0 => drop(chat.chat(question(number)).now_or_never().unwrap().unwrap()),
            _ => drop(reward.score(scoring(number)).now_or_never().unwrap().unwrap()),
        }
    }
    drop((chat, reward, journal));
    let [segment] = segments(folder.path()).try_into().unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1);
    let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
    assert_eq!(starts.len() - 1, records as usize);
    Written { folder, segment, bytes, starts }
}

/// Which of the first `records` calls have an answer, which must then be the right one.
fn answered(folder: &Path, records: std::ops::Range<u32>) -> (Vec<u32>, grm_journal::JournalStats) {
    let journal = Journal::open(folder, &JournalOptions::replay_only()).unwrap();
    let (chat, reward) = (journal.chat_replay(identity("echo")), journal.reward_replay(identity("echo")));
    let echo = Echo::new("said");
    let has_answer = |number: &u32| match number % 2 {
        0 => match chat.chat(question(*number)).now_or_never().unwrap() {
            Ok(reply) => {
                assert_eq!(reply, echo.reply(&question(*number)));
                true
            }
            Err(_) => false,
        },
        _ => match reward.score(scoring(*number)).now_or_never().unwrap() {
            Ok(score) => {
                assert_eq!(score.value(), format!("response {number}").len() as f32 + 0.1);
                true
            }
            Err(_) => false,
        },
    };
    let answered = records.filter(has_answer).collect();
    (answered, journal.stats())
}

#[test]
fn a_tail_torn_at_any_byte_costs_the_torn_record_alone() {
    let Written { folder, segment, bytes, starts } = written(RECORDS);
    let file = OpenOptions::new().write(true).open(segment).unwrap();
    let first = RECORDS - 10;
    for length in (starts[first as usize]..=bytes.len()).rev() {
        file.set_len(length as u64).unwrap();
        // A record that only lacks its line feed is whole: its checksum says so.
        let whole = starts[1..].iter().filter(|end| **end <= length + 1).count() as u32;
        let is_torn = !starts.contains(&length) && !starts.contains(&(length + 1));
        let (answered, stats) = answered(folder.path(), first..RECORDS);
        assert_eq!(answered, (first..whole).collect::<Vec<_>>(), "cut at {length}");
        assert_eq!(stats.indexed, u64::from(whole), "cut at {length}");
        assert_eq!((stats.recovered_torn, stats.damaged), (u64::from(is_torn), 0), "cut at {length}");
    }
}

#[test]
fn any_flipped_bit_of_the_last_record_costs_that_record_alone() {
    let Written { folder, segment, mut bytes, starts } = written(RECORDS);
    let file = OpenOptions::new().write(true).open(segment).unwrap();
    let last = starts[RECORDS as usize - 1];
    for bit in last * 8..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        file.write_all_at(&bytes[last..], last as u64).unwrap();
        let (answered, stats) = answered(folder.path(), RECORDS - 3..RECORDS);
        assert_eq!(answered, [RECORDS - 3, RECORDS - 2], "bit {bit}");
        assert_eq!(stats.indexed, u64::from(RECORDS) - 1, "bit {bit}");
        assert!(stats.recovered_torn + stats.damaged > 0, "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_damaged_line_in_the_middle_is_reported_and_asked_again() {
    let Written { folder, segment, mut bytes, starts } = written(RECORDS);
    // Inside record 100, and the line feed that ends record 150: the two lines then run together.
    bytes[starts[100] + 60] ^= 1;
    bytes[starts[151] - 1] ^= 4;
    File::create(segment).unwrap().write_all(&bytes).unwrap();

    let echo = Echo::new("said");
    let journal = Journal::open(folder.path(), &JournalOptions::default()).unwrap();
    assert_eq!((journal.stats().indexed, journal.stats().damaged), (198, 2));
    let report = std::fs::read_to_string(folder.path().join("quarantine.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let offsets: Vec<u64> = lines.iter().map(|line| line["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, [starts[100] as u64, starts[150] as u64]);

    let chat = journal.chat(echo.clone());
    for number in (0..RECORDS).step_by(2) {
        let reply = chat.chat(question(number)).now_or_never().unwrap().unwrap();
        assert_eq!(reply, echo.reply(&question(number)));
    }
    assert_eq!(echo.asked(), 2);
    drop((chat, journal));
    let (found, _) = answered(folder.path(), 0..RECORDS);
    assert_eq!(found.len(), RECORDS as usize);
}

#[test]
fn a_line_that_is_too_long_is_passed_over_without_being_kept() {
    let Written { folder, segment, bytes, .. } = written(2);
    let mut file = File::create(segment).unwrap();
    file.set_len(65 << 20).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).unwrap();
    file.write_all(b"\n").unwrap();
    file.write_all(&bytes).unwrap();
    let (answered, stats) = answered(folder.path(), 0..2);
    assert_eq!((answered, stats.damaged, stats.indexed), (vec![0, 1], 1, 2));
}

#[test]
fn a_record_of_another_version_is_refused_with_its_place() {
    let Written { folder, segment, bytes, .. } = written(1);
    let body = b"\"v\":9,\"anything\":0}";
    let mut file = OpenOptions::new().append(true).open(segment).unwrap();
    file.write_all(format!("{{\"crc\":\"{:08x}\",", crc32c::crc32c(body)).as_bytes()).unwrap();
    file.write_all(body).unwrap();
    file.write_all(b"\n").unwrap();
    let error = Journal::open(folder.path(), &JournalOptions::default()).unwrap_err();
    let JournalError::Version { offset, found, known, .. } = &error else { panic!("{error}") };
    assert_eq!((*offset, *found, *known), (bytes.len() as u64, 9, 1));
}

#[test]
fn a_record_that_changes_while_the_journal_is_open_is_asked_again() {
    let Written { folder, segment, mut bytes, starts } = written(3);
    let journal = Journal::open(folder.path(), &JournalOptions::default()).unwrap();
    bytes[starts[2] + 90] ^= 1;
    File::create(segment).unwrap().write_all(&bytes).unwrap();
    let echo = Echo::new("said");
    let chat = journal.chat(echo.clone());
    for number in [0, 2] {
        let reply = chat.chat(question(number)).now_or_never().unwrap().unwrap();
        assert_eq!(reply, echo.reply(&question(number)));
    }
    assert_eq!((echo.asked(), journal.stats().appended), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever bytes a segment holds, opening it neither panics nor finds a record that was not written.
    #[test]
    fn arbitrary_bytes_are_never_taken_for_a_record(
        garbage in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            Just(b"\n".to_vec()),
            Just(b"{\"crc\":\"".to_vec()),
            Just(b"{\"crc\":\"00000000\",\"v\":1,\"key\":\"".to_vec()),
        ], 0..20),
    ) {
        let Written { folder, segment, bytes, .. } = written(2);
        let mut mixed = garbage.concat();
        mixed.push(b'\n');
        mixed.extend_from_slice(&bytes);
        mixed.extend_from_slice(&garbage.concat());
        std::fs::write(segment, mixed).unwrap();
        let (answered, stats) = answered(folder.path(), 0..2);
        prop_assert_eq!(answered, vec![0, 1]);
        prop_assert_eq!(stats.indexed, 2);
    }
}
