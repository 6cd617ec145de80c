//! Two platforms on one engine. One of them is broken in every way there is (its processes killed,
//! its store cut off, its allocator removed, its files damaged) and purged while it lies there;
//! the other takes documents, searches and plans all the while and must not notice: no request
//! fails, no container of it is touched, nothing is lost. On the way: a port of the second platform
//! that somebody else holds is replaced, of a node in the host's network too.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, atomic::AtomicBool},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use wharf_tests::{
    elastic::Elastic,
    patience::{StopWhenDropped, wait_for},
    platform::Platform,
    steady::{self, Served},
    testbed::{Host, inside_namespace, must, run},
};

const SOON: Duration = Duration::from_secs(150);
/// Of the second platform.
const PORT_BASE: u16 = 22_000;
/// The second port that its instances are given: the monitoring node's, unless somebody holds it.
const HELD_PORT: u16 = PORT_BASE + 1_001;
/// Of a platform with nothing but `system`; the allocator goes first, for it brings others back.
const CONTAINERS: [&str; 5] = [
    "allocator",
    "director",
    "proxy",
    "storage-0",
    "monitoring-0",
];
/// Documents and searches that must be served beside each fault.
const PROGRESS: (usize, u64) = (200, 10);

/// The platform that is broken.
struct Lab<'a> {
    host: &'a Host,
    dir: PathBuf,
}

impl Lab<'_> {
    fn wharf(&self, arguments: &[&str]) -> Command {
        let mut command = self.host.wharf(arguments);
        command
            .env("WHARF_DATA_DIR", &self.dir)
            .env("WHARF_NAME", "lab");
        command
    }

    fn up(&self) {
        must(&mut self.wharf(&["up", "--port-base", &PORT_BASE.to_string()]));
        wait_for("the second platform is healthy", SOON, || {
            let told = run(&mut self.wharf(&["status", "--profile", "lab", "-o", "json"]));
            let status: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
            // What died just now has not been noticed yet: the containers are asked for, too.
            let running = self.running();
            if status["healthy"] == true && running.len() == CONTAINERS.len() {
                Ok(())
            } else {
                Err((status["problems"].clone(), running))
            }
        });
    }

    fn running(&self) -> Vec<String> {
        must(&mut self.host.docker(&["ps", "--format", "{{.Names}}"]))
            .lines()
            .filter(|name| name.starts_with("wharf-lab-"))
            .map(str::to_owned)
            .collect()
    }

    fn container(&self, end: &str) -> String {
        let running = self.running();
        let found = running.iter().find(|name| name.ends_with(end));
        found
            .unwrap_or_else(|| panic!("{end} of the second platform does not run: {running:?}"))
            .clone()
    }

    fn inspect(&self, end: &str, what: &str) -> String {
        let shown = must(
            &mut self
                .host
                .docker(&["inspect", "-f", what, &self.container(end)]),
        );
        shown.trim().to_owned()
    }

    fn port(&self, end: &str) -> String {
        self.inspect(end, "{{index .Config.Labels \"io.wharfinger.port\"}}")
    }

    fn kill(&self, end: &str) {
        let pid = self.inspect(end, "{{.State.Pid}}");
        must(Command::new("kill").args(["-9", &pid]));
    }

    /// Nothing reaches its storage node until this is undone.
    fn cut_store(&self) -> Cut<'_> {
        let port = self.port("storage-0");
        let rule = ["INPUT", "-p", "tcp", "--dport", &port, "-j", "DROP"].map(str::to_owned);
        must(self.host.command("iptables").arg("-I").args(&rule));
        Cut(self.host, rule)
    }

    /// Puts rubbish where its files are; gives how many.
    fn damage(&self) -> usize {
        let mut damaged = 0;
        for below in ["director/raft", "allocator", "proxy", "instances"] {
            for file in files_below(&self.dir.join(below)) {
                fs::write(&file, "this was a file of a platform").expect("a file can be damaged");
                damaged += 1;
            }
        }
        damaged
    }
}

struct Cut<'a>(&'a Host, [String; 7]);

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        run(self.0.command("iptables").arg("-D").args(&self.1));
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&path)),
            Ok(kind) if kind.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

