//! Verdict-form records, comparing runs, and the loop around them.

use std::{os::unix::process::CommandExt as _, path::Path};

use grm_mock::MockConfig;
use serde_json::{Value, json};

use crate::harness::{Bench, Finished, finish, wait_until};

/// A bench with six pairs, whose judge always takes the response it thinks better.
fn bench() -> Bench {
    let bench = Bench::with(MockConfig { accuracy: 1.0, record: true, ..MockConfig::default() });
    bench.pairs(6);
    bench
}

/// Pairs of a finished run whose verdict is the label's.
fn right(bench: &Bench, run: &str) -> u64 {
    let records = bench.records(&format!("{run}/trajectories.jsonl"));
    let is_right = |record: &&Value| record["outcome"]["judged"]["verdict"]["decision"]["prefer"] == record["label"];
    records.iter().filter(is_right).count() as u64
}

fn text(message: &Value) -> &str {
    message["content"].as_str().expect("text")
}

#[test]
fn verdict_records_are_what_the_judge_is_asked_and_what_the_label_says() {
    let bench = bench();
    let made = bench.bare("synthesize pairs.jsonl --form verdict --out made").ok();
    let (sft, dpo) = (bench.records("made/sft.jsonl"), bench.records("made/dpo.jsonl"));
    assert_eq!((sft.len(), dpo.len(), bench.requests()), (6, 6, 0), "no model is asked");

    bench.grm("judge pairs.jsonl --rule direct --thinking off --out judged").ok();
    let judged = bench.records("judged/trajectories.jsonl");
    let asked: Vec<Value> = bench
        .server
        .received()
        .iter()
        .filter(|call| call.path.ends_with("/chat/completions"))
        .map(|call| serde_json::from_slice::<Value>(&call.body).expect("JSON")["messages"].clone())
        .collect();
    let mut a_right = 0;
    for ((sft, dpo), judged) in sft.iter().zip(&dpo).zip(&judged) {
        let (right, wrong) = if judged["label"] == "first" { ("[[A]]", "[[B]]") } else { ("[[B]]", "[[A]]") };
        a_right += u64::from(right == "[[A]]");
        let (answer, prompt) = sft["messages"].as_array().expect("messages").split_last().expect("a target");
        assert_eq!((sft["form"].as_str(), text(answer)), (Some("non_thinking"), right));
        assert_eq!((text(&dpo["chosen"][0]), text(&dpo["rejected"][0])), (right, wrong));
        assert_eq!(dpo["prompt"], json!(prompt));
        assert!(asked.contains(&json!(prompt)), "training and judging ask alike");
        assert_eq!((&sft["pair"], &dpo["pair"]), (&judged["comparison"]["id"], &judged["comparison"]["id"]));
    }
    assert!(0 < a_right && a_right < 6, "both places occur");
    let said = format!("6 SFT and 6 DPO records; A right in {a_right}, B in {}", 6 - a_right);
    assert!(made.stdout.contains(&said), "{}", made.stdout);
}

#[test]
fn verdict_records_come_from_another_part_of_the_file_and_the_same_bytes_again() {
    let bench = bench();
    bench.bare("synthesize pairs.jsonl --form verdict --out all").ok();
    bench.bare("synthesize pairs.jsonl --form verdict --out head --limit 2").ok();
    bench.bare("synthesize pairs.jsonl --form verdict --out tail --skip 2").ok();
    for name in ["sft.jsonl", "dpo.jsonl"] {
        let [head, tail, all] = ["head", "tail", "all"].map(|run| bench.read(&format!("{run}/{name}")));
        assert_eq!(head + &tail, all, "{name}: A/B placement does not depend on the part");
    }
    let before = bench.digests("tail");
    bench.bare("synthesize pairs.jsonl --form verdict --out tail --skip 2").ok();
    assert_eq!(bench.digests("tail"), before);
    bench.bare("runs resume tail").ok();
    assert_eq!(bench.digests("tail"), before);
    let refused = bench.bare("synthesize pairs.jsonl --form verdict --out tail --skip 3");
    refused.fails(1, &["tail holds a run with other settings", "- skip = 2", "+ skip = 3"]);
    let other_seed = bench.bare("synthesize pairs.jsonl --form verdict --out seed --seed 5").ok();
    assert!(other_seed.stdout.contains("6 SFT"), "{}", other_seed.stdout);
    assert_ne!(bench.digests("seed")["sft.jsonl"], bench.digests("all")["sft.jsonl"]);
}

