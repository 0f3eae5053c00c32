//! A hash of what a JSON body says, whatever its white space and the order of its keys.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};

/// Names a request.
pub(crate) type Key = [u8; 32];

/// Hashes path and body; `None` when the body is not JSON.
pub(crate) fn key(seed: u64, path: &str, body: &[u8]) -> Option<Key> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = HashValue.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(path.as_bytes()).update(&value);
    Some(*hasher.finalize().as_bytes())
}

/// A number in [0, 1) that depends on the key and on what it is for.
pub(crate) fn share_of(key: &Key, purpose: &str) -> f64 {
    (number_of(key, purpose) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number that depends on the key and on what it is for.
pub(crate) fn number_of(key: &Key, purpose: &str) -> u64 {
    let hash = blake3::keyed_hash(key, purpose.as_bytes());
    u64::from_le_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

struct HashValue;

impl<'de> DeserializeSeed<'de> for HashValue {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn tagged(tag: u8, bytes: &[u8]) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[tag]).update(bytes);
    *hasher.finalize().as_bytes()
}

impl<'de> Visitor<'de> for HashValue {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Key, E> {
        Ok(tagged(b'n', &[]))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Key, E> {
        Ok(tagged(b'b', &[u8::from(value)]))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Key, E> {
        Ok(tagged(b'i', &value.to_le_bytes()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Key, E> {
        Ok(tagged(b'i', &value.to_le_bytes()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Key, E> {
        Ok(tagged(b'f', &value.to_bits().to_le_bytes()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Key, E> {
        Ok(tagged(b's', value.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Key, A::Error> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"a");
        while let Some(item) = items.next_element_seed(HashValue)? {
            hasher.update(&item);
        }
        Ok(*hasher.finalize().as_bytes())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Key, A::Error> {
        let mut pairs: Vec<(CowKey<'de>, Key)> = Vec::new();
        while let Some(name) = entries.next_key::<CowKey<'de>>()? {
            pairs.push((name, entries.next_value_seed(HashValue)?));
        }
        pairs.sort_by(|a, b| a.0.0.cmp(&b.0.0));
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"o");
        for (name, value) in &pairs {
            hasher.update(&(name.0.len() as u64).to_le_bytes()).update(name.0.as_bytes()).update(value);
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

/// A key that borrows from the body where it can.
#[derive(Deserialize)]
struct CowKey<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Option<Key> {
        key(0, "/p", body.as_bytes())
    }

    #[test]
    fn order_of_keys_and_white_space_do_not_matter_and_all_else_does() {
        assert_eq!(of(r#"{"a":1,"b":[1,"x"]}"#), of(" { \"b\" : [ 1, \"\\u0078\" ] , \"a\":1 } "));
        let different = [
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"a":true}"#,
            r#"{"a":null}"#,
            r#"{"a":1.5}"#,
            r#"{"a":-1}"#,
            "[1,2]",
            "[2,1]",
            "[[1],2]",
            "[[1,2]]",
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
        ];
        let keys: std::collections::BTreeSet<_> = different.iter().map(|body| of(body).unwrap()).collect();
        assert_eq!(keys.len(), different.len());
        assert_ne!(key(0, "/p", b"1"), key(0, "/q", b"1"));
        assert_ne!(key(0, "/p", b"1"), key(1, "/p", b"1"));
    }

    #[test]
    fn what_is_not_json_has_no_key() {
        for body in ["", "{", "nonsense", "{} x"] {
            assert_eq!(of(body), None, "{body}");
        }
    }
}
