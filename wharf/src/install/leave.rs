//! `wharf uninstall`: a host leaves its platform, and what the platform had on it goes. Invariants: nothing
//! is removed while the platform has instances here; a director that cannot be reached is not waited for,
//! and what is left to do there is said; what others have on the engine is not touched.

use std::path::Path;

use wharf_allocator::host::HostRunner;
use wharf_runtime::{platform_file::PlatformFile, tls::KeyedCert};

use super::{Standing, data_dir, director, docker_host, engineless, identity_path, join, standing};
use crate::{
    args::{Output, UninstallArgs},
    failure::{EXIT_NOT_FOUND, Failure},
    given, print,
    services::Services,
    up::{self, engine},
};

/// Removes what makes a host a member: its keys and the platform's file.
pub(super) fn forget_membership(data_dir: &Path) {
    director::forget(data_dir);
    for path in [
        "platform.json",
        "allocator/identity.pem",
        "allocator/host-roles.json",
        "allocator/destination.json",
        "proxy/identity.pem",
        "proxy/proxy.json",
    ] {
        // What is not there need not go.
        let _ = std::fs::remove_file(data_dir.join(path));
    }
}

/// Leaves the platform and removes what it had on this host.
pub(crate) async fn uninstall(args: &UninstallArgs, output: Output) -> Result<u8, Failure> {
    let data_dir = data_dir(&args.place, up::DEFAULT_NAME)?;
    if let Some(services) = Services::read(&data_dir)? {
        return engineless::uninstall(args, services, &data_dir, output).await;
    }
    let Standing::Member(platform) = standing(&data_dir, None)? else {
        return Err(Failure::new(
            "CLI0036",
            format!(
                "this host has not joined: {} is no member's",
                data_dir.display()
            ),
            "give --name or --data-dir of the platform that it joined",
        )
        .exit(EXIT_NOT_FOUND));
    };
    let what = format!(
        "this host leaves the platform `{}` and what runs on it is removed",
        platform.name
    );
    given::confirm(args.yes, &what, &platform.host)?;
    let docker_host = docker_host(&args.place);
    let runner = HostRunner::connect(&docker_host, &platform, &data_dir)
        .await
        .map_err(|e| engine(&e))?;
    let speaker = Speaker {
        held: KeyedCert::load(identity_path(&data_dir)).ok().flatten(),
        ca_pem: std::fs::read_to_string(data_dir.join("ca.pem")).ok(),
        director_is_here: director::is_here(&data_dir),
    };
    let forgotten = tell(&platform, &speaker, args.remove_director).await?;
    let removed = runner
        .remove_all(args.purge)
        .await
        .map_err(|e| engine(&e))?;
    if !args.purge {
        forget_membership(&data_dir);
    }
    let json = serde_json::json!({
        "platform": platform.name,
        "host": platform.host,
        "containers": removed.containers,
        "images": removed.images,
        "data_dir_removed": removed.data_dir.is_some(),
        "forgotten": forgotten,
    });
    print::result(output, &json, || {
        format!(
            "removed {} containers and {} images{}; {}\n",
            removed.containers.len(),
            removed.images.len(),
            if args.purge {
                " and the data".to_owned()
            } else {
                format!("; the data stays in {}", data_dir.display())
            },
            if forgotten {
                "the platform has forgotten this host".to_owned()
            } else {
                format!(
                    "the platform still knows this host: `wharf allocator remove {}` on one with a profile",
                    platform.host
                )
            }
        )
    });
    Ok(0)
}

/// Who says that a host leaves.
pub(super) struct Speaker {
    /// Its certificate, when it is there.
    pub(super) held: Option<KeyedCert>,
    /// Whom it trusts.
    pub(super) ca_pem: Option<String>,
    pub(super) director_is_here: bool,
}

fn director_stays(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        "CLI0036",
        format!("a director is on this host, and the platform cannot be told: {why}"),
        "`wharf director remove` on a host with a profile, then this again; when the platform is gone for good: --remove-director",
    )
}

/// Tells the platform; false when it could not be told and the host goes all the same.
pub(super) async fn tell(
    platform: &PlatformFile,
    speaker: &Speaker,
    remove_director: bool,
) -> Result<bool, Failure> {
    let (Some(held), Some(ca_pem)) = (&speaker.held, &speaker.ca_pem) else {
        if speaker.director_is_here && !remove_director {
            return Err(director_stays(&"this host's certificate is gone"));
        }
        return Ok(false);
    };
    match join::leave(platform, ca_pem, held, remove_director).await {
        Ok(()) => Ok(true),
        // Somebody did that already; where its director spoke for the host, it went with that.
        Err(failure) if ["DIR0008", "DIR0081"].contains(&failure.code.as_str()) => Ok(true),
        // Instances are here, the director is in the group, or is the last voter, or none can follow it.
        Err(failure) if ["DIR0069", "DIR0082", "DIR0084"].contains(&failure.code.as_str()) => {
            Err(failure)
        }
        Err(failure) if speaker.director_is_here && !remove_director => {
            Err(director_stays(&failure))
        }
        Err(failure) => {
            print::remark(&format!("  the platform could not be told: {failure}"));
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_runtime::platform_file::Ports;

    use super::*;

    #[tokio::test]
    async fn a_host_with_a_director_goes_without_a_word_only_when_that_is_asked_for() {
        let platform = PlatformFile {
            platform_id: "a".repeat(32),
            name: "lab".into(),
            domain: "localhost".into(),
            advertised_address: "127.0.0.1".into(),
            bind_address: "127.0.0.1".into(),
            zone: String::new(),
            host: "h".into(),
            ports: Ports::default(),
            directors: Vec::new(),
        };
        let of = |director_is_here| Speaker {
            held: None,
            ca_pem: None,
            director_is_here,
        };
        let refused = tell(&platform, &of(true), false).await.unwrap_err();
        assert_eq!(refused.code, "CLI0036");
        assert!(refused.hint.contains("--remove-director"), "{refused}");
        assert!(!tell(&platform, &of(true), true).await.unwrap());
        assert!(!tell(&platform, &of(false), false).await.unwrap());
    }
}
