//! Networks against the reference libraries' numbers; see `goldens/README.md`.

mod reference;

use burn::tensor::{Device, Tensor};
use grm_model::{Execution, Network as _, TokenRow, decoder::rope};
use reference::{Golden, causal, classifier, largest_difference, rows};

const LOGITS: f32 = 2e-5;
const FAMILIES: [&str; 3] = ["qwen2", "qwen3", "llama"];

#[test]
fn logits_of_padded_and_packed_rows_equal_the_reference() {
    for family in FAMILIES {
        let golden = Golden::open(&format!("text/{family}.golden"));
        for (side, packed) in [("right", false), ("right", true), ("left", false), ("left", true)] {
            let mut model = causal(family);
            model.set_execution(Execution { packed, ..Execution::default() });
            let (rows, places) = rows(&golden, &format!("{side}.input_ids"), &format!("{side}.attention_mask"));
            let logits = model.logits(&rows).expect("runs");
            let expected = golden.rows(&format!("{side}.logits"));
            for (row, logits) in logits.into_iter().enumerate() {
                let found = logits.try_into_vec_as::<f32>().expect("f32");
                let wanted: Vec<f32> = places[row].iter().flat_map(|&place| expected[place].clone()).collect();
                let difference = largest_difference(&found, &wanted);
                assert!(difference < LOGITS, "{family} {side} packed={packed}: {difference}");
            }
        }
    }
}

#[test]
fn long_rows_equal_the_reference() {
    for family in FAMILIES {
        let golden = Golden::open(&format!("text/{family}.golden"));
        let row = TokenRow::from_tokens(golden.tokens("long.input_ids"), 0);
        let logits = causal(family).logits(&[row]).expect("runs").remove(0);
        let last = logits.dims()[0] - 1;
        let found = logits.narrow(0, last, 1).try_into_vec_as::<f32>().expect("f32");
        let difference = largest_difference(&found, &golden.values("long.last_logits"));
        assert!(difference < LOGITS, "{family}: {difference}");
    }
}

#[test]
fn frequencies_equal_the_reference() {
    for family in FAMILIES {
        let golden = Golden::open(&format!("text/{family}.golden"));
        let found = rope::inverse_frequencies(causal(family).config());
        assert!(largest_difference(&found, &golden.values("rope.inv_freq")) < 1e-7, "{family}");
    }
}

#[test]
fn greedy_generation_equals_the_reference() {
    for family in FAMILIES {
        let golden = Golden::open(&format!("text/{family}.golden"));
        let prompt = golden.tokens("greedy.prompt");
        let found = causal(family).generate_greedily(&TokenRow::new(&prompt, &[]), 24, &[]).expect("runs");
        assert_eq!([prompt, found].concat(), golden.tokens("greedy.output"), "{family}");
    }
}

#[test]
fn scores_equal_the_reference() {
    for family in ["qwen3", "llama"] {
        let golden = Golden::open(&format!("text/{family}_cls.golden"));
        let model = classifier(family);
        for side in ["right", "left"] {
            let (rows, _) = rows(&golden, &format!("{side}.input_ids"), &format!("{side}.attention_mask"));
            let found = model.outputs(&rows).expect("runs").concat();
            let difference = largest_difference(&found, &golden.values(&format!("{side}.scores")));
            assert!(difference < LOGITS, "{family} {side}: {difference}");
        }
    }
}

#[test]
fn a_row_that_ends_in_the_padding_token_is_pooled_before_it() {
    for family in ["qwen3", "llama"] {
        let golden = Golden::open(&format!("text/{family}_cls.golden"));
        let model = classifier(family);
        let mut tokens = golden.tokens("padlike.input_ids");
        assert_eq!(model.pooled_length(&tokens), tokens.len() - 1);
        tokens.truncate(model.pooled_length(&tokens));
        let found = model.outputs(&[TokenRow::from_tokens(tokens, 0)]).expect("runs").concat();
        assert!(largest_difference(&found, &golden.values("padlike.scores")) < LOGITS, "{family}");
    }
}

#[test]
fn a_value_head_equals_the_reference() {
    let head = Golden::open("vl/value_head");
    let golden = Golden::open("vl/golden");
    let matrix = |values: Vec<f32>, shape: [usize; 2]| {
        Tensor::<2>::from_data(burn::tensor::TensorData::new(values, shape), &Device::default())
    };
    let bias = Tensor::<1>::from_floats(head.values("v_head.summary.bias").as_slice(), &Device::default());
    let linear = grm_model::decoder::Linear::new(matrix(head.values("v_head.summary.weight"), [1, 64]), Some(bias));
    let values = linear.forward(matrix(golden.values("last_hidden"), [64, 64]));
    let found = values.try_into_vec_as::<f32>().expect("f32");
    assert!(largest_difference(&found, &golden.values("values")) < LOGITS);
    let lengths: Vec<usize> =
        golden.rows("attention_mask").iter().map(|row| row.iter().sum::<f32>() as usize).collect();
    let pooled: Vec<f32> = lengths.iter().enumerate().map(|(row, length)| found[row * 32 + length - 1]).collect();
    assert!(largest_difference(&pooled, &golden.values("scores")) < LOGITS);
}
