//! Another authority for the whole platform under load: a change that is taken back, then one from its
//! beginning to its end with a host away and a leader killed. Open connections and clients that fetch what is
//! trusted notice nothing; a client that kept the old file verifies nobody in the end; afterwards nothing
//! trusts the old authority. Not here: looking at who trusts what (`trust`).

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    process::{Child, ExitStatus},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use wharf_runtime::tls::{CaCerts, CertSlot, KeyedCert, install_provider};

use super::{
    Deployed, Load, Timeline,
    hosts::{connected, loaded},
    leaders::{director_process, signal, whole_group},
    trust::{self, Listener},
};
use crate::{
    patience::StopWhenDropped,
    testbed::{Desk, Fleet, must, run},
};

/// A phase on busy cores, each waited for by the slowest host.
const PATIENCE: Duration = Duration::from_secs(180);
/// The time that clients are given to fetch the new authority.
const TRUST_FOR: &str = "5s";
/// Of a client's single request.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Between new connections.
const PERIOD: Duration = Duration::from_millis(200);

/// `wharf authority rotate --follow`, which keeps the desk's CA file up to date; killed when dropped.
struct Follow {
    child: Child,
    said: std::path::PathBuf,
}

impl Follow {
    fn begin(desk: &Desk, folder: &std::path::Path) -> Self {
        let said = folder.join("rotate.txt");
        let file = File::create(&said).expect("a file");
        let words = ["authority", "rotate", "--trust-for", TRUST_FOR, "--follow"];
        let mut command = desk.wharf(&words);
        command
            .stdout(file.try_clone().expect("a file"))
            .stderr(file);
        let child = command.spawn().expect("the command can be run");
        Self { child, said }
    }

    fn ended(&mut self) -> Result<ExitStatus, String> {
        let ended = self.child.try_wait().map_err(|error| error.to_string())?;
        ended.ok_or_else(|| self.said())
    }

    /// The last line of what it said.
    fn said(&self) -> String {
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        said.lines().last().unwrap_or_default().to_owned()
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the platform says of its authorities.
#[derive(Debug)]
struct Shown {
    phase: String,
    issuing: String,
    other: String,
    waits: Vec<String>,
}

fn shown(fleet: &Fleet) -> Result<Shown, String> {
    let shown = fleet.desk().ask(&["authority", "show"])?;
    let text = |field: &str| shown[field].as_str().unwrap_or_default().to_owned();
    let waits = shown["waits"].as_array().into_iter().flatten();
    Ok(Shown {
        phase: text("phase"),
        issuing: text("issuing"),
        other: text("other"),
        waits: waits.map(told).collect(),
    })
}

fn told(wait: &Value) -> String {
    let text = |field: &str| wait[field].as_str().unwrap_or_default();
    format!("{}: {}", text("who"), text("reason"))
}

fn in_phase(fleet: &Fleet, phase: &str) -> Result<Shown, String> {
    let found = shown(fleet)?;
    if found.phase == phase {
        Ok(found)
    } else {
        Err(format!("{}: {}", found.phase, found.waits.join("; ")))
    }
}

/// A client that opens a connection for each request and reads the CA file each time.
#[derive(Debug, Default)]
struct Fresh {
    good: u64,
    failed: Vec<String>,
}

fn fresh(
    desk: &Desk,
    credentials: &Value,
    proxies: &[Ipv4Addr],
    stop: &AtomicBool,
    seen: &Mutex<Fresh>,
) {
    desk.here(|| {
        for proxy in proxies.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let client = Desk::client(credentials, *proxy, TIMEOUT);
            let answer = client.json("GET", "/", &Value::Null);
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match answer {
                Ok(_) => seen.good += 1,
                Err(error) => seen.failed.push(format!("by {proxy}: {error}")),
            }
            drop(seen);
            thread::sleep(PERIOD);
        }
    });
}

/// Does the work while such a client runs.
fn with_fresh<T>(
    desk: &Desk,
    credentials: &Value,
    proxies: &[Ipv4Addr],
    work: impl FnOnce() -> T,
) -> (T, Fresh) {
    let (stop, seen) = (AtomicBool::new(false), Mutex::new(Fresh::default()));
    let done = thread::scope(|scope| {
        let stopping = StopWhenDropped(&stop);
        scope.spawn(|| fresh(desk, credentials, proxies, &stop, &seen));
        let done = work();
        drop(stopping);
        done
    });
    (
        done,
        seen.into_inner().unwrap_or_else(PoisonError::into_inner),
    )
}

/// What is known before the change, and must count for nothing afterwards.
struct Before {
    folder: tempfile::TempDir,
    ca: CaCerts,
    /// As of clients that keep the old file for ever.
    pinned: Value,
    /// The allocator's of the host that is away for a while.
    identity: KeyedCert,
}

impl Before {
    fn of(fleet: &Fleet, web: &Deployed, host: usize) -> Self {
        install_provider();
        let folder = tempfile::tempdir().expect("a folder");
        let kept = folder.path().join("ca.pem");
        let ca_file = web.credentials["ca_file"].as_str().expect("a CA file");
        fs::copy(ca_file, &kept).expect("the CA file can be copied");
        let mut pinned = web.credentials.clone();
        pinned["ca_file"] = kept.display().to_string().into();
        Self {
            ca: CaCerts::load(&kept).expect("the CA file"),
            identity: identity(fleet, host),
            pinned,
            folder,
        }
    }

