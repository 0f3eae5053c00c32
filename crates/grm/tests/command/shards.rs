//! Shards in parallel, killed, resumed and joined: the bytes of one process.

use std::{collections::BTreeMap, fs, path::Path};

use grm_mock::MockConfig;

use crate::harness::{Bench, wait_until};

const SHARDS: usize = 8;
const PAIRS: usize = 45;
const KILLED: usize = 3;

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

fn merge(bench: &Bench) {
    let folders: String = (0..SHARDS).map(|shard| format!(" shard-{shard}")).collect();
    bench.bare(&format!("runs merge joined{folders}")).ok();
}

/// Starts all shards at once, kills some under way, and runs those again.
fn run_shards(bench: &Bench, words: &str) {
    let shard = |shard: usize| format!("{words} --shard {shard}/{SHARDS} --out shard-{shard}");
    let before = bench.asked();
    let mut children: Vec<_> = (0..SHARDS).map(|number| bench.start(&shard(number))).collect();
    wait_until("the shards are under way", || bench.asked().since(&before).requests() >= 20);
    for child in &mut children[..KILLED] {
        let _ = child.kill();
    }
    for child in &mut children {
        child.wait().expect("it ends");
    }
    for number in 0..KILLED {
        bench.grm(&shard(number)).ok();
    }
}

/// Compares shards with one process, file by file; `names` must be among them.
fn joined_is_whole(words: &str, names: &[&str]) -> Bench {
    let bench = Bench::with(MockConfig { latency_ms: [1, 3], accuracy: 0.7, ..MockConfig::default() });
    bench.pairs(PAIRS);
    // Records of a shape that is known, with nothing to choose between: left out and counted.
    let unusable = "{\"id\": \"same\", \"prompt\": \"Which?\", \"chosen\": \"this\", \"rejected\": \"this\"}\n";
    bench.write("pairs.jsonl", format!("{unusable}{}{unusable}", bench.read("pairs.jsonl")));
    bench.grm(&format!("{words} --out whole")).ok();
    run_shards(&bench, words);
    merge(&bench);
    let (ours, theirs) = (outputs(&bench, "joined"), outputs(&bench, "whole"));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, bytes) in &ours {
        assert!(theirs[name] == *bytes, "{words}: {name} differs");
    }
    assert!(names.iter().all(|name| !ours[*name].is_empty()), "{words}");

    let requests = bench.requests();
    bench.grm(&format!("{words} --out joined")).ok();
    assert_eq!(bench.requests(), requests, "the joined journal answers everything");
    assert!(outputs(&bench, "joined") == theirs, "as the outputs say");
    merge(&bench);
    assert!(outputs(&bench, "joined") == theirs, "joining again changes nothing");
    bench
}

#[test]
fn judged_shards_are_joined() {
    let words = "judge pairs.jsonl -k 2 -n 2 -m 2";
    let bench = joined_is_whole(words, &["trajectories.jsonl", "metrics.json", "report.html", "manifest.json"]);
    let skipped = |shard: usize| {
        let metrics = bench.read_json(&format!("shard-{shard}/metrics.json"));
        let counts = metrics["skipped"].as_object().expect("counts").values();
        counts.map(|count| count.as_u64().expect("a count")).sum::<u64>()
    };
    assert_eq!((0..SHARDS).map(skipped).collect::<Vec<_>>(), [2, 0, 0, 0, 0, 0, 0, 0], "unusable records, once");
}

#[test]
fn synthesised_shards_are_joined() {
    joined_is_whole("synthesize pairs.jsonl -k 2 -n 2 -m 2", &["sft.jsonl", "dpo.jsonl", "metrics.json"]);
}

#[test]
fn evaluated_shards_are_joined() {
    let judges = ["judges/direct.jsonl", "judges/random.jsonl", "eval.json", "metrics.json"];
    joined_is_whole("eval pairs pairs.jsonl --judges random,longer,direct,disrm", &judges);
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
    bench.grm(&format!("{direct} --shard 3/3 --out x")).fails(2, &["the last is 2/3"]);
    bench.grm("synthesize pairs.jsonl --form verdict --shard 0/2 --out x").fails(1, &["nothing to share out"]);
}

#[test]
fn an_unfinished_shard_is_named_with_its_cure() {
    let bench = Bench::new();
    bench.pairs(4);
    let direct = "judge pairs.jsonl --rule direct";
    for shard in ["0/2", "1/2"] {
        bench.grm(&format!("{direct} --shard {shard} --out {}", shard.replace('/', "-"))).ok();
    }
    let manifest = bench.read("1-2/manifest.json");
    bench.write("1-2/manifest.json", manifest.replace("\"complete\": true", "\"complete\": false"));
    bench.bare("runs merge out 0-2 1-2").fails(1, &["1-2 (shard 1/2) is not finished", "grm runs resume 1-2"]);
    assert!(!bench.path("out").exists(), "nothing was made");
    bench.bare("runs resume 1-2").ok();
    bench.grm(&format!("{direct} --seed 9 --out other")).ok();
    bench.bare("runs merge other 0-2 1-2").fails(1, &["other holds another run"]);
    bench.bare("runs merge 0-2 0-2 1-2").fails(1, &["0-2 is one of the shards"]);
    bench.bare("runs merge out 0-2 1-2").ok();
}
