//! A shape that does something for two seconds, as GIF of eight frames.

use image::codecs::gif::GifEncoder;
use image::{Delay, Frame, ImageError, RgbaImage};

use super::canvas::{BACKGROUNDS, Canvas, Figure, Rgb};
use super::draws::Draws;
use super::question::{Aspect, Claim};
use super::words::{CHANGES, COLORS, HEADINGS, SHAPES, SPEEDS, Word, index};

pub(super) const FRAMES: usize = 8;
const FRAME_MILLISECONDS: u32 = 250;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Action {
    Moves { heading: Word, speed: Word },
    Grows,
    Shrinks,
    ChangesColor { to: Word },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clip {
    color: Word,
    shape: Word,
    action: Action,
    side_pixels: usize,
    background: Rgb,
    /// How far the path's middle is off the picture's, in its sides.
    offset: [f64; 2],
}

impl Clip {
    /// A scene of which the claim's truth holds. A colour that is only the later one is now and then the false answer to
    /// the question for the first, and the other way round.
    pub(super) fn draw(claim: &Claim, draws: &mut Draws) -> Self {
        let swap = draws.coin();
        let shown = |aspect| claim.rival_of(aspect).filter(|_| swap);
        let to = claim.truth_of(Aspect::NewColor).or(shown(Aspect::Color));
        let from = claim.truth_of(Aspect::Color).or(shown(Aspect::NewColor));
        let color = from.unwrap_or_else(|| match to {
            Some(to) => draws.pick_other(&COLORS, to),
            None => draws.pick(&COLORS),
        });
        let shape = claim.truth_of(Aspect::Shape).unwrap_or_else(|| draws.pick(&SHAPES));
        let action = match change(claim, draws) {
            0 => Action::Moves {
                heading: claim.truth_of(Aspect::Direction).unwrap_or_else(|| draws.pick(&HEADINGS)),
                speed: claim.truth_of(Aspect::Speed).unwrap_or_else(|| draws.pick(&SPEEDS)),
            },
            1 => Action::Grows,
            2 => Action::Shrinks,
            _ => Action::ChangesColor { to: to.unwrap_or_else(|| draws.pick_other(&COLORS, color)) },
        };
        let side_pixels = draws.pick(&[56, 84]);
        let background = draws.pick(&BACKGROUNDS);
        let offset = [draws.share(), draws.share()].map(|share| 0.24 * (share - 0.5));
        Self { color, shape, action, side_pixels, background, offset }
    }

    /// What is true of it, in the order it is told.
    pub(super) fn facts(&self) -> Vec<(Aspect, Word)> {
        let Self { color, shape, action, .. } = self;
        let mut facts = vec![(Aspect::Color, *color), (Aspect::Shape, *shape), (Aspect::Change, action.word())];
        match *action {
            Action::Moves { heading, speed } => facts.extend([(Aspect::Direction, heading), (Aspect::Speed, speed)]),
            Action::ChangesColor { to } => facts.push((Aspect::NewColor, to)),
            Action::Grows | Action::Shrinks => {}
        }
        facts
    }

    pub(super) fn frame(&self, number: usize) -> Canvas {
        let side = self.side_pixels as f64;
        let way = number as f64 / (FRAMES - 1) as f64 - 0.5;
        let (mut color, mut radius, mut middle) = (self.color, 0.16, self.offset);
        match self.action {
            Action::Moves { heading, speed } => {
                let far = [0.2, 0.5][index(&SPEEDS, speed)];
                let step = [[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]][index(&HEADINGS, heading)];
                middle = [0, 1].map(|axis| middle[axis] + step[axis] * far * way);
            }
            Action::Grows => radius += 0.2 * way,
            Action::Shrinks => radius -= 0.2 * way,
            Action::ChangesColor { to } if way > 0.0 => color = to,
            Action::ChangesColor { .. } => {}
        }
        let mut canvas = Canvas::new(self.side_pixels, self.background);
        let middle = middle.map(|at| (at + 0.5) * side);
        canvas.draw(&Figure { shape: self.shape, color, middle, radius: radius * side });
        canvas
    }

    pub(super) fn gif(&self) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for number in 0..FRAMES {
            encoder.encode_frame(picture(&self.frame(number)))?;
        }
        drop(encoder);
        Ok(bytes)
    }
}

/// Which of [`CHANGES`] the claim needs, or any.
fn change(claim: &Claim, draws: &mut Draws) -> usize {
    match claim.aspect {
        Aspect::Direction | Aspect::Speed => 0,
        Aspect::NewColor => 3,
        Aspect::Change => index(&CHANGES, claim.truth),
        _ => draws.below(CHANGES.len()),
    }
}

fn picture(canvas: &Canvas) -> Frame {
    let side = canvas.side as u32;
    let picture = RgbaImage::from_fn(side, side, |x, y| {
        let [red, green, blue] = canvas.pixels[(y * side + x) as usize];
        image::Rgba([red, green, blue, 255])
    });
    Frame::from_parts(picture, 0, 0, Delay::from_numer_denom_ms(FRAME_MILLISECONDS, 1))
}

impl Action {
    fn word(self) -> Word {
        CHANGES[match self {
            Self::Moves { .. } => 0,
            Self::Grows => 1,
            Self::Shrinks => 2,
            Self::ChangesColor { .. } => 3,
        }]
    }
}
