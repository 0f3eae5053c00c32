//! How a picture or clip is cut: pairs of frames into patches, patches into cells, cells into windows.

use std::ops::Range;

/// Pixels along a patch.
pub(crate) const PATCH_SIDE: usize = 14;
/// Frames of a patch.
pub(crate) const PATCH_TIME: usize = 2;
/// Colours.
pub(crate) const CHANNELS: usize = 3;
/// Patches along a cell; one cell is one token of the decoder.
pub(crate) const MERGE: usize = 2;
/// Patches of a cell, which follow each other in every order.
pub(crate) const CELL_PATCHES: usize = MERGE * MERGE;
/// Values of a patch.
pub(crate) const PATCH_VALUES: usize = CHANNELS * PATCH_TIME * PATCH_SIDE * PATCH_SIDE;

/// A picture or clip in patches: frame pairs, rows, columns. Heights and widths are even and nothing is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    time: usize,
    height: usize,
    width: usize,
}

/// A grid that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a picture of {0:?} patches (frame pairs, rows, columns) cannot be cut into cells of 2 × 2; \
     resize it to multiples of 28 pixels"
)]
pub struct GridError(pub [usize; 3]);

impl Grid {
    /// Checks frame pairs, rows and columns of patches.
    ///
    /// # Errors
    /// A zero, or an odd number of rows or columns.
    pub fn new(grid: [usize; 3]) -> Result<Self, GridError> {
        let [time, height, width] = grid;
        let whole = height.is_multiple_of(MERGE) && width.is_multiple_of(MERGE) && !grid.contains(&0);
        let count = time.checked_mul(height).and_then(|count| count.checked_mul(width));
        match count {
            Some(_) if whole => Ok(Self { time, height, width }),
            Some(_) | None => Err(GridError(grid)),
        }
    }

    /// Pairs of frames.
    #[must_use]
    pub fn time(self) -> usize {
        self.time
    }

    /// Rows and columns of cells.
    #[must_use]
    pub fn cells(self) -> [usize; 2] {
        [self.height / MERGE, self.width / MERGE]
    }

    /// Patches in all.
    #[must_use]
    pub fn patch_count(self) -> usize {
        self.time * self.height * self.width
    }

    /// Cells of one frame pair.
    #[must_use]
    pub fn frame_cells(self) -> usize {
        self.height * self.width / CELL_PATCHES
    }

    /// Tokens of the decoder: one a cell.
    #[must_use]
    pub fn token_count(self) -> usize {
        self.time * self.frame_cells()
    }

    /// Row and column of each patch of one frame pair, in the order patches come: cell by cell.
    #[must_use]
    pub fn patch_places(self) -> Vec<[usize; 2]> {
        let [rows, columns] = self.cells();
        let mut places = Vec::with_capacity(self.height * self.width);
        for (row, column) in cells_of(0..rows, 0..columns) {
            for (down, right) in cells_of(0..MERGE, 0..MERGE) {
                places.push([row * MERGE + down, column * MERGE + right]);
            }
        }
        places
    }

    /// The cells of each attention window of one frame pair, row by row; windows at the lower and right edge are what
    /// is left.
    #[must_use]
    pub fn windows(self, side: usize) -> Vec<Vec<usize>> {
        let [rows, columns] = self.cells();
        let mut windows = Vec::new();
        for top in (0..rows).step_by(side) {
            for left in (0..columns).step_by(side) {
                let (bottom, right) = (rows.min(top + side), columns.min(left + side));
                windows.push(cells_of(top..bottom, left..right).map(|(row, column)| row * columns + column).collect());
            }
        }
        windows
    }
}

fn cells_of(rows: Range<usize>, columns: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    rows.flat_map(move |row| columns.clone().map(move |column| (row, column)))
}
