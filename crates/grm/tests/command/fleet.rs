//! Several servers in one role, one of which dies in the middle.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use grm_mock::{MockConfig, MockServer};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::harness::{Bench, Finished, IN_FLIGHT, finish, wait_until};

const PAIRS: usize = 200;

/// A server that can be killed: its runtime goes, and every connection with it.
struct Mortal {
    server: MockServer,
    runtime: Runtime,
}

impl Mortal {
    fn start(config: MockConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let server = runtime.block_on(MockServer::start(config)).expect("a free port");
        Self { server, runtime }
    }

    /// Gives what it was asked.
    fn die(self) -> Vec<(String, u64)> {
        self.runtime.shutdown_timeout(Duration::from_secs(10));
        self.server.counts()
    }
}

fn config() -> MockConfig {
    MockConfig { latency_ms: [1, 3], ..MockConfig::default() }
}

fn words(genrm: &str, disrm: &str, out: &str) -> String {
    format!(
        "judge pairs.jsonl -k 2 -n 2 -m 2 --show verdicts --genrm {genrm} --disrm {disrm} --max-in-flight {IN_FLIGHT} \
         --out {out}"
    )
}

fn run(bench: &Bench, genrm: &str, out: &str) -> Finished {
    finish(&mut bench.bare_command(words(genrm, &bench.server.url(), out).split_whitespace()))
}

/// How many requests, of all servers together, had been made before.
fn asked_again(servers: impl IntoIterator<Item = Vec<(String, u64)>>) -> u64 {
    let mut asked: BTreeMap<String, u64> = BTreeMap::new();
    for (key, count) in servers.into_iter().flatten() {
        *asked.entry(key).or_default() += count;
    }
    asked.values().map(|count| count - 1).sum()
}

#[test]
fn a_server_that_dies_costs_its_calls_in_flight_and_leaves_no_trace_in_the_results() {
    let bench = Bench::with(config());
    let second = bench.another_server(config());
    let third = Mortal::start(config());
    bench.pairs(PAIRS);
    let servers = [bench.server.url(), second.url(), third.server.url()];
    let mut command = bench.bare_command(words(&servers.join(","), &servers[0], "run").split_whitespace());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("grm starts");
    wait_until("the third server is at work", || third.server.stats().requests >= 200);
    let thirds = third.die();
    let output = child.wait_with_output().expect("grm ends");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));

    assert_eq!(bench.records("run/trajectories.jsonl").len(), PAIRS);
    assert_eq!(bench.read_json("run/metrics.json")["failed"], serde_json::json!({}));
    let again = asked_again([bench.server.counts(), second.counts(), thirds]);
    assert!(again <= IN_FLIGHT, "{again} calls were asked twice");
    println!(
        "{again} calls asked twice; GenRM servers:{}",
        said.split("GenRM servers:").nth(1).expect("they are told")
    );
    expect_affinity(&bench.read_json("run/servers.json")["GenRM"]);

    run(&bench, &servers[0], "alone").ok();
    for name in ["trajectories.jsonl", "metrics.json", "report.html", "manifest.json"] {
        assert_eq!(bench.read(&format!("run/{name}")), bench.read(&format!("alone/{name}")), "{name}");
    }
    let requests = bench.requests() + second.stats().requests;
    run(&bench, &servers[1], "run").ok();
    let after = bench.requests() + second.stats().requests;
    assert_eq!(after, requests, "another server may continue the run, and here has nothing to do");
}

/// The third of three servers is left out, and nine calls of ten were where most of their pair's were.
fn expect_affinity(genrm: &Value) {
    let count = |name: &str| genrm[name].as_u64().expect("a count");
    assert!(count("on_majority") * 10 >= count("calls") * 9, "{genrm}");
    let servers = genrm["servers"].as_array().expect("servers");
    assert_eq!((&servers[2]["up"], &servers[2]["left_out"]), (&false.into(), &1.into()), "{genrm}");
    let answered: u64 = servers.iter().map(|server| server["calls"].as_u64().expect("a count")).sum();
    assert_eq!(answered, count("calls"));
}

#[test]
fn servers_of_different_models_are_refused_by_name() {
    let bench = Bench::new();
    bench.pairs(1);
    let odd = bench.another_server(MockConfig { models: vec!["other".into()], ..MockConfig::default() });
    let (url, odd) = (bench.server.url(), odd.url());
    run(&bench, &format!("{url},{odd}"), "run").fails(1, &[&odd, "serves other (other (vllm)), but", "leave it out"]);
    // A server that is not there yet is no reason not to begin.
    run(&bench, &format!("{url},http://127.0.0.1:9"), "run").ok();
    run(&bench, &odd, "run").fails(1, &["was begun with the GenRM mock", "--change-recipe"]);
}

#[test]
fn a_recipe_lists_servers_in_every_role() {
    let bench = Bench::new();
    bench.pairs(6);
    let second = bench.another_server(MockConfig::default());
    let (one, two) = (bench.server.url(), second.url());
    let models =
        format!("genrm = [\"{one}/v1\", \"{two}/v1\"]\npolicy = \"{two}/v1\"\ndisrm = [\"{one}\", \"{two}\"]\n");
    bench.write("recipe.toml", format!("[models]\n{models}"));
    let told = bench.bare("judge pairs.jsonl --recipe recipe.toml --out run --json").ok().json();
    assert!(told["servers"]["DisRM"]["calls"].as_u64().expect("a count") > 0);
    assert!(told["servers"].get("policy").is_none(), "one server is no fleet");
    bench.bare("runs resume run").ok();
}
