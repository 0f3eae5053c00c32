//! Best criterion first.

use grm_core::Trajectory;

/// Sorts by `s_meta`, best first. Those without one come last; equals keep the order they were proposed in.
pub fn rank(trajectories: &mut [Trajectory]) {
    trajectories.sort_by(|left, right| match (&left.meta, &right.meta) {
        (Ok(left_meta), Ok(right_meta)) => {
            right_meta.value.total_cmp(&left_meta.value).then(left.index.cmp(&right.index))
        }
        (Ok(_), Err(_)) => std::cmp::Ordering::Less,
        (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
        (Err(_), Err(_)) => left.index.cmp(&right.index),
    });
}

#[cfg(test)]
mod tests {
    use grm_core::{Criterion, CriterionSource, Invalid, MetaReward};

    use super::*;

    fn trajectory(index: usize, meta: Option<f32>) -> Trajectory {
        Trajectory {
            index,
            criterion: Criterion { name: format!("c{index}"), explanation: String::new() },
            source: CriterionSource::Initial,
            judgment: Err(Invalid::Empty),
            refinements: [Err(Invalid::Upstream), Err(Invalid::Upstream)],
            meta: meta.map(|value| MetaReward { value, consistent: value > 0.0 }).ok_or(Invalid::Upstream),
            ranked_by: grm_core::RankedBy::Refinement,
        }
    }

    #[test]
    fn missing_meta_rewards_rank_last_and_ties_keep_their_order() {
        let metas = [None, Some(-1.0), Some(2.0), None, Some(2.0), Some(0.5)];
        let mut all: Vec<_> = metas.iter().enumerate().map(|(index, meta)| trajectory(index, *meta)).collect();
        rank(&mut all);
        assert_eq!(all.iter().map(|t| t.index).collect::<Vec<_>>(), [2, 4, 5, 1, 0, 3]);
    }
}
