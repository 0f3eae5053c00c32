//! scratch
use burn::tensor::{Device, Tensor, TensorData, activation::softmax, module::attention};
use grm_model::{
    HostTensor, WeightError, Weights,
    omni::{AudioTower, Grid, MelInput, ThinkerConfig, VisionTower, expected_tensors},
};
use serde_json::json;
use std::{collections::BTreeMap, time::Instant};
struct Fake(BTreeMap<String, Vec<usize>>);
impl Weights for Fake {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
    fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
    fn read(&self, name: &str) -> Result<HostTensor, WeightError> {
        let shape = self.0[name].clone();
        let n: usize = shape.iter().product();
        Ok(HostTensor { shape, values: (0..n).map(|i| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 0.05).collect() })
    }
}
#[test]
fn speed() {
    let c = json!({"model_type":"qwen2_5_omni_thinker","audio_token_index": 6, "audio_start_token_id": 7, "audio_end_token_id": 8,
     "vision_start_token_id": 2, "vision_end_token_id": 3, "image_token_index": 5, "video_token_index": 1,
     "text_config": {"hidden_size": 3584,"intermediate_size": 18944,"num_hidden_layers":1,"num_attention_heads":28,"num_key_value_heads":4,"vocab_size":100,"rms_norm_eps":1e-6,"rope_theta":1e6,"max_position_embeddings":32768,"rope_scaling":{"mrope_section":[16,24,24],"type":"default"}},
     "vision_config": {"depth": 2, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,"window_size":112,"fullatt_block_indexes":[1],"out_hidden_size":3584},
     "audio_config": {"d_model": 1280, "encoder_ffn_dim": 5120, "encoder_layers": 2, "encoder_attention_heads": 20, "n_window": 100, "output_dim": 3584}});
    let config = ThinkerConfig::from_keys(c.as_object().unwrap()).unwrap();
    let fake = Fake(expected_tensors(&config).into_iter().collect());
    let device = Device::default();
    let mut tower = VisionTower::new(config.vision.clone(), &fake, "x", &device).unwrap();
    for side in [16usize, 36, 64] {
        let grid = Grid::new([1, side, side]).unwrap();
        let n = side * side;
        let values: Vec<f32> = (0..n * 1176).map(|i| (i as f32 * 0.01).sin()).collect();
        let patches = Tensor::from_data(TensorData::new(values, [n, 1176]), &device);
        let mut times = vec![];
        let mut t2 = tower.clone();
        for _ in 0..3 {
            let s = Instant::now();
            let _ = t2.patch_states(patches.clone(), &[grid]).unwrap().into_data();
            times.push(s.elapsed().as_secs_f64());
            t2.blocks.pop();
        }
        let s = Instant::now();
        let _ = t2.forward(patches.clone(), &[grid]).unwrap().into_data();
        let m = s.elapsed().as_secs_f64();
        println!(
            "{n} patches: full block {:.3} s, window block {:.3} s, embed {:.3} s, merger {:.3} s",
            times[0] - times[1],
            times[1] - times[2],
            times[2],
            m - times[2]
        );
        let q = Tensor::<2>::from_data(
            TensorData::new((0..n * 1280).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>(), [n, 1280]),
            &device,
        )
        .reshape([1, n, 16, 80])
        .swap_dims(1, 2);
        let s = Instant::now();
        let a = attention(q.clone(), q.clone(), q.clone(), None, None, Default::default());
        let a = a.into_data();
        println!("  burn attention {:.3}", s.elapsed().as_secs_f64());
        let s = Instant::now();
        let b =
            softmax((q.clone() * (1.0 / 80f64.sqrt())).matmul(q.clone().transpose()), 3).matmul(q.clone()).into_data();
        println!("  plain attention {:.3}", s.elapsed().as_secs_f64());
        let (a, b) = (a.to_vec::<f32>().unwrap(), b.to_vec::<f32>().unwrap());
        println!("  differ {:e}", a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max));
        let x = q.swap_dims(1, 2).reshape([n, 1280]);
        let w = tower.blocks[0].mlp.gate_proj.weight.val();
        let s = Instant::now();
        let _ = x.clone().matmul(w.clone().transpose()).into_data();
        let t = s.elapsed().as_secs_f64();
        println!("  gate matmul {:.3} = {:.0} GFLOP/s", t, 2.0 * (n * 1280 * 3420) as f64 / t / 1e9);
        let s = Instant::now();
        let w2 = x.clone().matmul(w.transpose());
        let w3 = burn::tensor::activation::silu(w2.clone()) * w2;
        let _ = w3.into_data();
        println!("  with silu*x {:.3}", s.elapsed().as_secs_f64());
        tower = tower;
    }
    let audio = AudioTower::new(config.audio.clone().unwrap(), &fake, "x", &device).unwrap();
    for frames in [1000usize, 3000] {
        let values: Vec<f32> = (0..128 * frames).map(|i| (i as f32 * 0.01).sin()).collect();
        let mut a = audio.clone();
        let mut times = vec![];
        for _ in 0..3 {
            let s = Instant::now();
            let _ = a.states(&[MelInput { values: &values, frames }]).unwrap().into_data();
            times.push(s.elapsed().as_secs_f64());
            a.layers.pop();
        }
        println!(
            "{frames} frames: layer {:.3}, layer {:.3}, convolutions {:.3}",
            times[0] - times[1],
            times[1] - times[2],
            times[2]
        );
    }
}
