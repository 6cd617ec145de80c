//! Many short-lived containers, and how true the figures of a busy one are: against `docker stats`'s
//! source, which is the container's own cgroup, read by the test itself.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use wharf_tests::{
    elastic::Elastic,
    patience::wait_for,
    platform::Platform,
    testbed::{must, run},
};

const SOON: Duration = Duration::from_secs(90);

#[test]
fn thirty_containers_that_come_and_go_are_all_seen_and_none_is_stuck() {
    let platform = Platform::up("many");
    let names: Vec<String> = (0..30).map(|number| format!("short-{number:02}")).collect();
    let mut live = BTreeSet::new();
    for name in &names {
        let _ = platform.start(name, &["--network", "none"], "echo here; sleep 600");
    }
    wait_for("all thirty in `wharf top`", SOON, || {
        let rows = platform
            .host
            .wharf_json(&["top", "--once", "--filter", "name~short-"]);
        for row in rows.as_array().into_iter().flatten() {
            if row["sample"]["memory_bytes"].as_u64() > Some(0) {
                live.insert(row["name"].as_str().unwrap_or_default().to_owned());
            }
        }
        let missing: Vec<&String> = names.iter().filter(|name| !live.contains(*name)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{missing:?}"))
        }
    });
    let mut remove = platform.host.docker(&["rm", "-f"]);
    must(remove.args(&names));
    platform.with_system(|store| {
        for (data_stream, what) in [
            // The first reading gives memory; CPU use needs two.
            ("metrics-docker.memory-default", "a memory sample"),
            ("logs-docker.container-default", "the line"),
        ] {
            wait_for(&format!("{what} of each container in the store"), SOON, || {
                let body = json!({"size": 0, "aggs": {"n": {"terms": {"field": "container.name", "size": 100}}}});
                let answer = store.json("POST", &format!("/{data_stream}/_search"), &body)?;
                let seen: BTreeSet<String> = answer["aggregations"]["n"]["buckets"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|bucket| bucket["key"].as_str().map(str::to_owned))
                    .collect();
                let missing: Vec<&String> = names.iter().filter(|name| !seen.contains(*name)).collect();
                if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
            });
        }
    });
    wait_for("none left in `wharf top`", SOON, || {
        let rows = platform
            .host
            .wharf_json(&["top", "--once", "--filter", "name~short-"]);
        if rows == json!([]) { Ok(()) } else { Err(rows) }
    });
}

/// The container's cgroup folder of a version-1 controller.
fn cgroup(pid: &str, controller: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("the process lives");
    let path = text
        .lines()
        .find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let names = parts.next()?;
            names
                .split(',')
                .any(|name| name == controller)
                .then(|| parts.next())?
        })
        .unwrap_or_else(|| panic!("no controller {controller} in {text}"));
    PathBuf::from("/sys/fs/cgroup")
        .join(controller)
        .join(path.trim_start_matches('/'))
}

fn number(path: PathBuf) -> f64 {
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .trim()
        .parse()
        .expect("a number")
}

