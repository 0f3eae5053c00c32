//! One step as a child process: its words to a log, its trouble told with the way on.

use std::{
    collections::VecDeque,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context;

use super::plan::Step;
use crate::stream::Interrupt;

/// Where steps are done.
pub(crate) struct Workshop {
    /// The `grm` that is run.
    pub(crate) program: PathBuf,
    /// The loop's folder.
    pub(crate) folder: PathBuf,
    /// Ctrl-C and SIGTERM.
    pub(crate) interrupt: Interrupt,
}

/// How a step ended that did not fail.
#[derive(Debug, PartialEq)]
pub(crate) enum Ended {
    /// Well, after so many seconds, with these last lines on its standard output.
    Well {
        /// From start to end.
        seconds: f64,
        /// What it came to.
        tail: String,
    },
    /// Stopped by the user.
    Interrupted,
}

/// A step that ended badly.
#[derive(Debug, thiserror::Error)]
#[error(
    "step {name} {how}; it said:\n{said}\nits whole output is in {}; the same grm loop command goes on from this step",
    log.display()
)]
pub(crate) struct StepFailed {
    name: String,
    how: String,
    said: String,
    log: PathBuf,
    /// The child's exit code, if it had one.
    pub(crate) code: Option<i32>,
}

/// Lines of output kept for the terminal.
const TAIL_LINES: usize = 16;
/// Lines of a failed step's error output in the message.
const SAID_LINES: usize = 6;
/// A longer piece of a line is not kept whole for the terminal; the log has it.
const LINE_BYTES_MAX: usize = 4096;
/// What a step gets to end by itself after a signal. Ending it by force is safe too: every step resumes.
const GRACE: Duration = Duration::from_secs(15);

impl Workshop {
    /// Runs a step to its end. What it writes on standard error is shown as it comes; all of it goes to its log.
    pub(crate) async fn run(&self, step: &Step) -> anyhow::Result<Ended> {
        let started = Instant::now();
        let log_path = self.folder.join("logs").join(format!("{}.log", step.name));
        let log = open_log(&log_path, &format!("$ {}\n", step.command_line()))?;
        let mut child = Command::new(&self.program)
            .args(&step.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {}", self.program.display()))?;
        let copies = (copy(child.stdout.take(), log.clone(), false), copy(child.stderr.take(), log, true));
        let (status, was_interrupted) = self.wait(&mut child).await?;
        let (tail, said) = (joined(copies.0), joined(copies.1));
        if was_interrupted || status.code() == Some(130) {
            return Ok(Ended::Interrupted);
        }
        if !status.success() {
            return Err(failed(step, status, &said, log_path).into());
        }
        Ok(Ended::Well { seconds: started.elapsed().as_secs_f64(), tail: lines(&tail, TAIL_LINES, "") })
    }

    async fn wait(&self, child: &mut Child) -> anyhow::Result<(ExitStatus, bool)> {
        tokio::select! {
            status = ended(child) => return Ok((status?, false)),
            () = self.interrupt.wait() => {}
        }
        if let Ok(status) = tokio::time::timeout(GRACE, ended(child)).await {
            return Ok((status?, true));
        }
        child.kill().context("could not stop the step")?;
        Ok((child.wait().context("could not stop the step")?, true))
    }
}

async fn ended(child: &mut Child) -> anyhow::Result<ExitStatus> {
    let mut every = tokio::time::interval(Duration::from_millis(20));
    loop {
        every.tick().await;
        if let Some(status) = child.try_wait().context("could not wait for the step")? {
            return Ok(status);
        }
    }
}

type Log = Arc<Mutex<File>>;

fn open_log(path: &Path, header: &str) -> anyhow::Result<Log> {
    let file = File::options().create(true).append(true).open(path);
    let mut file = file.with_context(|| format!("could not write {}", path.display()))?;
    file.write_all(header.as_bytes()).with_context(|| format!("could not write {}", path.display()))?;
    Ok(Arc::new(Mutex::new(file)))
}

/// Copies a pipe to the log, and to standard error if `live`, until it closes; gives its last lines.
fn copy(pipe: Option<impl Read + Send + 'static>, log: Log, live: bool) -> JoinHandle<VecDeque<String>> {
    std::thread::spawn(move || {
        let (mut last, mut buffer) = (LastLines::default(), vec![0; 1 << 14]);
        let Some(mut pipe) = pipe else { return last.lines };
        loop {
            let bytes = match pipe.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return last.finished(),
                Ok(count) => &buffer[..count],
            };
            // A full disk must not stop the step: it would fail at its own outputs, with a better message.
            let _ = log.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes);
            if live {
                let _ = std::io::stderr().write_all(bytes);
            }
            last.add(bytes);
        }
    })
}

