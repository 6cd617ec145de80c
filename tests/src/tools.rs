//! Where `scripts/deps` puts the tools of the tests. Not here: what they are.

use std::path::{Path, PathBuf};

/// The Python with the official client and an S3 server.
///
/// # Panics
/// When it is not installed; the message names the command that does it.
#[must_use]
pub fn python() -> PathBuf {
    let python = folder().join("py/bin/python");
    assert!(
        python.is_file(),
        "{} is missing: run `scripts/deps client`",
        python.display()
    );
    python
}

fn folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = || {
        set("XDG_CACHE_HOME").map_or_else(
            || Path::new(&set("HOME").unwrap_or_default()).join(".cache"),
            PathBuf::from,
        )
    };
    set("WHARF_TOOLS").map_or_else(|| cache().join("wharfinger/tools"), PathBuf::from)
}
