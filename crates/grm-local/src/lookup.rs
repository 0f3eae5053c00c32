//! Guessing what comes next from what was already said.
//!
//! A refinement repeats most of the response it revises, and a judgment quotes it. When the last few tokens of a reply
//! stand somewhere in the prompt, the tokens after that place are a good guess; the model checks several guesses in one
//! step, and a guess is kept only when it is the very token that would have been drawn. The reply is therefore drawn
//! from the same distribution, only in fewer steps.

use crate::scheduler::Token;

const MATCH_TOKENS: usize = 3;
const GUESSES_MAX: usize = 12;
const GUESSES_FIRST: usize = 4;

/// What one reply has learnt of how well guessing works for it.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    /// Prompt and reply so far.
    said: Vec<Token>,
    prompt_tokens: usize,
    guesses: usize,
    /// Steps to sit out after guesses failed.
    pause: usize,
    last_pause: usize,
}

impl Lookup {
    pub(crate) fn new(prompt: Vec<Token>) -> Self {
        Self { prompt_tokens: prompt.len(), said: prompt, guesses: GUESSES_FIRST, pause: 0, last_pause: 0 }
    }

    /// Takes note of a token of the reply.
    pub(crate) fn push(&mut self, token: Token) {
        self.said.push(token);
    }

    /// Takes note of how many of `tried` guesses were kept.
    pub(crate) fn learn(&mut self, tried: usize, kept: usize) {
        if tried == 0 {
            return;
        }
        if kept == tried {
            self.guesses = (self.guesses * 2).min(GUESSES_MAX);
            self.last_pause = 0;
        } else if kept * 2 < tried {
            self.guesses = (self.guesses / 2).max(2);
            self.last_pause = (self.last_pause * 2 + 1).min(16);
            self.pause = self.last_pause;
        }
    }

    /// Tokens likely to follow; none when nothing alike was said before.
    pub(crate) fn guess(&mut self) -> Vec<Token> {
        if self.pause > 0 {
            self.pause -= 1;
            return Vec::new();
        }
        let Some(recent) = self.said.len().checked_sub(MATCH_TOKENS).filter(|&start| start >= self.prompt_tokens)
        else {
            return Vec::new();
        };
        let (before, pattern) = self.said.split_at(recent);
        let place = before.windows(MATCH_TOKENS).rposition(|window| window == pattern);
        place.map_or_else(Vec::new, |place| before[place + MATCH_TOKENS..].iter().copied().take(self.guesses).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(prompt: &[Token], reply: &[Token]) -> Lookup {
        let mut lookup = Lookup::new(prompt.to_vec());
        reply.iter().for_each(|&token| lookup.push(token));
        lookup
    }

    #[test]
    fn what_followed_the_same_words_is_guessed() {
        assert_eq!(after(&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[2, 3, 4]).guess(), [5, 6, 7, 8]);
        assert_eq!(after(&[1, 2, 3, 4], &[2, 3]).guess(), Vec::<Token>::new(), "too few tokens of the reply to go by");
        assert_eq!(after(&[1, 2, 3, 4], &[4, 3, 2]).guess(), Vec::<Token>::new());
        assert_eq!(after(&[1, 2, 3, 9, 1, 2, 3, 7], &[1, 2, 3]).guess(), [7], "the latest place wins");
    }

    #[test]
    fn success_lengthens_guesses_and_failure_pauses_them() {
        let prompt: Vec<Token> = (0..40).collect();
        let mut lookup = after(&prompt, &[1, 2, 3]);
        lookup.learn(4, 4);
        assert_eq!(lookup.guess().len(), 8);
        lookup.learn(8, 1);
        assert_eq!(lookup.guess(), Vec::<Token>::new());
        assert_eq!(lookup.guess().len(), 4);
    }
}
