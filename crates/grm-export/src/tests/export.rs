use std::{collections::BTreeMap, fs, path::Path};

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::made_run::{dpo, keep, make, settings, sft, write};
use crate::{Engine, ExportError, ExportSettings, MANIFEST, Manifest, Refusal, Set, digest::sha256_file, export};

fn exported(engine: Engine) -> (tempfile::TempDir, Manifest) {
    let home = tempfile::tempdir().unwrap();
    make(home.path());
    let exported = export(&home.path().join("run"), &home.path().join("out"), &settings(home.path(), engine)).unwrap();
    (home, exported.manifest)
}

/// Every text file of the folder by its name, and the rows of every table.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let names = crate::manifest::names(folder).unwrap();
    let content = |name: &String| {
        let path = folder.join(name);
        if name.ends_with(".parquet") {
            let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
            let rows = reader.get_row_iter(None).unwrap().map(|row| format!("{}\n", row.unwrap()));
            return rows.collect();
        }
        fs::read_to_string(path).unwrap()
    };
    let is_text = |name: &&String| !name.starts_with("data/media/");
    names.iter().filter(is_text).map(|name| (name.clone(), content(name))).collect()
}

#[test]
fn a_mixed_run_for_llamafactory() {
    let (home, _) = exported(Engine::LlamaFactory);
    for (name, text) in files(&home.path().join("out")) {
        insta::assert_snapshot!(format!("llamafactory {name}").replace(['/', ' '], "_"), text);
    }
}

#[test]
fn a_mixed_run_for_ms_swift() {
    let (home, _) = exported(Engine::MsSwift);
    for (name, text) in files(&home.path().join("out")) {
        if !name.ends_with(".parquet") && name != "ds_z3.json" {
            insta::assert_snapshot!(format!("ms-swift {name}").replace(['/', ' '], "_"), text);
        }
    }
}

#[test]
fn a_mixed_run_for_trl_keeps_text_and_pictures() {
    let (home, manifest) = exported(Engine::Trl);
    assert_eq!(manifest.sets[&Set::Sft].left_out[&Refusal::EngineLacksKind], 2);
    for (name, text) in files(&home.path().join("out")) {
        if !name.ends_with(".parquet") && name != "ds_z3.json" {
            insta::assert_snapshot!(format!("trl {name}").replace(['/', ' '], "_"), text);
        }
    }
}

#[test]
fn every_file_is_in_the_manifest_and_media_are_named_by_content() {
    let (home, manifest) = exported(Engine::LlamaFactory);
    let folder = home.path().join("out");
    let listed: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    let there = crate::manifest::names(&folder).unwrap();
    assert_eq!(listed, there.iter().filter(|name| *name != MANIFEST).collect::<Vec<_>>());
    for file in &manifest.files {
        let digest = sha256_file(&folder.join(&file.path)).unwrap();
        assert_eq!((digest.sha256.as_str(), digest.bytes), (file.sha256.as_str(), file.bytes), "{}", file.path);
        if let Some(name) = file.path.strip_prefix("data/media/") {
            assert_eq!(name.split('.').next(), Some(digest.sha256.as_str()));
        }
    }
    let media = listed.iter().filter(|name| name.starts_with("data/media/")).count();
    assert_eq!(media, 5, "two pictures, a clip, a sound as it was and one made of stereo");
}

/// Two seconds of eight frames, each of its own grey.
fn gif() -> Vec<u8> {
    use image::{Delay, Frame, Rgba, RgbaImage, codecs::gif::GifEncoder};
    let mut bytes = Vec::new();
    let frame = |index: u8| {
        let image = RgbaImage::from_pixel(85, 56, Rgba([30 * index, 30 * index, 30 * index, 255]));
        Frame::from_parts(image, 0, 0, Delay::from_numer_denom_ms(250, 1))
    };
    GifEncoder::new(&mut bytes).encode_frames((0..8).map(frame)).unwrap();
    bytes
}

