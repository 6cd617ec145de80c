//! The watches that a platform brings, from `deploy/watches/`, inside the binary.
//!
//! Invariants: each is a valid watch under the name of its file; a document of the same name in
//! the deployment's storage stands in for it. Not here: that storage.

use crate::document::{self, DocumentError};
use crate::watch::Watch;

/// Name and text of each, by name.
pub const SHIPPED: [(&str, &str); 6] = [
    (
        "application-errors",
        include_str!("../../../../deploy/watches/application-errors.yaml"),
    ),
    (
        "container-oom",
        include_str!("../../../../deploy/watches/container-oom.yaml"),
    ),
    (
        "container-restarted",
        include_str!("../../../../deploy/watches/container-restarted.yaml"),
    ),
    (
        "deployment-errors",
        include_str!("../../../../deploy/watches/deployment-errors.yaml"),
    ),
    (
        "disk-full",
        include_str!("../../../../deploy/watches/disk-full.yaml"),
    ),
    (
        "host-memory",
        include_str!("../../../../deploy/watches/host-memory.yaml"),
    ),
];

/// The text of the shipped watch of this name.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    SHIPPED
        .iter()
        .find(|(shipped, _)| *shipped == name)
        .map(|(_, text)| *text)
}

/// All shipped watches, by name.
///
/// # Errors
/// Never in practice: a test reads them.
pub fn watches() -> Result<Vec<Watch>, DocumentError> {
    SHIPPED
        .iter()
        .map(|(name, text)| document::from_text_named(text, name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_watch_of_its_name_that_is_on_and_says_both_messages() {
        for watch in watches().expect("all shipped watches are valid") {
            assert!(
                watch.enabled && !watch.description.is_empty(),
                "{}",
                watch.name
            );
            assert!(!watch.actions.is_empty(), "{}", watch.name);
            for action in &watch.actions {
                assert_eq!(action.channel, None, "{} goes to every channel", watch.name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_shipped_and_told() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../deploy/watches");
        let mut files: Vec<String> = std::fs::read_dir(&folder)
            .expect("the folder is there")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
            .collect();
        files.sort();
        let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, shipped, "the files and what is inside the binary");
        let told = std::fs::read_to_string(folder.join("README.md")).expect("a README");
        for name in shipped {
            assert!(
                told.contains(&format!("`{name}`")),
                "README.md names {name}"
            );
            assert!(text(name).is_some());
        }
        assert_eq!(text("other"), None);
    }
}
