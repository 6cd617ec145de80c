//! What a journal promises, tried with random appends, torn tails, flipped bits and full disks.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

fn small(segment_bytes: u64, compress: bool) -> Options {
    Options {
        segment_bytes,
        compress,
        ..Options::default()
    }
}

fn records(journal: &Journal, from: u64) -> Vec<(u64, Vec<u8>)> {
    journal
        .read_from(from)
        .map(|read| read.unwrap())
        .map(|(seq, r)| (seq, r.to_vec()))
        .collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files
}

fn append(journal: &Journal, batch: Vec<Vec<u8>>) -> Range<u64> {
    journal
        .enqueue(batch.into_iter().map(Bytes::from).collect())
        .unwrap()
        .wait()
        .unwrap()
}

fn close(journal: Journal) {
    let (answer, reply) = oneshot::channel();
    journal
        .commands
        .send(Command::Close { reply: answer })
        .unwrap();
    reply.blocking_recv().unwrap();
}

#[tokio::test]
async fn appends_are_read_back_in_order_across_segments_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recovery) = Journal::open(dir.path(), small(200, false)).unwrap();
    assert_eq!(recovery, Recovery::default());
    for i in 0..50u64 {
        assert_eq!(journal.append(format!("record {i}")).await.unwrap(), i);
    }
    assert!(journal.segments() > 5);
    let expected: Vec<_> = (0..50)
        .map(|i| (i, format!("record {i}").into_bytes()))
        .collect();
    assert_eq!(records(&journal, 0), expected);
    assert_eq!(records(&journal, 47), expected[47..]);
    let bytes = journal.bytes();
    journal.close().await;
    assert_eq!(journal.append("late").await, Err(AppendError::Closed));

    let (journal, recovery) = Journal::open(dir.path(), small(200, false)).unwrap();
    assert_eq!(
        (recovery.records, recovery.first_seq, recovery.next_seq),
        (50, 0, 50)
    );
    assert_eq!((recovery.cut_bytes, recovery.damage.len()), (0, 0));
    assert_eq!(journal.bytes(), bytes);
    assert_eq!(records(&journal, 0), expected);
    assert_eq!(journal.append("next").await.unwrap(), 50);
}

#[tokio::test]
async fn concurrent_appends_are_all_acknowledged_and_each_has_its_own_number() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Options::default()).unwrap();
    let appends = (0..500u32).map(|i| {
        let journal = journal.clone();
        async move {
            (
                journal.append(i.to_string()).await.unwrap(),
                i.to_string().into_bytes(),
            )
        }
    });
    let mut acknowledged = futures::future::join_all(appends).await;
    acknowledged.sort();
    assert_eq!(records(&journal, 0), acknowledged);
}

#[tokio::test]
async fn a_reader_that_is_at_the_end_goes_on_when_there_is_more() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), small(100, true)).unwrap();
    let mut reader = journal.read_from(0);
    assert!(reader.next().is_none());
    for i in 0..20u64 {
        journal.append(format!("line {i}")).await.unwrap();
        assert_eq!(
            reader.next().unwrap().unwrap(),
            (i, format!("line {i}").into())
        );
        assert!(reader.next().is_none());
    }
    journal
        .append_batch(vec!["a".into(), "b".into(), "c".into()])
        .await
        .unwrap();
    let batch = reader.next_batch(2).await.unwrap();
    assert_eq!(batch, [(20, "a".into())]);
    assert_eq!(reader.next_batch(1_000).await.unwrap().len(), 2);
    assert_eq!(reader.position(), 23);
}

