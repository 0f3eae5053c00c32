//! The few writing operations checkpoints need, so that tests can make each of them fail.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Where checkpoints are made.
pub(crate) trait Disk {
    /// Makes a file, lets `fill` write it and brings it to the disk.
    fn write(&self, path: &Path, fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()>;

    /// Gives a folder its name and makes that durable.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
}

/// The file system.
pub(crate) struct FileSystem;

impl Disk for FileSystem {
    fn write(&self, path: &Path, fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        fill(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        sync_folder(from)?;
        std::fs::rename(from, to)?;
        to.parent().map_or(Ok(()), sync_folder)
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes a file whole under `NAME.partial` and gives it its name.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    FileSystem.write(partial, &mut |out| out.write_all(bytes))?;
    std::fs::rename(partial, path)
}
