//! A folder that has its name only when everything is in it.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// A folder under construction, `NAME.partial` until [`PartialFolder::commit`]; dropped before that it is removed.
#[derive(Debug)]
pub(crate) struct PartialFolder {
    path: PathBuf,
    partial: PathBuf,
    is_committed: bool,
}

impl PartialFolder {
    /// Begins a folder. What has the name must be empty or hold `mark`, the file by which an earlier one is known.
    pub(crate) fn create(path: &Path, mark: &str) -> io::Result<Option<Self>> {
        let is_free = !path.exists() || path.join(mark).is_file() || path.read_dir()?.next().is_none();
        let Some(name) = path.file_name().filter(|_| is_free) else { return Ok(None) };
        let partial = path.with_file_name(with(name.to_owned(), ".partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir_all(&partial)?;
        Ok(Some(Self { path: path.to_owned(), partial, is_committed: false }))
    }

    /// Where it is being made.
    pub(crate) fn place(&self) -> &Path {
        &self.partial
    }

    /// Writes a small file, making the folders above it.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.partial.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, bytes)
    }

    /// Gives the folder its name; an earlier one is moved aside whole, then removed, but for what is under `kept`, which
    /// goes over to the new one.
    pub(crate) fn commit(mut self, kept: &[&str]) -> io::Result<()> {
        let before = self.path.with_file_name(with(self.path.file_name().unwrap_or_default().to_owned(), ".replaced"));
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
        self.is_committed = true;
        if is_replacing {
            for name in kept.iter().filter(|name| before.join(name).exists()) {
                fs::rename(before.join(name), self.path.join(name))?;
            }
            fs::remove_dir_all(&before)?;
        }
        Ok(())
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

fn with(mut name: OsString, ending: &str) -> OsString {
    name.push(ending);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_and_replaces_only_its_like() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("out");
        let begin = || PartialFolder::create(&path, "manifest.json").unwrap();
        begin().unwrap().put("deep/manifest.json", b"{}").unwrap();
        assert!(!path.exists() && !home.path().join("out.partial").exists());

        let folder = begin().unwrap();
        folder.put("manifest.json", b"{}").unwrap();
        folder.commit(&[]).unwrap();
        fs::create_dir(path.join("trained")).unwrap();
        let folder = begin().unwrap();
        folder.put("manifest.json", b"[]").unwrap();
        folder.commit(&["trained"]).unwrap();
        assert_eq!(fs::read(path.join("manifest.json")).unwrap(), b"[]");
        assert!(path.join("trained").is_dir() && !home.path().join("out.replaced").exists());

        fs::remove_file(path.join("manifest.json")).unwrap();
        assert!(begin().is_none());
    }
}
