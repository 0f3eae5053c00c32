use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::made_run::{make, png, settings, silence};
use crate::{
    Engine, TokenCounter,
    check::{FaultKind, check},
    export,
};

/// An export and what may be done to it.
struct Planted {
    home: tempfile::TempDir,
}

impl Planted {
    fn new(engine: Engine) -> Self {
        let home = tempfile::tempdir().unwrap();
        make(home.path());
        export(&home.path().join("run"), &home.path().join("out"), &settings(home.path(), engine)).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("out").join(name)
    }

    /// Changes the text of a file.
    fn edit(&self, name: &str, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        let changed = change(&text);
        assert_ne!(changed, text, "the fault was not planted");
        fs::write(self.path(name), changed).unwrap();
    }

    /// Changes the record of a pair.
    fn record(&self, set: &str, id: &str, change: impl Fn(&mut Value)) {
        self.edit(&format!("data/grm_{set}.jsonl"), |text| {
            let change_line = |line: &str| {
                let mut value: Value = serde_json::from_str(line).unwrap();
                if value["id"] == id {
                    change(&mut value);
                }
                format!("{value}\n")
            };
            text.lines().map(change_line).collect()
        });
    }

    /// A file of media that a record shows.
    fn shown(&self, set: &str, id: &str, column: &str) -> PathBuf {
        let text = fs::read_to_string(self.path(&format!("data/grm_{set}.jsonl"))).unwrap();
        let line = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|line| line["id"] == id);
        self.path("data").join(line.unwrap()[column][0].as_str().unwrap())
    }

    /// The kinds of faults found, but for the changed hash that every edit leaves.
    fn found(&self) -> BTreeSet<FaultKind> {
        let tokens = TokenCounter::open(&self.home.path().join("tokenizer.json")).unwrap();
        let findings = check(&self.home.path().join("out"), Some(&tokens)).unwrap();
        for fault in &findings.faults {
            assert!(fault.to_string().starts_with(&fault.file) && fault.to_string().contains("; "), "{fault}");
        }
        findings.faults.iter().map(|fault| fault.kind).filter(|kind| *kind != FaultKind::WrongSha256).collect()
    }
}

#[track_caller]
fn finds(kinds: &[FaultKind], plant: impl Fn(&Planted)) {
    let planted = Planted::new(Engine::LlamaFactory);
    plant(&planted);
    assert_eq!(planted.found(), kinds.iter().copied().collect());
}

fn append(value: &mut Value, text: &str) {
    *value = format!("{}{text}", value.as_str().unwrap()).into();
}

#[test]
fn a_sound_export_has_no_faults() {
    for engine in [Engine::LlamaFactory, Engine::MsSwift, Engine::Trl] {
        let planted = Planted::new(engine);
        let findings = check(Path::new(&planted.path("")), None).unwrap();
        assert_eq!(findings.faults, [], "{engine:?}");
        assert!(findings.records >= 6 && findings.files >= 8);
        fs::create_dir_all(planted.path("out/sft")).unwrap();
        fs::write(planted.path("out/sft/model.safetensors"), "what was trained").unwrap();
        assert_eq!(planted.found(), BTreeSet::new());
    }
}

#[test]
fn wrong_content() {
    let planted = Planted::new(Engine::LlamaFactory);
    planted.edit("README.md", |text| format!("{text}\nMore."));
    let findings = check(&planted.path(""), None).unwrap();
    assert_eq!(findings.faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::WrongSha256]);
}

#[test]
fn missing_and_unknown_files() {
    finds(&[FaultKind::MissingFile], |export| fs::remove_file(export.path("requirements.txt")).unwrap());
    finds(&[FaultKind::UnknownFile], |export| fs::write(export.path("data/notes.txt"), "").unwrap());
    finds(&[FaultKind::MissingFile, FaultKind::MissingSettingFile], |export| {
        fs::remove_file(export.path("ds_z3.json")).unwrap();
    });
}

#[test]
fn missing_media() {
    finds(&[FaultKind::MissingFile, FaultKind::MissingMedia], |export| {
        fs::remove_file(export.shown("sft", "p2/thinking", "images")).unwrap();
    });
}

#[test]
fn media_outside_the_folder() {
    finds(&[FaultKind::MediaOutside], |export| {
        export.record("sft", "p2/thinking", |record| record["images"][0] = "../../run/media/spider.png".into());
    });
}

