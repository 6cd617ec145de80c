//! Writes while the disk of the journal takes nothing.

use super::*;
use crate::config::{Config, Listener};
use crate::engine::{Cache, read_record};
use wharf_runtime::clock::Clock;
use wharf_runtime::journal::{AfterFailure, Journal, Options};

/// Creates a document in the index `i`; answers the status of the outcome.
fn create(catalog: &Catalog, id: &str) -> u16 {
    let operation = Operation {
        verb: Verb::Create,
        index: "i".into(),
        id: Some(id.into()),
        body: b"{\"a\":1}".as_slice().into(),
        if_seq: None,
        require_alias: false,
        require_data_stream: false,
        retry_on_conflict: 0,
    };
    let mut ingest = Ingest::new(catalog);
    ingest.push(&operation);
    match ingest.finish().remove(0) {
        Ok(done) => done.result.status(),
        Err(failed) => failed.error.status(),
    }
}

#[test]
fn what_the_disk_refused_is_durable_before_anybody_hears_that_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let config = Config::new(
        data.clone(),
        ([127, 0, 0, 1], 0).into(),
        Listener::PlainLoopback,
    );
    // Every write needs a new segment, which cannot be made where there is no directory.
    let options = Options {
        segment_bytes: 1,
        after_failure: AfterFailure::Keep,
        ..Options::default()
    };
    let (place, away) = (data.join("journal"), data.join("away"));
    let (journal, _) = Journal::open(&place, options.clone()).unwrap();
    let cache = Arc::new(Cache::new(1 << 20));
    let catalog = Catalog::open(&config, journal, cache, Clock::manual(0)).unwrap();
    assert_eq!(create(&catalog, "before"), 201);

    std::fs::rename(&place, &away).unwrap();
    assert_eq!(create(&catalog, "refused"), 429);
    assert_eq!(
        create(&catalog, "refused"),
        429,
        "a conflict would tell of a document that a crash loses"
    );
    assert_eq!(create(&catalog, "other"), 429);
    let index = catalog.index("i").unwrap();
    assert_eq!(
        index.shard.get("other").unwrap(),
        None,
        "nothing is applied while nothing can be kept"
    );

    std::fs::rename(&away, &place).unwrap();
    // The journal tries again by itself.
    while create(&catalog, "other") == 429 {
        std::thread::yield_now();
    }
    assert_eq!(create(&catalog, "refused"), 409);
    drop(index);
    drop(catalog);

    let (journal, recovery) = Journal::open(&place, options).unwrap();
    assert_eq!((recovery.cut_bytes, recovery.damage.len()), (0, 0));
    let mut kept = Vec::new();
    for record in journal.read_from(0) {
        let (_, bytes) = record.unwrap();
        read_record(&bytes, |_, op| {
            kept.push(op.id.unwrap_or_default().to_owned());
        })
        .unwrap();
    }
    assert_eq!(kept, ["before", "refused", "other"]);
}