#[test]
fn what_cannot_become_a_verdict_record_is_counted() {
    let bench = bench();
    let lines = [
        json!({"id": "good", "prompt": "Legs?", "response_a": "Eight.", "response_b": "Six.", "label": "A"}),
        json!({"id": "open", "prompt": "Legs?", "response_a": "Eight.", "response_b": "Six."}),
        json!({"id": "same", "prompt": "Legs?", "response_a": "Eight.", "response_b": "Eight.", "label": "B"}),
    ];
    bench.write("mixed.jsonl", lines.map(|line| format!("{line}\n")).concat());
    let made = bench.bare("synthesize mixed.jsonl --form verdict --out made --json").ok().json();
    assert_eq!(made["examples"], json!({"records": 1, "a_right": 1, "b_right": 0}));
    let left_out: u64 = made["left_out"].as_object().expect("counts").values().filter_map(Value::as_u64).sum();
    assert_eq!((left_out, bench.records("made/sft.jsonl").len()), (2, 1), "{made}");
    let shown = bench.bare("runs show made --json").ok().json();
    assert_eq!((&shown["manifest"]["complete"], &shown["metrics"]["pairs"]), (&json!(true), &json!(1)));

    let media = json!({"id": "pic", "prompt": "Legs?", "image": "spider.png", "chosen": "Eight.", "rejected": "Six."});
    bench.write("media.jsonl", format!("{media}\n"));
    bench.bare("synthesize media.jsonl --form verdict --out none").fails(3, &["media.jsonl:1", "spider.png"]);
    bench.write("spider.png", "\u{89}PNG is more than these bytes");
    bench.bare("synthesize media.jsonl --form verdict --out none").fails(3, &["not a picture", "spider.png"]);
    bench.write("spider.png", b"\x89PNG and so on");
    let made = bench.bare("synthesize media.jsonl --form verdict --out media --json").ok().json();
    assert_eq!(made["examples"]["records"], 1, "{made}");
    let asked = &bench.records("media/sft.jsonl")[0]["messages"][1]["content"];
    let kinds: Vec<&str> = asked.as_array().expect("parts").iter().filter_map(|part| part["type"].as_str()).collect();
    assert_eq!(kinds, ["text", "image", "text"], "{asked}");
    let dry = bench.bare("synthesize pairs.jsonl --form verdict --out dry --dry-run").ok();
    assert!(dry.stdout.starts_with("6 labelled pairs"), "{}", dry.stdout);
    assert!(!bench.path("dry").exists());
}

/// Two runs over the same pairs: where one judge is right the other is wrong.
fn two_runs() -> Bench {
    let bench = bench();
    bench.grm("judge pairs.jsonl --rule direct --thinking off --out runs/one").ok();
    let wrong = bench.another_server(MockConfig { accuracy: 0.0, ..MockConfig::default() });
    let words = format!(
        "judge pairs.jsonl --rule direct --thinking off --out runs/other --genrm {}/v1 --disrm {}",
        wrong.url(),
        wrong.url()
    );
    bench.bare(&words).ok();
    bench
}

