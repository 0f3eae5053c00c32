//! The analyses on items small enough to count by hand, and against the rules the pipeline itself uses.

use grm_core::{
    Choice, Criterion, CriterionSource, Decision, Invalid, Judgment, MetaReward, Outcome, RewardScore, ScorerId,
    Trajectory, Verdict, Votes,
};
use grm_eval::{
    JudgedItem,
    analyses::{
        Analyses, ErrorClass, ErrorLabel, Order, Originals, Weighting, accuracy_by_rank, accuracy_by_votes, analyse,
        any_right, class_shares, disrm_alone, kappa, meta_ranges, ranking_quality, read_sheet, sample_sheet,
        write_sheet,
    },
};
use grm_judge::{VerdictRule, verdict};
use proptest::prelude::*;

/// Right or wrong judgment (or none) and the meta-reward (or none), in proposal order.
type Case = (Option<bool>, Option<f32>);

fn item(id: usize, subset: &str, cases: &[Case]) -> JudgedItem {
    let label = if id.is_multiple_of(2) { Choice::First } else { Choice::Second };
    let trajectory = |(index, (right, meta)): (usize, &Case)| Trajectory {
        index,
        criterion: Criterion { name: format!("c{index}"), explanation: String::new() },
        source: CriterionSource::Initial,
        judgment: right.ok_or(Invalid::MissingVerdict).map(|right| Judgment {
            preferred: if right { label } else { label.other() },
            scores: [5, 5],
            critiques: Default::default(),
            logprobs: None,
            votes: Votes::default(),
        }),
        refinements: [Err(Invalid::Upstream), Err(Invalid::Upstream)],
        meta: meta.ok_or(Invalid::Upstream).map(|value| MetaReward { value, consistent: value > 0.0 }),
        ranked_by: grm_core::RankedBy::Refinement,
    };
    let mut trajectories: Vec<Trajectory> = cases.iter().enumerate().map(trajectory).collect();
    grm_judge::rank(&mut trajectories);
    JudgedItem { id: format!("i{id}"), subset: subset.into(), label, trajectories, verdict: verdict(Decision::Tie) }
}

fn verdict(decision: Decision) -> Verdict {
    Verdict { decision, confidence: None, rule: "combined".into(), votes: Votes::default() }
}

const RIGHT: Option<bool> = Some(true);
const WRONG: Option<bool> = Some(false);

fn three() -> Vec<JudgedItem> {
    vec![
        item(0, "a", &[(WRONG, Some(-1.0)), (RIGHT, Some(2.0)), (RIGHT, Some(0.5))]),
        item(1, "a", &[(RIGHT, Some(1.0)), (None, None), (WRONG, Some(3.0))]),
        item(2, "b", &[(WRONG, Some(0.0)), (WRONG, None)]),
    ]
}

#[test]
fn each_place_counts_right_wrong_unusable_unscored_and_absent() {
    let before = accuracy_by_rank(&three(), Order::Proposed);
    let counts = |a: &grm_eval::analyses::RankAccuracy| [a.right, a.wrong, a.invalid, a.unscored, a.absent];
    assert_eq!(before.iter().map(counts).collect::<Vec<_>>(), [[1, 2, 0, 0, 0], [1, 1, 1, 2, 0], [1, 1, 0, 0, 1]]);
    let after = accuracy_by_rank(&three(), Order::Ranked);
    assert_eq!(after.iter().map(counts).collect::<Vec<_>>(), [[1, 2, 0, 0, 0], [2, 1, 0, 1, 0], [0, 1, 1, 1, 1]]);
    assert_eq!(after[2].of_usable().unwrap().of, 1);
    assert_eq!(after[2].strict().unwrap().of, 2);
    assert!(accuracy_by_rank(&[], Order::Ranked).is_empty());
}

