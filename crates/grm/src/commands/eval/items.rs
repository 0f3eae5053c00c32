//! Items of a set on their way to judges: drawn, made into comparisons, placed by seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, bail};
use grm_core::{Choice, Comparison, Part, Prompt, Response, Turn};
use grm_data::{
    MediaFields, Order, ReadError, ReadOptions, Record,
    sets::{self, DataSet, Item, ItemPart, ItemTurn, MediaKind, MediaProblem, MediaSource, Truth},
};

use super::sample::{Draw, rank};
use crate::{
    recipe::{Data, Recipe},
    shards::Shard,
};

/// The name of a set that is a plain file of labelled pairs.
pub(super) const PAIRS: &str = "pairs";

/// Items that could not be used, by problem; filled while reading.
pub(super) type LeftOut = Arc<Mutex<BTreeMap<String, u64>>>;

/// Records left out that are reported one by one; the rest are only counted.
const LEFT_OUT_SHOWN: u64 = 5;

/// What is evaluated.
pub(super) enum Source {
    /// A known set in a folder.
    Known(&'static DataSet, PathBuf),
    /// A file of pairs.
    Pairs(PathBuf, ReadOptions),
}

/// An item as it is shown, and what a judge may not see.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) subset: String,
    pub(super) group: Option<String>,
    pub(super) truth: Truth,
    /// Which of the item's own two stands first in `shown`.
    pub(super) shown_first: Choice,
    /// As judges see it.
    pub(super) shown: Comparison,
    /// Why no judge that reads can be given it.
    pub(super) unshowable: Option<String>,
}

/// Items drawn, with the count where it is known before.
pub(super) struct Drawn {
    pub(super) items: Box<dyn Iterator<Item = anyhow::Result<Placed>> + Send>,
    pub(super) count: Option<u64>,
    pub(super) left_out: LeftOut,
}

impl Source {
    /// The set and folder the recipe names.
    pub(super) fn find(recipe: &Recipe) -> anyhow::Result<Self> {
        let name = recipe.eval.set.as_deref().context("no set is named; grm data list shows them")?;
        let folder = recipe.data.input.clone().context("no folder is named; give the set's folder after its name")?;
        if name == PAIRS {
            let Data { line_limit_bytes, max_text_bytes, .. } = recipe.data;
            // Chosen first, as sets have it: items are placed once, below.
            let order = Order::ChosenFirst;
            let media = MediaFields::Name;
            let options = ReadOptions { order, line_limit_bytes, max_text_bytes, media, ..ReadOptions::default() };
            return Ok(Self::Pairs(folder, options));
        }
        let Some(set) = sets::find(name) else {
            let near = sets::all().map(|set| set.name).min_by_key(|known| strsim::damerau_levenshtein(known, name));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            bail!("no set is called {name:?}{hint} (grm data list shows all; \"pairs\" is any file of labelled pairs)");
        };
        Ok(Self::Known(set, folder))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Known(_, path) | Self::Pairs(path, _) => path,
        }
    }

    /// Parts of the set that are not in its folder; a number over the rest is no number of the set.
    pub(super) fn missing(&self) -> Result<Vec<String>, ReadError> {
        match self {
            Self::Known(set, path) => sets::benchmarks::missing(set, path),
            Self::Pairs(..) => Ok(Vec::new()),
        }
    }

    fn open(&self) -> anyhow::Result<Box<dyn Iterator<Item = Result<Item, ReadError>> + Send>> {
        Ok(match self {
            Self::Known(set, path) => (set.open)(path)?,
            Self::Pairs(path, data) => Box::new(grm_data::open(path, data)?.filter_map(|record| match record {
                Ok(Record::Labelled(preference)) => Some(Ok(item_of(preference))),
                Ok(Record::Unlabelled(_)) => None,
                Err(error) => Some(Err(error)),
            })),
        })
    }

    /// The items the recipe is about. A sample is drawn in a pass of its own, so memory holds ranks only.
    ///
    /// Media that records hold themselves go into `store`.
    pub(super) fn draw(&self, recipe: &Recipe, store: &Path) -> anyhow::Result<Drawn> {
        let left_out = LeftOut::default();
        let wanted = match recipe.eval.sample {
            Some(count) => Some(self.drawn(recipe, count)?),
            None => None,
        };
        let shard = recipe.data.shard;
        let count = wanted.as_ref().map(|ranks| ranks.len() as u64);
        let count = count.map(|count| shard.map_or(count, |shard| shard.share(count)));
        let (seed, subsets) = (recipe.seed, recipe.eval.subsets.clone());
        let (skip, limit) = (recipe.data.skip.unwrap_or(0), recipe.data.limit.unwrap_or(u64::MAX));
        // One shard counts what cannot be used, so that counts add up.
        let counts = shard.is_none_or(Shard::counts_unusable);
        let readable = keep_usable(self.open()?, if counts { left_out.clone() } else { LeftOut::default() });
        let chosen = readable.filter(move |item| match item {
            Ok(item) => {
                in_subsets(&subsets, &item.subset)
                    && wanted.as_ref().is_none_or(|wanted| wanted.contains(&rank(seed, &item.id)))
            }
            Err(_) => true,
        });
        let places = Places {
            seed,
            root: self.path().to_owned(),
            store: store.to_owned(),
            without_media: recipe.data.without_media,
            has_warned: AtomicBool::new(false),
        };
        let [skip, limit] = [skip, limit].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let shared = chosen
            .skip(skip)
            .take(limit)
            .zip(0..)
            .filter(move |(item, place)| item.is_err() || shard.is_none_or(|shard| shard.holds(*place)));
        let placed = shared.map(move |(item, _)| Ok(places.place(&item?)));
        Ok(Drawn { items: Box::new(placed), count, left_out })
    }

    fn drawn(&self, recipe: &Recipe, count: u64) -> anyhow::Result<BTreeSet<u64>> {
        let mut draw = Draw::new(count, recipe.eval.each_subset);
        for item in keep_usable(self.open()?, LeftOut::default()) {
            let item = item?;
            if in_subsets(&recipe.eval.subsets, &item.subset) {
                draw.see(&item.subset, rank(recipe.seed, &item.id));
            }
        }
        Ok(draw.drawn())
    }
}

