//! kill -9 of every role, of the storage node and of the engine, at random moments, while documents
//! are written and deployments come and go. Afterwards the books are checked: no acknowledged
//! document lost or doubled, no container doubled or orphaned, every plan done. The seed is
//! printed; WHARF_SEED replays it.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use wharf_tests::{
    account::{Listed, container_breaches, document_breaches, plan_breaches},
    elastic::Elastic,
    patience::wait_for,
    platform::Platform,
    testbed::{Host, must, run},
};

/// Kills of each victim.
const ROUNDS: usize = 2;
const BATCH: u64 = 50;
const RECOVERY: Duration = Duration::from_secs(150);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Director,
    Allocator,
    Proxy,
    Storage,
    Engine,
}

#[derive(Default)]
struct Books {
    sent: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

#[test]
fn nothing_acknowledged_is_lost_when_anything_is_killed() {
    let seed = std::env::var("WHARF_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed: u64 =
        seed.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 % 4_294_967_296);
    println!("seed {seed}: WHARF_SEED={seed} replays this run");
    let mut random = StdRng::seed_from_u64(seed);
    let mut platform = Platform::up("kill");
    let credentials = platform.credentials().clone();

    let mut victims: Vec<Victim> = [
        Victim::Director,
        Victim::Allocator,
        Victim::Proxy,
        Victim::Storage,
        Victim::Engine,
    ]
    .repeat(ROUNDS);
    for index in (1..victims.len()).rev() {
        victims.swap(index, random.random_range(0..=index));
    }

    let books = Mutex::new(Books::default());
    let stop = AtomicBool::new(false);
    let namespace_host = NamespaceOf::of(&platform.host);
    let mut plans = Vec::new();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            namespace_host.inside(|| write_documents(&Elastic::new(&credentials), &books, &stop));
        });
        for (round, victim) in victims.iter().enumerate() {
            let pause = Duration::from_millis(random.random_range(200..2500));
            let until = Instant::now() + pause;
            // A moment drawn at random is the test's point, not a wait for something.
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            if round % 3 == 1 {
                plans.push(start_plan(&platform.host, round));
            }
            println!("{victim:?} is killed after {} ms", pause.as_millis());
            kill(&mut platform.host, *victim);
            let acknowledged_before = count_acknowledged(&books);
            wait_for("documents are taken again", RECOVERY, || {
                let now = count_acknowledged(&books);
                if now > acknowledged_before + BATCH as usize {
                    Ok(())
                } else {
                    Err(now - acknowledged_before)
                }
            });
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer ends");
    });
    platform.wait_healthy();

    let plan_states = settle_plans(&platform.host, &plans);
    let breaches = plan_breaches(&plan_states);
    assert!(breaches.is_empty(), "{breaches:#?}");

    let books = books.into_inner().expect("nobody panicked with the books");
    let stored = platform.with_system(stored_documents);
    println!(
        "{} sent, {} acknowledged, {} stored",
        books.sent.len(),
        books.acknowledged.len(),
        stored.len()
    );
    assert!(
        books.acknowledged.len() > 500,
        "too little was written to prove anything"
    );
    let breaches = document_breaches(&books.acknowledged, &books.sent, &stored);
    assert!(breaches.is_empty(), "{breaches:#?}");

    wait_for(
        "one container per role and instance, no other",
        RECOVERY,
        || {
            let breaches = container_breaches(&listed(&platform.host), &instances(&platform.host));
            if breaches.is_empty() {
                Ok(())
            } else {
                Err(breaches)
            }
        },
    );
}

/// Enters a host's network without borrowing the host, which the killer needs mutably.
struct NamespaceOf(String);

impl NamespaceOf {
    fn of(host: &Host) -> Self {
        Self(host.namespace().to_owned())
    }

    fn inside<T: Send>(&self, code: impl FnOnce() -> T + Send) -> T {
        wharf_tests::testbed::inside_namespace(&self.0, code)
    }
}

fn count_acknowledged(books: &Mutex<Books>) -> usize {
    books.lock().expect("the books").acknowledged.len()
}

/// Writes batches until told to stop. A batch without an answer is sent again under the same ids,
/// as every careful client does: `create` makes the second one a conflict, which counts as there.
fn write_documents(store: &Elastic, books: &Mutex<Books>, stop: &AtomicBool) {
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let ids: Vec<String> = (next..next + BATCH)
            .map(|number| format!("doc-{number:08}"))
            .collect();
        let mut body = String::new();
        for id in &ids {
            let _ = writeln!(
                body,
                "{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"n\":\"{id}\"}}"
            );
        }
        books
            .lock()
            .expect("the books")
            .sent
            .extend(ids.iter().cloned());
        let mut open: BTreeSet<String> = ids.into_iter().collect();
        while !open.is_empty() {
            if let Ok((200, answer)) = store.call("POST", "/chaos/_bulk", &body) {
                for item in answer["items"].as_array().into_iter().flatten() {
                    let create = &item["create"];
                    let status = create["status"].as_u64().unwrap_or(0);
                    if status == 201 || status == 409 {
                        let id = create["_id"].as_str().unwrap_or_default();
                        if open.remove(id) {
                            books
                                .lock()
                                .expect("the books")
                                .acknowledged
                                .insert(id.to_owned());
                        }
                    }
                }
            }
            if !open.is_empty() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // A client's pause between two tries.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        next += BATCH;
    }
}

