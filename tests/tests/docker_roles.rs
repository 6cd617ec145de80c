//! What a running platform tells of itself and its host: log levels of roles that change while they
//! run, and documents of the metricsets that nothing else looks at (health checks, images, disks,
//! file systems, processes, roles, requests, the engine's log), with the values that the test knows.
//! One platform serves the file. Not here: CPU, memory and network of containers
//! (`docker_containers`).

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use wharf_tests::{
    elastic::Elastic,
    patience::wait_for,
    platform::Platform,
    testbed::{must, run},
};

/// The slowest metricsets are read every minute.
const SOON: Duration = Duration::from_secs(100);
/// Sparse; the size that a platform with its default deployments wants.
const DISK_BYTES: u64 = 48 << 30;

/// The platform, with its data on a file system that is only its own, and containers of which the
/// tests know everything. They start at once, because their documents take their time.
static PLATFORM: LazyLock<Mutex<Option<Platform>>> = LazyLock::new(|| {
    let platform = Platform::up_on_disk("roles", DISK_BYTES);
    let tar = platform.host.dir().join("busybox.tar");
    for (name, command) in [("well", "echo all well"), ("ill", "echo broken; exit 3")] {
        let check = json!(["/bin/busybox", "sh", "-c", command]);
        let mut import = platform.host.docker(&["import"]);
        for text in [
            "ENTRYPOINT [\"/bin/busybox\"]".to_owned(),
            format!("HEALTHCHECK --interval=1s --retries=1 CMD {check}"),
            "LABEL shop.team=till".to_owned(),
        ] {
            import.arg("--change").arg(text);
        }
        must(import.arg(&tar).arg(format!("{name}:checked")));
        let image = format!("{name}:checked");
        let mut run = platform.host.docker(&["run", "-d", "--name", name]);
        must(run.args(["--network", "none", &image, "sleep", "3600"]));
    }
    let mut run = platform
        .host
        .docker(&["run", "-d", "--name", "spinner", "--network", "none"]);
    let spin = "while true; do :; done";
    must(run.args(["busybox:test", "sh", "-c", spin, "spinning-here"]));
    Mutex::new(Some(platform))
});

