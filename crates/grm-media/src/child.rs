//! A child process on one medium: it reads nothing but that file, writes nothing but its output, and ends in time.

use std::io::{ErrorKind, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::error::{MediaError, printable};
use crate::limits::Limits;
use crate::source::Source;

/// What a child calls the medium: its standard input, which it may seek in.
pub(crate) const INPUT: &str = "file:/dev/fd/0";

/// Sets bounds that hold for this process only, then becomes the program: memory in KiB, seconds of computing, no file
/// written, no core dumped. Where a system knows no bound on memory, as macOS, there is none.
const BOUNDED: &str = if cfg!(target_os = "linux") {
    r#"ulimit -v "$1" && ulimit -t "$2" && ulimit -f 0 && ulimit -c 0 && shift 2 && exec "$@""#
} else {
    r#"ulimit -v "$1" 2>/dev/null; ulimit -t "$2"; ulimit -f 0; ulimit -c 0; shift 2; exec "$@""#
};

/// The shell's word for a program that is not there.
const NOT_FOUND: i32 = 127;
const SAID_BYTES: u64 = 400;
const PIECE_BYTES: usize = 1 << 18;
/// Between two looks at whether a child that has closed its output has ended.
const PATIENCE: Duration = Duration::from_millis(1);

enum Report {
    Piece(Vec<u8>),
    OutputEnded,
    Said(String),
}

/// Runs `program` on a medium and hands its output, piece by piece, to `take`. When `take` refuses, when time is up, or
/// on any other error, the child is killed; it is always waited for.
pub(crate) fn run(
    program: &'static str,
    arguments: &[String],
    source: &Source,
    limits: &Limits,
    mut take: impl FnMut(&[u8]) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let failed = |said: String| failed(program, source, limits, said);
    let deadline = Instant::now() + Duration::from_secs(limits.helper.seconds.into());
    let mut command = command(program, arguments, source, limits).map_err(|error| failed(error.to_string()))?;
    let mut child = Reaped(command.spawn().map_err(|error| failed(error.to_string()))?);
    let reports = reports(&mut child.0);
    let late = || failed("it took too long and was stopped".to_owned());
    let (mut said, mut output_ended) = (None, false);
    while said.is_none() || !output_ended {
        match reports.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Report::Piece(piece)) => take(&piece)?,
            Ok(Report::OutputEnded) => output_ended = true,
            Ok(Report::Said(text)) => said = Some(text),
            Err(RecvTimeoutError::Timeout) => return Err(late()),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.ended_by(deadline).ok_or_else(late)?;
    match status.code() {
        Some(0) => Ok(()),
        Some(NOT_FOUND) => Err(MediaError::NoProgram { path: source.name().to_owned(), program: program.to_owned() }),
        _ => Err(failed(said.filter(|said| !said.is_empty()).unwrap_or_else(|| status.to_string()))),
    }
}

fn failed(program: &'static str, source: &Source, limits: &Limits, said: String) -> MediaError {
    let helper = &limits.helper;
    let (seconds, megabytes) = (helper.seconds, helper.memory_bytes >> 20);
    MediaError::Child { path: source.name().to_owned(), program, said, seconds, megabytes }
}

fn command(program: &str, arguments: &[String], source: &Source, limits: &Limits) -> std::io::Result<Command> {
    let helper = &limits.helper;
    let program = helper.folder.as_ref().map_or_else(|| program.into(), |folder| folder.join(program));
    let mut command = Command::new("sh");
    command.args(["-c", BOUNDED, "sh"]);
    command.arg((helper.memory_bytes >> 10).to_string()).arg(helper.seconds.to_string());
    command.arg(program).args(arguments);
    // Its own variables can make ffmpeg write reports and look for settings.
    command.env_clear();
    command.envs(
        ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"].map(|name| (name, std::env::var_os(name).unwrap_or_default())),
    );
    command.stdin(source.file()?).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Two threads read what the child writes; they end when it has closed its pipes, killed or not.
fn reports(child: &mut Child) -> Receiver<Report> {
    let (sender, receiver) = sync_channel(4);
    let output = child.stdout.take().expect("stdout was asked for");
    let errors = child.stderr.take().expect("stderr was asked for");
    let other = sender.clone();
    std::thread::spawn(move || pump(output, &sender));
    // Nobody listens after an error.
    std::thread::spawn(move || drop(other.send(Report::Said(listen(errors)))));
    receiver
}

fn pump(mut output: impl Read, sender: &SyncSender<Report>) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let report = match output.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(read @ 1..) => {
                piece.truncate(read);
                Report::Piece(piece)
            }
            _ => Report::OutputEnded,
        };
        let ended = matches!(report, Report::OutputEnded);
        if sender.send(report).is_err() || ended {
            return;
        }
    }
}

/// The beginning of what is said; the rest is read and dropped, so that the child does not block on it.
fn listen(mut errors: impl Read) -> String {
    let mut said = Vec::new();
    // A pipe that breaks has said all it will.
    let _ = errors.by_ref().take(SAID_BYTES).read_to_end(&mut said);
    let _ = std::io::copy(&mut errors, &mut std::io::sink());
    let text = String::from_utf8_lossy(&said);
    text.lines().map(|line| printable(line.trim())).collect::<Vec<_>>().join("; ")
}

/// A child that never outlives its owner.
struct Reaped(Child);

impl Reaped {
    /// How it ended, or none when it has not by then.
    fn ended_by(&mut self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::park_timeout(PATIENCE),
                _ => return None,
            }
        }
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
