//! Replies that break their contract, a share of them by hash.

use super::{Written, judgment, task::Task};
use crate::canonical::{Key, number_of, share_of};

#[derive(Clone, Copy)]
enum Flaw {
    NoVerdict,
    BothVerdicts,
    Contradiction,
    Cut,
    Refusal,
    TooFew,
    Empty,
}

/// Breaks the reply if its hash falls into the share.
pub(super) fn spoil(written: Written, task: &Task<'_>, key: &Key, share: f64) -> Written {
    if share_of(key, "malformed") >= share {
        return written;
    }
    let flaws: &[Flaw] = match task {
        Task::Criteria { .. } => &[Flaw::TooFew, Flaw::Cut, Flaw::Refusal],
        Task::Judgment { .. } => &[Flaw::NoVerdict, Flaw::BothVerdicts, Flaw::Contradiction, Flaw::Cut, Flaw::Refusal],
        Task::Thinking { .. } => &[Flaw::NoVerdict, Flaw::BothVerdicts, Flaw::Cut, Flaw::Refusal],
        Task::Verdict { .. } => &[Flaw::NoVerdict, Flaw::BothVerdicts, Flaw::Refusal],
        Task::Refinement { .. } => &[Flaw::Cut, Flaw::Refusal, Flaw::Empty],
        Task::Other => &[Flaw::Empty],
    };
    apply(flaws[number_of(key, "flaw") as usize % flaws.len()], written)
}

fn apply(flaw: Flaw, written: Written) -> Written {
    let Written { text, lean, .. } = written;
    let whole = |text: String| Written { text, cut: false, lean };
    match flaw {
        Flaw::NoVerdict => whole(without_last_line(&text).unwrap_or("Both have their strengths.").to_owned()),
        Flaw::BothVerdicts => whole(format!("{} [[A]] [[B]]", without_last_line(&text).unwrap_or_default())),
        Flaw::Contradiction => {
            let other = judgment::verdict(-lean);
            whole(format!("{}\n{other}", without_last_line(&text).unwrap_or_default()))
        }
        Flaw::Cut => Written { text: first_half(&text), cut: true, lean },
        Flaw::Refusal => whole("I'm sorry, but I can't help with that.".to_owned()),
        Flaw::TooFew => whole(without_last_line(&text).unwrap_or_default().to_owned()),
        Flaw::Empty => whole(String::new()),
    }
}

fn without_last_line(text: &str) -> Option<&str> {
    text.rsplit_once('\n').map(|(rest, _)| rest)
}

pub(super) fn first_half(text: &str) -> String {
    text.chars().take(text.chars().count() / 2).collect()
}

#[cfg(test)]
mod tests {
    use super::super::write;
    use crate::config::MockConfig;

    const PROMPT: &str = "[Response A]\none two\n[End of Response A]\n[Response B]\nthree four\n[End of Response B]\n[Criteria]\n1. **N**: e\n[End of Criteria]\n<Judge A>x</Judge A> [[A]] or [[B]]";

    fn replies(malformed: f64) -> Vec<super::Written> {
        let config = MockConfig { malformed, ..MockConfig::default() };
        (0..400_u32).map(|n| write(PROMPT, false, blake3::hash(&n.to_le_bytes()).as_bytes(), &config)).collect()
    }

    #[test]
    fn none_unless_asked_for() {
        assert!(replies(0.0).iter().all(|reply| !reply.cut && reply.text.matches("[[").count() == 1));
    }

    #[test]
    fn every_flaw_occurs_in_about_the_share() {
        let (whole, broken) = (replies(0.0), replies(0.5));
        let different = whole.iter().zip(&broken).filter(|(a, b)| a != b).count();
        assert!((160..240).contains(&different), "{different}");
        let count = |test: &dyn Fn(&super::Written) -> bool| broken.iter().filter(|reply| test(reply)).count();
        assert!(count(&|reply| reply.cut) > 10);
        assert!(count(&|reply| reply.text.contains("[[A]] [[B]]")) > 10);
        assert!(count(&|reply| reply.text.contains("can't help")) > 10);
        assert!(count(&|reply| reply.text.ends_with("</Judge B>")) > 10);
    }
}