#[test]
fn runs_are_compared_row_by_row() {
    let bench = two_runs();
    let board = bench.bare("compare runs/other runs/one --json --markdown table.md").ok().json();
    let [other, one] = [&board["rows"][0], &board["rows"][1]];
    let won = right(&bench, "runs/one");
    assert_eq!((&board["version"], &board["pairs"]), (&json!(1), &json!(6)));
    assert_eq!((&one["all"]["right"], &other["all"]["right"]), (&json!(won), &json!(6 - won)));
    assert_eq!((&other["against_previous"], &one["all"]["interval"].is_array()), (&Value::Null, &true));
    let against = &one["against_previous"];
    assert_eq!((&against["won"], &against["lost"]), (&json!(won), &json!(6 - won)));
    // Two tails of six tosses, by hand.
    let p = [2.0, 14.0, 44.0, 64.0][usize::try_from(won.min(6 - won)).expect("small")] / 64.0;
    assert!((against["p"].as_f64().expect("a number") - p).abs() < 1e-12, "{against}, not {p}");

    let shown = bench.bare("compare runs/other runs/one").ok().stdout;
    assert!(shown.contains(&format!("{won} won, {} lost, p = {p:.3}", 6 - won)), "{shown}");
    let page = bench.read("table.md");
    let table: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), 4, "{page}");
    assert!(table[3].starts_with(&format!("| one | 6 | {won} | ")), "{page}");
}

#[test]
fn invalid_verdicts_are_wrong_and_counted() {
    let bench = Bench::with(MockConfig { accuracy: 1.0, malformed: 0.4, ..MockConfig::default() });
    bench.pairs(20);
    bench.grm("judge pairs.jsonl --rule direct --thinking off --constrain off --out run").ok();
    let all = bench.bare("compare run --json").ok().json()["rows"][0]["all"].clone();
    let count = |name: &str| all[name].as_u64().expect("a count");
    assert!(count("invalid") > 0, "{all}");
    assert_eq!(count("answered") + count("invalid") + count("tied") + count("failed"), 20, "{all}");
    let accuracy = all["accuracy"].as_f64().expect("a number");
    assert!((accuracy - count("right") as f64 / 20.0).abs() < 1e-12, "invalid verdicts stay in the denominator: {all}");
    assert!(all["accuracy_answered"].as_f64() > Some(accuracy), "{all}");
}

#[test]
fn sources_are_told_apart_where_records_name_them() {
    let bench = Bench::with(MockConfig { accuracy: 1.0, ..MockConfig::default() });
    let line = |n: usize| {
        let source = if n < 4 { "spiders" } else { "beetles" };
        let (prompt, chosen) =
            (format!("How many legs have {n} {source}?"), format!("They have {n} times as many as one."));
        format!("{}\n", json!({"prompt": prompt, "chosen": chosen, "rejected": "I do not know.", "source": source}))
    };
    bench.write("held_out.jsonl", (0..6).map(line).collect::<String>());
    bench.grm("judge held_out.jsonl --rule direct --thinking off --out run").ok();
    let sources = bench.bare("compare run --json").ok().json()["rows"][0]["sources"].clone();
    assert_eq!((&sources["spiders"]["pairs"], &sources["beetles"]["pairs"]), (&json!(4), &json!(2)));
    let shown = bench.bare("compare run").ok().stdout;
    assert!(shown.lines().any(|line| line.starts_with("beetles") && line.contains(" %")), "{shown}");
}

#[test]
fn runs_over_different_pairs_are_refused_by_id() {
    let bench = two_runs();
    bench.grm("judge pairs.jsonl --rule direct --thinking off --limit 4 --out runs/few").ok();
    let refused = bench.bare("compare runs/one runs/few");
    refused.fails(1, &["one and few are not about the same pairs", "2 only in one: spiders-5, spiders-6", "--limit"]);
    bench.write("pairs.jsonl", bench.read("pairs.jsonl").replace("as insects do", "as beetles do"));
    bench.grm("judge pairs.jsonl --rule direct --thinking off --out runs/edited").ok();
    bench.bare("compare runs/one runs/edited").fails(1, &["6 with other texts or another label: spiders-1"]);
    bench.write("open.jsonl", format!("{}\n", json!({"prompt": "q", "response_a": "a", "response_b": "b"})));
    bench.grm("judge open.jsonl --rule direct --out runs/open").ok();
    bench.bare("compare runs/open").fails(1, &["runs/open has no labelled pairs"]);
    bench.bare("compare runs/nowhere").fails(1, &["runs/nowhere is not a run folder"]);
}

