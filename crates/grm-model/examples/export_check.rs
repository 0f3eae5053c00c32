//! Loads a model, says how long that took, and continues a prompt of token ids.
fn main() {
    use burn::tensor::Device;
    let arguments: Vec<String> = std::env::args().collect();
    let start = std::time::Instant::now();
    let model = grm_model::CausalLm::open(std::path::Path::new(&arguments[1]), &Device::default()).unwrap();
    eprintln!("{:.2} s {:?}", start.elapsed().as_secs_f64(), model.config());
    let prompt: Vec<u32> = arguments[2].split(',').map(|t| t.parse().unwrap()).collect();
    println!("{:?}", model.generate_greedily(&prompt, 24, &[]).unwrap());
    eprintln!("{:.2} s", start.elapsed().as_secs_f64());
}
