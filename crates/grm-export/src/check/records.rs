//! Every record by the rules of its engine.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use grm_core::Role;
use grm_model::omni::preprocess::PixelBounds;
use serde_json::Value;

use super::{FaultKind, Inspection};
use crate::{
    Engine, MediaFacts, MediaKind, Set,
    engines::{self, ReadLine, data_file},
    lengths::Caps,
    row::{RowAnswer, content},
};

/// A record's place.
struct Place {
    file: String,
    line: usize,
}

impl Inspection<'_> {
    pub(super) fn records(&mut self) {
        for set in self.sets() {
            let file = data_file(set);
            let Some(text) = self.text(&file) else { continue };
            let (mut count, mut ids, mut contents) = (0, BTreeMap::new(), BTreeMap::new());
            for (index, line) in text.lines().enumerate() {
                let place = Place { file: file.clone(), line: index + 1 };
                count += 1;
                self.findings.records += 1;
                match read(self.manifest.engine, set, line) {
                    Err(what) => self.at(&place, FaultKind::BrokenLine, what),
                    Ok(record) => {
                        self.unique(&place, &record, &mut ids, &mut contents);
                        self.record(&place, &record);
                    }
                }
            }
            let expected = self.manifest.sets.get(&set).map_or(0, |counts| counts.records);
            if count != expected {
                self.fault(
                    FaultKind::WrongCount,
                    &file,
                    None,
                    format!("{count} records, the manifest says {expected}"),
                );
            }
        }
    }

    fn at(&mut self, place: &Place, kind: FaultKind, what: String) {
        self.fault(kind, &place.file, Some(place.line), what);
    }

    fn unique(
        &mut self,
        place: &Place,
        record: &ReadLine,
        ids: &mut BTreeMap<String, usize>,
        contents: &mut BTreeMap<String, usize>,
    ) {
        if let Some(before) = record.id.as_ref().and_then(|id| ids.insert(id.clone(), place.line)) {
            self.at(place, FaultKind::DuplicateId, format!("its id is that of line {before}"));
        }
        let content = content(&record.prompt, &record.answer, &record.media);
        if let Some(before) = contents.insert(content, place.line) {
            self.at(place, FaultKind::DuplicateRecord, format!("it says what line {before} says"));
        }
    }

    fn record(&mut self, place: &Place, record: &ReadLine) {
        self.turns(place, record);
        self.answers(place, record);
        self.placeholders(place, record);
        self.control_tokens(place, record);
        let media_tokens = self.media(place, record);
        self.length(place, record, media_tokens);
    }

    fn turns(&mut self, place: &Place, record: &ReadLine) {
        let turns = match record.prompt.as_slice() {
            [first, turns @ ..] if first.role == Role::System && !first.content.trim().is_empty() => turns,
            turns => {
                self.at(place, FaultKind::MissingSystem, "it does not begin with a system message".into());
                turns
            }
        };
        let expected = |index: usize| if index.is_multiple_of(2) { Role::User } else { Role::Assistant };
        let is_right = turns.iter().enumerate().all(|(index, message)| message.role == expected(index));
        if !is_right || turns.len().is_multiple_of(2) {
            let roles: Vec<&str> = turns.iter().map(|message| message.role.as_str()).collect();
            self.at(place, FaultKind::TurnOrder, format!("its turns are {}", roles.join(", ")));
        }
    }

    fn answers(&mut self, place: &Place, record: &ReadLine) {
        for text in record.answer.texts() {
            if text.trim().is_empty() {
                self.at(place, FaultKind::EmptyAnswer, "what is to be learnt is empty".into());
            }
            for kind in MediaKind::ALL.into_iter().filter(|kind| text.contains(kind.placeholder())) {
                let what = format!("what is to be learnt says {}", kind.placeholder());
                self.at(place, FaultKind::LiteralPlaceholder, what);
            }
        }
        if let RowAnswer::Preference([chosen, rejected]) = &record.answer
            && chosen == rejected
        {
            self.at(place, FaultKind::SameAnswers, "chosen and rejected are the same".into());
        }
    }

    fn placeholders(&mut self, place: &Place, record: &ReadLine) {
        // TRL's records of text need no column of files.
        let missing = if self.manifest.engine == Engine::Trl { &[][..] } else { &record.missing };
        for column in missing {
            self.at(place, FaultKind::MissingColumn, format!("it has no column `{column}`"));
        }
        for kind in MediaKind::ALL {
            let word = kind.placeholder();
            let written: usize = record.prompt.iter().map(|message| message.content.matches(word).count()).sum();
            let files = record.media[kind as usize].len();
            let what = format!("{written} {word} in the prompt for {files} files in `{}`", kind.column());
            match written.cmp(&files) {
                std::cmp::Ordering::Greater => self.at(place, FaultKind::ExtraPlaceholder, what),
                std::cmp::Ordering::Less => self.at(place, FaultKind::MissingPlaceholder, what),
                std::cmp::Ordering::Equal => {}
            }
        }
    }

    fn control_tokens(&mut self, place: &Place, record: &ReadLine) {
        let Some(tokens) = self.tokens else { return };
        let texts = record.prompt.iter().map(|message| message.content.as_str()).chain(record.answer.texts());
        let written: Vec<String> = texts.filter_map(|text| tokens.control_token(text)).map(str::to_owned).collect();
        for token in written {
            self.at(place, FaultKind::ControlToken, format!("a text writes {token}"));
        }
    }

    /// Tokens of all files, if each could be measured.
    fn media(&mut self, place: &Place, record: &ReadLine) -> Option<usize> {
        let mut total = Some(0);
        for kind in MediaKind::ALL {
            for file in &record.media[kind as usize] {
                let tokens = self.file(place, kind, file);
                total = total.zip(tokens).map(|(total, tokens)| total + tokens);
            }
        }
        total
    }

    fn file(&mut self, place: &Place, kind: MediaKind, file: &str) -> Option<usize> {
        let is_inside = Path::new(file).components().all(|component| matches!(component, Component::Normal(_)));
        if !is_inside {
            self.at(place, FaultKind::MediaOutside, format!("{file} leads out of the folder"));
            return None;
        }
        let root = if self.manifest.engine == Engine::LlamaFactory {
            self.folder.join("data")
        } else {
            self.folder.to_owned()
        };
        let path = root.join(file);
        if !path.is_file() {
            self.at(place, FaultKind::MissingMedia, format!("{file} is not there"));
            return None;
        }
        let facts = match MediaFacts::read(kind, &path) {
            Ok(facts) => facts,
            Err(what) => {
                self.at(place, FaultKind::UnusableMedia, format!("{file}: {what}"));
                return None;
            }
        };
        if let MediaFacts::Sound(sound) = facts
            && !sound.is_ready()
        {
            let what = format!("{file}: {} Hz, {} channels, {} bits", sound.rate, sound.channels, sound.bits);
            self.at(place, FaultKind::SoundForm, what);
        }
        match self.caps().tokens(self.manifest.engine, facts) {
            Ok(tokens) => Some(tokens),
            Err(what) => {
                self.at(place, FaultKind::UnusableMedia, format!("{file}: {what}"));
                None
            }
        }
    }

    fn caps(&self) -> Caps {
        let caps = &self.manifest.caps;
        let bounds = |[min, max]: [usize; 2]| PixelBounds { min, max };
        Caps {
            image: bounds(caps.image_pixels),
            video: bounds(caps.video_pixels),
            video_fps: caps.video_fps,
            video_frames_max: caps.video_frames_max,
            processor_image: bounds(caps.processor_image_pixels),
            processor_video: bounds(caps.processor_video_pixels),
        }
    }

    /// Counted anew where a tokenizer is given and every file could be measured, else as written down.
    fn length(&mut self, place: &Place, record: &ReadLine, media_tokens: Option<usize>) {
        let counted = self.tokens.zip(media_tokens).and_then(|(tokens, media)| {
            let prompt = tokens.prompt(&record.prompt).ok()?;
            let longest = record.answer.texts().map(|text| tokens.answer(text).ok()).collect::<Option<Vec<_>>>()?;
            Some(prompt + media + longest.into_iter().max().unwrap_or(0))
        });
        let cutoff = self.manifest.cutoff_tokens;
        if let Some(length) = counted.or(record.tokens).filter(|&length| length > cutoff) {
            self.at(place, FaultKind::OverCutoff, format!("{length} tokens, the cut-off is {cutoff}"));
        }
    }
}

fn read(engine: Engine, set: Set, line: &str) -> Result<ReadLine, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if !value.is_object() {
        return Err("it is no JSON object".into());
    }
    engines::read_line(engine, set, &value)
}
