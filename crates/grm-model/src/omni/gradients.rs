//! The towers' gradients against differences of their outputs.

use std::{collections::BTreeSet, path::Path};

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};

use super::{AudioTower, Grid, MelInput, ThinkerConfig, VisionTower};
use crate::{network::Gradients, parameters, weights::SafetensorsFolder};

/// How far a parameter is moved, in all its entries together.
const STEP: f32 = 1e-2;
/// Of the gradient's length; differences of f32 outputs are no better.
const TOLERANCE: f64 = 4e-3;

fn waves(count: usize, speed: f32) -> Vec<f32> {
    (0..count).map(|index| (index as f32 * speed + 0.1).sin()).collect()
}

fn thinker() -> (ThinkerConfig, SafetensorsFolder) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/omni");
    let config = ThinkerConfig::read(&folder.join("config.json")).expect("reads");
    (config, SafetensorsFolder::open(&folder).expect("opens"))
}

/// Outputs weighted by waves and added up, in f64.
fn loss(output: Tensor<2>) -> f64 {
    let values = output.try_into_vec_as::<f32>().expect("f32");
    let weights = waves(values.len(), 0.37);
    values.iter().zip(weights).map(|(&value, weight)| f64::from(value) * f64::from(weight)).sum()
}

fn gradients<M: Module>(module: &M, forward: &dyn Fn(&M) -> Tensor<2>) -> Gradients {
    let module = parameters::set_trainable(module.clone(), "", &|_| true).train();
    let output = forward(&module);
    let shape = output.dims();
    let weights = TensorData::new(waves(shape[0] * shape[1], 0.37), shape);
    let mut found = (output.clone() * Tensor::from_data(weights, &output.device())).sum().backward();
    let mut gradients = Gradients::default();
    parameters::collect(&module, "", &mut found, &mut gradients);
    gradients
}

/// Moves every parameter in turn, half along its gradient and half along a wave, and compares the loss's change.
fn check<M: Module>(module: &M, forward: &dyn Fn(&M) -> Tensor<2>) -> usize {
    let gradients = gradients(module, forward);
    let names: Vec<String> = parameters::infos(module, "", &|_| true).into_iter().map(|info| info.name).collect();
    for name in &names {
        let gradient = gradients.get(name).unwrap_or_else(|| panic!("no gradient for {name}"));
        let gradient = gradient.clone().try_into_vec_as::<f32>().expect("f32");
        let wave = waves(gradient.len(), 1.7);
        let (length, wave_length) = (norm(&gradient), norm(&wave));
        let mix = |(&slope, &wave): (&f32, &f32)| (f64::from(slope) / length + f64::from(wave) / wave_length) as f32;
        let direction: Vec<f32> = gradient.iter().zip(&wave).map(mix).collect();
        let slope: f64 = gradient.iter().zip(&direction).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        let moved = |step: f32| loss(forward(&moved(module, name, &direction, step)));
        let found = (moved(STEP) - moved(-STEP)) / (2.0 * f64::from(STEP));
        let error = (found - slope).abs() / length;
        println!("{name}: {slope:.5}, {found:.5}, {error:.1e}");
        assert!(error < TOLERANCE, "{name}: {slope} but the loss says {found}");
    }
    names.len()
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

fn moved<M: Module>(module: &M, name: &str, direction: &[f32], step: f32) -> M {
    let which = BTreeSet::from([name.to_owned()]);
    parameters::map(module.clone(), "", &which, &mut |_, value| {
        value.clone() + Tensor::from_floats(direction, &value.device()) * step
    })
}

#[test]
fn gradients_of_the_vision_tower_are_the_slopes_of_its_outputs() {
    let (config, weights) = thinker();
    let tower = VisionTower::new(config.vision, &weights, "omni", &Device::default()).expect("builds");
    // Two frame pairs of ragged windows, and a picture of another size.
    let grids = [[2, 10, 4], [1, 4, 6]].map(|sizes| Grid::new(sizes).expect("whole"));
    let patches = TensorData::new(waves(104 * 1176, 0.013), [104, 1176]);
    let patches = Tensor::from_data(patches, &Device::default());
    let count = check(&tower, &|tower| tower.forward(patches.clone(), &grids).expect("runs"));
    assert_eq!(count, 1 + 3 * 16 + 5);
}

#[test]
fn gradients_of_the_audio_tower_are_the_slopes_of_its_outputs() {
    let (config, weights) = thinker();
    let config = config.audio.expect("it hears");
    let tower = AudioTower::new(config, &weights, "omni", &Device::default()).expect("builds");
    let (long, short) = (waves(128 * 230, 0.017), waves(128 * 31, 0.029));
    let mels = [MelInput { values: &long, frames: 230 }, MelInput { values: &short, frames: 31 }];
    let count = check(&tower, &|tower| tower.forward(&mels).expect("runs"));
    assert_eq!(count, 4 + 2 * 15 + 4);
}
