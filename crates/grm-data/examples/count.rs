//! Counts the records of files, in flat memory: `cargo run --release -p grm-data --example count -- FILE…`.

#![expect(clippy::print_stdout, reason = "a measurement's result belongs on stdout")]

use std::path::PathBuf;
use std::time::Instant;

use grm_data::ReadError;
use grm_data::records::{self, ReadOptions};

fn main() -> Result<(), ReadError> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let begun = Instant::now();
    let (mut labelled, mut unlabelled, mut skipped) = (0_u64, 0_u64, 0_u64);
    for record in records::open_all(&paths, &ReadOptions::default())? {
        match record {
            Ok(record) if record.label().is_some() => labelled += 1,
            Ok(_) => unlabelled += 1,
            Err(error) if error.is_skippable() => skipped += 1,
            Err(error) => return Err(error),
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown").replace('\t', " ");
    let seconds = begun.elapsed().as_secs_f64();
    println!("{labelled} labelled, {unlabelled} unlabelled, {skipped} skipped in {seconds:.2} s, {memory}");
    Ok(())
}
