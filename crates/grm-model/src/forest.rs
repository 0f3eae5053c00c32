//! Keys and values of every token computed so far, each once: a forest of prefixes.
//!
//! A judge's calls about one pair begin alike, and so do repeated samples of one call. Each token computed is a cell with
//! the cell before it as its parent; a new row walks down from the root as far as its tokens are there and computes only
//! the rest. Rows that generate at the same time go through the network together, each seeing its own ancestors.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;

use crate::{
    decoder::{LayerCache, layout::indices},
    omni::senses::{FeatureTable, Placed},
};

/// A cell's index.
pub(crate) type Cell = u32;

/// Cells of one model, and the features of the media among them.
#[derive(Debug)]
pub struct Forest {
    positions: Vec<[u32; 3]>,
    parents: Vec<Option<Cell>>,
    /// When each cell was last part of a row asked for.
    used: Vec<u64>,
    children: BTreeMap<(Option<Cell>, u32), Cell>,
    pub(crate) caches: Vec<Option<LayerCache>>,
    pub(crate) table: FeatureTable,
    cells_max: usize,
    clock: u64,
}

/// Cells to be computed, in the order of their indices.
#[derive(Debug, Default)]
pub(crate) struct NewCells {
    pub(crate) tokens: Vec<u32>,
    pub(crate) positions: Vec<[u32; 3]>,
    pub(crate) sees: Vec<Vec<Cell>>,
}

impl Forest {
    /// An empty forest that forgets what was not used lately beyond `cells_max` cells.
    pub(crate) fn new(layers: usize, vocabulary: usize, cells_max: usize) -> Self {
        Self {
            positions: Vec::new(),
            parents: Vec::new(),
            used: Vec::new(),
            children: BTreeMap::new(),
            caches: vec![None; layers],
            table: FeatureTable::new(vocabulary),
            cells_max,
            clock: 0,
        }
    }

    /// Cells computed and kept.
    #[must_use]
    pub fn cell_count(&self) -> usize {
        self.parents.len()
    }

    pub(crate) fn position(&self, cell: Cell) -> [u32; 3] {
        self.positions[cell as usize]
    }

    /// Plants a row: gives its last cell, and adds what is not there yet to `new`. The last token is always new, as its
    /// output is wanted and only keys and values are kept; rows planted together may share it.
    pub(crate) fn plant(&mut self, row: &Placed, new: &mut NewCells) -> Cell {
        self.clock += 1;
        let first_new = self.cell_count() - new.tokens.len();
        let (line, last) = (row.line(), row.tokens.len() - 1);
        let mut parent = None;
        for (index, &token) in row.tokens.iter().enumerate() {
            let known = self.children.get(&(parent, token)).copied();
            let known = known.filter(|&cell| index < last || cell as usize >= first_new);
            let cell = known.unwrap_or_else(|| {
                let cell = self.add(parent, token, line.position(index), new);
                self.children.insert((parent, token), cell);
                cell
            });
            self.used[cell as usize] = self.clock;
            parent = Some(cell);
        }
        parent.expect("rows have at least one token")
    }

    /// Adds a generated token below `parent`, one step on in time, height and width.
    pub(crate) fn graft(&mut self, parent: Cell, token: u32, new: &mut NewCells) -> Cell {
        let next = self.position(parent).into_iter().max().unwrap_or(0) + 1;
        let cell = self.add(Some(parent), token, [next; 3], new);
        self.used[cell as usize] = self.clock;
        cell
    }

    fn add(&mut self, parent: Option<Cell>, token: u32, position: [u32; 3], new: &mut NewCells) -> Cell {
        let cell = self.parents.len() as Cell;
        self.parents.push(parent);
        self.positions.push(position);
        self.used.push(self.clock);
        new.sees.push(self.ancestors(cell));
        new.tokens.push(token);
        new.positions.push(position);
        cell
    }

    /// A cell and all before it in its row.
    fn ancestors(&self, cell: Cell) -> Vec<Cell> {
        std::iter::successors(Some(cell), |&cell| self.parents[cell as usize]).collect()
    }

