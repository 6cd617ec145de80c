//! An instance's directory: its data, and the files that hold its secrets.
//!
//! Invariants: secrets are files of mode 0400 in a directory of mode 0700, replaced whole and only
//! when they differ, so that a store which watches them is not woken for nothing; data is removed only
//! by [`remove`]. Not here: who may ask for that (the core).

use std::{
    collections::BTreeSet,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use wharf_proto::{ids::InstanceId, v1};
use wharf_runtime::data_dir::{read_limited, write_atomic};

/// Where an instance's files lie.
#[must_use]
pub fn directory(data_dir: &Path, instance_id: &str) -> PathBuf {
    data_dir.join("instances").join(instance_id)
}

/// Makes an instance's directories and brings its secrets up to date; true when one changed. Blocks.
///
/// # Errors
/// When the system refuses.
pub fn prepare(data_dir: &Path, assigned: &v1::AssignedInstance) -> io::Result<bool> {
    let directory = directory(data_dir, &assigned.instance_id);
    let secrets = directory.join("secrets");
    for dir in [&directory.join("data"), &secrets] {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    let mut changed = false;
    if let Some(given) = &assigned.secrets {
        for (name, text) in [
            ("identity.pem", &given.identity_pem),
            ("ca.pem", &given.ca_pem),
            ("users.json", &given.users_json),
            ("storage.json", &given.storage_json),
            ("channels.json", &given.channels_json),
        ] {
            // Which files there are depends on the engine.
            if text.is_empty() {
                continue;
            }
            let path = secrets.join(name);
            let held = read_limited(&path, 2 << 20)?;
            if held.as_deref() != Some(text.as_bytes()) {
                write_atomic(&path, text.as_bytes(), 0o400)?;
                changed = true;
            }
        }
    }
    Ok(changed)
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
    match std::fs::remove_dir_all(directory(data_dir, instance_id.as_str())) {
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
        assert!(prepare(dir.path(), &assigned).unwrap());
        assert!(!prepare(dir.path(), &assigned).unwrap());
        assigned.secrets.as_mut().unwrap().identity_pem = "new key".into();
        assert!(prepare(dir.path(), &assigned).unwrap());
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
}
