//! The linter: what an engine would stumble over in an export, found before it is started.

mod fault;
mod files;
mod records;
mod settings;

use std::path::Path;

pub use fault::{Fault, FaultKind};

use crate::{MANIFEST, Manifest, TokenCounter, error::ExportError, manifest::VERSION};

/// What was looked at and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Records read.
    pub records: usize,
    /// Files whose content was compared with the manifest.
    pub files: usize,
    /// In the order of files and lines.
    pub faults: Vec<Fault>,
}

/// An export under inspection.
struct Inspection<'a> {
    folder: &'a Path,
    manifest: Manifest,
    tokens: Option<&'a TokenCounter>,
    findings: Findings,
}

/// Looks through the whole folder; with `tokens`, lengths are counted anew, else those written down are believed.
///
/// # Errors
/// A folder without a manifest that can be read; everything else is a fault.
pub fn check(folder: &Path, tokens: Option<&TokenCounter>) -> Result<Findings, ExportError> {
    let manifest = read_manifest(folder)?;
    let mut inspection = Inspection { folder, manifest, tokens, findings: Findings::default() };
    inspection.files();
    inspection.settings();
    inspection.records();
    inspection.findings.faults.sort();
    Ok(inspection.findings)
}

/// Reads `manifest.json`.
///
/// # Errors
/// No such file, or one of another form or version.
pub fn read_manifest(folder: &Path) -> Result<Manifest, ExportError> {
    let path = folder.join(MANIFEST);
    let bytes = std::fs::read(&path).map_err(|source| ExportError::io(&path, source))?;
    let manifest: Result<Manifest, String> = serde_json::from_slice(&bytes).map_err(|error| error.to_string());
    let checked = manifest.and_then(|manifest| match manifest.version {
        VERSION => Ok(manifest),
        other => Err(format!("version {other}, this program reads {VERSION}")),
    });
    checked.map_err(|what| ExportError::Manifest { path, what })
}

impl Inspection<'_> {
    fn fault(&mut self, kind: FaultKind, file: &str, line: Option<usize>, what: String) {
        self.findings.faults.push(Fault { file: file.to_owned(), line, kind, what });
    }
}