    /// Makes room when there are too many cells: rows that end in `leaves` stay, and as many of the others as were used
    /// last. Gives the new index of each leaf.
    pub(crate) fn tidy(&mut self, leaves: &[Cell], device: &Device) -> Vec<Cell> {
        if self.cell_count() <= self.cells_max {
            return leaves.to_vec();
        }
        let mut kept: BTreeSet<Cell> = leaves.iter().flat_map(|&leaf| self.ancestors(leaf)).collect();
        let mut prompts: Vec<Cell> = self.children.values().copied().collect();
        prompts.sort_by_key(|&cell| (std::cmp::Reverse(self.used[cell as usize]), cell));
        // A parent is used whenever its child is and has the lower index, so no prefix is cut in the middle.
        kept.extend(prompts.into_iter().take(self.cells_max / 2));
        let kept: Vec<Cell> = kept.into_iter().collect();
        self.keep(&kept, device);
        let place = |leaf: &Cell| kept.binary_search(leaf).expect("leaves are kept") as Cell;
        leaves.iter().map(place).collect()
    }

    /// Keeps these cells, in the order of their indices, and renumbers them.
    fn keep(&mut self, kept: &[Cell], device: &Device) {
        let renumbered = |cell: Cell| kept.binary_search(&cell).ok().map(|index| index as Cell);
        let parent = |&cell: &Cell| self.parents[cell as usize].and_then(renumbered);
        let parents = kept.iter().map(parent).collect();
        let position = |&cell: &Cell| self.positions[cell as usize];
        let used = |&cell: &Cell| self.used[cell as usize];
        (self.positions, self.used) = (kept.iter().map(position).collect(), kept.iter().map(used).collect());
        self.parents = parents;
        let child = |(&(parent, token), &cell): (&(Option<Cell>, u32), &Cell)| {
            let parent = parent.map_or(Some(None), |parent| renumbered(parent).map(Some))?;
            Some(((parent, token), renumbered(cell)?))
        };
        self.children = self.children.iter().filter_map(child).collect();
        let cells = indices(kept.iter().map(|&cell| cell as usize), device);
        for cache in &mut self.caches {
            *cache = cache.take().filter(|_| !kept.is_empty()).map(|cache| cache.select(&cells));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tokens: &[u32]) -> Placed {
        Placed { tokens: tokens.to_vec(), positions: None }
    }

    fn forest(cells_max: usize) -> Forest {
        Forest::new(0, 100, cells_max)
    }

    #[test]
    fn a_prefix_is_computed_once_and_the_last_token_always() {
        let mut forest = forest(100);
        let mut new = NewCells::default();
        forest.plant(&row(&[1, 2, 3]), &mut new);
        forest.plant(&row(&[1, 2, 4]), &mut new);
        assert_eq!(new.tokens, [1, 2, 3, 4]);
        assert_eq!(new.sees[3], [3, 1, 0]);
        let mut again = NewCells::default();
        let leaves = [forest.plant(&row(&[1, 2, 3]), &mut again), forest.plant(&row(&[1, 2, 3]), &mut again)];
        assert_eq!((again.tokens, leaves[0]), (vec![3], leaves[1]));
    }

    #[test]
    fn room_is_made_and_living_rows_stay() {
        let device = Device::default();
        let mut forest = forest(6);
        let mut new = NewCells::default();
        forest.plant(&row(&[1, 2, 3]), &mut new);
        let old = forest.plant(&row(&[5, 6]), &mut new);
        let leaf = forest.graft(old, 7, &mut new);
        forest.plant(&row(&[8, 9]), &mut new);
        let leaf = forest.tidy(&[leaf], &device)[0];
        assert_eq!(forest.ancestors(leaf).len(), 3);
        assert_eq!(forest.position(leaf), [2; 3]);
        let mut again = NewCells::default();
        forest.plant(&row(&[8, 9]), &mut again);
        assert_eq!(again.tokens, [9], "what was used last is still there");
        let mut again = NewCells::default();
        forest.plant(&row(&[1, 2, 3]), &mut again);
        assert_eq!(again.tokens, [1, 2, 3], "what was used first is gone");
    }
}
