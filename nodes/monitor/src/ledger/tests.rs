//! What the ledger took is there after a crash, in its latest state, and stays within its limit.

use serde_json::json;

use super::*;

const LARGE: u64 = 1 << 30;

fn run(id: &str, text: &str) -> Doc {
    Doc::put(indices::HISTORY, id, json!({ "text": text }))
}

fn alert(id: &str, state: u64) -> Doc {
    Doc::put(indices::ALERTS, id, json!({ "state": state }))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_outlives_a_crash_and_what_was_written_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    {
        let ledger = Ledger::open(dir.path(), LARGE).unwrap();
        ledger
            .write(vec![run("1", "a"), alert("x", 1)])
            .await
            .unwrap();
        ledger
            .write(vec![run("2", "b"), alert("x", 2)])
            .await
            .unwrap();
        ledger
            .write(vec![Doc::delete(indices::ALERTS, "y")])
            .await
            .unwrap();
        // Dropped without being closed.
    }
    {
        let ledger = Ledger::open(dir.path(), LARGE).unwrap();
        assert_eq!(ledger.len(), 4);
        assert_eq!(
            ledger.get(indices::ALERTS, "x"),
            Some(Some(json!({"state": 2})))
        );
        assert_eq!(
            ledger.get(indices::ALERTS, "y"),
            Some(None),
            "to be deleted"
        );
        let batch = ledger.batch(100, usize::MAX);
        assert_eq!(batch.docs[0], run("1", "a"), "oldest first");
        // Meanwhile the alert changes again: what was written is not its latest state.
        ledger.write(vec![alert("x", 3)]).await.unwrap();
        ledger.settle(&batch, &[true; 4]).await;
        assert_eq!(ledger.of_index(indices::ALERTS), [alert("x", 3)]);
    }
    let ledger = Ledger::open(dir.path(), LARGE).unwrap();
    assert_eq!(ledger.len(), 1, "only what was not written waits");
    let batch = ledger.batch(100, usize::MAX);
    ledger.settle(&batch, &[true]).await;
    drop(ledger);
    assert_eq!(Ledger::open(dir.path(), LARGE).unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_bounded_and_what_was_refused_for_now_waits() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), LARGE).unwrap();
    for n in 0..10 {
        ledger
            .write(vec![run(&n.to_string(), "0123456789")])
            .await
            .unwrap();
    }
    assert_eq!(ledger.batch(3, usize::MAX).docs.len(), 3);
    assert_eq!(
        ledger.batch(100, 50).docs.len(),
        2,
        "two of about 22 bytes fit"
    );
    assert_eq!(ledger.batch(100, 1).docs.len(), 1, "one always does");
    let batch = ledger.batch(3, usize::MAX);
    ledger.settle(&batch, &[true, false, true]).await;
    assert_eq!(ledger.len(), 8);
    assert!(ledger.get(indices::HISTORY, "1").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_old_runs_go_and_alerts_stay() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 3 * SEGMENT_BYTES;
    let ledger = Ledger::open(dir.path(), limit).unwrap();
    ledger.write(vec![alert("x", 7)]).await.unwrap();
    for n in 0..160_u32 {
        // Does not compress.
        let text: String = (0..2_000)
            .map(|_| wharf_runtime::random::new_id())
            .collect();
        ledger
            .write(vec![run(&n.to_string(), &text)])
            .await
            .unwrap();
        ledger.bound().await.unwrap();
    }
    assert!(ledger.dropped() > 0, "some are lost");
    let held = ledger.journal.bytes();
    assert!(
        held <= limit + SEGMENT_BYTES,
        "{held} bytes of at most {limit}"
    );
    assert!(
        ledger.get(indices::HISTORY, "0").is_none(),
        "the oldest is lost"
    );
    assert!(
        ledger.get(indices::HISTORY, "159").is_some(),
        "the latest is not"
    );
    let waiting = ledger.len() as u64 - 1;
    assert_eq!(waiting + ledger.dropped(), 160, "each waits or is counted");
    drop(ledger);
    let ledger = Ledger::open(dir.path(), limit).unwrap();
    assert_eq!(
        ledger.get(indices::ALERTS, "x"),
        Some(Some(json!({"state": 7})))
    );
}