struct Shared(MutexGuard<'static, Option<Platform>>);

impl std::ops::Deref for Shared {
    type Target = Platform;
    fn deref(&self) -> &Platform {
        self.0.as_ref().expect("there until the last test")
    }
}

fn platform() -> Shared {
    Shared(PLATFORM.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The newest document of a data stream that a query finds.
fn newest(store: &Elastic, stream: &str, query: &Value) -> Result<Value, String> {
    let body = json!({"size": 1, "query": query, "sort": [{"@timestamp": "desc"}]});
    let answer = store.json("POST", &format!("/{stream}/_search"), &body)?;
    let hit = &answer["hits"]["hits"][0]["_source"];
    if hit.is_object() {
        Ok(hit.clone())
    } else {
        Err(format!("nothing in {stream}: {answer}"))
    }
}

fn inspect(platform: &Platform, what: &str, field: &str) -> String {
    let format = format!("{{{{{field}}}}}");
    let mut inspect = platform
        .host
        .docker(&["inspect", "--format", &format, what]);
    must(&mut inspect).trim().to_owned()
}

/// A connection that says nothing that HTTP knows; over when the server hung up.
fn babble(platform: &Platform, port: u16) {
    platform.host.inside(|| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a role listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        stream.write_all(b"\0no\x01http\r\n\r\n").expect("written");
        let mut rest = Vec::new();
        // A server may also cut the connection: over is over.
        let _ = stream.read_to_end(&mut rest);
    });
}

/// What a role logged, in order.
fn lines(platform: &Platform, container: &str) -> Vec<Value> {
    let output = run(&mut platform.host.docker(&["logs", container]));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = text.lines().map(serde_json::from_str);
    lines.filter_map(Result::ok).collect()
}

fn debug_lines(lines: &[Value]) -> usize {
    lines.iter().filter(|line| line["level"] == "DEBUG").count()
}

/// Waits until a role has said so often that its level is this, and gives the lines from the last
/// time on.
fn since_level(platform: &Platform, container: &str, filter: &str, times: usize) -> Vec<Value> {
    let what = format!("{container} at `{filter}`");
    wait_for(&what, SOON, || {
        let lines = lines(platform, container);
        let said =
            |line: &Value| line["message"] == "log level changed" && line["filter"] == filter;
        let places: Vec<usize> = (0..lines.len()).filter(|at| said(&lines[*at])).collect();
        match places.get(times - 1) {
            Some(at) => Ok(lines[*at..].to_vec()),
            None => Err(places.len()),
        }
    })
}

#[test]
fn a_log_level_acts_in_running_roles_and_ends_when_it_is_cleared() {
    let platform = platform();
    let file = fs::read(platform.host.data_dir().join("platform.json")).expect("it is there");
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    for role in ["director", "allocator", "proxy"] {
        let container = format!("wharf-wharfinger-{role}");
        let port = file["ports"][format!("{role}_metrics")].as_u64();
        let port = u16::try_from(port.expect("a port")).expect("a port");
        let started = inspect(&platform, &container, ".State.StartedAt");
        babble(&platform, port);
        let before = lines(&platform, &container);
        assert_eq!(debug_lines(&before), 0, "{role}: too early");
        let set = |filter: &str| must(&mut platform.host.wharf(&["log-level", role, filter]));
        set("info,wharf_runtime=debug");
        wait_for(&format!("debug lines of the {role}"), SOON, || {
            babble(&platform, port);
            match debug_lines(&lines(&platform, &container)) {
                0 => Err("none"),
                _ => Ok(()),
            }
        });
        let key = format!("log.{role}");
        must(&mut platform.host.wharf(&["config", "reset", &key]));
        since_level(&platform, &container, "info", 1);
        for _ in 0..3 {
            babble(&platform, port);
        }
        // Another change is a line behind which nothing of the babble can be missing.
        set("warn,wharf_runtime=info");
        since_level(&platform, &container, "warn,wharf_runtime=info", 1);
        let after = since_level(&platform, &container, "info", 1);
        assert_eq!(debug_lines(&after), 0, "{role}: {after:?}");
        must(&mut platform.host.wharf(&["config", "reset", &key]));
        since_level(&platform, &container, "info", 2);
        let now = inspect(&platform, &container, ".State.StartedAt");
        assert_eq!(started, now, "the {role} was started anew");
    }
}

#[test]
fn b_health_checks_and_images_arrive_as_the_engine_knows_them() {
    let platform = platform();
    let of = |name: &str| json!({"term": {"container.name": name}});
    platform.with_system(|store| {
        for (name, status, code, output) in [
            ("well", "healthy", 0, "all well"),
            ("ill", "unhealthy", 3, "broken"),
        ] {
            let found = wait_for(&format!("the health of `{name}`"), SOON, || {
                let found = newest(store, "metrics-docker.healthcheck-default", &of(name))?;
                // The first reading may be from before the first check.
                if found["docker"]["healthcheck"]["status"] == status {
                    Ok(found)
                } else {
                    Err(found.to_string())
                }
            });
            let check = &found["docker"]["healthcheck"];
            assert_eq!(check["event"]["exit_code"], code, "{found}");
            assert_eq!(check["event"]["output"], output, "{found}");
            let streak = check["failingstreak"].as_u64();
            assert_eq!(streak > Some(0), code != 0, "{found}");
            assert_eq!(
                found["container"]["image"]["name"],
                format!("{name}:checked")
            );
            assert_eq!(found["container"]["id"], inspect(&platform, name, ".Id"));
        }
        let id = inspect(&platform, "ill:checked", ".Id");
        let image = wait_for("the image", SOON, || {
            let query = json!({"term": {"docker.image.id.current": id}});
            newest(store, "metrics-docker.image-default", &query)
        });
        let image = &image["docker"]["image"];
        assert_eq!(image["tags"], json!(["ill:checked"]));
        assert_eq!(image["labels"]["shop_team"], "till");
        let size: u64 = inspect(&platform, "ill:checked", ".Size").parse().unwrap();
        assert_eq!(image["size"]["regular"], size);
    });
}

/// What `/proc/diskstats` says of each device: bytes read and written.
fn diskstats() -> Vec<(String, u64, u64)> {
    let text = fs::read_to_string("/proc/diskstats").expect("the kernel tells");
    let device = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let sectors = |at: usize| words[at].parse::<u64>().expect("a number") * 512;
        (words[2].to_owned(), sectors(5), sectors(9))
    };
    text.lines().map(device).collect()
}

#[test]
fn c_disks_and_file_systems_arrive_with_the_kernels_figures() {
    let platform = platform();
    let path = platform.host.data_dir();
    let mount = path.to_str().expect("a path");
    let source = must(std::process::Command::new("findmnt").args(["-no", "SOURCE", mount]));
    let device = source.trim().trim_start_matches("/dev/");
    let of = |name: &str| {
        let stats = diskstats();
        let found = stats.into_iter().find(|(device, ..)| device == name);
        found.unwrap_or_else(|| panic!("no {name} in /proc/diskstats"))
    };
    platform.with_system(|store| {
        let before = of(device);
        let since = jiff::Timestamp::now().to_string();
        let query = json!({"bool": {"filter": [
            {"term": {"system.diskio.name": device}},
            {"range": {"@timestamp": {"gte": since}}},
        ]}});
        let found = wait_for("the disk", SOON, || {
            newest(store, "metrics-system.diskio-default", &query)
        });
        let after = of(device);
        let disk = &found["system"]["diskio"];
        let read = disk["read"]["bytes"].as_u64().expect("bytes");
        let written = disk["write"]["bytes"].as_u64().expect("bytes");
        assert!(
            (before.1..=after.1).contains(&read),
            "{before:?} {disk} {after:?}"
        );
        assert!(
            (before.2..=after.2).contains(&written),
            "{before:?} {disk} {after:?}"
        );
        assert!(written > 0, "the platform writes to it: {disk}");

        let query = json!({"term": {"system.filesystem.mount_point": mount}});
        let found = wait_for("the file system", SOON, || {
            newest(store, "metrics-system.filesystem-default", &query)
        });
        let ours = &found["system"]["filesystem"];
        let truth = rustix::fs::statvfs(&path).expect("it is mounted");
        assert_eq!(ours["total"], truth.f_blocks * truth.f_frsize, "{ours}");
        assert_eq!(ours["files"], truth.f_files, "{ours}");
        assert_eq!(ours["type"], "ext4");
        assert_eq!(ours["device_name"], source.trim());
        let free = truth.f_bfree * truth.f_frsize;
        let off = ours["free"].as_u64().expect("bytes").abs_diff(free);
        assert!(off < 256 << 20, "free: {ours}, now {free}");
        let used = ours["used"]["bytes"].as_u64().expect("bytes");
        assert_eq!(
            used + ours["free"].as_u64().expect("bytes"),
            truth.f_blocks * truth.f_frsize
        );
    });
}

#[test]
fn d_a_process_arrives_with_its_command_line_its_container_and_its_load() {
    let platform = platform();
    let pid: u64 = inspect(&platform, "spinner", ".State.Pid").parse().unwrap();
    let id = inspect(&platform, "spinner", ".Id");
    platform.with_system(|store| {
        let found = wait_for("the process", SOON, || {
            let query = json!({"term": {"process.pid": pid}});
            let found = newest(store, "metrics-system.process-default", &query)?;
            if found["system"]["process"]["cpu"]["total"]["pct"].is_number() {
                Ok(found)
            } else {
                Err(found.to_string())
            }
        });
        let command = found["process"]["command_line"].as_str().expect("a line");
        assert!(command.ends_with("spinning-here"), "{found}");
        assert_eq!(found["process"]["executable"], "/bin/busybox", "{found}");
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let parent = status
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1));
        let parent: u64 = parent.expect("a parent").parse().unwrap();
        assert_eq!(found["process"]["parent"]["pid"], parent);
        let ours = &found["system"]["process"];
        assert_eq!(ours["num_threads"], 1);
        let load = ours["cpu"]["total"]["pct"].as_f64().expect("a share");
        assert!((0.05..=1.05).contains(&load), "one busy thread: {load}");
        let group = ours["cgroup"]["path"].as_str().expect("a group");
        assert!(group.contains(&id), "{group} is not of {id}");
    });
}

