//! Flat shapes on a square of one colour, without soft edges: every pixel has one of a few colours.

use super::words::{COLORS, SHAPES, Word, index};

pub(super) type Rgb = [u8; 3];

/// Dark, so that every colour stands out.
pub(super) const BACKGROUNDS: [Rgb; 3] = [[0, 0, 0], [48, 48, 48], [20, 24, 40]];

const RGB_OF_COLORS: [Rgb; COLORS.len()] =
    [[220, 40, 40], [40, 180, 60], [50, 90, 230], [235, 215, 50], [245, 245, 245], [240, 120, 190]];

pub(super) fn rgb(color: Word) -> Rgb {
    RGB_OF_COLORS[index(&COLORS, color)]
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Canvas {
    pub(super) side: usize,
    pub(super) pixels: Vec<Rgb>,
}

/// A shape to draw; middle and radius in pixels.
pub(super) struct Figure {
    pub(super) shape: Word,
    pub(super) color: Word,
    pub(super) middle: [f64; 2],
    pub(super) radius: f64,
}

impl Canvas {
    pub(super) fn new(side: usize, background: Rgb) -> Self {
        Self { side, pixels: vec![background; side * side] }
    }

    pub(super) fn draw(&mut self, figure: &Figure) {
        let paint = rgb(figure.color);
        for (place, pixel) in self.pixels.iter_mut().enumerate() {
            let [x, y] = [place % self.side, place / self.side].map(|at| at as f64 + 0.5);
            let [x, y] = [x - figure.middle[0], y - figure.middle[1]].map(|at| at / figure.radius);
            if covers(figure.shape, x, y) {
                *pixel = paint;
            }
        }
    }
}

/// Whether a shape of radius 1 around the origin covers a point; y points down.
fn covers(shape: Word, x: f64, y: f64) -> bool {
    let [wide, high] = [x.abs(), y.abs()];
    match index(&SHAPES, shape) {
        0 => x * x + y * y <= 1.0,
        1 => wide.max(high) <= 0.85,
        2 => (-1.0..=0.8).contains(&y) && wide <= (y + 1.0) / 1.8,
        _ => wide.max(high) <= 1.0 && wide.min(high) <= 0.33,
    }
}
