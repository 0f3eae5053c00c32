//! Tensors of real models, where they have been pulled. Without them each test says that it is skipped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "a skipped test says why")]

use std::{env, path::PathBuf};

use grm_gguf::{GgufFile, GgufWriter, TensorPlan, TensorType};

/// The model folder: `GRM_MODELS`, else `~/.cache/grm/models`.
fn folder() -> Option<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache").join("grm").join("models"));
    env::var_os("GRM_MODELS").map(PathBuf::from).or_else(home)
}

fn models() -> Vec<GgufFile> {
    let entries = folder().and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "gguf")).collect();
    paths.sort();
    if paths.is_empty() {
        eprintln!("skipped: no .gguf file in the model folder; `grm models pull smollm2-135m` fetches one");
    }
    paths.iter().map(|path| GgufFile::open(path).unwrap()).collect()
}

struct Statistics {
    mean: f64,
    deviation: f64,
    largest: f64,
}

fn statistics(values: &[f32]) -> Statistics {
    #[expect(clippy::cast_precision_loss, reason = "tensors have far fewer than 2^52 values")]
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(f64::from(value.abs())));
    Statistics { mean, deviation: (squares / count).sqrt(), largest }
}

#[test]
fn weights_look_like_weights() {
    for file in models() {
        for tensor in
            file.tensors().iter().filter(|tensor| tensor.name.starts_with("blk.1.") && tensor.shape.len() == 2)
        {
            let place = format!("{} of {} ({})", tensor.name, file.path().display(), tensor.kind);
            let (shape, values) = file.tensor(&tensor.name).unwrap();
            assert_eq!(shape.iter().product::<usize>(), values.len(), "{place}");
            assert!(values.iter().all(|value| value.is_finite()), "{place}");
            let Statistics { mean, deviation, largest } = statistics(&values);
            assert!((1e-3..1.0).contains(&deviation), "{place} deviates by {deviation}");
            assert!(mean.abs() < deviation / 10.0, "{place} has the mean {mean}");
            // Single weights of real models lie hundreds of deviations out.
            assert!(largest < 10.0, "{place} reaches {largest}");
        }
    }
}

/// The Qwen files hold their shared embedding twice, in two types: read rightly, both say the same.
#[test]
fn one_tensor_stored_in_two_types_is_nearly_equal() {
    let has_both = |file: &GgufFile| file.info("token_embd.weight").is_ok() && file.info("output.weight").is_ok();
    let Some(file) = models().into_iter().find(has_both) else {
        return eprintln!("skipped: no model file here holds one tensor in two types");
    };
    let [one, other] =
        ["token_embd.weight", "output.weight"].map(|name| file.tensor(name).unwrap().1[..1 << 20].to_vec());
    let difference: Vec<f32> = one.iter().zip(&other).map(|(one, other)| one - other).collect();
    let share = statistics(&difference).deviation / statistics(&other).deviation;
    assert!(share < 0.1, "they differ by {share} deviations in {}", file.path().display());
    assert!(share > 0.0, "the types differ, so they cannot be equal");
}

#[test]
fn an_eight_bit_copy_of_a_real_tensor_is_as_good_as_the_format_allows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.gguf");
    for file in models() {
        let Some(tensor) = file.tensors().iter().find(|tensor| tensor.name == "blk.0.attn_q.weight") else { continue };
        let values = file.tensor(&tensor.name).unwrap().1;
        let plan = TensorPlan { name: tensor.name.clone(), shape: tensor.shape.clone(), kind: TensorType::Q8_0 };
        let mut writer = GgufWriter::create(&path, file.metadata(), vec![plan]).unwrap();
        writer.write(&tensor.name, &values).unwrap();
        writer.commit().unwrap();
        let copy = GgufFile::open(&path).unwrap();
        assert_eq!(copy.metadata(), file.metadata(), "the tokenizer travels with it");
        let difference: Vec<f32> =
            copy.tensor(&tensor.name).unwrap().1.iter().zip(&values).map(|(a, b)| a - b).collect();
        let share = statistics(&difference).deviation / statistics(&values).deviation;
        assert!(share < 0.01, "{share}");
    }
}