#[test]
fn a_clip_of_another_form_is_written_anew_without_loss() {
    use crate::{ClipFacts, MediaFacts, MediaKind};
    use grm_media::{Limits, Sampling, Source};
    let home = tempfile::tempdir().unwrap();
    make(home.path());
    let run = home.path().join("run");
    let clip = keep(&run, "video", "moving.gif", &gif());
    let content = serde_json::json!([clip, { "type": "text", "text": "What moves?" }]);
    write(&run, "sft.jsonl", &[sft("p1", "thinking", &content, "[[A]]")]);
    write(&run, "dpo.jsonl", &[]);
    let out = home.path().join("out");
    export(&run, &out, &settings(home.path(), Engine::LlamaFactory)).unwrap();
    let names = crate::manifest::names(&out).unwrap();
    let [name] = &names.iter().filter(|name| name.ends_with(".mov")).collect::<Vec<_>>()[..] else {
        panic!("{names:?}")
    };
    let facts = MediaFacts::read(MediaKind::Video, &out.join(name)).unwrap();
    assert_eq!(facts, MediaFacts::Clip(ClipFacts { width: 85, height: 56, frames: 4, seconds: 2.0 }));
    assert_eq!(crate::check::check(&out, None).unwrap().faults, []);
    let limits = Limits::default();
    let frames = |folder: &Path, name: &str| {
        grm_media::clip(&Source::open(folder, Path::new(name), &limits).unwrap(), &Sampling::default(), &limits)
    };
    match frames(&out, name) {
        Ok(written) => assert_eq!(written, frames(&run, "media/moving.gif").unwrap()),
        Err(error) => println!("skipped: the written clip was not decoded: {error}"),
    }
}

#[test]
fn the_same_run_and_seed_give_the_same_bytes() {
    let (_first, one) = exported(Engine::LlamaFactory);
    let (_second, two) = exported(Engine::LlamaFactory);
    assert_eq!(one, two);
}

#[test]
fn what_cannot_be_handed_over_is_counted_with_its_reason() {
    let (_home, manifest) = exported(Engine::LlamaFactory);
    let sft = &manifest.sets[&Set::Sft];
    let expected = [
        (Refusal::OverCutoff, 1),
        (Refusal::LiteralPlaceholder, 1),
        (Refusal::ControlToken, 1),
        (Refusal::MediaMissing, 1),
        (Refusal::MediaChanged, 1),
    ];
    assert_eq!((sft.records, &sft.left_out, sft.escaped), (6, &BTreeMap::from(expected), 1));
    let dpo = &manifest.sets[&Set::Dpo];
    assert_eq!((dpo.records, dpo.left_out.values().sum::<usize>()), (3, 2));
}

#[test]
fn a_record_exactly_as_long_as_the_cut_off_stays() {
    let home = tempfile::tempdir().unwrap();
    make(home.path());
    let run = home.path().join("run");
    let record = dpo("p1", &serde_json::json!("Which?"), "[[A]]", "[[B]]");
    write(&run, "sft.jsonl", &[]);
    write(&run, "dpo.jsonl", &[record]);
    let export_at = |cutoff_tokens| {
        let settings = ExportSettings { cutoff_tokens, ..settings(home.path(), Engine::LlamaFactory) };
        export(&run, &home.path().join("out"), &settings)
    };
    // system: 3 + 6 + 1 + 28 bytes; user: 3 + 4 + 1 + 6, then 2 + 9 + 1; answer: 5 + 2. See the markers as one each.
    let system = 1 + "system\n".len() + "You are a helpful assistant.".len() + 1 + 1;
    let user = 1 + "user\n".len() + "Which?".len() + 1 + 1 + 1 + "assistant\n".len();
    let length = system + user + "[[A]]".len() + 2;
    assert_eq!(export_at(length).unwrap().manifest.sets[&Set::Dpo].tokens.max, length);
    let error = export_at(length - 1).unwrap_err();
    assert!(matches!(error, ExportError::NothingLeft { records: 1, .. }), "{error}");
    assert!(error.to_string().contains("over_cutoff 1"), "{error}");
}

