//! The towers before a decoder: from the media of rows to features, and back for those who train towers.
//!
//! In a batch every distinct medium stands once. Its placeholders are given numbers beyond the vocabulary, one for each
//! feature, so that rows with the same picture share what they share ([`crate::decoder::Layout::packed`]) and rows with
//! different pictures do not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};

use super::{
    AudioTower, LogMel, Media, Medium, ThinkerConfig, TowerError, VisionTower, Visual, grid::PATCH_VALUES, positions,
};
use crate::{
    decoder::{Line, Order},
    network::{Gradients, RowError, TokenRow},
    parameters,
    weights::{WeightError, Weights},
};

/// What features of media may take together, in numbers: 512 MiB.
const KEPT_NUMBERS_MAX: usize = 128 << 20;

/// Both towers, named as checkpoints name them below the `thinker.`.
#[derive(Module, Debug)]
pub(crate) struct Towers {
    /// For pictures and clips.
    pub(crate) visual: VisionTower,
    /// For sounds; Qwen2.5-VL has none.
    pub(crate) audio_tower: Option<AudioTower>,
}

/// Towers, their configuration, and the features they gave last.
#[derive(Debug, Clone)]
pub(crate) struct Senses {
    pub(crate) config: ThinkerConfig,
    pub(crate) towers: Towers,
    kept: Arc<Mutex<Kept>>,
}

/// Features by a medium's name, what is shown before what is heard.
#[derive(Debug, Default)]
struct Kept {
    by_name: BTreeMap<String, Tensor<2>>,
    numbers: usize,
}

/// A row whose placeholders have numbers of their own.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) tokens: Vec<u32>,
    pub(crate) positions: Option<Vec<[u32; 3]>>,
}

impl Placed {
    pub(crate) fn line(&self) -> Line<'_> {
        Line { tokens: &self.tokens, positions: self.positions.as_deref() }
    }
}

impl Senses {
    pub(crate) fn new(config: ThinkerConfig, towers: Towers) -> Self {
        Self { config, towers, kept: Arc::default() }
    }

    /// Reads the towers from a store; `place` names it in errors.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, a value that is not finite.
    pub(crate) fn load(
        config: ThinkerConfig,
        weights: &dyn Weights,
        place: &str,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let visual = VisionTower::new(config.vision.clone(), weights, place, device)?;
        let ears = config.audio.clone().map(|audio| AudioTower::new(audio, weights, place, device));
        let towers = Towers { visual, audio_tower: ears.transpose()? };
        Ok(Self::new(config, towers))
    }

    pub(crate) fn sections(&self) -> [usize; 3] {
        self.config.mrope_section
    }

    /// Gives placeholders their features' numbers and finds every token's place in time, height and width.
    pub(crate) fn place(&self, rows: &[TokenRow], table: &mut FeatureTable) -> Result<Vec<Placed>, RowError> {
        let place = |(row, tokens): (usize, &TokenRow)| {
            self.place_row(tokens, table).map_err(|what| RowError::Media { row, what })
        };
        rows.iter().enumerate().map(place).collect()
    }

    fn place_row(&self, row: &TokenRow, table: &mut FeatureTable) -> Result<Placed, String> {
        let mut sizes = Media::default();
        row.media.iter().for_each(|medium| medium.add_to(&mut sizes));
        let positions = positions(&row.tokens, &sizes, &self.config).map_err(|error| error.to_string())?.axes;
        let mut waiting = Waiting::of(row, table);
        let ids = &self.config.tokens;
        let number = |&token: &u32| match token {
            _ if token == ids.image => waiting.images.next(),
            _ if token == ids.video => waiting.videos.next(),
            _ if ids.audio.is_some_and(|audio| token == audio.audio) => waiting.sounds.next(),
            _ => Some(token),
        };
        let tokens: Option<Vec<u32>> = row.tokens.iter().map(number).collect();
        let tokens = tokens.expect("positions are only found for as many placeholders as there are features");
        Ok(Placed { tokens, positions: Some(positions) })
    }

