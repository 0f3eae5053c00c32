//! Dialogues written as one text, `Human:` and `Assistant:` before each turn.

use grm_core::{Role, Turn};

const MARKS: [(&str, Role); 2] = [("Human:", Role::User), ("Assistant:", Role::Assistant)];

/// The turns of a text that begins with a mark; a last, empty turn (the place for the reply) is left out.
pub(crate) fn turns(text: &str) -> Option<Vec<Turn>> {
    let mut turns = Vec::new();
    let (mut role, mut rest) = mark(text.trim_start())?;
    while let Some((end, next_role, next)) = next_mark(rest) {
        turns.push(Turn::text(role, rest[..end].trim()));
        (role, rest) = (next_role, next);
    }
    if !rest.trim().is_empty() {
        turns.push(Turn::text(role, rest.trim()));
    }
    Some(turns)
}

/// Two whole dialogues as what they share, up to its last reply mark, and the two replies.
pub(crate) fn shared<'a>(chosen: &'a str, rejected: &'a str) -> Option<(&'a str, [&'a str; 2])> {
    mark(chosen.trim_start())?;
    let same = chosen.bytes().zip(rejected.bytes()).take_while(|(left, right)| left == right).count();
    let reply = "\n\nAssistant:";
    let end = (0..=same).rev().find(|end| chosen.is_char_boundary(*end) && chosen[..*end].ends_with(reply))?;
    Some((chosen[..end].strip_suffix(reply)?.trim(), [chosen[end..].trim(), rejected[end..].trim()]))
}

fn mark(text: &str) -> Option<(Role, &str)> {
    MARKS.iter().find_map(|(mark, role)| Some((*role, text.strip_prefix(mark)?)))
}

/// The next mark that opens a paragraph: where its blank line begins, whose turn it is, and what follows.
fn next_mark(text: &str) -> Option<(usize, Role, &str)> {
    text.match_indices("\n\n").find_map(|(end, blank)| {
        let (role, rest) = mark(&text[end + blank.len()..])?;
        Some((end, role, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_becomes_turns() {
        let text = "\n\nHuman: Where is\n\nthe key?\n\nAssistant: Under it.\n\nHuman: Thanks\n\nAssistant:";
        let expected = [
            Turn::text(Role::User, "Where is\n\nthe key?"),
            Turn::text(Role::Assistant, "Under it."),
            Turn::text(Role::User, "Thanks"),
        ];
        assert_eq!(turns(text).unwrap(), expected);
        assert_eq!(turns("No marks, but Human: later"), None);
    }

    #[test]
    fn two_dialogues_part_at_their_last_shared_reply_mark() {
        let start = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye\n\nAssistant:";
        let (chosen, rejected) = (format!("{start} Gently é"), format!("{start} Gently è"));
        let (prompt, replies) = shared(&chosen, &rejected).unwrap();
        assert_eq!(prompt, start.strip_suffix("\n\nAssistant:").unwrap().trim());
        assert_eq!(replies, ["Gently é", "Gently è"]);
        assert_eq!(shared("plain", "text"), None);
    }
}
