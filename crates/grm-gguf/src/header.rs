//! The few values of a header that a loader needs before it loads.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use crate::{
    error::GgufError,
    metadata::Value,
    parse::{Keep, parse},
};

/// What a loader needs to know of a model file before loading it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GgufHeader {
    /// `general.architecture`: `llama`, `qwen2`, …
    pub architecture: String,
    /// `general.name`, where the file has one.
    pub name: Option<String>,
    /// `general.type`: `model`, `adapter`, …
    pub kind: Option<String>,
    /// Positions the model was trained for.
    pub context_length: Option<u64>,
    /// Width of a hidden state.
    pub embedding_length: Option<u64>,
    /// Layers.
    pub block_count: Option<u64>,
    /// Query heads.
    pub head_count: Option<u64>,
    /// Key and value heads; fewer than the query heads in grouped-query models.
    pub head_count_kv: Option<u64>,
    /// Jinja text of the chat template.
    pub chat_template: Option<String>,
    /// `tokenizer.ggml.model`: `gpt2`, `llama`, …
    pub tokenizer_model: Option<String>,
    /// Tensors in the file.
    pub tensor_count: u64,
    /// Bytes of the header: magic, entries and tensor table.
    pub header_bytes: u64,
    /// Bytes the file must have for its tensors to be whole.
    pub expected_bytes: u64,
}

impl GgufHeader {
    /// Bytes one token takes in an f16 key-value cache; `None` where the header does not say enough.
    #[must_use]
    pub fn kv_bytes_per_token(&self) -> Option<u64> {
        let heads = self.head_count.filter(|&heads| heads > 0)?;
        let head_width = self.embedding_length? / heads;
        let kv_heads = self.head_count_kv.unwrap_or(heads);
        self.block_count?.checked_mul(kv_heads)?.checked_mul(head_width)?.checked_mul(4)
    }

    /// Whether [`GgufHeader::note`] looks at the value of `key`.
    pub(crate) fn knows(&self, key: &str) -> bool {
        matches!(
            key,
            "general.architecture"
                | "general.name"
                | "general.type"
                | "tokenizer.chat_template"
                | "tokenizer.ggml.model"
        ) || self.number(key).is_some()
    }

    /// Picks up a value; a known key with a value of another type, such as a number per layer, is passed over.
    pub(crate) fn note(&mut self, key: &str, value: &Value) {
        let text = || value.as_str().map(str::to_owned);
        match key {
            "general.architecture" => self.architecture = text().unwrap_or_else(|| self.architecture.clone()),
            "general.name" => self.name = text().or_else(|| self.name.clone()),
            "general.type" => self.kind = text().or_else(|| self.kind.clone()),
            "tokenizer.chat_template" => self.chat_template = text().or_else(|| self.chat_template.clone()),
            "tokenizer.ggml.model" => self.tokenizer_model = text().or_else(|| self.tokenizer_model.clone()),
            _ => {}
        }
        if let Some(number) = self.number(key) {
            let found = if let Value::U32(_) | Value::U64(_) = value { value.as_u64() } else { None };
            match number {
                Number::ContextLength => self.context_length = found,
                Number::EmbeddingLength => self.embedding_length = found,
                Number::BlockCount => self.block_count = found,
                Number::HeadCount => self.head_count = found,
                Number::HeadCountKv => self.head_count_kv = found,
            }
        }
    }

    fn number(&self, key: &str) -> Option<Number> {
        Some(match key.strip_prefix(self.architecture.as_str())? {
            ".context_length" => Number::ContextLength,
            ".embedding_length" => Number::EmbeddingLength,
            ".block_count" => Number::BlockCount,
            ".attention.head_count" => Number::HeadCount,
            ".attention.head_count_kv" => Number::HeadCountKv,
            _ => return None,
        })
    }
}

