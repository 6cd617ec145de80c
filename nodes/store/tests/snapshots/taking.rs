//! Snapshots are taken: what they hold, what they upload, what they delete, and when they are not taken.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use http::Method;

use crate::load::fill;
use crate::place::{Place, Platform};
use crate::repository::{Directory, order_restore, restored, sums, take, taken, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_snapshot_uploads_only_what_is_new() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.replace("repository.json", &repository.order(1));
    place.start().await;
    fill(&place, "old", 2_000).await;
    taken(&place, "one").await;
    let first = repository.objects();
    let began = |name: &String| {
        repository
            .object(name)
            .metadata()
            .unwrap()
            .modified()
            .unwrap()
    };
    let times: Vec<SystemTime> = first.iter().map(began).collect();

    fill(&place, "new", 100).await;
    taken(&place, "two").await;
    let manifests = repository.manifests();
    assert_eq!(manifests.len(), 2);
    let (one, two) = (
        sums(&repository.manifest(&manifests[0])),
        sums(&repository.manifest(&manifests[1])),
    );
    let kept: Vec<&String> = one
        .keys()
        .filter(|path| path.ends_with(".seg") && two.get(*path) == one.get(*path))
        .collect();
    assert!(
        !kept.is_empty(),
        "the rows of `old` are named again: {one:?} {two:?}"
    );
    let named: BTreeSet<String> = one.values().chain(two.values()).cloned().collect();
    let there: BTreeSet<String> = repository.objects().into_iter().collect();
    assert_eq!(
        there, named,
        "what manifests name is there, and nothing else"
    );
    assert_eq!(
        first.iter().map(began).collect::<Vec<_>>(),
        times,
        "nothing is written twice"
    );
    assert!(
        !place.data().join("snapshot_cut").exists(),
        "nothing is left of the cut"
    );
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_are_kept_and_what_they_name_and_what_is_young() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    let mut order = repository.order(1);
    order["keep"] = 2.into();
    place.replace("repository.json", &order);
    place.start().await;
    for n in 0..4 {
        fill(&place, &format!("filled-{n}"), 50).await;
        taken(&place, &format!("number-{n}")).await;
    }
    let aliases = |repository: &Directory| -> Vec<String> {
        let manifests = repository.manifests().into_iter();
        manifests
            .map(|name| {
                repository.manifest(&name)["alias"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(aliases(&repository), ["number-2", "number-3"]);
    place.stop().await;

    let day_ago = SystemTime::now() - Duration::from_secs(25 * 3600);
    let age = |path: &std::path::Path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(day_ago).unwrap();
    };
    let (old, young) = ("0".repeat(64), "1".repeat(64));
    let unfinished = format!("{}#1", "2".repeat(64));
    for name in [&old, &young, &unfinished] {
        std::fs::write(repository.object(name), "nobody's").unwrap();
    }
    let named: BTreeSet<String> = repository
        .manifests()
        .iter()
        .flat_map(|name| sums(&repository.manifest(name)).into_values())
        .collect();
    for name in repository.objects().iter().filter(|name| **name != young) {
        age(&repository.object(name));
    }
    // A manifest that cannot be read may name anything.
    let broken = repository
        .own()
        .join("snapshots/0000000000-0000000000001.json");
    std::fs::write(&broken, "{").unwrap();
    place.start().await;
    taken(&place, "while-one-is-broken").await;
    assert!(
        repository.object(&old).exists(),
        "nothing is deleted while a manifest cannot be read"
    );
    // The broken one was the oldest.
    assert_eq!(aliases(&repository), ["number-3", "while-one-is-broken"]);
    place.stop().await;
    place.start().await;
    told(&place, "no object that nothing names", |_| {
        !repository.object(&old).exists()
    })
    .await;
    told(&place, "no unfinished object", |_| {
        !repository.object(&unfinished).exists()
    })
    .await;
    let there: BTreeSet<String> = repository.objects().into_iter().collect();
    assert!(there.contains(&young), "somebody may be about to name it");
    let still: BTreeSet<String> = repository
        .manifests()
        .iter()
        .flat_map(|name| sums(&repository.manifest(name)).into_values())
        .collect();
    assert!(still.is_subset(&there), "what is named is there");
    assert!(
        !named.is_subset(&there),
        "what only a deleted snapshot named is gone"
    );
    place.stop().await;

    let mut next = Place::new(&platform, &dir.path().join("next"));
    let mut order = repository.order(2);
    order["interval_seconds"] = 3600.into();
    next.replace("repository.json", &order);
    order_restore(&next, 2);
    next.start().await;
    restored(&next).await;
    assert_eq!(next.numbers("filled-3").await.len(), 50);
    told(
        &next,
        "one of its own, however young the former life's last is",
        |_| {
            let last = repository.manifests().pop().unwrap();
            last.starts_with("0000000002-")
        },
    )
    .await;
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_lease_or_after_a_later_life_none_is_taken() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.replace("repository.json", &repository.order(1));
    place.lease_until(wharf_runtime::clock::boottime_ms() + 600_000);
    place.start().await;
    fill(&place, "filled", 10).await;
    taken(&place, "leased").await;
    place.lease_until(0);
    // The lease is looked at twice a second while it is in force.
    let line = "{\"index\":{\"_index\":\"late\"}}\n{}\n";
    while place.bulk(line).await.status == 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refused = take(&place, "over").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.to_string().contains("STO0001"), "{refused:?}");
    let health = place.health().await.body;
    assert!(
        health["snapshot"]["error"]
            .as_str()
            .unwrap()
            .contains("STO0001"),
        "{health}"
    );
    assert!(
        health["snapshot"]["failing_since_ms"].as_u64().unwrap() > 0,
        "{health}"
    );
    let kept = place
        .send(Method::DELETE, "/_snapshot/backups/leased", "")
        .await;
    assert_eq!(kept.status, 503, "nothing is deleted either: {kept:?}");
    assert!(kept.body.to_string().contains("STO0001"), "{kept:?}");
    assert_eq!(repository.manifests().len(), 1);

    place.lease_until(wharf_runtime::clock::boottime_ms() + 600_000);
    taken(&place, "leased-again").await;
    let health = place.health().await.body;
    assert!(
        health["snapshot"]["error"].is_null(),
        "what succeeded is no failure: {health}"
    );
    let later = repository
        .own()
        .join("snapshots/0000000002-1700000000000.json");
    std::fs::write(&later, "{}").unwrap();
    let refused = take(&place, "earlier").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.to_string().contains("STO0016"), "{refused:?}");
    let mut order = repository.order(1);
    order["requested"] = 1.into();
    place.replace("repository.json", &order);
    let health = told(&place, "a refusal", |h| {
        let error = h["snapshot"]["error"].as_str().unwrap_or_default();
        error.contains("STO0016")
    })
    .await;
    assert_eq!(health["snapshot"]["requested_done"], 0, "{health}");
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_taken_by_the_clock_and_by_request_and_each_request_is_served_once() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    let mut order = repository.order(1);
    order["interval_seconds"] = 1.into();
    place.replace("repository.json", &order);
    place.start().await;
    fill(&place, "filled", 25).await;
    told(&place, "three snapshots by the clock", |_| {
        repository.manifests().len() >= 3
    })
    .await;
    let first = repository.manifest(&repository.manifests()[0]);
    assert_eq!(first["reason"], "scheduled");

    order["interval_seconds"] = 0.into();
    order["requested"] = 7.into();
    place.replace("repository.json", &order);
    let health = told(&place, "a served request", |h| {
        h["snapshot"]["requested_done"] == 7
    })
    .await;
    let last = repository.manifests().pop().unwrap();
    assert_eq!(
        format!("{}.json", health["snapshot"]["last"].as_str().unwrap()),
        last
    );
    let manifest = repository.manifest(&last);
    assert_eq!(
        (&manifest["reason"], &manifest["documents"]),
        (&"requested".into(), &25.into())
    );
    assert_eq!(health["snapshot"]["documents"], 25, "{health}");
    assert_eq!(health["snapshot"]["bytes"], manifest["bytes"], "{health}");

    let count = repository.manifests().len();
    place.stop().await;
    place.start().await;
    let health = told(&place, "the order", |h| h["snapshot"].is_object()).await;
    assert_eq!(health["snapshot"]["requested_done"], 7, "{health}");
    order["requested"] = 8.into();
    place.replace("repository.json", &order);
    told(&place, "the next request", |h| {
        h["snapshot"]["requested_done"] == 8
    })
    .await;
    assert_eq!(
        repository.manifests().len(),
        count + 1,
        "a request is served once"
    );

    std::fs::remove_file(place.secret("repository.json")).unwrap();
    told(&place, "nothing told of snapshots", |h| {
        h["snapshot"].is_null()
    })
    .await;
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_and_leaves_nothing_and_the_next_is_whole() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.replace("repository.json", &repository.order(1));
    // A file where the objects should be.
    std::fs::create_dir_all(repository.own()).unwrap();
    let objects = repository.own().join("objects");
    std::fs::write(&objects, "").unwrap();
    // As a crash leaves it.
    let cut = place.data().join("snapshot_cut");
    std::fs::create_dir_all(cut.join("journal")).unwrap();
    place.start().await;
    assert!(!cut.exists(), "what a crash left goes at the start");
    fill(&place, "filled", 30).await;
    let failed = take(&place, "one").await;
    assert_eq!(failed.status, 503, "{failed:?}");
    assert!(failed.body.to_string().contains("STO0011"), "{failed:?}");
    assert!(!cut.exists(), "nothing is left of what failed");
    assert!(
        repository.manifests().is_empty(),
        "without its objects there is no manifest"
    );
    let health = place.health().await.body;
    assert!(
        health["snapshot"]["error"]
            .as_str()
            .unwrap()
            .contains("STO0011"),
        "{health}"
    );
    place.stop().await;
    place.start().await;
    let health = told(&place, "the order", |h| h["snapshot"].is_object()).await;
    let since = &health["snapshot"]["failing_since_ms"];
    assert!(
        since.as_u64().unwrap() > 0,
        "it is known since when after a start: {health}"
    );

    std::fs::remove_file(&objects).unwrap();
    taken(&place, "two").await;
    place.replace(
        "repository.json",
        &serde_json::json!({"repository": "backups"}),
    );
    let health = told(&place, "an order that is wrong", |h| {
        h["snapshot"]["error"].is_string()
    })
    .await;
    assert!(
        health["snapshot"]["error"]
            .as_str()
            .unwrap()
            .contains("STO0010"),
        "{health}"
    );
    let mut gone = repository.order(1);
    gone["path"] = "/nowhere/at/all".into();
    place.replace("repository.json", &gone);
    let health = told(&place, "a repository that is not there", |h| {
        h["snapshot"]["error"]
            .as_str()
            .is_some_and(|e| e.contains("STO0011"))
    })
    .await;
    assert!(
        health["snapshot"]["error"]
            .as_str()
            .unwrap()
            .contains("/nowhere"),
        "{health}"
    );
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_at_one_place_does_not_let_another_one_wait() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    let mut order = repository.order(1);
    order["interval_seconds"] = 3600.into();
    place.replace("repository.json", &order);
    place.start().await;
    told(&place, "the first snapshot", |health| {
        health["snapshot"]["last"].is_string()
    })
    .await;
    // Nobody answers there: nobody listens.
    let nobody = wharf_test_ports::TestPort::reserve();
    order = serde_json::json!({
        "repository": "elsewhere", "kind": "s3", "prefix": crate::repository::PREFIX, "incarnation": 1,
        "interval_seconds": 3600, "keep": 2, "requested": 0,
        "s3": {
            "endpoint": format!("http://{}", nobody.addr()), "region": "us-east-1", "bucket": "b",
            "access_key_id": "id", "secret_access_key": "secret", "path_style": true,
        },
    });
    place.replace("repository.json", &order);
    let health = told(&place, "that one is due there and is not taken", |health| {
        health["snapshot"]["error"].is_string()
    })
    .await;
    let error = health["snapshot"]["error"].as_str().unwrap();
    assert!(
        error.contains("STO0011") && error.contains("elsewhere") && !error.contains('?'),
        "{error}"
    );
    assert!(
        error.to_lowercase().contains("connect"),
        "the cause is told: {error}"
    );
    place.stop().await;
}

/// A file that nobody answers who opens it, as on a network file system whose server is gone. Answers at its end.
struct Hanging(PathBuf);

impl Hanging {
    fn new(place: &Place) -> Self {
        let (hanging, next) = (place.secret("hanging"), place.secret("next"));
        let made = Command::new("mkfifo").arg(&hanging).status().unwrap();
        assert!(made.success(), "{made}");
        std::fs::hard_link(&hanging, &next).unwrap();
        std::fs::rename(next, place.secret("repository.json")).unwrap();
        Self(hanging)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Opened for both ways it waits for nobody.
        let both = File::options().read(true).write(true).open(&self.0);
        both.unwrap().write_all(b"{}").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_is_told_and_followed_once_it_does() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.replace("repository.json", &repository.order(1));
    place.start().await;
    taken(&place, "one").await;
    let hanging = Hanging::new(&place);
    let health = told(&place, "that nobody answers", |h| {
        h["snapshot"]["error"].is_string()
    })
    .await;
    let error = health["snapshot"]["error"].as_str().unwrap();
    assert!(
        error.contains("STO0011") && error.contains("no answer"),
        "{error}"
    );
    assert!(health["snapshot"]["failing_since_ms"].is_u64(), "{health}");
    place.replace("repository.json", &repository.order(1));
    drop(hanging);
    told(&place, "no error any more", |h| {
        h["snapshot"].is_object() && h["snapshot"]["error"].is_null()
    })
    .await;
    taken(&place, "two").await;
    place.stop().await;
}