/// The end of a stream of text.
#[derive(Default)]
struct LastLines {
    lines: VecDeque<String>,
    open: Vec<u8>,
}

impl LastLines {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line();
            } else if self.open.len() < LINE_BYTES_MAX {
                self.open.push(*byte);
            }
        }
    }

    fn end_line(&mut self) {
        self.lines.push_back(String::from_utf8_lossy(&self.open).into_owned());
        self.open.clear();
        if self.lines.len() > TAIL_LINES {
            self.lines.pop_front();
        }
    }

    fn finished(mut self) -> VecDeque<String> {
        if !self.open.is_empty() {
            self.end_line();
        }
        self.lines
    }
}

fn joined(copy: JoinHandle<VecDeque<String>>) -> VecDeque<String> {
    copy.join().unwrap_or_default()
}

fn lines(all: &VecDeque<String>, count: usize, indent: &str) -> String {
    let from = all.len().saturating_sub(count);
    all.iter().skip(from).map(|line| format!("{indent}{line}\n")).collect()
}

fn failed(step: &Step, status: ExitStatus, said: &VecDeque<String>, log: PathBuf) -> StepFailed {
    let how = match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => format!("was stopped from outside ({status})"),
    };
    let said = if said.is_empty() { "  (nothing)".to_owned() } else { lines(said, SAID_LINES, "  ") };
    StepFailed { name: step.name.clone(), how, said: said.trim_end().to_owned(), log, code: status.code() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder with a script in place of `grm`.
    fn workshop(script: &str) -> (tempfile::TempDir, Workshop) {
        let place = tempfile::tempdir().unwrap();
        let program = place.path().join("fake-grm");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(place.path().join("logs")).unwrap();
        let folder = place.path().to_owned();
        (place, Workshop { program, folder, interrupt: Interrupt::listen() })
    }

    fn step() -> Step {
        let arguments = vec!["train".to_owned(), "sft data".to_owned()];
        Step { name: "1-sft".into(), arguments, folder: None, inputs: Vec::new(), outputs: Vec::new() }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_step_gets_its_words_whole_and_its_output_goes_to_the_log() {
        let (place, workshop) = workshop("echo \"$# words, the last: $2\"; echo progress >&2");
        let Ended::Well { tail, .. } = workshop.run(&step()).await.unwrap() else { panic!("nobody interrupted") };
        assert_eq!(tail, "2 words, the last: sft data\n");
        let log = std::fs::read_to_string(place.path().join("logs/1-sft.log")).unwrap();
        assert!(
            log.starts_with("$ grm train 'sft data'\n") && log.contains("progress\n") && log.contains(&tail),
            "{log}"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failed_step_says_which_how_and_where() {
        let (_place, workshop) = workshop("echo 'error: no such model' >&2; exit 6");
        let error = workshop.run(&step()).await.unwrap_err();
        let text = error.to_string();
        for part in
            ["step 1-sft failed with exit code 6", "error: no such model", "logs/1-sft.log", "goes on from this step"]
        {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
        assert_eq!(error.downcast_ref::<StepFailed>().and_then(|failed| failed.code), Some(6));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_killed_step_and_an_interrupted_one_are_told_apart() {
        let (_place, killed) = workshop("kill -KILL $$");
        assert!(killed.run(&step()).await.unwrap_err().to_string().contains("was stopped from outside"));
        let (_place, stopped) = workshop("exit 130");
        assert_eq!(stopped.run(&step()).await.unwrap(), Ended::Interrupted);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut last = LastLines::default();
        last.add((0..100).map(|n| format!("line {n}\n")).collect::<String>().as_bytes());
        last.add(b"open end");
        let kept = last.finished();
        assert_eq!((kept.len(), kept.back().map(String::as_str)), (TAIL_LINES, Some("open end")));
    }
}
