//! Leases as the instances read them: `secrets/lease.json`.
//!
//! Invariants: a file of a leased instance that is about to start grants nothing; nobody but a director's
//! answer to a heartbeat extends a lease, so the allocator's restart does not; one that was granted
//! before the host was started anew is worth nothing, because its clock began anew; an instance that is
//! leased no more while it runs has no deadline until it starts without the file. Written whole, not
//! synced: what a power cut takes with it is worth nothing afterwards. Not here: the deadline
//! (`wharf_allocator_core::leases`).

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use wharf_runtime::data_dir::{read_limited, write_until_power_cut};

use crate::secrets;

const NAME: &str = "lease.json";
const MAX_BYTES: u64 = 4096;
/// No deadline: the instance was leased when it started and is not any more.
const ENDLESS: u64 = i64::MAX as u64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LeaseFile {
    boottime_deadline_ms: u64,
    /// Of the kernel that the deadline's clock belongs to.
    #[serde(default)]
    boot_id: String,
}

/// The kernel's id of this start of the host. Blocks.
#[must_use]
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// What an instance's container is about to do, as far as its lease cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is made or started next.
    Starting,
    /// It runs, or ended and is started later.
    Going,
}

/// Makes the file say what the assignment says; true when it changed. Blocks.
///
/// # Errors
/// When the system refuses.
pub(crate) fn settle(secrets: &Path, leased: bool, moment: Moment) -> io::Result<bool> {
    let path = secrets.join(NAME);
    let held = read(&path)?;
    let deadline = match (leased, moment) {
        (true, Moment::Starting) => 0,
        (true, Moment::Going) => match held {
            Some(Some(file)) if file.boottime_deadline_ms != ENDLESS => return Ok(false),
            _ => 0,
        },
        (false, Moment::Starting) => {
            return match held {
                None => Ok(false),
                Some(_) => fs::remove_file(&path).map(|()| true),
            };
        }
        (false, Moment::Going) => match held {
            None => return Ok(false),
            Some(_) => ENDLESS,
        },
    };
    let next = LeaseFile {
        boottime_deadline_ms: deadline,
        boot_id: boot_id(),
    };
    if held == Some(Some(next.clone())) {
        return Ok(false);
    }
    write(secrets, &next)?;
    Ok(true)
}

/// Grants a lease until `deadline_ms`. Blocks.
///
/// # Errors
/// When the system refuses; the lease that was granted before goes on until its end.
pub(crate) fn grant(data_dir: &Path, instance_id: &str, deadline_ms: u64) -> io::Result<()> {
    let file = LeaseFile {
        boottime_deadline_ms: deadline_ms.min(ENDLESS - 1),
        boot_id: boot_id(),
    };
    let secrets = secrets::directory(data_dir, instance_id).join("secrets");
    write(&secrets, &file)
}

/// Takes back every lease that was granted before the host was started anew. Blocks.
///
/// # Errors
/// When the system refuses.
pub(crate) fn forget_earlier_boots(data_dir: &Path, boot_id: &str) -> io::Result<()> {
    for id in secrets::present(data_dir)? {
        let secrets = secrets::directory(data_dir, id.as_str()).join("secrets");
        let earlier = match read(&secrets.join(NAME))? {
            None => false,
            Some(None) => true,
            Some(Some(file)) => file.boottime_deadline_ms != 0 && file.boot_id != boot_id,
        };
        if earlier {
            let nothing = LeaseFile {
                boottime_deadline_ms: 0,
                boot_id: boot_id.to_owned(),
            };
            write(&secrets, &nothing)?;
            tracing::info!(instance = %id, "a lease from before the host's start is taken back");
        }
    }
    Ok(())
}