    fn issuing(&self) -> String {
        self.ca.fingerprints().concat()
    }

    /// What a client that kept the old file is answered by that proxy.
    fn pinned(&self, desk: &Desk, proxy: Ipv4Addr) -> Result<Value, String> {
        desk.here(|| Desk::client(&self.pinned, proxy, TIMEOUT).json("GET", "/", &Value::Null))
    }
}

fn identity(fleet: &Fleet, host: usize) -> KeyedCert {
    let path = fleet.host(host).data_dir().join("allocator/identity.pem");
    let found = KeyedCert::load(path).expect("the allocator's certificate");
    found.expect("an allocator has a certificate")
}

/// A host with neither a director nor an instance of these.
fn bystander(fleet: &Fleet, deployments: &[&Deployed]) -> usize {
    let busy: Vec<usize> = deployments
        .iter()
        .flat_map(|one| one.instances(fleet).expect("a director answers"))
        .filter_map(|one| one.host)
        .collect();
    (0..fleet.layout().hosts)
        .find(|host| !fleet.layout().is_director(*host) && !busy.contains(host))
        .expect("six allocators have more places than instances")
}

/// Changes the platform's authority; see the module.
///
/// # Panics
/// When a client notices that should not, or something still follows the old authority.
pub fn authority_rotated(fleet: &mut Fleet) {
    let timeline = Timeline::begin("authority-rotated");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let system = Deployed::ensure(fleet, &timeline, "system");
    let away = bystander(fleet, &[&web, &system]);
    let before = Before::of(fleet, &web, away);
    let old = before.issuing();
    timeline.until("every file names the old authority alone", PATIENCE, || {
        trust::only(fleet, &old)
    });
    let proxies = Deployed::proxies_without(fleet, &[away]);
    let desk = fleet.desk().clone();
    let (_, fresh) = with_fresh(&desk, &web.credentials, &proxies, || {
        loaded(fleet, &timeline, &web, &[away], true, |fleet, load| {
            taken_back(fleet, &timeline, &before, &proxies);
            let new = changed(fleet, &timeline, &before, away, load);
            timeline.until("every file names the new authority alone", PATIENCE, || {
                trust::only(fleet, &new)
            });
            move_storage(fleet, &timeline, &web);
        })
    });
    timeline.note(format_args!(
        "new connections of a client that reads the CA file anew: {} good, {} failed",
        fresh.good,
        fresh.failed.len()
    ));
    assert!(fresh.good > 0, "the client did nothing");
    assert!(
        fresh.failed.is_empty(),
        "a client noticed: {:#?}",
        fresh.failed
    );
    afterwards(fleet, &timeline, &before, &web, &system, away);
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

/// A change that is cancelled when certificates of the new authority are in use.
fn taken_back(fleet: &Fleet, timeline: &Timeline, before: &Before, proxies: &[Ipv4Addr]) {
    let old = before.issuing();
    let mut follow = timeline.at("wharf authority rotate, to be cancelled", || {
        Follow::begin(fleet.desk(), before.folder.path())
    });
    timeline.until("the new authority issues", PATIENCE, || {
        in_phase(fleet, "issue").map(drop)
    });
    timeline.until("an allocator has a certificate of it", PATIENCE, || {
        let all = 0..fleet.layout().hosts;
        let issuers = all.map(|host| identity(fleet, host).issuer().unwrap_or_default());
        let new = issuers.filter(|issuer| *issuer != old).count();
        if new > 0 { Ok(()) } else { Err("none has") }
    });
    timeline.at("wharf authority cancel", || {
        must(&mut fleet.desk().wharf(&["authority", "cancel"]));
    });
    ended(timeline, &mut follow);
    let found = in_phase(fleet, "rest").expect("the change has ended");
    assert_eq!(
        (&found.issuing, found.other.as_str()),
        (&old, ""),
        "{found:?}"
    );
    timeline.until("every file names the old authority alone", PATIENCE, || {
        trust::only(fleet, &old)
    });
    for proxy in proxies {
        let answer = before.pinned(fleet.desk(), *proxy);
        assert!(answer.is_ok(), "{proxy} after the cancellation: {answer:?}");
    }
    timeline.note("a client that kept the old file is served by every proxy");
}

fn ended(timeline: &Timeline, follow: &mut Follow) {
    let mut status = None;
    timeline.until(
        "`wharf authority rotate --follow` has ended",
        PATIENCE,
        || follow.ended().map(|found| status = Some(found)),
    );
    assert!(status.is_some_and(|one| one.success()), "{}", follow.said());
}

/// A change from its beginning to its end; gives the new authority.
fn changed(
    fleet: &mut Fleet,
    timeline: &Timeline,
    before: &Before,
    away: usize,
    load: &Load,
) -> String {
    let name = fleet.name(away);
    timeline.at(&format!("cut the power of {name}"), || {
        fleet.cut_power(|host| host == away);
    });
    let roles = [
        format!("the allocator on {name}"),
        format!("the proxy on {name}"),
    ];
    let waited: Vec<String> = roles
        .iter()
        .map(|one| format!("{one}: it is not connected"))
        .collect();
    let dry = ["authority", "rotate", "--dry-run"];
    timeline.until(
        "a dry run names who is away, and no other",
        PATIENCE,
        || {
            let dry = fleet.desk().ask(&dry)?;
            let waits: Vec<String> = dry["waits"]
                .as_array()
                .into_iter()
                .flatten()
                .map(told)
                .collect();
            if waits == waited {
                Ok(())
            } else {
                Err(waits.join("; "))
            }
        },
    );
    let mut follow = timeline.at("wharf authority rotate", || {
        Follow::begin(fleet.desk(), before.folder.path())
    });
    timeline.until("every other host trusts both", PATIENCE, || {
        let found = in_phase(fleet, "trust")?;
        if found.waits == waited {
            Ok(())
        } else {
            Err(found.waits.join("; "))
        }
    });
    // Nothing may go on without that host: it knows the old authority alone.
    timeline.while_for("the change waits for it", Duration::from_secs(3), || {
        in_phase(fleet, "trust").map(drop)
    });
    timeline.at(&format!("power {name} on"), || {
        fleet.power_on(|host| host == away);
    });
    timeline.until("the new authority issues", PATIENCE, || {
        in_phase(fleet, "issue").map(drop)
    });
    let new = shown(fleet).expect("a director answers").issuing;
    let leader = fleet.leader().expect("a leader");
    let pid = director_process(fleet, leader).expect("the leader's process");
    timeline.at(
        &format!("kill -9 the leader on {}", fleet.name(leader)),
        || {
            signal(&pid, "-9");
        },
    );
    timeline.until("the old authority retires", PATIENCE, || {
        let found = shown(fleet)?;
        match found.phase.as_str() {
            "retire" | "rest" => Ok(()),
            phase => Err(format!("{phase}: {}", found.waits.join("; "))),
        }
    });
    ended(timeline, &mut follow);
    let found = in_phase(fleet, "rest").expect("the change has ended");
    assert_ne!(new, before.issuing(), "the same authority issues");
    assert_eq!(
        (&found.issuing, found.other.as_str()),
        (&new, ""),
        "{found:?}"
    );
    timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
    let taken = load.acknowledged();
    timeline.until("documents are taken", PATIENCE, || {
        load.goes_on_since(taken)
    });
    new
}

/// Its two places verify each other by certificates of the new authority.
fn move_storage(fleet: &Fleet, timeline: &Timeline, web: &Deployed) {
    let storage = format!("{}/storage-0", web.name);
    timeline.at(&format!("wharf instance move {storage}"), || {
        let change = ["instance", "move", &storage, "--wait"];
        must(&mut fleet.desk().wharf(&change));
    });
    timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    timeline.note(web.told(fleet));
}

/// Nothing trusts the old authority any more, nor shows a certificate of it, and all goes on.
fn afterwards(
    fleet: &mut Fleet,
    timeline: &Timeline,
    before: &Before,
    web: &Deployed,
    system: &Deployed,
    away: usize,
) {
    let desk = fleet.desk().clone();
    let ca_file = web.credentials["ca_file"].as_str().expect("a CA file");
    let new = CaCerts::load(ca_file).expect("the desk's CA file");
    let listeners = trust::listeners(fleet, &[web, system]).expect("a director answers");
    timeline.until(
        "everything shows certificates of the new one",
        PATIENCE,
        || trust::all_show(&desk, &listeners, &new, &before.ca),
    );
    timeline.note(format_args!("{} listeners were asked", listeners.len()));
    for proxy in Deployed::proxies_without(fleet, &[]) {
        let refused = before.pinned(&desk, proxy).expect_err("it is not verified");
        assert!(
            refused.contains("invalid peer certificate"),
            "{proxy}: {refused}"
        );
    }
    timeline.note("a client that kept the old file verifies no proxy");
    old_is_refused(fleet, timeline, before, web, &new, away);

    let since = jiff::Timestamp::now();
    timeline.until("the collectors of every host ship", PATIENCE, || {
        let found = trust::shipping_since(fleet, system, since)?;
        if found.len() == fleet.layout().hosts {
            Ok(())
        } else {
            Err(found.join(" "))
        }
    });
    timeline.until("the monitoring node searches its storage", PATIENCE, || {
        let of = ["--deployment", &web.name];
        let watches = on_the_first(fleet, &["watch", "list"], &of)?;
        let name = watches[0]["name"].as_str().ok_or("there is no watch")?;
        on_the_first(fleet, &["watch", "test", name], &of).map(drop)
    });
    let name = fleet.name(away);
    timeline.at(&format!("cut the power of {name}, and on"), || {
        fleet.cut_power(|host| host == away);
        fleet.power_on(|host| host == away);
    });
    let own: Vec<Listener> = listeners
        .into_iter()
        .filter(|one| one.what.contains(&format!("proxy on {name} ")))
        .collect();
    assert!(!own.is_empty(), "{name} has a proxy");
    timeline.until("it is back by what is on its disk", PATIENCE, || {
        connected(fleet, &name)?;
        trust::all_show(&desk, &own, &new, &before.ca)
    });
}

/// What `wharf … -o json` prints on the first host, whose own profile follows by itself and whose proxy has
/// the name of every deployment.
fn on_the_first(fleet: &Fleet, words: &[&str], more: &[&str]) -> Result<Value, String> {
    let output = run(fleet.host(0).wharf(words).args(more).args(["-o", "json"]));
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// A role's certificate of the old authority is refused where the same role's of the new one is taken.
fn old_is_refused(
    fleet: &Fleet,
    timeline: &Timeline,
    before: &Before,
    web: &Deployed,
    new: &CaCerts,
    away: usize,
) {
    let present = identity(fleet, away);
    for host in (0..fleet.layout().hosts).filter(|host| fleet.layout().is_director(*host)) {
        let name = fleet.name(host);
        // One that follows passes it on to the leader.
        let renewed = trust::renew(fleet, host, new, &present);
        assert_eq!(
            renewed,
            Ok(()),
            "the control: {name} takes its present certificate"
        );
        let renewed = trust::renew(fleet, host, new, &before.identity);
        let why = renewed.expect_err("a certificate of the old authority was taken");
        assert_ne!(why, trust::SILENT, "{name} did not refuse it");
        timeline.note(format_args!(
            "the director on {name} refuses the old certificate: {why}"
        ));
    }
    let storage = web
        .instance(fleet, "storage-0")
        .expect("a director answers");
    let host = storage.host.expect("it lies somewhere");
    let address = fleet.host(host).address().expect("an address");
    let port = web.ports(fleet).expect("a director answers")[&storage.id];
    let at = format!("{address}:{port}");
    let desk = fleet.desk();
    let good = trust::knocked(desk, &at, new, &CertSlot::new(&present));
    assert!(good.is_ok(), "the control: {good:?}");
    let refused = trust::knocked(desk, &at, new, &CertSlot::new(&before.identity));
    let why = refused.expect_err("the storage node took a certificate of the old authority");
    timeline.note(format_args!(
        "the storage node refuses the old certificate: {why}"
    ));
}
