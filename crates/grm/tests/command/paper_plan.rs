//! `grm plan`: a whole run's size from a pilot's rates.

use std::collections::BTreeMap;

use grm_mock::MockConfig;

use crate::harness::Bench;

/// A pilot with easy and hard pairs.
fn piloted() -> Bench {
    let bench = Bench::with(MockConfig { accuracy: 0.6, ..MockConfig::default() });
    bench.pairs(50);
    bench.grm("synthesize pairs.jsonl --limit 50 --out pilot").ok();
    bench
}

#[test]
fn the_papers_recipe_is_planned_from_measured_rates() {
    let bench = piloted();
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/paper.toml");
    let plan = bench.bare(&format!("plan {recipe} --pilot pilot --json")).ok().json();
    let metrics = bench.read_json("pilot/metrics.json");
    let dpo = metrics["routes"]["improved"].as_u64().expect("some pairs are improved");
    let needs = plan["plan"]["needs"].as_array().expect("needs");
    assert_eq!(needs[1]["pairs"].as_u64(), Some((20_000 * 50_u64).div_ceil(dpo)), "{needs:?}");

    // Every call of the pilot is in the plan, in proportion.
    let mut steps: BTreeMap<String, u64> = BTreeMap::new();
    for entry in std::fs::read_dir(bench.path("pilot/journal")).expect("a journal") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|kind| kind == "jsonl") {
            for line in std::fs::read_to_string(path).expect("a segment").lines() {
                let record: serde_json::Value = serde_json::from_str(line).expect("a record");
                *steps.entry(record["step"].as_str().expect("a step").to_owned()).or_default() += 1;
            }
        }
    }
    let same = bench.bare(&format!("plan {recipe} --pilot pilot --pairs 50 --json")).ok().json();
    let planned = same["plan"]["steps"].as_array().expect("steps");
    let planned: BTreeMap<String, u64> = planned
        .iter()
        .map(|step| {
            (step["step"].as_str().expect("a name").to_owned(), step["whole"]["calls"].as_u64().expect("a count"))
        })
        .collect();
    assert_eq!(planned, steps, "a plan for as many pairs as the pilot had is the pilot");
    let chats: u64 = steps.iter().filter(|(step, _)| *step != "scoring").map(|(_, calls)| calls).sum();
    assert_eq!(same["plan"]["chat_calls"].as_u64(), Some(chats));
    assert_eq!(plan["plan"]["updates"], serde_json::json!([172, 157]));
}

#[test]
fn nothing_is_made_up_and_arithmetic_is_shown() {
    let bench = piloted();
    bench.write("want.toml", "[plan]\npairs = 1000\n");
    bench.bare("plan want.toml").fails(1, &["no pilot is named", "--limit 50 --out runs/pilot", "grm plan want.toml"]);
    let bare = bench.bare("plan want.toml --pilot pilot").ok().stdout;
    for part in [
        "1,000 pairs, as given",
        "chat: not known; give --prompt-tokens-per-second",
        "scores: not known",
        "cost\n  not known",
    ] {
        assert!(bare.contains(part), "{part:?} is not in\n{bare}");
    }
    let full = "plan want.toml --pilot pilot --prompt-tokens-per-second 9000 --reply-tokens-per-second 3000 \
                --scores-per-second 50 --servers 4 --gpus-per-server 2 --gpu-hour-price 2.5";
    let told = bench.bare(full).ok().stdout;
    println!("{told}");
    for part in ["/ 9000 a second / 3600 =", "× 2 GPUs =", "on 4 servers", "chat by the hour", "× 2.5 ="] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    bench.bare("plan want.toml --pilot pilot --scores-per-second 0").fails(2, &["above 0"]);
    bench.write("want.toml", "[plan]\npiars = 1000\n");
    bench.bare("plan want.toml --pilot pilot").fails(1, &["did you mean \"pairs\"?"]);
}
