//! Comparisons and preferences out of a file of any accepted shape.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use grm_core::{Choice, Comparison, Part, Preference};

use crate::ids::Ids;
use crate::placement::chosen_place;
use crate::row::Row;
use crate::shapes::Shape;
use crate::sources::{self, Rows};
use crate::usable::{Draft, Known};
use crate::{Place, ReadError, Spot};

/// A pair, with or without its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The better response is known.
    Labelled(Preference),
    /// It is not.
    Unlabelled(Comparison),
}

impl Record {
    /// The record with its text alone.
    #[must_use]
    pub fn without_media(self) -> Self {
        match self {
            Self::Labelled(Preference { comparison, label }) => {
                Self::Labelled(Preference { comparison: text_alone(comparison), label })
            }
            Self::Unlabelled(comparison) => Self::Unlabelled(text_alone(comparison)),
        }
    }

    /// What a judge may see.
    #[must_use]
    pub fn comparison(&self) -> &Comparison {
        match self {
            Self::Labelled(preference) => &preference.comparison,
            Self::Unlabelled(comparison) => comparison,
        }
    }

    /// The response people preferred, where the file says.
    #[must_use]
    pub fn label(&self) -> Option<Choice> {
        match self {
            Self::Labelled(preference) => Some(preference.label),
            Self::Unlabelled(_) => None,
        }
    }
}

fn text_alone(mut comparison: Comparison) -> Comparison {
    let is_text = |part: &Part| matches!(part, Part::Text { .. });
    comparison.prompt.turns.iter_mut().for_each(|turn| turn.parts.retain(is_text));
    comparison.responses.iter_mut().for_each(|response| response.parts.retain(is_text));
    comparison
}

/// Which record shape a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Told by the field names of its first record.
    #[default]
    Auto,
    /// `prompt`, `chosen`, `rejected`.
    ChosenRejected,
    /// `prompt`, `response_a`, `response_b`, perhaps `label`.
    ResponsePair,
    /// RMB's pairwise files.
    Rmb,
    /// [`Comparison`] or [`Preference`] as grm writes them.
    Own,
}

/// Where a chosen response is placed. A record with an order of its own keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// First or second as seed and id decide.
    #[default]
    Seeded,
    /// Always first: for looking at data, never for judging.
    ChosenFirst,
}

/// What becomes of fields that name pictures, clips or sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MediaFields {
    /// They end the reading: for commands that would otherwise use the text as if it were all.
    #[default]
    Refuse,
    /// Their files are found beside the record's file, hashed and made parts of prompt and responses.
    Name,
}

/// How files are read; the default suits a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Decides, with each id, where the chosen response is placed.
    pub seed: u64,
    /// Where a chosen response is placed.
    pub order: Order,
    /// Which record shape is read.
    pub format: Format,
    /// Split `Human:` / `Assistant:` prompts into turns instead of keeping one user text.
    pub split_transcripts: bool,
    /// Stop after this many records.
    pub limit: Option<u64>,
    /// A longer line or array element is refused unread.
    pub line_limit_bytes: u64,
    /// A longer prompt or response makes its record unusable.
    pub max_text_bytes: usize,
    /// What becomes of media.
    pub media: MediaFields,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            order: Order::Seeded,
            format: Format::Auto,
            split_transcripts: false,
            limit: None,
            line_limit_bytes: 16 << 20,
            max_text_bytes: 1 << 20,
            media: MediaFields::Refuse,
        }
    }
}

/// A stream of records. It ends after an error that is not [skippable](ReadError::is_skippable).
pub struct Records {
    options: ReadOptions,
    waiting: VecDeque<PathBuf>,
    several: bool,
    file: Option<(Rows, Option<Shape>)>,
    ids: Ids,
    given: u64,
    over: bool,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { options, waiting, given, over, .. } = self;
        let mut out = out.debug_struct("Records");
        out.field("options", options).field("waiting", waiting).field("given", given).field("over", over);
        out.finish_non_exhaustive()
    }
}

