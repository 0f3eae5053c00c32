//! The towers against the reference library's states; see `goldens/README.md`.

mod reference;

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use grm_model::{
    omni::{AudioTower, Grid, MelInput, ThinkerConfig, TowerError, VisionTower},
    weights::SafetensorsFolder,
};
use reference::{Golden, folder, largest_difference};

/// Of the largest entry, which is 4 to 11; the largest difference seen is 2.2e-6 of it.
const STATES: f32 = 5e-6;

fn config(name: &str) -> ThinkerConfig {
    ThinkerConfig::read(&folder().join(name).join("config.json")).expect("reads")
}

fn weights(path: &Path) -> SafetensorsFolder {
    SafetensorsFolder::open(path).expect("opens")
}

fn vision(name: &str) -> VisionTower {
    let weights = weights(&folder().join(if name == "vl" { "vl/model.safetensors" } else { name }));
    VisionTower::new(config(name).vision, &weights, name, &Device::default()).expect("builds")
}

fn audio() -> AudioTower {
    let config = config("omni").audio.expect("it hears");
    AudioTower::new(config, &weights(&folder().join("omni")), "omni", &Device::default()).expect("builds")
}

fn matrix(values: Vec<f32>, width: usize) -> Tensor<2> {
    let shape = [values.len() / width, width];
    Tensor::from_data(TensorData::new(values, shape), &Device::default())
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("f32")
}

fn pictures(golden: &Golden) -> (Tensor<2>, Vec<Grid>) {
    let is_clip = golden.names().contains(&"video_grid_thw".to_owned());
    let (pixels, grids) =
        if is_clip { ("pixel_values_videos", "video_grid_thw") } else { ("pixel_values", "image_grid_thw") };
    let grid = |row: &Vec<f32>| Grid::new([0, 1, 2].map(|axis| row[axis] as usize)).expect("whole cells");
    (matrix(golden.values(pixels), 1176), golden.rows(grids).iter().map(grid).collect())
}

/// Each sound of a golden without its padding.
fn sounds(golden: &Golden) -> Vec<(Vec<f32>, usize)> {
    let frames_padded = golden.shape("input_features")[2];
    let features = golden.values("input_features");
    let sound = |(index, mask): (usize, &Vec<f32>)| {
        let frames = mask.iter().sum::<f32>() as usize;
        let bins = features[index * 128 * frames_padded..][..128 * frames_padded].chunks_exact(frames_padded);
        (bins.flat_map(|bin| bin[..frames].to_vec()).collect(), frames)
    };
    golden.rows("feature_attention_mask").iter().enumerate().map(sound).collect()
}

fn mels(sounds: &[(Vec<f32>, usize)]) -> Vec<MelInput<'_>> {
    sounds.iter().map(|(values, frames)| MelInput { values, frames: *frames }).collect()
}

fn assert_near(found: &[f32], golden: &Golden, name: &str, what: &str) {
    let expected = golden.values(name);
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let difference = largest_difference(found, &expected) / largest;
    assert!(difference < STATES, "{what} {name}: {difference}");
}

/// Rows of `states` in the reference's window order, four to a cell.
fn in_windows(states: &[f32], golden: &Golden) -> Vec<f32> {
    let order = golden.tokens("vision.window_index");
    let cell = states.len() / order.len();
    order.iter().flat_map(|&index| states[index as usize * cell..][..cell].to_vec()).collect()
}

#[test]
fn every_block_of_the_vision_tower_equals_the_reference() {
    for name in ["image", "two_images", "video", "av", "batch_left_pad"] {
        let golden = Golden::open(&format!("omni/{name}"));
        let (patches, grids) = pictures(&golden);
        let mut tower = vision("omni");
        let out = tower.forward(patches.clone(), &grids).expect("runs");
        assert_near(&values(out), &golden, "vision.out", name);
        while !tower.blocks.is_empty() {
            let states = values(tower.patch_states(patches.clone(), &grids).expect("runs"));
            let block = format!("vision.blocks.{}", tower.blocks.len() - 1);
            assert_near(&in_windows(&states, &golden), &golden, &block, name);
            tower.blocks.pop();
        }
        let states = values(tower.patch_states(patches, &grids).expect("runs"));
        assert_near(&states, &golden, "vision.patch_embed", name);
    }
}

