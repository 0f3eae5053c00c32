//! GGUF models and adapters.

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::Device;
use grm_gguf::{Array, GgufFile, GgufWriter, Metadata, TensorPlan, TensorType, Value};
use grm_model::{CausalLm, ExportError, HostParameters, MergedExport, RewardModel, write_gguf_adapter};

use crate::tiny::{
    FAMILIES, adapted_causal, adapted_scorer, causal, difference, folder, logits, lora, noise, read, rewrite, score,
    scorer,
};

/// As the golden configurations have it.
fn base() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.set("tokenizer.ggml.padding_token_id", Value::U32(0));
    metadata
}

fn refusal(path: &Path) -> String {
    CausalLm::open(path, &Device::default()).map(|_| ()).expect_err("refused").to_string()
}

#[test]
fn models_come_back_as_exactly_as_their_type_allows() {
    let place = tempfile::tempdir().expect("a folder");
    for family in FAMILIES {
        let folder = folder(place.path(), family);
        let model = adapted_causal(&folder);
        let merged = place.path().join("merged");
        model.write_merged(&merged, &MergedExport::default()).expect("written");
        for kind in [TensorType::F32, TensorType::F16, TensorType::Q8_0] {
            let path = place.path().join("model.gguf");
            model.write_gguf(&path, &base(), kind).expect("written");
            let again = causal(&path);
            assert_eq!(again.config(), model.config(), "{family}");
            let merged = causal(&merged);
            for (name, tensor) in again.to_host() {
                let kind = if tensor.shape.len() == 1 { TensorType::F32 } else { kind };
                assert_stored(&tensor.values, &merged.to_host()[&name].values, kind, &name);
            }
            let found = difference(&logits(&again), &logits(&merged));
            let expected = difference(&logits(&jittered(place.path(), &folder, kind)), &logits(&merged));
            assert!(found <= 2.0 * expected, "{family} {kind}: {found}, by chance {expected}");
        }
    }
}

