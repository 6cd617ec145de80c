//! Elasticsearch's `_snapshot`: what is shown, asked for and refused.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, Request};
use http_body_util::Full;

use crate::load::fill;
use crate::place::{Place, Platform};
use crate::repository::{Directory, taken, told};

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_listed_paged_selected_and_deleted_by_either_name() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.start().await;
    let get = async |path: &str| place.send(Method::GET, path, "").await;
    assert_eq!(get("/_snapshot").await.body, serde_json::json!({}));
    let table = "/_cat/repositories?format=json";
    assert_eq!(get(table).await.body, serde_json::json!([]));
    let none = get("/_snapshot/backups").await;
    assert_eq!(none.status, 404, "{none:?}");
    assert_eq!(
        none.body["error"]["type"], "repository_missing_exception",
        "{none:?}"
    );

    place.replace("repository.json", &repository.order(1));
    fill(&place, "filled", 40).await;
    let first = taken(&place, "first").await;
    for member in [
        "uuid",
        "version",
        "start_time",
        "end_time",
        "duration_in_millis",
    ] {
        assert!(!first[member].is_null(), "{member}: {first}");
    }
    assert_eq!(first["indices"], serde_json::json!(["filled"]));
    assert_eq!(first["metadata"]["documents"], 40);
    taken(&place, "second").await;
    let accepted = place
        .send(
            Method::POST,
            "/_snapshot/backups/third",
            "{\"indices\":\"*\"}",
        )
        .await;
    assert_eq!(
        accepted.body,
        serde_json::json!({"accepted": true}),
        "{accepted:?}"
    );
    told(&place, "the third snapshot", |health| {
        repository.manifests().len() == 3 && health["snapshot"]["running"] == false
    })
    .await;

    let shown = get("/_snapshot/_all").await;
    assert_eq!(shown.body["backups"]["type"], "fs", "{shown:?}");
    assert_eq!(
        get(table).await.body,
        serde_json::json!([{"id": "backups", "type": "fs"}])
    );
    let names = async |path: &str| -> Vec<String> {
        let answer = get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let all = answer.body["snapshots"].as_array().unwrap().iter();
        all.map(|one| one["snapshot"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names("/_snapshot/backups/_all").await,
        ["first", "second", "third"]
    );
    assert_eq!(
        names("/_snapshot/*/_all?order=desc&size=1&offset=1").await,
        ["second"]
    );
    assert_eq!(
        names("/_snapshot/backups/f*,second?verbose=false").await,
        ["first", "second"]
    );
    let own = first["uuid"].as_str().unwrap();
    assert_eq!(names(&format!("/_snapshot/backups/{own}")).await, ["first"]);
    assert_eq!(
        names("/_snapshot/backups/first,x?ignore_unavailable=true").await,
        ["first"]
    );
    assert_eq!(names("/_snapshot/_status").await, Vec::<String>::new());
    assert_eq!(names("/_snapshot/backups/first/_status").await, ["first"]);
    let missing = get("/_snapshot/backups/nothing").await;
    assert_eq!(missing.status, 404, "{missing:?}");
    assert_eq!(
        missing.body["error"]["type"], "snapshot_missing_exception",
        "{missing:?}"
    );

    // However the repository is written, it does not wait for itself as for a write.
    let path = "/_snapshot/%5fall/fourth?wait_for_completion=true";
    let fourth = place.send(Method::PUT, path, "").await;
    assert_eq!(fourth.status, 200, "{fourth:?}");
    let path = "/_snapshot/backups/fourth";
    assert_eq!(place.send(Method::DELETE, path, "").await.status, 200);

    let twice = place
        .send(Method::PUT, "/_snapshot/backups/first", "")
        .await;
    assert_eq!(
        twice.body["error"]["type"], "invalid_snapshot_name_exception",
        "{twice:?}"
    );
    let gone = place
        .send(Method::DELETE, "/_snapshot/backups/first,third", "")
        .await;
    assert_eq!(
        gone.body,
        serde_json::json!({"acknowledged": true}),
        "{gone:?}"
    );
    assert_eq!(names("/_snapshot/backups/_all").await, ["second"]);
    // One that cannot be believed is shown as that, and can be deleted.
    let broken = "0000000000-0000000000007";
    let file = repository.own().join(format!("snapshots/{broken}.json"));
    std::fs::write(&file, "{}").unwrap();
    let shown = get("/_snapshot/backups/_all").await.body;
    assert_eq!(shown["snapshots"][0]["state"], "FAILED", "{shown}");
    let why = shown["snapshots"][0]["reason"].as_str().unwrap();
    assert!(why.contains("STO0014"), "{why}");
    let path = format!("/_snapshot/backups/{broken}");
    let gone = place.send(Method::DELETE, &path, "").await;
    assert_eq!(gone.status, 200, "{gone:?}");
    assert!(!file.exists());
    let health = place.health().await.body;
    let last = repository.manifests().pop().unwrap();
    assert_eq!(
        format!("{}.json", health["snapshot"]["last"].as_str().unwrap()),
        last,
        "{health}"
    );
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_does_and_what_would_narrow_a_snapshot_is_refused_by_name() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let repository = Directory::new(dir.path());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.replace("repository.json", &repository.order(1));
    place.start().await;
    taken(&place, "one").await;
    let body = r#"{"type":"fs","settings":{"location":"/tmp"}}"#;
    for (method, path) in [
        (Method::PUT, "/_snapshot/mine"),
        (Method::DELETE, "/_snapshot/backups"),
        (Method::POST, "/_snapshot/backups/one/_restore"),
    ] {
        let refused = place.send(method, path, body).await;
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
        let reason = refused.body["error"]["reason"].as_str().unwrap();
        assert!(
            reason.contains("STO0017") && reason.contains("wharf repository"),
            "{reason}"
        );
    }
    for (name, body, what) in [
        ("two", r#"{"indices":"logs-*"}"#, "indices"),
        (
            "two",
            r#"{"include_global_state":false}"#,
            "include_global_state",
        ),
        ("two", r#"{"metadata":{}}"#, "metadata"),
        ("Two", "", "lowercase"),
        ("two%20three", "", "whitespace"),
    ] {
        let path = format!("/_snapshot/backups/{name}?wait_for_completion=true");
        let refused = place.send(Method::PUT, &path, body).await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
        assert!(
            refused.body.to_string().contains(what),
            "{what}: {refused:?}"
        );
    }
    for path in [
        "/_snapshot/backups/one/_mount",
        "/_snapshot/backups/one/_clone/two",
        "/_snapshot/backups/_verify",
    ] {
        let refused = place.send(Method::POST, path, "").await;
        assert_eq!(refused.status, 501, "{path}: {refused:?}");
    }
    // Many clients pack every body.
    let packed = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let narrow = packed(r#"{"indices":"logs-*"}"#);
    for (body, status, what) in [
        (narrow.clone(), 400, "a snapshot holds the whole store"),
        (narrow[..narrow.len() / 2].to_vec(), 400, "gzip"),
        (packed(r#"{"indices":"*"}"#), 200, "SUCCESS"),
    ] {
        let request = Request::put(format!(
            "https://{}/_snapshot/backups/packed?wait_for_completion=true",
            place.addr
        ));
        let request = request.header("content-encoding", "gzip");
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = place.client.fetch(request, 1 << 20).await.unwrap();
        let text = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), status, "expected {what}: {text}");
        assert!(text.contains(what), "expected {what}: {text}");
    }
    assert_eq!(repository.manifests().len(), 2);
    place.stop().await;
}
