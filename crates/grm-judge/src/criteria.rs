//! Contract: exactly N items `<criteria i>**Name**: explanation</criteria i>`, none repeating one that was given.
//!
//! The parser keeps every usable item and says beside them what was wrong with the reply. An item runs from its
//! opening tag to the next criteria tag of any kind, so gaps in the numbering, a closing tag without its slash (as in
//! the paper's own example) and one left out all read as meant. A usable item has a name of at most 100 characters, an
//! explanation of at most 1000, and a name seen neither in the reply before nor among those given. Without `**` the
//! first colon ends the name. An item the token limit cut open is not used; an echo of the form (`**Name**: …`)
//! neither.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use grm_core::{Criterion, Finish, Grammar, Invalid};

use crate::gbnf::WORD_CHARACTER;
use crate::refusal::is_refusal;
use crate::reply::{answer, is_blank};
use crate::tags::tags;

const NAME_MAX: usize = 100;
const EXPLANATION_MAX: usize = 1000;

/// What a reply to the criteria prompt holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CriteriaReply {
    /// The usable items in order: at most as many as wanted, no two alike, none of those given.
    pub criteria: Vec<Criterion>,
    /// How the reply fell short of the contract, if it did.
    pub problem: Option<Invalid>,
}

/// Reads up to `wanted` criteria that repeat none of `given`.
#[must_use]
pub fn parse(reply: &str, finish: Finish, wanted: usize, given: &[Criterion]) -> CriteriaReply {
    let answer = match answer(reply, finish) {
        Ok(answer) => answer,
        Err(problem) => return CriteriaReply { criteria: Vec::new(), problem: Some(problem) },
    };
    let mut seen: HashSet<String> = given.iter().map(Criterion::duplicate_key).collect();
    let mut criteria = Vec::new();
    let (mut repeats, mut more) = (false, false);
    for criterion in items(answer, finish).filter_map(read_item) {
        if !seen.insert(criterion.duplicate_key()) {
            repeats = true;
        } else if criteria.len() < wanted {
            criteria.push(criterion);
        } else {
            more = true;
            break;
        }
    }
    let problem = match criteria.len() {
        _ if more => Some(Invalid::TooManyCriteria),
        found if found == wanted => repeats.then_some(Invalid::DuplicateCriteria),
        _ if finish == Finish::Length => Some(Invalid::Truncated),
        _ if repeats => Some(Invalid::DuplicateCriteria),
        0 if is_refusal(answer) => Some(Invalid::Refused),
        0 => Some(Invalid::NoCriteria),
        _ => Some(Invalid::TooFewCriteria),
    };
    CriteriaReply { criteria, problem }
}

/// The text after each opening tag, up to the next tag.
fn items(answer: &str, finish: Finish) -> impl Iterator<Item = &str> {
    let numbered = |argument: &str| argument.bytes().all(|byte| byte.is_ascii_digit());
    let mut all = tags(answer, "criteria").filter(move |tag| numbered(tag.argument)).peekable();
    std::iter::from_fn(move || {
        loop {
            let tag = all.next()?;
            let end = match all.peek() {
                Some(next) => next.start,
                // The reply ends inside the item: whole if the model stopped there, cut if the limit did.
                None if finish == Finish::Length => return None,
                None => answer.len(),
            };
            if !tag.closing {
                return Some(&answer[tag.end..end]);
            }
        }
    })
}

fn read_item(text: &str) -> Option<Criterion> {
    if text.len() > 4 * (NAME_MAX + EXPLANATION_MAX) {
        return None;
    }
    let text = text.trim_matches(is_blank).trim_start_matches(|c: char| c.is_ascii_digit() || "-.)•# ".contains(c));
    let (name, explanation) = split_at_bold(text).or_else(|| split_at_colon(text))?;
    let name = one_line(name.trim_matches(|c: char| is_blank(c) || "*_\"`:：".contains(c)));
    let explanation = one_line(explanation.trim_start_matches(is_separator));
    let criterion = Criterion { name, explanation };
    let key = criterion.duplicate_key();
    let usable = !key.is_empty()
        && key != "name"
        && criterion.name.chars().count() <= NAME_MAX
        && criterion.explanation.chars().count() <= EXPLANATION_MAX
        && criterion.explanation.contains(char::is_alphanumeric);
    usable.then_some(criterion)
}

/// `**Name**: explanation`, `**Name:** explanation`.
fn split_at_bold(text: &str) -> Option<(&str, &str)> {
    let (name, explanation) = text.strip_prefix("**")?.split_once("**")?;
    explanation.contains(char::is_alphanumeric).then_some((name, explanation))
}

/// `Name: explanation`, `Name - explanation`.
fn split_at_colon(text: &str) -> Option<(&str, &str)> {
    text.split_once([':', '：'])
        .or_else(|| text.split_once(" - "))
        .or_else(|| text.split_once(" – "))
        .or_else(|| text.split_once(" — "))
}

fn is_separator(character: char) -> bool {
    is_blank(character) || ":：-–—*.".contains(character)
}

fn one_line(text: &str) -> String {
    text.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The reply that states these criteria in the contract's form.
#[must_use]
pub fn render(criteria: &[Criterion]) -> String {
    let mut text = String::new();
    for (index, criterion) in criteria.iter().enumerate() {
        let number = index + 1;
        let line_break = if index == 0 { "" } else { "\n" };
        let Criterion { name, explanation } = criterion;
        // Writing into a string cannot fail.
        let _ = write!(text, "{line_break}<criteria {number}>**{name}**: {explanation}</criteria {number}>");
    }
    text
}

/// Exactly `wanted` items; names of 3 to 60 characters, explanations of 15 to `explanation_max` (at most 220).
///
/// llama.cpp spells `{m,n}` out as up to n rules, so both repetitions stand in a rule of their own and are expanded
/// once, not once an item: about 290 rules and one for each item. Repeated names are beyond a grammar.
#[must_use]
pub fn grammar(wanted: usize, explanation_max: usize) -> Grammar {
    let explanation_max = explanation_max.clamp(40, 220);
    let mut root = String::from("root ::=");
    for number in 1..=wanted.max(1) {
        let line_break = if number == 1 { "" } else { "\\n" };
        let _ = write!(root, " \"{line_break}<criteria {number}>\" item \"</criteria {number}>\"");
    }
    let gbnf = format!(
        "{root}\n\
         item ::= \"**\" name \"**: \" explanation\n\
         name ::= word name-character{{2,59}}\n\
         name-character ::= [^<>*:\\x5B\\x5D\\x00-\\x1F\\x7F]\n\
         explanation ::= word text-character{{14,{}}}\n\
         text-character ::= [^<\\x00-\\x1F\\x7F]\n\
         word ::= {WORD_CHARACTER}\n",
        explanation_max - 1
    );
    Grammar { name: Arc::from("criteria"), gbnf: Arc::from(gbnf) }
}
