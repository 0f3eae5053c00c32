//! The order in which the vision tower keeps cells: windows of equal size side by side, so that each size is one batch.
//!
//! Nothing depends on it but speed: attention sees sets, and the order is undone at the end.

use super::{
    grid::{CELL_PATCHES, Grid},
    segments::{Group, inverse, runs},
};

/// Where cells and patches lie while they are in the tower.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WindowOrder {
    /// For each cell in the tower, its index among all cells as they came.
    pub(crate) cells: Vec<usize>,
    /// Attention windows, in patches; they lie side by side.
    pub(crate) windows: Vec<Group>,
    /// Frame pairs, in patches.
    pub(crate) frames: Vec<Group>,
    /// For each patch of the frame pairs one after another, grouped by size, its place in the tower.
    pub(crate) frame_patches: Vec<usize>,
}

impl WindowOrder {
    /// Of pictures one after another, with windows of `side` × `side` cells.
    pub(crate) fn new(grids: &[Grid], side: usize) -> Self {
        let (mut windows, mut frames, mut first) = (Vec::new(), Vec::new(), 0);
        for grid in grids {
            for _ in 0..grid.time() {
                let count = grid.frame_cells();
                let moved = |window: Vec<usize>| window.into_iter().map(|cell| first + cell).collect::<Vec<_>>();
                windows.extend(grid.windows(side).into_iter().map(moved));
                frames.push((first..first + count).collect::<Vec<_>>());
                first += count;
            }
        }
        windows.sort_by_key(Vec::len);
        frames.sort_by_key(Vec::len);
        let cells = windows.concat();
        let place_of = inverse(&cells);
        let frame_cells: Vec<usize> = frames.concat().into_iter().map(|cell| place_of[cell]).collect();
        Self { windows: sizes(&windows), frames: sizes(&frames), frame_patches: patches(&frame_cells), cells }
    }

    /// For each patch in the tower, its index among all patches as they came.
    pub(crate) fn patches(&self) -> Vec<usize> {
        patches(&self.cells)
    }
}

fn sizes(segments: &[Vec<usize>]) -> Vec<Group> {
    runs(segments.iter().map(|segment| segment.len() * CELL_PATCHES))
}

fn patches(cells: &[usize]) -> Vec<usize> {
    cells.iter().flat_map(|cell| cell * CELL_PATCHES..(cell + 1) * CELL_PATCHES).collect()
}
