//! How rows of tokens are laid out for one forward pass: padded side by side, or packed with shared prefixes.
//!
//! A judge's rows have much in common: all begin with the same instructions, and a chosen and a rejected answer follow
//! the same prompt. Packed, each common prefix stands once and every row attends to its own line of ancestors:
//!
//! ```text
//! instructions ─┬─ prompt 1 ─┬─ chosen 1
//!               │            └─ rejected 1
//!               └─ prompt 2 ─┬─ chosen 2 …
//! ```
//!
//! Positions go on counting along each line, so outputs and gradients are those of the rows alone, up to the order of
//! additions.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::rope::{Frequencies, Rotation};

/// What a masked score gets: far below any score, and finite, so that a row with nothing to see stays free of NaN.
const MASKED: f32 = -1e30;

/// A row's tokens and where each stands.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Tokens; a value beyond the vocabulary stands for a medium's feature (see [`Layout::order`]).
    pub tokens: &'a [u32],
    /// Time, height and width of each; `None` counts on from 0 on all three, as text does.
    pub positions: Option<&'a [[u32; 3]]>,
}

impl<'a> Line<'a> {
    /// Text, at positions 0, 1, 2, …
    #[must_use]
    pub fn text(tokens: &'a [u32]) -> Self {
        Self { tokens, positions: None }
    }

    pub(crate) fn position(&self, index: usize) -> [u32; 3] {
        self.positions.map_or([index as u32; 3], |positions| positions[index])
    }
}

/// Tokens of one forward pass and who sees whom.
#[derive(Debug, Clone)]
pub struct Layout {
    rows: usize,
    length: usize,
    tokens: Vec<u32>,
    positions: Vec<[u32; 3]>,
    /// Index of the token before, in the same row; the first of a line has none.
    parents: Vec<Option<u32>>,
    /// For each row given, the places of its tokens in `tokens`.
    places: Vec<Vec<usize>>,
}

impl Layout {
    /// Each row by itself, padded on the right to the longest.
    #[must_use]
    pub fn padded(lines: &[Line<'_>]) -> Self {
        let length = lines.iter().map(|line| line.tokens.len()).max().unwrap_or(0);
        let mut layout = Self::empty(lines.len(), length);
        for (index, line) in lines.iter().enumerate() {
            let start = index * length;
            for (offset, &token) in line.tokens.iter().enumerate() {
                layout.tokens[start + offset] = token;
                layout.positions[start + offset] = line.position(offset);
                layout.parents[start + offset] = offset.checked_sub(1).map(|before| before as u32);
            }
            layout.places.push((start..start + line.tokens.len()).collect());
        }
        layout
    }

    /// All rows in one line, every common prefix once. Rows that begin with the same tokens must give them the same
    /// positions.
    #[must_use]
    pub fn packed(lines: &[Line<'_>]) -> Self {
        let rows: Vec<&[u32]> = lines.iter().map(|line| line.tokens).collect();
        let mut layout =
            Self { rows: 1, length: 0, tokens: vec![], positions: vec![], parents: vec![], places: vec![] };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| rows[a].cmp(rows[b]));
        layout.places = vec![Vec::new(); rows.len()];
        let mut before: Option<usize> = None;
        for &row in &order {
            let shared = before.map_or(0, |other| common_prefix(rows[other], rows[row]));
            let mut places: Vec<usize> = before.map_or_else(Vec::new, |other| layout.places[other][..shared].to_vec());
            for (position, &token) in rows[row].iter().enumerate().skip(shared) {
                layout.parents.push(places.last().map(|&place| place as u32));
                places.push(layout.tokens.len());
                layout.tokens.push(token);
                layout.positions.push(lines[row].position(position));
            }
            layout.places[row] = places;
            before = Some(row);
        }
        layout.length = layout.tokens.len();
        layout
    }

    fn empty(rows: usize, length: usize) -> Self {
        let count = rows * length;
        Self {
            rows,
            length,
            tokens: vec![0; count],
            positions: vec![[0; 3]; count],
            parents: vec![None; count],
            places: Vec::with_capacity(rows),
        }
    }

    /// Tokens computed, padding included.
    #[must_use]
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }

    /// Pairs of places attention looks at, masked ones included.
    #[must_use]
    pub(crate) fn pair_count(&self) -> usize {
        self.tokens.len() * self.length
    }

    /// Work in arbitrary units: linear in the tokens, plus attention over every pair of places of a line.
    #[must_use]
    pub(crate) fn cost(&self) -> usize {
        const PAIRS_PER_TOKEN: usize = 2048;
        self.tokens.len() * (PAIRS_PER_TOKEN + self.length)
    }

    /// For each row given, where its tokens stand.
    #[must_use]
    pub fn places(&self) -> &[Vec<usize>] {
        &self.places
    }

    /// Where each place's first hidden state is found.
    #[must_use]
    pub fn order(&self, vocabulary: usize) -> Order {
        Order::of(&self.tokens, vocabulary)
    }

    /// Rotations and mask.
    #[must_use]
    pub fn context(&self, frequencies: &Frequencies, device: &Device) -> Context {
        let rotation = Rotation::new(&self.positions, self.rows, frequencies, device);
        let shape = [self.rows, 1, 1, self.length, self.length];
        let mask = Tensor::from_data(TensorData::new(self.mask(), shape), device);
        Context { rows: self.rows, length: self.length, rotation, mask }
    }