fn kill(host: &mut Host, victim: Victim) {
    let name = match victim {
        Victim::Director => "wharf-wharfinger-director".to_owned(),
        Victim::Allocator => "wharf-wharfinger-allocator".to_owned(),
        Victim::Proxy => "wharf-wharfinger-proxy".to_owned(),
        Victim::Storage => {
            let names = must(&mut host.docker(&["ps", "--format", "{{.Names}}"]));
            let found = names
                .lines()
                .find(|name| name.contains("system") && name.contains("storage"));
            match found {
                Some(name) => name.to_owned(),
                None => return,
            }
        }
        Victim::Engine => {
            host.kill_engine();
            host.start_engine();
            bring_allocator_back(host);
            return;
        }
    };
    let pid = run(&mut host.docker(&["inspect", "-f", "{{.State.Pid}}", &name]));
    let pid = String::from_utf8_lossy(&pid.stdout).trim().to_owned();
    // Zero: it was between two lives already.
    if pid.parse::<u32>().is_ok_and(|pid| pid > 0) {
        run(Command::new("kill").args(["-9", &pid]));
    }
}

/// Docker 20.10 may leave a container down that it was about to restart when it was killed. The
/// allocator brings everything else back; itself it is brought back by `wharf up`, as after a
/// removal by hand.
fn bring_allocator_back(host: &Host) {
    let name = "wharf-wharfinger-allocator";
    let runs = || {
        let state = run(&mut host.docker(&["inspect", "-f", "{{.State.Running}}", name]));
        String::from_utf8_lossy(&state.stdout).trim() == "true"
    };
    let until = Instant::now() + Duration::from_secs(15);
    while !runs() {
        if Instant::now() > until {
            println!("the engine left the allocator down: `wharf up`");
            must(&mut host.wharf(&["up"]));
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Asks for a deployment under a request id, until a director takes it.
fn start_plan(host: &Host, round: usize) -> String {
    let name = format!("chaos-{round}");
    let request = format!("{round:032x}");
    wait_for("a deployment is accepted", RECOVERY, || {
        let arguments = [
            "deployment",
            "create",
            "--name",
            &name,
            "--memory-mib",
            "512",
            "--disk-mib",
            "1024",
            "--request-id",
            &request,
            "-o",
            "json",
        ];
        let answer = run(&mut host.wharf(&arguments));
        let json: Value = serde_json::from_slice(&answer.stdout)
            .map_err(|_| String::from_utf8_lossy(&answer.stderr).into_owned())?;
        json["plan_id"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| json.to_string())
    })
}

fn settle_plans(host: &Host, plans: &[String]) -> Vec<(String, String)> {
    let state = |id: &String| {
        let plan = host.wharf_json(&["plan", "show", id]);
        (
            id.clone(),
            plan["status"].as_str().unwrap_or_default().to_owned(),
        )
    };
    wait_for("every plan has ended", RECOVERY, || {
        let states: Vec<_> = plans.iter().map(state).collect();
        let open =
            |status: &str| status == "PLAN_STATUS_RUNNING" || status == "PLAN_STATUS_PENDING";
        if states.iter().any(|(_, status)| open(status)) {
            Err(states)
        } else {
            Ok(states)
        }
    })
}

/// Ids of every stored document, counted.
fn stored_documents(store: &Elastic) -> BTreeMap<String, u64> {
    let mut stored = BTreeMap::new();
    let mut after = Value::Null;
    store
        .json("POST", "/chaos/_refresh", &Value::Null)
        .expect("a refresh");
    loop {
        let mut body = json!({"size": 5000, "sort": [{"n.keyword": "asc"}], "_source": ["n"]});
        if !after.is_null() {
            body["search_after"] = after;
        }
        let answer = store
            .json("POST", "/chaos/_search", &body)
            .expect("a page of documents");
        let hits = answer["hits"]["hits"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let Some(last) = hits.last() else {
            return stored;
        };
        after = last["sort"].clone();
        for hit in &hits {
            *stored
                .entry(hit["_id"].as_str().unwrap_or_default().to_owned())
                .or_insert(0) += 1;
        }
    }
}

fn listed(host: &Host) -> Vec<Listed> {
    let format = "{{.Names}}\t{{.Label \"io.wharfinger.role\"}}\t{{.Label \"io.wharfinger.instance\"}}\t{{.State}}";
    must(&mut host.docker(&[
        "ps",
        "-a",
        "--filter",
        "label=io.wharfinger.platform",
        "--format",
        format,
    ]))
    .lines()
    .map(|line| {
        let mut parts = line.split('\t').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Listed {
            name: part(),
            role: part(),
            instance: part(),
            running: part() == "running",
        }
    })
    .collect()
}

fn instances(host: &Host) -> BTreeSet<String> {
    let deployments = host.wharf_json(&["deployment", "list"]);
    deployments
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|deployment| {
            deployment["resources"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .flat_map(|resource| {
            resource["instances"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .filter_map(|instance| instance["id"].as_str().map(str::to_owned))
        .collect()
}
