//! Hub files through the Hugging Face cache layout, so that models other tools downloaded are found and the other way
//! round: `models--org--name/{blobs,refs,snapshots}`.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::models::{file_sha256, is_sha256};

/// Where the cache lies and how the hub is reached.
#[derive(Debug, Clone)]
pub struct HubCache {
    /// `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`.
    pub folder: PathBuf,
    /// `HF_ENDPOINT`; unset means the hub itself, and then the fetcher fills it in.
    pub endpoint: Option<String>,
    /// `HF_TOKEN`, else the contents of `HF_TOKEN_PATH` or `HF_HOME/token`.
    pub token: Option<String>,
    /// `HF_HUB_OFFLINE` is set.
    pub offline: bool,
}

impl HubCache {
    /// A cache folder with no token, for an offline hub.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder, endpoint: None, token: None, offline: true }
    }

    pub(crate) fn from_environment(home: &Path) -> Self {
        let text = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let hf_home = text("HF_HOME").map_or_else(|| home.join(".cache").join("huggingface"), PathBuf::from);
        let token_path = text("HF_TOKEN_PATH").map_or_else(|| hf_home.join("token"), PathBuf::from);
        let stored = || fs::read_to_string(token_path).ok().map(|token| token.trim().to_owned());
        Self {
            folder: text("HF_HUB_CACHE").map_or_else(|| hf_home.join("hub"), PathBuf::from),
            endpoint: text("HF_ENDPOINT").map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
            token: text("HF_TOKEN").or_else(stored).filter(|token| !token.is_empty()),
            offline: text("HF_HUB_OFFLINE")
                .is_some_and(|value| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on")),
        }
    }
}

/// `org/repo/file.gguf@revision`, taken apart and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// `org/repo`.
    pub repository: String,
    /// The file's path inside the repository.
    pub file: String,
    /// A branch, tag or commit; `main` when none is given.
    pub revision: String,
}

impl HubFile {
    /// Takes apart what stands after `hf:`.
    pub fn parse(reference: &str) -> Result<Self, HubError> {
        let malformed = || HubError::Reference(reference.to_owned());
        let (path, revision) = reference.split_once('@').unwrap_or((reference, "main"));
        let (organisation, rest) = path.split_once('/').ok_or_else(malformed)?;
        let (name, file) = rest.split_once('/').ok_or_else(malformed)?;
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let all_plain = [organisation, name].into_iter().chain(file.split('/')).chain(revision.split('/')).all(plain);
        if !all_plain || !file.to_ascii_lowercase().ends_with(".gguf") {
            return Err(malformed());
        }
        Ok(Self { repository: format!("{organisation}/{name}"), file: file.to_owned(), revision: revision.to_owned() })
    }

    fn folder(&self, cache: &HubCache) -> PathBuf {
        cache.folder.join(format!("models--{}", self.repository.replace('/', "--")))
    }

    fn command(&self) -> String {
        let revision = if self.revision == "main" { String::new() } else { format!(" --revision {}", self.revision) };
        format!("hf download {} {}{revision}", self.repository, self.file)
    }
}

/// A file to be downloaded.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// Path below the hub's address: `/org/repo/resolve/revision/file`.
    pub path: String,
    /// The hub's address, where `HF_ENDPOINT` sets one.
    pub endpoint: Option<String>,
    /// Sent as a bearer token, to the hub only.
    pub token: Option<String>,
}

/// What the hub said of a downloaded file.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    /// `X-Repo-Commit`.
    pub commit: Option<String>,
    /// `X-Linked-Etag`, else `ETag`, without quotes; the SHA-256 for large files.
    pub etag: Option<String>,
}

/// Downloads for this crate, which opens no connection itself. The command line passes one.
pub trait Fetcher {
    /// Writes the body to `into` and reports the headers; the error is shown to the user as it is.
    fn fetch(&self, request: &FetchRequest, into: &mut File) -> Result<Fetched, String>;
}

impl<F: Fn(&FetchRequest, &mut File) -> Result<Fetched, String>> Fetcher for F {
    fn fetch(&self, request: &FetchRequest, into: &mut File) -> Result<Fetched, String> {
        self(request, into)
    }
}

