//! Parquet: the same columns, and headers that are believed only so far.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, BinaryArray, Int64Array, LargeStringArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Fields};
use grm_core::Role;
use grm_data::ReadError;
use grm_data::records::ReadOptions;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use crate::{Sample, plain, read_with, sample};

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, compression: Compression) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(700));
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn texts(prefix: &str, count: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..count).map(|number| format!("{prefix}{number}"))))
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Sample {
    let sample = sample("t.parquet", "");
    write(&sample.path, columns, Compression::SNAPPY);
    sample
}

#[test]
fn text_columns_of_every_kind_and_compression() {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default()), zstd] {
        let sample = sample("t.parquet", "");
        let rejected = (0..2000).map(|number| format!("R{number}"));
        let chosen: Vec<String> = (0..2000).map(|number| format!("C{number}")).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from_iter_values(0..2000))),
            ("prompt", texts("Q", 2000)),
            ("chosen", Arc::new(BinaryArray::from_iter_values(&chosen))),
            ("rejected", Arc::new(LargeStringArray::from_iter_values(rejected))),
            ("embedding", texts("ignored", 2000)),
        ];
        write(&sample.path, columns, compression);
        let records = read_with(&sample.path, &ReadOptions::default());
        assert_eq!(records.len(), 2000);
        for (number, record) in records.into_iter().enumerate() {
            let (id, turns, responses) = plain(&record.unwrap());
            assert_eq!(id, number.to_string());
            assert_eq!(turns, [(Role::User, format!("Q{number}"))]);
            assert_eq!(responses, [format!("C{number}"), format!("R{number}")]);
        }
    }
}

fn conversations(reply: &str) -> ArrayRef {
    let fields = Fields::from(["content", "role"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec());
    let mut lists = ListBuilder::new(StructBuilder::from_fields(fields, 0));
    for (role, content) in [("user", "Which?"), ("assistant", reply)] {
        let message = lists.values();
        message.field_builder::<StringBuilder>(0).unwrap().append_value(content);
        message.field_builder::<StringBuilder>(1).unwrap().append_value(role);
        message.append(true);
    }
    lists.append(true);
    Arc::new(lists.finish())
}

#[test]
fn lists_of_messages() {
    let sample = table(vec![("chosen", conversations("This")), ("rejected", conversations("That"))]);
    let [record] = read_with(&sample.path, &ReadOptions::default()).try_into().unwrap();
    let (id, turns, responses) = plain(&record.unwrap());
    assert_eq!((id.as_str(), turns), ("t:0", vec![(Role::User, "Which?".to_owned())]));
    assert_eq!(responses, ["This", "That"]);
}

fn message(sample: &Sample) -> String {
    read_with(&sample.path, &ReadOptions::default()).into_iter().find_map(Result::err).unwrap().to_string()
}

#[test]
fn columns_of_no_accepted_shape_are_all_named() {
    let sample = table(vec![("text", texts("x", 1)), ("choosen", texts("x", 1))]);
    let message = message(&sample);
    assert!(message.contains("found `text`, `choosen`; rename `choosen` to `chosen`"), "{message}");
}

#[test]
fn a_column_of_pictures_is_refused_only_where_it_holds_some() {
    let picture = |bytes: Option<&[u8]>| -> Vec<(&str, ArrayRef)> {
        let image = Arc::new(BinaryArray::from_opt_vec(vec![bytes]));
        vec![("prompt", texts("Q", 1)), ("chosen", texts("C", 1)), ("rejected", texts("R", 1)), ("image", image)]
    };
    assert!(read_with(&table(picture(None)).path, &ReadOptions::default())[0].is_ok());
    let message = message(&table(picture(Some(b"\x89PNG\xff"))));
    assert!(message.contains("row 0: `image` holds media"), "{message}");
}

fn small() -> Vec<u8> {
    let sample = table(vec![("prompt", texts("Q", 40)), ("chosen", texts("C", 40)), ("rejected", texts("R", 40))]);
    std::fs::read(&sample.path).unwrap()
}

#[test]
fn a_footer_that_asks_for_too_much_is_refused_unread() {
    let mut bytes = small();
    let length = bytes.len();
    bytes[length - 8..length - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let sample = sample("t.parquet", bytes);
    let error = read_with(&sample.path, &ReadOptions::default()).remove(0).unwrap_err();
    assert!(matches!(error, ReadError::ParquetLimit { .. }), "{error}");
    assert!(error.to_string().contains("its footer takes 4294967295 bytes"), "{error}");
}

#[test]
fn a_page_that_asks_for_too_much_is_refused_unread() {
    let bytes = small();
    // The first page follows the magic word: field 1 (kind), then field 2 (size after decompression) as 0x15 and a
    // varint. A longer varint moves what follows, so the rest of the file no longer matters: the walk comes first.
    assert_eq!((bytes[4], bytes[6]), (0x15, 0x15));
    let size_end = 7 + bytes[7..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let mut huge = bytes[..7].to_vec();
    // 1 GiB, zig-zag.
    huge.extend_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x08]);
    huge.extend_from_slice(&bytes[size_end..]);
    let sample = sample("t.parquet", huge);
    let error = read_with(&sample.path, &ReadOptions::default()).remove(0).unwrap_err();
    assert!(error.to_string().contains("row group 0 takes 1073741824 bytes"), "{error}");
}

#[test]
fn cut_files_are_refused() {
    let bytes = small();
    for length in (4..bytes.len()).step_by(7) {
        let sample = sample("t.parquet", &bytes[..length]);
        let results = read_with(&sample.path, &ReadOptions::default());
        assert!(matches!(results.as_slice(), [Err(_)]), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A changed byte gives records or an error, and the stream always ends.
    #[test]
    fn changed_files_never_panic(place in 4..1500_usize, byte: u8) {
        let mut bytes = small();
        let place = place % bytes.len();
        bytes[place.max(4)] = byte;
        let sample = sample("t.parquet", bytes);
        prop_assert!(read_with(&sample.path, &ReadOptions::default()).len() <= 41);
    }
}