/// Opens one file. JSON lines, a JSON array and parquet are told apart by their first bytes.
pub fn open(path: &Path, options: &ReadOptions) -> Result<Records, ReadError> {
    open_all(&[path.to_owned()], options)
}

/// Opens several files as one stream, in the order given. Ids from their records get the file's stem and a `/` before
/// them, so that `7` of two files stays two pairs.
pub fn open_all(paths: &[PathBuf], options: &ReadOptions) -> Result<Records, ReadError> {
    let mut records = Records {
        options: options.clone(),
        waiting: paths.iter().cloned().collect(),
        several: paths.len() > 1,
        file: None,
        ids: Ids::default(),
        given: 0,
        over: false,
    };
    for path in paths.iter().skip(1) {
        let place = || Place { file: path.clone(), spot: Spot::Whole };
        std::fs::metadata(path).map_err(|source| ReadError::Io { place: place(), source })?;
    }
    records.next_file()?;
    Ok(records)
}

impl Records {
    /// How many records so far had an id that an earlier one had too; they were given `#2`, `#3`, ….
    #[must_use]
    pub fn repeated_ids(&self) -> u64 {
        self.ids.repeated
    }

    fn next_file(&mut self) -> Result<bool, ReadError> {
        let path = self.waiting.pop_front();
        self.file = path.map(|path| sources::open(&path, &self.options)).transpose()?.map(|rows| (rows, None));
        Ok(self.file.is_some())
    }

    fn next_row(&mut self) -> Result<Option<(Row, Shape)>, ReadError> {
        loop {
            let Some((rows, shape)) = &mut self.file else { return Ok(None) };
            if let Some(row) = rows.next().transpose()? {
                let shape = match *shape {
                    Some(shape) => shape,
                    None => {
                        let names: Vec<&str> = row.fields.keys().map(String::as_str).collect();
                        *shape.insert(Shape::of(self.options.format, &names, &row.place)?)
                    }
                };
                return Ok(Some((row, shape)));
            }
            self.next_file()?;
        }
    }

    fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        let Some((row, shape)) = self.next_row()? else { return Ok(None) };
        let draft = shape.read(&row, &self.options)?;
        let problem = draft.check(self.options.max_text_bytes);
        problem.map_err(|problem| ReadError::Unusable { place: row.place.clone(), problem })?;
        Ok(Some(self.placed(draft, &row.place)))
    }

    fn placed(&mut self, draft: Draft, place: &Place) -> Record {
        let id = self.ids.unique(self.id(draft.id, place));
        let Draft { prompt, responses: [first, second], known, .. } = draft;
        let comparison = |responses| Comparison { id: id.clone(), prompt, responses };
        let chosen = match (known, self.options.order) {
            (Known::Nothing, _) => return Record::Unlabelled(comparison([first, second])),
            (Known::Label(label), _) => {
                return Record::Labelled(Preference { comparison: comparison([first, second]), label });
            }
            (Known::FirstChosen, Order::ChosenFirst) => Choice::First,
            (Known::FirstChosen, Order::Seeded) => chosen_place(self.options.seed, &id),
        };
        let responses = match chosen {
            Choice::First => [first, second],
            Choice::Second => [second, first],
        };
        Record::Labelled(Preference { comparison: comparison(responses), label: chosen })
    }

    fn id(&self, own: Option<String>, place: &Place) -> String {
        let stem = place.file.file_stem().unwrap_or_default().to_string_lossy();
        match (own, place.spot) {
            (Some(id), _) if self.several => format!("{stem}/{id}"),
            (Some(id), _) => id,
            (None, Spot::Line(number) | Spot::Element(number) | Spot::Row(number)) => format!("{stem}:{number}"),
            (None, Spot::Whole) => stem.into_owned(),
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over || self.options.limit.is_some_and(|limit| self.given >= limit) {
            return None;
        }
        let item = self.next_record().transpose();
        match &item {
            None => self.over = true,
            Some(Ok(_)) => self.given += 1,
            Some(Err(error)) => self.over = !error.is_skippable(),
        }
        item
    }
}
