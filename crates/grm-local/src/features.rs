//! Hidden states of many texts, kept on disk so that an interrupted run goes on where it stopped.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use futures::{StreamExt, stream};
use grm_core::{ModelError, Prompt, Response};

use crate::hidden::{HiddenState, HiddenStates, TextForm};

const MAGIC: &[u8; 8] = b"GRMFEAT1";
const KEY_BYTES: usize = 32;
const CHECK_BYTES: usize = 8;
/// Texts in flight: enough to keep batches full.
const IN_FLIGHT: usize = 32;

/// Why features could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The model failed on a text.
    #[error("could not read the hidden state of text {index}")]
    Model {
        /// 0-based index of the text.
        index: usize,
        /// Why.
        #[source]
        source: ModelError,
    },
    /// The cache file could not be used.
    #[error("could not use the feature cache {path}; delete it or give another path")]
    Cache {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureProgress {
    /// Texts done, found in the cache or computed.
    pub done: usize,
    /// Texts in all.
    pub total: usize,
    /// Of those done, texts whose prompt lost its beginning (computed in this run only).
    pub cut: usize,
}

/// The states of `texts`, in their order. Those in the cache file are not computed again; those computed are added.
pub async fn features(
    states: &HiddenStates,
    form: TextForm,
    texts: &[(Prompt, Response)],
    cache: &Path,
    mut progress: impl FnMut(FeatureProgress),
) -> Result<Vec<Vec<f32>>, FeatureError> {
    let failed = |source: io::Error| FeatureError::Cache { path: cache.to_owned(), source };
    let mut store = Store::open(cache, form.feature_count(states.width())).map_err(failed)?;
    let keys: Vec<Key> = texts.iter().map(|(prompt, response)| key(states, form, prompt, response)).collect();
    let mut missing: Vec<usize> = (0..texts.len()).filter(|&index| !store.known.contains_key(&keys[index])).collect();
    missing.sort_by_key(|&index| (keys[index], index));
    missing.dedup_by_key(|index| keys[*index]);
    // Back to the order given: texts with one prompt stand together and share its computation.
    missing.sort_unstable();
    let mut report = FeatureProgress { done: texts.len() - missing.len(), total: texts.len(), cut: 0 };
    progress(report);

    let read = |index: usize| async move {
        let (prompt, response) = &texts[index];
        (index, states.read(prompt, response, form).await)
    };
    let mut computed = stream::iter(missing).map(read).buffer_unordered(IN_FLIGHT);
    while let Some((index, state)) = computed.next().await {
        let HiddenState { values, cut_tokens } = state.map_err(|source| FeatureError::Model { index, source })?;
        store.add(keys[index], values).map_err(failed)?;
        report.done += 1;
        report.cut += usize::from(cut_tokens > 0);
        progress(report);
    }
    Ok(keys.iter().map(|key| store.known[key].clone()).collect())
}

type Key = [u8; KEY_BYTES];

fn key(states: &HiddenStates, form: TextForm, prompt: &Prompt, response: &Response) -> Key {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(&states.model().sha256);
    part(states.adapter());
    part(form.name());
    for turn in &prompt.turns {
        part(turn.role.as_str());
        part(&turn.joined_text());
    }
    part("");
    part(&response.joined_text());
    *hasher.finalize().as_bytes()
}

/// An append-only file of states, each with a check sum; a torn last record is cut off when the file is opened.
struct Store {
    file: File,
    known: HashMap<Key, Vec<f32>>,
}

impl Store {
    fn open(path: &Path, width: usize) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let header: Vec<u8> = MAGIC.iter().copied().chain((width as u64).to_le_bytes()).collect();
        if file.metadata()?.len() == 0 {
            file.write_all(&header)?;
        }
        file.seek(SeekFrom::Start(0))?;
        let mut found = vec![0; header.len()];
        let read = file.read_exact(&mut found);
        if read.is_err() || found != header {
            return Err(io::Error::other(format!("it is not a feature cache for states of width {width}")));
        }
        let (known, whole_bytes) = read_records(&file, width)?;
        let end = header.len() as u64 + whole_bytes;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        Ok(Self { file, known })
    }

    fn add(&mut self, key: Key, state: Vec<f32>) -> io::Result<()> {
        let mut record = key.to_vec();
        record.extend(state.iter().flat_map(|value| value.to_le_bytes()));
        let check = blake3::hash(&record);
        record.extend(&check.as_bytes()[..CHECK_BYTES]);
        self.file.write_all(&record)?;
        self.known.insert(key, state);
        Ok(())
    }
}

fn read_records(file: &File, width: usize) -> io::Result<(HashMap<Key, Vec<f32>>, u64)> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let body = KEY_BYTES + width * size_of::<f32>();
    let mut record = vec![0; body + CHECK_BYTES];
    let mut known = HashMap::new();
    let mut whole_bytes = 0;
    loop {
        match reader.read_exact(&mut record) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok((known, whole_bytes)),
            Err(error) => return Err(error),
        }
        if blake3::hash(&record[..body]).as_bytes()[..CHECK_BYTES] != record[body..] {
            return Ok((known, whole_bytes));
        }
        let key = record[..KEY_BYTES].try_into().expect("the record is longer");
        let values = record[KEY_BYTES..body].as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        known.insert(key, values.collect());
        whole_bytes += record.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_survives_reopening_and_loses_only_a_torn_record() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("inner").join("features");
        let mut store = Store::open(&path, 2).expect("new");
        store.add([1; KEY_BYTES], vec![1.0, 2.0]).expect("written");
        store.add([2; KEY_BYTES], vec![3.0, 4.0]).expect("written");
        let whole = std::fs::read(&path).expect("readable");
        let record = KEY_BYTES + 8 + CHECK_BYTES;
        for cut in 1..record {
            std::fs::write(&path, &whole[..whole.len() - cut]).expect("written");
            let store = Store::open(&path, 2).expect("opened");
            assert_eq!(store.known, HashMap::from([([1; KEY_BYTES], vec![1.0, 2.0])]));
            assert_eq!(std::fs::metadata(&path).expect("there").len() as usize, whole.len() - record);
        }
        std::fs::write(&path, &whole).expect("written");
        assert_eq!(Store::open(&path, 2).expect("opened").known.len(), 2);
        assert!(Store::open(&path, 3).is_err(), "another width is another file");
    }
}
