//! The director's part of a host that joins with that role: its files, and that they go with it. The
//! keys of the platform come to it from the other directors once they admit it. Not here: joining their
//! group (`wharf_director::join`), its container (the allocator's).

use std::path::Path;

use wharf_proto::v1::EnrollResponse;
use wharf_runtime::{role_files::DirectorJoin, tls::KeyedCert};

use super::damaged;
use crate::{failure::Failure, up::files};

/// Writes who the director is; the file that says that it is to join last.
pub(super) fn write(
    data_dir: &Path,
    answer: &EnrollResponse,
    director: &KeyedCert,
) -> Result<(), Failure> {
    // Of an earlier time on the platform: another director's, whose group gave it up.
    forget(data_dir);
    files::make_folder(&data_dir.join("director"), 0o700)?;
    let path = data_dir.join("director/identity.pem");
    director.store(path).map_err(|error| damaged(&error))?;
    let own = DirectorJoin {
        director_id: answer.director_id.clone(),
    };
    files::write_json(&DirectorJoin::path(data_dir), &own, 0o600)
}

/// Whether a director that joined is here.
pub(super) fn is_here(data_dir: &Path) -> bool {
    DirectorJoin::path(data_dir).exists()
}

/// Removes all of it: the platform's keys do not stay on a host that left, and a log under a member id
/// that the group gave up is worth nothing.
pub(super) fn forget(data_dir: &Path) {
    // What is not there need not go.
    let _ = std::fs::remove_dir_all(data_dir.join("director"));
}
