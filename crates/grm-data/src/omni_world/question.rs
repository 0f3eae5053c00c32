//! What is asked about scenes, and how answers are worded.

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
            Self::NewColor => "new_color",
        }
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

/// What stands for `{at}` and `{color}` in a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Subject {
    pub(super) at: Word,
    pub(super) color: Word,
}

impl Subject {
    pub(super) fn fill(self, template: &str, value: Word) -> String {
        let text = template.replace("{at}", self.at).replace("{color}", self.color).replace("{value}", value);
        debug_assert!(!text.contains('{'), "{template}");
        text
    }
}

/// Two ways to ask and two to answer; both answers of a pair are worded the same way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording {
    pub(super) questions: [&'static str; 2],
    pub(super) answers: [&'static str; 2],
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

    pub(super) fn wording(self, aspect: Aspect) -> Wording {
        let (questions, answers) = match (self, aspect) {
            (Self::Clip, Aspect::Color) => (
                ["What color is the shape at the start?", "Which color does the shape have at the start?"],
                ["The color at the start is {value}.", "It is {value}."],
            ),
            (_, Aspect::Color) => (
                ["What color is {at}?", "Which color do you see {at}?"],
                ["The color {at} is {value}.", "It is {value}."],
            ),
            (Self::Clip, Aspect::Shape) => (
                ["Which shape is in the clip?", "What shape do you see?"],
                ["The shape is a {value}.", "It is a {value}."],
            ),
            (_, Aspect::Shape) => (
                ["Which shape is {at}?", "What shape do you see {at}?"],
                ["The shape {at} is a {value}.", "It is a {value}."],
            ),
            (Self::Sound, Aspect::Count) => (
                ["How many beeps are there?", "What is the number of beeps?"],
                ["The number of beeps is {value}.", "I count {value}."],
            ),
            (_, Aspect::Count) => (
                ["How many shapes are {at}?", "What is the number of shapes {at}?"],
                ["The number of shapes {at} is {value}.", "I count {value}."],
            ),
            (_, Aspect::Place) => (
                ["Where is the color {color}?", "On which side is the color {color}?"],
                ["The color {color} is {value}.", "It is {value}."],
            ),
            (_, Aspect::Pitch) => (
                ["Is the pitch low or high?", "What is the pitch of the beeps?"],
                ["The pitch is {value}.", "The beeps are {value}."],
            ),
            (Self::Sound, Aspect::Direction) => (
                ["Which way does the sound go?", "Is the sound rising, falling or steady?"],
                ["The sound is {value}.", "It is {value}."],
            ),
            (_, Aspect::Direction) => (
                ["Which way does the shape move?", "In which direction does the shape go?"],
                ["The shape moves {value}.", "It goes {value}."],
            ),
            (Self::Sound, Aspect::Speed) => (
                ["Is the rhythm slow or fast?", "What is the speed of the beeps?"],
                ["The rhythm is {value}.", "The speed is {value}."],
            ),
            (_, Aspect::Speed) => (
                ["Is the motion slow or fast?", "What is the speed of the shape?"],
                ["The motion is {value}.", "The speed is {value}."],
            ),
            (_, Aspect::Tone) => (
                ["Is the tone smooth or rough?", "What is the tone of the beeps?"],
                ["The tone is {value}.", "The beeps are {value}."],
            ),
            (_, Aspect::Change) => {
                (["What does the shape do?", "What happens to the shape?"], ["The shape {value}.", "It {value}."])
            }
            (_, Aspect::NewColor) => (
                ["Which color does the shape change to?", "What is the new color of the shape?"],
                ["The new color is {value}.", "It changes to {value}."],
            ),
        };
        Wording { questions, answers }
    }
}
