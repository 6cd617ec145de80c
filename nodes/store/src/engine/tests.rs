//! A model test: random writes, deletions, seals, merges and restarts against a plain map.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use proptest::prelude::*;
use wharf_runtime::journal::{Journal, Options};
use wharf_store_core::columns::{Column, ColumnKind, Segment};

use super::{Cache, Condition, Fill, Rows, Shard, Views, Write, WriteError, read_record};

/// A document of the model: `{"n":..,"tag":..,"text":".."}`.
struct Doc {
    n: i64,
    tag: String,
    words: Vec<String>,
}

impl Doc {
    fn new(n: i64) -> Self {
        let words = vec![
            format!("w{}", n % 5),
            format!("unique{n}"),
            "all".to_owned(),
        ];
        Self {
            n,
            tag: format!("t{}", n % 3),
            words,
        }
    }

    fn source(&self) -> Vec<u8> {
        format!(
            r#"{{"n":{},"tag":"{}","text":"{}"}}"#,
            self.n,
            self.tag,
            self.words.join(" ")
        )
        .into_bytes()
    }
}

impl Fill for Doc {
    fn fill(&self, rows: &mut Rows, row: u32) {
        if let Some(c) = rows.column("n", ColumnKind::Long) {
            c.push_integer(row, self.n);
        }
        if self.n % 2 == 0
            && let Some(c) = rows.column("half", ColumnKind::Double)
        {
            c.push_float(row, self.n as f64 / 2.0);
        }
        if let Some(c) = rows.column("tag", ColumnKind::Keyword) {
            c.push_term(row, &self.tag);
            if self.n % 7 == 0 {
                c.push_term(row, "seven");
            }
        }
        let text = rows.text("text");
        text.present(row);
        for word in &self.words {
            text.push(row, word);
        }
    }
}

fn parse(source: &[u8]) -> Doc {
    let value: serde_json::Value = serde_json::from_slice(source).unwrap();
    Doc::new(value["n"].as_i64().unwrap())
}

struct World {
    dir: tempfile::TempDir,
    cache: Arc<Cache>,
    uids: Arc<AtomicU64>,
    journal: Journal,
    shard: Shard,
}

