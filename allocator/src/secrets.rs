//! An instance's directory: its data, and the files that hold its secrets.
//!
//! Invariants: secrets are files of mode 0400 in a directory of mode 0700, replaced whole and only
//! when they differ, so that a store which watches them is not woken for nothing; what tells it where to
//! copy its data from is there for exactly as long as the assignment says so; data is removed only by
//! [`remove`]. Not here: who may ask for that (the core), leases (`leases.rs`), and data that is kept out
//! of the way (`set_aside.rs`).

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use wharf_proto::{ids::InstanceId, v1};
use wharf_runtime::data_dir::{make_dir, read_limited, write_atomic};

use crate::{
    leases::{self, Moment},
    set_aside,
};

const COPY: &str = "copy.json";
const RESTORE: &str = "restore.json";
const REPOSITORY: &str = "repository.json";
const MAX_FILE: u64 = 2 << 20;

/// Where a storage node brings its data from, as it reads it.
#[derive(serde::Serialize)]
struct CopyFile<'a> {
    address: &'a str,
    take_over: bool,
    own_address: &'a str,
}

/// That a storage node begins from its last snapshot, as it reads it.
#[derive(serde::Serialize)]
struct RestoreFile {
    incarnation: u64,
}

/// Where an instance's files lie.
#[must_use]
pub fn directory(data_dir: &Path, instance_id: &str) -> PathBuf {
    data_dir.join("instances").join(instance_id)
}

/// Makes an instance's directories and brings its secrets up to date; true when one changed. Blocks.
///
/// # Errors
/// When the system refuses.
pub fn prepare(
    data_dir: &Path,
    assigned: &v1::AssignedInstance,
    moment: Moment,
) -> io::Result<bool> {
    let directory = directory(data_dir, &assigned.instance_id);
    if moment == Moment::Starting {
        set_aside::give_back(&directory)?;
    }
    let secrets = directory.join("secrets");
    for dir in [&directory.join("data"), &secrets] {
        make_dir(dir, 0o700)?;
    }
    let mut changed = leases::settle(&secrets, assigned.leased, moment)?;
    changed |= settle_copy(&secrets.join(COPY), assigned.copy_from.as_ref())?;
    let restore = RestoreFile {
        incarnation: assigned.incarnation,
    };
    let restore = serde_json::to_vec(&restore)?;
    changed |= settle_file(
        &secrets.join(RESTORE),
        assigned.restore.then_some(restore.as_slice()),
    )?;
    if let Some(given) = &assigned.secrets {
        for (name, text) in [
            ("identity.pem", &given.identity_pem),
            ("ca.pem", &given.ca_pem),
            ("users.json", &given.users_json),
            ("storage.json", &given.storage_json),
            ("channels.json", &given.channels_json),
        ] {
            // Which files there are depends on the engine.
            if !text.is_empty() {
                changed |= replace(&secrets.join(name), text.as_bytes())?;
            }
        }
        let repository = given.repository_json.as_bytes();
        changed |= settle_file(
            &secrets.join(REPOSITORY),
            (!repository.is_empty()).then_some(repository),
        )?;
    }
    Ok(changed)
}

fn settle_copy(path: &Path, from: Option<&v1::CopySource>) -> io::Result<bool> {
    let Some(from) = from else {
        return settle_file(path, None);
    };
    let file = CopyFile {
        address: &from.address,
        take_over: from.take_over,
        own_address: &from.own_address,
    };
    replace(path, &serde_json::to_vec(&file)?)
}

/// A file that is there for exactly as long as there is something to say.
fn settle_file(path: &Path, bytes: Option<&[u8]>) -> io::Result<bool> {
    if let Some(bytes) = bytes {
        return replace(path, bytes);
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|()| true),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if read_limited(path, MAX_FILE)?.as_deref() == Some(bytes) {
        return Ok(false);
    }
    write_atomic(path, bytes, 0o400)?;
    Ok(true)
}

/// Instances that have a directory on this host. Blocks.
///
/// # Errors
/// When the directory cannot be read.
pub fn present(data_dir: &Path) -> io::Result<BTreeSet<InstanceId>> {
    let entries = match std::fs::read_dir(data_dir.join("instances")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let mut present = BTreeSet::new();
    for entry in entries {
        if let Some(id) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            present.insert(id);
        }
    }
    Ok(present)
}