#[tokio::test]
async fn trimming_gives_room_back_and_keeps_later_records_and_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), small(100, false)).unwrap();
    for i in 0..30u64 {
        journal.append(format!("record number {i}")).await.unwrap();
    }
    let before = journal.bytes();
    let freed = journal.trim_before(20).await.unwrap();
    assert_eq!(journal.bytes(), before - freed);
    assert!(journal.first_seq() <= 20 && journal.first_seq() > 15);
    assert_eq!(records(&journal, 20).len(), 10);

    journal.trim_before(u64::MAX).await.unwrap();
    assert_eq!(
        (journal.first_seq(), journal.next_seq(), journal.segments()),
        (30, 30, 1)
    );
    journal.close().await;
    let (journal, recovery) = Journal::open(dir.path(), small(100, false)).unwrap();
    assert_eq!(
        (recovery.records, recovery.first_seq, recovery.next_seq),
        (0, 30, 30)
    );
    assert_eq!(journal.append("x").await.unwrap(), 30);
}

#[tokio::test]
async fn dropping_the_oldest_segment_tells_what_went_and_readers_jump_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), small(100, false)).unwrap();
    assert_eq!(journal.drop_oldest_segment().await.unwrap(), None);
    for i in 0..10u64 {
        journal.append(format!("record number {i}")).await.unwrap();
    }
    let mut reader = journal.read_from(0);
    let mut lost = 0;
    while let Some(dropped) = journal.drop_oldest_segment().await.unwrap() {
        assert_eq!(dropped.first_seq, lost);
        lost += dropped.records;
        if lost < 10 {
            assert_eq!(journal.read_from(0).next().unwrap().unwrap().0, lost);
        }
    }
    assert_eq!(lost, 10);
    assert!(reader.next().is_none());
    journal.append("after").await.unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), (10, "after".into()));
}

#[tokio::test]
async fn too_much_at_once_is_refused_or_waits_but_never_lost() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        max_waiting_bytes: 4096,
        ..Options::default()
    };
    let (journal, _) = Journal::open(dir.path(), options).unwrap();
    // Larger than all the room: waits for it and goes through.
    assert_eq!(journal.append(vec![7; 100_000]).await.unwrap(), 0);
    let held = Arc::clone(&journal.room)
        .acquire_many_owned(4)
        .await
        .unwrap();
    assert_eq!(
        journal.enqueue(vec!["x".into()]).unwrap_err(),
        AppendError::Busy
    );
    assert_eq!(journal.try_reserve(10).unwrap_err(), AppendError::Busy);
    drop(held);
    let room = journal.try_reserve(4096).unwrap();
    assert_eq!(
        journal.enqueue(vec!["x".into()]).unwrap_err(),
        AppendError::Busy,
        "reserved room is nobody else's"
    );
    let ticket = journal.enqueue_in(room, vec!["x".into()]).unwrap();
    assert_eq!(ticket.await.unwrap(), 1..2);
    assert_eq!(
        journal.append(vec![0; MAX_RECORD_BYTES + 1]).await,
        Err(AppendError::TooLarge(MAX_RECORD_BYTES + 1))
    );
}

/// A writer on the journal's own files whose disk is full: /dev/full answers every write with "no
/// space left".
fn full_writer(dir: &Path, after_failure: AfterFailure) -> (Writer, Segment) {
    let (segments, recovery) = recovery::recover(dir).unwrap();
    let active = segments.last().unwrap().clone();
    let shared = Arc::new(Shared {
        segments: Mutex::new(segments.into()),
        next_seq: watch::Sender::new(recovery.next_seq),
        refused: Mutex::new(None),
        syncs: Default::default(),
    });
    let writer = Writer {
        dir: dir.to_path_buf(),
        options: Options {
            after_failure,
            ..Options::default()
        },
        shared,
        file: File::options().write(true).open("/dev/full").unwrap(),
        good_bytes: active.bytes,
        dirty: false,
        buffer: Vec::new(),
        kept: None,
    };
    (writer, active)
}

fn group(writer: &mut Writer, record: &'static str) -> Result<Range<u64>, AppendError> {
    let (answer, reply) = oneshot::channel();
    let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let append = Append {
        records: vec![record.into()],
        reply: answer,
        _room: room,
    };
    let (_keep, received) = mpsc::channel();
    assert!(writer.write_group(append, &received).is_none());
    reply.blocking_recv().unwrap()
}

