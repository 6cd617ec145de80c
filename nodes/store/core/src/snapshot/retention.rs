//! What goes into a repository with a snapshot, and what goes out of it afterwards.
//!
//! Invariants: an object is uploaded unless one of its name and length is there; the newest snapshots stay, at least one; an
//! object goes only when no manifest names it and it has been there for so long that nobody is about to name it. Not here:
//! who may delete (the instance's own writer, while its lease is in force).

use std::collections::{BTreeMap, BTreeSet};

use super::name::Name;
use crate::handover::files::File;

/// An object that no manifest names is kept for so long: an upload that is under way may be about to name it.
pub const UNNAMED_KEPT_MS: u64 = 24 * 3_600_000;

/// An object as a repository lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// SHA-256 of its content, by its name.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// How long it has been there.
    pub age_ms: u64,
}

/// Whether an object's name is one: the SHA-256 of its content in small hexadecimal digits.
#[must_use]
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

/// What is to be uploaded so that every file is there, each content once. `there`: length by SHA-256.
#[must_use]
pub fn missing<'a>(files: &'a [File], there: &BTreeMap<String, u64>) -> Vec<&'a File> {
    let mut seen = BTreeSet::new();
    files
        .iter()
        .filter(|file| there.get(&file.sha256) != Some(&file.bytes))
        .filter(|file| seen.insert(file.sha256.as_str()))
        .collect()
}

/// Snapshots that are too many: the oldest, but never the last.
#[must_use]
pub fn excess(names: &BTreeSet<Name>, keep: u32) -> Vec<Name> {
    let keep = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
    let over = names.len().saturating_sub(keep);
    names.iter().copied().take(over).collect()
}

/// Objects that go. `named`: what any manifest that is there names.
#[must_use]
pub fn unnamed<'a>(objects: &'a [Object], named: &BTreeSet<String>) -> Vec<&'a Object> {
    objects
        .iter()
        .filter(|object| object.age_ms > UNNAMED_KEPT_MS && !named.contains(&object.sha256))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sha(n: u8) -> String {
        format!("{n:02x}").repeat(32)
    }

    fn file(path: u8, content: u8, bytes: u64) -> File {
        File {
            path: format!("indices/i{path}/rows/0.seg"),
            bytes,
            sha256: sha(content),
        }
    }

    #[test]
    fn what_is_there_with_another_length_is_uploaded_again() {
        let files = [file(0, 0, 5), file(1, 1, 5), file(2, 1, 5), file(3, 3, 5)];
        let there = BTreeMap::from([(sha(0), 5), (sha(3), 4)]);
        let paths: Vec<&str> = missing(&files, &there)
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(paths, ["indices/i1/rows/0.seg", "indices/i3/rows/0.seg"]);
    }

    #[test]
    fn only_a_sha_256_names_an_object() {
        assert!(is_sha256(&sha(0xab)));
        for text in [
            "",
            "ab",
            &sha(0xab).to_uppercase(),
            &"g".repeat(64),
            &format!("{}.tmp", sha(1)),
        ] {
            assert!(!is_sha256(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn after_an_upload_everything_is_there(
            contents in proptest::collection::vec((0..20u8, 0..3u64), 0..30),
            there in proptest::collection::btree_map(0..20u8, 0..3u64, 0..20),
        ) {
            // A content has one length.
            let length = |content: u8| u64::from(content) % 3;
            let files: Vec<File> = contents.iter().enumerate()
                .map(|(at, (content, _))| file(u8::try_from(at).unwrap(), *content, length(*content)))
                .collect();
            let mut there: BTreeMap<String, u64> = there.into_iter().map(|(n, b)| (sha(n), b)).collect();
            let before = there.clone();
            for file in missing(&files, &before) {
                prop_assert_ne!(before.get(&file.sha256), Some(&file.bytes), "nothing is uploaded twice");
                there.insert(file.sha256.clone(), file.bytes);
            }
            for file in &files {
                prop_assert_eq!(there.get(&file.sha256), Some(&file.bytes), "{:?} is there", file);
            }
            prop_assert!(missing(&files, &there).is_empty());
        }

        #[test]
        fn the_newest_stay_and_what_they_name_too(
            names in proptest::collection::btree_set((0..4u64, 0..100u64), 0..40),
            keep in 0..50u32,
            manifests in proptest::collection::vec(proptest::collection::btree_set(0..20u8, 0..8), 40),
            ages in proptest::collection::vec(0..3 * UNNAMED_KEPT_MS, 20),
        ) {
            let names: BTreeSet<Name> = names.into_iter().map(|(i, t)| Name::new(i, t).unwrap()).collect();
            let gone: BTreeSet<Name> = excess(&names, keep).into_iter().collect();
            let kept: BTreeSet<Name> = names.difference(&gone).copied().collect();
            prop_assert_eq!(kept.len(), names.len().min(keep.max(1) as usize));
            prop_assert!(kept.iter().all(|kept| gone.iter().all(|gone| gone < kept)), "the oldest go");
            prop_assert_eq!(kept.last(), names.last(), "the last snapshot stays");

            let named: BTreeSet<String> = kept.iter().zip(&manifests)
                .flat_map(|(_, named)| named.iter().map(|n| sha(*n))).collect();
            let objects: Vec<Object> = (0..20u8).zip(&ages)
                .map(|(n, age_ms)| Object { sha256: sha(n), bytes: 1, age_ms: *age_ms }).collect();
            for object in unnamed(&objects, &named) {
                prop_assert!(!named.contains(&object.sha256), "a kept manifest names it");
                prop_assert!(object.age_ms > UNNAMED_KEPT_MS, "somebody may be about to name it");
            }
        }
    }
}
