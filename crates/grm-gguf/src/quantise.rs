//! From numbers to the blocks ggml stores, for the types written here.

use half::f16;

use crate::tensor_type::TensorType;

/// Turns values into bytes of a type; values that the type cannot hold are told by their index.
pub(crate) type Quantise = fn(&[f32], &mut Vec<u8>) -> Result<(), usize>;

/// `None` for types not written here.
pub(crate) fn quantiser(kind: TensorType) -> Option<Quantise> {
    match kind {
        TensorType::F32 => Some(f32s),
        TensorType::F16 => Some(f16s),
        TensorType::Q8_0 => Some(q8_0),
        _ => None,
    }
}

fn f32s(values: &[f32], bytes: &mut Vec<u8>) -> Result<(), usize> {
    for (index, value) in values.iter().enumerate() {
        finite(*value, index)?;
        bytes.extend(value.to_le_bytes());
    }
    Ok(())
}

fn f16s(values: &[f32], bytes: &mut Vec<u8>) -> Result<(), usize> {
    for (index, value) in values.iter().enumerate() {
        let half = f16::from_f32(*value);
        finite(half.to_f32(), index)?;
        bytes.extend(half.to_le_bytes());
    }
    Ok(())
}

/// Blocks of 32: the scale d = max|x| / 127 as a half, then each x / d to the nearest whole number. Divided by the half
/// that is stored, so that what is read back is within d / 2.
fn q8_0(values: &[f32], bytes: &mut Vec<u8>) -> Result<(), usize> {
    for (block, values) in values.chunks(32).enumerate() {
        for (index, value) in values.iter().enumerate() {
            finite(*value, block * 32 + index)?;
        }
        let (largest_at, largest) = largest(values);
        let d = f16::from_f32(largest / 127.0);
        finite(d.to_f32(), block * 32 + largest_at)?;
        bytes.extend(d.to_le_bytes());
        bytes.extend(values.iter().map(|&value| to_byte(value, d.to_f32())));
    }
    Ok(())
}

fn largest(values: &[f32]) -> (usize, f32) {
    values.iter().map(|value| value.abs()).enumerate().fold(
        (0, 0.0),
        |best, next| {
            if next.1 > best.1 { next } else { best }
        },
    )
}

#[expect(clippy::cast_possible_truncation, reason = "rounded and clamped to what a byte holds")]
fn to_byte(value: f32, d: f32) -> u8 {
    if d == 0.0 {
        return 0;
    }
    ((value / d).round().clamp(-127.0, 127.0) as i8).cast_unsigned()
}

fn finite(value: f32, index: usize) -> Result<(), usize> {
    if value.is_finite() { Ok(()) } else { Err(index) }
}
