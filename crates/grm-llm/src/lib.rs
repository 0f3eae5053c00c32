//! grm-llm
