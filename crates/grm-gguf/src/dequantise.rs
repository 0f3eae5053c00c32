//! From the blocks ggml stores to numbers, one function a type.
//!
//! A block holds a fixed count of neighbouring values of a row: small whole numbers `q`, and what turns them back into
//! floating point. The simple types have 32 values and one scale `d`, with a middle at zero or a minimum `m` beside it.
//! The `K` types have 256 values in parts, and each part's scale is itself a small whole number times the block's.
//! All numbers are little-endian, `d` and `m` half precision.

use half::{bf16, f16};

use crate::tensor_type::TensorType;

/// How one type is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dequantise {
    pub(crate) values: usize,
    pub(crate) bytes: usize,
    /// Takes whole blocks and as many values as they hold.
    blocks: fn(&[u8], &mut [f32]),
}

impl Dequantise {
    /// `None` for types not read here.
    pub(crate) fn of(kind: TensorType) -> Option<Self> {
        let blocks: fn(&[u8], &mut [f32]) = match kind {
            TensorType::F32 => f32s,
            TensorType::F16 => f16s,
            TensorType::BF16 => bf16s,
            TensorType::Q4_0 => |bytes, values| each(bytes, values, q4_0),
            TensorType::Q4_1 => |bytes, values| each(bytes, values, q4_1),
            TensorType::Q5_0 => |bytes, values| each(bytes, values, q5_0),
            TensorType::Q5_1 => |bytes, values| each(bytes, values, q5_1),
            TensorType::Q8_0 => |bytes, values| each(bytes, values, q8_0),
            TensorType::Q4_K => |bytes, values| each(bytes, values, q4_k),
            TensorType::Q5_K => |bytes, values| each(bytes, values, q5_k),
            TensorType::Q6_K => |bytes, values| each(bytes, values, q6_k),
            _ => return None,
        };
        let whole = |number: u64| usize::try_from(number).expect("blocks are small");
        Some(Self { values: whole(kind.block_values()), bytes: whole(kind.block_bytes()), blocks })
    }

    pub(crate) fn run(self, bytes: &[u8], values: &mut [f32]) {
        debug_assert_eq!(bytes.len() / self.bytes, values.len() / self.values);
        (self.blocks)(bytes, values);
    }
}

/// Runs a function that reads one block over all of them.
fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    values: &mut [f32],
    block: impl Fn(&[u8; BYTES], &mut [f32; VALUES]),
) {
    for (bytes, values) in bytes.as_chunks().0.iter().zip(values.as_chunks_mut().0) {
        block(bytes, values);
    }
}

/// Singles as they stand.
fn f32s(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *value = f32::from_le_bytes(*bytes);
    }
}

/// Halves: 5 bits of exponent, 10 of fraction.
fn f16s(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *value = f16::from_le_bytes(*bytes).to_f32();
    }
}

/// The upper halves of singles: all 8 bits of exponent, 7 of fraction.
fn bf16s(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *value = bf16::from_le_bytes(*bytes).to_f32();
    }
}

/// `d`, then 16 bytes: byte i has value i in its low and value i + 16 in its high four bits. x = d (q - 8).
fn q4_0(block: &[u8; 18], values: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for i in 0..16 {
        let pair = block[2 + i];
        values[i] = d * centred(pair & 15, 8);
        values[i + 16] = d * centred(pair >> 4, 8);
    }
}

/// `d` and `m`, then the nibbles as in `Q4_0`. x = d q + m.
fn q4_1(block: &[u8; 20], values: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    for i in 0..16 {
        let pair = block[4 + i];
        values[i] = d * f32::from(pair & 15) + m;
        values[i + 16] = d * f32::from(pair >> 4) + m;
    }
}

/// `d`, 32 fifth bits, then the low four bits as in `Q4_0`. x = d (q - 16).
fn q5_0(block: &[u8; 22], values: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (i, (low, high)) in five_bits(block, 2).enumerate() {
        values[i] = d * centred(low, 16);
        values[i + 16] = d * centred(high, 16);
    }
}

