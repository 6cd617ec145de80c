//! A snapshot that cannot end: it gives way when the disk is nearly full, and nobody waits for it to delete another one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wharf_store::Config;

use crate::load::fill;
use crate::place::{DEADLINE, Place, Platform, call};
use crate::repository::{PREFIX, told};

const MIB: u64 = 1 << 20;

/// The one snapshot that is listed; nobody can believe what it says.
const LISTED: &str = "0000000000-0000000000007";

/// A bucket of a server that lets whoever uploads wait until it is released. It ends with the test.
struct Stalled {
    addr: SocketAddr,
    release: watch::Sender<bool>,
    /// What was uploaded or is being.
    puts: Arc<Mutex<Vec<String>>>,
}

impl Stalled {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stalled = Self {
            addr: listener.local_addr().unwrap(),
            release: watch::Sender::new(false),
            puts: Arc::default(),
        };
        let (release, puts) = (stalled.release.subscribe(), Arc::clone(&stalled.puts));
        wharf_runtime::task::spawn("bucket", async move {
            while let Ok((stream, _)) = listener.accept().await {
                wharf_runtime::task::spawn(
                    "bucket answer",
                    answer(stream, release.clone(), Arc::clone(&puts)),
                );
            }
        });
        stalled
    }

    fn order(&self) -> Value {
        json!({
            "repository": "backups", "kind": "s3", "prefix": PREFIX, "incarnation": 1,
            "interval_seconds": 0, "keep": 2, "requested": 0,
            "s3": {
                "endpoint": format!("http://{}", self.addr), "region": "us-east-1", "bucket": "b",
                "access_key_id": "id", "secret_access_key": "secret", "path_style": true,
            },
        })
    }
}