fn journal_at(dir: &Path) -> Journal {
    Journal::open(dir.join("journal"), Options::default())
        .unwrap()
        .0
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = Arc::new(Cache::new(1 << 20));
        let uids = Arc::new(AtomicU64::new(1));
        let journal = journal_at(dir.path());
        let shard = Shard::open(&dir.path().join("idx"), "uuid", &cache, &uids).unwrap();
        Self {
            dir,
            cache,
            uids,
            journal,
            shard,
        }
    }

    /// Drops everything that is not on disk and opens it again.
    fn restart(&mut self) {
        let journal = journal_at(tempfile::tempdir().unwrap().path());
        drop(std::mem::replace(&mut self.journal, journal));
        self.journal = journal_at(self.dir.path());
        self.shard = Shard::open(
            &self.dir.path().join("idx"),
            "uuid",
            &self.cache,
            &self.uids,
        )
        .unwrap();
        for record in self.journal.read_from(0) {
            let (seq, bytes) = record.unwrap();
            read_record(&bytes, |uuid, op| {
                assert_eq!(uuid, "uuid");
                let doc = op.source.map(parse);
                let fill = doc.as_ref().map(|d| d as &dyn Fill);
                self.shard.replay(&op, fill, seq).unwrap();
            })
            .unwrap();
        }
    }

    fn write(
        &self,
        id: Option<&str>,
        doc: Option<&Doc>,
        condition: Condition,
    ) -> Result<super::Applied, WriteError> {
        let source = doc.map(Doc::source);
        let document = source.as_deref().zip(doc.map(|d| d as &dyn Fill));
        let (mut done, ticket) = self.shard.write(
            &self.journal,
            &[Write {
                id,
                document,
                condition,
            }],
            0,
        );
        if let Some(ticket) = ticket.unwrap() {
            ticket.wait().unwrap();
        }
        done.remove(0)
    }

    fn check(&self, model: &BTreeMap<String, (i64, u64)>) {
        for (id, (n, version)) in model {
            let found = self
                .shard
                .get(id)
                .unwrap()
                .unwrap_or_else(|| panic!("{id} is lost"));
            assert_eq!((parse(&found.source).n, found.version), (*n, *version));
        }
        let views = self.shard.views();
        let mut seen = BTreeMap::new();
        for segment in views.segments() {
            for row in segment.live().iter() {
                let meta = segment.meta(row).unwrap();
                let n = parse(&segment.source(row).unwrap()).n;
                let Some(Column::Long(column)) = segment.column("n") else {
                    panic!("no column")
                };
                assert_eq!(column.first(row), Some(n));
                assert_eq!(segment.row_of_id(&meta.id).unwrap(), Some(row));
                assert!(
                    seen.insert(meta.id.into_owned(), n).is_none(),
                    "an id is live twice"
                );
            }
        }
        let wanted: BTreeMap<String, i64> =
            model.iter().map(|(id, (n, _))| (id.clone(), *n)).collect();
        assert_eq!(seen, wanted);
        self.check_index(&views, model);
        assert!(views.failure().is_none());
    }

    fn check_index(&self, views: &Views, model: &BTreeMap<String, (i64, u64)>) {
        let count = |of: &dyn Fn(&dyn Segment) -> u32| {
            views.segments().iter().map(|s| of(s.as_ref())).sum::<u32>()
        };
        let word = count(&|s| {
            s.term_rows("text", "w3")
                .map_or(0, |r| r.and(&s.live()).len())
        });
        assert_eq!(
            word as usize,
            model.values().filter(|(n, _)| n % 5 == 3).count()
        );
        let seven = count(&|s| match s.column("tag") {
            Some(Column::Keyword(c)) => c
                .ord("seven")
                .map_or(0, |o| c.rows_of(o).and(&s.live()).len()),
            _ => 0,
        });
        assert_eq!(
            seven as usize,
            model.values().filter(|(n, _)| n % 7 == 0).count()
        );
        let half = count(&|s| match s.column("half") {
            Some(Column::Double(c)) => c.range_rows(2.0, 40.0).and(&s.live()).len(),
            _ => 0,
        });
        let wanted = model
            .values()
            .filter(|(n, _)| n % 2 == 0 && (4..=80).contains(n))
            .count();
        assert_eq!(half as usize, wanted);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Auto(i64),
    Put(u8, i64),
    Create(u8, i64),
    Delete(u8),
    DeleteNth(u8),
    Seal,
    Merge,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0i64..200).prop_map(Step::Auto),
        5 => (0u8..12, 0i64..200).prop_map(|(id, n)| Step::Put(id, n)),
        3 => (0u8..12, 0i64..200).prop_map(|(id, n)| Step::Create(id, n)),
        2 => (0u8..12).prop_map(Step::Delete),
        2 => any::<u8>().prop_map(Step::DeleteNth),
        2 => Just(Step::Seal),
        1 => Just(Step::Merge),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_id_has_its_last_document_and_nothing_else_is_found(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new();
        let mut model: BTreeMap<String, (i64, u64)> = BTreeMap::new();
        // The version goes on after a deletion while the process lives; a restart forgets it.
        let mut gone: BTreeMap<String, u64> = BTreeMap::new();
        for step in &steps {
            match step {
                Step::Auto(n) => {
                    let done = world.write(None, Some(&Doc::new(*n)), Condition::Create).unwrap();
                    model.insert(done.id, (*n, 1));
                }
                Step::Put(id, n) => {
                    let id = format!("id{id}");
                    let done = world.write(Some(&id), Some(&Doc::new(*n)), Condition::Any).unwrap();
                    let before = model.get(&id).map(|(_, v)| *v);
                    let version = before.or(gone.get(&id).copied()).unwrap_or(0) + 1;
                    prop_assert_eq!(done.version, version);
                    prop_assert_eq!(done.existed, before.is_some());
                    model.insert(id, (*n, version));
                }
                Step::Create(id, n) => {
                    let id = format!("id{id}");
                    let done = world.write(Some(&id), Some(&Doc::new(*n)), Condition::Create);
                    match model.entry(id) {
                        Entry::Occupied(_) => {
                            let exists = matches!(done, Err(WriteError::Exists { .. }));
                            prop_assert!(exists);
                        }
                        Entry::Vacant(slot) => {
                            slot.insert((*n, done.unwrap().version));
                        }
                    }
                }
                Step::Delete(id) => {
                    let id = format!("id{id}");
                    let done = world.write(Some(&id), None, Condition::Any).unwrap();
                    prop_assert_eq!(done.existed, model.remove(&id).is_some());
                    gone.insert(id, done.version);
                }
                Step::DeleteNth(nth) => {
                    let Some(id) = model.keys().nth(usize::from(*nth) % model.len().max(1)).cloned() else { continue };
                    let done = world.write(Some(&id), None, Condition::Any).unwrap();
                    prop_assert!(done.existed);
                    gone.insert(id.clone(), done.version);
                    model.remove(&id);
                }
                Step::Seal => { world.shard.seal().unwrap(); }
                Step::Merge => { world.shard.merge(true).unwrap(); }
                Step::Restart => { world.restart(); gone.clear(); }
            }
        }
        world.check(&model);
        world.restart();
        world.check(&model);
        world.shard.seal().unwrap();
        world.check(&model);
        prop_assert_eq!(world.shard.journal_floor(), None);
        world.shard.merge(true).unwrap();
        world.check(&model);
    }
}

