//! Shards in parallel, killed, resumed and joined: the bytes of one process.

use std::{collections::BTreeMap, fs, path::Path};

use grm_mock::MockConfig;

use crate::harness::{Bench, wait_until};

const SHARDS: usize = 8;
const PAIRS: usize = 45;

/// Every output of a run, whatever folder it lies in; the journal apart.
fn outputs(bench: &Bench, run: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["", "judges"] {
        let Ok(entries) = fs::read_dir(bench.path(run).join(folder)) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()) {
            let name = Path::new(folder).join(path.file_name().expect("a name"));
            files.insert(name.to_string_lossy().into_owned(), fs::read(path).expect("a file"));
        }
    }
    files
}

fn folders() -> String {
    (0..SHARDS).map(|shard| format!(" shard-{shard}")).collect()
}

/// Runs eight shards at once, kills some, runs those again, joins all and compares with one process.
fn joined_is_whole(words: &str, names: &[&str]) -> Bench {
    let bench = Bench::with(MockConfig { latency_ms: [1, 3], accuracy: 0.7, ..MockConfig::default() });
    bench.pairs(PAIRS);
    let unusable = "{\"id\": \"no responses\"}\n";
    let records = bench.read("pairs.jsonl");
    bench.write("pairs.jsonl", format!("{unusable}{records}{unusable}"));
    bench.grm(&format!("{words} --out whole")).ok();
    let whole = bench.asked();

    let shard = |shard: usize| format!("{words} --shard {shard}/{SHARDS} --out shard-{shard}");
    let mut children: Vec<_> = (0..SHARDS).map(|number| bench.start(&shard(number))).collect();
    wait_until("the shards are under way", || bench.asked().since(&whole).requests() >= 20);
    for child in &mut children[..3] {
        let _ = child.kill();
    }
    for child in &mut children {
        child.wait().expect("it ends");
    }
    for number in 0..3 {
        bench.grm(&shard(number)).ok();
    }
    bench.bare(&format!("runs merge joined{}", folders())).ok();
    let (ours, theirs) = (outputs(&bench, "joined"), outputs(&bench, "whole"));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for name in ours.keys().chain(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().iter()) {
        assert!(ours.get(name) == theirs.get(name) && ours.contains_key(name), "{words}: {name} differs");
    }
    let requests = bench.requests();
    bench.grm(&format!("{words} --out joined")).ok();
    assert_eq!(bench.requests(), requests, "the joined journal answers everything");
    assert_eq!(outputs(&bench, "joined"), theirs);
    bench.bare(&format!("runs merge joined{}", folders())).ok();
    assert_eq!(outputs(&bench, "joined"), theirs, "joining again changes nothing");
    bench
}

#[test]
fn judged_shards_are_joined() {
    let bench =
        joined_is_whole("judge pairs.jsonl -k 2 -n 2 -m 2", &["trajectories.jsonl", "metrics.json", "report.html"]);
    let skipped: u64 = (0..SHARDS)
        .flat_map(|shard| {
            let metrics = bench.read_json(&format!("shard-{shard}/metrics.json"));
            metrics["skipped"]
                .as_object()
                .expect("counts")
                .values()
                .map(|count| count.as_u64().expect("a count"))
                .collect::<Vec<_>>()
        })
        .sum();
    assert_eq!(skipped, 2, "one shard counts what cannot be used");
}

#[test]
fn synthesised_shards_are_joined() {
    joined_is_whole("synthesize pairs.jsonl -k 2 -n 2 -m 2", &["sft.jsonl", "dpo.jsonl", "metrics.json"]);
}

#[test]
fn evaluated_shards_are_joined() {
    joined_is_whole(
        "eval pairs pairs.jsonl --judges random,longer,direct,disrm",
        &["judges/direct.jsonl", "judges/random.jsonl", "eval.json", "metrics.json"],
    );
}

#[test]
fn shards_that_do_not_belong_together_are_named() {
    let bench = Bench::new();
    bench.pairs(5);
    let direct = "judge pairs.jsonl --rule direct";
    for shard in ["0/3", "1/3"] {
        bench.grm(&format!("{direct} --shard {shard} --out {}", shard.replace('/', "-"))).ok();
    }
    bench.bare("runs merge out 1-3 0-3").fails(1, &["shards 2/3 are missing"]);
    bench.grm(&format!("{direct} --shard 2/3 --seed 9 --out other")).ok();
    bench.bare("runs merge out 0-3 1-3 other").fails(1, &["0-3 and other are not shards of one run", "- seed = 0"]);
    bench.grm(&format!("{direct} --shard 2/3 --limit 4 --out short")).ok();
    bench.bare("runs merge out 0-3 1-3 short").fails(1, &["- data: limit None", "+ data: limit Some(4)"]);
    bench.grm(&format!("{direct} --shard 1/3 --out again")).ok();
    bench.bare("runs merge out 0-3 1-3 again").fails(1, &["1-3 and again are both shard 1/3"]);
    bench.grm(&format!("{direct} --out whole")).ok();
    bench.bare("runs merge out 0-3 1-3 whole").fails(1, &["whole is no shard"]);
    bench.grm(&format!("{direct} --shard 1/4 --out quarter")).ok();
    bench.bare("runs merge out 0-3 quarter").fails(1, &["quarter is shard 1/4; shards of one run have the same n"]);
    bench.grm(&format!("{direct} --shard 2/3 --out 2-3")).ok();
    let manifest = bench.read("2-3/manifest.json");
    bench.write("2-3/manifest.json", manifest.replace("\"complete\": true", "\"complete\": false"));
    bench.bare("runs merge out 0-3 1-3 2-3").fails(1, &["2-3 (shard 2/3) is not finished", "runs resume"]);
    assert!(!bench.path("out").exists(), "nothing was made");
    bench.bare("runs resume 2-3").ok();
    bench.bare("runs merge whole 0-3 1-3 2-3").ok();
    bench.bare("runs merge other 0-3 1-3 2-3").fails(1, &["other holds another run"]);
    bench.grm(&format!("{direct} --shard 3/3 --out x")).fails(2, &["the last is 2/3"]);
    bench.grm("synthesize pairs.jsonl --form verdict --shard 0/2 --out x").fails(1, &["nothing to share out"]);
}