    /// The features of media, `[features, hidden]`, each computed once while they are kept.
    ///
    /// # Errors
    /// A medium whose numbers are not those of its size.
    pub(crate) fn features(&self, media: &[Arc<Medium>], device: &Device) -> Result<Tensor<2>, TowerError> {
        let known = |medium: &Arc<Medium>| self.kept().by_name.get(&medium.name).cloned();
        let mut features: Vec<Option<Tensor<2>>> = media.iter().map(known).collect();
        let missing: Vec<usize> = (0..media.len()).filter(|&index| features[index].is_none()).collect();
        let new: Vec<&Medium> = missing.iter().map(|&index| &*media[index]).collect();
        for (index, made) in missing.into_iter().zip(self.towers.each(&new, device)?) {
            self.kept().keep(&media[index].name, &made);
            features[index] = Some(made);
        }
        Ok(Tensor::cat(features.into_iter().flatten().collect(), 0))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds the lock")
    }

    /// The same with the way back.
    ///
    /// # Errors
    /// As [`Senses::features`].
    pub(crate) fn record(&self, media: &[Arc<Medium>], device: &Device) -> Result<TowerGraph, TowerError> {
        let towers = self.towers.clone().train();
        let media: Vec<&Medium> = media.iter().map(|medium| &**medium).collect();
        let output = Tensor::cat(towers.each(&media, device)?, 0);
        Ok(TowerGraph { towers, output })
    }

    pub(crate) fn set_trainable(self, trainable: &dyn Fn(&str) -> bool) -> Self {
        Self::new(self.config, parameters::set_trainable(self.towers, "", trainable))
    }

    /// Changed towers; features of the old ones are forgotten.
    pub(crate) fn updated(
        self,
        which: &BTreeSet<String>,
        change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>,
    ) -> Self {
        Self::new(self.config, parameters::map(self.towers, "", which, change))
    }
}

impl Kept {
    /// Forgets everything when it grows too large: simple, and media of one pair come together.
    fn keep(&mut self, name: &str, features: &Tensor<2>) {
        let [rows, width] = features.dims();
        if self.numbers + rows * width > KEPT_NUMBERS_MAX {
            *self = Self::default();
        }
        self.numbers += rows * width;
        self.by_name.insert(name.to_owned(), features.clone());
    }
}

impl Towers {
    /// Features of each medium: of what is shown, then of what is heard. Pictures and clips go through together, and so
    /// do sounds.
    fn each(&self, media: &[&Medium], device: &Device) -> Result<Vec<Tensor<2>>, TowerError> {
        let visuals: Vec<&Visual> = media.iter().filter_map(|medium| medium.visual.as_ref()).collect();
        let sounds: Vec<&LogMel> = media.iter().filter_map(|medium| medium.sound.as_ref()).collect();
        let counts =
            |part: usize| media.iter().map(move |medium| medium.feature_counts()[part]).filter(|&count| count > 0);
        let mut seen = split(self.see(&visuals, device)?, counts(0));
        let mut heard = split(self.hear(&sounds)?, counts(1));
        let features = |medium: &&Medium| {
            let visual = medium.visual.as_ref().and_then(|_| seen.next());
            let sound = medium.sound.as_ref().and_then(|_| heard.next());
            Tensor::cat(visual.into_iter().chain(sound).collect(), 0)
        };
        Ok(media.iter().map(features).collect())
    }

    fn see(&self, visuals: &[&Visual], device: &Device) -> Result<Option<Tensor<2>>, TowerError> {
        if visuals.is_empty() {
            return Ok(None);
        }
        let values: Vec<f32> = visuals.iter().flat_map(|visual| visual.patches.iter().copied()).collect();
        let grids: Vec<_> = visuals.iter().map(|visual| visual.grid).collect();
        let patches = values.len() / PATCH_VALUES;
        if values.len() != patches * PATCH_VALUES {
            let expected = grids.iter().map(|grid| grid.patch_count()).sum();
            return Err(TowerError::Patches { given: [1, values.len()], expected: [expected, PATCH_VALUES] });
        }
        let patches = Tensor::from_data(TensorData::new(values, [patches, PATCH_VALUES]), device);
        self.visual.forward(patches, &grids).map(Some)
    }

