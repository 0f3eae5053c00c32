//! A reply as it grows.

use grm_core::{ChatReply, Finish, ModelError, Sampling, Usage, VerdictLogprobs};
use grm_text::{Draw, LetterPlace, ReplyText, Tokenizer, log_probabilities};

/// Draws tokens and joins what they write.
pub(crate) struct Reply {
    draw: Draw,
    text: ReplyText,
    wants_logprobs: bool,
    logprobs: Option<VerdictLogprobs>,
    usage: Usage,
    tokens_max: u64,
}

/// What the next logits lead to.
pub(crate) enum Step {
    /// One more token.
    Token(u32),
    /// The reply is whole.
    Done(Finish),
}

impl Reply {
    pub(crate) fn new(sampling: &Sampling, wants_logprobs: bool, usage: Usage) -> Self {
        Self {
            draw: Draw { temperature: sampling.temperature, top_p: sampling.top_p, seed: sampling.seed },
            text: ReplyText::new(&sampling.stop),
            wants_logprobs,
            logprobs: None,
            usage,
            tokens_max: u64::from(sampling.max_tokens),
        }
    }

    /// Draws the next token. Control tokens end the turn.
    pub(crate) fn step(&mut self, logits: &[f32], tokenizer: &Tokenizer, model: &str) -> Result<Step, ModelError> {
        if self.usage.completion_tokens >= self.tokens_max {
            return Ok(Step::Done(Finish::Length));
        }
        let drawn = self.draw.token(logits, self.usage.completion_tokens).ok_or_else(|| ModelError::BadReply {
            place: model.to_owned(),
            reason: "the model's logits are not finite numbers".into(),
        })?;
        self.usage.completion_tokens += 1;
        let token = drawn as u32;
        if tokenizer.is_control(token) || tokenizer.token(token).is_none() {
            return Ok(Step::Done(Finish::Stop));
        }
        let piece = tokenizer.piece(token);
        if self.wants_logprobs {
            self.note_verdict(token, &piece, logits, tokenizer);
        }
        Ok(if self.text.push(&piece) { Step::Done(Finish::Stop) } else { Step::Token(token) })
    }

    fn note_verdict(&mut self, token: u32, piece: &[u8], logits: &[f32], tokenizer: &Tokenizer) {
        let Some(place) = LetterPlace::find(self.text.bytes(), piece) else { return };
        let other = String::from_utf8(place.counterpart(piece)).ok().and_then(|text| tokenizer.token_id(&text));
        self.logprobs = other.map(|other| {
            let [drawn, other] = log_probabilities(logits, [token as usize, other as usize]);
            let (a, b) = if place.letter == b'A' { (drawn, other) } else { (other, drawn) };
            VerdictLogprobs { a, b }
        });
    }

    pub(crate) fn finish(self, finish: Finish) -> ChatReply {
        ChatReply { text: self.text.into_text(), finish, usage: self.usage, verdict_logprobs: self.logprobs }
    }
}
