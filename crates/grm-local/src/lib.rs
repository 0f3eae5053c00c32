//! grm-local
