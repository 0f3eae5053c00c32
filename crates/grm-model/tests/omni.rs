//! The thinker as a network against the reference library's numbers: logits of every kind of medium, laid out padded and
//! packed, generation, values, and gradients through both towers; see `goldens/README.md`.

mod reference;

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use grm_model::{
    CausalLm, Execution, Gradients, Network as _, Outputs, RewardModel, TokenRow,
    omni::{Grid, LogMel, Medium, Visual},
};
use reference::{Golden, folder, largest_difference};

/// Two readings of the same arithmetic differ by 1.6e-5 on logits of size 1 to 4.
const LOGITS: f32 = 3e-5;
/// Of a tensor's largest entry.
const GRADIENT: f32 = 2e-5;

fn thinker() -> CausalLm {
    CausalLm::open(&folder().join("omni"), &Device::default()).expect("opens")
}

/// The media of a case, each with its own numbers.
struct Shelf {
    images: std::vec::IntoIter<Visual>,
    videos: std::vec::IntoIter<Visual>,
    sounds: std::vec::IntoIter<LogMel>,
    taken: usize,
}

impl Shelf {
    fn of(golden: &Golden) -> Self {
        Self {
            images: visuals(golden, "pixel_values", "image_grid_thw", None).into_iter(),
            videos: visuals(golden, "pixel_values_videos", "video_grid_thw", Some("video_second_per_grid")).into_iter(),
            sounds: sounds(golden).into_iter(),
            taken: 0,
        }
    }

    /// What the row's placeholders ask for, in their order.
    fn media(&mut self, name: &str, tokens: &[u32], ids: Ids) -> Vec<Arc<Medium>> {
        let mut media = Vec::new();
        let mut before = 0;
        for &token in tokens {
            let opens = token != before && !(ids.with_sound && [ids.video, ids.audio].contains(&before));
            if opens && [ids.image, ids.video, ids.audio].contains(&token) {
                let visual = if token == ids.image { self.images.next() } else { None };
                let visual = if token == ids.video { self.videos.next() } else { visual };
                let sound = if token == ids.audio || ids.with_sound { self.sounds.next() } else { None };
                self.taken += 1;
                media.push(Arc::new(Medium { name: format!("{name}-{}", self.taken), visual, sound }));
            }
            before = token;
        }
        media
    }
}

#[derive(Clone, Copy)]
struct Ids {
    image: u32,
    video: u32,
    audio: u32,
    with_sound: bool,
}

fn ids(with_sound: bool) -> Ids {
    let config = grm_model::omni::ThinkerConfig::read(&folder().join("omni/config.json")).expect("reads");
    let tokens = config.tokens;
    Ids { image: tokens.image, video: tokens.video, audio: tokens.audio.expect("it hears").audio, with_sound }
}

fn visuals(golden: &Golden, pixels: &str, grids: &str, seconds: Option<&str>) -> Vec<Visual> {
    if !golden.names().iter().any(|name| name == pixels) {
        return Vec::new();
    }
    let mut values = golden.values(pixels).into_iter();
    let seconds = seconds.map(|name| golden.values(name));
    let visual = |(index, grid): (usize, Vec<f32>)| {
        let grid = Grid::new([grid[0] as usize, grid[1] as usize, grid[2] as usize]).expect("a grid");
        let patches = values.by_ref().take(grid.patch_count() * 1176).collect();
        Visual { patches, grid, seconds_per_grid: seconds.as_ref().map(|seconds| f64::from(seconds[index])) }
    };
    golden.rows(grids).into_iter().enumerate().map(visual).collect()
}

fn sounds(golden: &Golden) -> Vec<LogMel> {
    if !golden.names().iter().any(|name| name == "input_features") {
        return Vec::new();
    }
    let padded = golden.shape("input_features")[2];
    let bins = golden.rows("input_features");
    let frames = golden.rows("feature_attention_mask").into_iter().map(|mask| mask.iter().sum::<f32>() as usize);
    let sound = |(index, frames): (usize, usize)| {
        let rows = &bins[index * 128..(index + 1) * 128];
        assert!(frames <= padded);
        LogMel { values: rows.iter().flat_map(|row| row[..frames].to_vec()).collect(), frames }
    };
    frames.enumerate().map(sound).collect()
}

