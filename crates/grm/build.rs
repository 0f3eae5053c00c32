//! Puts the commit into the binary, so that a run's manifest can name it. Outside a git checkout it stays unknown.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    println!("cargo::rerun-if-changed=../../.git/logs/HEAD");
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    if let Ok(output) = commit
        && output.status.success()
    {
        println!("cargo::rustc-env=GRM_COMMIT={}", String::from_utf8_lossy(&output.stdout).trim());
    }
}
