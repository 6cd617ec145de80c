//! Files are written, renamed, cut and removed while they are followed.
//!
//! Invariants: every whole line once, in order, whatever happens between two looks.
//! Not here: decoding of lines.

use std::fs;
use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn append(path: &Path, text: &str) {
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

fn lines(follow: &mut Follow) -> Vec<String> {
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    while follow.turn(&mut buffer, 64, true, false, &mut |line| {
        found.push(String::from_utf8_lossy(line.bytes).into_owned());
    }) == Turn::More
    {}
    found
}

#[test]
fn half_a_line_waits_for_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut follow = Follow::from_beginning(&path);
    assert!(lines(&mut follow).is_empty());
    append(&path, "one\ntw");
    assert_eq!(lines(&mut follow), ["one"]);
    append(&path, "o\n");
    assert_eq!(lines(&mut follow), ["two"]);
    assert!(lines(&mut follow).is_empty());
}

#[test]
fn renamed_files_are_read_to_their_end_and_none_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let rotated = |number: u32| dir.path().join(format!("log.{number}"));
    append(&path, "1\n");
    let mut follow = Follow::from_beginning(&path);
    assert_eq!(lines(&mut follow), ["1"]);
    append(&path, "2\n");
    fs::rename(&path, rotated(1)).unwrap();
    append(&path, "3\n");
    // Twice between two looks.
    fs::rename(rotated(1), rotated(2)).unwrap();
    fs::rename(&path, rotated(1)).unwrap();
    append(&path, "4\n");
    assert_eq!(lines(&mut follow), ["2", "3", "4"]);
}

#[test]
fn a_file_that_was_cut_is_read_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    append(&path, "one\ntwo\n");
    let mut follow = Follow::from_beginning(&path);
    assert_eq!(lines(&mut follow), ["one", "two"]);
    fs::copy(&path, dir.path().join("log.1")).unwrap();
    fs::write(&path, "3\n").unwrap();
    assert_eq!(lines(&mut follow), ["3"]);
}

#[test]
fn a_restart_goes_on_where_it_stopped_even_in_a_renamed_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    append(&path, "1\n2\n");
    let mut follow = Follow::from_beginning(&path);
    lines(&mut follow);
    let position = follow.position().unwrap();
    append(&path, "3\n");
    fs::rename(&path, dir.path().join("log.1")).unwrap();
    append(&path, "4\n");
    assert_eq!(lines(&mut Follow::resume(&path, position)), ["3", "4"]);
    // Rotated away altogether: what is left is all new.
    fs::remove_file(dir.path().join("log.1")).unwrap();
    assert_eq!(lines(&mut Follow::resume(&path, position)), ["4"]);
}

#[test]
fn a_vanished_file_is_drained_through_its_handle() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    append(&path, "1\n");
    let mut follow = Follow::from_beginning(&path);
    lines(&mut follow);
    append(&path, "2\n3");
    fs::remove_file(&path).unwrap();
    let mut found = Vec::new();
    follow.turn(&mut Vec::new(), 64, true, true, &mut |line| {
        found.push(line.bytes.to_vec())
    });
    assert_eq!(found, [b"2".to_vec(), b"3".to_vec()]);
}

#[test]
fn an_old_log_is_begun_at_a_line_near_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    append(&path, "aaaa\nbbbb\ncccc\n");
    assert_eq!(lines(&mut Follow::from_tail(&path, 7)), ["cccc"]);
    assert_eq!(lines(&mut Follow::from_tail(&path, 10)), ["bbbb", "cccc"]);
    assert_eq!(
        lines(&mut Follow::from_tail(&path, 1000)),
        ["aaaa", "bbbb", "cccc"]
    );
}

#[test]
fn an_inode_that_another_file_got_is_not_taken_for_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    append(&path, "1\n2\n");
    let mut follow = Follow::from_beginning(&path);
    lines(&mut follow);
    let position = follow.position().unwrap();
    // As if the file was removed and its inode given to the new one, which is longer.
    fs::write(&path, "a\nb\nc\nd\n").unwrap();
    assert_eq!(
        lines(&mut Follow::resume(&path, position)),
        ["a", "b", "c", "d"]
    );
}

/// What happens to a log between two looks.
#[derive(Debug, Clone)]
enum Happens {
    /// So many lines are written.
    Lines(usize),
    /// Half a line is written, and its end with the next lines.
    Half,
    /// The engine renames the file and begins another.
    Rotate,
    /// It is looked at.
    Look,
    /// The process restarts at the position that was remembered at the last look.
    Restart,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (0usize..4).prop_map(Happens::Lines),
        Just(Happens::Half),
        Just(Happens::Rotate),
        Just(Happens::Look),
        Just(Happens::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_line_is_given_once_and_in_order(script in proptest::collection::vec(happens(), 1..24)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let generation = |number: usize| match number {
            0 => path.clone(),
            _ => dir.path().join(format!("log.{number}")),
        };
        let (mut written, mut found) = (Vec::new(), Vec::new());
        let mut is_half = false;
        append(&path, "");
        let mut follow = Follow::from_beginning(&path);
        for step in script {
            match step {
                Happens::Lines(count) => {
                    for _ in 0..count {
                        let line = written.len().to_string();
                        append(&path, &if is_half { "\n".to_owned() } else { format!("{line}\n") });
                        written.push(line);
                        is_half = false;
                    }
                }
                Happens::Half if !is_half => {
                    append(&path, &written.len().to_string());
                    is_half = true;
                }
                // The engine ends a line before it begins another file.
                Happens::Rotate if !is_half => {
                    for number in (0..24).rev().filter(|number| generation(*number).exists()) {
                        fs::rename(generation(number), generation(number + 1)).unwrap();
                    }
                    append(&path, "");
                }
                Happens::Half | Happens::Rotate => {}
                Happens::Look => found.extend(lines(&mut follow)),
                Happens::Restart => {
                    if let Some(position) = follow.position() {
                        follow = Follow::resume(&path, position);
                    }
                }
            }
        }
        found.extend(lines(&mut follow));
        prop_assert_eq!(found, written);
    }
}