/// Id and start of every container of a platform, by its name.
fn lives(host: &Host, platform: &str) -> BTreeMap<String, String> {
    let prefix = format!("wharf-{platform}-");
    let names = must(&mut host.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    names
        .lines()
        .filter(|name| name.starts_with(&prefix))
        .map(|name| {
            let what = "{{.Id}} {{.State.StartedAt}} {{.State.Pid}} {{.RestartCount}}";
            let life = must(&mut host.docker(&["inspect", "-f", what, name]));
            (name.to_owned(), life.trim().to_owned())
        })
        .collect()
}

#[test]
fn one_platform_is_broken_and_purged_and_the_other_does_not_notice() {
    let platform = Platform::up("platforms");
    let host = &platform.host;
    let held = host.inside(|| TcpListener::bind((Ipv4Addr::LOCALHOST, HELD_PORT)).unwrap());
    let lab = Lab {
        host,
        dir: host.dir().join("lab"),
    };
    lab.up();
    assert_eq!(
        (lab.port("storage-0"), lab.port("monitoring-0")),
        ((HELD_PORT - 1).to_string(), (HELD_PORT + 1).to_string()),
        "the port {HELD_PORT} is held by somebody else"
    );
    drop(held);
    platform.wait_healthy();

    let before = lives(host, "wharfinger");
    let (served, stop) = (Mutex::new(Served::default()), AtomicBool::new(false));
    thread::scope(|scope| {
        let stopping = StopWhenDropped(&stop);
        let load = [steady::write, steady::search].map(|work| {
            let (namespace, credentials) = (host.namespace(), platform.credentials());
            let (served, stop) = (&served, &stop);
            scope.spawn(move || {
                inside_namespace(namespace, || work(&Elastic::new(credentials), served, stop));
            })
        });
        break_it(&platform, &lab, &served);
        println!("it is purged as it lies there");
        must(&mut lab.wharf(&["down", "--purge"]));
        goes_on(&served);
        drop(stopping);
        for thread in load {
            thread.join().expect("the load ends");
        }
    });

    assert_eq!(lives(host, "lab"), BTreeMap::new(), "nothing of it is left");
    assert!(!lab.dir.exists(), "its data is left");
    let served = served.into_inner().expect("the books");
    println!(
        "{} documents, {} searches beside it",
        served.acknowledged().len(),
        served.searches()
    );
    assert_eq!(served.failures(), (0, &[][..]), "a request failed");
    assert_eq!(
        lives(host, "wharfinger"),
        before,
        "a container was touched, or one of a deployment is left"
    );
    let stored = platform.with_system(stored);
    assert_eq!(&stored, served.acknowledged(), "what was stored");
    platform.wait_healthy();
}

/// One fault after another; what can be mended is.
fn break_it(platform: &Platform, lab: &Lab<'_>, served: &Mutex<Served>) {
    let next_to = |what: &str, number: usize| {
        println!("{what}");
        plan(platform, number);
        goes_on(served);
    };
    lab.kill("director");
    lab.kill("storage-0");
    next_to("its director and its storage node are killed", 0);
    lab.up();

    let cut = lab.cut_store();
    next_to("nothing reaches its storage node", 1);
    drop(cut);

    must(&mut lab.host.docker(&["rm", "-f", &lab.container("allocator")]));
    lab.kill("monitoring-0");
    next_to("its allocator is removed", 2);
    lab.up();

    let damaged = lab.damage();
    for end in CONTAINERS {
        lab.kill(end);
    }
    assert!(damaged > 20, "only {damaged} files were there to damage");
    wait_for("it is broken", SOON, || {
        let told = run(&mut lab.wharf(&["status", "--profile", "lab", "--check"]));
        if told.status.success() {
            Err("it is healthy")
        } else {
            Ok(())
        }
    });
    next_to("all its files are damaged and its processes killed", 3);
}

/// A deployment comes, or the last one goes, and the plan is awaited.
fn plan(platform: &Platform, number: usize) {
    let name = format!("beside-{}", number / 2);
    let words: Vec<&str> = if number.is_multiple_of(2) {
        let mut words = vec!["deployment", "create", "--name", &name, "--wait"];
        words.extend(["--memory-mib", "512", "--disk-mib", "1024"]);
        words
    } else {
        vec!["deployment", "delete", &name, "--yes", "--wait"]
    };
    must(&mut platform.host.wharf(&words));
}

/// Documents are taken and searches answered.
fn goes_on(served: &Mutex<Served>) {
    let count = || {
        let served = served.lock().expect("the books");
        let failures = served.failures();
        assert_eq!(failures, (0, &[][..]), "a request failed");
        (served.acknowledged().len(), served.searches())
    };
    let from = count();
    wait_for("the other platform serves on", SOON, || {
        let now = count();
        if now.0 >= from.0 + PROGRESS.0 && now.1 >= from.1 + PROGRESS.1 {
            Ok(())
        } else {
            Err(now)
        }
    });
}

/// Ids of what is stored.
fn stored(store: &Elastic) -> BTreeSet<String> {
    let path = format!("/{}/_search", steady::INDEX);
    let (mut ids, mut after) = (BTreeSet::new(), Value::Null);
    loop {
        let mut body = json!({"size": 5000, "_source": false, "sort": [{"n.keyword": "asc"}]});
        if !after.is_null() {
            body["search_after"] = after;
        }
        let page = store.json("POST", &path, &body).expect("a page");
        let hits = page["hits"]["hits"].as_array().cloned().unwrap_or_default();
        let Some(last) = hits.last() else { return ids };
        after = last["sort"].clone();
        for hit in &hits {
            let id = hit["_id"].as_str().expect("an id").to_owned();
            assert!(ids.insert(id), "stored twice: {hit}");
        }
    }
}
