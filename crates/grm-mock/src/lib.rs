//! grm-mock