/// Why a hub file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Not `org/repo/file.gguf[@revision]`.
    #[error("\"hf:{0}\" is not of the form hf:org/repo/file.gguf[@revision]")]
    Reference(String),
    /// Not cached, and nothing may or can fetch it.
    #[error("{file} of {repository} is not in the cache at {folder} and {why}; fetch it with `{command}`")]
    NotCached {
        /// `org/repo`.
        repository: String,
        /// The file asked for.
        file: String,
        /// The cache.
        folder: PathBuf,
        /// Why it is not fetched now.
        why: &'static str,
        /// The command that fetches it.
        command: String,
    },
    /// The download failed.
    #[error("could not download {file} of {repository}: {reason}; check the name and HF_TOKEN, or run `{command}`")]
    Download {
        /// `org/repo`.
        repository: String,
        /// The file asked for.
        file: String,
        /// The fetcher's words.
        reason: String,
        /// The command that fetches it.
        command: String,
    },
    /// The file that arrived is another than the hub announced.
    #[error("the download of {file} has SHA-256 {found}, the hub announced {expected}; run the same command again")]
    WrongHash {
        /// The file asked for.
        file: String,
        /// Hash of what arrived.
        found: String,
        /// Hash announced.
        expected: String,
    },
    /// The cache could not be written.
    #[error("could not write to the cache at {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// The cached file, downloaded first when it is missing and a fetcher is at hand.
pub(crate) fn locate(file: &HubFile, cache: &HubCache, fetcher: Option<&dyn Fetcher>) -> Result<PathBuf, HubError> {
    if let Some(path) = cached(file, cache) {
        return Ok(path);
    }
    let missing = |why| HubError::NotCached {
        repository: file.repository.clone(),
        file: file.file.clone(),
        folder: cache.folder.clone(),
        why,
        command: file.command(),
    };
    match fetcher {
        _ if cache.offline => Err(missing("HF_HUB_OFFLINE is set")),
        None => Err(missing("downloads are off here")),
        Some(fetcher) => download(file, cache, fetcher),
    }
}

fn cached(file: &HubFile, cache: &HubCache) -> Option<PathBuf> {
    let folder = file.folder(cache);
    let named = fs::read_to_string(folder.join("refs").join(&file.revision)).ok();
    let commit = named.as_deref().map_or(file.revision.as_str(), str::trim);
    let path = folder.join("snapshots").join(commit).join(&file.file);
    path.is_file().then_some(path)
}

fn download(file: &HubFile, cache: &HubCache, fetcher: &dyn Fetcher) -> Result<PathBuf, HubError> {
    let folder = file.folder(cache);
    let blobs = folder.join("blobs");
    fs::create_dir_all(&blobs).map_err(io_error(&blobs))?;
    let partial = blobs.join(format!("{}.incomplete", blake3::hash(file.file.as_bytes()).to_hex()));
    let fetched = fetch_into(file, cache, fetcher, &partial)?;

    let found = file_sha256(&partial)
        .map_err(|error| HubError::Io { path: partial.clone(), source: io::Error::other(error) })?;
    let _ = fs::remove_file(with_suffix(&partial, ".sha256"));
    if let Some(expected) = fetched.etag.filter(|etag| is_sha256(etag) && *etag != found) {
        let _ = fs::remove_file(&partial);
        return Err(HubError::WrongHash { file: file.file.clone(), found, expected });
    }
    let blob = blobs.join(&found);
    fs::rename(&partial, &blob).map_err(io_error(&blob))?;
    place(file, &folder, &blob, fetched.commit.as_deref().unwrap_or(&file.revision))
}

fn fetch_into(file: &HubFile, cache: &HubCache, fetcher: &dyn Fetcher, partial: &Path) -> Result<Fetched, HubError> {
    let request = FetchRequest {
        path: format!("/{}/resolve/{}/{}", file.repository, file.revision, file.file),
        endpoint: cache.endpoint.clone(),
        token: cache.token.clone(),
    };
    let mut into = File::create(partial).map_err(io_error(partial))?;
    let fetched = fetcher.fetch(&request, &mut into).map_err(|reason| {
        let _ = fs::remove_file(partial);
        let (repository, name) = (file.repository.clone(), file.file.clone());
        HubError::Download { repository, file: name, reason, command: file.command() }
    })?;
    into.sync_all().map_err(io_error(partial))?;
    Ok(fetched)
}