#[test]
fn any_right_keeps_its_denominator_and_counts_short_items() {
    let curve = any_right(&three());
    let shares = |pick: fn(&grm_eval::analyses::AnyRight) -> f64| curve.iter().map(pick).collect::<Vec<_>>();
    let third = |count: f64| count / 3.0;
    assert_eq!(shares(|at| at.ranked.unwrap().value), [third(1.0), third(2.0), third(2.0)]);
    assert_eq!(shares(|at| at.proposed.unwrap().value), [third(1.0), third(2.0), third(2.0)]);
    // By hand: 2/3, 1/3 and 0 for one; 1, 2/3 and 0 for two.
    assert!((curve[0].random.unwrap().value - third(1.0)).abs() < 1e-12);
    assert!((curve[1].random.unwrap().value - third(5.0 / 3.0)).abs() < 1e-12);
    assert_eq!(curve.iter().map(|at| (at.short, at.ranked.unwrap().of)).collect::<Vec<_>>(), [(0, 3), (0, 3), (1, 3)]);
}

#[test]
fn votes_count_ties_and_items_without_a_vote_apart() {
    let tied = item(0, "", &[(RIGHT, Some(1.0)), (WRONG, Some(0.5))]);
    let silent = item(1, "", &[(None, None), (RIGHT, None)]);
    let curve = accuracy_by_votes(&[tied, silent], Order::Proposed, Weighting::Equal);
    let counts = |at: &grm_eval::analyses::VoteAccuracy| [at.right, at.wrong, at.tied, at.invalid];
    assert_eq!(curve.iter().map(counts).collect::<Vec<_>>(), [[1, 0, 0, 1], [1, 0, 1, 0]]);
    assert_eq!(curve[1].ties_as_half().unwrap().value, 0.75);
    assert_eq!((curve[1].of_decided().unwrap().of, curve[0].strict().unwrap().value), (1, 0.5));
}

#[test]
fn ranges_are_by_subset_and_rank_and_leave_missing_values_out() {
    let ranges = meta_ranges(&three());
    assert_eq!(
        ranges.iter().map(|r| (r.subset.as_str(), r.items, r.unscored)).collect::<Vec<_>>(),
        [("a", 2, 1), ("b", 1, 1)]
    );
    let all = ranges[0].all.unwrap();
    assert_eq!((all.min, all.max, all.of, all.positive), (-1.0, 3.0, 5, 4));
    assert!((all.mean - 1.1).abs() < 1e-9);
    let first = ranges[0].by_rank[0].unwrap();
    assert_eq!((first.mean, first.min, first.max), (2.5, 2.0, 3.0));
    assert_eq!(ranges[1].by_rank[1], None);
}

