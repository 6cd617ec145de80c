//! Broken, huge and deep input: told, and the good lines kept.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::client::{Store, config};

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_told_and_the_good_lines_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    store
        .json(
            "PUT",
            "/n",
            json!({"mappings": {"properties": {"n": {"type": "long"}}}}),
        )
        .await;
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let lines = format!(
        "{{\"index\":{{}}}}\n{{\"n\":1}}\n{{\"index\":{{}}}}\n{{\"n\":\"no number\"}}\n{{\"index\":{{}}}}\n{{broken\n{{\"index\":{{}}}}\n{deep}\n{{\"index\":{{}}}}\n{{\"n\":2}}\n"
    );
    let answer = store.bulk("/n/_bulk", &lines).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let statuses: Vec<u64> = answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["index"]["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 400, 400, 400, 201]);
    assert_eq!(store.count("n").await, 2);
    let open_end = store.bulk("/n/_bulk", "{\"index\":{}}\n{\"n\":1}").await;
    assert_eq!(open_end.status, 400);
    assert!(open_end.text.contains("must be terminated by a newline"));
    assert_eq!(store.bulk("/n/_bulk", "").await.status, 400);
    assert_eq!(
        store
            .json("POST", "/n/_search", json!({"query": {"nonsense": {}}}))
            .await
            .status,
        400
    );
    assert_eq!(
        store
            .json("POST", "/n/_search", json!({"unknown": 1}))
            .await
            .status,
        400
    );
    assert_eq!(
        store
            .send("POST", "/n/_search", "", b"{\"query\":")
            .await
            .status,
        400
    );
    let upper = store.json("PUT", "/UPPER", Value::Null).await;
    assert_eq!(upper.body["error"]["type"], "invalid_index_name_exception");
    let pipeline = store
        .bulk("/n/_bulk?pipeline=x", "{\"index\":{}}\n{\"n\":1}\n")
        .await;
    assert_eq!(pipeline.body["items"][0]["index"]["status"], 400);
    let large = store
        .send("POST", "/n/_bulk", "", &vec![b' '; 33 * 1024 * 1024])
        .await;
    assert_eq!(large.status, 413);
    assert_eq!(store.get("/_wharf/health").await.status, 200);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_unpacked_and_a_truncated_stream_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let mut lines = String::new();
    for n in 0..2000 {
        lines.push_str(&format!(
            "{{\"index\":{{}}}}\n{{\"n\":{n},\"text\":\"{}\"}}\n",
            (n * 7919) % 10_007
        ));
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(lines.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let header = "Content-Encoding: gzip\r\n";
    let whole = store.send("POST", "/whole/_bulk", header, &packed).await;
    assert_eq!(whole.body["errors"], false, "{}", whole.text);
    assert_eq!(store.count("whole").await, 2000);
    let cut = store
        .send("POST", "/cut/_bulk", header, &packed[..packed.len() / 2])
        .await;
    let items = cut.body["items"].as_array().unwrap();
    let last = items.last().unwrap();
    assert_eq!(cut.body["errors"], true);
    assert_eq!(last["index"]["status"], 400);
    assert!(last.to_string().contains("gzip"));
    assert_eq!(store.count("cut").await, items.len() as u64 - 1);
    let garbage = store
        .send("POST", "/x/_bulk", header, b"no gzip at all")
        .await;
    assert_eq!(garbage.status, 400);
    let search = store
        .send("POST", "/whole/_search", header, &packed[..20])
        .await;
    assert_eq!(search.status, 400);
    store.stop().await;
}
