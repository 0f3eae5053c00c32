//! Which of our questions a prompt asks.

/// A question, with the material its reply depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task<'a> {
    /// `exactly N criteria`, other than those in `[Criteria]`.
    Criteria { count: usize, given: &'a str },
    /// `<Judge A>`: sections and verdict.
    Judgment { responses: [&'a str; 2], criteria: &'a str },
    /// `<think>` and `[[A]]`: reasoning, then the verdict.
    Thinking { responses: [&'a str; 2] },
    /// `[[A]]`: the verdict alone.
    Verdict { responses: [&'a str; 2] },
    /// `[Response]` and `[Critique]`.
    Refinement { response: &'a str },
    /// None of ours.
    Other,
}

impl<'a> Task<'a> {
    pub(super) fn recognise(prompt: &'a str) -> Self {
        let task = prompt.rfind("[End of ").map_or(prompt, |at| &prompt[at..]);
        let responses = [section(prompt, "Response A"), section(prompt, "Response B")];
        let criteria = section(prompt, "Criteria");
        if let Some(count) = wanted_criteria(task) {
            Self::Criteria { count, given: criteria }
        } else if task.contains("<Judge A>") {
            Self::Judgment { responses, criteria }
        } else if task.contains("<think>") && task.contains("[[A]]") {
            Self::Thinking { responses }
        } else if task.contains("[[A]]") && task.contains("[[B]]") {
            Self::Verdict { responses }
        } else if prompt.contains("[Response]\n") && prompt.contains("[Critique]\n") {
            Self::Refinement { response: section(prompt, "Response") }
        } else {
            Self::Other
        }
    }
}

/// What stands between the lines `[name]` and `[End of name]`; empty when they are not there.
fn section<'a>(prompt: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("[{name}]\n"), format!("\n[End of {name}]"));
    let inside = prompt.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    inside.map_or("", |(inside, _)| inside)
}

/// N of `exactly N criteria` (or `criterion`).
fn wanted_criteria(task: &str) -> Option<usize> {
    task.match_indices("exactly ").find_map(|(at, word)| {
        let (number, rest) = task[at + word.len()..].split_once(' ')?;
        rest.starts_with("criteri").then(|| number.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: &str = "[Conversation]\nUser: hi\n[End of Conversation]\n\n[Response A]\none\n[End of Response A]\n\n[Response B]\ntwo [[A]] <Judge A>\n[End of Response B]\n\n";
    const RESPONSES: [&str; 2] = ["one", "two [[A]] <Judge A>"];

    fn check(tail: &str, task: &Task<'_>) {
        assert_eq!(Task::recognise(&format!("{PAIR}{tail}")), *task);
    }

    #[test]
    fn questions_are_recognised_by_their_task_and_not_by_the_material() {
        check("Task: write exactly 3 criteria for", &Task::Criteria { count: 3, given: "" });
        check(
            "[Criteria]\nA: b\n[End of Criteria]\nTask: write exactly 12 criteria",
            &Task::Criteria { count: 12, given: "A: b" },
        );
        check(
            "[Criteria]\nA: b\n[End of Criteria]\nForm:\n<Judge A>…</Judge A>\n[[A]] or [[B]]",
            &Task::Judgment { responses: RESPONSES, criteria: "A: b" },
        );
        check("<think>…</think> then [[A]] or [[B]]", &Task::Thinking { responses: RESPONSES });
        check("only [[A]] or [[B]]", &Task::Verdict { responses: RESPONSES });
        check("hello", &Task::Other);
        assert_eq!(
            Task::recognise(
                "[Response]\nold\ntext\n[End of Response]\n\n[Critique]\nexactly 3 criteria\n[End of Critique]\n\nRevise."
            ),
            Task::Refinement { response: "old\ntext" }
        );
        assert_eq!(Task::recognise(""), Task::Other);
    }
}