/// The rows of a case with their media, and the places of their tokens in the padded batch.
fn case(name: &str) -> (Golden, Vec<TokenRow>, Vec<Vec<usize>>) {
    let golden = Golden::open(&format!("omni/{name}"));
    let (rows, places) = reference::rows(&golden, "input_ids", "attention_mask");
    let mut shelf = Shelf::of(&golden);
    let with_media = |row: TokenRow| {
        let media = shelf.media(name, &row.tokens, ids(name == "av"));
        row.with_media(media)
    };
    (golden, rows.into_iter().map(with_media).collect(), places)
}

const CASES: [&str; 7] = ["text", "image", "two_images", "video", "audio", "av", "batch_left_pad"];

#[test]
fn logits_equal_the_reference_padded_and_packed() {
    for name in CASES {
        let (golden, rows, places) = case(name);
        let expected = golden.rows("logits");
        for packed in [false, true] {
            let mut model = thinker();
            model.set_execution(Execution { packed, ..Execution::default() });
            let logits = model.logits(&rows).expect("runs");
            for (logits, places) in logits.into_iter().zip(&places) {
                let found = logits.try_into_vec_as::<f32>().expect("f32");
                let wanted: Vec<f32> = places.iter().flat_map(|&place| expected[place].clone()).collect();
                let difference = largest_difference(&found, &wanted);
                assert!(difference < LOGITS, "{name} packed={packed}: {difference}");
            }
        }
    }
}

#[test]
fn a_forest_gives_the_logits_of_each_row_alone() {
    let model = thinker();
    let [first, second] = ["image", "av"].map(|name| case(name).1.remove(0));
    let same = first.tokens.iter().zip(&second.tokens).take_while(|(a, b)| a == b).count();
    let more = |row: &TokenRow| {
        let tokens = [&row.tokens[..], &[5, 6, 7]].concat();
        TokenRow::from_tokens(tokens, 0).with_media(row.media.clone())
    };
    let mut forest = model.forest(10_000);
    let planted = model.plant(&mut forest, &[first.clone(), second.clone(), more(&first)], &[]).expect("runs");
    assert_eq!(planted.cached, [0, same, first.tokens.len()]);
    let grown = model.grow(&mut forest, &[(planted.rows[1].leaf, 9), (planted.rows[0].leaf, 8)]);
    let alone = |row: &TokenRow, next: Option<u32>| {
        let tokens = row.tokens.iter().copied().chain(next).collect();
        let row = TokenRow::from_tokens(tokens, 0).with_media(row.media.clone());
        let logits = model.logits(&[row]).expect("runs").remove(0);
        let last = logits.dims()[0] - 1;
        logits.narrow(0, last, 1).try_into_vec_as::<f32>().expect("f32")
    };
    for (grown, expected) in planted.rows.iter().chain(&grown).zip([
        alone(&first, None),
        alone(&second, None),
        alone(&more(&first), None),
        alone(&second, Some(9)),
        alone(&first, Some(8)),
    ]) {
        let difference = largest_difference(&grown.logits, &expected);
        assert!(difference < LOGITS, "{difference}");
    }
    let again = model.plant(&mut forest, std::slice::from_ref(&second), &[]).expect("runs");
    assert_eq!(again.cached, [second.tokens.len() - 1]);
}

#[test]
fn pictures_that_differ_share_nothing_after_them() {
    let model = thinker();
    let row = case("image").1.remove(0);
    let mut other = Medium::clone(&row.media[0]);
    other.name = "another".into();
    other.visual.as_mut().expect("a picture").patches.iter_mut().for_each(|value| *value = 0.5 - *value);
    let other = TokenRow::from_tokens(row.tokens.clone(), 0).with_media(vec![Arc::new(other)]);
    let together = model.logits(&[row.clone(), other.clone()]).expect("runs");
    for (row, logits) in [row, other].iter().zip(together) {
        let alone = model.logits(std::slice::from_ref(row)).expect("runs").remove(0);
        let difference = largest_difference(
            &logits.try_into_vec_as::<f32>().expect("f32"),
            &alone.try_into_vec_as::<f32>().expect("f32"),
        );
        assert!(difference < LOGITS, "{difference}");
    }
}

