//! Every file against the manifest.

use std::collections::BTreeSet;

use super::{FaultKind, Inspection};
use crate::{MANIFEST, digest::sha256_file, manifest};

impl Inspection<'_> {
    pub(super) fn files(&mut self) {
        let listed = self.manifest.files.clone();
        for file in &listed {
            self.findings.files += 1;
            match sha256_file(&self.folder.join(&file.path)) {
                Ok(digest) if digest.sha256 == file.sha256 => {}
                Ok(digest) => {
                    let what =
                        format!("its SHA-256 is {}, the manifest says {}", short(&digest.sha256), short(&file.sha256));
                    self.fault(FaultKind::WrongSha256, &file.path, None, what);
                }
                Err(error) => self.fault(FaultKind::MissingFile, &file.path, None, error.to_string()),
            }
        }
        let known: BTreeSet<&str> = listed.iter().map(|file| file.path.as_str()).chain([MANIFEST]).collect();
        match manifest::names(self.folder) {
            Ok(names) => {
                for name in names.iter().filter(|name| !known.contains(name.as_str())) {
                    self.fault(FaultKind::UnknownFile, name, None, "the manifest does not list it".into());
                }
            }
            Err(error) => self.fault(FaultKind::MissingFile, ".", None, error.to_string()),
        }
    }
}

fn short(hash: &str) -> String {
    format!("{}…", hash.chars().take(12).collect::<String>())
}
