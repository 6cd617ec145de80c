//! More hosts join a platform, each with an engine and a network of its own: a host that takes instances,
//! one that is only watched, hosts that are turned away; and one that leaves. The parts build on one
//! another and are one test. Not here: what any order of joins does (the core's property test).

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wharf_tests::{
    elastic::Elastic,
    patience::wait_for,
    testbed::{Host, Network, must, run},
};

const SOON: Duration = Duration::from_secs(150);

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What follows `wharf install --join`.
fn token(a: &Host, arguments: &[&str]) -> (String, String) {
    let mut all = vec!["token", "create"];
    all.extend(arguments);
    let made = a.wharf_json(&all);
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("id"), text("join"))
}

fn install(host: &Host, name: &str, join: &str) -> Output {
    run(host
        .wharf(&["install", "--host-name", name])
        .env("WHARF_JOIN", join))
}

fn refused(host: &Host, join: &str, code: &str) {
    let output = install(host, "turned-away", join);
    assert!(!output.status.success(), "a host joined that may not");
    assert!(
        said(&output).contains(code),
        "not {code}: {}",
        said(&output)
    );
    clean(host);
}

/// Nothing of a platform is on the host.
fn clean(host: &Host) {
    let containers = must(&mut host.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    assert_eq!(containers.trim(), "", "containers are left");
    let images = must(&mut host.docker(&["images", "-a", "--format", "{{.Repository}}"]));
    assert!(!images.contains("wharf"), "images are left: {images}");
    assert!(!host.has_data(), "files are left");
}

fn allocator(a: &Host, name: &str) -> Option<Value> {
    let listed = a.wharf_json(&["allocator", "list"]);
    let mut found = listed.as_array().unwrap().iter();
    found.find(|one| one["host"] == name).cloned()
}

fn wait_connected(a: &Host, name: &str) -> Value {
    wait_for(&format!("{name} is connected"), SOON, || {
        let found = allocator(a, name).ok_or("unknown")?;
        if found["connected"] == true {
            Ok(found)
        } else {
            Err("known, not connected")
        }
    })
}

/// Documents of a host in a data stream of `system`.
fn wait_documents(a: &Host, system: &Value, name: &str) {
    let begin = Instant::now();
    a.inside(|| {
        let store = Elastic::new(system);
        for stream in [
            "metrics-system.cpu-default",
            "metrics-docker.container-default",
        ] {
            wait_for(&format!("documents of {name} in {stream}"), SOON, || {
                let body = json!({"size": 0, "query": {"term": {"host.name": name}}});
                let answer = store.json("POST", &format!("/{stream}/_search"), &body)?;
                match answer["hits"]["total"]["value"].as_u64() {
                    Some(found) if found > 0 => Ok(()),
                    _ => Err(answer.to_string()),
                }
            });
        }
    });
    println!(
        "documents of {name} after {:.1} s",
        begin.elapsed().as_secs_f64()
    );
}

fn running(host: &Host, part: &str) -> usize {
    let names = must(&mut host.docker(&["ps", "--format", "{{.Names}}"]));
    names.lines().filter(|name| name.contains(part)).count()
}

/// The script of the user-data, as a fresh machine would be given it.
fn cloud_init(host: &Host, join: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/cloud-init/join.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let data: Value = serde_yaml_ng::from_str(&text).unwrap();
    let files = data["write_files"].as_array().unwrap();
    let content = |path: &str| {
        let file = files.iter().find(|file| file["path"] == path);
        let content = file.unwrap_or_else(|| panic!("no {path} is written"))["content"].as_str();
        content.unwrap().to_owned()
    };
    let script = "/usr/local/sbin/wharf-join";
    assert_eq!(
        data["runcmd"],
        json!([[script]]),
        "what is run is what was written"
    );
    // Where the machine's own files would be.
    let folder = host.dir().join("cloud");
    std::fs::create_dir_all(&folder).unwrap();
    let binary = wharf_tests::testbed::binary();
    let settings = content("/etc/wharfinger/join.env")
        .replace(
            "WHARF_URL=",
            &format!("WHARF_URL=file://{}\nIGNORED=", binary.display()),
        )
        .replace(
            "WHARF_SHA256=",
            &format!("WHARF_SHA256={}\nIGNORED=", sha256(&binary)),
        )
        .replace("WHARF_JOIN=", &format!("WHARF_JOIN={join}\nIGNORED="));
    std::fs::write(folder.join("join.env"), settings).unwrap();
    content(script)
        .replace("/etc/wharfinger", &folder.display().to_string())
        .replace("/usr/local/bin", &folder.display().to_string())
}

fn sha256(path: &Path) -> String {
    let told = must(std::process::Command::new("sha256sum").arg(path));
    told.split(' ').next().unwrap().to_owned()
}

#[test]
fn hosts_join_take_instances_or_are_only_watched_and_leave_without_a_trace() {
    let network = Network::create();
    let [a, b, c] = network.start_hosts(["a", "b", "c"]);
    let up = ["up", "--capacity-memory-mib", "2048"];
    must(&mut a.wharf(&up));

    let system = a.wharf_json(&["deployment", "credentials", "system"]);
    a.inside(|| {
        let body = json!({"from": "loopback"});
        Elastic::new(&system)
            .json("PUT", "/kept/_doc/1", &body)
            .unwrap();
    });

    // On loopback nobody could join, and it says what to do about that, which works.
    let token_arguments = [
        "--roles",
        "allocator,proxy",
        "--zone",
        "zone-b",
        "--ttl",
        "1h",
    ];
    let mut all = vec!["token", "create"];
    all.extend(token_arguments);
    let alone = run(&mut a.wharf(&all));
    let told = said(&alone);
    assert!(
        told.contains("DIR0047") && told.contains("wharf up --advertise"),
        "{told}"
    );
    let address = a.address().unwrap().to_string();
    must(a.wharf(&up).args(["--advertise", &address]));
    let system = a.wharf_json(&["deployment", "credentials", "system"]);
    a.inside(|| {
        let store = Elastic::new(&system);
        let kept = wait_for("what was stored before", SOON, || {
            store.json("GET", "/kept/_doc/1", &Value::Null)
        });
        assert_eq!(kept["_source"]["from"], "loopback");
    });

    // A host joins. Everything about it is the platform's within seconds.
    let (_, join) = token(&a, &token_arguments);
    let begin = Instant::now();
    let joined = install(&b, "b", &join);
    assert!(joined.status.success(), "{}", said(&joined));
    println!(
        "joined in {:.1} s\n{}",
        begin.elapsed().as_secs_f64(),
        said(&joined)
    );
    let found = wait_connected(&a, "b");
    assert_eq!(found["zone"], "zone-b");
    assert_eq!(
        found["advertised_address"],
        b.address().unwrap().to_string()
    );
    wait_documents(&a, &system, "b");
    // Again, with the token that is used up: nothing has to be done.
    let again = install(&b, "b", &join);
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("allocator runs"), "{}", said(&again));

    // Those who may not are turned away, and nothing of it stays on them.
    refused(&c, &join, "DIR0048");
    let (id, revoked) = token(&a, &["--roles", "collector"]);
    must(&mut a.wharf(&["token", "revoke", &id]));
    refused(&c, &revoked, "DIR0048");
    let (_, good) = token(&a, &["--roles", "collector", "--zone", "zone-c"]);
    let (start, end) = good.split_once('@').unwrap();
    let digit = if start.ends_with('0') { "1" } else { "0" };
    refused(
        &c,
        &format!("{}{digit}@{end}", &start[..start.len() - 1]),
        "CLI0035",
    );
    let unknown = format!(
        "{}{}{}",
        &good[..40],
        if &good[40..41] == "0" { "1" } else { "0" },
        &good[41..]
    );
    refused(&c, &unknown, "DIR0074");
    let more = run(c
        .wharf(&["install", "--host-name", "c", "--roles", "allocator"])
        .env("WHARF_JOIN", &good));
    assert!(said(&more).contains("DIR0049"), "{}", said(&more));
    clean(&c);
    let twin = install(&c, "b", &good);
    assert!(said(&twin).contains("DIR0069"), "{}", said(&twin));
    clean(&c);

    // A join that fails halfway is taken back, on the host and at the platform.
    c.import_busybox();
    let taken = "wharf-wharfinger-allocator";
    must(&mut c.docker(&["create", "--name", taken, "busybox:test", "true"]));
    let (_, spent) = token(&a, &["--roles", "collector"]);
    let halfway = install(&c, "halfway", &spent);
    assert!(
        !halfway.status.success(),
        "somebody else's container was taken"
    );
    assert!(said(&halfway).contains("taken back"), "{}", said(&halfway));
    must(&mut c.docker(&["rm", taken]));
    clean(&c);

    // A machine whose first boot does it all is watched, and nothing is placed on it.
    let script = c.dir().join("join.sh");
    std::fs::write(&script, cloud_init(&c, &good)).unwrap();
    must(c.command("sh").arg(&script).env("WHARF_HOST_NAME", "c"));
    let found = wait_connected(&a, "c");
    assert_eq!(found["zone"], "zone-c");
    wait_documents(&a, &system, "c");

    // What fits on `b` alone goes there, and both proxies lead to it.
    must(&mut a.wharf(&["deployment", "create", "--name", "web", "--wait"]));
    assert_eq!((running(&a, "storage-0"), running(&b, "storage-0")), (1, 1));
    assert_eq!(
        running(&c, "wharf-"),
        1,
        "more than the allocator runs on what is only watched"
    );
    let web = a.wharf_json(&["deployment", "credentials", "web"]);
    a.inside(|| {
        let body = json!({"from": "a"});
        Elastic::new(&web)
            .json("PUT", "/notes/_doc/1", &body)
            .unwrap();
    });
    b.inside(|| {
        let store = Elastic::new(&web);
        let note = wait_for("the note through b's proxy", SOON, || {
            store.json("GET", "/notes/_doc/1", &Value::Null)
        });
        assert_eq!(note["_source"]["from"], "a");
    });

    // A host with instances stays; without them it leaves and is forgotten.
    let early = run(&mut b.wharf(&["uninstall", "--purge", "--yes"]));
    assert!(said(&early).contains("DIR0069"), "{}", said(&early));
    assert_eq!(
        running(&b, "storage-0"),
        1,
        "a refused end removed something"
    );
    must(&mut a.wharf(&["deployment", "delete", "web", "--yes", "--wait"]));
    let gone = b.wharf_json(&["uninstall", "--purge", "--yes"]);
    assert_eq!(gone["forgotten"], true);
    clean(&b);
    assert!(allocator(&a, "b").is_none(), "the platform still lists b");
    let proxies = a.wharf_json(&["proxy", "list"]);
    assert_eq!(proxies.as_array().unwrap().len(), 1, "{proxies}");
    wait_for("a healthy platform", SOON, || {
        let status = a.wharf_json(&["status"]);
        if status["healthy"] == true {
            Ok(())
        } else {
            Err(status["problems"].clone())
        }
    });
}
