//! Template files to skeletons: our words, and the places other people's go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

/// A file of this many bytes or more is no template.
const SOURCE_MAX: u64 = 64 * 1024;
/// Bytes a template may render to.
const OUTPUT_MAX: usize = 256 * 1024;
/// Instructions a template may take.
const FUEL: u64 = 50_000;
const RECURSION_MAX: usize = 32;

/// Around the name of a slot in rendered text; refused in template files.
const SLOT_OPEN: char = '\u{1}';
const SLOT_CLOSE: char = '\u{2}';

/// A template folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The folder or a file in it could not be read.
    #[error("could not read {}; is the path right?", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A template file that stands for no prompt.
    #[error("{} is not the name of a prompt; the names are {names}", path.display())]
    UnknownName {
        /// The file.
        path: PathBuf,
        /// All that are known.
        names: String,
    },
    /// A file too large to be a template.
    #[error("{} has {bytes} bytes, but a prompt template has at most {SOURCE_MAX}; is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The template language does not accept it.
    #[error("could not use {}, line {line}; correct it, or remove the file to use the built-in template", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What the template engine said.
        #[source]
        source: minijinja::Error,
    },
    /// Something the prompt needs is nowhere in it.
    #[error("{} never shows {{{{ {slot} }}}}; add it where it belongs", path.display())]
    MissingSlot {
        /// The file.
        path: PathBuf,
        /// What is missing.
        slot: &'static str,
    },
    /// A placeholder went through a filter, or the file holds control characters.
    #[error(
        "{} changes a value before showing it, or holds control characters; write {{{{ name }}}} without filters",
        path.display()
    )]
    AlteredSlot {
        /// The file.
        path: PathBuf,
    },
}

/// A place to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Conversation,
    ResponseA,
    ResponseB,
    Response,
    Given,
    Criteria,
    Count,
    Critique,
}

impl Slot {
    const ALL: [Self; 8] = [
        Self::Conversation,
        Self::ResponseA,
        Self::ResponseB,
        Self::Response,
        Self::Given,
        Self::Criteria,
        Self::Count,
        Self::Critique,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::ResponseA => "response_a",
            Self::ResponseB => "response_b",
            Self::Response => "response",
            Self::Given => "given",
            Self::Criteria => "criteria",
            Self::Count => "count",
            Self::Critique => "critique",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(Arc<str>),
    Slot(Slot),
}

/// A rendered template with its places still open.
#[derive(Debug, Clone)]
pub(super) struct Skeleton {
    pub(super) pieces: Vec<Piece>,
}

impl Skeleton {
    /// The skeleton with more of our words at its end.
    pub(super) fn followed_by(mut self, text: &str) -> Self {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => *last = format!("{last}{text}").into(),
            _ => self.pieces.push(Piece::Text(text.into())),
        }
        self
    }

    /// Our words alone.
    pub(super) fn plain_text(&self) -> Arc<str> {
        let texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(&**text),
            Piece::Slot(_) => None,
        });
        texts.collect::<String>().into()
    }
}

/// A template file: its name, its built-in text, what it must show, and the flags its conditions may ask for.
struct File {
    name: &'static str,
    builtin: &'static str,
    slots: &'static [Slot],
    flags: &'static [&'static str],
}

const FILES: [File; 10] = [
    File { name: "system.j2", builtin: include_str!("system.j2"), slots: &[], flags: &[] },
    File { name: "system_media.j2", builtin: include_str!("system_media.j2"), slots: &[], flags: &[] },
    File {
        name: "pair.j2",
        builtin: include_str!("pair.j2"),
        slots: &[Slot::Conversation, Slot::ResponseA, Slot::ResponseB],
        flags: &[],
    },
    File {
        name: "criteria.j2",
        builtin: include_str!("criteria.j2"),
        slots: &[Slot::Given, Slot::Count],
        flags: &["given", "single"],
    },
    File { name: "judgment.j2", builtin: include_str!("judgment.j2"), slots: &[Slot::Criteria], flags: &["several"] },
    File { name: "direct_thinking.j2", builtin: include_str!("direct_thinking.j2"), slots: &[], flags: &[] },
    File { name: "direct_verdict.j2", builtin: include_str!("direct_verdict.j2"), slots: &[], flags: &[] },
    File { name: "refinement_system.j2", builtin: include_str!("refinement_system.j2"), slots: &[], flags: &[] },
    File {
        name: "response.j2",
        builtin: include_str!("response.j2"),
        slots: &[Slot::Conversation, Slot::Response],
        flags: &[],
    },
    File { name: "refinement.j2", builtin: include_str!("refinement.j2"), slots: &[Slot::Critique], flags: &[] },
];

/// The text of every template and where it came from.
pub(super) struct Sources {
    files: Vec<Source>,
}

struct Source {
    file: &'static File,
    path: PathBuf,
    text: String,
}

