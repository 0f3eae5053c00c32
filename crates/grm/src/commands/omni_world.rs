//! `grm omni-world`: a small world to see, hear and judge, and a newborn model to learn it.

mod judging;

use std::{collections::BTreeMap, fs::File, io::Write as _, path::Path};

use anyhow::Context;
use grm_core::{Form, MediaRef, Part, Role};
use grm_data::{
    AtomicFile, SftRecord,
    examples::{Content, TextMessage},
    omni_world::{DescribeRecord, OmniWorld, RecallLesson, SceneRecord, Sizes, recall_lessons},
};
use grm_omni::{NewbornSize, write_newborn};
use serde::de::DeserializeOwned;

use self::judging::Judging;
use crate::{
    cli::{OmniWorldData, OmniWorldFlags, OmniWorldModel, OmniWorldVerb},
    commands::print,
    exit::Exit,
};

/// Runs the verb.
pub(crate) fn run(flags: &OmniWorldFlags) -> anyhow::Result<Exit> {
    match &flags.verb {
        OmniWorldVerb::Data(flags) => data(flags),
        OmniWorldVerb::Model(flags) => model(flags),
    }
}

fn data(flags: &OmniWorldData) -> anyhow::Result<Exit> {
    let sizes = Sizes {
        describe: flags.describe,
        text_pairs: flags.text_pairs,
        image_pairs: flags.image_pairs,
        audio_pairs: flags.audio_pairs,
        video_pairs: flags.video_pairs,
    };
    let world = OmniWorld::new(flags.seed);
    let world = if flags.held_out { world.held_out() } else { world };
    world.write(&flags.folder, &sizes)?;
    write_lessons(&flags.folder)?;
    write_recall(flags)?;
    let judging = Judging::new(&flags.folder, flags.seed)?;
    judging.write_coins()?;
    judging.write_preferences()?;
    print(&format!(
        "a world in {}: pairs by kind; sft.jsonl to learn seeing and hearing, recall.jsonl to find words again, coin_sft.jsonl the form of judgments, text_sft.jsonl and text_dpo.jsonl preferences\n",
        flags.folder.display()
    ))?;
    Ok(Exit::Done)
}

/// `sft.jsonl`: the descriptions as training records.
fn write_lessons(folder: &Path) -> anyhow::Result<()> {
    let hashes: BTreeMap<String, String> = records::<SceneRecord>(&folder.join("scenes.jsonl"))?
        .into_iter()
        .filter_map(|scene| Some((scene.id, scene.sha256?)))
        .collect();
    let mut file = AtomicFile::create(&folder.join("sft.jsonl"))?;
    for record in records::<DescribeRecord>(&folder.join("describe.jsonl"))? {
        serde_json::to_writer(&mut file, &lesson(record, &hashes))?;
        writeln!(file)?;
    }
    Ok(file.commit()?)
}

/// `recall.jsonl`: as many lessons in finding words again as were asked for.
fn write_recall(flags: &OmniWorldData) -> anyhow::Result<()> {
    let mut file = AtomicFile::create(&flags.folder.join("recall.jsonl"))?;
    for (number, lesson) in recall_lessons(flags.seed).take(flags.recall).enumerate() {
        let RecallLesson { prompt, response } = lesson;
        let messages = vec![
            TextMessage { role: Role::User, content: prompt.into() },
            TextMessage { role: Role::Assistant, content: response.into() },
        ];
        let pair = format!("recall-{number:06}");
        serde_json::to_writer(&mut file, &SftRecord { version: 1, pair, form: Form::NonThinking, messages })?;
        writeln!(file)?;
    }
    Ok(file.commit()?)
}

fn lesson(record: DescribeRecord, hashes: &BTreeMap<String, String>) -> SftRecord {
    let sha256 = hashes.get(&record.id).cloned().unwrap_or_default();
    let media = record.media.iter().map(|path| MediaRef { sha256: sha256.clone(), path: path.clone() });
    let shown: Vec<Part> = media.map(|media| part(&record.task, media)).collect();
    let asked = match shown.is_empty() {
        true => Content::Text(record.prompt),
        false => Content::Parts(shown.into_iter().chain([Part::text(record.prompt)]).collect()),
    };
    let messages = vec![
        TextMessage { role: Role::User, content: asked },
        TextMessage { role: Role::Assistant, content: record.response.into() },
    ];
    SftRecord { version: 1, pair: record.id, form: Form::NonThinking, messages }
}

/// What a task named `image_…`, `audio_…` or `video_…` shows.
fn part(task: &str, media: MediaRef) -> Part {
    match task.split('_').next() {
        Some("image") => Part::Image { media },
        Some("audio") => Part::Audio { media },
        _ => Part::Video { media },
    }
}

fn records<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("could not open {}", path.display()))?;
    let records = serde_json::Deserializer::from_reader(std::io::BufReader::new(file)).into_iter();
    records.collect::<Result<_, _>>().with_context(|| format!("could not read {}", path.display()))
}

fn model(flags: &OmniWorldModel) -> anyhow::Result<Exit> {
    let mut texts = Vec::new();
    for name in ["sft.jsonl", "coin_sft.jsonl"] {
        for record in records::<SftRecord>(&flags.world.join(name))? {
            texts.extend(record.messages.iter().flat_map(|message| {
                let text = |part: &Part| if let Part::Text { text } = part { Some(text.clone()) } else { None };
                message.content.parts().iter().filter_map(text).collect::<Vec<_>>()
            }));
        }
    }
    let parameters = write_newborn(&flags.folder, NewbornSize::default(), &texts, flags.seed)?;
    print(&format!("a newborn thinker of {parameters} parameters in {}\n", flags.folder.display()))?;
    Ok(Exit::Done)
}