#[test]
fn e_requests_roles_and_the_engines_log_arrive() {
    let platform = platform();
    let version = must(&mut platform.host.wharf(&["--version"]));
    let version = version.split_whitespace().nth(1).expect("a version");
    platform.with_system(|store| {
        let (status, _) = store
            .call("GET", "/roles-were-here/_search?q=secret-word", "")
            .expect("an answer");
        assert_eq!(status, 404);
        let found = wait_for("the request", SOON, || {
            let query = json!({"term": {"url.path": "/roles-were-here/_search"}});
            newest(store, "logs-wharf.access-default", &query)
        });
        assert_eq!(found["http"]["request"]["method"], "GET", "{found}");
        assert_eq!(found["http"]["response"]["status_code"], 404, "{found}");
        assert_eq!(found["wharf"]["deployment"]["name"], "system", "{found}");
        assert_eq!(found["service"]["name"], "wharf-proxy", "{found}");
        assert!(found["event"]["duration"].as_u64() > Some(0), "{found}");

        let found = wait_for("the proxy's own line", SOON, || {
            let query = json!({"bool": {"filter": [
                {"term": {"service.name": "wharf-proxy"}},
                {"term": {"log.logger": "wharf_proxy::route_task"}},
                {"match_phrase": {"message": "session with a director"}},
                {"term": {"log.level": "info"}},
            ]}});
            newest(store, "logs-docker.container-default", &query)
        });
        let message = found["message"].as_str().expect("a message");
        assert!(
            message.starts_with("session with a director director="),
            "{found}"
        );

        for role in ["director", "allocator", "proxy"] {
            let found = wait_for(&format!("the {role}"), SOON, || {
                let query = json!({"term": {"service.name": format!("wharf-{role}")}});
                newest(store, "metrics-wharf.role-default", &query)
            });
            let pid = inspect(&platform, &format!("wharf-wharfinger-{role}"), ".State.Pid");
            let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
            let resident = status.lines().find_map(|line| {
                let rest = line.strip_prefix("VmRSS:")?;
                rest.split_whitespace().next()?.parse::<u64>().ok()
            });
            let resident = resident.expect("VmRSS") * 1024;
            let ours = &found["wharf"]["role"];
            assert_eq!(ours["healthy"], true, "{found}");
            assert_eq!(found["service"]["version"], version, "{found}");
            let bytes = ours["memory"]["rss"]["bytes"].as_u64().expect("bytes");
            println!("{role}: {bytes} bytes told, {resident} now");
            assert!(
                bytes > resident / 2 && bytes < resident * 2,
                "{role}: {bytes}, but {resident} now"
            );
            assert!(ours["uptime"]["ms"].as_u64() > Some(0), "{found}");
        }
    });
    let name = format!("nowhere-{}.invalid", std::process::id());
    let pulled = run(&mut platform.host.docker(&["pull", &format!("{name}/image")]));
    assert!(!pulled.status.success());
    platform.with_system(|store| {
        let found = wait_for("the engine's line", SOON, || {
            let query = json!({"match_phrase": {"message": name}});
            newest(store, "logs-docker.engine-default", &query)
        });
        let message = found["message"].as_str().expect("a message");
        let level = found["log"]["level"].as_str().expect("a level");
        assert!(message.contains(&format!("level={level}")), "{found}");
        assert_eq!(found["service"]["type"], "docker");
        let log = platform.host.dir().join("dockerd.log");
        assert!(
            fs::read_to_string(&log).unwrap().contains(message),
            "{found}"
        );
    });
}

#[test]
fn f_the_platform_goes() {
    let mut shared = PLATFORM.lock().unwrap_or_else(PoisonError::into_inner);
    let platform = shared.take().expect("the last test");
    platform.wait_healthy();
    // Statics are not dropped: what the test made would stay.
    drop(platform);
}