#[test]
fn ranking_quality_is_within_items_and_counts_what_it_leaves_out() {
    let quality = ranking_quality(&three(), 1);
    // Item 0 wins both of its pairs, item 1 loses its one, item 2 has none.
    assert!((quality.within_items.unwrap().value - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!((quality.mixed_items, quality.right, quality.wrong), (2, 3, 3));
    assert_eq!((quality.invalid, quality.unscored), (1, 1));
    assert_eq!(ranking_quality(&three(), 1), quality);
    assert_eq!(ranking_quality(&[item(0, "", &[(RIGHT, Some(1.0))])], 1).within_items, None);
}

#[test]
fn the_bootstrap_covers_the_truth_about_as_often_as_it_says() {
    // Right judgments score x + 1, wrong ones x, of x even on 0 to 2: the chance that right wins is 7/8.
    let mut state = 1u64;
    let mut even = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 * 2.0
    };
    let covered = (0..60).filter(|seed| {
        let items: Vec<JudgedItem> =
            (0..60).map(|id| item(id, "", &[(RIGHT, Some(even() + 1.0)), (WRONG, Some(even()))])).collect();
        let auc = ranking_quality(&items, *seed).within_items.unwrap();
        auc.low <= 0.875 && 0.875 <= auc.high
    });
    assert!((50..=60).contains(&covered.count()));
}

#[test]
fn the_disrm_alone_needs_both_scores() {
    let score = |value| -> Outcome<RewardScore> { Ok(RewardScore::new(value, ScorerId(1)).unwrap()) };
    let missing = Err(Invalid::MissingRewardScore);
    let items = [
        Originals { scores: [score(2.0), score(1.0)], label: Choice::First },
        Originals { scores: [score(2.0), score(1.0)], label: Choice::Second },
        Originals { scores: [score(1.0), score(1.0)], label: Choice::Second },
        Originals { scores: [score(9.0), missing], label: Choice::First },
    ];
    let alone = disrm_alone(&items).unwrap();
    assert_eq!((alone.value, alone.of), (0.5, 3));
    assert_eq!(disrm_alone(&items[3..]), None);
}

#[test]
fn a_summary_tells_verdicts_apart_and_survives_a_round_trip() {
    let label = |item: &JudgedItem| item.label;
    let mut items = three();
    items.push(item(3, "b", &[]));
    items[0].verdict = verdict(Decision::Prefer(label(&items[0])));
    items[1].verdict = verdict(Decision::Prefer(label(&items[1]).other()));
    items[2].verdict = verdict(Decision::Invalid(Invalid::Truncated));
    let summary = analyse(&items, 1);
    let verdicts = summary.verdicts;
    assert_eq!([verdicts.right, verdicts.wrong, verdicts.tied, verdicts.invalid], [1, 1, 1, 1]);
    assert_eq!((verdicts.accuracy.unwrap().value, summary.without_criteria), (0.25, 1));
    let again: Analyses = serde_json::from_str(&serde_json::to_string(&summary).unwrap()).unwrap();
    assert_eq!(again, summary);
}

fn label(id: &str, class: Option<ErrorClass>) -> ErrorLabel {
    ErrorLabel {
        version: 1,
        id: id.into(),
        subset: String::new(),
        criteria: vec!["Depth".into()],
        class,
        note: String::new(),
        reader: "r".into(),
    }
}

#[test]
fn error_sheets_are_drawn_from_wrong_verdicts_and_read_back() {
    let mut items: Vec<JudgedItem> = (0..40).map(|id| item(id, "s", &[(RIGHT, Some(1.0))])).collect();
    for (index, item) in items.iter_mut().enumerate() {
        item.verdict = verdict(Decision::Prefer(if index < 20 { item.label } else { item.label.other() }));
    }
    let sheet = sample_sheet(&items, 5, 3);
    assert_eq!((sheet.len(), sample_sheet(&items, 99, 3).len()), (5, 20));
    assert!(sheet.iter().all(|line| line.class.is_none() && line.id[1..].parse::<usize>().unwrap() >= 20));
    assert_eq!(sample_sheet(&items, 5, 3), sheet);
    assert_ne!(sample_sheet(&items, 5, 4), sheet);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("errors.jsonl");
    write_sheet(&path, &sheet).unwrap();
    assert_eq!(read_sheet(&path).unwrap(), sheet);
    std::fs::write(&path, "\n{\"version\":1,\"id\":\"x\",\"criteria\":[],\"class\":\"typo\"}\n").unwrap();
    let error = read_sheet(&path).unwrap_err().to_string();
    assert!(error.contains("errors.jsonl, line 2") && error.contains("\"misaligned_criteria\""), "{error}");
    std::fs::write(&path, "{\"version\":2,\"id\":\"x\",\"criteria\":[],\"class\":null}").unwrap();
    assert!(read_sheet(&path).unwrap_err().to_string().contains("reads version 1"));
}

#[test]
fn class_shares_and_kappa_by_hand() {
    use ErrorClass::{Hallucination, MisalignedCriteria, Other};
    let sheet = |classes: [Option<ErrorClass>; 5]| -> Vec<ErrorLabel> {
        classes.iter().enumerate().map(|(index, class)| label(&format!("i{index}"), *class)).collect()
    };
    let one = sheet([Some(MisalignedCriteria), Some(MisalignedCriteria), Some(Hallucination), Some(Other), None]);
    let two = sheet([Some(MisalignedCriteria), Some(Hallucination), Some(Hallucination), Some(Other), Some(Other)]);
    let shares = class_shares(&one);
    assert_eq!(shares.iter().map(|share| share.count).collect::<Vec<_>>(), [2, 1, 0, 1]);
    assert_eq!(shares[0].share.unwrap().of, 4);
    let agreement = kappa(&one, &two);
    assert_eq!((agreement.of, agreement.agreed), (4, 3));
    // Observed 3/4, by chance (2·1 + 1·2 + 1·1)/16 = 5/16: kappa = 7/11.
    assert!((agreement.value.unwrap() - 7.0 / 11.0).abs() < 1e-12);
    assert_eq!(kappa(&one[2..3], &two[2..3]).value, None);
    assert_eq!(kappa(&one, &[]).of, 0);
}

fn cases() -> impl Strategy<Value = Vec<Case>> {
    let meta = prop::option::of(prop_oneof![Just(0.0f32), -3f32..3.0]);
    // Without a judgment there is no meta-reward either.
    let case = (prop::option::of(any::<bool>()), meta).prop_map(|(right, meta)| (right, right.and(meta)));
    prop::collection::vec(case, 0..12)
}

proptest! {
    #[test]
    fn votes_are_those_of_the_pipelines_rules(cases in cases(), id in 0usize..2) {
        let item = item(id, "", &cases);
        for (weighting, weights) in [
            (Weighting::Equal, verdict::Weights::Equal),
            (Weighting::PositiveMetaReward, verdict::Weights::PositiveMetaReward),
        ] {
            let curve = accuracy_by_votes(std::slice::from_ref(&item), Order::Ranked, weighting);
            for (at, count) in curve.iter().zip(1..) {
                let said = verdict::vote(&item.trajectories[..count], weights, VerdictRule::Vote).decision;
                let expected = match said {
                    Decision::Prefer(choice) if choice == item.label => [1, 0, 0, 0],
                    Decision::Prefer(_) => [0, 1, 0, 0],
                    Decision::Tie => [0, 0, 1, 0],
                    Decision::Invalid(_) => [0, 0, 0, 1],
                };
                prop_assert_eq!([at.right, at.wrong, at.tied, at.invalid], expected);
            }
        }
    }

    #[test]
    fn stored_order_never_matters(cases in cases(), turn in 0usize..12) {
        let ranked = item(0, "", &cases);
        let mut turned = ranked.clone();
        if !turned.trajectories.is_empty() {
            let by = turn % turned.trajectories.len();
            turned.trajectories.rotate_left(by);
        }
        prop_assert_eq!(analyse(&[ranked], 1), analyse(&[turned], 1));
    }

    #[test]
    fn swapping_the_responses_changes_no_analysis(cases in cases()) {
        // Even and odd ids differ in nothing but which response is better.
        let [mut here, mut there] = [item(0, "", &cases), item(1, "", &cases)];
        here.id.clear();
        there.id.clear();
        prop_assert_eq!(analyse(&[here], 1), analyse(&[there], 1));
    }

    #[test]
    fn every_item_is_somewhere_in_every_count(all in prop::collection::vec(cases(), 1..8)) {
        let items: Vec<JudgedItem> = all.iter().enumerate().map(|(id, cases)| item(id, "", cases)).collect();
        let summary = analyse(&items, 1);
        for at in summary.ranked.iter().chain(&summary.proposed) {
            prop_assert_eq!(at.right + at.wrong + at.invalid + at.absent, items.len());
        }
        for curve in &summary.votes {
            for at in &curve.points {
                prop_assert_eq!(at.right + at.wrong + at.tied + at.invalid, items.len());
            }
        }
        let trajectories: usize = items.iter().map(|item| item.trajectories.len()).sum();
        let quality = summary.ranking;
        prop_assert_eq!(quality.right + quality.wrong + quality.invalid + quality.unscored, trajectories);
    }
}