/// The merged model with errors drawn evenly from those that rounding to `kind` makes: how much of the logits such errors
/// move is a matter of the model, and no file format does better.
fn jittered(place: &Path, base: &Path, kind: TensorType) -> CausalLm {
    let folder = place.join("jittered");
    adapted_causal(base).write_merged(&folder, &MergedExport::default()).expect("written");
    let mut noise = noise();
    let mut move_block = |block: &[f32]| -> Vec<f32> {
        let step = |value: f32| match kind {
            TensorType::F32 => 0.0,
            TensorType::F16 => 2.0_f32.powf(value.abs().log2().floor().max(-14.0) - 10.0),
            _ => largest(block) / 127.0,
        };
        block.iter().map(|&value| value + noise() * step(value)).collect()
    };
    let tensors = read(&folder.join("model.safetensors"));
    let moved: BTreeMap<String, Vec<f32>> = tensors
        .into_iter()
        .map(|(name, shape, values)| match shape.len() {
            1 => (name, values),
            _ => (name, values.chunks(32).flat_map(&mut move_block).collect()),
        })
        .collect();
    rewrite(&folder.join("model.safetensors"), |name, shape, _| Some((name.clone(), shape, moved[&name].clone())));
    causal(&folder)
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// What is read is the merged value as near as the type has it.
fn assert_stored(found: &[f32], merged: &[f32], kind: TensorType, name: &str) {
    for (found, merged) in found.chunks(32).zip(merged.chunks(32)) {
        match kind {
            TensorType::F32 => assert_eq!(found, merged, "{name}"),
            TensorType::F16 => {
                let halves: Vec<f32> = merged.iter().map(|&value| half::f16::from_f32(value).to_f32()).collect();
                assert_eq!(found, halves, "{name}");
            }
            _ => assert!(difference(found, merged) < 0.505 * largest(merged) / 127.0, "{name}"),
        }
    }
}

#[test]
fn q_and_k_of_llama_are_stored_for_another_rotation() {
    let place = tempfile::tempdir().expect("a folder");
    for (family, is_interleaved) in [("llama", true), ("qwen2", false), ("qwen3", false)] {
        let model = causal(&folder(place.path(), family));
        let path = place.path().join("model.gguf");
        model.write_gguf(&path, &base(), TensorType::F32).expect("written");
        let file = GgufFile::open(&path).expect("opens");
        let ours = model.to_host();
        for (module, stored) in [("q_proj", "attn_q"), ("k_proj", "attn_k")] {
            let ours = &ours[&format!("model.layers.1.self_attn.{module}.weight")].values;
            let stored = file.tensor(&format!("blk.1.{stored}.weight")).expect("there").1;
            let half = model.config().head_dim / 2;
            let row = |values: &[f32], row: usize| values[row * 64..(row + 1) * 64].to_vec();
            assert_eq!(row(&stored, 1), row(ours, if is_interleaved { half } else { 1 }), "{family} {module}");
            assert_eq!(row(&stored, 2), row(ours, if is_interleaved { 1 } else { 2 }), "{family} {module}");
        }
        let value = "model.layers.1.self_attn.v_proj.weight";
        assert_eq!(ours[value].values, file.tensor("blk.1.attn_v.weight").expect("there").1, "{family}");
    }
}

#[test]
fn norms_and_biases_stay_in_single_precision_and_the_tokenizer_goes_along() {
    let place = tempfile::tempdir().expect("a folder");
    let model = causal(&folder(place.path(), "qwen2"));
    let mut metadata = base();
    metadata.set("tokenizer.ggml.tokens", Value::Array(Array::String(vec!["a".into(), "b".into()])));
    metadata.set("tokenizer.chat_template", Value::String("{{ messages }}".into()));
    metadata.set("split.count", Value::U16(2));
    metadata.set("quantize.imatrix.file", Value::String("x".into()));
    let path = place.path().join("model.gguf");
    model.write_gguf(&path, &metadata, TensorType::Q8_0).expect("written");
    let file = GgufFile::open(&path).expect("opens");
    for tensor in file.tensors() {
        let expected = if tensor.shape.len() == 1 { TensorType::F32 } else { TensorType::Q8_0 };
        assert_eq!(tensor.kind, expected, "{}", tensor.name);
    }
    let written = file.metadata();
    assert_eq!(written.get("tokenizer.ggml.tokens"), metadata.get("tokenizer.ggml.tokens"));
    assert_eq!(written.text("tokenizer.chat_template"), Some("{{ messages }}"));
    assert_eq!(written.number("general.file_type"), Some(7));
    assert_eq!((written.get("split.count"), written.get("quantize.imatrix.file")), (None, None));
    assert!(file.info("output.weight").is_err(), "tied");
}

#[test]
fn a_reward_head_lies_beside_its_decoder() {
    let place = tempfile::tempdir().expect("a folder");
    let model = adapted_scorer(&folder(place.path(), "llama_cls"));
    let path = place.path().join("judge.gguf");
    model.write_gguf(&path, &base(), TensorType::F32).expect("written");
    model.write_gguf(&path, &base(), TensorType::F32).expect("written again");
    assert!((score(&scorer(&path)) - score(&model)).abs() < 2e-5);

    let other = place.path().join("other.gguf");
    let error = model.write_gguf(&other, &base(), TensorType::F32).expect_err("refused");
    assert!(matches!(error, ExportError::Occupied { .. }), "{error}");
    fs::rename(&path, &other).expect("renamed");
    let message = RewardModel::open(&other, &Device::default()).map(|_| ()).expect_err("refused").to_string();
    assert!(message.contains("no reward head"), "{message}");
    RewardModel::open_with_new_head(&other, &Device::default()).expect("opens");
}

/// llama.cpp adds `alpha / rank · B A` to a tensor as it is stored.
#[test]
fn base_and_adapter_are_the_merged_model_tensor_by_tensor() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    for family in FAMILIES {
        let folder = folder(place.path(), family);
        let (plain, adapted) = (causal(&folder), adapted_causal(&folder));
        plain.write_gguf(&at("base.gguf"), &base(), TensorType::F32).expect("written");
        adapted.write_gguf(&at("merged.gguf"), &base(), TensorType::F32).expect("written");
        let parameters = adapted.to_host();
        write_gguf_adapter(&at("adapter.gguf"), adapted.config(), &lora(), &parameters, TensorType::F32)
            .expect("written");
        let [base, merged, adapter] =
            ["base.gguf", "merged.gguf", "adapter.gguf"].map(|name| GgufFile::open(&at(name)).expect("opens"));
        assert_eq!(adapter.metadata().text("general.type"), Some("adapter"));
        assert_eq!(adapter.metadata().text("adapter.type"), Some("lora"));
        assert_eq!(adapter.metadata().get("adapter.lora.alpha"), Some(&Value::F32(6.0)));
        assert_eq!(adapter.metadata().text("general.architecture"), Some(family));
        assert_eq!(adapter.tensors().len(), 2 * 7 * 2);
        for tensor in base.tensors() {
            let (mut values, expected) =
                (base.tensor(&tensor.name).expect("read").1, merged.tensor(&tensor.name).expect("read").1);
            if adapter.info(&format!("{}.lora_a", tensor.name)).is_ok() {
                add(&mut values, &adapter, &tensor.name);
            }
            assert!(difference(&values, &expected) < 1e-6, "{family} {}", tensor.name);
        }
        assert!(refusal(&at("adapter.gguf")).contains("base model"), "an adapter is not a model");
    }
}

