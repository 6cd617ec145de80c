//! What a snapshot consists of, as it is written last into a repository, and how it is judged when it is read.
//!
//! Invariants: a manifest that was judged names only files of a store, each once, with a checksum and sums that are right, and
//! is of the instance and the moment that its place says; nobody who is not trusted can have more read than the limits. Not
//! here: whether the objects are there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::retention::is_sha256;
use super::schedule::Reason;
use crate::handover::files::{self, BadListing, File, MAX_LISTING_BYTES};

/// The format that is written and read.
pub const FORMAT: u32 = 1;
/// No longer manifest is looked at.
pub const MAX_BYTES: usize = MAX_LISTING_BYTES;
/// Indices at most.
pub const MAX_INDICES: usize = 100_000;
/// Bytes of an index's name at most, and of a name that somebody gave.
pub const MAX_NAME: usize = 255;
/// The file that every store has.
const CATALOG: &str = "catalog.json";

/// An index in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexCount {
    /// Its name.
    pub name: String,
    /// Documents that can be found in it.
    pub documents: u64,
}

/// A snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this description.
    pub format: u32,
    /// Whose data it is.
    pub instance_id: String,
    /// How often the instance had begun anew.
    pub incarnation: u64,
    /// The moment whose data it holds.
    pub taken_ms: u64,
    /// When it was begun.
    pub started_ms: u64,
    /// When everything that it names was there.
    #[serde(default)]
    pub ended_ms: u64,
    /// Why.
    pub reason: Reason,
    /// A name that somebody gave when asking for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The program's version.
    pub version: String,
    /// Every file of the store.
    pub files: Vec<File>,
    /// Their bytes.
    pub bytes: u64,
    /// Every index.
    pub indices: Vec<IndexCount>,
    /// Their documents.
    pub documents: u64,
}

/// Why a manifest is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// It is too long.
    #[error("it is longer than {MAX_BYTES} bytes")]
    Long,
    /// It is no manifest.
    #[error("it cannot be understood: {0}")]
    Text(String),
    /// It is of another format.
    #[error(
        "its format is {0}, and this version reads {FORMAT}; use the version that wrote it, or a newer one"
    )]
    Format(u32),
    /// It is of another instance.
    #[error("it is of another instance")]
    Foreign,
    /// It is not of the moment that its name says.
    #[error("it is not of the moment that its name says")]
    Moment,
    /// Its files are not those of a store.
    #[error(transparent)]
    Files(#[from] BadListing),
    /// A checksum is not written as object names are.
    #[error("the checksum of `{0}` is not in small letters")]
    Letters(String),
    /// One content has two lengths.
    #[error("`{0}` and another file have one checksum and two lengths")]
    Lengths(String),
    /// The file that every store has is missing.
    #[error("it lacks `{CATALOG}`")]
    Incomplete,
    /// Sums do not agree.
    #[error("its {0} are not the sum of its parts")]
    Sum(&'static str),
    /// There are too many indices, or a name is too long.
    #[error("its indices are too many, or one's name is too long")]
    Indices,
}

impl Manifest {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> Option<Name> {
        Name::new(self.incarnation, self.taken_ms)
    }

    /// Sums over parts; nothing when they are more than a number holds.
    fn sum(mut parts: impl Iterator<Item = u64>) -> Option<u64> {
        parts.try_fold(0u64, u64::checked_add)
    }

    /// Judges it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, instance_id: &str, name: Name) -> Result<(), BadManifest> {
        if self.format != FORMAT {
            return Err(BadManifest::Format(self.format));
        }
        if self.instance_id != instance_id {
            return Err(BadManifest::Foreign);
        }
        if self.name() != Some(name) {
            return Err(BadManifest::Moment);
        }
        files::check(&self.files)?;
        let mut lengths = BTreeMap::new();
        for file in &self.files {
            if !is_sha256(&file.sha256) {
                return Err(BadManifest::Letters(file.path.clone()));
            }
            if *lengths.entry(&file.sha256).or_insert(file.bytes) != file.bytes {
                return Err(BadManifest::Lengths(file.path.clone()));
            }
        }
        if !self.files.iter().any(|file| file.path == CATALOG) {
            return Err(BadManifest::Incomplete);
        }
        let alias = self.alias.as_ref().map_or(0, String::len);
        let names = self.indices.iter().map(|index| index.name.len());
        if self.indices.len() > MAX_INDICES || names.chain([alias]).any(|len| len > MAX_NAME) {
            return Err(BadManifest::Indices);
        }
        if Self::sum(self.files.iter().map(|file| file.bytes)) != Some(self.bytes) {
            return Err(BadManifest::Sum("bytes"));
        }
        if Self::sum(self.indices.iter().map(|index| index.documents)) != Some(self.documents) {
            return Err(BadManifest::Sum("documents"));
        }
        Ok(())
    }
}

