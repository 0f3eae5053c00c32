//! What is written is read back: metadata, the tensor table, and numbers to the precision of their type.

use std::path::Path;

use grm_gguf::{
    Array, GgufError, GgufFile, GgufWriteError, GgufWriter, Metadata, TensorPlan, TensorType, Value, read_header,
};
use proptest::prelude::*;

fn metadata() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.set("llama.rope.freq_base", Value::F32(1e4));
    metadata.set("general.architecture", Value::String("llama".to_owned()));
    metadata.set("a.u8", Value::U8(200));
    metadata.set("a.i8", Value::I8(-100));
    metadata.set("a.u16", Value::U16(60_000));
    metadata.set("a.i16", Value::I16(-30_000));
    metadata.set("llama.context_length", Value::U32(2048));
    metadata.set("a.i32", Value::I32(i32::MIN));
    metadata.set("a.u64", Value::U64(u64::MAX));
    metadata.set("a.i64", Value::I64(i64::MIN));
    metadata.set("a.f64", Value::F64(0.1));
    metadata.set("a.bool", Value::Bool(true));
    for (name, array) in arrays() {
        metadata.set(name, Value::Array(array));
    }
    metadata
}

fn arrays() -> [(&'static str, Array); 13] {
    [
        ("b.u8", Array::U8(vec![0, 255])),
        ("b.i8", Array::I8(vec![-128, 127])),
        ("b.u16", Array::U16(vec![1, 65535])),
        ("b.i16", Array::I16(vec![-1])),
        ("b.u32", Array::U32(vec![7, u32::MAX])),
        ("tokenizer.ggml.token_type", Array::I32(vec![1, 3])),
        ("b.f32", Array::F32(vec![0.5, -2.0])),
        ("b.bool", Array::Bool(vec![true, false, true])),
        ("tokenizer.ggml.tokens", Array::String(vec!["a".to_owned(), String::new(), "é 🙂".to_owned()])),
        ("b.u64", Array::U64(vec![u64::MAX])),
        ("b.i64", Array::I64(vec![i64::MIN])),
        ("b.f64", Array::F64(vec![1e300])),
        ("b.none", Array::String(Vec::new())),
    ]
}

fn plan(name: &str, shape: &[usize], kind: TensorType) -> TensorPlan {
    TensorPlan { name: name.to_owned(), shape: shape.to_vec(), kind }
}

fn write(path: &Path, plans: &[TensorPlan], values: &[f32]) -> Result<(), GgufWriteError> {
    let mut writer = GgufWriter::create(path, &metadata(), plans.to_vec())?;
    for plan in plans {
        writer.write(&plan.name, values)?;
    }
    writer.commit()
}

#[test]
fn a_file_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let values: Vec<f32> = (0_u8..192).map(|i| f32::from(i) - 90.5).collect();
    let plans = [
        plan("a.weight", &[3, 64], TensorType::F32),
        plan("b.weight", &[2, 3, 32], TensorType::F16),
        plan("c.bias", &[192], TensorType::Q8_0),
    ];
    write(&path, &plans, &values).unwrap();
    assert!(!folder.path().join("model.gguf.partial").exists());

    let file = GgufFile::open(&path).unwrap();
    assert_eq!(file.header(), &read_header(&path).unwrap());
    assert_eq!(file.header().context_length, Some(2048));
    assert_eq!(file.header().expected_bytes.next_multiple_of(32), path.metadata().unwrap().len());
    for (key, value) in metadata().iter() {
        assert_eq!(file.metadata().get(key), Some(value), "{key}");
    }
    assert_eq!(file.metadata().iter().next().unwrap().0, "general.architecture", "readers need it before the rest");
    for (info, plan) in file.tensors().iter().zip(&plans) {
        assert_eq!((&info.name, &info.shape, info.kind), (&plan.name, &plan.shape, plan.kind));
        let (shape, read) = file.tensor(&plan.name).unwrap();
        assert_eq!(shape, plan.shape);
        let close = read.iter().zip(&values).all(|(read, value)| (read - value).abs() <= 0.4);
        assert!(close, "{}", plan.name);
    }
    assert_eq!(file.tensor("a.weight").unwrap().1, values);
    assert_eq!(file.tensor("b.weight").unwrap().1, values, "halves have no trouble with these");
}

#[test]
fn an_export_copies_metadata_and_tensors_of_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let (base_path, path) = (folder.path().join("base.gguf"), folder.path().join("export.gguf"));
    let plans = [plan("a.weight", &[2, 32], TensorType::Q8_0), plan("b.weight", &[64], TensorType::F16)];
    write(&base_path, &plans, &[0.25; 64]).unwrap();

    let base = GgufFile::open(&base_path).unwrap();
    let mut metadata = base.metadata().clone();
    metadata.set("general.name", Value::String("trained".to_owned()));
    metadata.set("general.alignment", Value::U32(64));
    assert_eq!(metadata.remove("b.u8"), Some(Value::Array(Array::U8(vec![0, 255]))));
    let mut writer = GgufWriter::create(&path, &metadata, plans.to_vec()).unwrap();
    writer.write_raw("a.weight", &base.raw("a.weight").unwrap()).unwrap();
    writer.write("b.weight", &[0.5; 64]).unwrap();
    writer.commit().unwrap();

    let export = GgufFile::open(&path).unwrap();
    assert_eq!(export.header().name.as_deref(), Some("trained"));
    assert_eq!(export.metadata().number("general.alignment"), Some(32), "what the file really has");
    assert_eq!(export.metadata().get("b.u8"), None);
    assert_eq!(export.raw("a.weight").unwrap(), base.raw("a.weight").unwrap());
    assert_eq!(export.tensor("b.weight").unwrap().1, [0.5; 64]);
}

