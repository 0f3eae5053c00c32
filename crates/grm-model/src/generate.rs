//! Generation with a key-value cache: for tests and small models; llama.cpp generates in earnest.

use crate::{
    causal::CausalLm,
    decoder::{Context, LayerCache, Layout},
    network::{RowError, TokenRow},
    parameters::host_values,
};

impl CausalLm {
    /// The likeliest continuation of `prompt`: at most `tokens_max` tokens, ending before any of `stop`.
    ///
    /// # Errors
    /// An empty prompt, a token outside the vocabulary, more tokens than the model has positions.
    pub fn generate_greedily(&self, prompt: &[u32], tokens_max: usize, stop: &[u32]) -> Result<Vec<u32>, RowError> {
        let row = TokenRow { tokens: prompt.to_vec(), targets_from: prompt.len() };
        self.trunk.check(std::slice::from_ref(&row))?;
        let (frequencies, device) = (self.trunk.frequencies(), &self.trunk.device);
        let mut caches: Vec<Option<LayerCache>> = vec![None; self.trunk.decoder.layers.len()];
        let layout = Layout::padded(&[prompt]);
        let mut next = self.likeliest(&layout, &layout.context(frequencies, device), &mut caches);
        let mut generated = Vec::new();
        while generated.len() < tokens_max && !stop.contains(&next) {
            generated.push(next);
            let position = prompt.len() + generated.len() - 1;
            if position + 1 > self.trunk.config.positions_max {
                break;
            }
            let context = Context::next_token(position as u32, position + 1, frequencies, device);
            next = self.likeliest(&Layout::padded(&[&[next]]), &context, &mut caches);
        }
        Ok(generated)
    }

    /// The likeliest token after the last one laid out.
    fn likeliest(&self, layout: &Layout, context: &Context, caches: &mut [Option<LayerCache>]) -> u32 {
        let decoder = &self.trunk.decoder;
        let mut x = decoder.embed(layout.tokens(&self.trunk.device));
        for (layer, cache) in decoder.layers.iter().zip(caches) {
            x = layer.forward(x, context, Some(cache));
        }
        let last = x.dims()[0] - 1;
        let logits = decoder.norm.forward(x.narrow(0, last, 1)).matmul(self.output_weight().transpose());
        let logits = host_values(logits);
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        best.map_or(0, |token| token as u32)
    }
}