    /// Added to the scores of each row: 0 along a token's line of ancestors, [`MASKED`] elsewhere.
    fn mask(&self) -> Vec<f32> {
        let mut mask = vec![MASKED; self.rows * self.length * self.length];
        for row in 0..self.rows {
            let first = row * self.length;
            for index in 0..self.length {
                let (seen, line) = mask[first * self.length..].split_at_mut(index * self.length);
                if let Some(parent) = self.parents[first + index] {
                    let start = parent as usize * self.length;
                    line[..index].copy_from_slice(&seen[start..start + index]);
                }
                line[index] = 0.0;
            }
        }
        mask
    }
}

/// The places of a layout in a table of embedded text and, below it, features of media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Tokens of the vocabulary, in the order of their places.
    pub text: Vec<u32>,
    /// For each place a row of the table.
    pub places: Vec<usize>,
}

impl Order {
    /// Finds tokens of a vocabulary, and features numbered beyond it.
    #[must_use]
    pub fn of(tokens: &[u32], vocabulary: usize) -> Self {
        let is_text = |token: &&u32| (**token as usize) < vocabulary;
        let text: Vec<u32> = tokens.iter().filter(is_text).copied().collect();
        let mut next = 0;
        let place = |&token: &u32| {
            if (token as usize) < vocabulary {
                next += 1;
                next - 1
            } else {
                text.len() + token as usize - vocabulary
            }
        };
        Self { places: tokens.iter().map(place).collect(), text }
    }

    /// Whether every place is text, in order.
    #[must_use]
    pub fn is_text_only(&self) -> bool {
        self.text.len() == self.places.len()
    }
}

/// Indices on the device.
pub(crate) fn indices(values: impl ExactSizeIterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values.map(|value| value as i64).collect(), [count]), device)
}

fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// What every layer of one pass needs beside the hidden states.
#[derive(Debug, Clone)]
pub struct Context {
    rows: usize,
    length: usize,
    rotation: Rotation,
    mask: Tensor<5>,
}

impl Context {
    /// New tokens in one line, after tokens whose keys are cached: `sees[i]` are the cells, cached or new, that token `i`
    /// attends to, out of `cells`.
    #[must_use]
    pub fn after_cached(
        positions: &[[u32; 3]],
        sees: &[Vec<u32>],
        cells: usize,
        frequencies: &Frequencies,
        device: &Device,
    ) -> Self {
        let length = positions.len();
        let mut mask = vec![MASKED; length * cells];
        for (line, sees) in mask.chunks_exact_mut(cells).zip(sees) {
            for &cell in sees {
                line[cell as usize] = 0.0;
            }
        }
        let mask = Tensor::from_data(TensorData::new(mask, [1, 1, 1, length, cells]), device);
        Self { rows: 1, length, rotation: Rotation::new(positions, 1, frequencies, device), mask }
    }

    /// Rows and tokens a row.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.length]
    }

    pub(crate) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    pub(crate) fn mask(&self) -> Tensor<5> {
        self.mask.clone()
    }

    pub(crate) fn autodiff(&self) -> Self {
        Self { rotation: self.rotation.autodiff(), mask: self.mask.clone().autodiff(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_prefix_stands_once() {
        let layout = Layout::packed(&[&[1, 2, 3, 9], &[1, 2, 4][..], &[1, 5]].map(Line::text));
        assert_eq!(layout.token_count(), 6);
        for (row, places) in [&[1, 2, 3, 9][..], &[1, 2, 4], &[1, 5]].iter().zip(layout.places()) {
            let there: Vec<u32> = places.iter().map(|&place| layout.tokens[place]).collect();
            assert_eq!(&there, row);
            let positions: Vec<[u32; 3]> = places.iter().map(|&place| layout.positions[place]).collect();
            assert_eq!(positions, (0..row.len() as u32).map(|position| [position; 3]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_token_sees_its_ancestors_and_nobody_else() {
        let layout = Layout::packed(&[&[1, 2, 3][..], &[1, 4]].map(Line::text));
        let mask = layout.mask();
        let sees: Vec<Vec<usize>> = (0..4).map(|i| (0..4).filter(|j| mask[i * 4 + j] == 0.0).collect()).collect();
        assert_eq!(sees, [vec![0], vec![0, 1], vec![0, 1, 2], vec![0, 3]]);
    }

    #[test]
    fn features_are_found_below_the_text() {
        // A vocabulary of 10: 11 is the second feature, 10 the first.
        let order = Layout::packed(&[Line::text(&[3, 11, 10, 4])]).order(10);
        assert_eq!(order, Order { text: vec![3, 4], places: vec![0, 3, 2, 1] });
        assert!(!order.is_text_only());
    }

    #[test]
    fn padding_is_seen_by_no_token() {
        let layout = Layout::padded(&[&[1, 2, 3][..], &[4]].map(Line::text));
        let second = &layout.mask()[9..];
        assert_eq!(second[0], 0.0);
        assert!(second[1..3].iter().all(|&bias| bias == MASKED));
    }
}
