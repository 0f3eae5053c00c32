//! Contract: `<Judge A>critique Score: n</Judge A>`, the same for B, then the verdict alone on the last line.
//!
//! - Both sections stand once each and are closed; otherwise [`Invalid::MalformedSections`]. So is a section without
//!   a critique: the policy refines by it.
//! - The verdict is read from the final line *after* the sections; a `[[A]]` quoted inside a section never counts.
//! - A section's score is its last `Score: n`, an integer from 1 to 10, `/10` and markup allowed.
//! - Scores that favour the other response make the judgment [`Invalid::Contradictory`]; equal scores do not.
//! - A reply that met its token limit before all this is [`Invalid::Truncated`].

use std::fmt::Write;
use std::sync::Arc;

use grm_core::{Choice, Finish, Grammar, Invalid, Outcome};

use crate::final_line;
use crate::gbnf::WORD_CHARACTER;
use crate::refusal::is_refusal;
use crate::reply::{answer, is_blank, starts_with_ignore_case};
use crate::tags::{Tag, tags};

/// Bounds of a critique under the grammar, in characters.
const CRITIQUE_MIN: usize = 40;
const CRITIQUE_MAX: usize = 500;

/// A judgment as one reply states it, A first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedJudgment {
    /// The response the final line names.
    pub preferred: Choice,
    /// The integer scores, 1 to 10.
    pub scores: [u8; 2],
    /// What was said about each response, without the score.
    pub critiques: [String; 2],
}

/// Reads one judgment, or says why there is none.
pub fn parse(reply: &str, finish: Finish) -> Outcome<ParsedJudgment> {
    let answer = answer(reply, finish)?;
    let (sections, rest) = sections(answer).ok_or_else(|| without_sections(answer, finish))?;
    let preferred = final_line::verdict(rest, finish)?;
    let (first, first_score) = read_section(sections[0])?;
    let (second, second_score) = read_section(sections[1])?;
    let better = match first_score.cmp(&second_score) {
        std::cmp::Ordering::Greater => Some(Choice::First),
        std::cmp::Ordering::Less => Some(Choice::Second),
        std::cmp::Ordering::Equal => None,
    };
    if better.is_some_and(|better| better != preferred) {
        return Err(Invalid::Contradictory);
    }
    Ok(ParsedJudgment { preferred, scores: [first_score, second_score], critiques: [first, second] })
}

/// The sections of A and B, whichever came first, and the text after both.
fn sections(answer: &str) -> Option<([&str; 2], &str)> {
    let mut judge_tags = tags(answer, "judge").filter(|tag| side(tag).is_some());
    let four = [judge_tags.next()?, judge_tags.next()?, judge_tags.next()?, judge_tags.next()?];
    let [open_one, close_one, open_two, close_two] = four;
    let well_formed = [open_one, close_one, open_two, close_two].map(|tag| tag.closing) == [false, true, false, true]
        && side(&open_one) == side(&close_one)
        && side(&open_two) == side(&close_two)
        && side(&open_one) != side(&open_two)
        && judge_tags.next().is_none();
    let one = &answer[open_one.end..close_one.start];
    let two = &answer[open_two.end..close_two.start];
    let in_order = if side(&open_one) == Some(Choice::First) { [one, two] } else { [two, one] };
    well_formed.then(|| (in_order, &answer[close_two.end..]))
}

fn side(tag: &Tag<'_>) -> Option<Choice> {
    Choice::BOTH.into_iter().find(|choice| tag.argument.eq_ignore_ascii_case(choice.letter().encode_utf8(&mut [0; 4])))
}

fn without_sections(answer: &str, finish: Finish) -> Invalid {
    if finish == Finish::Length {
        return Invalid::Truncated;
    }
    let nothing_of_it = !final_line::names_a_verdict(answer) && tags(answer, "judge").next().is_none();
    if nothing_of_it && is_refusal(answer) { Invalid::Refused } else { Invalid::MalformedSections }
}

/// The critique and the score of one section.
fn read_section(section: &str) -> Outcome<(String, u8)> {
    let mark = section
        .rmatch_indices(['s', 'S'])
        .filter(|(at, _)| !section[..*at].ends_with(char::is_alphanumeric))
        .find_map(|(at, _)| score_mark(&section[at..]).map(|(score, length)| (at, score, length)));
    let (at, score, length) = mark.ok_or(Invalid::MissingScore)?;
    let score = score.ok_or(Invalid::MissingScore)?;
    let critique = critique(&section[..at], &section[at + length..]);
    if critique.contains(char::is_alphanumeric) { Ok((critique, score)) } else { Err(Invalid::MalformedSections) }
}

