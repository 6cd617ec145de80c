//! Places begin from a snapshot: with everything that was acknowledged before it, or not at all.

use std::sync::Arc;

use http::Method;

use crate::load::{Load, fill};
use crate::place::{Place, Platform};
use crate::repository::{Directory, order_restore, restored, sums, taken, told};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_snapshot_under_load_is_there_and_it_goes_on_from_there() {
    let (platform, dir) = (Arc::new(Platform::new()), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.replace("repository.json", &repository.order(1));
    place.start().await;
    for n in 0..3 {
        fill(&place, &format!("filled-{n}"), 2_000).await;
    }
    let load = Load::begin(&platform, place.addr);
    load.goes_on(200).await;
    let written: Vec<usize> = vec![
        place.numbers("load-0").await.len(),
        place.numbers("load-1").await.len(),
    ];
    taken(&place, "under-load").await;
    load.goes_on(200).await;
    let seen = load.end().await;
    let failed: Vec<&String> = seen.iter().flat_map(|seen| &seen.failed).collect();
    assert!(failed.is_empty(), "no request fails: {failed:?}");
    // The host is lost.
    place.running.take().unwrap().kill().await;

    let mut next = Place::new(&platform, &dir.path().join("next"));
    next.replace("repository.json", &repository.order(2));
    order_restore(&next, 2);
    next.start().await;
    let health = restored(&next).await;
    let name = repository.manifests().pop().unwrap();
    assert_eq!(
        format!("{}.json", health["restore"]["snapshot"].as_str().unwrap()),
        name
    );
    let bytes = repository.manifest(&name)["bytes"].clone();
    assert_eq!(health["restore"]["bytes_total"], bytes, "{health}");
    assert_eq!(health["restore"]["bytes_done"], bytes, "{health}");
    for n in 0..3 {
        let found = next.numbers(&format!("filled-{n}")).await;
        assert_eq!(found, (0..2_000).collect::<Vec<u64>>());
    }
    for (index, before) in ["load-0", "load-1"].iter().zip(written) {
        let found = next.numbers(index).await;
        assert!(
            found.len() >= before,
            "{index}: {} of {before} are there",
            found.len()
        );
        let all: Vec<u64> = (0..found.len() as u64).collect();
        assert_eq!(
            found, all,
            "one moment: nothing is there without what was written before"
        );
    }
    let again = next.send(Method::POST, "/filled-0/_doc", "{\"n\":1}").await;
    assert_eq!(again.status, 201, "it takes writes: {again:?}");
    taken(&next, "of-the-next-life").await;
    let last = repository.manifests().pop().unwrap();
    assert!(last.starts_with("0000000002-"), "{last}");

    // What is there is served from now on, whatever is ordered.
    next.stop().await;
    order_restore(&next, 3);
    next.start().await;
    let health = next.health().await;
    assert_eq!(health.status, 200, "{health:?}");
    assert_eq!(health.body["restore"]["stage"], "failed", "{health:?}");
    assert!(
        health.body["restore"]["reason"]
            .as_str()
            .unwrap()
            .contains("STO0005"),
        "{health:?}"
    );
    assert_eq!(next.numbers("filled-0").await.len(), 2_001);
    std::fs::remove_file(next.secret("restore.json")).unwrap();
    told(&next, "nothing told of a restore", |h| {
        h["restore"].is_null()
    })
    .await;
    next.stop().await;
}

/// It serves nothing and says why, by health and to everybody who asks.
async fn serves_nothing(place: &Place, code: &str, why: &str) {
    let said = |health: &serde_json::Value| {
        let reason = health["restore"]["reason"].as_str().unwrap_or_default();
        health["restore"]["stage"] == "failed" && reason.contains(code) && reason.contains(why)
    };
    told(
        place,
        &format!("a failed restore by {code} with `{why}`"),
        said,
    )
    .await;
    assert_eq!(place.health().await.status, 503);
    for (method, path) in [(Method::GET, "/filled/_count"), (Method::PUT, "/a")] {
        let answer = place.send(method, path, "").await;
        assert_eq!(answer.status, 503, "{path}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_missing_or_damaged_and_foreign_manifests_are_named_and_it_goes_on_once_they_are_right()
 {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.replace("repository.json", &repository.order(1));
    place.start().await;
    fill(&place, "filled", 3_000).await;
    taken(&place, "one").await;
    place.stop().await;
    let name = repository.manifests().pop().unwrap();
    let manifest = repository.manifest(&name);
    let segment = sums(&manifest)
        .into_iter()
        .find(|(path, _)| path.ends_with(".seg"));
    let (path, sum) = segment.unwrap();
    let object = repository.object(&sum);
    let right = std::fs::read(&object).unwrap();

    let mut next = Place::new(&platform, &dir.path().join("next"));
    next.replace("repository.json", &repository.order(2));
    order_restore(&next, 2);
    std::fs::remove_file(&object).unwrap();
    next.start().await;
    serves_nothing(&next, "STO0014", &sum).await;
    // It was ended in the middle, and the order is gone.
    next.running.take().unwrap().kill().await;
    let order = std::fs::read(next.secret("restore.json")).unwrap();
    std::fs::remove_file(next.secret("restore.json")).unwrap();
    next.start().await;
    serves_nothing(&next, "STO0009", "no order").await;
    std::fs::write(next.secret("restore.json"), "{").unwrap();
    serves_nothing(&next, "STO0009", "cannot be read").await;
    std::fs::write(next.secret("restore.json"), order).unwrap();

    let mut wrong = right.clone();
    let middle = wrong.len() / 2;
    wrong[middle] ^= 1;
    std::fs::write(&object, &wrong).unwrap();
    serves_nothing(&next, "STO0014", "its checksum is wrong").await;
    std::fs::write(&object, &right[..middle]).unwrap();
    serves_nothing(&next, "STO0014", &format!("it has {middle} bytes")).await;
    let kept = std::fs::metadata(next.data().join(&path)).map_or(0, |file| file.len());
    assert_eq!(kept, 0, "nothing of a damaged file is kept");
    next.stop().await;

    // Another place that did not choose yet.
    let mut other = Place::new(&platform, &dir.path().join("other"));
    other.replace("repository.json", &repository.order(2));
    order_restore(&other, 2);
    std::fs::write(&object, &right).unwrap();
    let mut foreign = manifest.clone();
    foreign["instance_id"] = "j".into();
    let later = repository
        .own()
        .join("snapshots/0000000001-9999999999999.json");
    std::fs::write(&later, foreign.to_string()).unwrap();
    other.start().await;
    serves_nothing(&other, "STO0014", "another instance").await;
    std::fs::remove_file(&later).unwrap();
    restored(&other).await;
    assert_eq!(
        other.numbers("filled").await,
        (0..3_000).collect::<Vec<u64>>()
    );
    other.stop().await;

    // A beginning that is of another file, and a snapshot that came after the one that it began with.
    std::fs::write(next.data().join(&path), "other").unwrap();
    let mut younger = manifest.clone();
    younger["taken_ms"] = 9_999_999_999_999_u64.into();
    std::fs::write(&later, younger.to_string()).unwrap();
    next.start().await;
    let health = restored(&next).await;
    let begun = health["restore"]["snapshot"].as_str().unwrap();
    assert_eq!(format!("{begun}.json"), name, "it goes on: {health}");
    assert_eq!(
        health["restore"]["bytes_done"], health["restore"]["bytes_total"],
        "each byte counts once: {health}"
    );
    assert_eq!(
        next.numbers("filled").await,
        (0..3_000).collect::<Vec<u64>>()
    );
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_snapshot_nothing_is_served_until_somebody_decides() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut next = Place::new(&platform, &dir.path().join("next"));
    order_restore(&next, 2);
    next.start().await;
    serves_nothing(&next, "STO0009", "no repository").await;
    next.replace("repository.json", &repository.order(2));
    serves_nothing(&next, "STO0013", "backups").await;
    assert!(
        !next.data().join("catalog.json").exists(),
        "no empty store is opened"
    );
    next.stop().await;
}
