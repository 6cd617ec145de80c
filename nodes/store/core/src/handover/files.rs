//! Which files make up an instance's data, and what of them a target still needs.
//!
//! Invariants: a path that comes from outside names one of the store's own files or nothing, never another directory; a file counts
//! as here only when length and checksum are those of the listing; what the listing lacks is removed. Not here: reading
//! and hashing them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Files in a listing at most.
pub const MAX_FILES: usize = 200_000;
/// Bytes of a listing at most.
pub const MAX_LISTING_BYTES: usize = 64 << 20;
/// Bytes of a file that are given at a time.
pub const CHUNK_BYTES: u64 = 1 << 20;

/// A file as the source lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Below the data directory.
    pub path: String,
    /// Its length, or how much of it counts.
    pub bytes: u64,
    /// SHA-256 of so many bytes, hexadecimal.
    pub sha256: String,
}

/// How a file changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Never.
    Sealed,
    /// At its end.
    Grows,
    /// As a whole.
    Replaced,
}

/// A piece to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The file.
    pub file: File,
    /// So much of it is here.
    pub from: u64,
    /// How it changes.
    pub kind: Kind,
}

/// What a pass does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is fetched.
    pub needs: Vec<Need>,
    /// What is removed.
    pub remove: Vec<String>,
}

impl Plan {
    /// Bytes that are fetched.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.needs
            .iter()
            .map(|need| need.file.bytes.saturating_sub(need.from))
            .sum()
    }
}

fn word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
}

fn digits(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit())
}

/// What kind of file a path names; nothing when it is none of the store's.
#[must_use]
pub fn kind(path: &str) -> Option<Kind> {
    let mut parts = path.split('/');
    let parts = [parts.next()?, parts.next().unwrap_or_default()]
        .into_iter()
        .chain(parts)
        .collect::<Vec<_>>();
    match parts.as_slice() {
        ["catalog.json" | "api_keys.json", ""] if !path.contains('/') => Some(Kind::Replaced),
        ["journal", name] => digits(name.strip_suffix(".wj")?).then_some(Kind::Grows),
        ["indices", index, "index.json"] if word(index) => Some(Kind::Replaced),
        ["indices", index, "rows", "manifest.json"] if word(index) => Some(Kind::Replaced),
        ["indices", index, "rows", name] if word(index) => {
            if let Some(number) = name.strip_suffix(".seg") {
                return digits(number).then_some(Kind::Sealed);
            }
            let (number, generation) = name.strip_suffix(".live")?.split_once('.')?;
            (digits(number) && digits(generation)).then_some(Kind::Sealed)
        }
        _ => None,
    }
}

/// Why a listing is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadListing {
    /// It names a file that is none of the store's.
    #[error("the listing names `{0}`, which is no file of a store")]
    Path(String),
    /// It names a file twice.
    #[error("the listing names `{0}` twice")]
    Twice(String),
    /// It is too long.
    #[error("the listing has {0} files, which is more than {MAX_FILES}")]
    Long(usize),
    /// A checksum is none.
    #[error("the checksum of `{0}` is not a SHA-256")]
    Checksum(String),
}

/// Whether a listing is one: bounded, and each of its files a store's, once, with a checksum.
///
/// # Errors
/// What is wrong with it.
pub fn check(listed: &[File]) -> Result<(), BadListing> {
    if listed.len() > MAX_FILES {
        return Err(BadListing::Long(listed.len()));
    }
    let mut seen = BTreeSet::new();
    for file in listed {
        let named = || file.path.chars().take(200).collect::<String>();
        if kind(&file.path).is_none() {
            return Err(BadListing::Path(named()));
        }
        if file.sha256.len() != 64 || !file.sha256.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(BadListing::Checksum(named()));
        }
        if !seen.insert(file.path.as_str()) {
            return Err(BadListing::Twice(named()));
        }
    }
    Ok(())
}

/// What has to be fetched and removed so that `here` becomes `listed`.
///
/// # Errors
/// When the listing is not one.
pub fn plan(listed: &[File], here: &BTreeMap<String, File>) -> Result<Plan, BadListing> {
    check(listed)?;
    let mut plan = Plan::default();
    for file in listed {
        let Some(kind) = kind(&file.path) else {
            continue;
        };
        let held = here.get(&file.path);
        if held == Some(file) {
            continue;
        }
        // Whether the beginning is right is seen when the whole is.
        let from = match (kind, held) {
            (Kind::Grows | Kind::Sealed, Some(held)) if held.bytes < file.bytes => held.bytes,
            _ => 0,
        };
        plan.needs.push(Need {
            file: file.clone(),
            from,
            kind,
        });
    }
    let seen: BTreeSet<&str> = listed.iter().map(|file| file.path.as_str()).collect();
    let gone = here
        .keys()
        .filter(|path| !seen.contains(path.as_str()))
        .cloned();
    plan.remove = gone.collect();
    Ok(plan)
}