/// `Score: 7`, `**Score**: 7/10`, `score (1-10) = [7]`: the score, if it is one, and the length of the mark. `None`
/// where the word is not followed by a colon or an equals sign.
fn score_mark(text: &str) -> Option<(Option<u8>, usize)> {
    let is_markup = |c: char| is_blank(c) || "*_`".contains(c);
    if !starts_with_ignore_case(text, "score") {
        return None;
    }
    let rest = without_parenthesis(text["score".len()..].trim_start_matches(is_markup)).trim_start_matches(is_markup);
    let rest = rest.strip_prefix([':', '：', '='])?;
    let rest = rest.trim_start_matches(|c: char| is_markup(c) || "[(<\"".contains(c));
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(digits);
    let rest = rest.trim_start_matches(|c| "])>*_`\"".contains(c));
    let Some(rest) = out_of_ten(rest) else { return Some((None, text.len())) };
    let score = number.parse().ok().filter(|score| (1..=10).contains(score));
    Some((score, text.len() - rest.len()))
}

/// The text without a short remark in parentheses at its start, such as `(1-10)`.
fn without_parenthesis(text: &str) -> &str {
    const REMARK_MAX: usize = 24;
    let remark = text.strip_prefix('(').and_then(|rest| rest.bytes().take(REMARK_MAX).position(|byte| byte == b')'));
    remark.map_or(text, |end| &text[end + 2..])
}

/// What follows `/10` or `out of 10`; `None` when the number goes on as a fraction, a range or another scale.
fn out_of_ten(text: &str) -> Option<&str> {
    let scale = text.trim_start();
    if let Some(rest) = scale.strip_prefix('/').or_else(|| scale.strip_prefix("out of ")) {
        let rest = rest.trim_start().strip_prefix("10")?;
        return (!rest.starts_with(|c: char| c.is_ascii_digit())).then_some(rest);
    }
    let goes_on = text.strip_prefix(['.', ',', '-', '–', '~']).is_some_and(|rest| rest.starts_with(char::is_numeric));
    (!goes_on).then_some(text)
}

/// The section's text with the score mark taken out.
fn critique(before: &str, after: &str) -> String {
    let is_lead_in = |c: char| is_blank(c) || "*_#`([-–—".contains(c);
    let mut before = before.trim_matches(is_blank).trim_end_matches(is_lead_in);
    for word in ["overall", "final", "total"] {
        let start = before.len().saturating_sub(word.len());
        if before.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(word)) {
            before = before[..start].trim_end_matches(is_lead_in);
        }
    }
    let after = after.trim_matches(is_blank).trim_start_matches(|c: char| is_blank(c) || "*_`.,;)]".contains(c));
    if before.is_empty() || after.is_empty() { format!("{before}{after}") } else { format!("{before} {after}") }
}

/// The reply that states this judgment in the contract's form.
#[must_use]
pub fn render(judgment: &ParsedJudgment) -> String {
    let ParsedJudgment { preferred, scores: [score_a, score_b], critiques: [critique_a, critique_b] } = judgment;
    let letter = preferred.letter();
    format!(
        "<Judge A>{critique_a} Score: {score_a}</Judge A>\n<Judge B>{critique_b} Score: {score_b}</Judge B>\n[[{letter}]]"
    )
}

/// Two sections, each with a critique of one line and 20 to `critique_max` (at most 500) characters and a score, then a
/// verdict that agrees with the scores.
///
/// One alternative for each score of A says which scores of B go with which verdict, so a contradiction cannot be
/// written. The critique's repetition, which llama.cpp spells out as some 500 rules, stands in one rule used twice.
#[must_use]
pub fn grammar(critique_max: usize) -> Grammar {
    let critique_max = critique_max.clamp(CRITIQUE_MIN, CRITIQUE_MAX);
    let by_score: Vec<String> = (1..=10).map(|score| format!("\"{score}\" then-{score}")).collect();
    let mut gbnf = format!("root ::= \"<Judge A>\" critique ({})\n", by_score.join(" | "));
    for score in 1..=10 {
        let mut verdicts = vec![format!("\"{score}\" end (\"[[A]]\" | \"[[B]]\")")];
        if score > 1 {
            verdicts.push(format!("({}) end \"[[A]]\"", alternatives(1..=score - 1)));
        }
        if score < 10 {
            verdicts.push(format!("({}) end \"[[B]]\"", alternatives(score + 1..=10)));
        }
        // Writing into a string cannot fail.
        let _ = writeln!(gbnf, "then-{score} ::= between critique ({})", verdicts.join(" | "));
    }
    gbnf.push_str("between ::= \"</Judge A>\\n<Judge B>\"\n");
    gbnf.push_str("end ::= \"</Judge B>\\n\"\n");
    let _ = writeln!(gbnf, "critique ::= word text-character{{19,{}}} \" Score: \"", critique_max - 1);
    gbnf.push_str("text-character ::= [^<\\x00-\\x1F\\x7F]\n");
    let _ = writeln!(gbnf, "word ::= {WORD_CHARACTER}");
    Grammar { name: Arc::from("judgment"), gbnf: Arc::from(gbnf) }
}

fn alternatives(scores: std::ops::RangeInclusive<u8>) -> String {
    scores.map(|score| format!("\"{score}\"")).collect::<Vec<_>>().join(" | ")
}
