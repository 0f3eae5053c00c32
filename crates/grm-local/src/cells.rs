//! Which cells of the key-value cache each sequence holds, and which of them sequences share.
//!
//! llama.cpp's unified cache keeps one cell a token and marks it with every sequence it belongs to; a fork adds marks
//! and copies nothing. This is the same bookkeeping without the tensors: a tree of segments, each with a length and a
//! count of the sequences running through it. The number of cells in use is the sum of the segments.

/// A sequence's number in the cache.
pub(crate) type SequenceId = usize;

#[derive(Debug, Clone, Copy, Default)]
struct Segment {
    length: usize,
    owners: usize,
}

/// The cells of one cache.
#[derive(Debug)]
pub(crate) struct Cells {
    total: usize,
    used: usize,
    segments: Vec<Segment>,
    free_segments: Vec<usize>,
    /// The segments each sequence runs through, first to last; `None` for a free sequence.
    paths: Vec<Option<Vec<usize>>>,
}

impl Cells {
    pub(crate) fn new(total: usize, sequences: usize) -> Self {
        Self { total, used: 0, segments: Vec::new(), free_segments: Vec::new(), paths: vec![None; sequences] }
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Cells sequence `id` holds, shared or not.
    pub(crate) fn length(&self, id: SequenceId) -> usize {
        self.path(id).iter().map(|&segment| self.segments[segment].length).sum()
    }

    /// Starts a sequence with the first `length` cells of another; `None` when all sequences are taken.
    pub(crate) fn fork(&mut self, from: Option<SequenceId>, length: usize) -> Option<SequenceId> {
        let id = self.paths.iter().position(Option::is_none)?;
        let path = match from {
            Some(from) if length > 0 => {
                let count = self.split_at(from, length);
                self.path(from)[..count].to_vec()
            }
            _ => Vec::new(),
        };
        for &segment in &path {
            self.segments[segment].owners += 1;
        }
        self.paths[id] = Some(path);
        Some(id)
    }

    /// Adds `count` cells at the end of a sequence.
    pub(crate) fn grow(&mut self, id: SequenceId, count: usize) {
        if count == 0 {
            return;
        }
        self.used += count;
        match self.path(id).last() {
            Some(&last) if self.segments[last].owners == 1 => self.segments[last].length += count,
            _ => {
                let segment = self.new_segment(Segment { length: count, owners: 1 });
                self.path_mut(id).push(segment);
            }
        }
    }

    /// Gives up a sequence's cells from `length` on.
    pub(crate) fn cut(&mut self, id: SequenceId, length: usize) {
        let kept = self.split_at(id, length);
        let dropped = self.path_mut(id).split_off(kept);
        for segment in dropped {
            self.disown(segment);
        }
    }

    /// Ends a sequence.
    pub(crate) fn release(&mut self, id: SequenceId) {
        for segment in self.paths[id].take().unwrap_or_default() {
            self.disown(segment);
        }
    }

    fn path(&self, id: SequenceId) -> &[usize] {
        self.paths[id].as_deref().expect("only live sequences are asked for")
    }

    fn path_mut(&mut self, id: SequenceId) -> &mut Vec<usize> {
        self.paths[id].as_mut().expect("only live sequences are changed")
    }

    fn disown(&mut self, segment: usize) {
        let entry = &mut self.segments[segment];
        entry.owners -= 1;
        if entry.owners == 0 {
            self.used -= entry.length;
            self.free_segments.push(segment);
        }
    }

    fn new_segment(&mut self, segment: Segment) -> usize {
        match self.free_segments.pop() {
            Some(free) => {
                self.segments[free] = segment;
                free
            }
            None => {
                self.segments.push(segment);
                self.segments.len() - 1
            }
        }
    }

    /// Makes a segment end at `length` in sequence `id` and returns how many segments lie before that place.
    fn split_at(&mut self, id: SequenceId, length: usize) -> usize {
        let mut before = 0;
        let path = self.path(id);
        for (index, &segment) in path.iter().enumerate() {
            if before == length {
                return index;
            }
            let end = before + self.segments[segment].length;
            if end > length {
                self.split(segment, length - before);
                return index + 1;
            }
            before = end;
        }
        path.len()
    }

    fn split(&mut self, segment: usize, length: usize) {
        let Segment { length: whole, owners } = self.segments[segment];
        self.segments[segment].length = length;
        let rest = self.new_segment(Segment { length: whole - length, owners });
        for path in self.paths.iter_mut().flatten() {
            if let Some(at) = path.iter().position(|&other| other == segment) {
                path.insert(at + 1, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fork_costs_nothing_until_it_grows() {
        let mut cells = Cells::new(100, 3);
        let prefix = cells.fork(None, 0).expect("free");
        cells.grow(prefix, 30);
        let (left, right) = (cells.fork(Some(prefix), 30).expect("free"), cells.fork(Some(prefix), 10).expect("free"));
        assert_eq!(cells.used(), 30);
        cells.grow(left, 5);
        cells.grow(right, 5);
        assert_eq!((cells.used(), cells.length(left), cells.length(right)), (40, 35, 15));
        cells.release(prefix);
        assert_eq!(cells.used(), 40, "the forks still hold the prefix");
        cells.release(left);
        assert_eq!(cells.used(), 15);
        assert!(cells.fork(None, 0).is_some() && cells.fork(None, 0).is_some() && cells.fork(None, 0).is_none());
    }

    /// The same rules with one set of sequences a cell, as llama.cpp keeps them.
    #[derive(Default)]
    struct Naive {
        cells: Vec<(usize, HashSet<usize>)>,
    }

    impl Naive {
        fn length(&self, id: usize) -> usize {
            self.cells.iter().filter(|cell| cell.1.contains(&id)).count()
        }

        fn fork(&mut self, from: usize, id: usize, length: usize) {
            for cell in self.cells.iter_mut().filter(|cell| cell.0 < length && cell.1.contains(&from)) {
                cell.1.insert(id);
            }
        }

        fn grow(&mut self, id: usize, count: usize) {
            let start = self.length(id);
            self.cells.extend((start..start + count).map(|position| (position, HashSet::from([id]))));
        }

        fn cut(&mut self, id: usize, length: usize) {
            for cell in self.cells.iter_mut().filter(|cell| cell.0 >= length) {
                cell.1.remove(&id);
            }
            self.cells.retain(|cell| !cell.1.is_empty());
        }
    }

    proptest! {
        #[test]
        fn the_tree_agrees_with_cell_by_cell_marks(steps in proptest::collection::vec((0_u8..4, any::<prop::sample::Index>(), 0_usize..20), 1..60)) {
            let mut cells = Cells::new(1000, 6);
            let mut naive = Naive::default();
            let mut live: Vec<usize> = Vec::new();
            for (kind, index, amount) in steps {
                let chosen = (!live.is_empty()).then(|| live[index.index(live.len())]);
                match (kind, chosen) {
                    (0, chosen) => {
                        let length = chosen.map_or(0, |from| amount.min(cells.length(from)));
                        if let Some(id) = cells.fork(chosen, length) {
                            if let Some(from) = chosen {
                                naive.fork(from, id, length);
                            }
                            live.push(id);
                        }
                    }
                    (1, Some(id)) => {
                        cells.grow(id, amount);
                        naive.grow(id, amount);
                    }
                    (2, Some(id)) => {
                        cells.cut(id, amount);
                        naive.cut(id, amount);
                    }
                    (3, Some(id)) => {
                        cells.release(id);
                        naive.cut(id, 0);
                        live.retain(|&other| other != id);
                    }
                    _ => {}
                }
                prop_assert_eq!(cells.used(), naive.cells.len());
                for &id in &live {
                    prop_assert_eq!(cells.length(id), naive.length(id));
                }
            }
        }
    }
}