    fn hear(&self, sounds: &[&LogMel]) -> Result<Option<Tensor<2>>, TowerError> {
        let Some(tower) = self.audio_tower.as_ref().filter(|_| !sounds.is_empty()) else { return Ok(None) };
        let mels: Vec<_> = sounds.iter().map(|sound| sound.input()).collect();
        tower.forward(&mels).map(Some)
    }
}

/// Cuts features along their rows.
fn split(features: Option<Tensor<2>>, counts: impl Iterator<Item = usize>) -> impl Iterator<Item = Tensor<2>> {
    let mut start = 0;
    counts.map_while(move |count| {
        start += count;
        features.as_ref().map(|features| features.clone().narrow(0, start - count, count))
    })
}

/// Where each distinct medium's features begin, in numbers beyond the vocabulary.
#[derive(Debug)]
pub(crate) struct FeatureTable {
    next: usize,
    starts: BTreeMap<String, usize>,
    /// In the order of their features.
    pub(crate) media: Vec<Arc<Medium>>,
}

impl FeatureTable {
    /// An empty table; the first feature is numbered `first`.
    pub(crate) fn new(first: usize) -> Self {
        Self { next: first, starts: BTreeMap::new(), media: Vec::new() }
    }

    /// Where new tokens find their first hidden states, given the features of those media alone that are among them.
    pub(crate) fn order(&self, tokens: &[u32], vocabulary: usize) -> (Order, Vec<Arc<Medium>>) {
        let (mut media, mut starts, mut next) = (Vec::new(), BTreeMap::new(), vocabulary);
        let renumber = |&token: &u32| {
            let number = token as usize;
            if number < vocabulary {
                return token;
            }
            let medium = self.holder(number);
            let start = *starts.entry(medium.name.as_str()).or_insert_with(|| {
                let [visual, sound] = medium.feature_counts();
                media.push(medium.clone());
                next += visual + sound;
                next - visual - sound
            });
            (start + number - self.starts[&medium.name]) as u32
        };
        let tokens: Vec<u32> = tokens.iter().map(renumber).collect();
        (Order::of(&tokens, vocabulary), media)
    }

    /// The medium one of whose features has this number.
    fn holder(&self, number: usize) -> &Arc<Medium> {
        let after = self.media.partition_point(|medium| self.starts[&medium.name] <= number);
        &self.media[after - 1]
    }

    fn start(&mut self, medium: &Arc<Medium>) -> usize {
        if let Some(&start) = self.starts.get(&medium.name) {
            return start;
        }
        let start = self.next;
        let [visual, sound] = medium.feature_counts();
        self.next += visual + sound;
        self.starts.insert(medium.name.clone(), start);
        self.media.push(medium.clone());
        start
    }
}

/// Features a row's placeholders still wait for, by kind, each in the order of the media.
struct Waiting {
    images: std::vec::IntoIter<u32>,
    videos: std::vec::IntoIter<u32>,
    sounds: std::vec::IntoIter<u32>,
}

impl Waiting {
    fn of(row: &TokenRow, table: &mut FeatureTable) -> Self {
        let (mut images, mut videos, mut sounds) = (Vec::new(), Vec::new(), Vec::new());
        for medium in &row.media {
            let start = table.start(medium) as u32;
            let [visual, sound] = medium.feature_counts();
            let is_clip = medium.visual.as_ref().is_some_and(|visual| visual.seconds_per_grid.is_some());
            let shown = if is_clip { &mut videos } else { &mut images };
            shown.extend(start..start + visual as u32);
            sounds.extend(start + visual as u32..start + (visual + sound) as u32);
        }
        Self { images: images.into_iter(), videos: videos.into_iter(), sounds: sounds.into_iter() }
    }
}

/// Towers run with gradients.
#[derive(Debug)]
pub(crate) struct TowerGraph {
    towers: Towers,
    output: Tensor<2>,
}

impl TowerGraph {
    pub(crate) fn features(&self) -> Tensor<2> {
        self.output.clone().inner()
    }

    pub(crate) fn feature_count(&self) -> usize {
        self.output.dims()[0]
    }

    /// Carries the gradient of the features back to the towers' parameters.
    pub(crate) fn backward(self, gradient: Tensor<2>, into: &mut Gradients) {
        let mut gradients = (self.output * gradient.autodiff()).sum().backward();
        parameters::collect(&self.towers, "", &mut gradients, into);
    }
}
