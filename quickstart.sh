#!/usr/bin/env bash
# Builds grm and judges six built-in pairs with a small model in this process. Arguments go to `grm quickstart`.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/prepare.sh
cargo build --release --locked
exec target/release/grm quickstart "$@"
