//! What goes to a terminal: logs, colours, and text that cannot move the cursor.

use std::io::IsTerminal;

/// Sends `tracing` to stderr: warnings by default, more with `-v`; `GRM_LOG` takes a filter.
pub(crate) fn init_logs(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let level = ["warn,llama-cpp-2=error", "info,llama-cpp-2=error", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = EnvFilter::try_from_env("GRM_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .init();
}

/// Text with control characters removed, so that a model's output cannot drive the terminal. Line breaks and tabs stay.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// One line of at most `width` characters, ending in … when cut.
pub(crate) fn one_line(text: &str, width: usize) -> String {
    let line = plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= width {
        return line;
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Whether stdout takes colours: a terminal, unless `NO_COLOR`; `FORCE_COLOR` overrides.
pub(crate) fn colours() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value: std::ffi::OsString| !value.is_empty());
    set("FORCE_COLOR") || (std::io::stdout().is_terminal() && !set("NO_COLOR"))
}

/// ANSI styles, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }
    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }
    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }
    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }
    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\x07\u{9b}c\n"), "a[2Jbc\n");
        assert_eq!(one_line("one\n two\tthree", 8), "one two…");
    }
}