/// Room again, with half of the refused write still in the file.
fn make_room(writer: &mut Writer, active: &Segment) {
    let mut file = File::options().write(true).open(&active.path).unwrap();
    file.seek(SeekFrom::Start(active.bytes)).unwrap();
    io::Write::write_all(&mut file, b"half a frame").unwrap();
    writer.file = file;
}

#[test]
fn a_write_that_fails_is_not_acknowledged_and_later_ones_work_again() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Options::default()).unwrap();
    append(&journal, vec![b"first".to_vec()]);
    close(journal);

    let (mut writer, active) = full_writer(dir.path(), AfterFailure::Forget);
    assert_eq!(group(&mut writer, "refused"), Err(AppendError::DiskFull));
    assert!(writer.dirty);
    make_room(&mut writer, &active);
    assert_eq!(group(&mut writer, "second"), Ok(1..2));
    drop(writer);

    let (journal, recovery) = Journal::open(dir.path(), Options::default()).unwrap();
    assert_eq!((recovery.cut_bytes, recovery.damage.len()), (0, 0));
    assert_eq!(
        records(&journal, 0),
        [(0, b"first".to_vec()), (1, b"second".to_vec())]
    );
}

#[test]
fn kept_appends_become_durable_in_their_order_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Options::default()).unwrap();
    append(&journal, vec![b"first".to_vec()]);
    close(journal);

    let (mut writer, active) = full_writer(dir.path(), AfterFailure::Keep);
    let shared = Arc::clone(&writer.shared);
    assert_eq!(group(&mut writer, "kept"), Err(AppendError::DiskFull));
    assert_eq!(shared.refused(), Some(AppendError::DiskFull));
    // One that had its room already when the first was refused. (/dev/full cannot even be cut.)
    assert!(group(&mut writer, "kept too").is_err());
    writer.retry_kept();
    assert!(shared.refused().is_some() && shared.next_seq() == 1);
    make_room(&mut writer, &active);
    writer.retry_kept();
    assert_eq!((shared.refused(), shared.next_seq()), (None, 3));
    assert_eq!(group(&mut writer, "last"), Ok(3..4));
    drop(writer);

    let (journal, recovery) = Journal::open(dir.path(), Options::default()).unwrap();
    assert_eq!((recovery.cut_bytes, recovery.damage.len()), (0, 0));
    let expected = ["first", "kept", "kept too", "last"];
    let expected = expected.map(|record| record.as_bytes().to_vec());
    let read: Vec<_> = records(&journal, 0).into_iter().map(|(_, r)| r).collect();
    assert_eq!(read, expected);
}

#[tokio::test]
async fn a_barrier_resolves_behind_what_was_enqueued_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Options::default()).unwrap();
    let first = journal.enqueue(vec!["first".into()]).unwrap();
    journal.barrier().unwrap().await.unwrap();
    assert_eq!(journal.next_seq(), 1, "the first append is durable");
    assert_eq!(first.await, Ok(0..1));
}

#[test]
fn damage_in_the_middle_is_reported_and_what_is_around_it_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Options::default()).unwrap();
    for i in 0..10u8 {
        append(&journal, vec![vec![i; 40]]);
    }
    close(journal);
    let path = files(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let frame = 40 + 32;
    bytes[24 + 3 * frame + 50] ^= 1;
    // A broken length must not hide what follows either.
    bytes[24 + 6 * frame + 5] ^= 1;
    fs::write(&path, bytes).unwrap();

    let (journal, recovery) = Journal::open(dir.path(), Options::default()).unwrap();
    assert_eq!(
        (recovery.records, recovery.next_seq, recovery.cut_bytes),
        (8, 10, 0)
    );
    let lost: Vec<_> = recovery
        .damage
        .iter()
        .map(|d| (d.from_seq, d.to_seq))
        .collect();
    assert_eq!(lost, [(3, 4), (6, 7)]);
    let mut read = Vec::new();
    let mut errors = Vec::new();
    for next in journal.read_from(0) {
        match next {
            Ok((seq, _)) => read.push(seq),
            Err(ReadError::Damaged { from_seq, to_seq }) => errors.push((from_seq, to_seq)),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(read, [0, 1, 2, 4, 5, 7, 8, 9]);
    assert_eq!(errors, lost);
}

#[test]
fn a_lost_segment_is_reported_as_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), small(60, false)).unwrap();
    for i in 0..6u8 {
        append(&journal, vec![vec![i; 40]]);
    }
    close(journal);
    fs::remove_file(&files(dir.path())[2]).unwrap();
    let (journal, recovery) = Journal::open(dir.path(), small(60, false)).unwrap();
    assert_eq!(recovery.damage.len(), 1);
    assert_eq!(
        (recovery.damage[0].from_seq, recovery.damage[0].to_seq),
        (2, 3)
    );
    assert_eq!(recovery.records, 5);
    let read = journal.read_from(0).filter_map(Result::ok).count();
    assert_eq!(read, 5);
}