/// Links the blob into the snapshot of `commit` and points the revision at it.
fn place(file: &HubFile, folder: &Path, blob: &Path, commit: &str) -> Result<PathBuf, HubError> {
    let plain_commit = commit.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let commit = if plain_commit && !commit.is_empty() { commit } else { file.revision.as_str() };
    let path = folder.join("snapshots").join(commit).join(&file.file);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(io_error(parent))?;
    let _ = fs::remove_file(&path);
    let depth = file.file.split('/').count() + 1;
    let name = blob.file_name().unwrap_or_default();
    let target = Path::new(&"../".repeat(depth)).join("blobs").join(name);
    link(&target, blob, &path).map_err(io_error(&path))?;
    if commit != file.revision {
        let reference = folder.join("refs").join(&file.revision);
        let parent = reference.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(io_error(parent))?;
        fs::write(&reference, commit).map_err(io_error(&reference))?;
    }
    Ok(path)
}

#[cfg(unix)]
fn link(target: &Path, _blob: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn link(_target: &Path, blob: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(blob, path)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> HubError + '_ {
    move |source| HubError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn online(folder: &Path) -> HubCache {
        HubCache { offline: false, ..HubCache::at(folder.to_owned()) }
    }

    fn fetcher(etag: &'static str) -> impl Fn(&FetchRequest, &mut File) -> Result<Fetched, String> {
        move |request, into| {
            assert_eq!(request.path, "/org/repo/resolve/main/folder/model.gguf");
            into.write_all(b"abc").map_err(|error| error.to_string())?;
            Ok(Fetched { commit: Some("c0ffee".into()), etag: Some(etag.into()) })
        }
    }

    #[test]
    fn references_are_taken_apart() {
        let file = HubFile::parse("org/repo/folder/model.Q4.gguf@v1.0").expect("valid");
        assert_eq!(
            (file.repository.as_str(), file.file.as_str(), file.revision.as_str()),
            ("org/repo", "folder/model.Q4.gguf", "v1.0")
        );
        for bad in ["", "org/repo", "org/repo/model.bin", "org/../model.gguf", "org/repo/../m.gguf", "a/b/c.gguf@../x"]
        {
            assert!(HubFile::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_download_is_placed_as_other_tools_place_it_and_found_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = online(folder.path());
        let file = HubFile::parse("org/repo/folder/model.gguf").expect("valid");
        let path = locate(&file, &cache, Some(&fetcher(ABC))).expect("downloaded");
        assert_eq!(fs::read(&path).expect("readable through the link"), b"abc");
        let root = folder.path().join("models--org--repo");
        assert_eq!(path, root.join("snapshots/c0ffee/folder/model.gguf"));
        assert_eq!(fs::read_to_string(root.join("refs/main")).expect("a reference"), "c0ffee");
        assert!(root.join("blobs").join(ABC).is_file());
        assert_eq!(locate(&file, &HubCache::at(folder.path().to_owned()), None).expect("cached"), path);
    }

    #[test]
    fn a_wrong_hash_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = HubFile::parse("org/repo/folder/model.gguf").expect("valid");
        let wrong = "0000000000000000000000000000000000000000000000000000000000000000";
        let error = locate(&file, &online(folder.path()), Some(&fetcher(wrong))).expect_err("refused");
        assert!(matches!(error, HubError::WrongHash { .. }), "{error}");
        let blobs = folder.path().join("models--org--repo/blobs");
        assert_eq!(fs::read_dir(blobs).expect("a folder").count(), 0);
    }

    #[test]
    fn without_a_fetcher_the_command_is_given() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = HubFile::parse("org/repo/folder/model.gguf@v2").expect("valid");
        for (cache, why) in
            [(online(folder.path()), "downloads are off"), (HubCache::at(folder.path().into()), "OFFLINE")]
        {
            let message = locate(&file, &cache, None).expect_err("not cached").to_string();
            assert!(message.contains("hf download org/repo folder/model.gguf --revision v2"), "{message}");
            assert!(message.contains(why), "{message}");
        }
    }
}
