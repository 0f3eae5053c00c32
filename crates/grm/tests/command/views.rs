//! What people read, word for word. After a wanted change: `INSTA_UPDATE=always cargo test`, and read the difference.

use grm_mock::MockConfig;

use crate::harness::Bench;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.pairs(4);
    bench
}

#[test]
fn one_pair_in_full() {
    let bench = bench();
    let shown = bench.grm("judge pairs.jsonl --out run --limit 1 -k 2 -n 1 -m 2 --show refinements").ok();
    insta::assert_snapshot!(bench.redacted(&shown.stdout));
}

#[test]
fn the_summary_of_synthesis() {
    let bench = bench();
    let shown = bench.grm("synthesize pairs.jsonl --out run").ok();
    insta::assert_snapshot!(bench.redacted(&shown.stdout));
}

#[test]
fn a_plan() {
    let bench = bench();
    let shown = bench.grm("judge pairs.jsonl --dry-run").ok();
    insta::assert_snapshot!(bench.redacted(&shown.stdout));
}

#[test]
fn a_healthy_server() {
    let bench = bench();
    let shown = bench.bare(&format!("doctor {}", bench.server.url())).ok();
    insta::assert_snapshot!(bench.redacted(&shown.stdout));
}

#[test]
fn an_error() {
    let bench = Bench::with(MockConfig { api_key: Some("secret".into()), ..MockConfig::default() });
    bench.pairs(1);
    let shown = bench.grm("judge pairs.jsonl --out run");
    insta::assert_snapshot!(bench.redacted(&shown.stderr));
}

#[test]
fn a_run_from_outside() {
    let bench = bench();
    bench.grm("judge pairs.jsonl --out run").ok();
    insta::assert_snapshot!(bench.redacted(&bench.bare("runs show run --show verdicts").ok().stdout));
}
