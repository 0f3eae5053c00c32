//! grm-train
