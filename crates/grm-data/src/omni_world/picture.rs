//! Two groups of shapes on opposite sides, as PNG.

use std::collections::BTreeMap;
use std::io::Cursor;

use image::{ImageError, ImageFormat, RgbImage};

use super::canvas::{BACKGROUNDS, Canvas, Figure, Rgb};
use super::draws::Draws;
use super::question::{Aspect, Claim, Medium, Subject};
use super::words::{COLORS, NUMBERS, PLACES, SHAPES, Word, index};

/// Shapes of one kind and colour on one side.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    color: Word,
    shape: Word,
    count: Word,
    place: Word,
    /// The quarters of its half in the order they are filled.
    quarters: [usize; 4],
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    /// The group that is asked about, and the one on the other side.
    groups: [Group; 2],
    asked_is_told_first: bool,
    side_pixels: usize,
    background: Rgb,
}

impl Picture {
    /// A scene of which the claim's truth holds. Half the time the rival is true of the other group, so that a colour,
    /// shape or number seen somewhere is not yet an answer.
    pub(super) fn draw(claim: &Claim, draws: &mut Draws) -> Self {
        let rival_is_shown = draws.coin();
        let mut two = |aspect: Aspect, values: &[Word]| {
            let truth = claim.truth_of(aspect).unwrap_or_else(|| draws.pick(values));
            let rival = claim.rival_of(aspect).filter(|_| rival_is_shown);
            [truth, rival.unwrap_or_else(|| draws.pick_other(values, truth))]
        };
        let colors = two(Aspect::Color, &COLORS);
        let shapes = two(Aspect::Shape, &SHAPES);
        let counts = two(Aspect::Count, Medium::Picture.values(Aspect::Count));
        let place = claim.truth_of(Aspect::Place).unwrap_or_else(|| draws.pick(&PLACES));
        let places = [place, opposite(place)];
        let mut group = |which: usize| {
            let mut quarters = [0, 1, 2, 3];
            draws.shuffle(&mut quarters);
            let [color, shape, count, place] = [colors, shapes, counts, places].map(|values| values[which]);
            Group { color, shape, count, place, quarters }
        };
        Self {
            groups: [group(0), group(1)],
            asked_is_told_first: draws.coin(),
            side_pixels: draws.pick(&[56, 84, 112]),
            background: draws.pick(&BACKGROUNDS),
        }
    }

    pub(super) fn subject(&self) -> Subject {
        Subject { at: self.groups[0].place, color: self.groups[0].color }
    }

    pub(super) fn value(&self, aspect: Aspect) -> Option<Word> {
        let [asked, _] = &self.groups;
        match aspect {
            Aspect::Color => Some(asked.color),
            Aspect::Shape => Some(asked.shape),
            Aspect::Count => Some(asked.count),
            Aspect::Place => Some(asked.place),
            _ => None,
        }
    }

    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        let of = |Group { color, shape, count, place, .. }: &Group| {
            [("color", color), ("shape", shape), ("count", count)]
                .map(|(name, value)| (format!("{name} {place}"), (*value).to_owned()))
        };
        self.groups.iter().flat_map(of).collect()
    }

    pub(super) fn sentence(&self) -> String {
        let [mut first, mut second] = [&self.groups[0], &self.groups[1]];
        if !self.asked_is_told_first {
            std::mem::swap(&mut first, &mut second);
        }
        format!("The picture shows {} and {}.", first.phrase(), second.phrase())
    }

    pub(super) fn canvas(&self) -> Canvas {
        let mut canvas = Canvas::new(self.side_pixels, self.background);
        for group in &self.groups {
            group.figures(self.side_pixels as f64).iter().for_each(|figure| canvas.draw(figure));
        }
        canvas
    }

    pub(super) fn png(&self) -> Result<Vec<u8>, ImageError> {
        let canvas = self.canvas();
        let side = canvas.side as u32;
        let picture = RgbImage::from_fn(side, side, |x, y| image::Rgb(canvas.pixels[(y * side + x) as usize]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png)?;
        Ok(bytes.into_inner())
    }
}

impl Group {
    fn number(&self) -> usize {
        index(&NUMBERS, self.count) + 1
    }

    fn phrase(&self) -> String {
        let ending = match (self.number(), self.shape) {
            (1, _) => "",
            (_, "cross") => "es",
            _ => "s",
        };
        format!("{} {} {}{ending} {}", self.count, self.color, self.shape, self.place)
    }

    /// One shape in each of the first quarters of the group's half.
    fn figures(&self, side: f64) -> Vec<Figure> {
        let figure = |&quarter: &usize| {
            let [along, across] = [quarter % 2, quarter / 2].map(|at| 0.25 + 0.5 * at as f64);
            let middle = match index(&PLACES, self.place) {
                0 => [along / 2.0, across],
                1 => [along / 2.0 + 0.5, across],
                2 => [across, along / 2.0],
                _ => [across, along / 2.0 + 0.5],
            };
            let middle = middle.map(|at| at * side);
            Figure { shape: self.shape, color: self.color, middle, radius: 0.11 * side }
        };
        self.quarters[..self.number()].iter().map(figure).collect()
    }
}

fn opposite(place: Word) -> Word {
    // Left and right, top and bottom are neighbours in the list.
    PLACES[index(&PLACES, place) ^ 1]
}
