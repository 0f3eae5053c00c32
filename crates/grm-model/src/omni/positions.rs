//! Positions in time, height and width for each token of a row (`TMRoPE`).
//!
//! Text counts on in all three at once. A picture's cells stand at one time and spread over rows and columns; a clip's
//! cells also move on in time, by seconds and not by frames; a sound's tokens are text that goes 25 steps a second. A
//! clip and its own sound start together. Whatever comes after starts after the greatest position of the last token.

use super::{
    config::{AudioTokens, ThinkerConfig},
    grid::Grid,
    media::{Media, MediaKind, VideoGrid},
};

/// Steps in time above which a clip is refused: f32 would no longer count them singly.
const TIME_MAX: f32 = 16_777_216.0;

/// The positions of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positions {
    /// Time, height and width of each token.
    pub axes: Vec<[u32; 3]>,
    /// What is added to the number of tokens before it to get the position of a generated token, in all three axes.
    pub delta: i64,
}

/// A row whose placeholders are not those of its media.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PositionError {
    /// A placeholder for media that are not there.
    #[error("token {at} stands for a {kind}, but the row has no more of them; give each placeholder its {kind}")]
    Missing {
        /// Index of the token.
        at: usize,
        /// What it stands for.
        kind: MediaKind,
    },
    /// Fewer placeholders than the medium has tokens.
    #[error("a {kind} of {tokens} tokens is cut short at token {at}; expand each placeholder to its {kind}'s tokens")]
    CutShort {
        /// Index of the first token that is something else.
        at: usize,
        /// What is cut short.
        kind: MediaKind,
        /// Its tokens.
        tokens: usize,
    },
    /// Media without placeholders.
    #[error("{count} more of kind {kind} than the row has places for; give each its placeholder")]
    Unused {
        /// Of what.
        kind: MediaKind,
        /// How many.
        count: usize,
    },
    /// A clip with sound that is not closed.
    #[error("the clip with sound is not closed at token {at}; the ends of sound and picture must follow it")]
    Unclosed {
        /// Index of the token that should be the sound's end.
        at: usize,
    },
    /// A clip that lasts forever, or runs backwards.
    #[error("a clip cannot have {seconds} seconds between its frame pairs; give 2 / frames a second")]
    Rate {
        /// As given.
        seconds: f64,
    },
}

/// Positions of one row without padding. Placeholders must be expanded ([`expand`](super::expand)).
///
/// # Errors
/// Placeholders that do not match the media.
pub fn positions(tokens: &[u32], media: &Media, config: &ThinkerConfig) -> Result<Positions, PositionError> {
    let mut walk = Walk { tokens, config, axes: Vec::with_capacity(tokens.len()), next: 0 };
    let (mut images, mut videos, mut sounds) = (media.images.iter(), media.videos.iter(), media.sounds.iter());
    while let Some(&token) = tokens.get(walk.axes.len()) {
        let missing = |kind| PositionError::Missing { at: walk.axes.len(), kind };
        let audio = config.tokens.audio;
        if token == config.tokens.image {
            let grid = images.next().ok_or_else(|| missing(MediaKind::Image))?;
            walk.run(&cells(*grid, walk.next, |_| 0), token, MediaKind::Image)?;
        } else if token == config.tokens.video {
            let video = videos.next().ok_or_else(|| missing(MediaKind::Video))?;
            walk.run(&walk.frames(video)?, token, MediaKind::Video)?;
        } else if audio.is_some_and(|audio| audio.audio == token) {
            let &sound = sounds.next().ok_or_else(|| missing(MediaKind::Sound))?;
            walk.run(&beats(sound, walk.next), token, MediaKind::Sound)?;
        } else if let Some(audio) = audio.filter(|audio| walk.is_clip_with_sound(*audio)) {
            let video = videos.next().ok_or_else(|| missing(MediaKind::Video))?;
            let &sound = sounds.next().ok_or_else(|| missing(MediaKind::Sound))?;
            walk.clip_with_sound(video, sound, audio)?;
        } else {
            walk.text();
        }
    }
    let unused =
        [(MediaKind::Image, images.count()), (MediaKind::Video, videos.count()), (MediaKind::Sound, sounds.count())];
    match unused.into_iter().find(|(_, count)| *count > 0) {
        Some((kind, count)) => Err(PositionError::Unused { kind, count }),
        None => Ok(walk.finished()),
    }
}

