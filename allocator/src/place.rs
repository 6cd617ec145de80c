//! Where the directors say that this host is: `allocator/place.json`, and live.
//!
//! Invariants: what a director said last is in force, also after a restart; before one said anything the
//! zone is that of `platform.json`; nothing of this host decides by it, it is only told on. Not here: who
//! may change it (the directors), and its tags (they alone match by them).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wharf_proto::v1;

use crate::files::{self, FileError};

/// Longest zone.
const MAX_TEXT: usize = 256;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PlaceFile {
    zone: String,
}

/// Why what a director said is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    /// ALL0033
    #[error(
        "ALL0033: the zone of the host's place is longer than {MAX_TEXT} bytes or has control characters; refused"
    )]
    Zone,
    /// ALL0014
    #[error("ALL0014: {0}")]
    File(#[from] FileError),
}

/// The host's place. One per process.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    zone: watch::Sender<String>,
}

impl Place {
    /// What was said last, else the zone that the host was set up with. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn open(data_dir: &Path, own_zone: &str) -> Result<Self, FileError> {
        let path = data_dir.join("allocator/place.json");
        let said = match files::read::<PlaceFile>(&path) {
            Err(error @ FileError::Damaged { .. }) => {
                // A director says it again at once.
                tracing::warn!(%error, "ALL0019: the host's zone is that of its set-up for now");
                None
            }
            other => other?,
        };
        let zone = said.map_or_else(|| own_zone.to_owned(), |said| said.zone);
        Ok(Self {
            path,
            zone: watch::channel(zone).0,
        })
    }

    /// Follows the zone.
    pub(crate) fn zone(&self) -> watch::Receiver<String> {
        self.zone.subscribe()
    }

    /// A director said where the host is. Blocks.
    ///
    /// # Errors
    /// When it is out of bounds or cannot be kept; what was said before stays.
    pub(crate) fn said(&self, place: &v1::AllocatorPlace) -> Result<(), PlaceError> {
        if place.zone.len() > MAX_TEXT || place.zone.chars().any(char::is_control) {
            return Err(PlaceError::Zone);
        }
        let next = PlaceFile {
            zone: place.zone.clone(),
        };
        let held = files::read::<PlaceFile>(&self.path).ok().flatten();
        if held.as_ref() != Some(&next) {
            files::write(&self.path, &next, 0o644)?;
        }
        self.zone.send_if_modified(|zone| {
            let changed = *zone != next.zone;
            if changed {
                tracing::info!(
                    before = *zone,
                    after = next.zone,
                    "this host's zone changed"
                );
                zone.clone_from(&next.zone);
            }
            changed
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(zone: &str) -> v1::AllocatorPlace {
        v1::AllocatorPlace {
            zone: zone.into(),
            tags: [("disk".to_owned(), "fast".to_owned())].into(),
        }
    }

    fn data_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("allocator")).unwrap();
        dir
    }

    #[test]
    fn what_a_director_said_is_in_force_at_once_and_after_a_restart() {
        let dir = data_dir();
        let here = Place::open(dir.path(), "zone-a").unwrap();
        let zone = here.zone();
        assert_eq!(*zone.borrow(), "zone-a");
        here.said(&place("zone-b")).unwrap();
        assert!(zone.has_changed().unwrap());
        assert_eq!(*zone.borrow(), "zone-b");
        let again = Place::open(dir.path(), "zone-a").unwrap();
        assert_eq!(*again.zone().borrow(), "zone-b");
    }

    #[test]
    fn a_file_with_what_nobody_here_needs_is_read() {
        let dir = data_dir();
        let text = r#"{"zone": "zone-b", "tags": {"disk": "fast"}}"#;
        std::fs::write(dir.path().join("allocator/place.json"), text).unwrap();
        let here = Place::open(dir.path(), "zone-a").unwrap();
        assert_eq!(*here.zone().borrow(), "zone-b");
    }

    #[test]
    fn a_damaged_file_is_as_none() {
        let dir = data_dir();
        std::fs::write(dir.path().join("allocator/place.json"), "{").unwrap();
        let here = Place::open(dir.path(), "zone-a").unwrap();
        assert_eq!(*here.zone().borrow(), "zone-a");
        here.said(&place("zone-b")).unwrap();
        assert_eq!(*here.zone().borrow(), "zone-b");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn what_is_taken_is_bounded(zone in ".{0,300}") {
            let dir = data_dir();
            let here = Place::open(dir.path(), "zone-a").unwrap();
            match here.said(&place(&zone)) {
                Ok(()) => {
                    prop_assert!(zone.len() <= MAX_TEXT);
                    prop_assert_eq!(here.zone().borrow().clone(), zone);
                }
                Err(error) => {
                    prop_assert!(error.to_string().starts_with("ALL0033"));
                    prop_assert_eq!(here.zone().borrow().clone(), "zone-a");
                }
            }
        }
    }
}