/// `d` and `m`, 32 fifth bits, then the low four bits as in `Q4_0`. x = d q + m.
fn q5_1(block: &[u8; 24], values: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    for (i, (low, high)) in five_bits(block, 4).enumerate() {
        values[i] = d * f32::from(low) + m;
        values[i + 16] = d * f32::from(high) + m;
    }
}

/// `d`, then 32 signed bytes. x = d q.
fn q8_0(block: &[u8; 34], values: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (value, &q) in values.iter_mut().zip(&block[2..]) {
        *value = d * f32::from(q.cast_signed());
    }
}

/// `d`, the scale of minima, eight packed pairs of scale and minimum, then four runs of 32 bytes: a run's low nibbles
/// are one part of 32 values, its high nibbles the next. x = (d scale) q - (m minimum).
fn q4_k(block: &[u8; 144], values: &mut [f32; 256]) {
    let parts = Parts::of(block);
    let nibbles = &block[16..];
    for (part, values) in values.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (scale, minimum) = parts.scale_and_minimum(part);
        let (run, shift) = (&nibbles[part / 2 * 32..][..32], part % 2 * 4);
        for (value, byte) in values.iter_mut().zip(run) {
            *value = scale * f32::from(byte >> shift & 15) - minimum;
        }
    }
}

/// As `Q4_K` with 32 bytes between scales and nibbles: bit p of byte i is the fifth bit of value i of part p.
fn q5_k(block: &[u8; 176], values: &mut [f32; 256]) {
    let parts = Parts::of(block);
    let (fifths, nibbles) = (&block[16..48], &block[48..]);
    for (part, values) in values.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (scale, minimum) = parts.scale_and_minimum(part);
        let (run, shift) = (&nibbles[part / 2 * 32..][..32], part % 2 * 4);
        for ((value, byte), fifth) in values.iter_mut().zip(run).zip(fifths) {
            *value = scale * f32::from(byte >> shift & 15 | (fifth >> part & 1) << 4) - minimum;
        }
    }
}

