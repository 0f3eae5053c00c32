use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the files a world is written as.
pub const VERSION: u32 = 2;

/// A line of `describe.jsonl`: a request to describe a scene, and the scene in words, to be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribeRecord {
    /// Unique in the world.
    pub id: String,
    /// `image_description`, `audio_description`, `video_description` or `text_description`.
    pub task: String,
    /// The request, after the scene in words where there is no medium.
    pub prompt: String,
    /// At most one file, relative to the world's folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<String>,
    /// The scene in words.
    pub response: String,
}

/// A line of a `*_pairs.jsonl`: a question about a scene, a true answer and the same answer with one fact changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairRecord {
    /// Unique in the world.
    pub id: String,
    /// `image_understanding`, `audio_understanding`, `video_understanding` or `text_understanding`.
    pub task: String,
    /// The question, after the scene in words where there is no medium.
    pub prompt: String,
    /// At most one file, relative to the world's folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<String>,
    /// The true answer.
    pub chosen: String,
    /// The false one.
    pub rejected: String,
}

/// A line of `scenes.jsonl`: what is true of the scene of the record with the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneRecord {
    /// The record's id.
    pub id: String,
    /// What was asked for: `color`, `shape`, `count`, `place`, `pitch`, `direction`, `speed`, `tone`, `change`,
    /// `later`, or `everything`.
    pub aspect: String,
    /// `picture`, `sound` or `clip`, also where it is only told of.
    pub medium: String,
    /// Lower-case hex SHA-256 of the medium's file, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The scene in words.
    pub told: String,
    /// Fact to value.
    pub facts: BTreeMap<String, String>,
}

/// How many records of each kind a world is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Descriptions, a quarter each of pictures, sounds, clips and scenes in words.
    pub describe: usize,
    /// Pairs about scenes in words, a third each about pictures, sounds and clips.
    pub text_pairs: usize,
    /// Pairs about pictures.
    pub image_pairs: usize,
    /// Pairs about sounds.
    pub audio_pairs: usize,
    /// Pairs about clips.
    pub video_pairs: usize,
}

/// `manifest.json`: where a world came from and what it consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// The seed.
    pub seed: u64,
    /// Whether the scenes are those kept for tests.
    pub held_out: bool,
    /// Records of each kind.
    pub sizes: Sizes,
    /// The record files, in the order they were written. `scenes.jsonl` among them holds the hash of every medium.
    pub files: Vec<FileDigest>,
}

/// A file and the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Relative to the world's folder.
    pub path: String,
    /// Lines in it.
    pub records: u64,
    /// Lower-case hex SHA-256.
    pub sha256: String,
}
