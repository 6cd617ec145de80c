//! What is written down of a move, and the order to make one.
//!
//! Invariants: every file is replaced whole and durable before the next step is taken; one that cannot be understood is an
//! error and never taken for a missing one. Not here: what follows from them (core `handover`).

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use wharf_runtime::net::split_host_port;
use wharf_store_core::handover::source::GivenUp;
use wharf_store_core::handover::target::Kept;

use crate::files::{read_json, write_json};

const GIVEN_UP: &str = "handed_over.json";
const KEPT: &str = "copy_state.json";
const ORDER: &str = "copy.json";
const MAX_BYTES: u64 = 16 * 1024;

/// The order to bring data here, written by the host's allocator.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Order {
    /// `HOST:PORT` of the place that has the data.
    pub(crate) address: String,
    /// Whether to take over once little is left.
    #[serde(default)]
    pub(crate) take_over: bool,
    /// `HOST:PORT` at which other hosts reach this place; a container does not know it by itself.
    pub(crate) own_address: String,
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    read_json(path, MAX_BYTES)
}

/// Where the data went, if it did. Blocks.
pub(crate) fn given_up(data_dir: &Path) -> io::Result<Option<GivenUp>> {
    let path = data_dir.join(GIVEN_UP);
    let found = read(&path)?;
    if found.is_some() {
        // It may have been written without having been made durable; from here on it is believed.
        std::fs::File::open(&path)?.sync_all()?;
        std::fs::File::open(data_dir)?.sync_all()?;
    }
    Ok(found)
}

/// Writes down where the data went. Blocks.
pub(crate) fn give_up(data_dir: &Path, marker: &GivenUp) -> io::Result<()> {
    write_json(&data_dir.join(GIVEN_UP), marker, 0o600)
}

/// How far a copy came, if there is one. Blocks.
pub(crate) fn kept(data_dir: &Path) -> io::Result<Option<Kept>> {
    read(&data_dir.join(KEPT))
}

/// Writes down how far a copy came. Blocks.
pub(crate) fn keep(data_dir: &Path, kept: &Kept) -> io::Result<()> {
    write_json(&data_dir.join(KEPT), kept, 0o600)
}

/// Whether a store was ever opened here.
pub(crate) fn has_data(data_dir: &Path) -> bool {
    data_dir.join("catalog.json").exists()
}

/// The order, if there is one. Blocks.
pub(crate) fn order(secrets: &Path) -> io::Result<Option<Order>> {
    let order: Option<Order> = read(&secrets.join(ORDER))?;
    if let Some(order) = &order {
        for address in [&order.address, &order.own_address] {
            split_host_port(address).map_err(|e| io::Error::other(format!("{ORDER}: {e}")))?;
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_order_says_where_both_places_are() {
        let dir = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            std::fs::write(dir.path().join(ORDER), text).unwrap();
            order(dir.path())
        };
        let wanted = Order {
            address: "10.0.0.1:18000".into(),
            take_over: true,
            own_address: "10.0.0.2:18001".into(),
        };
        let text =
            r#"{"address": "10.0.0.1:18000", "take_over": true, "own_address": "10.0.0.2:18001"}"#;
        assert_eq!(told(text).unwrap(), Some(wanted));
        for text in [
            r#"{"address": "10.0.0.1:18000", "take_over": true}"#,
            r#"{"address": "10.0.0.1:18000", "take_over": true, "own_address": ""}"#,
            r#"{"address": "", "take_over": true, "own_address": "10.0.0.2:18001"}"#,
        ] {
            assert!(told(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_marker_that_cannot_be_made_durable_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let marker = dir.path().join(GIVEN_UP);
        // The name of a thread is a file that is read as any other and takes no sync; a list is read as a marker is.
        let thread = std::thread::Builder::new().name(r#"["a","b:1"]"#.into());
        let read = thread.spawn(move || {
            std::os::unix::fs::symlink("/proc/thread-self/comm", &marker).unwrap();
            let found: Option<GivenUp> = read(&marker).unwrap();
            (found, given_up(dir.path()))
        });
        let (found, believed) = read.unwrap().join().unwrap();
        assert_eq!(found.unwrap().to, "b:1", "it can be read");
        assert!(believed.is_err(), "{believed:?}");
    }

    #[test]
    fn what_is_written_down_is_read_again_and_a_broken_file_is_no_missing_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(kept(dir.path()).unwrap(), None);
        for state in [
            Kept::Unfinished,
            Kept::Asked {
                attempt: "a".into(),
                pause_ms: 7,
            },
            Kept::Moved { pause_ms: 9 },
        ] {
            keep(dir.path(), &state).unwrap();
            assert_eq!(kept(dir.path()).unwrap(), Some(state));
        }
        let marker = GivenUp {
            attempt: "a".into(),
            to: "b:1".into(),
        };
        give_up(dir.path(), &marker).unwrap();
        assert_eq!(given_up(dir.path()).unwrap(), Some(marker));
        std::fs::write(dir.path().join(GIVEN_UP), "{").unwrap();
        assert!(given_up(dir.path()).is_err());
    }

    proptest! {
        #[test]
        fn any_order_is_one_with_addresses_or_refused(text in "\\PC{0,60}", address in "\\PC{0,30}") {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(ORDER), &text).unwrap();
            drop(order(dir.path()));
            let made = serde_json::json!({"address": address, "own_address": "b:1"});
            std::fs::write(dir.path().join(ORDER), made.to_string()).unwrap();
            if let Ok(Some(order)) = order(dir.path()) {
                prop_assert!(split_host_port(&order.address).is_ok());
                prop_assert!(!order.take_over);
            }
        }
    }
}
