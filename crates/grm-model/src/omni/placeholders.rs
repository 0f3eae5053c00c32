//! From one placeholder for each picture, clip and sound to as many as it has tokens.

use super::{
    AudioTower,
    config::{AudioTokens, ThinkerConfig},
    grid::Grid,
    media::{Media, VideoGrid},
};

/// A part of a row: text as tokens, or what takes the place of one placeholder. The tokens that open and close media
/// are text, as the chat template writes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Piece<'a> {
    /// Tokens without placeholders.
    Text(&'a [u32]),
    /// A picture.
    Image(Grid),
    /// A clip of which the sound is not heard.
    Video(VideoGrid),
    /// A sound of so many mel frames.
    Sound {
        /// Frames of 10 ms.
        frames: usize,
    },
    /// A clip with its sound.
    VideoWithSound {
        /// The clip.
        video: VideoGrid,
        /// Mel frames of its sound.
        frames: usize,
    },
}

/// A row ready for the decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Expanded {
    /// Tokens, placeholders included.
    pub tokens: Vec<u32>,
    /// What they stand for. Towers must be given media in this order: sounds as they are met, a clip's among them.
    pub media: Media,
}

/// Why a row cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlaceholderError {
    /// Text that contains a placeholder's id.
    #[error("the text holds token {token}, which stands for media; tokenize what people write without special tokens")]
    InText {
        /// The token.
        token: u32,
    },
    /// A sound that would leave no trace.
    #[error("a sound of {frames} frames of 10 ms gives no token; leave it out, or take one of at least 30 ms")]
    TooShort {
        /// Its frames.
        frames: usize,
    },
    /// A sound for a model that cannot hear.
    #[error("this model cannot hear; use a Qwen2.5-Omni model, or leave the sound out")]
    Deaf,
    /// A clip without a rate.
    #[error("a clip cannot have {seconds} seconds between its frame pairs; give 2 / frames a second")]
    Rate {
        /// As given.
        seconds: f64,
    },
}

/// Writes each piece's tokens one after another.
///
/// # Errors
/// A placeholder in the text, a sound too short to be heard, a sound for a model without ears.
pub fn expand(pieces: &[Piece<'_>], config: &ThinkerConfig) -> Result<Expanded, PlaceholderError> {
    let mut row = Expanded { tokens: Vec::new(), media: Media::default() };
    for &piece in pieces {
        match piece {
            Piece::Text(tokens) => row.text(tokens, config)?,
            Piece::Image(grid) => row.image(grid, config),
            Piece::Video(video) => row.video(video, config)?,
            Piece::Sound { frames } => row.sound(frames, config)?,
            Piece::VideoWithSound { video, frames } => row.video_with_sound(video, frames, config)?,
        }
    }
    Ok(row)
}

impl Expanded {
    fn text(&mut self, tokens: &[u32], config: &ThinkerConfig) -> Result<(), PlaceholderError> {
        if let Some(&token) = tokens.iter().find(|&&token| config.tokens.is_placeholder(token)) {
            return Err(PlaceholderError::InText { token });
        }
        self.tokens.extend(tokens);
        Ok(())
    }

    fn image(&mut self, grid: Grid, config: &ThinkerConfig) {
        self.tokens.extend(std::iter::repeat_n(config.tokens.image, grid.token_count()));
        self.media.images.push(grid);
    }

    fn video(&mut self, video: VideoGrid, config: &ThinkerConfig) -> Result<(), PlaceholderError> {
        checked_rate(&video)?;
        self.tokens.extend(std::iter::repeat_n(config.tokens.video, video.grid.token_count()));
        self.media.videos.push(video);
        Ok(())
    }

    fn sound(&mut self, frames: usize, config: &ThinkerConfig) -> Result<(), PlaceholderError> {
        let (audio, count) = heard(frames, config)?;
        self.tokens.extend(std::iter::repeat_n(audio.audio, count));
        self.media.sounds.push(count);
        Ok(())
    }

    /// The sound's start, a chunk of the clip, a chunk of the sound and so on in turn, the sound's end.
    fn video_with_sound(
        &mut self,
        video: VideoGrid,
        frames: usize,
        config: &ThinkerConfig,
    ) -> Result<(), PlaceholderError> {
        let (audio, count) = heard(frames, config)?;
        checked_rate(&video)?;
        let steps = f64::from(config.position_ids_per_second);
        let size = steps * config.seconds_per_chunk;
        let cell_time = |cell: usize| (cell / video.grid.frame_cells()) as f64 * video.seconds_per_grid * steps;
        let cells = chunk_lengths((0..video.grid.token_count()).map(cell_time), size);
        let beats = chunk_lengths((0..count).map(|beat| beat as f64), size);
        self.tokens.push(audio.start);
        for chunk in 0..cells.len().max(beats.len()) {
            let (of_cells, of_beats) = (cells.get(chunk), beats.get(chunk));
            self.tokens.extend(std::iter::repeat_n(config.tokens.video, of_cells.copied().unwrap_or(0)));
            self.tokens.extend(std::iter::repeat_n(audio.audio, of_beats.copied().unwrap_or(0)));
        }
        self.tokens.push(audio.end);
        self.media.videos.push(video);
        self.media.sounds.push(count);
        Ok(())
    }
}

fn heard(frames: usize, config: &ThinkerConfig) -> Result<(AudioTokens, usize), PlaceholderError> {
    let audio = config.tokens.audio.ok_or(PlaceholderError::Deaf)?;
    match AudioTower::token_count(frames) {
        0 => Err(PlaceholderError::TooShort { frames }),
        count => Ok((audio, count)),
    }
}

fn checked_rate(video: &VideoGrid) -> Result<(), PlaceholderError> {
    let seconds = video.seconds_per_grid;
    if seconds > 0.0 && seconds.is_finite() { Ok(()) } else { Err(PlaceholderError::Rate { seconds }) }
}

/// Lengths of the chunks of a stream: the c-th opens at the first element at or after `c · size`, and one element opens
/// at most one, so a long pause leaves chunks of one element.
fn chunk_lengths(times: impl Iterator<Item = f64>, size: f64) -> Vec<usize> {
    let mut lengths = vec![0];
    for time in times {
        if time >= lengths.len() as f64 * size {
            lengths.push(0);
        }
        if let Some(length) = lengths.last_mut() {
            *length += 1;
        }
    }
    lengths
}