/// Low nibbles (128 bytes), upper two bits (64), sixteen signed scales, `d`. The block is two halves of 128 values, a
/// half four parts of 32, and a scale belongs to 16 values. In each half, parts 0 and 1 are the low nibbles of its 64
/// bytes, parts 2 and 3 the high ones, and bits 2p and 2p + 1 of byte i are the upper bits of value i of part p.
/// x = d scale (q - 32).
fn q6_k(block: &[u8; 210], values: &mut [f32; 256]) {
    let d = half_at(block, 208);
    for (index, values) in values.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (side, part) = (index / 4, index % 4);
        let lows = &block[side * 64 + part % 2 * 32..][..32];
        let highs = &block[128 + side * 32..][..32];
        let scale = |first: usize| d * f32::from(block[192 + index * 2 + first].cast_signed());
        let scales = [scale(0), scale(1)];
        for (i, value) in values.iter_mut().enumerate() {
            let q = lows[i] >> (part / 2 * 4) & 15 | (highs[i] >> (part * 2) & 3) << 4;
            *value = scales[i / 16] * centred(q, 32);
        }
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

fn centred(q: u8, middle: i8) -> f32 {
    f32::from(q.cast_signed() - middle)
}

/// The 32 five-bit numbers of a block as pairs of value i and value i + 16; their fifth bits stand at `at` as one
/// 32-bit number, and the low four bits follow.
fn five_bits(block: &[u8], at: usize) -> impl Iterator<Item = (u8, u8)> {
    let bytes = [block[at], block[at + 1], block[at + 2], block[at + 3]];
    let fifths = u32::from_le_bytes(bytes);
    let fifth = move |index: usize| u8::from(fifths >> index & 1 == 1) << 4;
    block[at + 4..].iter().enumerate().map(move |(i, pair)| (pair & 15 | fifth(i), pair >> 4 | fifth(i + 16)))
}

/// Scales and minima of the eight parts of a `Q4_K` or `Q5_K` block.
///
/// Twelve bytes hold sixteen 6-bit numbers. For parts 0 to 3 they are the low six bits of bytes p (scale) and p + 4
/// (minimum). For parts 4 to 7 byte p + 4 has their low four bits, the scale's in its low half, and the two upper bits
/// are what bytes p - 4 (scale) and p (minimum) left free.
struct Parts<'a> {
    d: f32,
    m: f32,
    packed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(block: &'a [u8]) -> Self {
        Self { d: half_at(block, 0), m: half_at(block, 2), packed: &block[4..16] }
    }

    fn scale_and_minimum(&self, part: usize) -> (f32, f32) {
        let packed = self.packed;
        let (scale, minimum) = if part < 4 {
            (packed[part] & 63, packed[part + 4] & 63)
        } else {
            let low = packed[part + 4];
            (low & 15 | packed[part - 4] >> 6 << 4, low >> 4 | packed[part] >> 6 << 4)
        };
        (self.d * f32::from(scale), self.m * f32::from(minimum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: TensorType, bytes: &[u8]) -> Vec<f32> {
        let block = Dequantise::of(kind).expect("a type read here");
        assert_eq!(bytes.len() % block.bytes, 0, "whole blocks of {kind}");
        let mut values = vec![f32::NAN; bytes.len() / block.bytes * block.values];
        block.run(bytes, &mut values);
        values
    }

    fn half(value: f32) -> [u8; 2] {
        f16::from_f32(value).to_le_bytes()
    }

    /// Byte i holds i in its low and 15 - i in its high four bits.
    fn rising_nibbles() -> Vec<u8> {
        (0..16).map(|i| i | (15 - i) << 4).collect()
    }

    /// What `rising_nibbles` says, with `fifth` added to the values at these places.
    fn risen(fifth: impl Fn(usize) -> bool) -> Vec<f32> {
        let low = (0_u8..16).chain((0..16).rev());
        low.enumerate().map(|(i, q)| f32::from(q) + if fifth(i) { 16.0 } else { 0.0 }).collect()
    }

    #[test]
    fn floating_point_types_are_read_as_they_stand() {
        let values = [0.0, -1.5, 3.25, 65504.0];
        let bytes = |write: fn(f32) -> Vec<u8>| values.iter().flat_map(|&value| write(value)).collect::<Vec<u8>>();
        assert_eq!(read(TensorType::F32, &bytes(|value| value.to_le_bytes().to_vec())), values);
        assert_eq!(read(TensorType::F16, &bytes(|value| half(value).to_vec())), values);
        assert_eq!(read(TensorType::BF16, &[0xC0, 0x3F, 0x80, 0xC0]), [1.5, -4.0]);
    }

    #[test]
    fn four_and_five_bit_blocks_have_their_halves_side_by_side() {
        let block = [&half(0.5)[..], &rising_nibbles()].concat();
        let expected: Vec<f32> = risen(|_| false).iter().map(|q| 0.5 * (q - 8.0)).collect();
        assert_eq!(read(TensorType::Q4_0, &block), expected);

        let block = [&half(0.5)[..], &half(-3.0), &rising_nibbles()].concat();
        let expected: Vec<f32> = risen(|_| false).iter().map(|q| 0.5 * q - 3.0).collect();
        assert_eq!(read(TensorType::Q4_1, &block), expected);

        let fifth = |i: usize| i.is_multiple_of(3);
        let fifths = (0..32).filter(|&i| fifth(i)).fold(0_u32, |bits, i| bits | 1 << i).to_le_bytes();
        let block = [&half(0.25)[..], &fifths, &rising_nibbles()].concat();
        let expected: Vec<f32> = risen(fifth).iter().map(|q| 0.25 * (q - 16.0)).collect();
        assert_eq!(read(TensorType::Q5_0, &block), expected);

        let block = [&half(0.25)[..], &half(2.0), &fifths, &rising_nibbles()].concat();
        let expected: Vec<f32> = risen(fifth).iter().map(|q| 0.25 * q + 2.0).collect();
        assert_eq!(read(TensorType::Q5_1, &block), expected);
    }

    #[test]
    fn eight_bit_blocks_are_signed() {
        let quants: Vec<i8> = (-16..16).map(|i| i * 8).collect();
        let block: Vec<u8> = half(2.0).into_iter().chain(quants.iter().map(|q| q.cast_unsigned())).collect();
        let expected: Vec<f32> = quants.iter().map(|&q| 2.0 * f32::from(q)).collect();
        assert_eq!(read(TensorType::Q8_0, &[block.clone(), block].concat()), [expected.clone(), expected].concat());
    }

    /// Scales and minima of eight parts that use all six bits, packed as files have them.
    const SCALES: [u8; 8] = [1, 63, 32, 7, 17, 62, 33, 48];
    const MINIMA: [u8; 8] = [0, 5, 60, 31, 16, 49, 2, 63];

    fn packed() -> [u8; 12] {
        let mut packed = [0; 12];
        for part in 0..4 {
            packed[part] = SCALES[part] | SCALES[part + 4] >> 4 << 6;
            packed[part + 4] = MINIMA[part] | MINIMA[part + 4] >> 4 << 6;
            packed[part + 8] = SCALES[part + 4] & 15 | (MINIMA[part + 4] & 15) << 4;
        }
        packed
    }

    /// Some number below `limit` for each of the 256 values of a block.
    fn quant(index: usize, limit: u8) -> u8 {
        u8::try_from(index * 7 % usize::from(limit)).expect("below a byte")
    }

    /// 128 bytes whose low and high nibbles are, run by run of 32, the low four bits of `quant`.
    fn nibbles(limit: u8) -> Vec<u8> {
        let at = |run: usize, i: usize| quant(run * 64 + i, limit) & 15 | (quant(run * 64 + 32 + i, limit) & 15) << 4;
        (0..4).flat_map(|run| (0..32).map(move |i| at(run, i))).collect()
    }

    fn scaled(limit: u8) -> Vec<f32> {
        let value = |index: usize| {
            let part = index / 32;
            0.5 * f32::from(SCALES[part]) * f32::from(quant(index, limit)) - 0.25 * f32::from(MINIMA[part])
        };
        (0..256).map(value).collect()
    }

    #[test]
    fn parts_of_k_blocks_have_their_own_scales_and_minima() {
        let start = [&half(0.5)[..], &half(0.25), &packed()].concat();
        assert_eq!(read(TensorType::Q4_K, &[&start[..], &nibbles(16)].concat()), scaled(16));
        let fifth = |i: usize| (0..8).fold(0, |byte, part| byte | quant(part * 32 + i, 32) >> 4 << part);
        let fifths: Vec<u8> = (0..32).map(fifth).collect();
        assert_eq!(read(TensorType::Q5_K, &[&start[..], &fifths, &nibbles(32)].concat()), scaled(32));
    }

    #[test]
    fn six_bit_blocks_spread_a_value_over_two_places() {
        let q = |index: usize| quant(index, 64);
        let mut block = vec![0_u8; 210];
        for side in 0..2 {
            for i in 0..32 {
                let part = |part: usize| q(side * 128 + part * 32 + i);
                block[side * 64 + i] = part(0) & 15 | (part(2) & 15) << 4;
                block[side * 64 + 32 + i] = part(1) & 15 | (part(3) & 15) << 4;
                block[128 + side * 32 + i] = (0..4).fold(0, |byte, p| byte | part(p) >> 4 << (2 * p));
            }
        }
        let scales: Vec<i8> = (-8..8).map(|i| i * 15 + 1).collect();
        for (byte, scale) in block[192..208].iter_mut().zip(&scales) {
            *byte = scale.cast_unsigned();
        }
        block[208..].copy_from_slice(&half(0.5));
        let value = |index: usize| 0.5 * f32::from(scales[index / 16]) * (f32::from(q(index)) - 32.0);
        assert_eq!(read(TensorType::Q6_K, &block), (0..256).map(value).collect::<Vec<f32>>());
    }
}