fn add(values: &mut [f32], adapter: &GgufFile, name: &str) {
    let factor = |half: &str| adapter.tensor(&format!("{name}.lora_{half}")).expect("read");
    let ((a_shape, a), (_, b)) = (factor("a"), factor("b"));
    let [rank, inputs] = a_shape[..] else { panic!("{a_shape:?}") };
    for (index, value) in values.iter_mut().enumerate() {
        let (row, column) = (index / inputs, index % inputs);
        let product: f32 = (0..rank).map(|k| b[row * rank + k] * a[k * inputs + column]).sum();
        *value += 6.0 / rank as f32 * product;
    }
}

#[test]
fn adapters_that_llama_cpp_would_take_wrongly_are_not_written() {
    let place = tempfile::tempdir().expect("a folder");
    let model = adapted_causal(&folder(place.path(), "llama"));
    let path = place.path().join("adapter.gguf");
    let write = |lora, parameters: &HostParameters| {
        write_gguf_adapter(&path, model.config(), &lora, parameters, TensorType::F32).expect_err("refused").to_string()
    };
    let parameters = model.to_host();
    assert!(write(grm_model::LoraConfig { alpha: 0.0, ..lora() }, &parameters).contains("alpha is 0"));
    assert!(write(grm_model::LoraConfig { rank: 5, ..lora() }, &parameters).contains("[5, "));
    let mut diverged = parameters;
    diverged.get_mut("model.layers.0.mlp.up_proj.lora_A.weight").expect("there").values[3] = f32::NAN;
    assert!(write(lora(), &diverged).contains("blk.0.ffn_up.weight.lora_a"));
    assert!(!path.exists());
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let place = tempfile::tempdir().expect("a folder");
    let model = causal(&folder(place.path(), "llama"));
    let path = place.path().join("model.gguf");
    model.write_gguf(&path, &base(), TensorType::F16).expect("written");
    let whole = fs::read(&path).expect("read");
    for length in [3, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("written");
        let message = refusal(&path);
        assert!(message.contains("model.gguf") && message.contains("again"), "{length}: {message}");
    }

    let tensor = |name: &str, shape: Vec<usize>| TensorPlan { name: name.into(), shape, kind: TensorType::F32 };
    let write = |change: &dyn Fn(&mut Metadata), extra: Option<TensorPlan>| {
        fs::write(&path, &whole).expect("written");
        let mut metadata = GgufFile::open(&path).expect("opens").metadata().clone();
        change(&mut metadata);
        let plans: Vec<TensorPlan> = [tensor("token_embd.weight", vec![320, 64])].into_iter().chain(extra).collect();
        let mut writer = GgufWriter::create(&path, &metadata, plans.clone()).expect("planned");
        for plan in plans {
            writer.write(&plan.name, &vec![1.5; plan.shape.iter().product()]).expect("written");
        }
        writer.commit().expect("whole");
        refusal(&path)
    };
    let same = |_: &mut Metadata| {};
    let contains =
        |message: String, parts: &[&str]| assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    contains(write(&same, None), &["model.layers.0.", "has no tensor"]);
    contains(write(&same, Some(tensor("blk.0.ffn_gate_exps.weight", vec![2, 2]))), &["blk.0.ffn_gate_exps.weight"]);
    contains(write(&same, Some(tensor("blk.0.attn_q.bias", vec![64]))), &["blk.0.attn_q.bias"]);
    contains(write(&same, Some(tensor("rope_freqs.weight", vec![8]))), &["rope_freqs.weight", "config.json"]);
    contains(write(&|m| m.set("split.count", Value::U16(3)), None), &["split", "llama-gguf-split --merge"]);
    contains(write(&|m| m.set("general.architecture", Value::String("mamba".into())), None), &["mamba"]);
    contains(write(&|m| m.set("llama.rope.scaling.type", Value::String("yarn".into())), None), &["yarn"]);
    contains(write(&|m| m.set("llama.rope.dimension_count", Value::U32(8)), None), &["8 of a head's 16"]);
    contains(write(&|m| m.set("llama.block_count", Value::String("2".into())), None), &["llama.block_count"]);
    contains(write(&|m| m.set("llama.attention.head_count", Value::U32(0)), None), &["llama.attention.head_count"]);
    contains(write(&|m| m.set("llama.rope.freq_base", Value::F32(f32::NAN)), None), &["llama.rope.freq_base"]);
}

#[test]
fn a_safetensors_base_has_no_tokenizer_for_gguf() {
    let place = tempfile::tempdir().expect("a folder");
    let message = grm_model::export::base_metadata(&folder(place.path(), "llama")).expect_err("refused").to_string();
    assert!(message.contains("convert_hf_to_gguf.py"), "{message}");
}
