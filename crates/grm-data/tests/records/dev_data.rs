//! Real files, where they are at hand; nothing of them is kept.

use std::path::{Path, PathBuf};

use grm_core::Choice;
use grm_data::records::{self, ReadOptions};

/// The folder named by `GRM_DEV_DATA`, or `shared/data` beside the checkout; says so when there is none.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("GRM_DEV_DATA").map_or(beside, PathBuf::from);
    let found = folder.is_dir();
    if !found {
        println!("skipped: no folder at {}; set GRM_DEV_DATA to one with the development data", folder.display());
    }
    found.then_some(folder)
}

/// How many records a file gives, and how many it gives for skipping; half of the chosen ones come first.
fn check(paths: &[PathBuf], usable: usize, skipped: usize) {
    let results: Vec<_> = records::open_all(paths, &ReadOptions::default()).unwrap().collect();
    let faults: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(faults.iter().all(|fault| fault.is_skippable()), "{faults:?}");
    assert_eq!((results.len() - faults.len(), faults.len()), (usable, skipped), "{paths:?}");
    let is_first = |result: &&Result<records::Record, _>| {
        result.as_ref().is_ok_and(|record| record.label().unwrap() == Choice::First)
    };
    let firsts = results.iter().filter(is_first).count();
    assert!(firsts * 10 > usable * 4 && firsts * 10 < usable * 6, "{firsts} of {usable}");
}

fn json_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        match path.is_dir() {
            true => json_files(&path, files),
            false => files.push(path),
        }
    }
}

#[test]
fn human_preferences_in_json_lines() {
    let Some(folder) = folder() else { return };
    check(&[folder.join("hh_small.jsonl")], 4999, 0);
    check(&[folder.join("hh_test.jsonl")], 1000, 0);
    check(&[folder.join("bt_extra.jsonl")], 1975, 54);
}

#[test]
fn rmb_pairwise_files() {
    let Some(folder) = folder() else { return };
    let mut files = Vec::new();
    json_files(&folder.join("dev/RMB/RMB_dataset/Pairwise_set"), &mut files);
    assert_eq!(files.len(), 10);
    check(&files, 1911, 4);
}

#[test]
fn files_of_other_shapes_are_refused_with_the_fields_they_have() {
    let Some(folder) = folder() else { return };
    for (file, part) in [
        ("dev/PandaLM/testset-v1.json", "rename `instruction` to `prompt`"),
        ("dev/LLMBar_Processed/Processed/FairEval/dataset.json", "rename `output_1` to `response_1`"),
        ("dev/RMB/eval_result/ArmoRM-Llama3-8B-v0.1_result.json", "`chosen_reward`"),
        ("dev/media/mini_prefs.jsonl", "only text is read here"),
        ("dev/RM-Bench/chat_filtered.json", "`chosen[0]`"),
    ] {
        let path = folder.join(file);
        let first = records::open(&path, &ReadOptions::default()).and_then(|mut records| records.next().unwrap());
        let message = first.unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}
