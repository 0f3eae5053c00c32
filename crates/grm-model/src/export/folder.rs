//! A folder that has its name only when everything is in it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::ExportError;

/// What an earlier export may have left; a folder with anything else in it is not replaced.
const OURS: [&str; 18] = [
    "config.json",
    "adapter_config.json",
    "adapter_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    "media.json",
];

/// A folder under construction, named `NAME.partial` until [`PartialFolder::commit`]; dropped before that it is removed.
#[derive(Debug)]
pub(crate) struct PartialFolder {
    path: PathBuf,
    partial: PathBuf,
    is_committed: bool,
}

impl PartialFolder {
    /// Begins a folder; refuses a `path` that holds anything but an earlier export.
    pub(crate) fn create(path: &Path) -> Result<Self, ExportError> {
        let occupied = || ExportError::Occupied { path: path.to_owned() };
        if path.exists() && !is_replaceable(path) {
            return Err(occupied());
        }
        let name = path.file_name().ok_or_else(occupied)?;
        let partial = path.with_file_name(with(name, ".partial"));
        let failed = |source| ExportError::Io { path: partial.clone(), source };
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(failed)?;
        }
        fs::create_dir_all(&partial).map_err(failed)?;
        Ok(Self { path: path.to_owned(), partial, is_committed: false })
    }

    /// Where a file of it is written.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.partial.join(name)
    }

    /// Writes a small file and brings it to the disk.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.file(name);
        let write = || {
            fs::write(&path, bytes)?;
            File::open(&path)?.sync_all()
        };
        write().map_err(|source| ExportError::Io { path: path.clone(), source })
    }

    /// Gives the folder its name.
    pub(crate) fn commit(mut self) -> Result<(), ExportError> {
        self.settle().map_err(|source| ExportError::Io { path: self.path.clone(), source })?;
        self.is_committed = true;
        Ok(())
    }

    /// A folder cannot be renamed over a full one, so an earlier export is moved aside first, whole.
    fn settle(&self) -> io::Result<()> {
        File::open(&self.partial)?.sync_all()?;
        let before = self.path.with_file_name(with(self.path.file_name().unwrap_or_default(), ".replaced"));
        let is_replacing = self.path.exists();
        if is_replacing {
            if before.exists() {
                fs::remove_dir_all(&before)?;
            }
            fs::rename(&self.path, &before)?;
        }
        if let Err(error) = fs::rename(&self.partial, &self.path) {
            if is_replacing {
                fs::rename(&before, &self.path)?;
            }
            return Err(error);
        }
        if is_replacing {
            fs::remove_dir_all(&before)?;
        }
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for PartialFolder {
    fn drop(&mut self) {
        if !self.is_committed {
            // Nothing hangs on it: the next attempt removes what cannot be removed now.
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

fn with(name: &std::ffi::OsStr, ending: &str) -> std::ffi::OsString {
    let mut name = name.to_owned();
    name.push(ending);
    name
}

fn is_replaceable(path: &Path) -> bool {
    let Ok(entries) = path.read_dir() else { return false };
    let is_shard = |name: &str| name.starts_with("model-") && name.ends_with(".safetensors");
    entries.into_iter().all(|entry| {
        let name = entry.map(|entry| entry.file_name());
        name.is_ok_and(|name| name.to_str().is_some_and(|name| OURS.contains(&name) || is_shard(name)))
    })
}
