//! What was asked is not asked again, whatever way a run is continued; and what flags make of a run.

use grm_mock::{FaultAction, FaultRule, FaultWhen, MockConfig};

use crate::harness::{Bench, finish, wait_until};

#[test]
fn the_same_command_again_asks_nothing_and_changes_no_byte() {
    for verb in ["judge", "synthesize"] {
        let bench = Bench::new();
        bench.pairs(4);
        let words = format!("{verb} pairs.jsonl --out run");
        bench.grm(&words).ok();
        let (requests, digests) = (bench.requests(), bench.digests("run"));
        let again = bench.grm(&words).ok();
        assert_eq!(bench.requests(), requests, "{verb}");
        assert_eq!(bench.digests("run"), digests, "{verb}");
        assert!(again.stdout.contains("0 model calls"), "{}", again.stdout);
    }
}

#[test]
fn a_higher_limit_asks_for_the_new_pairs_only() {
    let bench = Bench::new();
    bench.pairs(6);
    bench.grm("judge pairs.jsonl --out run --limit 3").ok();
    let first = bench.asked();
    bench.grm("judge pairs.jsonl --out run --limit 6").ok();
    let more = bench.asked().since(&first);
    assert_eq!(more.in_common(&first), 0);
    assert_eq!(bench.journaled("run").len() as u64, first.unique() + more.unique());
    assert_eq!(bench.records("run/trajectories.jsonl").len(), 6);
    bench.grm("judge pairs.jsonl --out at-once --limit 6").ok();
    assert_eq!(bench.digests("run")["trajectories.jsonl"], bench.digests("at-once")["trajectories.jsonl"]);
}

#[test]
fn an_interrupted_run_says_how_to_go_on_and_goes_on() {
    let bench = Bench::with(MockConfig { latency_ms: [5, 10], ..MockConfig::default() });
    bench.pairs(12);
    let mut command = bench.command("judge pairs.jsonl --out run");
    let child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("grm starts");
    wait_until("the run is under way", || bench.requests() > 40);
    let signal = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signal.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("stopped; continue with: grm runs resume run"), "{said}");

    let unfinished = bench.bare("runs show run").ok();
    assert!(unfinished.stdout.contains("not finished; continue with: grm runs resume run"), "{}", unfinished.stdout);
    let before = bench.asked();
    let recorded = bench.journaled("run").len() as u64;
    bench.bare("runs resume run").ok();
    let rest = bench.asked().since(&before);
    bench.grm("judge pairs.jsonl --out whole").ok();
    assert_eq!(rest.requests() + recorded, bench.journaled("whole").len() as u64);
    assert_eq!(bench.digests("run")["trajectories.jsonl"], bench.digests("whole")["trajectories.jsonl"]);
}

#[test]
fn a_finished_run_can_be_looked_at() {
    let bench = Bench::new();
    bench.pairs(3);
    bench.grm("judge pairs.jsonl --out run").ok();
    let shown = bench.bare("runs show run --json").ok().json();
    assert_eq!(shown["manifest"]["complete"], true);
    assert_eq!(shown["metrics"], bench.read_json("run/metrics.json"));
    assert_eq!(shown["metrics"]["pairs"], 3);

    let pair = bench.bare("runs show run --pair spiders-2 --json").ok().json();
    assert_eq!(pair, bench.records("run/trajectories.jsonl")[1]);
    assert!(bench.bare("runs show run --pair spiders-2").ok().stdout.contains("── spiders-2"));
    let lines = bench.bare("runs show run --show verdicts").ok().stdout;
    assert_eq!(lines.lines().filter(|line| line.starts_with("spiders-")).count(), 3, "{lines}");
    bench
        .bare("runs show run --pair spiders-9")
        .fails(1, &["no pair \"spiders-9\" in run", "grm runs show run --show verdicts"]);
    bench.bare("runs show .").fails(1, &[". is not a run folder", "manifest.json"]);
}

#[test]
fn pairs_come_from_stdin_or_from_flags_as_well() {
    let bench = Bench::new();
    bench.pairs(2);
    let piped = bench.grm_reading("judge - --out piped --json", &bench.read("pairs.jsonl")).ok().json();
    assert_eq!(piped["metrics"]["pairs"], 2);
    bench.grm("judge pairs.jsonl --out file").ok();
    assert_eq!(bench.digests("piped")["trajectories.jsonl"], bench.digests("file")["trajectories.jsonl"]);
    let requests = bench.requests();
    bench.bare("runs resume piped").ok();
    assert_eq!(bench.requests(), requests, "what came from stdin is kept with the run");

    let flags = ["--prompt", "Is a whale a fish?", "--a", "No, it is a mammal.", "--b", "Yes, it swims."];
    let one = finish(bench.command("judge --out flags --json").args(flags)).ok().json();
    assert_eq!(one["pairs"][0]["comparison"]["responses"][1]["parts"][0]["text"], "Yes, it swims.", "{one}");
    assert_eq!(one["pairs"][0]["label"], serde_json::Value::Null);
    assert_eq!(one["metrics"]["pairs"], 1);
}

#[test]
fn json_documents_parse() {
    let bench = Bench::new();
    bench.pairs(3);
    let judged = bench.grm("judge pairs.jsonl --out judged --json").ok().json();
    assert_eq!((&judged["version"], &judged["metrics"]["pairs"]), (&1.into(), &3.into()));
    assert_eq!(judged["pairs"].as_array().map(Vec::len), Some(3));
    let synthesised = bench.grm("synthesize pairs.jsonl --out synthesised --json").ok().json();
    assert_eq!(synthesised["metrics"]["pairs"], 3);
    let planned = bench.grm("judge pairs.jsonl --dry-run --json").ok().json();
    assert_eq!(planned["pairs"], 3);
    let examined = bench.bare(&format!("doctor {} --json", bench.server.url())).ok().json();
    assert!(
        examined["findings"].as_array().is_some_and(|all| all.iter().all(|one| one["health"] == "ok")),
        "{examined}"
    );
    assert!(bench.bare("models list --json").ok().json().is_object());
}