fn in_subsets(wanted: &[String], subset: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|prefix| subset.starts_with(prefix.as_str()))
}

/// A record that cannot be used is reported, counted and left out; a broken file ends the run.
fn keep_usable(
    items: impl Iterator<Item = Result<Item, ReadError>> + Send + 'static,
    left_out: LeftOut,
) -> impl Iterator<Item = anyhow::Result<Item>> + Send {
    items.filter_map(move |item| match item {
        Err(error) if error.is_skippable() => {
            let mut left_out = left_out.lock().unwrap_or_else(PoisonError::into_inner);
            if left_out.values().sum::<u64>() < LEFT_OUT_SHOWN {
                tracing::warn!("{error}; the item is left out");
            }
            *left_out.entry(crate::pairs::problem_of(&error)).or_default() += 1;
            None
        }
        other => Some(other.map_err(anyhow::Error::new)),
    })
}

/// A labelled pair of a plain file; the subset is what its id says of its source.
fn item_of(preference: grm_core::Preference) -> Item {
    let grm_core::Preference { comparison: Comparison { id, prompt, responses }, label } = preference;
    let part = |part: Part| match part {
        Part::Text { text } => ItemPart::Text(text),
        Part::Image { media } => ItemPart::Media(MediaKind::Image, MediaSource::File(media.path.into())),
        Part::Video { media } => ItemPart::Media(MediaKind::Video, MediaSource::File(media.path.into())),
        Part::Audio { media } => ItemPart::Media(MediaKind::Audio, MediaSource::File(media.path.into())),
    };
    let parts = |parts: Vec<Part>| parts.into_iter().map(part).collect::<Vec<_>>();
    let prompt = prompt.turns.into_iter().map(|turn| ItemTurn { role: turn.role, parts: parts(turn.parts) }).collect();
    let subset = crate::outcomes::source_in_id(&id).unwrap_or_default().to_owned();
    Item {
        id,
        subset,
        group: None,
        prompt,
        responses: responses.map(|response| parts(response.parts)),
        truth: label.into(),
        criterion: None,
    }
}

/// How items are placed.
struct Places {
    seed: u64,
    /// The set's folder or file.
    root: PathBuf,
    /// For media that records hold themselves.
    store: PathBuf,
    without_media: bool,
    /// Whether the first medium that cannot be had was reported; the table counts them all.
    has_warned: AtomicBool,
}

impl Places {
    fn place(&self, item: &Item) -> Placed {
        let (own, unshowable) = self.comparison(item);
        let shown_first = grm_data::chosen_place(self.seed, &item.id);
        Placed {
            subset: item.subset.clone(),
            group: item.group.clone(),
            truth: item.truth,
            shown_first,
            shown: match shown_first {
                Choice::First => own,
                Choice::Second => own.swapped(),
            },
            unshowable,
        }
    }

    /// The item with its media, each found and hashed. Where one cannot be had, its text and why no judge that reads is
    /// given it; without media on request, the text and nothing else.
    fn comparison(&self, item: &Item) -> (Comparison, Option<String>) {
        let item = &with_criterion(item);
        if self.without_media {
            return (text_of(item), None);
        }
        match item.comparison(&self.root, &self.store) {
            Ok(comparison) => (comparison, None),
            Err(MediaProblem { item: id, fault }) => {
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "item {id} is shown to no judge that reads, and so are others like it: {fault}; \
                         --without-media judges the text alone"
                    );
                }
                (text_of(item), Some(fault.to_string()))
            }
        }
    }
}

/// The criterion a preference was given under is part of the question.
fn with_criterion(item: &Item) -> Item {
    let mut item = item.clone();
    if let (Some(criterion), Some(last)) = (&item.criterion, item.prompt.last_mut()) {
        let words = format!("\nThe two responses are compared by this criterion: {criterion}");
        last.parts.push(ItemPart::Text(words));
    }
    item
}

/// The item's text alone.
fn text_of(item: &Item) -> Comparison {
    let text = |part: &ItemPart| match part {
        ItemPart::Text(text) => Some(Part::text(text.as_str())),
        ItemPart::Media(..) => None,
    };
    let parts = |parts: &[ItemPart]| parts.iter().filter_map(text).collect::<Vec<_>>();
    let turns = item.prompt.iter().map(|turn| Turn { role: turn.role, parts: parts(&turn.parts) }).collect();
    let responses = item.responses.each_ref().map(|response| Response { parts: parts(response) });
    Comparison { id: item.id.clone(), prompt: Prompt { turns }, responses }
}