/// Answers one request. An error: whoever asked is gone.
async fn answer(
    mut stream: TcpStream,
    mut release: watch::Receiver<bool>,
    puts: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let mut body = "{}".to_owned();
    if head.starts_with("put ") {
        puts.lock().unwrap().push(path);
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut bytes = vec![0; length.unwrap().parse().unwrap()];
        stream.read_exact(&mut bytes).await?;
        release.wait_for(|released| *released).await.unwrap();
    } else if path.contains("list-type") {
        let listed = format!(
            "<Contents><Key>{PREFIX}/snapshots/{LISTED}.json</Key><Size>2</Size><ETag>e</ETag>\
             <LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        );
        let listed = if path.contains("snapshots") {
            &listed
        } else {
            ""
        };
        body = format!(
            "<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
        );
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\netag: e\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await
}

/// Asks for one and waits until its upload began.
async fn begun(
    place: &Place,
    platform: &Platform,
) -> tokio::task::JoinHandle<crate::place::Answer> {
    told(place, "an order for snapshots", |health| {
        health["snapshot"].is_object()
    })
    .await;
    let (client, addr) = (platform.client(None), place.addr);
    let taking = wharf_runtime::task::spawn("snapshot", async move {
        let path = "/_snapshot/backups/stalled?wait_for_completion=true";
        call(&client, addr, Method::PUT, path, "").await.unwrap()
    });
    let under_way = async || {
        let status = place.send(Method::GET, "/_snapshot/_status", "").await.body;
        status["snapshots"][0]["stats"]["total"]["file_count"].as_u64() > Some(0)
    };
    while !under_way().await {
        assert!(!taking.is_finished(), "it waits: {:?}", taking.await);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    taking
}

/// More than 4 MiB of its own are too many.
fn little_room(config: &mut Config) {
    config.disk_bytes = 64 * MIB;
    config.flood_free_bytes = Some(60 * MIB);
}

async fn backing(place: &Place) -> usize {
    let streams = place.send(Method::GET, "/_data_stream/logs-a", "").await;
    let indices = streams.body["data_streams"][0]["indices"].as_array();
    indices.unwrap_or_else(|| panic!("{streams:?}")).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_disk_is_nearly_full_a_snapshot_ends_before_an_index_is_deleted() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    let bucket = Stalled::start().await;
    place.replace("repository.json", &bucket.order());
    place.start_with(little_room).await;
    let template = r#"{"index_patterns":["logs-*"],"data_stream":{}}"#;
    let made = place
        .send(Method::PUT, "/_index_template/logs", template)
        .await;
    assert_eq!(made.status, 200, "{made:?}");
    let line = |text: &str| {
        format!(
            "{{\"create\":{{\"_index\":\"logs-a\"}}}}\n{{\"@timestamp\":1,\"message\":\"{text}\"}}\n"
        )
    };
    for _ in 0..2 {
        let answer = place.bulk(&line("few")).await;
        assert_eq!(answer.body["errors"], false, "{answer:?}");
        let rolled = place.send(Method::POST, "/logs-a/_rollover", "").await;
        assert_eq!(rolled.status, 200, "{rolled:?}");
    }
    let all = backing(&place).await;
    let taking = begun(&place, &platform).await;
    let cut = place.data().join("snapshot_cut");
    assert!(cut.exists(), "it is uploaded from there");
    let path = "/_snapshot/backups/stalled";
    let twice = place.send(Method::PUT, path, "").await;
    assert_eq!(
        (twice.status, &twice.body["error"]["type"]),
        (400, &"invalid_snapshot_name_exception".into()),
        "one of that name is being taken: {twice:?}"
    );
    let path = format!("/_snapshot/backups/{LISTED}");
    let busy = place.send(Method::DELETE, &path, "").await;
    assert_eq!(
        (busy.status, &busy.body["error"]["type"]),
        (503, &"concurrent_snapshot_execution_exception".into()),
        "{busy:?}"
    );

    let mut state = 1u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((state >> 40) % 26).unwrap())
    };
    let words: String = (0..5 * MIB)
        .map(|n| if n % 16 == 15 { ' ' } else { letter() })
        .collect();
    let answer = place.bulk(&line(&words)).await;
    assert_eq!(answer.body["errors"], false, "{answer:?}");
    let running = place.running.as_ref().unwrap();
    let deleted = async {
        while backing(&place).await == all {
            running.run_lifecycle().await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, deleted).await;
    assert!(in_time.is_ok(), "indices make room in the end");
    assert!(
        !cut.exists(),
        "an index is deleted while a snapshot keeps its files on the disk"
    );
    let ended = taking.await.unwrap();
    assert_eq!(ended.status, 503, "{ended:?}");
    assert!(ended.body.to_string().contains("nearly full"), "{ended:?}");
    assert_eq!(backing(&place).await, 1, "but what is written to");
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_snapshot_alone_keeps_on_the_disk_counts() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let mut place = Place::new(&platform, &dir.path().join("place"));
    let bucket = Stalled::start().await;
    place.replace("repository.json", &bucket.order());
    place.start_with(little_room).await;
    fill(&place, "filled", 10).await;
    let taking = begun(&place, &platform).await;
    place.running.as_ref().unwrap().run_lifecycle().await;
    assert!(!taking.is_finished(), "there is room");
    // As a segment that a merge has replaced.
    let rows = place.data().join("snapshot_cut/indices/merged/rows");
    std::fs::create_dir_all(&rows).unwrap();
    let large = vec![0; usize::try_from(5 * MIB).unwrap()];
    std::fs::write(rows.join("00000000.seg"), large).unwrap();
    place.running.as_ref().unwrap().run_lifecycle().await;
    let ended = tokio::time::timeout(DEADLINE, taking).await;
    let ended = ended.expect("it gives way").unwrap();
    assert!(ended.body.to_string().contains("nearly full"), "{ended:?}");
    place.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_whose_data_went_while_it_uploaded_writes_no_snapshot() {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let mut source = Place::new(&platform, &dir.path().join("source"));
    let bucket = Stalled::start().await;
    source.replace("repository.json", &bucket.order());
    source.start().await;
    fill(&source, "filled", 10).await;
    let taking = begun(&source, &platform).await;
    let mut target = Place::new(&platform, &dir.path().join("target"));
    target.order(source.addr, true);
    target.start().await;
    target.reaches("serving").await;
    bucket.release.send_replace(true);
    let ended = taking.await.unwrap();
    assert_eq!(ended.status, 503, "{ended:?}");
    assert!(ended.body.to_string().contains("was moved"), "{ended:?}");
    let puts = bucket.puts.lock().unwrap().clone();
    assert!(
        !puts.is_empty() && puts.iter().all(|path| path.contains("/objects/")),
        "objects alone: {puts:?}"
    );
    source.stop().await;
    target.stop().await;
}