#[test]
fn what_was_said_before_is_left_out() {
    let home = tempfile::tempdir().unwrap();
    make(home.path());
    let run = home.path().join("run");
    let record = |pair: &str, asked: &str| dpo(pair, &serde_json::json!(asked), "[[A]]", "[[B]]");
    write(&run, "sft.jsonl", &[]);
    write(&run, "dpo.jsonl", &[record("p1", "Which?"), record("p2", "Which?"), record("p2", "Why?")]);
    let out = home.path().join("out");
    let exported = export(&run, &out, &settings(home.path(), Engine::LlamaFactory)).unwrap();
    let left_out = &exported.refused[&Set::Dpo];
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert_eq!((left_out[0].reason, left_out[0].detail.as_str()), (Refusal::Duplicate, "as p1/preference"));
    assert_eq!(crate::check::check(&out, None).unwrap().faults, []);
}

#[test]
fn errors_name_the_cure() {
    let home = tempfile::tempdir().unwrap();
    make(home.path());
    let (run, out) = (home.path().join("run"), home.path().join("out"));
    let paper = ExportSettings::paper(Engine::LlamaFactory);
    let error = |run: &Path, out: &Path, settings: &ExportSettings| export(run, out, settings).unwrap_err().to_string();
    assert!(error(&run, &out, &paper).contains("--tokenizer"));
    let settings = settings(home.path(), Engine::LlamaFactory);
    assert!(error(home.path(), &out, &settings).contains("`grm synthesize`"));
    assert!(error(&run, &run, &settings).contains("name another folder"));
    let newer =
        sft("p1", "thinking", &serde_json::json!("Q"), "[[A]]").to_string().replace("\"version\":1", "\"version\":2");
    fs::write(run.join("sft.jsonl"), newer).unwrap();
    assert!(error(&run, &out, &settings).contains("sft.jsonl:1: expected `version` 1"));
    assert!(!out.exists() && !home.path().join("out.partial").exists());
}

/// Lengths by the processors' own arithmetic, held against what transformers gave for the same inputs.
#[test]
fn lengths_agree_with_the_published_processors() {
    use crate::{Caps, MediaFacts, PictureFacts, SoundFacts};
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/goldens/preproc");
    let Ok(tables) = fs::read(goldens.join("tables.json")) else {
        println!("skipped: the goldens are not here");
        return;
    };
    let tables: serde_json::Value = serde_json::from_slice(&tables).unwrap();
    let mut compared = 0;
    for row in tables["smart_resize_rows"].as_array().unwrap() {
        let [height, width, min, max, to_height, to_width] =
            [0, 1, 2, 3, 4, 5].map(|index| usize::try_from(row[index].as_u64().unwrap()).unwrap());
        let bounds = grm_model::omni::preprocess::PixelBounds { min, max };
        let caps = Caps { processor_image: bounds, ..Caps::default() };
        // TRL hands pictures to the processor as they are.
        let tokens = caps.tokens(Engine::Trl, MediaFacts::Picture(PictureFacts { width, height })).unwrap();
        assert_eq!(tokens, to_height * to_width / 784, "{row}");
        compared += 1;
    }
    assert!(compared > 10);
    let path = goldens.join("audio.wav");
    let facts = MediaFacts::read(crate::MediaKind::Audio, &path).unwrap();
    let MediaFacts::Sound(SoundFacts { samples, .. }) = facts else { panic!("{facts:?}") };
    // 20,800 samples are 130 frames of 10 ms, which the tower makes 32 tokens of.
    assert_eq!((samples, Caps::default().tokens(Engine::LlamaFactory, facts)), (20_800, Ok(32)));
}
