//! Objectives on the numbers of the reference stack: what its networks put out, and the losses TRL's trainers log for it.
//! The networks' own part, gradients and weights after steps, is tested where the networks are.

use grm_train::bradley_terry::{self, BradleyTerrySettings};
use grm_train::dpo::{self, DpoSettings, PairLogProbabilities};
use grm_train::sft;

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 2e-6 * expected.abs().max(1.0), "{value}, expected {expected}");
}

#[test]
fn sft() {
    let outputs = vec![
        vec![
            -21.797_756,
            -13.654_508,
            -14.732_488,
            -10.074_567,
            -3.810_804,
            -15.492_735,
            -21.882_586,
            -22.027_496,
            -16.172_1,
            -11.912_195,
            -12.060_278,
            -10.805_869,
        ],
        vec![
            -13.386_738,
            -19.862_167,
            -12.466_754,
            -21.018_723,
            -10.632_126,
            -4.710_970_4,
            -15.962_15,
            -7.780_774_6,
            -22.838_718,
        ],
    ];
    near(sft::value(&outputs, 1.0 / 21.0).loss, 14.432_499_885_559_082);
}

#[test]
fn dpo() {
    let outputs = vec![vec![-153.870_76], vec![-67.579_285], vec![-87.803_15], vec![-150.173_32]];
    let reference = [
        PairLogProbabilities { chosen: -147.947_738_647_460_94, rejected: -87.765_960_693_359_38 },
        PairLogProbabilities { chosen: -67.432_609_558_105_47, rejected: -152.624_099_731_445_3 },
    ];
    let value = dpo::value(&outputs, &reference, &DpoSettings::default(), 0.5);
    near(value.loss, 0.930_780_589_580_535_9);
    let means = value.metrics.means();
    near(means["rewards/chosen"], (-0.592_301_964_759_826_7 - 0.014_667_510_986_328_125) / 2.0);
    near(means["rewards/rejected"], (-0.003_718_566_847_965_121_3 + 0.245_077_520_608_901_98) / 2.0);
    assert_eq!(means["rewards/accuracies"], 0.0);
}

#[test]
fn bradley_terry() {
    let value = |scores: [f32; 4]| {
        let outputs = scores.map(|score| vec![score]).to_vec();
        bradley_terry::value(&outputs, &[0.0, 0.0], &BradleyTerrySettings::default(), 0.5)
    };
    near(value([-0.227_617_14, -0.678_726, -0.664_613, -0.882_713_44]).loss, 0.547_339_081_764_221_2);
    assert_eq!(value([4.172_173_5, 3.431_757_5, -4.145_482, -4.686_149]).metrics.means()["accuracy"], 1.0);
}