#[test]
fn media_no_engine_takes() {
    finds(&[FaultKind::UnusableMedia], |export| {
        fs::write(export.shown("sft", "p2/thinking", "images"), &png(640, 480)[..12]).unwrap();
    });
}

#[test]
fn sounds_of_another_form() {
    for (rate, channels) in [(44_100, 1), (16_000, 2)] {
        finds(&[FaultKind::SoundForm], |export| {
            fs::write(export.shown("sft", "p3/thinking", "audios"), silence(rate, channels, 4000)).unwrap();
        });
    }
}

#[test]
fn placeholders_that_do_not_match_the_files() {
    finds(&[FaultKind::ExtraPlaceholder], |export| {
        export.record("sft", "p2/thinking", |record| append(&mut record["messages"][1]["content"], "<image>"));
    });
    finds(&[FaultKind::MissingPlaceholder], |export| {
        export.record("sft", "p2/thinking", |record| record["messages"][1]["content"] = "Which?".into());
    });
    finds(&[FaultKind::LiteralPlaceholder], |export| {
        export.record("dpo", "p1/preference", |record| append(&mut record["chosen"]["content"], "<audio>"));
    });
}

#[test]
fn texts_that_would_be_misread() {
    finds(&[FaultKind::ControlToken], |export| {
        export.record("dpo", "p1/preference", |record| append(&mut record["rejected"]["content"], "<|im_end|>"));
    });
    finds(&[FaultKind::MissingSystem], |export| {
        export.record("sft", "p1/thinking", |record| drop(record["messages"].as_array_mut().unwrap().remove(0)));
    });
    finds(&[FaultKind::TurnOrder], |export| {
        export.record("dpo", "p1/preference", |record| record["messages"][1]["role"] = "assistant".into());
    });
}

#[test]
fn nothing_to_learn() {
    finds(&[FaultKind::EmptyAnswer], |export| {
        export.record("dpo", "p1/preference", |record| record["chosen"]["content"] = "".into());
    });
    finds(&[FaultKind::SameAnswers], |export| {
        export.record("dpo", "p1/preference", |record| record["chosen"] = record["rejected"].clone());
    });
}

#[test]
fn over_the_cut_off() {
    finds(&[FaultKind::OverCutoff], |export| {
        export.record("sft", "p1/thinking", |record| {
            append(&mut record["messages"][1]["content"], &"and on ".repeat(700));
        });
    });
}

#[test]
fn lines_that_are_broken_doubled_or_lost() {
    let data = "data/grm_dpo.jsonl";
    finds(&[FaultKind::BrokenLine], |export| export.edit(data, |text| text.replacen('}', "", 1)));
    finds(&[FaultKind::MissingColumn], |export| {
        export.record("dpo", "p1/preference", |record| drop(record.as_object_mut().unwrap().remove("audios")));
    });
    finds(&[FaultKind::WrongCount], |export| {
        export.edit(data, |text| text.lines().skip(1).map(|line| format!("{line}\n")).collect());
    });
    finds(&[FaultKind::DuplicateId, FaultKind::DuplicateRecord, FaultKind::WrongCount], |export| {
        export.edit(data, |text| format!("{text}{}\n", text.lines().next().unwrap()));
    });
    finds(&[FaultKind::DuplicateRecord, FaultKind::WrongCount], |export| {
        export.edit(data, |text| {
            let mut line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            line["id"] = json!("another");
            format!("{text}{line}\n")
        });
    });
}

#[test]
fn settings_that_contradict_the_records() {
    finds(&[FaultKind::UnknownDataset], |export| {
        export.edit("sft.yaml", |text| text.replace("dataset: grm_sft", "dataset: grm_stf"));
    });
    finds(&[FaultKind::SettingDiffers], |export| {
        export.edit("dpo.yaml", |text| text.replace("cutoff_len: 4096", "cutoff_len: 2048"));
    });
    finds(&[FaultKind::SettingDiffers], |export| {
        export.edit("sft.yaml", |text| text.replace("image_max_pixels: 602112\n", ""));
    });
    finds(&[FaultKind::UnnamedColumn], |export| {
        export.edit("data/dataset_info.json", |text| text.replacen("\"audios\": \"audios\",", "", 1));
    });
    finds(&[FaultKind::BrokenLine], |export| export.edit("data/dataset_info.json", |text| text.replacen('{', "", 1)));
}

#[test]
fn a_folder_without_a_manifest_is_no_export() {
    let home = tempfile::tempdir().unwrap();
    assert!(check(home.path(), None).unwrap_err().to_string().contains("manifest.json"));
}
