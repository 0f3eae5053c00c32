//! Attention in which everything sees everything of its own segment and nothing else.
//!
//! Segments of equal length are computed together: states of one group lie side by side, so a group is one reshape.

use burn::tensor::{Device, Int, Tensor, TensorData, activation::softmax};

/// Scores held at once, 256 MiB of f32; a larger group is worked off in slices.
const SCORES_MAX: usize = 1 << 26;

/// Segments of equal length, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) count: usize,
    pub(crate) length: usize,
}

/// How states fall into segments.
#[derive(Debug, Clone)]
pub(crate) struct Segments {
    groups: Vec<Group>,
    /// Where the states must be taken from to lie in groups, and back; `None` where they lie so already.
    order: Option<[Tensor<1, Int>; 2]>,
    scores_max: usize,
}

impl Segments {
    /// Of states that lie in groups.
    pub(crate) fn in_place(groups: Vec<Group>) -> Self {
        Self { groups, order: None, scores_max: SCORES_MAX }
    }

    /// Of states that must be gathered: `order[i]` is where the i-th of the groups' states lies.
    pub(crate) fn gathered(groups: Vec<Group>, order: &[usize], device: &Device) -> Self {
        let is_identity = order.iter().enumerate().all(|(index, &place)| index == place);
        let order = (!is_identity).then(|| [indices(order, device), indices(&inverse(order), device)]);
        Self { groups, order, scores_max: SCORES_MAX }
    }

    /// Softmax of scaled products, times values: three of `[states, heads, width]` to `[states, heads · width]`.
    pub(crate) fn attend(&self, queries: Tensor<3>, keys: Tensor<3>, values: Tensor<3>) -> Tensor<2> {
        let Some([there, back]) = &self.order else { return self.attend_in_place(&queries, &keys, &values) };
        let [queries, keys, values] = [queries, keys, values].map(|states| states.select(0, there.clone()));
        self.attend_in_place(&queries, &keys, &values).select(0, back.clone())
    }

    fn attend_in_place(&self, queries: &Tensor<3>, keys: &Tensor<3>, values: &Tensor<3>) -> Tensor<2> {
        let [_, heads, width] = queries.dims();
        let (mut start, mut outs) = (0, Vec::new());
        for &Group { count, length } in &self.groups {
            let at_once = (self.scores_max / (heads * length * length)).max(1);
            for first in (0..count).step_by(at_once) {
                let taken = at_once.min(count - first);
                let from = start + first * length;
                let part = |states: &Tensor<3>| {
                    let part = states.clone().narrow(0, from, taken * length);
                    part.reshape([taken, length, heads, width]).swap_dims(1, 2)
                };
                let attended = attend(&part(queries), &part(keys), &part(values), self.scores_max);
                outs.push(attended.swap_dims(1, 2).reshape([taken * length, heads * width]));
            }
            start += count * length;
        }
        if outs.len() == 1 { outs.remove(0) } else { Tensor::cat(outs, 0) }
    }
}

/// `[segments, heads, length, width]`; long segments a slice of queries at a time.
fn attend(queries: &Tensor<4>, keys: &Tensor<4>, values: &Tensor<4>, scores_max: usize) -> Tensor<4> {
    let [segments, heads, length, width] = queries.dims();
    let scale = 1.0 / (width as f64).sqrt();
    let keys = keys.clone().transpose();
    let at_once = (scores_max / (segments * heads * length)).clamp(1, length);
    let slice = |first: usize| {
        let queries = queries.clone().narrow(2, first, at_once.min(length - first));
        softmax((queries * scale).matmul(keys.clone()), 3).matmul(values.clone())
    };
    let mut outs: Vec<Tensor<4>> = (0..length).step_by(at_once).map(slice).collect();
    if outs.len() == 1 { outs.remove(0) } else { Tensor::cat(outs, 2) }
}

/// Places as a tensor to select by.
pub(crate) fn indices(places: &[usize], device: &Device) -> Tensor<1, Int> {
    let places: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count]), device)
}

/// The permutation that undoes `order`.
pub(crate) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    for (index, &place) in order.iter().enumerate() {
        inverse[place] = index;
    }
    inverse
}

/// `lengths` of consecutive segments as groups.
pub(crate) fn runs(lengths: impl IntoIterator<Item = usize>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for length in lengths {
        match groups.last_mut() {
            Some(group) if group.length == length => group.count += 1,
            Some(_) | None => groups.push(Group { count: 1, length }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(count: usize, seed: f32) -> Tensor<3> {
        let values: Vec<f32> = (0..count * 6).map(|index| (index as f32 * seed).sin()).collect();
        Tensor::from_data(TensorData::new(values, [count, 2, 3]), &Device::default())
    }

    fn attended(segments: &Segments) -> Vec<f32> {
        let out = segments.attend(states(10, 0.7), states(10, 1.3), states(10, 2.1));
        out.try_into_vec_as::<f32>().expect("f32")
    }

    #[test]
    fn slices_equal_the_whole() {
        let groups = vec![Group { count: 2, length: 3 }, Group { count: 1, length: 4 }];
        let whole = Segments::in_place(groups.clone());
        for scores_max in [1, 8, 20] {
            let sliced = Segments { scores_max, ..Segments::in_place(groups.clone()) };
            assert_eq!(attended(&sliced), attended(&whole));
        }
    }

    #[test]
    fn a_segment_of_one_is_its_own_value_and_order_does_not_matter_to_the_others() {
        let device = Device::default();
        let groups = vec![Group { count: 1, length: 1 }, Group { count: 1, length: 9 }];
        let there = Segments::gathered(groups.clone(), &[4, 9, 8, 7, 6, 5, 3, 2, 1, 0], &device);
        let other = Segments::gathered(groups, &[4, 0, 1, 2, 3, 5, 6, 7, 8, 9], &device);
        let (there, other) = (attended(&there), attended(&other));
        let values = states(10, 2.1).try_into_vec_as::<f32>().expect("f32");
        assert_eq!(there[4 * 6..5 * 6], values[4 * 6..5 * 6]);
        let difference = there.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-6, "{difference}");
    }
}