/// A row while its positions are given out.
struct Walk<'a> {
    tokens: &'a [u32],
    config: &'a ThinkerConfig,
    axes: Vec<[u32; 3]>,
    next: u32,
}

impl Walk<'_> {
    fn text(&mut self) {
        self.axes.push([self.next; 3]);
        self.next += 1;
    }

    /// Gives `places` to as many tokens, which must all be `placeholder`.
    fn run(&mut self, places: &[[u32; 3]], placeholder: u32, kind: MediaKind) -> Result<(), PositionError> {
        let first = self.axes.len();
        let tokens = places.len();
        let same = self.tokens[first..].iter().take(tokens).take_while(|&&token| token == placeholder).count();
        if same < tokens {
            return Err(PositionError::CutShort { at: first + same, kind, tokens });
        }
        self.axes.extend(places);
        self.go_on();
        Ok(())
    }

    fn go_on(&mut self) {
        self.next = self.axes.last().map_or(0, |place| greatest(place) + 1);
    }

    /// The token that opens the sound of a clip follows the one that opens the clip.
    fn is_clip_with_sound(&self, audio: AudioTokens) -> bool {
        let at = self.axes.len();
        let before = at.checked_sub(1).map(|before| self.tokens[before]);
        self.tokens[at] == audio.start && before == Some(self.config.tokens.vision_start)
    }

    /// From the sound's start to the clip's end: both start where the clip's start stands, plus one, and both ends
    /// share a position. Cells and sound are told apart by their tokens, in whatever order they are interleaved.
    ///
    /// The reference goes on from the greatest position of the last chunk alone. A chunk's last token has its greatest
    /// position in every axis, so that is the last token's.
    fn clip_with_sound(&mut self, video: &VideoGrid, sound: usize, audio: AudioTokens) -> Result<(), PositionError> {
        self.axes.push(self.axes.last().copied().unwrap_or_default());
        let (cells, beats) = (self.frames(video)?, beats(sound, self.next));
        let (mut cell, mut beat) = (cells.iter(), beats.iter());
        for _ in 0..cells.len() + beats.len() {
            let at = self.axes.len();
            let token = self.tokens.get(at).copied();
            let (is_cell, is_beat) = (token == Some(self.config.tokens.video), token == Some(audio.audio));
            let place = if is_cell { cell.next() } else { is_beat.then(|| beat.next()).flatten() };
            let (kind, tokens) =
                if cell.len() > 0 { (MediaKind::Video, cells.len()) } else { (MediaKind::Sound, beats.len()) };
            self.axes.push(*place.ok_or(PositionError::CutShort { at, kind, tokens })?);
        }
        self.go_on();
        let at = self.axes.len();
        if self.tokens.get(at..at + 2) != Some(&[audio.end, self.config.tokens.vision_end]) {
            return Err(PositionError::Unclosed { at });
        }
        self.axes.extend([[self.next; 3]; 2]);
        self.next += 1;
        Ok(())
    }

    /// A clip's cells; the time of a frame pair is computed in f32 and cut, as the reference does.
    fn frames(&self, video: &VideoGrid) -> Result<Vec<[u32; 3]>, PositionError> {
        let (seconds, steps) = (video.seconds_per_grid as f32, self.config.position_ids_per_second as f32);
        let last = video.grid.time() as f32 * seconds * steps;
        if !(seconds > 0.0 && last < TIME_MAX) {
            return Err(PositionError::Rate { seconds: video.seconds_per_grid });
        }
        Ok(cells(video.grid, self.next, |frame| (frame as f32 * seconds * steps) as u32))
    }

    fn finished(self) -> Positions {
        let after = self.axes.iter().map(greatest).max().map_or(0, |last| i64::from(last) + 1);
        Positions { delta: after - self.axes.len() as i64, axes: self.axes }
    }
}

fn cells(grid: Grid, start: u32, time: impl Fn(usize) -> u32) -> Vec<[u32; 3]> {
    let [rows, columns] = grid.cells();
    let mut places = Vec::with_capacity(grid.token_count());
    for frame in 0..grid.time() {
        for row in 0..rows {
            places.extend((0..columns).map(|column| [start + time(frame), start + row as u32, start + column as u32]));
        }
    }
    places
}

fn beats(sound: usize, start: u32) -> Vec<[u32; 3]> {
    (0..sound).map(|beat| [start + beat as u32; 3]).collect()
}

fn greatest(place: &[u32; 3]) -> u32 {
    place.iter().copied().max().unwrap_or_default()
}
