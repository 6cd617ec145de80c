//! The walk of the engine's log out of systemd's journal: files that systemd wrote around a real
//! engine, put where the collectors look as their writer would have left them, → spool → `_bulk`.
//!
//! Invariants: the truth is what `journalctl` read of the same files; every entry once, whatever
//! happened; waits are for conditions, never for time.
//! Not here: what is in a file (`wharf-collectors-core`), where an allocator looks.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod ground;
mod sink;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use ground::{Running, kernel};
use serde_json::Value;
use sink::{Fault, Sink};

const ENGINE: &str = "logs-docker.engine-default";
const MACHINE: &str = "5194940fb0e544cd9c558e0ec571dbb7";
/// Where a journal's header says whether it is written, closed or archived.
const STATE: usize = 16;

/// The recorded file of a step whose name starts like this.
fn recorded(step: &str, name: &str) -> Vec<u8> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("core/tests/fixtures/journald/machine")
        .join(step);
    let listed = fs::read_dir(place).unwrap();
    let path: Option<PathBuf> = listed.map(|entry| entry.unwrap().path()).find(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(name)
    });
    zstd::stream::decode_all(fs::File::open(path.unwrap()).unwrap()).unwrap()
}

/// The messages that journalctl read, each as often as it was there.
fn expected(step: &str) -> BTreeMap<String, usize> {
    let text = String::from_utf8(recorded(step, "expected")).unwrap();
    let messages = text.lines().map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["MESSAGE"].as_str().unwrap().to_owned()
    });
    counted(messages)
}

fn counted(messages: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in messages {
        *counts.entry(message).or_default() += 1;
    }
    counts
}

fn arrived(state: &sink::State) -> BTreeMap<String, usize> {
    let documents = state.documents(ENGINE);
    counted(
        documents
            .iter()
            .map(|one| one["message"].as_str().unwrap().to_owned()),
    )
}

/// Waits until as many entries are there as there should be, then compares all of them.
async fn until(sink: &Sink, what: &str, expected: &BTreeMap<String, usize>) {
    let count = expected.values().sum::<usize>();
    sink.until(what, |state| {
        (state.documents(ENGINE).len() >= count).then_some(())
    })
    .await;
    assert_eq!(arrived(&sink.state.lock().unwrap()), *expected, "{what}");
}

/// Writes over a file as systemd does: the same file, changed in place.
fn write_in_place(path: &Path, bytes: &[u8], state: u8) {
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    let mut file = file.unwrap();
    // The header last: it says how much of the rest counts.
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&bytes[4096..]).unwrap();
    let mut head = bytes[..4096].to_vec();
    head[STATE] = state;
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&head).unwrap();
}

struct Journal {
    folder: PathBuf,
}

impl Journal {
    /// A machine whose journal is in its first step, beside files that are not the engine's log.
    fn new(dir: &Path) -> Self {
        let folder = dir.join("journal").join(MACHINE);
        let other = dir.join("journal").join("0".repeat(32));
        for folder in [&folder, &other, &dir.join("etc")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(dir.join("etc/machine-id"), format!("{MACHINE}\n")).unwrap();
        let bytes = recorded("first", "system.journal");
        write_in_place(&other.join("system.journal"), &bytes, 1);
        write_in_place(&folder.join("user-1000.journal"), &bytes, 1);
        fs::write(
            folder.join("system@broken.journal~"),
            "no journal".repeat(99),
        )
        .unwrap();
        write_in_place(&folder.join("system.journal"), &bytes, 1);
        Self { folder }
    }

    fn grow(&self) {
        let bytes = recorded("second", "system@");
        write_in_place(&self.folder.join("system.journal"), &bytes, 1);
    }

    /// Archives the file and begins another.
    fn rotate(&self) {
        let (current, archived) = ("system.journal", "system@1.journal");
        let bytes = recorded("second", "system@");
        fs::rename(self.folder.join(current), self.folder.join(archived)).unwrap();
        write_in_place(&self.folder.join(archived), &bytes, 2);
        let bytes = recorded("second", "system.journal");
        write_in_place(&self.folder.join(current), &bytes, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engines_journal_arrives_once_while_it_grows_and_is_rotated() {
    let dir = tempfile::tempdir().unwrap();
    kernel(dir.path(), 0);
    let journal = Journal::new(dir.path());
    let sink = Sink::start().await;
    sink.state.lock().unwrap().faults.extend([
        Fault::Status(503),
        Fault::AnswerLost,
        Fault::HalfBusy,
    ]);
    let running = Running::start(dir.path(), sink.url());
    until(&sink, "what the journal had", &expected("first")).await;
    journal.grow();
    sink.until("more of the same file", |state| {
        (state.documents(ENGINE).len() > expected("first").values().sum()).then_some(())
    })
    .await;
    journal.rotate();
    until(&sink, "both files", &expected("second")).await;
    {
        let state = sink.state.lock().unwrap();
        let killed = state.documents(ENGINE).into_iter().find(|one| {
            let message = one["message"].as_str().unwrap();
            message.starts_with("docker.service: Main process exited, code=killed")
        });
        let killed = killed.expect("what the system's manager says of the engine");
        assert_eq!(killed["log"]["level"], "warn");
        assert_eq!(killed["journald"]["custom"]["unit"], "docker.service");
        assert_eq!(killed["input"]["type"], "journald");
        let shown = format!("{}/journal/{MACHINE}/system.journal", dir.path().display());
        assert_eq!(killed["log"]["file"]["path"], shown);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_while_nobody_reads_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    kernel(dir.path(), 0);
    let journal = Journal::new(dir.path());
    let sink = Sink::start().await;
    let running = Running::start(dir.path(), sink.url());
    until(&sink, "what the journal had", &expected("first")).await;
    running.stop().await;
    let offsets = dir.path().join("data/journal-offsets.json");
    let kept = fs::read(&offsets).unwrap();
    journal.rotate();
    let count = |step| expected(step).values().sum::<usize>() as u64;
    let meanwhile = count("second") - count("first");
    let mut duplicates = 0;
    for _ in 0..2 {
        let running = Running::start(dir.path(), sink.url());
        let read = running.counters.clone();
        sink.until("what came meanwhile is read and shipped", |_| {
            let view = read.view();
            (view.log_lines >= meanwhile && view.spool_waiting == 0).then_some(())
        })
        .await;
        running.stop().await;
        duplicates += read.view().duplicates;
        assert_eq!(arrived(&sink.state.lock().unwrap()), expected("second"));
        // A process that was killed before it wrote how far it was, and a stream that rolled over.
        fs::write(&offsets, &kept).unwrap();
        let mut state = sink.state.lock().unwrap();
        let streams = state.streams.values_mut();
        streams.for_each(|indices| indices.push(BTreeMap::new()));
    }
    assert_eq!(duplicates, meanwhile, "the second process read them again");
}
