//! A scene of any medium.

use std::collections::BTreeMap;

use image::ImageError;

use super::clip::Clip;
use super::draws::Draws;
use super::picture::Picture;
use super::question::{Aspect, Claim, Medium, told};
use super::sound::Sound;
use super::words::Word;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scene {
    Picture(Picture),
    Sound(Sound),
    Clip(Clip),
}

impl Scene {
    /// A scene of which the claim's truth holds, kept for tests or not as `held_out` says.
    pub(super) fn draw(medium: Medium, claim: &Claim, held_out: bool, draws: &mut Draws) -> Self {
        loop {
            let scene = Self::any(medium, claim, draws);
            // Ends: a test finds scenes of every claim of every medium on both sides.
            if scene.is_held_out() == held_out && scene.value(claim.aspect) == Some(claim.truth) {
                return scene;
            }
        }
    }

    /// A scene of which the claim's truth holds.
    pub(super) fn any(medium: Medium, claim: &Claim, draws: &mut Draws) -> Self {
        match medium {
            Medium::Picture => Self::Picture(Picture::draw(claim, draws)),
            Medium::Sound => Self::Sound(Sound::draw(claim, draws)),
            Medium::Clip => Self::Clip(Clip::draw(claim, draws)),
        }
    }

    /// A quarter of all combinations of facts, the same for every seed. What is no fact (size, loudness) is no matter.
    pub(super) fn is_held_out(&self) -> bool {
        let mut hasher = blake3::Hasher::new();
        for (name, value) in self.facts() {
            hasher.update(name.as_bytes()).update(b"=").update(value.as_bytes()).update(b"\n");
        }
        hasher.finalize().as_bytes()[0] < 64
    }

    /// What is true of the scene, or nothing where the question makes no sense.
    pub(super) fn value(&self, aspect: Aspect) -> Option<Word> {
        self.listed().into_iter().find_map(|(of, value)| (of == aspect).then_some(value))
    }

    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        self.listed().into_iter().map(|(aspect, value)| (aspect.name().to_owned(), value.to_owned())).collect()
    }

    /// The whole scene in words.
    pub(super) fn sentence(&self) -> String {
        let facts: Vec<String> = self.listed().into_iter().map(told).collect();
        format!("It has {}.", facts.join(", "))
    }

    fn listed(&self) -> Vec<(Aspect, Word)> {
        match self {
            Self::Picture(picture) => picture.facts(),
            Self::Sound(sound) => sound.facts(),
            Self::Clip(clip) => clip.facts(),
        }
    }

    /// The scene as a file's bytes.
    pub(super) fn file(&self) -> Result<Vec<u8>, ImageError> {
        match self {
            Self::Picture(picture) => picture.png(),
            Self::Sound(sound) => Ok(sound.wav()),
            Self::Clip(clip) => clip.gif(),
        }
    }
}

impl Medium {
    pub(super) fn file_ending(self) -> &'static str {
        match self {
            Self::Picture => "png",
            Self::Sound => "wav",
            Self::Clip => "gif",
        }
    }
}
