//! Holding a reply to a grammar without paying for it at every token.
//!
//! llama.cpp can strike every token a grammar forbids, but going through the whole vocabulary takes about as long as
//! the model itself. A reply that follows the prompt's contract seldom needs that: the token the model drew is tested
//! alone, and only a refusal makes the grammar look at the others. Drawing, and drawing again from what is allowed after
//! a refusal, gives the same distribution as drawing from what is allowed at once.
//!
//! llama.cpp throws, across the language border, when it is given a token its grammar refuses. So a token is accepted
//! here only after the grammar allowed it, and tokens that end the turn are never handed over at all.

use grm_core::{Grammar, ModelError};
use grm_text::Draw;
use llama_cpp_2::{
    sampling::LlamaSampler,
    token::{LlamaToken, data::LlamaTokenData, data_array::LlamaTokenDataArray},
};

use crate::{
    scheduler::Token,
    weights::{Weights, engine_error},
};

const GBNF_BYTES_MAX: usize = 1 << 18;
const NESTING_MAX: usize = 100;
/// Candidates looked at first when a greedy draw was refused; most refusals are settled there.
const FIRST_CANDIDATES: usize = 64;
/// Keeps the second draw independent of the first.
const SECOND_DRAW: u64 = 0x5EC0_11DD_4A77_0001;

/// Where a reply stands in its grammar.
pub(crate) struct GrammarState {
    name: String,
    sampler: LlamaSampler,
}

impl GrammarState {
    /// Reads the grammar; one that cannot be parsed is an error naming it.
    pub(crate) fn new(weights: &Weights, grammar: &Grammar) -> Result<Self, ModelError> {
        let failed = |reason: String| {
            engine_error(
                format!("could not use the grammar of the {} prompt; check its GBNF text", grammar.name),
                reason,
            )
        };
        check(&grammar.gbnf).map_err(&failed)?;
        let sampler = LlamaSampler::grammar(weights.model(), &grammar.gbnf, "root")
            .map_err(|error| failed(format!("llama.cpp cannot parse it ({error})")))?;
        Ok(Self { name: grammar.name.to_string(), sampler })
    }

    /// Draws a token the grammar allows and moves on past it.
    pub(crate) fn draw(
        &mut self,
        draw: Draw,
        logits: &[f32],
        place: u64,
        weights: &Weights,
    ) -> Result<Token, ModelError> {
        let drawn = draw.token(logits, place).map(to_token);
        let token = match drawn.filter(|&token| self.allows(token, weights)) {
            Some(token) => token,
            None => self.draw_allowed(draw, logits, place, weights).ok_or_else(|| ModelError::BadReply {
                place: format!("the embedded model under the grammar of the {} prompt", self.name),
                reason: "no token can follow; the grammar ends where the reply does not".into(),
            })?,
        };
        if !weights.ends_turn(token) {
            self.sampler.accept(LlamaToken(token));
        }
        Ok(token)
    }

    fn draw_allowed(&mut self, draw: Draw, logits: &[f32], place: u64, weights: &Weights) -> Option<Token> {
        let best = best_of(&self.allowed(best_candidates(logits, FIRST_CANDIDATES), weights));
        if draw.temperature <= 0.0 {
            return best.or_else(|| best_of(&self.allowed(candidates(logits), weights)));
        }
        let least = best.map_or(f32::NEG_INFINITY, |best| draw.least_that_counts(logits[index_of(best)]));
        let counting = candidates(logits).into_iter().filter(|candidate| candidate.logit() > least).collect();
        let mut masked = vec![f32::NEG_INFINITY; logits.len()];
        for candidate in self.allowed(counting, weights) {
            masked[index_of(candidate.id().0)] = candidate.logit();
        }
        Draw { seed: draw.seed ^ SECOND_DRAW, ..draw }.token(&masked, place).map(to_token)
    }

    fn allows(&mut self, token: Token, weights: &Weights) -> bool {
        !self.allowed(vec![LlamaTokenData::new(LlamaToken(token), 0.0, 0.0)], weights).is_empty()
    }

    /// The candidates the grammar allows. llama.cpp matches special tokens by their name's letters; they write nothing
    /// in a reply, so unless they end the turn they are never allowed here.
    fn allowed(&mut self, candidates: Vec<LlamaTokenData>, weights: &Weights) -> Vec<LlamaTokenData> {
        let mut array = LlamaTokenDataArray::new(candidates, false);
        self.sampler.apply(&mut array);
        array.data.retain(|candidate| {
            let token = candidate.id().0;
            candidate.logit().is_finite() && (!weights.piece(token).is_empty() || weights.ends_turn(token))
        });
        array.data
    }
}

fn to_token(index: usize) -> Token {
    Token::try_from(index).expect("a vocabulary has fewer than 2^31 tokens")
}

fn index_of(token: Token) -> usize {
    usize::try_from(token).expect("candidates come from the logits' indices")
}

fn candidates(logits: &[f32]) -> Vec<LlamaTokenData> {
    (0..).zip(logits).map(|(id, &logit)| LlamaTokenData::new(LlamaToken(id), logit, 0.0)).collect()
}

fn best_candidates(logits: &[f32], count: usize) -> Vec<LlamaTokenData> {
    let mut all = candidates(logits);
    if all.len() > count {
        all.select_nth_unstable_by(count, |left, right| right.logit().total_cmp(&left.logit()));
        all.truncate(count);
    }
    all
}

fn best_of(candidates: &[LlamaTokenData]) -> Option<Token> {
    candidates
        .iter()
        .max_by(|left, right| left.logit().total_cmp(&right.logit()).then(right.id().0.cmp(&left.id().0)))
        .map(|candidate| candidate.id().0)
}

/// Refuses what llama.cpp's parser, which recurses, should not be given.
fn check(gbnf: &str) -> Result<(), String> {
    if gbnf.len() > GBNF_BYTES_MAX {
        return Err(format!("it has {} bytes, more than {GBNF_BYTES_MAX}", gbnf.len()));
    }
    let mut depth: usize = 0;
    for byte in gbnf.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err(format!("its groups nest deeper than {NESTING_MAX}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_or_huge_grammars_are_refused_before_llama_cpp_sees_them() {
        assert!(check(&format!("root ::= {}", "(".repeat(101))).is_err());
        assert!(check(&"x".repeat(GBNF_BYTES_MAX + 1)).is_err());
        assert!(check("root ::= (\"a\" | (\"b\"))*").is_ok());
    }

    #[test]
    fn the_best_candidates_are_the_highest_logits() {
        let best = best_candidates(&[0.0, 5.0, 3.0, 4.0], 2);
        let mut ids: Vec<i32> = best.iter().map(|candidate| candidate.id().0).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 3]);
        assert_eq!(best_of(&best), Some(1));
    }
}