/// Nothing: no file; nothing within: one that says nothing.
fn read(path: &Path) -> io::Result<Option<Option<LeaseFile>>> {
    let bytes = match read_limited(path, MAX_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(Some(None)),
        other => other?,
    };
    Ok(bytes.map(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn write(secrets: &Path, file: &LeaseFile) -> io::Result<()> {
    let bytes = serde_json::to_vec(file).map_err(io::Error::other)?;
    write_until_power_cut(secrets.join(NAME), &bytes, 0o400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const ID: &str = "11111111111111111111111111111111";

    fn deadline(secrets: &Path) -> Option<u64> {
        read(&secrets.join(NAME))
            .unwrap()
            .map(|file| file.unwrap().boottime_deadline_ms)
    }

    fn instance() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let secrets = secrets::directory(dir.path(), ID).join("secrets");
        fs::create_dir_all(&secrets).unwrap();
        (dir, secrets)
    }

    #[test]
    fn a_leased_instance_starts_without_a_lease_and_only_a_grant_gives_one() {
        let (dir, secrets) = instance();
        assert!(settle(&secrets, true, Moment::Starting).unwrap());
        assert_eq!(deadline(&secrets), Some(0));
        grant(dir.path(), ID, 5_000).unwrap();
        // Looks of the running allocator, and of one that was started again.
        for _ in 0..2 {
            assert!(!settle(&secrets, true, Moment::Going).unwrap());
            forget_earlier_boots(dir.path(), &boot_id()).unwrap();
            assert_eq!(
                deadline(&secrets),
                Some(5_000),
                "neither longer nor shorter"
            );
        }
        let mode = fs::metadata(secrets.join(NAME)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o400);
        assert!(settle(&secrets, true, Moment::Starting).unwrap());
        assert_eq!(deadline(&secrets), Some(0), "its next start has none");
        assert_eq!(fs::read_dir(&secrets).unwrap().count(), 1);
    }

    #[test]
    fn no_lease_survives_the_hosts_start() {
        let (dir, secrets) = instance();
        for left in [
            r#"{"boottime_deadline_ms":900,"boot_id":"earlier"}"#,
            r#"{"boottime_deadline_ms":900}"#,
            "damaged",
        ] {
            fs::write(secrets.join(NAME), left).unwrap();
            forget_earlier_boots(dir.path(), "now").unwrap();
            assert_eq!(deadline(&secrets), Some(0), "{left}");
            fs::remove_file(secrets.join(NAME)).unwrap();
        }
        forget_earlier_boots(dir.path(), "now").unwrap();
        assert_eq!(deadline(&secrets), None, "none is made for who has none");
    }

    #[test]
    fn an_instance_that_becomes_leased_has_none_until_a_grant_and_one_that_is_not_any_more_no_end()
    {
        let (_dir, secrets) = instance();
        assert!(!settle(&secrets, false, Moment::Going).unwrap());
        assert_eq!(deadline(&secrets), None);
        assert!(settle(&secrets, true, Moment::Going).unwrap());
        assert_eq!(deadline(&secrets), Some(0));
        assert!(settle(&secrets, false, Moment::Going).unwrap());
        assert_eq!(deadline(&secrets), Some(ENDLESS));
        assert!(!settle(&secrets, false, Moment::Going).unwrap());
        assert!(settle(&secrets, true, Moment::Going).unwrap());
        assert_eq!(deadline(&secrets), Some(0), "leased again, it has an end");
        assert!(settle(&secrets, false, Moment::Starting).unwrap());
        assert_eq!(deadline(&secrets), None, "it starts as one that never was");
    }

    #[test]
    fn who_writes_a_lease_at_the_same_time_is_in_nobodys_way() {
        let (dir, secrets) = instance();
        let wanted = 200;
        std::thread::scope(|scope| {
            for from in [1, wanted + 1] {
                let dir = dir.path();
                scope.spawn(move || {
                    for deadline_ms in from..from + wanted {
                        grant(dir, ID, deadline_ms).unwrap();
                    }
                });
            }
        });
        let last = deadline(&secrets);
        assert!(last == Some(wanted) || last == Some(2 * wanted), "{last:?}");
        assert_eq!(
            fs::read_dir(&secrets).unwrap().count(),
            1,
            "nothing is left behind"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read_and_grants_nothing_after_a_start(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..6_000)) {
            let (dir, secrets) = instance();
            fs::write(secrets.join(NAME), bytes).unwrap();
            forget_earlier_boots(dir.path(), "now").unwrap();
            settle(&secrets, true, Moment::Starting).unwrap();
            proptest::prop_assert_eq!(deadline(&secrets), Some(0));
        }
    }
}
