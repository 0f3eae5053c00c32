//! A pretended prefix cache: which beginnings of prompts were seen before.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hasher},
    sync::{Mutex, PoisonError},
};

/// Cached in blocks of 16 tokens of four bytes, as vLLM does.
const BLOCK: usize = 64;

/// Tokens are taken to have four bytes.
pub(crate) const TOKEN_BYTES: usize = 4;

/// Blocks remembered before all are forgotten.
const CAPACITY: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct PrefixMemory {
    seen: Mutex<HashSet<u64>>,
}

impl PrefixMemory {
    /// Tokens at the beginning of the prompt that an earlier prompt had too. Looked up when a request comes…
    pub(crate) fn cached_tokens(&self, blocks: &[u64]) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.iter().take_while(|block| seen.contains(block)).count() * (BLOCK / TOKEN_BYTES)
    }

    /// …and remembered when it is answered, so that requests sent together all miss.
    pub(crate) fn remember(&self, blocks: Vec<u64>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > CAPACITY {
            seen.clear();
        }
        seen.extend(blocks);
    }
}

/// One hash for every whole block, covering everything before it too.
pub(crate) fn blocks(prompt: &str) -> Vec<u64> {
    let mut hasher = DefaultHasher::new();
    let whole = prompt.as_bytes().chunks_exact(BLOCK);
    whole
        .map(|block| {
            hasher.write(block);
            hasher.finish()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_beginnings_are_found_after_the_first_answer() {
        let memory = PrefixMemory::default();
        let shared = "s".repeat(10 * BLOCK);
        let (first, second) = (blocks(&format!("{shared}{}", "a".repeat(200))), blocks(&format!("{shared}bbb")));
        assert_eq!(memory.cached_tokens(&first), 0);
        assert_eq!(memory.cached_tokens(&second), 0);
        memory.remember(first);
        assert_eq!(memory.cached_tokens(&second), 160);
        assert_eq!(memory.cached_tokens(&blocks(&format!("x{shared}"))), 0);
    }
}
