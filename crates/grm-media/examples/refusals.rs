//! Times the refusal of hostile media and the memory it takes, each in a process of its own.
//!
//! `cargo run --release --workspace --example refusals`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[path = "../tests/fixtures/mod.rs"]
mod fixtures;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use grm_media::{Limits, MediaError, Sampling, Source, clip, picture, sound};
use image::ImageFormat;

fn main() {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(root), Some(name)) => refuse(Path::new(&root), &name),
        _ => measure_all(),
    }
}

fn measure_all() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("an empty folder");
    write_all(&root);
    let program = std::env::current_exe().expect("this program");
    println!("{:<18} {:>8} {:>9}  message", "file", "ms", "peak MiB");
    let mut names: Vec<_> =
        std::fs::read_dir(&root).expect("it was made").map(|entry| entry.expect("readable").file_name()).collect();
    names.sort();
    let names = names.into_iter().map(|name| name.into_string().expect("our names"));
    for name in names.chain(["../outside.png".to_owned()]) {
        Command::new(&program).arg(&root).arg(&name).status().expect("this program again");
    }
}

/// Prints one line about one file.
fn refuse(root: &Path, name: &str) {
    let started = Instant::now();
    let outcome = decode(root, name);
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok());
    let peak = peak.map_or(f64::NAN, |kib| kib / 1024.0);
    let message = outcome.err().map_or("NOT REFUSED".to_owned(), |error| error.to_string());
    println!("{name:<18} {milliseconds:>8.2} {peak:>9.1}  {message}");
}

fn decode(root: &Path, name: &str) -> Result<(), MediaError> {
    let limits = Limits::default();
    let source = Source::open(root, Path::new(name), &limits)?;
    match name.rsplit('.').next() {
        Some("wav" | "mp3" | "flac") => sound(&source, &limits).map(drop),
        Some("mp4" | "webm" | "gif") => clip(&source, &Sampling::default(), &limits).map(drop),
        _ => picture(&source, &limits).map(drop),
    }
}

fn write_all(root: &Path) {
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.join(name), bytes).expect("a writable folder");
    write("bomb-8bit.png", &fixtures::png_claiming(100_000, 100_000, 8, 6));
    write("bomb-1bit.png", &fixtures::png_claiming(60_000, 60_000, 1, 0));
    write("bomb-64mpx.png", &fixtures::png_claiming(8_000, 8_000, 16, 6));
    let jpeg = fixtures::encoded(fixtures::gradient(2_000, 1_500), ImageFormat::Jpeg);
    write("cut.jpg", &jpeg[..jpeg.len() / 2]);
    let png = fixtures::encoded(fixtures::gradient(2_000, 1_500), ImageFormat::Png);
    write("cut.png", &png[..png.len() / 2]);
    write("empty.png", b"");
    write("sound.png", &fixtures::wav(&fixtures::tone(16_000, 16_000), 1, 16_000));
    write("text.mp4", b"#EXTM3U\nhttp://127.0.0.1/\n");
    write("ten-hours.wav", &fixtures::wav_header(1, 1, 16_000, 16, 36_000 * 32_000));
    write("half-hour.wav", &fixtures::wav_header(1, 1, 16_000, 16, 1_700 * 32_000));
    let mp3 = fixtures::mp3(10_000, Some(10_000));
    write("cut.mp3", &mp3[..mp3.len() / 2]);
    if let Some(mp4) = fixtures::grey_clip("whole.mp4", &[]) {
        write("cut.mp4", &mp4[..mp4.len() / 2]);
    }
    write("no-codec.mp4", b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov");
    write("still.gif", &fixtures::gif(&[(fixtures::plain([9, 9, 9]), 100)]));
    write("../outside.png", &png);
    std::os::unix::fs::symlink("../outside.png", root.join("link.png")).expect("a writable folder");
    let made = Command::new("mkfifo").arg(root.join("fifo.png")).status().expect("mkfifo");
    assert!(made.success());
    let huge = std::fs::File::create(root.join("huge.wav")).expect("a writable folder");
    huge.set_len(300 << 20).expect("holes take no space");
}
