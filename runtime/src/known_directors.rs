//! Which directors a role may dial: those that `platform.json` names and those that the last
//! director it spoke to told of, kept on disk, so that a role finds its platform again when all the
//! directors that it was installed with are gone. Invariants: bounded; what is kept is only ever an
//! address, whoever answers there still proves itself by its certificate. Not here: dialing (`net`).

use std::path::PathBuf;

use crate::data_dir::{read_limited, write_atomic};
use crate::net::{Addresses, split_host_port};

/// Addresses kept at most.
const MOST: usize = 16;
const FILE_BYTES: u64 = 16 * 1024;

/// See the module.
#[derive(Clone, Debug)]
pub struct KnownDirectors {
    file: PathBuf,
    addresses: Addresses,
}

impl KnownDirectors {
    /// Those kept in `file`, then those `named` by the platform file. Blocks.
    #[must_use]
    pub fn load(file: PathBuf, named: &[String]) -> Self {
        let known = Self {
            file,
            addresses: Addresses::default(),
        };
        known.refresh(named);
        known
    }

    /// The addresses to dial; the same list, live.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Reads the file again, and takes what the platform file names by now: directors may have
    /// moved meanwhile. Blocks.
    pub fn refresh(&self, named: &[String]) {
        let mut all = self.kept();
        all.extend_from_slice(named);
        self.set(all);
    }

    /// A director told where all of them are. Blocks.
    pub fn learn(&self, told: &[String]) {
        let told: Vec<String> = told
            .iter()
            .filter(|address| address.len() <= 256 && split_host_port(address).is_ok())
            .take(MOST)
            .cloned()
            .collect();
        if told.is_empty() || told == self.kept() {
            return;
        }
        let written = serde_json::to_vec(&told)
            .map_err(std::io::Error::other)
            .and_then(|bytes| write_atomic(&self.file, &bytes, 0o600));
        if let Err(error) = written {
            tracing::warn!(%error, file = %self.file.display(), "the directors are not kept");
        }
        self.set(told);
    }

    fn kept(&self) -> Vec<String> {
        read_limited(&self.file, FILE_BYTES)
            .ok()
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn set(&self, all: Vec<String>) {
        let mut list: Vec<String> = Vec::new();
        for address in all {
            if !list.contains(&address) && list.len() < 2 * MOST {
                list.push(address);
            }
        }
        if list != self.addresses.list() {
            self.addresses.replace(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_dialed_after_a_restart_too_and_nonsense_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("directors.json");
        let known = KnownDirectors::load(file.clone(), &[]);
        assert!(known.addresses().list().is_empty());
        let told = ["h1:12190", "nonsense", "h2:1"].map(str::to_owned);
        known.learn(&told);
        assert_eq!(known.addresses().list(), ["h1:12190", "h2:1"]);
        known.learn(&[]);
        let again = KnownDirectors::load(file, &[]);
        assert_eq!(again.addresses().list(), ["h1:12190", "h2:1"]);
    }

    #[test]
    fn those_of_the_platform_file_are_dialed_after_those_that_were_told() {
        let dir = tempfile::tempdir().unwrap();
        let named = ["h1:1", "h2:1"].map(str::to_owned);
        let known = KnownDirectors::load(dir.path().join("directors.json"), &named);
        known.learn(&["h3:1", "h1:1"].map(str::to_owned));
        known.refresh(&named);
        assert_eq!(known.addresses().list(), ["h3:1", "h1:1", "h2:1"]);
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read_without_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("directors.json");
            std::fs::write(&file, bytes).unwrap();
            let known = KnownDirectors::load(file, &[]);
            proptest::prop_assert!(known.addresses().list().len() <= 2 * MOST);
        }
    }
}
