//! `--dry-run` asks nobody and says what a run will then ask.

use grm_mock::MockConfig;
use serde_json::Value;

use crate::harness::Bench;

/// The plan's calls by step equal the replies a run of the same words counts.
fn agrees(words: &str) {
    // Every judgment is usable, in both orders too: what cannot be used is not refined.
    let bench = Bench::with(MockConfig { accuracy: 1.0, ..MockConfig::default() });
    bench.pairs(5);
    let planned = bench.grm(&format!("{words} --dry-run --json")).ok().json();
    assert_eq!(bench.requests(), 0, "{words}");
    assert!(!bench.path("run").exists(), "a dry run makes no folder");
    bench.grm(&format!("{words} --out run")).ok();
    let metrics = bench.read_json("run/metrics.json");
    let mut counted = metrics["replies"].as_object().expect("steps").clone();
    let scored = counted.remove("scoring").map_or(0, |scoring| scoring["replies"].as_u64().expect("a count"));
    let steps = planned["steps"].as_object().expect("steps");
    let calls = |counts: &Value, name: &str| counts[name].as_u64().expect("a count");
    let planned_calls: Vec<_> = steps.iter().map(|(step, plan)| (step, calls(plan, "calls"))).collect();
    let counted_calls: Vec<_> = counted.iter().map(|(step, tally)| (step, calls(tally, "replies"))).collect();
    assert_eq!(planned_calls, counted_calls, "{words}");
    assert_eq!(calls(&planned, "reward_calls"), scored, "{words}");
    // Chat calls are all different; a text that is scored twice is asked about once.
    let chats: u64 = counted_calls.iter().map(|(_, count)| count).sum();
    let asked = bench.asked().requests();
    assert!((chats..=chats + scored).contains(&asked), "{words}: {chats} + {scored}, but {asked} were asked");
    assert_eq!(asked, bench.journaled("run").len() as u64, "{words}");
}

#[test]
fn a_plan_has_the_calls_of_the_run() {
    agrees("judge pairs.jsonl");
    agrees("judge pairs.jsonl -k 2 -n 3 -m 2 --both-orders");
    agrees("judge pairs.jsonl --rule vote --explore never");
    agrees("judge pairs.jsonl --rule direct --samples 3 --judgment-temperature 0.7");
}

#[test]
fn a_plan_needs_no_server() {
    let bench = Bench::new();
    bench.pairs(2);
    let words = "judge pairs.jsonl --dry-run --genrm http://127.0.0.1:9/v1 --disrm http://127.0.0.1:9";
    assert!(bench.bare(words).ok().stdout.contains("2 pairs; 2 rendered"));
}

#[test]
fn prices_make_costs_and_hours() {
    let bench = Bench::new();
    bench.pairs(5);
    let dear =
        "[\"*\"]\ninput = 2.0\noutput = 8.0\nprompt_tokens_per_second = 1000.0\nreply_tokens_per_second = 100.0\n";
    bench.write("prices.toml", dear);
    let plan = bench.grm("judge pairs.jsonl --dry-run --prices prices.toml --json").ok().json();
    let range = |name: &str| [0, 1].map(|end| plan[name][end].as_f64().expect("a number"));
    let sum = |name: &str| {
        let steps = plan["steps"].as_object().expect("steps");
        steps.values().map(|step| step[name].as_f64().expect("a count")).sum::<f64>() / 1e6
    };
    let most = 2.0 * sum("prompt_tokens") + 8.0 * sum("reply_tokens_most");
    let [low, high] = range("cost");
    assert!((high - most).abs() < 1e-9 && 0.0 < low && low < high, "{low} to {high}, {most}");
    let [fast, slow] = range("hours");
    assert!(0.0 < fast && fast < slow, "{fast} to {slow}");

    bench.write("prices.toml", "[\"other-model\"]\ninput = 2.0\noutput = 8.0\n");
    bench.grm("judge pairs.jsonl --dry-run --prices prices.toml").fails(1, &["no table for", "none for \"*\""]);
    bench.write("prices.toml", "input = 2.0\n");
    bench
        .grm("judge pairs.jsonl --dry-run --prices prices.toml")
        .fails(1, &["prices prices.toml: expected tables such as"]);
}
