//! From requests and scored conversations to rows of tokens with their media.

use std::sync::Arc;

use grm_core::{ChatRequest, MediaLibrary, ModelError, Part, Prompt, Response, Role, Span};
use grm_model::{
    TokenRow,
    omni::{Medium, Piece, ThinkerConfig, VideoGrid, expand},
};
use grm_text::{ChatTokens, TemplateMessage, Tokenizer};

use crate::{
    folder::{OmniFolder, failed},
    shelf::{MediaSettings, Shelf},
};

/// A model's way from words and media to rows. The same rows serve judging and training.
pub struct Rows {
    model: String,
    config: ThinkerConfig,
    tokens: ChatTokens,
    shelf: Shelf,
}

impl Rows {
    /// The way of the model in `folder`; media come from `library`.
    pub fn new(folder: &OmniFolder, library: Arc<dyn MediaLibrary>) -> Result<Self, ModelError> {
        let settings = MediaSettings::read(folder.path(), folder.config().kind)?;
        Ok(Self {
            model: folder.path().display().to_string(),
            config: folder.config().clone(),
            tokens: folder.tokens()?,
            shelf: Shelf::new(library, settings),
        })
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        self.tokens.tokenizer()
    }

    /// The rendered prompt of a request, ending where the reply begins.
    pub fn prompt(&self, request: &ChatRequest) -> Result<TokenRow, ModelError> {
        let messages: Vec<TemplateMessage> = request
            .messages
            .iter()
            .map(|message| TemplateMessage { role: message.role, spans: &message.spans })
            .collect();
        let tokens = self.tokens.prompt_of(&messages, request.thinking).map_err(|error| self.failed(error))?;
        let (row, _) = self.expanded(&tokens, tokens.len(), messages.iter().flat_map(|message| message.spans))?;
        Ok(row)
    }

    /// A prompt and the reply to be learnt, which is what is predicted.
    pub fn lesson(&self, prompt: &[(Role, Vec<Span>)], reply: &[Span]) -> Result<TokenRow, ModelError> {
        let messages: Vec<TemplateMessage> =
            prompt.iter().map(|(role, spans)| TemplateMessage { role: *role, spans }).collect();
        let row = self.tokens.row_of(&messages, reply).map_err(|error| self.failed(error))?;
        let tokens = [&row.prompt[..], &row.target].concat();
        let spans = prompt.iter().flat_map(|(_, spans)| spans).chain(reply);
        let (row, targets_from) = self.expanded(&tokens, row.prompt.len(), spans)?;
        Ok(TokenRow { targets_from, ..row })
    }

    /// A conversation up to the token that ends the response's turn, where a reward is read; means are taken from where
    /// the prompt has said all.
    pub fn scored(&self, prompt: &Prompt, response: &Response) -> Result<TokenRow, ModelError> {
        let turns: Vec<(Role, Vec<Span>)> =
            prompt.turns.iter().map(|turn| (turn.role, turn.parts.iter().map(span).collect())).collect();
        let reply: Vec<Span> = response.parts.iter().map(span).collect();
        let messages: Vec<TemplateMessage> =
            turns.iter().map(|(role, spans)| TemplateMessage { role: *role, spans }).collect();
        let row = self.tokens.row_of(&messages, &reply).map_err(|error| self.failed(error))?;
        let tokens = [&row.prompt, &row.target[..row.turn_end]].concat();
        let spans = turns.iter().flat_map(|(_, spans)| spans).chain(&reply);
        let (row, targets_from) = self.expanded(&tokens, row.prompt_end, spans)?;
        Ok(TokenRow { targets_from, ..row })
    }

    /// Gives every placeholder as many tokens as its medium has, and says where token `marked` has got to.
    fn expanded<'a>(
        &self,
        tokens: &[u32],
        marked: usize,
        spans: impl Iterator<Item = &'a Span>,
    ) -> Result<(TokenRow, usize), ModelError> {
        let mut media = Vec::new();
        for span in spans {
            media.extend(self.shelf.take(span)?);
        }
        let expand = |tokens: &[u32]| expand(&self.pieces(tokens, &media), &self.config);
        let expanded = expand(tokens).map_err(|error| self.failed(error))?.tokens;
        let before = expand(&tokens[..marked]).map_err(|error| self.failed(error))?.tokens.len();
        Ok((TokenRow::from_tokens(expanded, before).with_media(media), before))
    }

    /// Text between placeholders, and each placeholder's medium; tokens may end before the media do.
    fn pieces<'a>(&self, tokens: &'a [u32], media: &[Arc<Medium>]) -> Vec<Piece<'a>> {
        let mut media = media.iter();
        let mut pieces = Vec::new();
        let mut from = 0;
        for (at, _) in tokens.iter().enumerate().filter(|&(_, &token)| self.config.tokens.is_placeholder(token)) {
            pieces.push(Piece::Text(&tokens[from..at]));
            pieces.extend(media.next().map(|medium| piece(medium)));
            from = at + 1;
        }
        pieces.push(Piece::Text(&tokens[from..]));
        pieces
    }

    fn failed(&self, error: impl std::error::Error + Send + Sync + 'static) -> ModelError {
        failed(format!("{} could not be given the conversation", self.model), error)
    }
}

fn piece(medium: &Medium) -> Piece<'static> {
    let frames = medium.sound.as_ref().map(|sound| sound.frames);
    let visual = medium.visual.as_ref().map(|visual| (visual.grid, visual.seconds_per_grid));
    match (visual, frames) {
        (Some((grid, None)), _) => Piece::Image(grid),
        (Some((grid, Some(seconds_per_grid))), None) => Piece::Video(VideoGrid { grid, seconds_per_grid }),
        (Some((grid, Some(seconds_per_grid))), Some(frames)) => {
            Piece::VideoWithSound { video: VideoGrid { grid, seconds_per_grid }, frames }
        }
        (None, frames) => Piece::Sound { frames: frames.unwrap_or(0) },
    }
}

/// A part of a record as models are shown it.
#[must_use]
pub fn span(part: &Part) -> Span {
    match part {
        Part::Text { text } => Span::Content(Arc::from(text.as_str())),
        Part::Image { media } => Span::Image(media.clone()),
        Part::Video { media } => Span::Video(media.clone()),
        Part::Audio { media } => Span::Audio(media.clone()),
    }
}
