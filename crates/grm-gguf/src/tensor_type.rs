//! The ways ggml stores the values of a tensor, and how many bytes each takes.

use std::fmt;

/// How the values of a tensor are stored: in blocks of some values that take some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TensorType {
    id: u32,
    name: &'static str,
    block_values: u32,
    block_bytes: u32,
}

/// Every type of ggml that files may still have; withdrawn ones are missing.
const KNOWN: [TensorType; 35] = [
    TensorType::F32,
    TensorType::F16,
    TensorType::Q4_0,
    TensorType::Q4_1,
    TensorType::Q5_0,
    TensorType::Q5_1,
    TensorType::Q8_0,
    layout(9, "Q8_1", 32, 36),
    layout(10, "Q2_K", 256, 84),
    layout(11, "Q3_K", 256, 110),
    TensorType::Q4_K,
    TensorType::Q5_K,
    TensorType::Q6_K,
    layout(15, "Q8_K", 256, 292),
    layout(16, "IQ2_XXS", 256, 66),
    layout(17, "IQ2_XS", 256, 74),
    layout(18, "IQ3_XXS", 256, 98),
    layout(19, "IQ1_S", 256, 50),
    layout(20, "IQ4_NL", 32, 18),
    layout(21, "IQ3_S", 256, 110),
    layout(22, "IQ2_S", 256, 82),
    layout(23, "IQ4_XS", 256, 136),
    layout(24, "I8", 1, 1),
    layout(25, "I16", 1, 2),
    layout(26, "I32", 1, 4),
    layout(27, "I64", 1, 8),
    layout(28, "F64", 1, 8),
    layout(29, "IQ1_M", 256, 56),
    TensorType::BF16,
    layout(34, "TQ1_0", 256, 54),
    layout(35, "TQ2_0", 256, 66),
    layout(39, "MXFP4", 32, 17),
    layout(40, "NVFP4", 64, 36),
    layout(41, "Q1_0", 128, 18),
    layout(42, "Q2_0", 64, 18),
];

const fn layout(id: u32, name: &'static str, block_values: u32, block_bytes: u32) -> TensorType {
    TensorType { id, name, block_values, block_bytes }
}

impl TensorType {
    /// IEEE single precision.
    pub const F32: Self = layout(0, "F32", 1, 4);
    /// IEEE half precision.
    pub const F16: Self = layout(1, "F16", 1, 2);
    /// The upper half of a single.
    pub const BF16: Self = layout(30, "BF16", 1, 2);
    /// 4 bits around a middle, one scale for 32 values.
    pub const Q4_0: Self = layout(2, "Q4_0", 32, 18);
    /// 4 bits above a minimum, scale and minimum for 32 values.
    pub const Q4_1: Self = layout(3, "Q4_1", 32, 20);
    /// 5 bits around a middle, one scale for 32 values.
    pub const Q5_0: Self = layout(6, "Q5_0", 32, 22);
    /// 5 bits above a minimum, scale and minimum for 32 values.
    pub const Q5_1: Self = layout(7, "Q5_1", 32, 24);
    /// 8 bits, one scale for 32 values.
    pub const Q8_0: Self = layout(8, "Q8_0", 32, 34);
    /// 4 bits in blocks of 256 whose eight parts have 6-bit scales and minima.
    pub const Q4_K: Self = layout(12, "Q4_K", 256, 144);
    /// 5 bits in blocks of 256 whose eight parts have 6-bit scales and minima.
    pub const Q5_K: Self = layout(13, "Q5_K", 256, 176);
    /// 6 bits in blocks of 256 whose sixteen parts have 8-bit scales.
    pub const Q6_K: Self = layout(14, "Q6_K", 256, 210);

    /// The type with this number in a file; `None` where it is withdrawn or unknown here.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        KNOWN.into_iter().find(|kind| kind.id == id)
    }

    /// Its number in a file.
    #[must_use]
    pub fn id(self) -> u32 {
        self.id
    }

    /// ggml's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Values in a block; a row is always whole blocks.
    #[must_use]
    pub fn block_values(self) -> u64 {
        self.block_values.into()
    }

    /// Bytes a block takes.
    #[must_use]
    pub fn block_bytes(self) -> u64 {
        self.block_bytes.into()
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}