/// Understands and judges a manifest that was found under a name.
///
/// # Errors
/// Why it is not believed.
pub fn read(bytes: &[u8], instance_id: &str, name: Name) -> Result<Manifest, BadManifest> {
    if bytes.len() > MAX_BYTES {
        return Err(BadManifest::Long);
    }
    // Another format may look quite different.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let wrong =
        |error: serde_json::Error| BadManifest::Text(error.to_string().chars().take(200).collect());
    let Format { format } = serde_json::from_slice(bytes).map_err(wrong)?;
    if format != FORMAT {
        return Err(BadManifest::Format(format));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(wrong)?;
    manifest.check(instance_id, name)?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest() -> Manifest {
        let file = |path: &str, n: u8, bytes| File {
            path: path.into(),
            bytes,
            sha256: format!("{n:02x}").repeat(32),
        };
        let count = |name: &str, documents| IndexCount {
            name: name.into(),
            documents,
        };
        Manifest {
            format: FORMAT,
            instance_id: "i".into(),
            incarnation: 2,
            taken_ms: 1_700_000_000_000,
            started_ms: 1_699_999_999_000,
            ended_ms: 1_700_000_001_000,
            reason: Reason::Scheduled,
            alias: None,
            version: "0.1.0".into(),
            files: vec![
                file("catalog.json", 1, 100),
                file("indices/a/index.json", 2, 50),
                file("indices/a/rows/00000000.seg", 3, 1000),
                file("journal/00000000000000000000.wj", 4, 0),
            ],
            bytes: 1150,
            indices: vec![count("logs", 10), count("metrics", 5)],
            documents: 15,
        }
    }

    fn name() -> Name {
        Name::new(2, 1_700_000_000_000).unwrap()
    }

    fn judged(change: impl FnOnce(&mut Manifest)) -> Result<Manifest, BadManifest> {
        let mut changed = manifest();
        change(&mut changed);
        read(&serde_json::to_vec(&changed).unwrap(), "i", name())
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(judged(|_| {}), Ok(manifest()));
        let named = judged(|m| m.alias = Some("before the upgrade".into())).unwrap();
        assert_eq!(named.alias.as_deref(), Some("before the upgrade"));
    }

    #[test]
    fn a_bad_manifest_is_told_by_what_is_wrong_with_it() {
        let path = |path: &str| {
            let path = path.to_owned();
            judged(move |m| m.files[2].path = path)
        };
        for bad in [
            "../../etc/passwd",
            "/etc/passwd",
            "lock",
            "indices/../rows/0.seg",
            "handed_over.json",
        ] {
            assert!(
                matches!(path(bad), Err(BadManifest::Files(BadListing::Path(_)))),
                "{bad}"
            );
        }
        assert!(matches!(
            path("catalog.json"),
            Err(BadManifest::Files(BadListing::Twice(_)))
        ));
        assert_eq!(judged(|m| m.format = 2), Err(BadManifest::Format(2)));
        assert_eq!(
            judged(|m| m.instance_id = "j".into()),
            Err(BadManifest::Foreign)
        );
        assert_eq!(judged(|m| m.taken_ms += 1), Err(BadManifest::Moment));
        assert_eq!(judged(|m| m.incarnation = 1), Err(BadManifest::Moment));
        assert_eq!(judged(|m| m.bytes += 1), Err(BadManifest::Sum("bytes")));
        assert_eq!(
            judged(|m| m.files[2].bytes = u64::MAX),
            Err(BadManifest::Sum("bytes"))
        );
        assert_eq!(
            judged(|m| m.documents = 0),
            Err(BadManifest::Sum("documents"))
        );
        assert_eq!(
            judged(|m| drop(m.files.remove(0))),
            Err(BadManifest::Incomplete)
        );
        assert!(matches!(
            judged(|m| m.files[1].sha256 = "AB".repeat(32)),
            Err(BadManifest::Letters(_))
        ));
        assert!(matches!(
            judged(|m| m.files[1].sha256 = "../x".into()),
            Err(BadManifest::Files(_))
        ));
        let twice = judged(|m| m.files[1].sha256 = m.files[2].sha256.clone());
        assert!(matches!(twice, Err(BadManifest::Lengths(_))), "{twice:?}");
        assert_eq!(
            judged(|m| m.indices[0].name = "x".repeat(256)),
            Err(BadManifest::Indices)
        );
        assert!(matches!(
            read(b"{}", "i", name()),
            Err(BadManifest::Text(_))
        ));
        assert!(matches!(
            read(b"{\"format\":9}", "i", name()),
            Err(BadManifest::Format(9))
        ));
        assert_eq!(
            read(&vec![b' '; MAX_BYTES + 1], "i", name()),
            Err(BadManifest::Long)
        );
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_believed_only_when_it_is_a_store_s(
            cut in 0..2000usize, at in 0..2000usize, byte in any::<u8>(),
        ) {
            let mut bytes = serde_json::to_vec(&manifest()).unwrap();
            let (cut, at) = (cut.min(bytes.len()), at % bytes.len());
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut);
            if let Ok(read) = read(&bytes, "i", name()) {
                prop_assert!(read.files.iter().all(|file| files::kind(&file.path).is_some()));
                prop_assert!(read.files.iter().all(|file| is_sha256(&file.sha256)));
                prop_assert_eq!(read.bytes, read.files.iter().map(|file| file.bytes).sum::<u64>());
            }
        }
    }
}
