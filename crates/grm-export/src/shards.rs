//! Parquet tables of the records, as `datasets.load_dataset` takes them.

use std::{fs::File, path::Path, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{ListBuilder, StringBuilder, StructBuilder, UInt32Builder},
};
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::{
    Set,
    engines::assistant,
    error::ExportError,
    media::MediaKind,
    row::{Row, RowAnswer, RowMessage},
};

const SHARD_ROWS: usize = 20_000;
const GROUP_ROWS: usize = 1000;

/// Writes `parquet/SET/train-00000-of-0000N.parquet` under `folder`.
pub(crate) fn write(folder: &Path, set: Set, rows: &[Row]) -> Result<(), ExportError> {
    let place = folder.join("parquet").join(set.as_str());
    std::fs::create_dir_all(&place).map_err(|source| ExportError::io(&place, source))?;
    let count = rows.len().div_ceil(SHARD_ROWS).max(1);
    for (index, rows) in rows.chunks(SHARD_ROWS).enumerate() {
        let path = place.join(format!("train-{index:05}-of-{count:05}.parquet"));
        let file = File::create(&path).map_err(|source| ExportError::io(&path, source))?;
        shard(file, set, rows).map_err(|source| ExportError::Parquet { path, source })?;
    }
    Ok(())
}

fn shard(file: File, set: Set, rows: &[Row]) -> Result<(), ParquetError> {
    let schema = schema(set);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("grm".to_owned())
        .build();
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
    for rows in rows.chunks(GROUP_ROWS) {
        writer.write(&RecordBatch::try_new(schema.clone(), columns(set, rows))?)?;
        writer.flush()?;
    }
    writer.close().map(drop)
}

fn conversations(set: Set) -> &'static [&'static str] {
    match set {
        Set::Sft => &["messages"],
        Set::Dpo => &["prompt", "chosen", "rejected"],
    }
}

fn message_fields() -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Fields::from(vec![text("role"), text("content")])
}

fn item(of: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", of, false))
}

fn schema(set: Set) -> Arc<Schema> {
    let mut fields = vec![Field::new("id", DataType::Utf8, false), Field::new("form", DataType::Utf8, false)];
    let messages = DataType::List(item(DataType::Struct(message_fields())));
    fields.extend(conversations(set).iter().map(|name| Field::new(*name, messages.clone(), false)));
    let paths = DataType::List(item(DataType::Utf8));
    fields.extend(MediaKind::ALL.iter().map(|kind| Field::new(kind.column(), paths.clone(), false)));
    fields.push(Field::new("tokens", DataType::UInt32, false));
    Arc::new(Schema::new(fields))
}

fn columns(set: Set, rows: &[Row]) -> Vec<ArrayRef> {
    let mut columns: Vec<ArrayRef> =
        vec![texts(rows.iter().map(|row| row.id.as_str())), texts(rows.iter().map(|row| row.form))];
    match set {
        Set::Sft => columns.push(messages(rows.iter().map(|row| [row.prompt.clone(), answers(row)].concat()))),
        Set::Dpo => {
            columns.push(messages(rows.iter().map(|row| row.prompt.clone())));
            let side =
                |index: usize| messages(rows.iter().map(|row| answers(row).into_iter().skip(index).take(1).collect()));
            columns.extend([side(0), side(1)]);
        }
    }
    columns.extend(MediaKind::ALL.iter().map(|&kind| paths(rows, kind)));
    let mut tokens = UInt32Builder::new();
    rows.iter().for_each(|row| tokens.append_value(u32::try_from(row.tokens).unwrap_or(u32::MAX)));
    columns.push(Arc::new(tokens.finish()));
    columns
}

fn answers(row: &Row) -> Vec<RowMessage> {
    match &row.answer {
        RowAnswer::Target(text) => vec![assistant(text)],
        RowAnswer::Preference([chosen, rejected]) => vec![assistant(chosen), assistant(rejected)],
    }
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    texts.for_each(|text| builder.append_value(text));
    Arc::new(builder.finish())
}

fn paths(rows: &[Row], kind: MediaKind) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item(DataType::Utf8));
    for row in rows {
        for file in row.files(kind) {
            builder.values().append_value(format!("data/{file}"));
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

fn messages(conversations: impl Iterator<Item = Vec<RowMessage>>) -> ArrayRef {
    let message =
        StructBuilder::new(message_fields(), vec![Box::new(StringBuilder::new()), Box::new(StringBuilder::new())]);
    let mut builder = ListBuilder::new(message).with_field(item(DataType::Struct(message_fields())));
    for conversation in conversations {
        for RowMessage { role, content } in conversation {
            let message = builder.values();
            for (index, text) in [role.as_str(), &content].into_iter().enumerate() {
                let field: &mut StringBuilder =
                    message.field_builder(index).expect("both fields were given as strings");
                field.append_value(text);
            }
            message.append(true);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}