#[test]
fn users_criteria_come_from_flags_and_from_a_file_and_are_the_only_ones() {
    let bench = Bench::new();
    bench.pairs(1);
    bench.write("criteria.txt", "# ours\nTone: is it kind?\n\nLength: is it short enough?\n");
    let flags = ["--criterion", "Arithmetic: is the number right?", "--criteria-file", "criteria.txt", "--out", "run"];
    finish(bench.command("judge pairs.jsonl").args(flags)).ok();
    let names = criteria_names(&bench, "run");
    assert_eq!(names, ["Arithmetic", "Length", "Tone"]);
    let replies = &bench.read_json("run/metrics.json")["replies"];
    assert!(replies.get("criteria").is_none() && replies.get("expansion").is_none(), "{replies}");

    let beside = ["--criterion", "Arithmetic: is the number right?", "--generate-beside", "--out", "beside"];
    finish(bench.command("judge pairs.jsonl").args(beside)).ok();
    let names = criteria_names(&bench, "beside");
    assert!(names.len() > 1 && names.contains(&"Arithmetic".to_owned()), "{names:?}");

    bench.write("criteria.txt", "Tone: is it kind?\nLength\n");
    let refused = bench.grm("judge pairs.jsonl --criteria-file criteria.txt");
    refused.fails(1, &["criteria.txt, line 2", "\"Name: explanation\"", "\"Length\""]);
}

fn criteria_names(bench: &Bench, run: &str) -> Vec<String> {
    let record = &bench.records(&format!("{run}/trajectories.jsonl"))[0];
    let trajectories = record["outcome"]["judged"]["trajectories"].as_array().expect("trajectories");
    let name = |trajectory: &serde_json::Value| trajectory["criterion"]["name"].as_str().expect("a name").to_owned();
    let mut names: Vec<String> = trajectories.iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn both_orders_ask_every_judgment_twice_and_count_agreement() {
    let bench = Bench::new();
    bench.pairs(3);
    bench.grm("judge pairs.jsonl --out one").ok();
    bench.grm("judge pairs.jsonl --out both --both-orders").ok();
    let (one, both) = (bench.read_json("one/metrics.json"), bench.read_json("both/metrics.json"));
    for step in ["judgment", "combined"] {
        let replies = |metrics: &serde_json::Value| metrics["replies"][step]["replies"].as_u64().expect("a count");
        assert_eq!(replies(&both), 2 * replies(&one), "{step}");
    }
    assert_eq!((&one["both_orders"], both["both_orders"].as_u64()), (&0.into(), Some(3)));
    assert!(both["consistent"].as_u64() <= both["both_orders"].as_u64());
}

#[test]
fn a_run_without_neutralising_says_so_in_its_recipe() {
    let bench = Bench::new();
    bench.pairs(1);
    bench.grm("judge pairs.jsonl --out off --sanitize off").ok();
    assert!(bench.read("off/recipe.toml").contains("sanitize = \"off\""), "{}", bench.read("off/recipe.toml"));
    bench.grm("judge pairs.jsonl --out on").ok();
    assert!(bench.read("on/recipe.toml").contains("sanitize = \"neutralise\""), "{}", bench.read("on/recipe.toml"));
}

#[test]
fn passing_trouble_at_the_server_leaves_no_trace_in_the_results() {
    let bench = Bench::new();
    bench.pairs(6);
    bench.grm("judge pairs.jsonl --out calm").ok();
    let status = |code| FaultAction::Status { code, retry_after: None };
    let quarter = [status(429), status(500), FaultAction::Reset, FaultAction::CutBody(40)];
    let rules = quarter.into_iter().map(|action| FaultRule::new(FaultWhen::Share(0.025), action));
    bench.server.set_faults(rules.collect()).expect("a script");
    let calm = bench.asked();
    bench.grm("judge pairs.jsonl --out stormy").ok();
    let stormy = bench.asked().since(&calm);
    assert!(stormy.requests() > stormy.unique() + 10, "too few faults: {} of {}", stormy.requests(), stormy.unique());
    for name in ["trajectories.jsonl", "metrics.json", "report.html"] {
        assert_eq!(bench.digests("stormy")[name], bench.digests("calm")[name], "{name}");
    }
}

#[test]
fn replies_out_of_form_are_counted_and_the_run_ends_well() {
    let bench = Bench::with(MockConfig { malformed: 0.1, ..MockConfig::default() });
    bench.pairs(8);
    let run = bench.grm("judge pairs.jsonl --constrain off --out run").ok();
    let metrics = bench.read_json("run/metrics.json");
    let mut invalid = 0;
    for (step, counts) in metrics["replies"].as_object().expect("steps") {
        let count = |name: &str| counts[name].as_u64().expect("a count");
        let reasons: u64 =
            counts["invalid"].as_object().expect("reasons").values().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(count("valid") + reasons, count("replies"), "{step}");
        invalid += reasons;
    }
    assert!(invalid > 10, "{metrics}");
    let verdicts = ["decided", "ties"].map(|name| metrics[name].as_u64().expect("a count")).iter().sum::<u64>()
        + metrics["invalid"].as_object().expect("reasons").values().filter_map(serde_json::Value::as_u64).sum::<u64>();
    assert_eq!(verdicts, 8);
    assert!(run.stdout.contains("replies in form   ("), "{}", run.stdout);
}