#[test]
fn a_view_does_not_change_while_rows_are_written() {
    let world = World::new();
    world
        .write(Some("a"), Some(&Doc::new(1)), Condition::Any)
        .unwrap();
    let views = world.shard.views();
    world
        .write(Some("a"), Some(&Doc::new(2)), Condition::Any)
        .unwrap();
    world
        .write(Some("b"), Some(&Doc::new(3)), Condition::Any)
        .unwrap();
    world.shard.seal().unwrap();
    let segments = views.segments();
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].rows(), 1);
    assert_eq!(segments[0].live().len(), 1);
    assert_eq!(parse(&segments[0].source(0).unwrap()).n, 1);
    let Some(Column::Long(n)) = segments[0].column("n") else {
        panic!("no column")
    };
    assert_eq!((n.rows(), n.first(0)), (1, Some(1)));
}

#[test]
fn many_small_segments_become_few_and_many_rows_are_found() {
    let world = World::new();
    for round in 0..20 {
        for n in 0..50 {
            world
                .write(None, Some(&Doc::new(round * 50 + n)), Condition::Create)
                .unwrap();
        }
        world.shard.seal().unwrap();
        while world.shard.merge(false).unwrap().is_some() {}
    }
    let views = world.shard.views();
    assert!(views.segments().len() < 10, "{}", views.segments().len());
    let rows: u32 = views
        .segments()
        .iter()
        .map(|s| s.term_rows("text", "all").unwrap().len())
        .sum();
    assert_eq!(rows, 1000);
    let one: u32 = views
        .segments()
        .iter()
        .map(|s| s.term_rows("text", "unique777").unwrap().len())
        .sum();
    assert_eq!(one, 1);
}

#[test]
fn a_sequence_number_that_is_not_the_documents_is_a_conflict() {
    let world = World::new();
    let first = world
        .write(Some("a"), Some(&Doc::new(1)), Condition::Any)
        .unwrap();
    let second = world
        .write(
            Some("a"),
            Some(&Doc::new(2)),
            Condition::IfSeq(first.seq, 1),
        )
        .unwrap();
    assert_eq!(second.version, 2);
    let stale = world.write(
        Some("a"),
        Some(&Doc::new(3)),
        Condition::IfSeq(first.seq, 1),
    );
    assert!(
        matches!(stale, Err(WriteError::Sequence { found: Some(seq), .. }) if seq == second.seq)
    );
    let absent = world.write(Some("b"), None, Condition::IfSeq(0, 1));
    assert!(matches!(
        absent,
        Err(WriteError::Sequence { found: None, .. })
    ));
}

#[test]
fn a_damaged_segment_is_told_and_never_answers_wrong() {
    let world = World::new();
    for n in 0..2000 {
        world
            .write(None, Some(&Doc::new(n)), Condition::Create)
            .unwrap();
    }
    world.shard.seal().unwrap();
    let path = world.dir.path().join("idx/00000000.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 4;
    bytes[middle] ^= 0xff;
    std::fs::write(&path, &bytes).unwrap();
    let views = world.shard.views();
    let segments = views.segments();
    let mut errors = 0;
    for row in 0..2000 {
        errors += u32::from(segments[0].source(row).is_err());
    }
    assert!(errors > 0);
}

/// A client that tries again may be told that its document exists only once that is durable: the
/// conflict's ticket is behind the one of the document.
#[test]
fn a_conflict_has_to_wait_for_the_document_that_it_tells_of() {
    let world = World::new();
    let doc = Doc::new(1);
    let source = doc.source();
    let create = [Write {
        id: Some("1"),
        document: Some((&source, &doc as &dyn Fill)),
        condition: Condition::Create,
    }];
    let (_, first) = world.shard.write(&world.journal, &create, 0);
    let (outcomes, second) = world.shard.write(&world.journal, &create, 0);
    assert!(matches!(
        outcomes.as_slice(),
        [Err(WriteError::Exists { .. })]
    ));
    let second = second.unwrap().expect("something to wait for");
    second.wait().unwrap();
    assert_eq!(world.journal.next_seq(), 1, "the document is durable");
    first.unwrap().unwrap().wait().unwrap();
}