#[test]
fn values_of_a_vision_reward_model_equal_the_reference() {
    let model = RewardModel::open(&folder().join("vl"), &Device::default()).expect("opens");
    let golden = Golden::open("vl/golden");
    let (rows, places) = reference::rows(&golden, "input_ids", "attention_mask");
    let mut images = visuals(&golden, "pixel_values", "image_grid_thw", None).into_iter();
    let expected = golden.rows("values");
    for (index, row) in rows.into_iter().enumerate() {
        let medium = Medium { name: index.to_string(), visual: images.next(), sound: None };
        let row = row.with_media(vec![Arc::new(medium)]);
        let found = model.values(&row).expect("runs").values;
        let width = golden.shape("input_ids")[1];
        let wanted: Vec<f32> = places[index].iter().map(|&place| expected[index][place % width]).collect();
        let difference = largest_difference(&found, &wanted);
        assert!(difference < LOGITS, "row {index}: {difference}");
        let score = model.outputs(&[row]).expect("runs")[0][0];
        assert!((score - golden.values("scores")[index]).abs() < LOGITS);
    }
}

/// The last nine tokens are learnt.
fn lesson(name: &str) -> Vec<TokenRow> {
    let (_, rows, _) = case(name);
    rows.into_iter().map(|row| TokenRow { targets_from: row.tokens.len() - 9, ..row }).collect()
}

fn taught(name: &str) -> (f64, Gradients) {
    let mut model = thinker();
    model.train_everything();
    model.train_towers();
    let mut loss = 0.0;
    let gradients = model.gradients(&lesson(name), &mut |outputs| mean_cross_entropy(outputs, &mut loss));
    (loss, gradients.expect("runs"))
}

fn mean_cross_entropy(outputs: &Outputs, loss: &mut f64) -> Outputs {
    let all = outputs.concat();
    *loss = -all.iter().map(|&log_prob| f64::from(log_prob)).sum::<f64>() / all.len() as f64;
    outputs.iter().map(|row| vec![-1.0 / all.len() as f32; row.len()]).collect()
}

fn values(gradient: &Tensor<1>) -> Vec<f32> {
    gradient.clone().try_into_vec_as::<f32>().expect("f32")
}

#[test]
fn losses_and_gradient_norms_of_every_tensor_equal_the_reference() {
    let path = folder().join("train/train.json");
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(path).expect("there")).expect("JSON");
    for name in ["image", "video", "audio", "av"] {
        let figures = &figures[format!("omni_sft_{name}")];
        let (loss, gradients) = taught(name);
        let expected = figures["loss"].as_f64().expect("a loss");
        assert!((loss / expected - 1.0).abs() < 1e-6, "{name}: {loss}, not {expected}");
        for (tensor, norm) in figures["grad_norms"].as_object().expect("norms") {
            let ours = tensor.strip_prefix("thinker.").expect("a thinker's tensor");
            let found = gradients.get(ours).unwrap_or_else(|| panic!("{name}: no gradient for {ours}"));
            let found = values(found).iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
            let norm = norm.as_f64().expect("a norm");
            assert!((found / norm - 1.0).abs() < 2e-5, "{name} {tensor}: {found}, not {norm}");
        }
    }
}

#[test]
fn gradients_of_a_clip_with_sound_equal_the_reference() {
    let golden = Golden::open("train/omni_av_grads");
    let (_, gradients) = taught("av");
    for name in golden.names() {
        let ours = name.strip_prefix("thinker.").expect("a thinker's tensor");
        let expected = golden.values(&name);
        let found = gradients.get(ours).unwrap_or_else(|| panic!("no gradient for {ours}"));
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let difference = largest_difference(&values(found), &expected) / largest;
        assert!(difference < GRADIENT, "{name}: {difference}");
    }
}

#[test]
fn frozen_towers_have_no_gradients_and_the_decoder_has_the_same() {
    let mut model = thinker();
    model.train_everything();
    let frozen = model.gradients(&lesson("av"), &mut |outputs| mean_cross_entropy(outputs, &mut 0.0)).expect("runs");
    let (_, taught) = taught("av");
    assert!(frozen.iter().all(|(name, _)| name.starts_with("model.") || name.starts_with("lm_head.")));
    for (name, gradient) in frozen.iter() {
        let other = values(taught.get(name).expect("trained in both"));
        let largest = other.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
        assert!(largest_difference(&values(gradient), &other) / largest < GRADIENT, "{name}");
    }
}
