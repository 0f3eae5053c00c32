//! `TensorBoard`'s event files, written by hand: `TFRecord` framing around four fields of a protocol buffer.
//!
//! ```text
//! record   length u64 LE · masked crc32c of it · data · masked crc32c of it          mask(c) = rotr(c, 15) + 0xa282ead8
//! Event    1 wall_time double · 2 step int64 · 3 file_version string · 5 summary
//! Summary  1 repeated value { 1 tag string · 2 simple_value float }
//! ```
//!
//! Steps stand one second apart: the clock would make two equal runs differ.

use super::metrics::Record;

/// The file's name; `TensorBoard` looks for `tfevents` in it.
pub const FILE: &str = "events.out.tfevents.0.grm";

/// A whole file.
#[must_use]
pub fn file(records: &[Record]) -> Vec<u8> {
    let mut version = Vec::new();
    double(&mut version, 1, 0.0);
    bytes(&mut version, 3, b"brain.Event:2");
    let mut file = framed(&version);
    file.extend(records.iter().flat_map(event));
    file
}

/// One record of the file: the values of a step, as `train/loss`, `eval/loss` and so on.
#[must_use]
pub fn event(record: &Record) -> Vec<u8> {
    let mut summary = Vec::new();
    for (name, value) in &record.values {
        let tag = name.strip_prefix("eval_").map_or_else(|| format!("train/{name}"), |name| format!("eval/{name}"));
        let mut entry = Vec::new();
        bytes(&mut entry, 1, tag.as_bytes());
        float(&mut entry, 2, *value);
        bytes(&mut summary, 1, &entry);
    }
    let mut event = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
    double(&mut event, 1, record.step as f64);
    key(&mut event, 2, 0);
    varint(&mut event, record.step as u64);
    bytes(&mut event, 5, &summary);
    framed(&event)
}

fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), data, &masked(data).to_le_bytes()].concat()
}

fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn key(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    key(out, field, 1);
    out.extend(value.to_le_bytes());
}

fn float(out: &mut Vec<u8>, field: u64, value: f64) {
    key(out, field, 5);
    #[expect(clippy::cast_possible_truncation, reason = "the format has f32")]
    out.extend((value as f32).to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A field of a message: its number, and its value as bytes; a varint's as eight little-endian ones.
    fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
        fn number(data: &mut &[u8]) -> u64 {
            let mut number = 0;
            for shift in (0..).step_by(7) {
                let byte = data[0];
                *data = &data[1..];
                number |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            number
        }
        let mut fields = Vec::new();
        while !data.is_empty() {
            let key = number(&mut data);
            let length = match key & 7 {
                0 => {
                    fields.push((key >> 3, number(&mut data).to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                2 => usize::try_from(number(&mut data)).unwrap(),
                5 => 4,
                wire => panic!("wire type {wire}"),
            };
            fields.push((key >> 3, data[..length].to_vec()));
            data = &data[length..];
        }
        fields
    }

    fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while !file.is_empty() {
            let length = usize::try_from(u64::from_le_bytes(file[..8].try_into().unwrap())).unwrap();
            let data = &file[12..12 + length];
            for (crc, of) in [(&file[8..12], &file[..8]), (&file[12 + length..16 + length], data)] {
                let unmasked = u32::from_le_bytes(crc.try_into().unwrap()).wrapping_sub(0xa282_ead8).rotate_left(15);
                assert_eq!(unmasked, crc32c::crc32c(of));
            }
            records.push(data.to_vec());
            file = &file[16 + length..];
        }
        records
    }

    #[test]
    fn events_are_decoded_again() {
        let values = |loss| BTreeMap::from([("grad_norm".to_owned(), 2.0), ("loss".to_owned(), loss)]);
        let train = Record { step: 300, epoch: 0.5, values: values(0.25) };
        let eval = Record { step: 300, epoch: 0.5, values: BTreeMap::from([("eval_loss".to_owned(), 0.75)]) };
        let decoded: Vec<_> = records(&file(&[train, eval])).iter().map(|data| fields(data)).collect();
        assert_eq!(decoded[0], [(1, 0f64.to_le_bytes().to_vec()), (3, b"brain.Event:2".to_vec())]);
        assert_eq!(decoded[1][0], (1, 300f64.to_le_bytes().to_vec()));
        assert_eq!(decoded[1][1], (2, 300u64.to_le_bytes().to_vec()));
        let values = |event: &[(u64, Vec<u8>)]| -> Vec<(String, f32)> {
            let value = |(_, value): (u64, Vec<u8>)| {
                let value = fields(&value);
                let number = f32::from_le_bytes(value[1].1.clone().try_into().unwrap());
                (String::from_utf8(value[0].1.clone()).unwrap(), number)
            };
            fields(&event[2].1).into_iter().map(value).collect()
        };
        assert_eq!(values(&decoded[1]), [("train/grad_norm".to_owned(), 2.0), ("train/loss".to_owned(), 0.25)]);
        assert_eq!(values(&decoded[2]), [("eval/loss".to_owned(), 0.75)]);
    }

    /// The checksum of the nine digits, from RFC 3720's polynomial; the mask worked out by hand.
    #[test]
    fn the_mask_rotates_and_adds() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), 0x2507_c60du32.wrapping_add(0xa282_ead8));
    }
}
