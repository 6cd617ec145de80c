//! A storage node and a director on a disk that forgets what was not synced when the power goes: whatever
//! was acknowledged is there afterwards. And the same checks on a disk that lies about having synced, where
//! they must see the loss. The disk is a file system in user space, mounted (so this needs root, as the tests
//! with Docker do).

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use wharf_tests::{
    account::document_breaches,
    lone_director::Premises,
    node::Node,
    patience::wait_for,
    power_loss::{LosingDisk, Loss},
};

/// Long enough for anything on busy cores.
const PATIENCE: Duration = Duration::from_secs(120);
const BATCH: usize = 5;
/// More than are ever written.
const ALL: &str = r#"{"size":10000,"_source":false,"track_total_hits":true}"#;

#[test]
fn files_behave_as_on_another_disk_until_the_power_is_lost() {
    let mut disk = LosingDisk::mount();
    let path = disk.path();
    fs::create_dir(path.join("folder")).unwrap();
    fs::write(path.join("folder/one"), vec![7_u8; 300_000]).unwrap();
    let file = fs::File::open(path.join("folder/one")).unwrap();
    file.sync_all().unwrap();
    fs::write(path.join("folder/two"), "unsynced").unwrap();
    fs::rename(path.join("folder/two"), path.join("folder/three")).unwrap();
    for number in 0..500 {
        fs::write(path.join(format!("folder/many-{number}")), "").unwrap();
    }
    let names: BTreeSet<_> = fs::read_dir(path.join("folder"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 502);
    for number in 0..500 {
        fs::remove_file(path.join(format!("folder/many-{number}"))).unwrap();
    }
    for folder in [path.join("folder"), path.clone()] {
        fs::File::open(folder).unwrap().sync_all().unwrap();
    }
    fs::write(path.join("folder/late"), "its name is not synced").unwrap();
    drop(file);
    disk.cut_power();
    let written = fs::write(path.join("folder/one"), "no power");
    assert!(written.is_err(), "a disk without power took a write");
    disk.power_on(Loss::All);
    let left = fs::read(path.join("folder/one")).unwrap();
    assert_eq!(left, vec![7_u8; 300_000]);
    assert_eq!(fs::read(path.join("folder/three")).unwrap(), b"");
    assert!(!path.join("folder/late").exists());
    assert_eq!(fs::read_dir(path.join("folder")).unwrap().count(), 2);
}

/// What a client of the storage node knows.
#[derive(Debug, Default)]
struct ClientBooks {
    sent: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
    /// Names of aliases that were acknowledged.
    aliases: BTreeSet<String>,
    batches: usize,
}

impl ClientBooks {
    /// Writes until it is refused, with the changes of a catalogue and of segments in between.
    fn write(&mut self, node: &Node, done: &AtomicUsize) {
        loop {
            let number = self.batches;
            self.batches += 1;
            let ids: Vec<String> = (0..BATCH).map(|n| format!("{number:05}-{n}")).collect();
            let mut body = String::new();
            for id in &ids {
                let _ = writeln!(body, r#"{{"create":{{"_id":"{id}"}}}}"#);
                let _ = writeln!(body, r#"{{"n":{number},"text":"words of {id}"}}"#);
            }
            self.sent.extend(ids.iter().cloned());
            // A new index now and then.
            let index = format!("docs-{}", number / 25);
            let answer = node.call("POST", &format!("/{index}/_bulk"), &body);
            let Some((200, answer)) = answer else {
                return;
            };
            for item in answer["items"].as_array().expect("items") {
                if item["create"]["status"] == 201 {
                    let id = item["create"]["_id"].as_str().expect("an id");
                    self.acknowledged.insert(id.to_owned());
                }
            }
            if answer["errors"] == true {
                return;
            }
            let change = match number % 9 {
                // Segments take over from the journal.
                3 | 7 => ("POST", format!("/{index}/_flush"), String::new()),
                5 => {
                    let alias = format!("alias-{number:05}");
                    let add = format!(r#"{{"add":{{"index":"{index}","alias":"{alias}"}}}}"#);
                    (
                        "POST",
                        "/_aliases".to_owned(),
                        format!(r#"{{"actions":[{add}]}}"#),
                    )
                }
                _ => {
                    done.store(self.batches, Ordering::Relaxed);
                    continue;
                }
            };
            let Some((200, _)) = node.call(change.0, &change.1, &change.2) else {
                return;
            };
            if number % 9 == 5 {
                self.aliases.insert(format!("alias-{number:05}"));
            }
            done.store(self.batches, Ordering::Relaxed);
        }
    }

    /// What was acknowledged and is not there, or is there and was never sent.
    fn breaches(&self, node: &Node) -> Vec<String> {
        // An index none of whose documents was ever acknowledged may not be there at all.
        let (status, found) = node
            .call("POST", "/docs-*/_search", ALL)
            .expect("an answer");
        assert_eq!(status, 200, "{found}");
        let mut stored: BTreeMap<String, u64> = BTreeMap::new();
        for hit in found["hits"]["hits"].as_array().into_iter().flatten() {
            let id = hit["_id"].as_str().expect("an id").to_owned();
            *stored.entry(id).or_default() += 1;
        }
        let mut breaches = document_breaches(&self.acknowledged, &self.sent, &stored);
        let (status, found) = node.call("GET", "/_alias", "").expect("an answer");
        assert_eq!(status, 200, "{found}");
        let there: BTreeSet<&String> = found
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, index)| index["aliases"].as_object())
            .flat_map(|aliases| aliases.keys())
            .collect();
        let lost = self.aliases.iter().filter(|alias| !there.contains(alias));
        breaches
            .extend(lost.map(|alias| format!("the alias {alias} was acknowledged and is lost")));
        breaches
    }
}

/// Writes to a node until so many more batches are through, and pulls the plug while it goes on.
fn run_and_cut(disk: &LosingDisk, node: Node, books: &mut ClientBooks, batches: usize) {
    let goal = books.batches + batches;
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (node, done) = (&node, &done);
        let writer = scope.spawn(move || books.write(node, done));
        wait_for("batches are acknowledged", PATIENCE, || {
            let now = done.load(Ordering::Relaxed);
            assert!(!writer.is_finished(), "refused with the power on");
            if now >= goal { Ok(()) } else { Err(now) }
        });
        disk.cut_power();
        node.kill();
    });
}

fn start(disk: &LosingDisk) -> Node {
    // The log stays on a disk that forgets nothing.
    Node::start(&disk.path().join("data"), &disk.beside().join("log"))
}

#[test]
fn what_a_storage_node_acknowledged_is_there_after_the_power_was_lost() {
    let mut disk = LosingDisk::mount();
    let mut books = ClientBooks::default();
    let mut node = start(&disk);
    let losses = [Loss::All, Loss::Contents, Loss::Torn];
    for (round, loss) in losses.into_iter().cycle().take(6).enumerate() {
        run_and_cut(&disk, node, &mut books, 17 + 4 * round);
        disk.power_on(loss);
        node = start(&disk);
        let breaches = books.breaches(&node);
        assert!(breaches.is_empty(), "{round}, {loss:?}: {breaches:#?}");
        println!(
            "{loss:?}: {} documents and {} aliases are there",
            books.acknowledged.len(),
            books.aliases.len()
        );
    }
}

#[test]
fn a_disk_that_lies_about_documents_is_seen() {
    let mut disk = LosingDisk::mount();
    let mut books = ClientBooks::default();
    let node = start(&disk);
    disk.lie();
    run_and_cut(&disk, node, &mut books, 12);
    disk.power_on(Loss::All);
    let node = start(&disk);
    let breaches = books.breaches(&node);
    let seen = |what: &str| breaches.iter().any(|breach| breach.contains(what));
    assert!(seen("acknowledged documents are lost"), "{breaches:#?}");
    assert!(seen("the alias"), "{breaches:#?}");
}

const SETTING: &str = "notifications.repeat_seconds";
/// The lowest value that it takes.
const FIRST: u64 = 60;

/// Counts a setting up until the director refuses; gives the last value that was acknowledged.
fn count_up(premises: &Premises, disk: &LosingDisk, from: u64, writes: u64) -> u64 {
    let director = premises.start(&disk.beside().join("director.log"));
    let kill = director.killer();
    let goal = from + writes;
    let mut value = from;
    let mut kill = Some(kill);
    thread::scope(|scope| {
        loop {
            if director.set(SETTING, &(value + 1).to_string()).is_err() {
                assert!(value >= goal, "refused with the power on");
                return;
            }
            value += 1;
            // The plug is pulled by another, while this goes on.
            if let Some(kill) = kill.take_if(|_| value >= goal) {
                scope.spawn(move || {
                    disk.cut_power();
                    kill();
                });
            }
        }
    });
    value
}

/// What the director has after the power was lost.
fn counted(premises: &Premises, disk: &LosingDisk) -> u64 {
    let director = premises.start(&disk.beside().join("director.log"));
    let value = director.setting(SETTING).expect("an answer");
    value.parse().expect("a number")
}

#[test]
fn what_a_director_acknowledged_is_there_after_the_power_was_lost() {
    let mut disk = LosingDisk::mount();
    let premises = Premises::write(&disk.path());
    disk.sync_all();
    let mut value = FIRST;
    for loss in [Loss::All, Loss::Contents, Loss::Torn, Loss::All] {
        let acknowledged = count_up(&premises, &disk, value, 60);
        disk.power_on(loss);
        value = counted(&premises, &disk);
        // The one that was under way may be there or not.
        assert!(
            value == acknowledged || value == acknowledged + 1,
            "{loss:?}: {acknowledged} was acknowledged, {value} is there"
        );
        println!("{loss:?}: {value} of {acknowledged}");
    }
}

#[test]
fn a_disk_that_lies_about_settings_is_seen() {
    let mut disk = LosingDisk::mount();
    let premises = Premises::write(&disk.path());
    disk.sync_all();
    let before = count_up(&premises, &disk, FIRST, 5);
    disk.power_on(Loss::All);
    disk.lie();
    let acknowledged = count_up(&premises, &disk, before + 1, 20);
    disk.power_on(Loss::All);
    let value = counted(&premises, &disk);
    assert!(value <= before + 1, "{value} of {acknowledged} is there");
}