#[test]
fn what_cannot_be_written_is_named_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let check = |plans: &[TensorPlan], values: &[f32], words: &str| {
        let message = write(&path, plans, values).expect_err(words).to_string();
        assert!(message.contains(words), "{message}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{words}");
    };
    let one = |kind| [plan("w", &[32], kind)];
    check(&[plan("w", &[2, 16], TensorType::Q8_0)], &[0.0; 32], "whole blocks of 32");
    check(&[plan("w", &[2, 0], TensorType::F32)], &[], "tensor w of shape [2, 0]");
    check(&[plan("w", &[1, 1, 1, 1, 1], TensorType::F32)], &[0.0], "5 dimensions");
    check(&[plan(&"w".repeat(64), &[1], TensorType::F32)], &[0.0], "64 bytes");
    check(&[plan("w", &[1], TensorType::F32), plan("w", &[1], TensorType::F32)], &[0.0], "another tensor");
    check(&[plan("w", &[256], TensorType::Q4_K)], &[0.0; 256], "F32, F16 or Q8_0");
    check(&one(TensorType::F32), &[0.0; 31], "31 values where its shape asks for 32");
    for kind in [TensorType::F32, TensorType::F16, TensorType::Q8_0] {
        let mut values = [1.0; 32];
        values[5] = f32::NAN;
        check(&one(kind), &values, "value 5 of tensor w is NaN");
    }
    check(&one(TensorType::F16), &[7e4; 32], "value 0 of tensor w is 70000");
    check(&one(TensorType::Q8_0), &[1e9; 32], "Q8_0 cannot hold");

    let create = |metadata: &Metadata| GgufWriter::create(&path, metadata, one(TensorType::F32).to_vec());
    assert!(matches!(create(&Metadata::new()), Err(GgufWriteError::NoArchitecture)));
    let mut writer = create(&metadata()).unwrap();
    let message = writer.write("v", &[0.0; 32]).expect_err("not planned").to_string();
    assert!(message.contains("tensor v was written where the plan has tensor w"), "{message}");
    let message = writer.commit().expect_err("a tensor is missing").to_string();
    assert!(message.contains("the end was written where the plan has tensor w"), "{message}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_failed_write_leaves_the_file_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    write(&path, &[plan("w", &[1], TensorType::F32)], &[1.0]).unwrap();
    write(&path, &[plan("w", &[1], TensorType::F32)], &[f32::INFINITY]).unwrap_err();
    assert_eq!(GgufFile::open(&path).unwrap().tensor("w").unwrap().1, [1.0]);
}

#[test]
fn a_tensor_that_is_not_there_or_not_readable_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let q2_k = TensorType::from_id(10).unwrap();
    let mut writer = GgufWriter::create(&path, &metadata(), vec![plan("blk.0.attn_q.weight", &[256], q2_k)]).unwrap();
    writer.write_raw("blk.0.attn_q.weight", &[0; 84]).unwrap();
    writer.commit().unwrap();
    let file = GgufFile::open(&path).unwrap();
    let message = file.tensor("blk.7.attn_q.weight").unwrap_err().to_string();
    assert!(message.contains("no tensor blk.7.attn_q.weight (but blk.0.attn_q.weight)"), "{message}");
    let error = file.tensor("blk.0.attn_q.weight").unwrap_err();
    assert!(matches!(&error, GgufError::TensorType { kind, .. } if kind == "Q2_K"), "{error}");
    assert!(error.to_string().contains("llama-quantize"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn numbers_come_back_to_the_precision_of_their_type(
        values in proptest::collection::vec(prop_oneof![4 => -2.0_f32..2.0, 1 => -6e4_f32..6e4, 1 => Just(0.0)], 64),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let read = |kind| {
            let path = folder.path().join("w.gguf");
            write(&path, &[plan("w", &[2, 32], kind)], &values).unwrap();
            GgufFile::open(&path).unwrap().tensor("w").unwrap().1
        };
        prop_assert_eq!(&read(TensorType::F32), &values);
        for (read, value) in read(TensorType::F16).iter().zip(&values) {
            prop_assert!((read - value).abs() <= value.abs() / 2048.0 + 3e-8, "{} for {}", read, value);
        }
        for (read, values) in read(TensorType::Q8_0).chunks(32).zip(values.chunks(32)) {
            let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            // Half a step, as wide as the half that holds it may have been rounded.
            let limit = largest / 127.0 / 2.0 * 1.001 + 1e-6;
            for (read, value) in read.iter().zip(values) {
                prop_assert!((read - value).abs() <= limit, "{} for {}", read, value);
            }
        }
    }
}
