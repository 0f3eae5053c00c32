//! Seconds a thinker takes for 256 patches and for a prompt of 512 tokens, and the memory loading it takes, as JSON;
//! `benches/omni_speed.py` runs it beside `PyTorch`.

use std::{path::Path, sync::Arc, time::Instant};

use burn::tensor::Device;
use grm_model::{
    CausalLm, TokenRow,
    omni::{Grid, Medium, ThinkerConfig, Visual},
};

const PATCHES: usize = 256;
const TOKENS: u32 = 512;

#[expect(clippy::print_stdout, reason = "the result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("give a model folder")?;
    let folder = Path::new(&folder);
    let model = CausalLm::open(folder, &Device::default())?;
    let (peak, weights) = (status("VmHWM")?, weight_bytes(folder)? >> 20);
    // Once to warm up, once to be timed, with another picture so that nothing kept is used.
    let mut tower = 0.0;
    for name in ["first", "second"] {
        tower = seconds(|| picture(&model, folder, name))? - seconds(|| placeholders(&model, folder))?;
    }
    let mut prefill = 0.0;
    for _ in 0..2 {
        prefill = seconds(|| prompt(&model, (0..TOKENS).map(|index| index * 7 % 1000).collect(), Vec::new()))?;
    }
    println!(r#"{{"tower": {tower}, "prefill": {prefill}, "weights_mib": {weights}, "peak_mib": {peak}}}"#);
    Ok(())
}

type Done = Result<(), Box<dyn std::error::Error>>;

fn seconds(work: impl FnOnce() -> Done) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// A prompt that is nearly all picture.
fn picture(model: &CausalLm, folder: &Path, name: &str) -> Done {
    let ids = ThinkerConfig::read(&folder.join("config.json"))?.tokens;
    let grid = Grid::new([1, 16, 16])?;
    let visual = Visual { patches: vec![0.1; PATCHES * 1176], grid, seconds_per_grid: None };
    let medium = Arc::new(Medium { name: name.into(), visual: Some(visual), sound: None });
    let tokens = [vec![ids.vision_start], vec![ids.image; PATCHES / 4], vec![ids.vision_end]].concat();
    prompt(model, tokens, vec![medium])
}

/// The same length of text: what the decoder's part of [`picture`] takes.
fn placeholders(model: &CausalLm, _folder: &Path) -> Done {
    prompt(model, vec![5; PATCHES / 4 + 2], Vec::new())
}

fn prompt(model: &CausalLm, tokens: Vec<u32>, media: Vec<Arc<Medium>>) -> Done {
    let mut forest = model.forest(4096);
    model.plant(&mut forest, &[TokenRow::from_tokens(tokens, 0).with_media(media)], &[])?;
    Ok(())
}

/// MiB of a line of this process's status.
fn status(key: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(key)).ok_or("no such line")?;
    let kib: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib >> 10)
}

fn weight_bytes(folder: &Path) -> Result<u64, Box<dyn std::error::Error>> {
    let mut bytes = 0;
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|ending| ending == "safetensors") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
