//! How the small world's judge judges: it describes what it is shown or told, repeats the response it decides for, and
//! gives the verdict. The same form with a coin for the decision holds no preference.

use std::{collections::BTreeMap, io::Write as _, path::Path};

use anyhow::Context;
use grm_core::{Choice, Comparison, DpoExample, Form, MediaRef, Part, Preference, Prompt, Response, SftExample};
use grm_data::{
    AtomicFile, DpoRecord, SftRecord,
    omni_world::{PairRecord, SceneRecord},
};
use grm_judge::Prompts;

use super::{part, records};

/// The world's own prompts, much shorter than the built-in ones: file name and text.
const PROMPTS: [(&str, &str); 3] = [
    ("system.j2", include_str!("system.j2")),
    ("pair.j2", include_str!("pair.j2")),
    ("direct_thinking.j2", include_str!("direct_thinking.j2")),
];

/// Judgments of one world, by the prompts that are written into its folder.
pub(super) struct Judging<'a> {
    folder: &'a Path,
    seed: u64,
    prompts: Prompts,
    scenes: BTreeMap<String, SceneRecord>,
}

impl<'a> Judging<'a> {
    /// Writes `prompts/` and reads the scenes.
    pub(super) fn new(folder: &'a Path, seed: u64) -> anyhow::Result<Self> {
        let place = folder.join("prompts");
        std::fs::create_dir_all(&place).with_context(|| format!("could not make {}", place.display()))?;
        for (name, text) in PROMPTS {
            std::fs::write(place.join(name), text).with_context(|| format!("could not write {name}"))?;
        }
        let scenes = records::<SceneRecord>(&folder.join("scenes.jsonl"))?;
        let scenes = scenes.into_iter().map(|scene| (scene.id.clone(), scene)).collect();
        Ok(Self { folder, seed, prompts: Prompts::with_overrides(&place)?, scenes })
    }

    /// `coin_sft.jsonl`: every pair of every kind judged in the form, by a coin.
    pub(super) fn write_coins(&self) -> anyhow::Result<()> {
        let mut sft = Lines::create(self.folder, "coin_sft.jsonl")?;
        for kind in ["text", "image", "audio", "video"] {
            for pair in self.pairs(kind)? {
                let shown = self.shown(&pair, self.coin(&pair, "place"));
                sft.write(&self.judged(&shown, self.coin(&pair, "verdict")))?;
            }
        }
        sft.commit()
    }

    /// `text_sft.jsonl` and `text_dpo.jsonl`: the pairs told in words, both ways round, judged as they are labelled, and
    /// the other way as the worse judgment.
    pub(super) fn write_preferences(&self) -> anyhow::Result<()> {
        let mut sft = Lines::create(self.folder, "text_sft.jsonl")?;
        let mut dpo = Lines::create(self.folder, "text_dpo.jsonl")?;
        for pair in self.pairs("text")? {
            for label in Choice::BOTH {
                let shown = self.shown(&pair, label);
                let [better, worse] = [label, label.other()].map(|verdict| self.example(&shown, verdict));
                sft.write(&SftRecord::from(&better))?;
                let SftExample { pair, messages, target: chosen, .. } = better;
                dpo.write(&DpoRecord::from(&DpoExample { pair, messages, chosen, rejected: worse.target }))?;
            }
        }
        sft.commit()?;
        dpo.commit()
    }

    fn pairs(&self, kind: &str) -> anyhow::Result<Vec<PairRecord>> {
        records(&self.folder.join(format!("{kind}_pairs.jsonl")))
    }

    fn coin(&self, pair: &PairRecord, about: &str) -> Choice {
        let hash = blake3::hash(format!("{} {about} {}", self.seed, pair.id).as_bytes());
        Choice::BOTH[usize::from(hash.as_bytes()[0] & 1)]
    }

    /// The pair with its true answer in the place of `label`.
    fn shown(&self, pair: &PairRecord, label: Choice) -> Preference {
        let sha256 = self.scenes[&pair.id].sha256.clone().unwrap_or_default();
        let media = pair.media.iter().map(|path| MediaRef { sha256: sha256.clone(), path: path.clone() });
        let mut prompt = Prompt::from_text(&pair.prompt);
        let media: Vec<Part> = media.map(|media| part(&pair.task, media)).collect();
        prompt.turns[0].parts.splice(..0, media);
        let mut responses = [pair.chosen.as_str(), pair.rejected.as_str()].map(Response::from_text);
        if label == Choice::Second {
            responses.reverse();
        }
        Preference { comparison: Comparison { id: pair.id.clone(), prompt, responses }, label }
    }

    fn judged(&self, shown: &Preference, verdict: Choice) -> SftRecord {
        SftRecord::from(&self.example(shown, verdict))
    }

    fn example(&self, shown: &Preference, verdict: Choice) -> SftExample {
        let comparison = &shown.comparison;
        let messages = self.prompts.direct(&self.prompts.pair(comparison), Form::Thinking).messages;
        let told = &self.scenes[&comparison.id].told;
        let response = comparison.responses[usize::from(verdict == Choice::Second)].joined_text();
        let letter = verdict.letter();
        let target = format!("<think>\n{told}\nSo {response} {letter}\n</think>\n[[{letter}]]");
        SftExample { pair: comparison.id.clone(), messages, target, form: Form::Thinking, preferred: shown.label }
    }
}

/// A file of JSON lines, whole or not there.
struct Lines(AtomicFile);

impl Lines {
    fn create(folder: &Path, name: &str) -> anyhow::Result<Self> {
        Ok(Self(AtomicFile::create(&folder.join(name))?))
    }

    fn write(&mut self, record: &impl serde::Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.0, record)?;
        Ok(writeln!(self.0)?)
    }

    fn commit(self) -> anyhow::Result<()> {
        Ok(self.0.commit()?)
    }
}
