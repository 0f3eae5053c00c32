//! grm-data
