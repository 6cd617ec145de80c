//! The platform's authorities as one role follows them: whom it trusts, whose certificate it is to have.
//!
//! Invariants: an order older than the one that was carried out is refused; the file on disk is replaced
//! before it is in force, so that a restart trusts no less; somebody is always trusted; what is reported
//! is what is in force. Not here: renewing (`renewal_task`), how orders come (the role's session).

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use crate::{
    data_dir::{read_limited, write_atomic},
    tls::{CaCerts, CertSlot, TlsError, TrustSlot},
};

/// Bytes of the certificates of an order at most.
const MAX_CA: usize = 64 * 1024;

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It is older than the one that was.
    #[error(
        "generation {offered} of the platform's authorities is older than {held}, which is held"
    )]
    Older {
        /// Of the order.
        offered: u64,
        /// Of the one that was carried out.
        held: u64,
    },
    /// It is too large.
    #[error("the certificates of an order are larger than {MAX_CA} bytes")]
    TooLarge,
    /// The one that issues would not be trusted.
    #[error("an order names an authority that issues and is not trusted")]
    Untrusted,
    /// Its certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The file cannot be replaced.
    #[error("cannot replace {path}: {source}; check its owner and the disk")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What a role says of the authorities that it follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// Of the order that was carried out; zero: none was.
    pub generation: u64,
    /// SHA-256 of each authority that is trusted, in order.
    pub trusted: Vec<String>,
    /// SHA-256 of the authority that issued the certificate in use; empty when it is not known.
    pub issuer: String,
}

/// See the module. Shared by `Arc`.
#[derive(Debug)]
pub struct FollowedAuthority {
    path: PathBuf,
    trust: Arc<TrustSlot>,
    own: Arc<CertSlot>,
    wanted: watch::Sender<Option<String>>,
    generation: AtomicU64,
    /// One order at a time.
    turn: Mutex<()>,
}

impl FollowedAuthority {
    /// Trusts `ca`, which is what the file at `path` holds, and shows `own`.
    ///
    /// # Errors
    /// When `ca` cannot be used.
    pub fn new(path: PathBuf, ca: &CaCerts, own: Arc<CertSlot>) -> Result<Arc<Self>, TlsError> {
        Ok(Arc::new(Self {
            path,
            trust: TrustSlot::new(ca)?,
            own,
            wanted: watch::Sender::new(None),
            generation: AtomicU64::new(0),
            turn: Mutex::new(()),
        }))
    }

    /// Whom listeners and clients are to trust.
    #[must_use]
    pub fn trust(&self) -> &Arc<TrustSlot> {
        &self.trust
    }

    /// The SHA-256 of the authority whose certificate is to be had; none: of any that is trusted.
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<Option<String>> {
        self.wanted.subscribe()
    }

    /// The generation of the order that was carried out.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Says that what was read from disk is of that generation: older orders are refused.
    pub fn begin_at(&self, generation: u64) {
        self.generation.fetch_max(generation, Ordering::AcqRel);
    }

    /// Carries an order out: `issuer` is a SHA-256 in lower-case hex. Blocks for a disk write.
    ///
    /// # Errors
    /// When it is older, broken, or the file cannot be replaced; then nothing changes.
    pub fn take(&self, generation: u64, ca_pem: &str, issuer: &str) -> Result<(), FollowError> {
        // Nothing is kept behind this lock.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.generation();
        if generation < held {
            return Err(FollowError::Older {
                offered: generation,
                held,
            });
        }
        if ca_pem.len() > MAX_CA {
            return Err(FollowError::TooLarge);
        }
        let certs = CaCerts::from_pem(ca_pem)?;
        certs.root_store()?;
        if !certs.fingerprints().iter().any(|known| known == issuer) {
            return Err(FollowError::Untrusted);
        }
        let text = certs.to_pem();
        let written = read_limited(&self.path, MAX_CA as u64).and_then(|found| {
            if found.as_deref() == Some(text.as_bytes()) {
                return Ok(());
            }
            write_atomic(&self.path, text.as_bytes(), 0o644)
        });
        written.map_err(|source| FollowError::Write {
            path: self.path.clone(),
            source,
        })?;
        self.trust.replace(&certs)?;
        self.wanted.send_if_modified(|wanted| {
            let next = Some(issuer.to_owned());
            let changed = *wanted != next;
            *wanted = next;
            changed
        });
        self.generation.store(generation, Ordering::Release);
        Ok(())
    }

    /// What is in force.
    #[must_use]
    pub fn report(&self) -> Followed {
        // The generation first: what is read after it is of it or of a later one.
        let generation = self.generation();
        let mut trusted = self.trust.certs().fingerprints();
        trusted.sort_unstable();
        Followed {
            generation,
            trusted,
            issuer: self.own.issuer().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock,
        tls::{Authority, Identity, LeafSpec, install_provider},
    };

    fn authority() -> Authority {
        install_provider();
        Authority::create("p", clock::now_ms()).unwrap()
    }

    #[test]
    fn an_order_is_on_disk_and_in_force_and_an_older_or_broken_one_changes_nothing() {
        let (old, new) = (authority(), authority());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let identity = Identity::new("p", "proxy", "x").unwrap();
        let leaf = old
            .issue(&LeafSpec::for_identity(identity), clock::now_ms())
            .unwrap();
        let role =
            FollowedAuthority::new(path.clone(), &old.certs(), CertSlot::new(&leaf)).unwrap();
        assert_eq!(role.report().generation, 0);
        let both = format!("{}{}", old.certificate_pem(), new.certificate_pem());
        role.take(3, &both, &old.fingerprint_hex()).unwrap();
        let report = role.report();
        assert_eq!((report.generation, report.trusted.len()), (3, 2));
        assert_eq!(report.issuer, old.fingerprint_hex());
        assert_eq!(CaCerts::load(&path).unwrap().certs().len(), 2);
        assert_eq!(
            role.wanted().borrow().as_deref(),
            Some(old.fingerprint_hex().as_str())
        );

        let new_pem = new.certificate_pem();
        let refused = role.take(2, new_pem, &new.fingerprint_hex());
        assert!(
            matches!(refused, Err(FollowError::Older { .. })),
            "{refused:?}"
        );
        let refused = role.take(4, new_pem, &old.fingerprint_hex());
        assert!(
            matches!(refused, Err(FollowError::Untrusted)),
            "{refused:?}"
        );
        assert!(role.take(4, "", &old.fingerprint_hex()).is_err());
        assert!(role.take(4, &"x".repeat(MAX_CA + 1), "").is_err());
        assert_eq!(role.report(), report, "a refused order changed something");
    }

    proptest::proptest! {
        #[test]
        fn no_order_from_outside_panics_or_leaves_nobody_trusted(
            generation in 0_u64..5, pem in ".{0,200}", issuer in "[0-9a-f]{0,64}"
        ) {
            let ca = authority();
            let dir = tempfile::tempdir().unwrap();
            let leaf = ca.issue(&LeafSpec::for_host("x.test"), clock::now_ms()).unwrap();
            let own = CertSlot::new(&leaf);
            let role = FollowedAuthority::new(dir.path().join("ca.pem"), &ca.certs(), own).unwrap();
            proptest::prop_assert!(role.take(generation, &pem, &issuer).is_err());
            proptest::prop_assert_eq!(role.report().trusted, vec![ca.fingerprint_hex()]);
        }
    }
}
