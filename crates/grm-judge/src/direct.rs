//! Contract: thinking form `<think>` criteria and analyses `</think>` and then the verdict; non-thinking form the
//! verdict alone.
//!
//! Both are read alike: the verdict is on the final line after the thinking. What the thinking says is not parsed, so
//! no verdict inside it counts.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use grm_core::{Choice, Criterion, Finish, Form, Grammar, Invalid, Judgment, Outcome};

use crate::final_line;
use crate::gbnf::WORD_CHARACTER;
use crate::refusal::is_refusal;
use crate::reply::answer;
use crate::sanitize::neutralise;

/// Reads the verdict of a direct judgment.
pub fn parse(reply: &str, finish: Finish) -> Outcome<Choice> {
    let answer = answer(reply, finish)?;
    match final_line::verdict(answer, finish) {
        Err(Invalid::MissingVerdict) if is_refusal(answer) => Err(Invalid::Refused),
        outcome => outcome,
    }
}

/// The thinking form of a judgment that was made under criteria: what a model is trained to answer.
#[must_use]
pub fn render(criteria: &[Criterion], judgment: &Judgment) -> String {
    let mut text = String::from("<think>\n");
    for (index, criterion) in criteria.iter().enumerate() {
        let (name, explanation) = (neutralise(&criterion.name), neutralise(&criterion.explanation));
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}. **{name}**: {explanation}", index + 1);
    }
    for (choice, critique) in Choice::BOTH.into_iter().zip(&judgment.critiques) {
        let _ = writeln!(text, "Response {}: {}", choice.letter(), neutralise(critique));
    }
    let _ = write!(text, "</think>\n[[{}]]", judgment.preferred.letter());
    text
}

/// Thinking: three criteria, both analyses, the verdict. Non-thinking: the verdict.
///
/// The two bounded repetitions stand in rules of their own, used three and two times.
#[must_use]
pub fn grammar(form: Form) -> Grammar {
    static THINKING: LazyLock<Grammar> = LazyLock::new(thinking_grammar);
    static VERDICT: LazyLock<Grammar> = LazyLock::new(|| Grammar {
        name: Arc::from("direct verdict"),
        gbnf: Arc::from("root ::= \"[[A]]\" | \"[[B]]\"\n"),
    });
    match form {
        Form::Thinking => THINKING.clone(),
        Form::NonThinking => VERDICT.clone(),
    }
}

fn thinking_grammar() -> Grammar {
    let gbnf = format!(
        "root ::= \"<think>\\n1. \" criterion \"2. \" criterion \"3. \" criterion \"Response A: \" analysis \
         \"Response B: \" analysis \"</think>\\n\" (\"[[A]]\" | \"[[B]]\")\n\
         criterion ::= \"**\" name \"**: \" explanation \"\\n\"\n\
         name ::= word name-character{{2,59}}\n\
         name-character ::= [^<>*:\\x5B\\x5D\\x00-\\x1F\\x7F]\n\
         explanation ::= word text-character{{14,219}}\n\
         analysis ::= word text-character{{19,499}} \"\\n\"\n\
         text-character ::= [^<\\x00-\\x1F\\x7F]\n\
         word ::= {WORD_CHARACTER}\n"
    );
    Grammar { name: Arc::from("direct thinking"), gbnf: Arc::from(gbnf) }
}
