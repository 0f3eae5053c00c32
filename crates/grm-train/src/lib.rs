//! Training objectives, one a file with its equation in the header.

pub mod frozen;