#[test]
fn a_new_segment_with_half_a_header_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Options::default()).unwrap();
    append(&journal, vec![b"x".to_vec()]);
    close(journal);
    fs::write(segment::segment_path(dir.path(), 1), b"WHARF").unwrap();
    let (_, recovery) = Journal::open(dir.path(), Options::default()).unwrap();
    assert_eq!(
        (recovery.records, recovery.cut_bytes, recovery.next_seq),
        (1, 5, 1)
    );
}

#[derive(Clone, Debug)]
enum Fault {
    Cut(prop::sample::Index),
    Flip(prop::sample::Index),
    Zero(prop::sample::Index),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Fault::Cut),
        any::<prop::sample::Index>().prop_map(Fault::Flip),
        any::<prop::sample::Index>().prop_map(Fault::Zero),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens to the last segment: no panic, no invented record, order kept; a record that
    /// is missing although a later one is there was reported as damage; and the journal goes on.
    #[test]
    fn after_any_fault_of_the_tail_reopening_gives_a_prefix_or_reports_damage(
        batches in prop::collection::vec(prop::collection::vec(prop::collection::vec(0u8..3, 0..400), 1..4), 1..8),
        segment_bytes in 50u64..2_000,
        compress: bool,
        fault in fault(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path(), small(segment_bytes, compress)).unwrap();
        let mut written = Vec::new();
        for batch in batches {
            let range = append(&journal, batch.clone());
            written.extend(range.zip(batch));
        }
        close(journal);

        let path = files(dir.path()).pop().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let before = bytes.len();
        match fault {
            Fault::Cut(at) => bytes.truncate(at.index(before + 1)),
            Fault::Flip(at) => {
                let bit = at.index(before * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            Fault::Zero(at) => bytes[at.index(before)..].fill(0),
        }
        fs::write(&path, &bytes).unwrap();

        let (journal, recovery) = Journal::open(dir.path(), small(segment_bytes, compress)).unwrap();
        let read: Vec<(u64, Vec<u8>)> =
            journal.read_from(0).filter_map(Result::ok).map(|(s, r)| (s, r.to_vec())).collect();
        prop_assert_eq!(read.len() as u64, recovery.records);
        let lost = |seq: u64| recovery.damage.iter().any(|d| (d.from_seq..d.to_seq).contains(&seq));
        let expected: Vec<_> = written.iter()
            .filter(|(seq, _)| *seq < recovery.next_seq && !lost(*seq)).cloned().collect();
        prop_assert_eq!(&read, &expected);

        // It takes new records, and a second start finds nothing more to cut.
        let next = append(&journal, vec![b"after".to_vec()]);
        prop_assert_eq!(next.start, recovery.next_seq);
        close(journal);
        let (_, again) = Journal::open(dir.path(), small(segment_bytes, compress)).unwrap();
        prop_assert_eq!(again.cut_bytes, 0);
        prop_assert_eq!(again.records, recovery.records + 1);
        prop_assert_eq!(again.damage.len(), recovery.damage.len());
    }
}
