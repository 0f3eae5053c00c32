//! Several servers in one role, one of which dies in the middle.

use std::{
    collections::BTreeMap,
    process::Stdio,
    time::{Duration, Instant},
};

use grm_mock::{MockConfig, MockServer};
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

    /// Gives what it saw.
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
        "judge pairs.jsonl -k 2 -n 2 -m 2 --show verdicts --genrm {genrm} --disrm {disrm} --max-in-flight {IN_FLIGHT} --out {out}"
    )
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
    let started = Instant::now();
    let thirds = third.die();
    println!("the server died in {:?}", started.elapsed());
    let output = child.wait_with_output().expect("grm ends");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));

    assert_eq!(bench.records("run/trajectories.jsonl").len(), PAIRS);
    assert_eq!(bench.read_json("run/metrics.json")["failed"], serde_json::json!({}));
    let mut asked: BTreeMap<String, u64> = BTreeMap::new();
    for (key, count) in bench.server.counts().into_iter().chain(second.counts()).chain(thirds) {
        *asked.entry(key).or_default() += count;
    }
    let again: u64 = asked.values().map(|count| count - 1).sum();
    assert!(again <= IN_FLIGHT, "{again} calls were asked twice");

    let genrm = &bench.read_json("run/servers.json")["GenRM"];
    let count = |name: &str| genrm[name].as_u64().expect("a count");
    println!("{again} calls asked twice\n{}", said.split("GenRM servers:").nth(1).expect("the servers are told"));
    assert!(count("on_majority") * 10 >= count("calls") * 9, "{genrm}");
    assert_eq!((&genrm["servers"][2]["up"], &genrm["servers"][2]["left_out"]), (&false.into(), &1.into()));
    let answered: u64 = (0..3).map(|server| genrm["servers"][server]["calls"].as_u64().expect("a count")).sum();
    assert_eq!(answered, count("calls"));

    finish(&mut bench.bare_command(words(&servers[0], &servers[0], "alone").split_whitespace())).ok();
    for name in ["trajectories.jsonl", "metrics.json", "report.html", "manifest.json"] {
        assert_eq!(bench.read(&format!("run/{name}")), bench.read(&format!("alone/{name}")), "{name}");
    }
    let requests = bench.requests();
    let replayed = finish(&mut bench.bare_command(words(&servers[1], &servers[1], "run").split_whitespace())).ok();
    assert_eq!(bench.requests(), requests, "another server continues the run, and has nothing to do: {replayed:?}");
}

#[test]
fn servers_of_different_models_are_refused_by_name() {
    let bench = Bench::new();
    bench.pairs(1);
    let odd = bench.another_server(MockConfig { models: vec!["other".into()], ..MockConfig::default() });
    let run = |genrm: &str| -> Finished {
        finish(&mut bench.bare_command(words(genrm, &bench.server.url(), "run").split_whitespace()))
    };
    let both = format!("{},{}", bench.server.url(), odd.url());
    run(&both).fails(1, &[&odd.url(), "serves other (other (vllm)), but", "leave it out"]);
    // A server that is not there yet is no reason not to begin.
    run(&format!("{},http://127.0.0.1:9", bench.server.url())).ok();
    run(&odd.url()).fails(1, &["was begun with the GenRM mock", "--change-recipe"]);
}

#[test]
fn a_recipe_lists_servers_in_every_role() {
    let bench = Bench::new();
    bench.pairs(6);
    let second = bench.another_server(MockConfig::default());
    let (one, two) = (bench.server.url(), second.url());
    bench.write(
        "recipe.toml",
        format!(
            "[models]\ngenrm = [\"{one}/v1\", \"{two}/v1\"]\npolicy = \"{two}/v1\"\ndisrm = [\"{one}\", \"{two}\"]\n"
        ),
    );
    let told = bench.bare("judge pairs.jsonl --recipe recipe.toml --out run --json").ok().json();
    assert!(told["servers"]["DisRM"]["calls"].as_u64().expect("a count") > 0);
    assert!(told["servers"].get("policy").is_none(), "one server is no fleet");
    bench.bare("runs resume run").ok();
}
