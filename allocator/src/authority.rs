//! Which of the platform's authorities this host follows, as the director is told: the allocator itself,
//! and what it answers for, the instances by their files and the collectors by their destination.
//!
//! Invariant: what is not known to be in force is told as pending: an instance reads its files every
//! second or two, so they count a while after they were written. Not here: carrying orders out
//! (`orders.rs`), renewing (`wharf_runtime::renewal_task`).

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use wharf_allocator_core::reconcile::InstanceState;
use wharf_collectors::Destination;
use wharf_proto::v1;
use wharf_runtime::{
    followed_authority::FollowedAuthority,
    tls::{CaCerts, KeyedCert},
};

use crate::{ledger::Held, reconcile_task::Report, secrets};

/// A running instance has read files of this age.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// What is followed; none before the first order. Blocks for reading small files.
pub(crate) fn report(
    followed: &FollowedAuthority,
    data_dir: &Path,
    held: Option<&Held>,
    seen: &Report,
    destination: Option<&Destination>,
) -> Option<v1::AuthorityReport> {
    let own = followed.report();
    if own.generation == 0 {
        return None;
    }
    let mut uses = Vec::new();
    if let Some(destination) = destination {
        uses.push(v1::AuthorityUse {
            name: "the collectors".to_owned(),
            trusted: destination.authorities.clone(),
            issuer: String::new(),
            pending: destination.authorities.is_empty(),
        });
    }
    for one in &seen.instances {
        let assigned = held.and_then(|held| held.assigned(one.view.id.as_str()));
        let (Some(assigned), Some(_)) = (assigned, &one.view.container) else {
            // Files are written before a container is made; one without an assignment goes.
            continue;
        };
        let running = one.view.state != InstanceState::Stopped;
        uses.push(instance(data_dir, assigned, running));
    }
    Some(v1::AuthorityReport {
        generation: own.generation,
        trusted: own.trusted,
        issuer: own.issuer,
        uses,
    })
}

fn instance(data_dir: &Path, assigned: &v1::AssignedInstance, running: bool) -> v1::AuthorityUse {
    let given = assigned.secrets.clone().unwrap_or_default();
    let in_force = |name: &str, text: &str| {
        let path = secrets::directory(data_dir, &assigned.instance_id)
            .join("secrets")
            .join(name);
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
            return false;
        }
        let written = std::fs::metadata(&path).and_then(|facts| facts.modified());
        let age = written.map(|at| SystemTime::now().duration_since(at));
        // A file of the future was written before the clock was put right.
        !running || age.is_ok_and(|age| age.map_or(true, |age| age >= READ_WITHIN))
    };
    let issuer = KeyedCert::from_pem(&given.identity_pem);
    let issuer = issuer.ok().and_then(|identity| identity.issuer());
    let trusted = CaCerts::from_pem(&given.ca_pem);
    let pending = issuer.is_none()
        || trusted.is_err()
        || !in_force("identity.pem", &given.identity_pem)
        || !in_force("ca.pem", &given.ca_pem);
    v1::AuthorityUse {
        name: format!("the instance {}", assigned.instance_name),
        trusted: trusted.map(|ca| ca.fingerprints()).unwrap_or_default(),
        issuer: issuer.unwrap_or_default(),
        pending,
    }
}

/// One that trusts an authority of its own.
#[cfg(test)]
pub(crate) fn followed(data_dir: &Path) -> std::sync::Arc<FollowedAuthority> {
    use wharf_runtime::{
        clock,
        tls::{Authority, CertSlot, LeafSpec, install_provider},
    };
    install_provider();
    let ca = Authority::create("p", clock::now_ms()).unwrap();
    let leaf = ca
        .issue(&LeafSpec::for_host("a.test"), clock::now_ms())
        .unwrap();
    FollowedAuthority::new(data_dir.join("ca.pem"), &ca.certs(), CertSlot::new(&leaf)).unwrap()
}

#[cfg(test)]
mod tests {
    use wharf_runtime::{
        clock,
        tls::{Authority, LeafSpec, install_provider},
    };

    use super::*;
    use crate::leases::Moment;

    #[test]
    fn an_instance_follows_once_it_has_had_time_to_read_its_files() {
        install_provider();
        let dir = tempfile::tempdir().unwrap();
        let ca = Authority::create("p", clock::now_ms()).unwrap();
        let leaf = ca.issue(&LeafSpec::for_host("a.test"), clock::now_ms());
        let assigned = v1::AssignedInstance {
            instance_id: "1".repeat(32),
            instance_name: "storage-0".into(),
            secrets: Some(v1::InstanceSecrets {
                identity_pem: leaf.unwrap().to_pem().to_owned(),
                ca_pem: ca.certificate_pem().to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let told = |running| instance(dir.path(), &assigned, running);
        assert!(told(true).pending, "there are no files");
        secrets::prepare(dir.path(), &assigned, Moment::Starting).unwrap();
        assert!(told(true).pending, "nobody can have read them yet");
        let stopped = told(false);
        assert!(!stopped.pending, "it reads them when it starts");
        assert_eq!(stopped.issuer, ca.fingerprint_hex());
        assert_eq!(stopped.trusted, [ca.fingerprint_hex()]);
        for name in ["identity.pem", "ca.pem"] {
            let path = secrets::directory(dir.path(), &assigned.instance_id);
            let file = std::fs::File::open(path.join("secrets").join(name)).unwrap();
            file.set_modified(SystemTime::now() - READ_WITHIN).unwrap();
        }
        assert!(!told(true).pending, "files that are old enough");
    }

    #[test]
    fn nothing_is_told_before_the_first_order() {
        let dir = tempfile::tempdir().unwrap();
        let followed = followed(dir.path());
        let seen = Report::default();
        assert!(report(&followed, dir.path(), None, &seen, None).is_none());
        followed.begin_at(1);
        let told = report(
            &followed,
            dir.path(),
            None,
            &seen,
            Some(&Destination::default()),
        );
        assert!(
            told.unwrap().uses[0].pending,
            "collectors that trust nobody known"
        );
    }
}
