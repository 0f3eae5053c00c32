//! What is asked about scenes, and how facts are worded: shortly, so that a small model spends its tokens on facts.

use super::words::{CHANGES, COLORS, HEADINGS, NUMBERS, PITCHES, PLACES, SHAPES, SLOPES, SPEEDS, TONES, Word};

/// What a scene is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Picture,
    Sound,
    Clip,
}

/// The property asked for. Several are properties of more than one medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aspect {
    Color,
    Shape,
    Count,
    Place,
    Pitch,
    Direction,
    Speed,
    Tone,
    Change,
    NewColor,
}

/// What is true of a scene, and something false in its stead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) aspect: Aspect,
    pub(super) truth: Word,
    pub(super) rival: Word,
}

impl Aspect {
    /// What the property is called in every text; `later` is the colour a shape changes to.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Color => "color",
            Self::Shape => "shape",
            Self::Count => "count",
            Self::Place => "place",
            Self::Pitch => "pitch",
            Self::Direction => "direction",
            Self::Speed => "speed",
            Self::Tone => "tone",
            Self::Change => "change",
            Self::NewColor => "later",
        }
    }

    pub(super) fn questions(self) -> [String; 2] {
        [format!("Which {}?", self.name()), format!("What is the {}?", self.name())]
    }
}

impl Claim {
    /// `truth` if this claim is about `aspect`.
    pub(super) fn truth_of(&self, aspect: Aspect) -> Option<Word> {
        (self.aspect == aspect).then_some(self.truth)
    }

    /// `rival` if this claim is about `aspect`.
    pub(super) fn rival_of(&self, aspect: Aspect) -> Option<Word> {
        (self.aspect == aspect).then_some(self.rival)
    }
}

/// A fact as scenes and answers tell it.
pub(super) fn told((aspect, value): (Aspect, Word)) -> String {
    format!("{} {value}", aspect.name())
}

impl Medium {
    pub(super) const ALL: [Self; 3] = [Self::Picture, Self::Sound, Self::Clip];

    pub(super) fn word(self) -> Word {
        match self {
            Self::Picture => "picture",
            Self::Sound => "sound",
            Self::Clip => "clip",
        }
    }

    pub(super) fn aspects(self) -> &'static [Aspect] {
        use Aspect::{Change, Color, Count, Direction, NewColor, Pitch, Place, Shape, Speed, Tone};
        match self {
            Self::Picture => &[Color, Shape, Count, Place],
            Self::Sound => &[Pitch, Direction, Count, Speed, Tone],
            Self::Clip => &[Color, Shape, Direction, Speed, Change, NewColor],
        }
    }

    /// The values an aspect takes in this medium.
    pub(super) fn values(self, aspect: Aspect) -> &'static [Word] {
        match (self, aspect) {
            (_, Aspect::Color | Aspect::NewColor) => &COLORS,
            (_, Aspect::Shape) => &SHAPES,
            (Self::Sound, Aspect::Count) => &NUMBERS[1..],
            (_, Aspect::Count) => &NUMBERS[..4],
            (_, Aspect::Place) => &PLACES,
            (_, Aspect::Pitch) => &PITCHES,
            (Self::Sound, Aspect::Direction) => &SLOPES,
            (_, Aspect::Direction) => &HEADINGS,
            (_, Aspect::Speed) => &SPEEDS,
            (_, Aspect::Tone) => &TONES,
            (_, Aspect::Change) => &CHANGES,
        }
    }
}