#[test]
fn the_same_pairs_shown_the_other_way_round_are_the_same_pairs() {
    let bench = two_runs();
    bench.grm("judge pairs.jsonl --rule direct --thinking off --seed 5 --out runs/turned").ok();
    let board = bench.bare("compare runs/one runs/turned --json").ok().json();
    assert_eq!(board["rows"][1]["against_previous"]["p"], json!(1.0), "{board}");
    bench.grm("judge pairs.jsonl --rule vote --out runs/vote").ok();
    let noted = bench.bare("compare runs/one runs/vote").ok().stdout;
    assert!(noted.contains("note: vote was asked in another way than one: rule = \"vote\""), "{noted}");
}

/// A loop without training: what one can do with a server alone.
fn untrained(bench: &Bench) -> String {
    let url = bench.server.url();
    format!(
        "seed = 3\nstudent = \"{url}/v1\"\nout = \"out\"\ndata = \"data\"\n\
         [[synthesize]]\ninput = \"train.jsonl\"\nform = \"verdict\"\nlimit = 4\n\
         [evaluate]\ninput = \"held_out.jsonl\"\nflags = {{ disrm = \"{url}\" }}\n"
    )
}

fn loop_bench() -> Bench {
    let bench = bench();
    std::fs::create_dir(bench.path("data")).expect("a folder");
    for name in ["data/train.jsonl", "data/held_out.jsonl"] {
        bench.write(name, bench.read("pairs.jsonl"));
    }
    let recipe = untrained(&bench);
    bench.write("recipe.toml", recipe);
    bench
}

fn run_loop(bench: &Bench, words: &str) -> Finished {
    bench.bare(&format!("loop recipe.toml {words}"))
}

#[test]
fn a_loop_does_each_step_once() {
    let bench = loop_bench();
    let first = run_loop(&bench, "").ok();
    for part in [
        "step 1 of 3, judged-base:\n  grm judge data/held_out.jsonl",
        "step 2 of 3, 1-synthesize-verdict:\n  grm synthesize data/train.jsonl --form verdict --limit 4",
        "step 3 of 3, compare:\n  grm compare out/judged/base --markdown out/table.md",
        "against the row above",
        "loop folder: out   table: out/table.md",
    ] {
        assert!(first.stdout.contains(part), "{part:?} is not in:\n{}", first.stdout);
    }
    assert_eq!(bench.records("out/1-synthesize-verdict/sft.jsonl").len(), 4);
    assert!(bench.read("out/loop.log").contains("grm judge data/held_out.jsonl"));
    let ledger = bench.read_json("out/loop.json");
    assert!(ledger["steps"].as_array().expect("steps").iter().all(|step| step["done"] == true), "{ledger}");

    let asked = bench.requests();
    let again = run_loop(&bench, "--json").ok().json();
    assert!(again["steps"].as_array().expect("steps").iter().all(|step| step["seconds"].is_null()), "{again}");
    assert_eq!((bench.requests(), bench.read_json("out/loop.json")), (asked, ledger));
    let planned = run_loop(&bench, "--dry-run").ok().stdout;
    assert!(planned.contains("# judged-base (done)\ngrm judge data/held_out.jsonl"), "{planned}");
}

#[test]
fn a_loop_does_not_overwrite_what_was_done_in_another_way() {
    let bench = loop_bench();
    run_loop(&bench, "").ok();
    let refused = run_loop(&bench, "--seed 4");
    refused.fails(1, &["step judged-base was begun in another way", "--seed 3", "--seed 4", "--redo"]);
    run_loop(&bench, "--seed 4 --redo").ok();
    assert!(bench.path("out/judged/base.old/trajectories.jsonl").exists());
    assert!(bench.read("out/recipe.toml").contains("seed = 4"));
    bench.write("data/train.jsonl", bench.read("pairs.jsonl").replace("eight", "8"));
    run_loop(&bench, "--seed 4").fails(1, &["step 1-synthesize-verdict", "its inputs have changed"]);
}

