//! grm-judge