#[test]
fn every_layer_of_the_audio_tower_equals_the_reference() {
    for name in ["audio", "av", "batch_left_pad"] {
        let golden = Golden::open(&format!("omni/{name}"));
        let sounds = sounds(&golden);
        let mut tower = audio();
        let out = tower.forward(&mels(&sounds)).expect("runs");
        assert_near(&values(out), &golden, "audio.out", name);
        while !tower.layers.is_empty() {
            let states = values(tower.states(&mels(&sounds)).expect("runs"));
            assert_near(&states, &golden, &format!("audio.layers.{}", tower.layers.len() - 1), name);
            tower.layers.pop();
        }
    }
}

#[test]
fn a_vision_tower_with_fused_queries_keys_and_values_equals_the_reference() {
    let golden = Golden::open("vl/golden");
    let (patches, grids) = pictures(&golden);
    let out = vision("vl").forward(patches, &grids).expect("runs");
    assert_near(&values(out), &golden, "vision.out", "vl");
}

#[test]
fn pictures_and_clips_together_equal_each_alone() {
    let tower = vision("omni");
    let (mut patches, mut grids, mut alone) = (vec![], vec![], vec![]);
    for name in ["two_images", "av", "image", "video"] {
        let (some, sizes) = pictures(&Golden::open(&format!("omni/{name}")));
        alone.extend(values(tower.forward(some.clone(), &sizes).expect("runs")));
        patches.push(some);
        grids.extend(sizes);
    }
    let together = values(tower.forward(Tensor::cat(patches, 0), &grids).expect("runs"));
    assert!(largest_difference(&together, &alone) < 5e-6);
}

#[test]
fn sounds_together_equal_each_alone() {
    let tower = audio();
    let sounds: Vec<_> = ["audio", "av", "batch_left_pad"]
        .iter()
        .flat_map(|name| sounds(&Golden::open(&format!("omni/{name}"))))
        .collect();
    let alone: Vec<f32> = mels(&sounds).iter().flat_map(|&mel| values(tower.forward(&[mel]).expect("runs"))).collect();
    let together = values(tower.forward(&mels(&sounds)).expect("runs"));
    assert!(largest_difference(&together, &alone) < 5e-6);
}

#[test]
fn a_sound_gives_as_many_states_as_it_has_tokens() {
    let tower = audio();
    for frames in [3, 4, 5, 6, 7, 8, 199, 200, 201, 202, 203, 204, 399, 400, 403] {
        let values = vec![0.25; 128 * frames];
        let out = tower.forward(&[MelInput { values: &values, frames }]).expect("runs");
        assert_eq!(out.dims(), [AudioTower::token_count(frames), 64], "{frames} frames");
    }
    let known = [(1, 0), (2, 0), (3, 1), (100, 25), (200, 50), (260, 65), (101, 25), (437, 109), (30_000, 7500)];
    for (frames, tokens) in known {
        assert_eq!(AudioTower::token_count(frames), tokens, "{frames} frames");
    }
}

#[test]
fn input_that_does_not_fit_its_description_is_refused() {
    let (patches, grids) = pictures(&Golden::open("omni/image"));
    let few = patches.clone().narrow(0, 0, 8);
    let expected = TowerError::Patches { given: [8, 1176], expected: [100, 1176] };
    assert_eq!(vision("omni").forward(few, &grids).expect_err("refused"), expected);
    assert!(vision("omni").forward(patches, &[]).is_err());
    let refused = |values: &[f32], frames| audio().forward(&[MelInput { values, frames }]).expect_err("refused");
    assert_eq!(refused(&[0.0; 256], 2), TowerError::TooShort { index: 0, frames: 2 });
    assert_eq!(refused(&[0.0; 256], 3), TowerError::Mels { index: 0, given: 256, expected: 384 });
    assert_eq!(audio().forward(&[]).expect_err("refused"), TowerError::NoSound);
}

#[test]
fn weights_of_another_shape_are_refused_by_name() {
    let place = folder().join("omni");
    let mut config = config("omni").vision;
    config.intermediate_size = 80;
    let error = VisionTower::new(config, &weights(&place), "omni", &Device::default()).expect_err("refused");
    let message = error.to_string();
    assert!(message.contains("visual.blocks.0.mlp.gate_proj.weight") && message.contains("[96, 64]"), "{message}");
}
