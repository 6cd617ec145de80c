//! What the collectors cost: CPU time of the allocator, which carries them, while 30 containers
//! are read every 10 s and everything is shipped. Prints the figure; what is tested is that every
//! container is read in every period. WHARF_BENCH_BINARY measures another build of `wharf`.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{fs, time::Duration};

use serde_json::json;
use wharf_tests::{patience::wait_for, platform::Platform, testbed::must};

const CONTAINERS: usize = 30;
const PERIODS: u64 = 4;

/// User and system time of a process, seconds.
fn cpu_seconds(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    // Fields 14 and 15 of proc(5), in ticks of 1/100 s.
    (ticks(11) + ticks(12)) / 100.0
}

#[test]
fn thirty_containers_are_read_in_every_period() {
    let platform = Platform::up("cost");
    for number in 0..CONTAINERS {
        let script = "while true; do echo tick; sleep 5; done";
        let _ = platform.start(&format!("load-{number:02}"), &["--network", "none"], script);
    }
    let pid = must(&mut platform.host.docker(&[
        "inspect",
        "-f",
        "{{.State.Pid}}",
        "wharf-wharfinger-allocator",
    ]));
    let pid = pid.trim().to_owned();
    let samples = |minimum: u64| {
        platform.with_system(|store| {
            wait_for(
                "samples of every container",
                Duration::from_secs(180),
                || {
                    let body = json!({
                        "size": 0,
                        "query": {"prefix": {"container.name": "load-"}},
                        "aggs": {"n": {"terms": {"field": "container.name", "size": 100}}},
                    });
                    let answer =
                        store.json("POST", "/metrics-docker.cpu-default/_search", &body)?;
                    let buckets = answer["aggregations"]["n"]["buckets"]
                        .as_array()
                        .cloned()
                        .unwrap_or_default();
                    let counts: Vec<u64> = buckets
                        .iter()
                        .filter_map(|bucket| bucket["doc_count"].as_u64())
                        .collect();
                    if counts.len() == CONTAINERS && counts.iter().all(|count| *count >= minimum) {
                        Ok(counts)
                    } else {
                        Err(format!("{counts:?}"))
                    }
                },
            )
        })
    };
    let first = samples(2);
    let before = (std::time::Instant::now(), cpu_seconds(&pid));
    let least = first.iter().min().copied().unwrap_or(0);
    let last = samples(least + PERIODS);
    let seconds = before.0.elapsed().as_secs_f64();
    let cpu_ms = (cpu_seconds(&pid) - before.1) * 1000.0;
    println!(
        "collectors: {:.0} ms CPU per 10 s for {CONTAINERS} containers and the host, shipped ({seconds:.0} s measured)",
        cpu_ms / seconds * 10.0
    );
    let spread = last.iter().max().copied().unwrap_or(0) - last.iter().min().copied().unwrap_or(0);
    assert!(
        spread <= 3,
        "some containers were left out of some periods: {last:?}"
    );
}
