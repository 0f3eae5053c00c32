//! One to four shapes in one half of a square, as PNG.

use std::io::Cursor;

use image::{ImageError, ImageFormat, RgbImage};

use super::canvas::{BACKGROUNDS, Canvas, Figure, Rgb};
use super::draws::Draws;
use super::question::{Aspect, Claim, Medium};
use super::words::{NUMBERS, PLACES, Word, index};

/// Shapes of one kind and colour in one half of a square.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    color: Word,
    shape: Word,
    count: Word,
    place: Word,
    /// The quarters of its half in the order they are filled.
    quarters: [usize; 4],
    side_pixels: usize,
    background: Rgb,
}

impl Picture {
    /// A scene of which the claim's truth holds.
    pub(super) fn draw(claim: &Claim, draws: &mut Draws) -> Self {
        let mut of =
            |aspect: Aspect| claim.truth_of(aspect).unwrap_or_else(|| draws.pick(Medium::Picture.values(aspect)));
        let [color, shape, count, place] = [Aspect::Color, Aspect::Shape, Aspect::Count, Aspect::Place].map(&mut of);
        let mut quarters = [0, 1, 2, 3];
        draws.shuffle(&mut quarters);
        let side_pixels = draws.pick(&[56, 84, 112]);
        Self { color, shape, count, place, quarters, side_pixels, background: draws.pick(&BACKGROUNDS) }
    }

    /// What is true of it, in the order it is told.
    pub(super) fn facts(&self) -> Vec<(Aspect, Word)> {
        let Self { color, shape, count, place, .. } = self;
        vec![(Aspect::Color, *color), (Aspect::Shape, *shape), (Aspect::Count, *count), (Aspect::Place, *place)]
    }

    pub(super) fn canvas(&self) -> Canvas {
        let mut canvas = Canvas::new(self.side_pixels, self.background);
        self.figures(self.side_pixels as f64).iter().for_each(|figure| canvas.draw(figure));
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

    /// One shape in each of the first quarters of its half.
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
        self.quarters[..=index(&NUMBERS, self.count)].iter().map(figure).collect()
    }
}
