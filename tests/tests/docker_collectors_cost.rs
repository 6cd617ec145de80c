//! What the agents of a host cost: memory and CPU time of director, allocator, which carries the
//! collectors, and proxy, while containers are read every 10 s and everything is shipped. Prints the
//! figures; what is tested is that every container is read in every period. `scripts/agents-cost` asks for
//! more: WHARF_COST_CONTAINERS (30), WHARF_COST_IDLE and WHARF_COST_LOADED, seconds that are measured
//! before and with them (0, and four periods). WHARF_BENCH_BINARY measures another build of `wharf`.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use wharf_tests::{
    agent_cost::{Agent, Span, agents},
    patience::wait_for,
    platform::Platform,
};

const PERIODS: u64 = 4;

/// A number of the environment.
fn asked(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect(name))
}

/// What the agents use over so many seconds, which are what is asked for.
fn measured(what: &str, agents: &[Agent], seconds: u64) {
    if seconds > 0 {
        let span = Span::begin(agents);
        std::thread::sleep(Duration::from_secs(seconds));
        println!("{}", span.table(what));
    }
}

#[test]
fn every_container_is_read_in_every_period() {
    let containers = usize::try_from(asked("WHARF_COST_CONTAINERS", 30)).unwrap();
    let platform = Platform::up("cost");
    platform.wait_healthy();
    let agents = agents(&platform.host);
    measured("idle", &agents, asked("WHARF_COST_IDLE", 0));
    for number in 0..containers {
        let script = "while true; do echo tick; sleep 5; done";
        let _ = platform.start(&format!("load-{number:03}"), &["--network", "none"], script);
    }
    let samples = |minimum: u64| {
        platform.with_system(|store| {
            wait_for(
                "samples of every container",
                Duration::from_secs(180),
                || {
                    let body = json!({
                        "size": 0,
                        "query": {"prefix": {"container.name": "load-"}},
                        "aggs": {"n": {"terms": {"field": "container.name", "size": 1000}}},
                    });
                    let answer =
                        store.json("POST", "/metrics-docker.cpu-default/_search", &body)?;
                    let buckets = answer["aggregations"]["n"]["buckets"]
                        .as_array()
                        .cloned()
                        .unwrap_or_default();
                    let counts: BTreeMap<String, u64> = buckets
                        .iter()
                        .filter_map(|bucket| {
                            let name = bucket["key"].as_str()?.to_owned();
                            Some((name, bucket["doc_count"].as_u64()?))
                        })
                        .collect();
                    if counts.len() == containers && counts.values().all(|n| *n >= minimum) {
                        Ok(counts)
                    } else {
                        Err(format!("{counts:?}"))
                    }
                },
            )
        })
    };
    let read = samples(2);
    let what = format!("with {containers} containers, each with a line every 5 s");
    let loaded = asked("WHARF_COST_LOADED", 0);
    measured(&what, &agents, loaded);
    let first = if loaded > 0 { samples(2) } else { read };
    let least = first.values().min().copied().unwrap_or(0);
    let span = Span::begin(&agents);
    let last = samples(least + PERIODS);
    println!("{}", span.table(&what));
    let grown: Vec<u64> = first
        .iter()
        .map(|(name, count)| last[name] - count)
        .collect();
    let spread =
        grown.iter().max().copied().unwrap_or(0) - grown.iter().min().copied().unwrap_or(0);
    assert!(
        spread <= 2,
        "some containers were left out of some periods: {grown:?}"
    );
}