/// The newest documents of a container in a data stream, newest first.
fn newest(
    store: &Elastic,
    data_stream: &str,
    id: &str,
    count: usize,
) -> Result<Vec<Value>, String> {
    let body = json!({
        "size": count,
        "query": {"term": {"container.id": id}},
        "sort": [{"@timestamp": "desc"}],
    });
    let answer = store.json("POST", &format!("/{data_stream}/_search"), &body)?;
    let hits = answer["hits"]["hits"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Ok(hits.into_iter().map(|hit| hit["_source"].clone()).collect())
}

fn within(what: &str, ours: f64, truth: f64, percent: f64) -> Result<(), String> {
    let off = if truth == 0.0 {
        ours.abs()
    } else {
        (ours - truth).abs() / truth * 100.0
    };
    println!("{what}: ours {ours:.4}, truth {truth:.4}, off by {off:.2} %");
    if off <= percent {
        Ok(())
    } else {
        Err(format!(
            "{what}: ours {ours}, truth {truth}, off by {off:.2} %"
        ))
    }
}

#[test]
fn the_figures_of_a_loaded_container_are_those_of_its_cgroup() {
    let platform = Platform::up("truth");
    // Half a core by quota, 40 MB held in memory, bytes written to disk once, bytes through its
    // own network once: counters that then stand still can be compared exactly.
    let id = platform.start(
        "loaded",
        &["--cpus", "0.5", "--memory", "256m"],
        "dd if=/dev/zero of=/file bs=1M count=24 conv=fsync 2>/dev/null; \
         ping -c 5 -s 40000 $(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p') >/dev/null; \
         x=$(head -c 20000000 /dev/zero | tr '\\0' x); echo ready; while true; do :; done",
    );
    wait_for("the load", SOON, || {
        let logs = must(&mut platform.host.docker(&["logs", "loaded"]));
        if logs.contains("ready") {
            Ok(())
        } else {
            Err(logs)
        }
    });
    let pid = must(
        &mut platform
            .host
            .docker(&["inspect", "-f", "{{.State.Pid}}", "loaded"]),
    );
    let pid = pid.trim().to_owned();
    let usage = cgroup(&pid, "cpuacct").join("cpuacct.usage");
    let memory = cgroup(&pid, "memory");
    let io = cgroup(&pid, "blkio").join("blkio.throttle.io_service_bytes");

    // CPU: the mean of the samples between two readings of the counter. The quota's throttling
    // comes in periods of 100 ms, and our window begins up to one sample early: seven samples.
    let before = (std::time::Instant::now(), number(usage.clone()));
    let first = std::time::SystemTime::now();
    platform.with_system(|store| {
        let since = first
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_millis();
        let samples = wait_for("seven samples", Duration::from_secs(150), || {
            let found: Vec<Value> = newest(store, "metrics-docker.cpu-default", &id, 8)?
                .into_iter()
                .filter(|source| {
                    source["@timestamp"].as_str().is_some_and(|at| {
                        at.parse::<jiff::Timestamp>().is_ok_and(|at| {
                            u128::try_from(at.as_millisecond()).unwrap_or(0) > since
                        })
                    })
                })
                .collect();
            // The first one after the start reaches back before it.
            if found.len() == 8 {
                Ok(found)
            } else {
                Err(found.len().to_string())
            }
        });
        let spent = number(usage.clone()) - before.1;
        #[allow(clippy::cast_precision_loss)]
        let truth = spent / before.0.elapsed().as_nanos() as f64;
        let ours: Vec<f64> = samples[..7]
            .iter()
            .map(|source| {
                source["docker"]["cpu"]["total"]["pct"]
                    .as_f64()
                    .expect("total.pct")
            })
            .collect();
        let mean = ours.iter().sum::<f64>() / 7.0;
        within("CPU of a core", mean, truth, 1.0).expect("CPU within 1 %");
    });

    platform.with_system(|store| {
        // Memory and counters stand still now: one fresh sample must be the truth.
        wait_for("memory within 1 %", SOON, || {
            let source = newest(store, "metrics-docker.memory-default", &id, 1)?
                .pop()
                .ok_or("no sample")?;
            let stat = fs::read_to_string(memory.join("memory.stat")).map_err(|e| e.to_string())?;
            let inactive: f64 = stat
                .lines()
                .find_map(|line| line.strip_prefix("total_inactive_file "))
                .and_then(|value| value.parse().ok())
                .ok_or("no total_inactive_file")?;
            let truth = number(memory.join("memory.usage_in_bytes")) - inactive;
            let ours = source["docker"]["memory"]["usage"]["total"]
                .as_f64()
                .ok_or("usage.total")?;
            // Metricbeat's total counts the page cache's inactive part out, as `docker stats`.
            within("memory bytes", ours, truth, 1.0)
        });
        wait_for("network within 1 %", SOON, || {
            let source = newest(store, "metrics-docker.network-default", &id, 1)?
                .pop()
                .ok_or("no sample")?;
            let text =
                fs::read_to_string(format!("/proc/{pid}/net/dev")).map_err(|e| e.to_string())?;
            let line = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("eth0:"))
                .ok_or("no eth0")?;
            let truth: f64 = line
                .split_whitespace()
                .next()
                .and_then(|n| n.parse().ok())
                .ok_or("a number")?;
            let ours = source["docker"]["network"]["inbound"]["bytes"]
                .as_f64()
                .ok_or("inbound.bytes")?;
            within("network bytes in", ours, truth, 1.0)
        });
        wait_for("block I/O within 1 %", SOON, || {
            let source = newest(store, "metrics-docker.diskio-default", &id, 1)?
                .pop()
                .ok_or("no sample")?;
            let text = fs::read_to_string(&io).map_err(|e| e.to_string())?;
            let truth: f64 = text
                .lines()
                .filter_map(|line| line.split_once(" Write ")?.1.parse::<f64>().ok())
                .sum();
            let ours = source["docker"]["diskio"]["write"]["bytes"]
                .as_f64()
                .ok_or("write.bytes")?;
            if truth == 0.0 {
                // Seen on kernels whose version-1 groups count no block I/O; `docker stats` shows
                // nothing there either.
                println!("the kernel counts no block I/O of this group");
            }
            within("block bytes written", ours, truth, 1.0)
        });
    });
    let stats = run(&mut platform.host.docker(&[
        "stats",
        "--no-stream",
        "--format",
        "{{.CPUPerc}} {{.MemUsage}}",
        "loaded",
    ]));
    println!(
        "docker stats: {}",
        String::from_utf8_lossy(&stats.stdout).trim()
    );
}
