//! The verdict on a reply's final line.
//!
//! Only the last line that shows something counts; lines of nothing but markup (a closing code fence, a rule) show
//! nothing. Words around the verdict are tolerated ("Final Verdict: **[[A]]**"), both letters are not. Case and blanks
//! inside the brackets do not matter; `[A]`, `[[C]]`, `[[A]`, `［［A］］` and brackets with anything else inside are no
//! verdict.

use grm_core::{Choice, Finish, Invalid, Outcome};

use crate::reply::is_blank;

/// Reads the verdict off the final line of `text`.
///
/// A reply that met its token limit must end with the verdict: "[[A]] or" may have gone on to name the other.
pub(crate) fn verdict(text: &str, finish: Finish) -> Outcome<Choice> {
    let line = final_line(text);
    let mut found = None;
    let mut end = 0;
    for (choice, after) in verdicts(line) {
        if found.is_some_and(|first| first != choice) {
            return Err(Invalid::BothVerdicts);
        }
        (found, end) = (Some(choice), after);
    }
    let open_end = finish == Finish::Length && line[end..].contains(|c: char| c.is_alphanumeric() || c == '[');
    match found {
        Some(choice) if !open_end => Ok(choice),
        _ if finish == Finish::Length => Err(Invalid::Truncated),
        _ => Err(Invalid::MissingVerdict),
    }
}

/// True when the final line names a verdict, or both.
pub(crate) fn names_a_verdict(text: &str) -> bool {
    verdicts(final_line(text)).next().is_some()
}

fn final_line(text: &str) -> &str {
    let shows = |c: char| !is_blank(c) && !matches!(c, '`' | '*' | '_' | '~' | '-' | '=' | '#' | '$');
    text.rsplit(['\n', '\r']).find(|line| line.contains(shows)).unwrap_or_default()
}

/// Every `[[A]]` and `[[B]]` of a line, with the position after it.
fn verdicts(line: &str) -> impl Iterator<Item = (Choice, usize)> {
    line.match_indices('[').filter_map(|(at, _)| {
        let inside = line[at..].strip_prefix("[[")?.trim_start();
        let choice = match inside.as_bytes().first()? {
            b'A' | b'a' => Choice::First,
            b'B' | b'b' => Choice::Second,
            _ => return None,
        };
        let after = inside[1..].trim_start().strip_prefix("]]")?;
        Some((choice, line.len() - after.len()))
    })
}
