//! What is to be learnt: tokenised examples, those to train on and those held out.

use grm_model::TokenRow;

use crate::objective::ObjectiveKind;

/// A row whose targets are to be learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftRow {
    /// Named in errors.
    pub id: String,
    /// Prompt and target.
    pub row: TokenRow,
}

/// Two answers to one prompt, one of them better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpoPair {
    /// Named in errors.
    pub id: String,
    /// Prompt and better answer.
    pub chosen: TokenRow,
    /// Prompt and worse answer.
    pub rejected: TokenRow,
}

/// Two rows whose last tokens are scored, one of them to score higher.
#[derive(Debug, Clone, PartialEq)]
pub struct RewardPair {
    /// Named in errors.
    pub id: String,
    /// The better one.
    pub chosen: TokenRow,
    /// The worse one.
    pub rejected: TokenRow,
    /// By how much it should be better at least, in units of reward; 0 where that is not known.
    pub margin: f64,
}

/// Examples to train on and examples held out.
#[derive(Debug, Clone, PartialEq)]
pub struct Split<E> {
    /// Trained on.
    pub train: Vec<E>,
    /// Evaluated only; may be empty.
    pub held_out: Vec<E>,
}

/// The objective together with its examples.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Cross-entropy on targets; the network gives log-probabilities.
    Sft(Split<SftRow>),
    /// Preferences between answers; the network gives log-probabilities.
    Dpo(Split<DpoPair>),
    /// Preferences between rewards; the network gives one reward a row.
    BradleyTerry(Split<RewardPair>),
}

impl Task {
    /// Which objective it is.
    #[must_use]
    pub fn kind(&self) -> ObjectiveKind {
        match self {
            Self::Sft(_) => ObjectiveKind::Sft,
            Self::Dpo(_) => ObjectiveKind::Dpo,
            Self::BradleyTerry(_) => ObjectiveKind::BradleyTerry,
        }
    }

    /// All examples in the shape the loop works on.
    pub(crate) fn examples(&self) -> Split<Example<'_>> {
        match self {
            Self::Sft(split) => split.map(|example| Example::new(&example.id, vec![&example.row])),
            Self::Dpo(split) => split.map(|pair| Example::new(&pair.id, vec![&pair.chosen, &pair.rejected])),
            Self::BradleyTerry(split) => split.map(|pair| Example {
                margin: pair.margin,
                ..Example::new(&pair.id, vec![&pair.chosen, &pair.rejected])
            }),
        }
    }
}

impl<E> Split<E> {
    fn map<'a, F>(&'a self, change: impl Fn(&'a E) -> F) -> Split<F> {
        Split { train: self.train.iter().map(&change).collect(), held_out: self.held_out.iter().map(&change).collect() }
    }
}

/// An example of any task: one row, or a chosen and a rejected one.
#[derive(Debug, Clone)]
pub(crate) struct Example<'a> {
    pub(crate) id: &'a str,
    pub(crate) rows: Vec<&'a TokenRow>,
    pub(crate) margin: f64,
}

impl<'a> Example<'a> {
    fn new(id: &'a str, rows: Vec<&'a TokenRow>) -> Self {
        Self { id, rows, margin: 0.0 }
    }

    /// Tokens of its longest row.
    pub(crate) fn longest(&self) -> usize {
        self.rows.iter().map(|row| row.tokens.len()).max().unwrap_or(0)
    }

    /// Tokens of all its rows.
    pub(crate) fn tokens(&self) -> usize {
        self.rows.iter().map(|row| row.tokens.len()).sum()
    }
}

/// The rows of a micro-batch: the first row of every example, then the second of every example.
pub(crate) fn rows(examples: &[&Example]) -> Vec<TokenRow> {
    let sides = examples.first().map_or(0, |example| example.rows.len());
    (0..sides).flat_map(|side| examples.iter().map(move |example| example.rows[side].clone())).collect()
}