impl Sources {
    pub(super) fn builtin() -> Self {
        static FILES: [File; 10] = self::FILES;
        let source = |file: &'static File| Source { file, path: file.name.into(), text: file.builtin.to_owned() };
        Self { files: FILES.iter().map(source).collect() }
    }

    /// The built-in texts, replaced by the `.j2` files of a folder; other files in it are left alone.
    pub(super) fn with_overrides(folder: &Path) -> Result<Self, PromptError> {
        let mut sources = Self::builtin();
        let unreadable = |source| PromptError::Unreadable { path: folder.to_owned(), source };
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "j2") {
                sources.replace(path)?;
            }
        }
        Ok(sources)
    }

    fn replace(&mut self, path: PathBuf) -> Result<(), PromptError> {
        let named = |source: &&mut Source| path.file_name().is_some_and(|name| name == source.file.name);
        let Some(source) = self.files.iter_mut().find(named) else {
            let names = self.files.iter().map(|source| source.file.name).collect::<Vec<_>>().join(", ");
            return Err(PromptError::UnknownName { path, names });
        };
        source.text = read(&path)?;
        source.path = path;
        Ok(())
    }

    fn source(&self, name: &str) -> &Source {
        #[expect(clippy::expect_used, reason = "names are constants of this crate")]
        self.files.iter().find(|source| source.file.name == name).expect("a template of that name")
    }

    /// The template rendered with these flags set and a placeholder in every slot.
    pub(super) fn skeleton(&self, name: &str, flags: &[&str]) -> Result<Skeleton, PromptError> {
        let source = self.source(name);
        let skeleton = source.split(&source.render(flags)?)?;
        for &slot in source.file.slots {
            let shown = skeleton.pieces.iter().any(|piece| matches!(piece, Piece::Slot(shown) if *shown == slot));
            let expected = slot != Slot::Given || flags.contains(&slot.name());
            if expected && !shown {
                return Err(PromptError::MissingSlot { path: source.path.clone(), slot: slot.name() });
            }
        }
        Ok(skeleton)
    }

    /// 16 hex digits over the texts of these templates.
    pub(super) fn hash(&self, names: &[&str]) -> Arc<str> {
        let mut hasher = blake3::Hasher::new();
        for name in names {
            let text = &self.source(name).text;
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex()[..16].into()
    }
}

fn read(path: &Path) -> Result<String, PromptError> {
    let unreadable = |source| PromptError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > SOURCE_MAX {
        return Err(PromptError::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

impl Source {
    fn render(&self, flags: &[&str]) -> Result<String, PromptError> {
        let wrong = |source: minijinja::Error| PromptError::Template {
            path: self.path.clone(),
            line: source.line().unwrap_or(1),
            source,
        };
        let mut values: BTreeMap<&str, Value> =
            self.file.flags.iter().map(|flag| (*flag, Value::from(flags.contains(flag)))).collect();
        for slot in self.file.slots.iter().filter(|slot| **slot != Slot::Given || flags.contains(&slot.name())) {
            values.insert(slot.name(), Value::from(format!("{SLOT_OPEN}{}{SLOT_CLOSE}", slot.name())));
        }
        let environment = environment();
        let template = environment.template_from_named_str(self.file.name, &self.text).map_err(wrong)?;
        let mut output = Capped::default();
        template.render_captured_to(Value::from(values), &mut output).map_err(wrong)?;
        Ok(String::from_utf8_lossy(&output.bytes).into_owned())
    }

    fn split(&self, rendered: &str) -> Result<Skeleton, PromptError> {
        let altered = || PromptError::AlteredSlot { path: self.path.clone() };
        let mut pieces = Vec::new();
        let mut rest = rendered.trim();
        while let Some((text, from_slot)) = rest.split_once(SLOT_OPEN) {
            let (name, after) = from_slot.split_once(SLOT_CLOSE).ok_or_else(altered)?;
            let slot = Slot::ALL.into_iter().find(|slot| slot.name() == name).ok_or_else(altered)?;
            if !text.is_empty() {
                pieces.push(Piece::Text(text.into()));
            }
            pieces.push(Piece::Slot(slot));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        let stray = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains([SLOT_OPEN, SLOT_CLOSE]));
        if pieces.iter().any(stray) { Err(altered()) } else { Ok(Skeleton { pieces }) }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    #[expect(clippy::expect_used, reason = "the usual delimiters are not in conflict")]
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().expect("valid syntax");
    environment.set_syntax(syntax);
    environment
}

/// Collects up to `OUTPUT_MAX` bytes and refuses more.
#[derive(Default)]
struct Capped {
    bytes: Vec<u8>,
}

impl std::io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > OUTPUT_MAX {
            return Err(std::io::Error::other(format!("the template renders to more than {OUTPUT_MAX} bytes")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
