#!/usr/bin/env bash
# Everything the gate checks: format, lints, tests. Tests on real models or data say when they are skipped and why.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/prepare.sh
cargo fmt --all --check
cargo clippy --release --locked --workspace --all-targets -- --deny warnings
cargo test --release --locked --workspace