/// Removes an instance's data and secrets. Blocks.
///
/// # Errors
/// When the system refuses.
pub fn remove(data_dir: &Path, instance_id: &InstanceId) -> io::Result<()> {
    let directory = directory(data_dir, instance_id.as_str());
    // What is read-only cannot be removed either.
    set_aside::give_back(&directory)?;
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn secrets_are_private_replaced_when_they_differ_and_gone_with_the_instance() {
        let dir = tempfile::tempdir().unwrap();
        let id = "1".repeat(32);
        let mut assigned = v1::AssignedInstance {
            instance_id: id.clone(),
            secrets: Some(v1::InstanceSecrets {
                identity_pem: "key".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert!(prepare(dir.path(), &assigned, Moment::Going).unwrap());
        assert!(!prepare(dir.path(), &assigned, Moment::Going).unwrap());
        assigned.secrets.as_mut().unwrap().identity_pem = "new key".into();
        assert!(prepare(dir.path(), &assigned, Moment::Going).unwrap());
        let path = directory(dir.path(), &id).join("secrets/identity.pem");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new key");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o400
        );
        let id: InstanceId = id.parse().unwrap();
        assert_eq!(present(dir.path()).unwrap(), BTreeSet::from([id.clone()]));
        remove(dir.path(), &id).unwrap();
        assert!(present(dir.path()).unwrap().is_empty());
    }

    #[test]
    fn where_to_copy_from_is_told_while_the_assignment_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let from = |take_over| v1::CopySource {
            address: "10.0.0.1:18000".into(),
            take_over,
            allocator_id: "b".repeat(32),
            own_address: "10.0.0.2:18001".into(),
        };
        let mut assigned = v1::AssignedInstance {
            instance_id: "1".repeat(32),
            copy_from: Some(from(false)),
            ..Default::default()
        };
        let path = directory(dir.path(), &assigned.instance_id).join("secrets/copy.json");
        let told = || -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
        };
        assert!(prepare(dir.path(), &assigned, Moment::Starting).unwrap());
        let expected = serde_json::json!({
            "address": "10.0.0.1:18000", "take_over": false, "own_address": "10.0.0.2:18001",
        });
        assert_eq!(told(), expected);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o400
        );
        assert!(!prepare(dir.path(), &assigned, Moment::Going).unwrap());
        assigned.copy_from = Some(from(true));
        assert!(prepare(dir.path(), &assigned, Moment::Going).unwrap());
        assert_eq!(told()["take_over"], true);
        assigned.copy_from = None;
        assert!(prepare(dir.path(), &assigned, Moment::Going).unwrap());
        assert!(!path.exists());
        assert!(!prepare(dir.path(), &assigned, Moment::Going).unwrap());
    }

    #[test]
    fn where_snapshots_go_and_whether_to_begin_from_one_is_told_while_the_assignment_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut assigned = v1::AssignedInstance {
            instance_id: "1".repeat(32),
            secrets: Some(v1::InstanceSecrets {
                repository_json: r#"{"repository":"backups"}"#.into(),
                ..Default::default()
            }),
            restore: true,
            incarnation: 3,
            ..Default::default()
        };
        let secrets = directory(dir.path(), &assigned.instance_id).join("secrets");
        let (repository, restore) = (
            secrets.join("repository.json"),
            secrets.join("restore.json"),
        );
        assert!(prepare(dir.path(), &assigned, Moment::Starting).unwrap());
        assert_eq!(
            std::fs::read_to_string(&restore).unwrap(),
            r#"{"incarnation":3}"#
        );
        for file in [&repository, &restore] {
            let mode = std::fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o400, "{}", file.display());
        }
        assigned.restore = false;
        assert!(prepare(dir.path(), &assigned, Moment::Going).unwrap());
        assert!(!restore.exists() && repository.exists());
        assigned.secrets.as_mut().unwrap().repository_json.clear();
        assert!(prepare(dir.path(), &assigned, Moment::Going).unwrap());
        assert!(!repository.exists());
        assert!(!prepare(dir.path(), &assigned, Moment::Going).unwrap());
    }

    #[test]
    fn data_that_was_half_set_aside_can_be_written_by_who_starts_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let id: InstanceId = "1".repeat(32).parse().unwrap();
        let data = directory(dir.path(), id.as_str()).join("data");
        let close = || {
            std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o500)).unwrap();
        };
        std::fs::create_dir_all(&data).unwrap();
        close();
        let assigned = v1::AssignedInstance {
            instance_id: id.to_string(),
            ..Default::default()
        };
        prepare(dir.path(), &assigned, Moment::Starting).unwrap();
        let mode = std::fs::metadata(&data).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        close();
        remove(dir.path(), &id).unwrap();
        assert!(!data.exists());
    }
}
