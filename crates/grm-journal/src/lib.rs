//! grm-journal
