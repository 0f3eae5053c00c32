//! A courtesy lock: it keeps two runs from sharing a folder by accident.
//!
//! On file systems where locking does nothing or is refused the journal works all the same, because segment names are
//! unique; the lock is there for the message.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::JournalError;

/// Held as long as the journal is open.
pub(crate) struct Lock {
    _file: Option<File>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holder {
    pid: u32,
    host: String,
}

/// Takes the lock of a journal folder, or says who holds it.
pub(crate) fn acquire(folder: &Path) -> Result<Lock, JournalError> {
    let path = folder.join("LOCK");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| JournalError::Folder { path: folder.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => {
            sign(&mut file).map_err(|source| JournalError::Write { path: folder.to_owned(), source })?;
            Ok(Lock { _file: Some(file) })
        }
        Err(TryLockError::WouldBlock) => {
            let Holder { pid, host } = holder(&mut file);
            Err(JournalError::Locked { path: folder.to_owned(), pid, host })
        }
        Err(TryLockError::Error(error)) => {
            tracing::warn!(path = %path.display(), %error, "this file system cannot lock; do not start a second run in this folder");
            Ok(Lock { _file: None })
        }
    }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    let holder = Holder { pid: std::process::id(), host: host() };
    file.set_len(0)?;
    file.rewind()?;
    serde_json::to_writer(&mut *file, &holder)?;
    file.write_all(b"\n")
}

fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.take(4096).read_to_string(&mut text);
    let unknown = || Holder { pid: 0, host: "an unknown host".into() };
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_else(unknown)
}

fn host() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this host".into())
}
