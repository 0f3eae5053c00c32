//! Generation with a key-value cache: rows that begin alike share what they share, and grow side by side.

use burn::tensor::Tensor;

use crate::{
    causal::CausalLm,
    decoder::{Context, Order, layout::indices},
    forest::{Cell, Forest, NewCells},
    network::{RowError, TokenRow},
    parameters::host_values,
};

/// Where a growing row ends. It is good until the next call with its forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf(Cell);

/// A row after one more step.
#[derive(Debug)]
pub struct Grown {
    /// Its end.
    pub leaf: Leaf,
    /// What it says of the next token, one number for each token of the vocabulary.
    pub logits: Vec<f32>,
}

/// What planting rows came to.
#[derive(Debug)]
pub struct Planted {
    /// In the order of the rows.
    pub rows: Vec<Grown>,
    /// The ends of rows that were growing already, in the order given.
    pub growing: Vec<Leaf>,
    /// For each row, tokens that had not to be computed for it.
    pub cached: Vec<usize>,
}

impl CausalLm {
    /// An empty forest for this model, which forgets what was not used lately beyond `cells_max` tokens.
    #[must_use]
    pub fn forest(&self, cells_max: usize) -> Forest {
        Forest::new(self.trunk.decoder.layers.len(), self.trunk.config.vocabulary_size, cells_max)
    }

    /// Computes what of `rows` the forest does not hold; rows that are growing already are told by `growing`.
    ///
    /// # Errors
    /// Rows the model cannot read; the forest is then as it was.
    pub fn plant(&self, forest: &mut Forest, rows: &[TokenRow], growing: &[Leaf]) -> Result<Planted, RowError> {
        let placed = self.trunk.place(rows, &mut forest.table)?;
        // Media that cannot be computed are found out here, before the forest is touched; what is computed is kept.
        let media: Vec<_> = rows.iter().flat_map(|row| row.media.iter().cloned()).collect();
        self.trunk.features(&media)?;
        let leaves: Vec<Cell> = growing.iter().map(|leaf| leaf.0).collect();
        let growing = forest.tidy(&leaves, &self.trunk.device).into_iter().map(Leaf).collect();
        let mut new = NewCells::default();
        let (mut ends, mut cached) = (Vec::new(), Vec::new());
        for row in &placed {
            let before = new.tokens.len();
            ends.push(forest.plant(row, &mut new));
            cached.push(row.tokens.len() - (new.tokens.len() - before));
        }
        let features = self.features_of(forest, &new)?;
        Ok(Planted { rows: self.run(forest, &new, features, &ends), growing, cached })
    }

    /// Adds one token to each row.
    #[must_use]
    pub fn grow(&self, forest: &mut Forest, rows: &[(Leaf, u32)]) -> Vec<Grown> {
        let mut new = NewCells::default();
        let ends: Vec<Cell> = rows.iter().map(|&(leaf, token)| forest.graft(leaf.0, token, &mut new)).collect();
        let order = Order::of(&new.tokens, self.trunk.config.vocabulary_size);
        self.run(forest, &new, (order, None), &ends)
    }

    /// Where new cells find their first hidden states, and the features among those.
    fn features_of(&self, forest: &Forest, new: &NewCells) -> Result<(Order, Option<Tensor<2>>), RowError> {
        let (order, media) = forest.table.order(&new.tokens, self.trunk.config.vocabulary_size);
        Ok((order, self.trunk.features(&media)?))
    }

    /// Runs new cells, all of them in one line, and reads the output at `ends`.
    fn run(
        &self,
        forest: &mut Forest,
        new: &NewCells,
        (order, features): (Order, Option<Tensor<2>>),
        ends: &[Cell],
    ) -> Vec<Grown> {
        let (trunk, first) = (&self.trunk, forest.cell_count() - new.tokens.len());
        let cells = forest.cell_count();
        let context = Context::after_cached(&new.positions, &new.sees, cells, trunk.frequencies(), &trunk.device);
        let mut x = trunk.embedded(&trunk.decoder, &order, features);
        for (layer, cache) in trunk.decoder.layers.iter().zip(&mut forest.caches) {
            x = layer.forward(x, &context, Some(cache));
        }
        let places = ends.iter().map(|&end| end as usize - first);
        let hidden = x.select(0, indices(places, &trunk.device));
        let logits = host_values(trunk.decoder.norm.forward(hidden).matmul(self.output_weight().transpose()));
        let rows = logits.chunks_exact(trunk.config.vocabulary_size);
        ends.iter().zip(rows).map(|(&end, logits)| Grown { leaf: Leaf(end), logits: logits.to_vec() }).collect()
    }

    /// The likeliest continuation of `prompt`: at most `tokens_max` tokens, ending before any of `stop`.
    ///
    /// # Errors
    /// An empty prompt, a token outside the vocabulary, more tokens than the model has positions.
    pub fn generate_greedily(&self, prompt: &TokenRow, tokens_max: usize, stop: &[u32]) -> Result<Vec<u32>, RowError> {
        let mut forest = self.forest(usize::MAX);
        let mut row = self.plant(&mut forest, std::slice::from_ref(prompt), &[])?.rows.remove(0);
        let mut generated = Vec::new();
        let room = self.trunk.config.positions_max - prompt.tokens.len();
        while generated.len() < tokens_max.min(room + 1) {
            let next = likeliest(&row.logits);
            if stop.contains(&next) {
                break;
            }
            generated.push(next);
            row = self.grow(&mut forest, &[(row.leaf, next)]).remove(0);
        }
        Ok(generated)
    }
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    best.map_or(0, |token| token as u32)
}
