//! One line of a segment.
//!
//! ```text
//! {"crc":"9c3f01aa","v":1,"key":"…32 hex…","kind":"chat","pair":"…","step":"judgment","sample":0,"reply":{…}}
//! ```
//!
//! The checksum (CRC-32C) comes first and covers every byte after its own closing `",`, the version included, up to but
//! not including the line feed. Places up to the key are fixed, so opening a journal parses no JSON.

use grm_core::CallOrigin;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{CallKey, JournalError};

/// The format this program writes.
pub(crate) const VERSION: u64 = 1;
/// The longest line written, and the longest read into memory.
pub(crate) const LINE_MAX: usize = 64 << 20;
/// How every line begins. It cannot occur inside a line: a quote within a JSON string is escaped.
pub(crate) const START: &[u8] = b"{\"crc\":\"";

const CRC_END: usize = START.len() + 8;
const BODY: usize = CRC_END + 2;
const VERSION_FIELD: &[u8] = b"\"v\":";
const KEY_FIELD: &[u8] = b"\"key\":\"";

/// Which model answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Chat,
    Reward,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Reward => "reward",
        }
    }
}

/// What a line turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Intact, and of the version this program knows.
    Record(CallKey),
    /// Intact, but of another version.
    OtherVersion(u64),
    /// Not what was written.
    Damaged(&'static str),
}

#[derive(Serialize)]
struct Body<'a, T> {
    v: u64,
    key: String,
    kind: &'static str,
    pair: &'a str,
    step: &'static str,
    sample: u32,
    reply: &'a T,
}

/// The line of one finished call, line feed included.
pub(crate) fn encode<T: Serialize>(
    key: CallKey,
    kind: Kind,
    origin: &CallOrigin,
    reply: &T,
) -> Result<Vec<u8>, JournalError> {
    let mut line = Vec::with_capacity(1024);
    line.extend_from_slice(START);
    line.extend_from_slice(b"00000000\",");
    let body = Body {
        v: VERSION,
        key: key.to_string(),
        kind: kind.as_str(),
        pair: &origin.pair,
        step: origin.step.as_str(),
        sample: origin.sample,
        reply,
    };
    // The body's own opening brace gives way to the comma after the checksum.
    line.pop();
    serde_json::to_writer(&mut line, &body).map_err(JournalError::Encode)?;
    line[BODY - 1] = b',';
    let crc = format!("{:08x}", crc32c::crc32c(&line[BODY..]));
    line[START.len()..CRC_END].copy_from_slice(crc.as_bytes());
    line.push(b'\n');
    if line.len() > LINE_MAX {
        let (step, pair, bytes) = (origin.step.as_str(), origin.pair.to_string(), line.len());
        return Err(JournalError::TooLong { step, pair, bytes, limit: LINE_MAX });
    }
    Ok(line)
}

/// Checks a line, given without its line feed.
pub(crate) fn inspect(line: &[u8]) -> Line {
    if line.len() < BODY || !line.starts_with(START) || &line[CRC_END..BODY] != b"\"," {
        return Line::Damaged("not a journal record");
    }
    let (written, body) = (&line[START.len()..CRC_END], &line[BODY..]);
    if written != format!("{:08x}", crc32c::crc32c(body)).as_bytes() {
        return Line::Damaged("the checksum does not match");
    }
    let Some((version, rest)) = version(body) else { return Line::Damaged("no format version") };
    if version != VERSION {
        return Line::OtherVersion(version);
    }
    let key = rest.strip_prefix(KEY_FIELD).and_then(|rest| rest.get(..CallKey::HEX)).and_then(CallKey::from_hex);
    key.map_or(Line::Damaged("no key"), Line::Record)
}

fn version(body: &[u8]) -> Option<(u64, &[u8])> {
    let rest = body.strip_prefix(VERSION_FIELD)?;
    let digits = rest.iter().position(|byte| *byte == b',')?;
    let version = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    Some((version, &rest[digits + 1..]))
}

/// The reply of a line that [`inspect`] found intact.
pub(crate) fn reply<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    #[derive(Deserialize)]
    struct Only<T> {
        reply: T,
    }
    serde_json::from_slice(line).map(|Only { reply }| reply)
}

#[cfg(test)]
mod tests {
    use grm_core::{ModelIdentity, Prompt, Response, RewardRequest, Step};

    use super::*;
    use crate::reward_key;

    fn sample() -> (CallKey, Vec<u8>) {
        let origin = CallOrigin { pair: "a \"pair\"\n".into(), step: Step::Scoring, sample: 3, template: "".into() };
        let request = RewardRequest {
            prompt: Prompt::from_text("q"),
            response: Response::from_text("r"),
            origin: origin.clone(),
        };
        let model = ModelIdentity { name: "m".into(), revision: String::new(), adapter: String::new() };
        let key = reward_key(&model, &request);
        (key, encode(key, Kind::Reward, &origin, &"said").unwrap())
    }

    #[test]
    fn a_line_is_one_json_object_with_the_promised_fields() {
        let (key, line) = sample();
        let (end, json) = line.split_last().unwrap();
        assert_eq!(*end, b'\n');
        assert!(!json.contains(&b'\n'));
        let value: serde_json::Value = serde_json::from_slice(json).unwrap();
        assert_eq!(value["v"], 1);
        assert_eq!(value["key"], key.to_string());
        assert_eq!(value["kind"], "reward");
        assert_eq!(value["pair"], "a \"pair\"\n");
        assert_eq!(value["step"], "scoring");
        assert_eq!(value["sample"], 3);
        assert_eq!(inspect(json), Line::Record(key));
        assert_eq!(reply::<String>(json).unwrap(), "said");
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let (_, line) = sample();
        let json = &line[..line.len() - 1];
        for bit in 0..json.len() * 8 {
            let mut flipped = json.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(inspect(&flipped), Line::Damaged(_)), "bit {bit}");
        }
    }

    #[test]
    fn another_version_is_told_apart_from_damage() {
        let body = b"\"v\":2,\"other\":true}";
        let mut line = START.to_vec();
        line.extend_from_slice(format!("{:08x}\",", crc32c::crc32c(body)).as_bytes());
        line.extend_from_slice(body);
        assert_eq!(inspect(&line), Line::OtherVersion(2));
    }
}
