//! Real journal files of systemd, recorded by `scripts/record-journal`, beside what `journalctl`
//! reads in them: our reader reads the same.
//!
//! Invariants: the truth is journalctl's; every form of the file that systemd writes is there.
//! Not here: following files (`wharf-collectors`), broken ones (`journald/tests.rs`).

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wharf_collectors_core::journald::{Entry, Units, all_after, entry, header};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journald")
}

fn unpack(path: &Path) -> Vec<u8> {
    let file =
        std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(file)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// What an entry says, by field, with the time that it was written.
type Said = (u64, BTreeMap<String, Vec<Vec<u8>>>);

/// A value as `journalctl --output json` writes it: text, or bytes as numbers.
fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Array(bytes) => bytes
            .iter()
            .map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap())
            .collect(),
        other => panic!("no value of a field: {other}"),
    }
}

fn expected(path: &Path) -> Vec<Said> {
    let text = String::from_utf8(unpack(path)).unwrap();
    let line = |line: &str| {
        let object: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let time = object["__REALTIME_TIMESTAMP"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let fields = object
            .into_iter()
            .filter(|(name, _)| !name.starts_with("__"));
        let fields = fields.map(|(name, value)| {
            // Several values: an array with something else than numbers in it.
            let values = match &value {
                Value::Array(values) if values.iter().any(|value| !value.is_number()) => {
                    values.iter().map(bytes_of).collect()
                }
                value => vec![bytes_of(value)],
            };
            (name, values)
        });
        (
            time,
            fields
                .map(|(name, mut values)| {
                    values.sort();
                    (name, values)
                })
                .collect(),
        )
    };
    text.lines().map(line).collect()
}

fn said(entry: Entry) -> Said {
    assert_eq!(entry.unread, Vec::<&str>::new(), "{entry:?}");
    let mut fields: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for field in entry.fields {
        assert!(!field.is_cut, "{}", field.name);
        fields.entry(field.name).or_default().push(field.value);
    }
    // The entry's own, which journalctl shows as a field where none has that name.
    let boot_id = entry
        .boot_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    fields
        .entry("_BOOT_ID".to_owned())
        .or_insert_with(|| vec![boot_id.into_bytes()]);
    fields.values_mut().for_each(|values| values.sort());
    (entry.realtime_us, fields)
}

fn all(bytes: &[u8]) -> Vec<Entry> {
    let header = header(bytes).unwrap();
    let offsets = all_after(bytes, &header, 0, usize::MAX).unwrap();
    offsets
        .iter()
        .map(|offset| entry(bytes, &header, *offset).unwrap())
        .collect()
}

#[test]
fn every_form_of_the_file_is_read_as_journalctl_reads_it() {
    for name in ["zstd-compact", "zstd-regular", "lz4", "unkeyed", "grows-3"] {
        let place = fixtures().join("variants");
        let bytes = unpack(&place.join(format!("{name}.journal.zst")));
        let expected = expected(&place.join(format!("{name}.json.zst")));
        let read: Vec<Said> = all(&bytes).into_iter().map(said).collect();
        assert_eq!(
            read.len(),
            if name == "grows-3" { 421 } else { 60 },
            "{name}"
        );
        assert_eq!(read, expected, "{name}");
    }
}

#[test]
fn fields_compressed_by_xz_are_left_out_with_the_reason_and_the_others_are_there() {
    let place = fixtures().join("variants");
    let read = all(&unpack(&place.join("xz.journal.zst")));
    let expected = expected(&place.join("xz.json.zst"));
    assert_eq!(read.len(), expected.len());
    let mut without = 0;
    for (read, (time, fields)) in read.into_iter().zip(expected) {
        assert_eq!(read.realtime_us, time);
        if read.unread.is_empty() {
            assert_eq!(said(read), (time, fields));
        } else {
            assert_eq!(
                read.unread,
                ["a field is compressed by xz, which is not read"]
            );
            assert!(read.get("MESSAGE").is_none() && read.get("_PID").is_some());
            without += 1;
        }
    }
    assert_eq!(without, 12, "every fifth message is long");
}

#[test]
fn the_entries_of_units_are_found_by_the_index_also_while_the_file_grows() {
    let wanted = |said: &Said, unit: &str| {
        said.1
            .get("_SYSTEMD_UNIT")
            .is_some_and(|value| value[0] == unit.as_bytes())
    };
    let place = fixtures().join("variants");
    let whole = expected(&place.join("grows-3.json.zst"));
    let whole: Vec<&Said> = whole
        .iter()
        .filter(|said| wanted(said, "docker.service") || wanted(said, "containerd.service"))
        .collect();
    let mut units = Units::new(["docker.service", "containerd.service", "docker.socket"]);
    let (mut after, mut read, mut counts) = (0, Vec::new(), Vec::new());
    for step in 1..=3 {
        let bytes = unpack(&place.join(format!("grows-{step}.journal.zst")));
        let header = header(&bytes[..]).unwrap();
        loop {
            let found = units.entries_after(&bytes[..], &header, after, 7).unwrap();
            let Some(last) = found.last() else { break };
            after = last.offset;
            for found in found {
                let entry = entry(&bytes[..], &header, found.offset).unwrap();
                match found.needs {
                    // Anybody can say that it is about a unit.
                    Some((name, value)) => assert_ne!(entry.text(name), Some(value)),
                    None => read.push(said(entry)),
                }
            }
        }
        counts.push(read.len());
    }
    assert_eq!(counts, [1, 16, 316], "three of four entries");
    assert_eq!(read.iter().collect::<Vec<_>>(), whole);
}

#[test]
fn the_journal_of_a_real_engine_is_read_over_its_rotation_as_journalctl_reads_it() {
    let units = ["docker.service", "containerd.service", "docker.socket"];
    for (step, files) in [("first", 1), ("second", 2)] {
        let place = fixtures().join("machine").join(step);
        let listed = std::fs::read_dir(&place).unwrap();
        let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.to_string_lossy().contains(".journal"));
        assert_eq!(paths.len(), files, "{step}");
        let mut read = Vec::new();
        let mut archived = 0;
        for path in paths {
            let bytes = unpack(&path);
            let header = header(&bytes[..]).unwrap();
            archived += usize::from(header.is_archived);
            let mut units = Units::new(units);
            let found = units
                .entries_after(&bytes[..], &header, 0, usize::MAX)
                .unwrap();
            for found in found {
                let entry = entry(&bytes[..], &header, found.offset).unwrap();
                if found
                    .needs
                    .is_none_or(|(name, value)| entry.text(name) == Some(value))
                {
                    read.push(said(entry));
                }
            }
        }
        read.sort();
        let mut expected = expected(&place.join("expected.json.zst"));
        expected.sort();
        assert!(
            expected.len() > 40,
            "{step}: an engine says more than {}",
            expected.len()
        );
        assert_eq!(archived, files - 1, "{step}");
        assert_eq!(read.len(), expected.len(), "{step}");
        assert_eq!(read, expected, "{step}");
    }
}