#[test]
fn a_failed_step_is_named_and_the_loop_goes_on_from_it() {
    let bench = loop_bench();
    let recipe = bench.read("recipe.toml");
    let broken = recipe.replace(&format!("student = \"{}/v1\"", bench.server.url()), "student = \"no-such-model\"");
    bench.write("recipe.toml", broken);
    let failed = run_loop(&bench, "");
    failed.fails(
        1,
        &["step judged-base failed with exit code 1", "no-such-model", "out/logs/judged-base.log", "goes on"],
    );
    assert!(bench.read("out/logs/judged-base.log").contains("error: GenRM"));
    assert!(bench.read("out/loop.log").contains("failed with exit code 1"));
    assert_eq!(bench.read_json("out/loop.json")["steps"][0]["done"], false);
    bench.write("recipe.toml", recipe);
    run_loop(&bench, "--redo").ok();
}

#[test]
fn a_killed_loop_goes_on_where_it_was() {
    let bench = Bench::with(MockConfig { accuracy: 1.0, latency_ms: [20, 40], ..MockConfig::default() });
    bench.pairs(40);
    std::fs::create_dir(bench.path("data")).expect("a folder");
    for name in ["data/train.jsonl", "data/held_out.jsonl"] {
        bench.write(name, bench.read("pairs.jsonl"));
    }
    bench.write("recipe.toml", untrained(&bench).replace("flags = {", "flags = { max_in_flight = 1,"));
    let mut command = bench.bare_command(["loop", "recipe.toml"]);
    let child =
        command.process_group(0).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
    let child = child.expect("grm starts");
    wait_until("the first step is under way", || bench.requests() > 5);
    // As a terminal does it: to the loop and its step.
    let signal = std::process::Command::new("kill").args(["-INT", "--", &format!("-{}", child.id())]).status();
    assert!(signal.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("stopped in step judged-base; the same command goes on from there"), "{said}");
    let recorded = bench.journaled("out/judged/base").len();
    assert!(0 < recorded && recorded < 40, "{recorded}");
    run_loop(&bench, "").ok();
    assert_eq!(bench.journaled("out/judged/base").len(), 40, "no call is journaled twice");
    assert_eq!(bench.records("out/judged/base/trajectories.jsonl").len(), 40);
}

#[test]
fn a_loop_says_what_it_lacks_before_it_starts() {
    let bench = loop_bench();
    run_loop(&bench, "--data elsewhere")
        .fails(1, &["reads files that are not there", "elsewhere/held_out.jsonl", "elsewhere/train.jsonl", "--data"]);
    assert!(!bench.path("out").exists());
    let planned = run_loop(&bench, "--data elsewhere --dry-run").ok().stdout;
    assert!(planned.contains("# not there: elsewhere/train.jsonl"), "{planned}");
    assert!(!bench.path("out").exists(), "a dry run makes no folder");
    bench.write("recipe.toml", bench.read("recipe.toml").replace("[[synthesize]]", "[[synthesise]]"));
    run_loop(&bench, "")
        .fails(1, &["recipe recipe.toml: line 5: unknown key \"synthesise\"", "did you mean \"synthesize\"?"]);
    bench.bare("loop nowhere.toml").fails(1, &["could not read recipe nowhere.toml"]);
}

/// Every recipe we ship becomes commands that the commands' own parsers take.
#[test]
fn shipped_recipes_can_be_planned() {
    let bench = Bench::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("recipes").map(|entry| entry.expect("an entry").path()) {
        // recipes/paper.toml is a plan, not a loop: paper_plan.rs prints it.
        if entry.extension().is_none_or(|extension| extension != "toml") || entry.ends_with("paper.toml") {
            continue;
        }
        let planned = finish(bench.bare_command(["loop", "--dry-run"]).arg(&entry)).ok().stdout;
        for part in ["grm synthesize", "grm train sft", "grm train dpo", "grm judge", "grm compare"] {
            assert!(planned.contains(part), "{part:?} is not in {}:\n{planned}", entry.display());
        }
        let text = std::fs::read_to_string(&entry).expect("a recipe");
        assert!(!text.contains("\"/"), "{}: a path of one machine", entry.display());
        seen += 1;
    }
    assert!(seen > 0, "no recipes in {}", folder.display());
}
