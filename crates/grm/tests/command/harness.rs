//! A fake server, an empty folder, and `grm` run in it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use grm_llm::{RemoteReward, RewardEndpoint, Transport, TransportConfig};
use grm_mock::{MockConfig, MockServer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Calls in flight at once, at most; so many a kill can lose.
pub(crate) const IN_FLIGHT: u64 = 8;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a test happens.
pub(crate) struct Bench {
    pub(crate) server: MockServer,
    folder: tempfile::TempDir,
    probes: Vec<String>,
    runtime: tokio::runtime::Runtime,
}

/// What a finished command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the command writes UTF-8");
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Exit code 0, or the test fails with everything that was said.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// This exit code and every one of these parts on stderr.
    pub(crate) fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in:\n{}", self.stderr);
        }
    }

    /// Standard output as one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Bench {
    /// A server without faults.
    pub(crate) fn new() -> Self {
        Self::with(MockConfig::default())
    }

    pub(crate) fn with(config: MockConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let server = runtime.block_on(MockServer::start(config)).expect("a free port");
        let probes = runtime.block_on(probe_keys());
        Self { server, folder: tempfile::tempdir().expect("a folder"), probes, runtime }
    }

    /// A second server beside the first.
    pub(crate) fn another_server(&self, config: MockConfig) -> MockServer {
        self.runtime.block_on(MockServer::start(config)).expect("a free port")
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a writable folder");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn read_json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The lines of a JSONL file.
    pub(crate) fn records(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).expect("one JSON document a line")).collect()
    }

    /// Writes so many labelled pairs to `pairs.jsonl`.
    pub(crate) fn pairs(&self, count: usize) {
        let line = |n: usize| {
            let (prompt, chosen, rejected) = (
                format!("How many legs have {n} spiders?"),
                format!("A spider has eight legs, so {n} spiders have {} legs.", 8 * n),
                format!("{n} spiders have {} legs, as insects do.", 6 * n),
            );
            let record = serde_json::json!({"id": format!("spiders-{n}"), "prompt": prompt, "chosen": chosen, "rejected": rejected});
            format!("{record}\n")
        };
        self.write("pairs.jsonl", (1..=count).map(line).collect::<String>());
    }

    /// `grm` in the bench's folder, away from this machine's settings and models.
    pub(crate) fn bare_command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grm"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["OPENAI_API_KEY", "GRM_LOG", "FORCE_COLOR", "HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE"] {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1").env("HF_HUB_OFFLINE", "1");
        command.env("HOME", self.folder.path()).env("GRM_MODELS", self.path("models"));
        command
    }

    /// The same with the server in all three roles. `words` are split at blanks.
    pub(crate) fn command(&self, words: &str) -> Command {
        let url = self.server.url();
        let mut command = self.bare_command(words.split_whitespace());
        command.args(["--genrm", &format!("{url}/v1"), "--disrm", &url, "--max-in-flight", &IN_FLIGHT.to_string()]);
        command
    }

    /// Runs `grm` with the server in all three roles.
    pub(crate) fn grm(&self, words: &str) -> Finished {
        finish(&mut self.command(words))
    }

    /// Runs `grm` with nothing added.
    pub(crate) fn bare(&self, words: &str) -> Finished {
        finish(&mut self.bare_command(words.split_whitespace()))
    }

    /// Runs `grm` with this on its standard input.
    pub(crate) fn grm_reading(&self, words: &str, input: &str) -> Finished {
        let mut command = self.command(words);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("grm starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("grm reads its input");
        Finished::of(&child.wait_with_output().expect("grm ends"))
    }

    /// Starts `grm` and does not wait; what it says is thrown away.
    pub(crate) fn start(&self, words: &str) -> Child {
        self.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("grm starts")
    }

    /// How often each call was asked, the built-in pairs of the squash check apart.
    pub(crate) fn asked(&self) -> Asked {
        let counts = self.server.counts().into_iter();
        Asked(counts.filter(|(key, _)| !self.probes.contains(key)).collect())
    }

    /// All requests to model routes, the squash check's included.
    pub(crate) fn requests(&self) -> u64 {
        self.server.stats().requests
    }

    /// The keys of all whole records in a run's journal.
    pub(crate) fn journaled(&self, run: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(self.path(run).join("journal"))
            .expect("a journal")
            .map(|entry| entry.expect("an entry").path())
        {
            if entry.extension() != Some(OsStr::new("jsonl")) {
                continue;
            }
            let bytes = fs::read(&entry).expect("a segment");
            for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
                let record: Value = serde_json::from_slice(line).expect("a whole record");
                keys.push(record["key"].as_str().expect("a key").to_owned());
            }
        }
        keys
    }

    /// sha256 of every file of a run but the journal's, by name.
    pub(crate) fn digests(&self, run: &str) -> BTreeMap<String, String> {
        let mut digests = BTreeMap::new();
        for entry in fs::read_dir(self.path(run)).expect("a run folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_file() {
                let hash = Sha256::digest(fs::read(&entry).expect("a file"));
                let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
                digests.insert(name, hash.iter().map(|byte| format!("{byte:02x}")).collect());
            }
        }
        digests
    }

    /// Text with what changes from run to run replaced: ports, times, folders.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let port = self.server.url().rsplit(':').next().expect("a port").to_owned();
        let folder = self.folder.path().to_string_lossy().into_owned();
        let text = text.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:PORT").replace(&folder, "FOLDER");
        let lines = text.lines().map(|line| {
            match line.split_once(" in ").and_then(|(a, b)| Some((a, b.split_once(" s: ")?.1))) {
                Some((pairs, rest)) => format!("{pairs} in TIME s: {rest}"),
                None => line.trim_end().to_owned(),
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Finished {
    Finished::of(&command.output().expect("grm starts"))
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How often each call was asked, by the mock's key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Asked(pub(crate) BTreeMap<String, u64>);

impl Asked {
    pub(crate) fn requests(&self) -> u64 {
        self.0.values().sum()
    }

    pub(crate) fn unique(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn most_of_one(&self) -> u64 {
        self.0.values().copied().max().unwrap_or(0)
    }

    /// What was asked after `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let grown = |(key, count): (&String, &u64)| {
            let more = count - earlier.0.get(key).copied().unwrap_or(0);
            (more > 0).then(|| (key.clone(), more))
        };
        Self(self.0.iter().filter_map(grown).collect())
    }

    /// Calls that are in both.
    pub(crate) fn in_common(&self, other: &Self) -> u64 {
        self.0.keys().filter(|key| other.0.contains_key(*key)).count() as u64
    }
}

/// What the squash check asks, as the mock's keys: the only calls no journal holds.
async fn probe_keys() -> Vec<String> {
    let server = MockServer::start(MockConfig::default()).await.expect("a free port");
    let transport: Arc<Transport> = Transport::new(TransportConfig::default());
    RemoteReward::connect(RewardEndpoint::new(server.url()), transport).await.expect("the mock scores");
    server.counts().into_iter().map(|(key, _)| key).collect()
}
