//! Recorded journals, whole and damaged at every place.

use super::*;
use proptest::prelude::*;
use std::io::Read as _;
use std::sync::OnceLock;

/// A recorded file without the zeros that it ends with.
fn recorded(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/fixtures/journald/variants/{name}.journal.zst",
        env!("CARGO_MANIFEST_DIR")
    );
    let packed = std::fs::File::open(path).unwrap();
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(packed)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    bytes.truncate(end + 9);
    bytes
}

/// A recorded file, and where it has something else than zeros.
struct Recorded {
    bytes: Vec<u8>,
    used: Vec<usize>,
}

/// Unpacked once: there are many damages.
fn forms() -> &'static [Recorded] {
    static FORMS: OnceLock<Vec<Recorded>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let names = ["zstd-compact", "zstd-regular", "lz4", "xz"];
        let form = |name: &str| {
            let bytes = recorded(name);
            let used = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
            // The signature stays.
            let used = used.map(|(at, _)| at).filter(|at| *at >= 8).collect();
            Recorded { bytes, used }
        };
        names.map(form).into()
    })
}

/// Everything that a reader may be asked for; the result does not matter, that it ends does.
fn read_all(bytes: &[u8]) -> usize {
    let Ok(header) = header(bytes) else {
        return 0;
    };
    let mut units = Units::new(["docker.service", "containerd.service"]);
    let found = units
        .entries_after(bytes, &header, 0, 200)
        .unwrap_or_default();
    let all = all_after(bytes, &header, 0, 200).unwrap_or_default();
    let offsets = found.iter().map(|found| found.offset).chain(all);
    offsets
        .filter_map(|offset| entry(bytes, &header, offset).ok())
        .map(|entry| entry.fields.len())
        .sum()
}

#[test]
fn what_is_no_journal_is_said_and_a_newer_kind_by_its_flags() {
    assert_eq!(header(&b"text"[..]), Err(JournaldError::NotAJournal));
    let mut bytes = recorded("zstd-compact");
    assert!(read_all(&bytes) > 0);
    bytes[12] |= 0x40;
    assert_eq!(
        header(&bytes[..]),
        Err(JournaldError::UnknownFeatures(0x40))
    );
}

#[test]
fn a_size_that_is_made_up_claims_no_memory() {
    let bytes = recorded("zstd-regular");
    let parsed = header(&bytes[..]).unwrap();
    let at = all_after(&bytes[..], &parsed, 0, 1).unwrap()[0];
    for place in [at as usize + 8, 128] {
        let mut bytes = bytes.clone();
        bytes[place..place + 8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
        let parsed = header(&bytes[..]).unwrap();
        let read = entry(&bytes[..], &parsed, at);
        if place == 128 {
            let mut units = Units::new(["docker.service"]);
            let found = units.entries_after(&bytes[..], &parsed, 0, 10);
            assert!(
                matches!(found, Err(JournaldError::Damaged { .. })),
                "{found:?}"
            );
        } else {
            assert!(
                read.unwrap()
                    .unread
                    .contains(&"the entry has too many fields")
            );
        }
    }
}

#[test]
fn an_index_that_goes_round_ends() {
    let mut bytes = recorded("grows-3");
    let parsed = header(&bytes[..]).unwrap();
    // The first array of all entries names itself as the next.
    let array = parsed.entry_array;
    let at = usize::try_from(array).unwrap() + 16;
    bytes[at..at + 8].copy_from_slice(&array.to_le_bytes());
    let found = all_after(&bytes[..], &parsed, 0, usize::MAX);
    assert!(
        matches!(found, Err(JournaldError::Damaged { .. })),
        "{found:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_survived(mut bytes in proptest::collection::vec(any::<u8>(), 208..4096)) {
        bytes[..8].copy_from_slice(SIGNATURE);
        bytes[12] &= 0b11111;
        bytes[13..16].fill(0);
        let _ = read_all(&bytes);
    }

    #[test]
    fn a_real_file_with_any_damage_is_survived(
        form in 0..forms().len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60),
        end in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let form = &forms()[form];
        let mut bytes = form.bytes.clone();
        for (index, byte) in damage {
            bytes[form.used[index.index(form.used.len())]] = byte;
        }
        if is_cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let _ = read_all(&bytes);
    }

    #[test]
    fn reading_in_any_steps_gives_every_entry_once(steps in proptest::collection::vec(1usize..40, 1..8)) {
        let bytes = &forms()[0].bytes;
        let header = header(&bytes[..]).unwrap();
        let whole = all_after(&bytes[..], &header, 0, usize::MAX).unwrap();
        let mut found = Vec::new();
        for step in steps.iter().cycle() {
            let after = found.last().copied().unwrap_or(0);
            let more = all_after(&bytes[..], &header, after, *step).unwrap();
            if more.is_empty() {
                break;
            }
            found.extend(more);
        }
        prop_assert_eq!(found, whole);
    }
}
