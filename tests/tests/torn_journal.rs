//! A storage node whose journal was not closed in order, as after a power cut: the real binary says
//! in its log what it cut off or could not read, and serves everything else. The engine's own
//! journals of other programs, and the format, are not here.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::Value;
use wharf_tests::node::Node;

/// A storage node whose log is read.
struct Store {
    node: Node,
    log: PathBuf,
}

impl Store {
    fn start(dir: &Path) -> Self {
        let log = dir.join("log");
        let node = Node::start(&dir.join("data"), &log);
        Self { node, log }
    }

    /// What it logged as a warning or worse.
    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).expect("its log");
        let lines = text.lines().map(serde_json::from_str::<Value>);
        lines
            .filter_map(Result::ok)
            .filter(|line| line["level"] == "WARN" || line["level"] == "ERROR")
            .collect()
    }

    fn count(&self) -> u64 {
        self.node.count("lines")
    }

    fn write(&self, from: u64, count: u64) {
        let mut body = String::new();
        for number in from..from + count {
            let _ = writeln!(body, r#"{{"index":{{"_index":"lines","_id":"{number}"}}}}"#);
            let _ = writeln!(body, r#"{{"number":{number}}}"#);
        }
        let answer = self.node.call("POST", "/_bulk", &body);
        let (status, answer) = answer.expect("an answer");
        assert_eq!((status, &answer["errors"]), (200, &Value::Bool(false)));
    }
}

/// The segment that was written to last.
fn newest_segment(dir: &Path) -> PathBuf {
    let listed = fs::read_dir(dir.join("data/journal")).expect("the journal");
    let paths = listed.map(|entry| entry.expect("an entry").path());
    let segments = paths.filter(|path| fs::metadata(path).is_ok_and(|found| found.len() > 0));
    segments.max().expect("a segment")
}

#[test]
fn a_journal_with_a_torn_tail_is_cut_and_said_and_one_with_a_hole_is_said_louder() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::start(dir.path());
    for batch in 0..10 {
        store.write(batch * 10, 10);
    }
    assert_eq!(store.lines(), Vec::<Value>::new(), "nothing was wrong yet");
    drop(store);

    // Half of a record, as the disk had it when the power went: a copy of what is there, cut.
    let segment = newest_segment(dir.path());
    let whole = fs::read(&segment).expect("the segment");
    let half = &whole[whole.len() / 2 + 1..whole.len() - 7];
    let file = fs::OpenOptions::new().append(true).open(&segment);
    file.expect("the segment")
        .write_all(half)
        .expect("a torn tail");
    let store = Store::start(dir.path());
    let lines = store.lines();
    println!("{lines:?}");
    assert_eq!(lines.len(), 1, "said once: {lines:?}");
    assert_eq!(
        lines[0]["message"],
        "a half-written end of the journal was cut off; nothing acknowledged was in it"
    );
    assert_eq!(lines[0]["bytes"], half.len());
    assert_eq!(store.count(), 100, "everything that was acknowledged");
    drop(store);

    // What was cut is gone: nothing more to say.
    let store = Store::start(dir.path());
    assert_eq!(store.lines(), Vec::<Value>::new());
    store.write(100, 10);
    assert_eq!(store.count(), 110);
    drop(store);

    // A disk that lost a byte in the middle.
    let segment = newest_segment(dir.path());
    let mut bytes = fs::read(&segment).expect("the segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&segment, bytes).expect("damage");
    let store = Store::start(dir.path());
    let lines = store.lines();
    println!("{lines:?}");
    assert!(
        lines.iter().any(|line| line["level"] == "ERROR"
            && line["message"] == "acknowledged writes in the journal cannot be read any more"),
        "{lines:?}"
    );
    let left = store.count();
    assert!(left < 110, "something must be missing");
    store.write(200, 10);
    assert_eq!(store.count(), left + 10, "it serves and takes writes");
}