/// The numbers of a header whose keys begin with the architecture.
enum Number {
    ContextLength,
    EmbeddingLength,
    BlockCount,
    HeadCount,
    HeadCountKv,
}

/// Checks the header of the file at `path` and returns what a loader needs of it.
pub fn read_header(path: &Path) -> Result<GgufHeader, GgufError> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    check(BufReader::with_capacity(1 << 16, file), size)
}

/// Checks a header read from `reader`, for a file of `size` bytes.
pub fn check(reader: impl Read, size: u64) -> Result<GgufHeader, GgufError> {
    parse(reader, size, Keep::Header).map(|parsed| parsed.header)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::input::{ARRAY, STRING, UINT32};

    /// A small, valid file: two entries of interest, an array, one tensor of 64 `Q4_0` values.
    fn tiny() -> Vec<u8> {
        let mut file = Vec::new();
        file.extend(b"GGUF");
        file.extend(3_u32.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(5_u64.to_le_bytes());
        entry_string(&mut file, "general.architecture", "llama");
        entry_string(&mut file, "tokenizer.chat_template", "{{ messages }}");
        entry_u32(&mut file, "llama.context_length", 2048);
        entry_u32(&mut file, "general.alignment", 32);
        string(&mut file, "tokenizer.ggml.tokens");
        file.extend(ARRAY.to_le_bytes());
        file.extend(STRING.to_le_bytes());
        file.extend(2_u64.to_le_bytes());
        string(&mut file, "a");
        string(&mut file, "b");
        string(&mut file, "token_embd.weight");
        file.extend(2_u32.to_le_bytes());
        file.extend(32_u64.to_le_bytes());
        file.extend(2_u64.to_le_bytes());
        file.extend(2_u32.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.resize(file.len().next_multiple_of(32) + 36, 0);
        file
    }

    fn string(file: &mut Vec<u8>, text: &str) {
        file.extend((text.len() as u64).to_le_bytes());
        file.extend(text.as_bytes());
    }

    fn entry_string(file: &mut Vec<u8>, key: &str, value: &str) {
        string(file, key);
        file.extend(STRING.to_le_bytes());
        string(file, value);
    }

    fn entry_u32(file: &mut Vec<u8>, key: &str, value: u32) {
        string(file, key);
        file.extend(UINT32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }

    fn checked(file: &[u8]) -> Result<GgufHeader, GgufError> {
        check(file, file.len() as u64)
    }

    fn replaced(from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut file = tiny();
        let at = file.windows(from.len()).position(|window| window == from).expect("the bytes are in the file");
        file.splice(at..at + from.len(), to.iter().copied());
        file
    }

    #[test]
    fn a_valid_file_is_read() {
        let header = checked(&tiny()).expect("valid");
        assert_eq!(header.architecture, "llama");
        assert_eq!(header.context_length, Some(2048));
        assert_eq!(header.chat_template.as_deref(), Some("{{ messages }}"));
        assert_eq!(header.expected_bytes, tiny().len() as u64);
    }

    #[test]
    fn keeping_everything_finds_the_same_header_and_the_table() {
        let file = tiny();
        let parsed = parse(file.as_slice(), file.len() as u64, Keep::All).expect("valid");
        assert_eq!(parsed.header, checked(&file).expect("valid"));
        assert_eq!(
            parsed.metadata.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            [
                "general.architecture",
                "tokenizer.chat_template",
                "llama.context_length",
                "general.alignment",
                "tokenizer.ggml.tokens"
            ]
        );
        assert_eq!(parsed.tensors[0].shape, [2, 32], "rows first");
        assert_eq!(parsed.data_start + parsed.tensors[0].bytes, file.len() as u64);
    }

    #[test]
    fn a_key_that_stands_there_twice_is_refused_when_it_is_kept() {
        let file = replaced(b"llama.context_length", b"tokenizer.ggml.tokenX");
        assert!(checked(&file).is_err(), "the length before it no longer fits");
        let file = replaced(b"llama.context_length", b"general.architecture");
        checked(&file).expect("of no matter to the header alone");
        let message = parse(file.as_slice(), file.len() as u64, Keep::All).expect_err("refused").to_string();
        assert!(message.contains("general.architecture stands in the file twice"), "{message}");
    }

    #[test]
    fn every_truncation_is_refused_with_sizes() {
        let file = tiny();
        for length in 0..file.len() {
            let error = checked(&file[..length]).expect_err("cut short");
            match error {
                GgufError::Truncated { actual, expected, .. } => {
                    assert_eq!(actual, length as u64);
                    assert!(expected > actual);
                }
                GgufError::Value { ref limit, .. } => assert!(limit.contains("possible here"), "{error}"),
                other => panic!("at {length}: {other}"),
            }
        }
        let message = checked(&file[..file.len() - 1]).expect_err("cut short").to_string();
        assert!(message.contains("1 missing") && message.contains("download it again"), "{message}");
    }

    #[test]
    fn hostile_values_are_named() {
        let alignment = |value: u32| {
            let mut from = b"general.alignment".to_vec();
            from.extend(UINT32.to_le_bytes());
            let mut to = from.clone();
            from.extend(32_u32.to_le_bytes());
            to.extend(value.to_le_bytes());
            checked(&replaced(&from, &to)).expect_err("refused").to_string()
        };
        for value in [0, 3, 2 << 20] {
            assert!(alignment(value).contains("general.alignment"), "{}", alignment(value));
        }
        let mut shape = 2_u32.to_le_bytes().to_vec();
        shape.extend(32_u64.to_le_bytes());
        shape.extend(2_u64.to_le_bytes());
        let mut huge = 2_u32.to_le_bytes().to_vec();
        huge.extend((1_u64 << 62).to_le_bytes());
        huge.extend(8_u64.to_le_bytes());
        assert!(checked(&replaced(&shape, &huge)).expect_err("refused").to_string().contains("overflows"));
        let mut many = b"GGUF".to_vec();
        many.extend(3_u32.to_le_bytes());
        many.extend(u64::MAX.to_le_bytes());
        many.extend(1_u64.to_le_bytes());
        assert!(checked(&many).expect_err("refused").to_string().contains("tensor count"));
    }

    #[test]
    fn an_unknown_tensor_type_is_refused() {
        let mut table = 2_u64.to_le_bytes().to_vec();
        table.extend(2_u32.to_le_bytes());
        table.extend(0_u64.to_le_bytes());
        for type_id in [4_u32, 5, 31, 36, 43, u32::MAX] {
            let mut changed = 2_u64.to_le_bytes().to_vec();
            changed.extend(type_id.to_le_bytes());
            changed.extend(0_u64.to_le_bytes());
            let message = checked(&replaced(&table, &changed)).expect_err("refused").to_string();
            assert!(message.contains("the type of tensor token_embd.weight"), "{message}");
        }
    }

    #[test]
    fn other_formats_get_a_hint() {
        for (start, hint) in [(&b"PK\x03\x04...."[..], "pickled"), (b"version https://git-lfs", "git lfs pull")] {
            let message = checked(start).expect_err("refused").to_string();
            assert!(message.contains(hint), "{message}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn mutations_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            let mut file = tiny();
            for (index, byte) in changes {
                let at = index.index(file.len());
                file[at] = byte;
            }
            let header = checked(&file);
            let kept = parse(file.as_slice(), file.len() as u64, Keep::All);
            prop_assert!(header.is_ok() || kept.is_err(), "keeping more never accepts more");
        }

        #[test]
        fn noise_after_the_magic_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..512)) {
            let mut file = b"GGUF\x03\x00\x00\x00".to_vec();
            file.extend(noise);
            prop_assert!(checked(&file).is_err());
            prop_assert!(parse(file.as_slice(), file.len() as u64, Keep::All).is_err());
        }
    }
}
