//! `grm omni-world`: a small world to see, hear and judge, and a newborn model to learn it.

use std::{collections::BTreeMap, fs::File, io::Write as _, path::Path};

use anyhow::Context;
use grm_core::{Comparison, Form, MediaRef, Message, Part, Prompt, Response, Role};
use grm_data::{
    AtomicFile, SftRecord,
    examples::{Content, TextMessage},
    omni_world::{DescribeRecord, OmniWorld, PairRecord, SceneRecord, Sizes},
};
use grm_judge::Prompts;
use grm_omni::{NewbornSize, write_newborn};
use serde::de::DeserializeOwned;

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
    write_coins(&flags.folder, flags.seed)?;
    print(&format!("a world in {}: pairs by kind, sft.jsonl to learn seeing and hearing\n", flags.folder.display()))?;
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

fn lesson(record: DescribeRecord, hashes: &BTreeMap<String, String>) -> SftRecord {
    let sha256 = hashes.get(&record.id).cloned().unwrap_or_default();
    let part = |path: &String| {
        let media = MediaRef { sha256: sha256.clone(), path: path.clone() };
        match record.task.split('_').next() {
            Some("image") => Part::Image { media },
            Some("audio") => Part::Audio { media },
            _ => Part::Video { media },
        }
    };
    let shown: Vec<Part> = record.media.iter().map(part).collect();
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

/// `coin_pairs.jsonl`: pairs whose better answer a coin chose. They show a judge's form and no preference.
fn write_coins(folder: &Path, seed: u64) -> anyhow::Result<()> {
    let mut file = AtomicFile::create(&folder.join("coin_pairs.jsonl"))?;
    for mut pair in records::<PairRecord>(&folder.join("text_pairs.jsonl"))? {
        if blake3::hash(format!("{seed} {}", pair.id).as_bytes()).as_bytes()[0] & 1 == 1 {
            std::mem::swap(&mut pair.chosen, &mut pair.rejected);
        }
        serde_json::to_writer(&mut file, &pair)?;
        writeln!(file)?;
    }
    Ok(file.commit()?)
}

fn records<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("could not open {}", path.display()))?;
    let records = serde_json::Deserializer::from_reader(std::io::BufReader::new(file)).into_iter();
    records.collect::<Result<_, _>>().with_context(|| format!("could not read {}", path.display()))
}

fn model(flags: &OmniWorldModel) -> anyhow::Result<Exit> {
    let mut texts = Vec::new();
    for record in records::<SftRecord>(&flags.world.join("sft.jsonl"))? {
        texts.extend(record.messages.iter().flat_map(|message| {
            let text = |part: &Part| if let Part::Text { text } = part { Some(text.clone()) } else { None };
            message.content.parts().iter().filter_map(text).collect::<Vec<_>>()
        }));
    }
    // The judge's own words as often as the world's, so that its instructions take few tokens.
    let prompts = Prompts::builtin();
    let comparison = Comparison {
        id: String::new(),
        prompt: Prompt::from_text("question"),
        responses: ["first", "second"].map(Response::from_text),
    };
    let asked = prompts.direct(&prompts.pair(&comparison), Form::NonThinking);
    let instructions: String = asked.messages.iter().map(Message::text).collect();
    let times = texts.len() / 10 + 1;
    texts.extend(std::iter::repeat_n(instructions, times));
    let parameters = write_newborn(&flags.folder, NewbornSize::default(), &texts, flags.seed)?;
    print(&format!("a newborn thinker of {parameters} parameters in {}\n", flags.folder.display()))?;
    Ok(Exit::Done)
}
