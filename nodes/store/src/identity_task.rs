//! The task that takes in a renewed certificate, changed authorities and a changed users file without a restart.
//!
//! Invariant: a file that cannot be read or parsed leaves what is in use as it is, and is said once a change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wharf_runtime::followed_files::{FollowedFiles, Look};
use wharf_runtime::task::Shutdown;
use wharf_runtime::tls::{CaCerts, CertSlot, KeyedCert, TlsError, TrustSlot};

use crate::auth::Authenticator;

const EVERY: Duration = Duration::from_secs(2);

struct Certificate {
    path: PathBuf,
    files: FollowedFiles,
    slot: Arc<CertSlot>,
}

impl Certificate {
    fn new((path, slot): (PathBuf, Arc<CertSlot>)) -> Self {
        let files = FollowedFiles::new([path.clone()]);
        Self { path, files, slot }
    }

    /// False within: there is no file.
    fn look(&mut self) -> Look<bool, TlsError> {
        self.files.look(|| {
            let cert = KeyedCert::load(&self.path)?;
            Ok(cert.map(|cert| self.slot.replace(&cert)).is_some())
        })
    }
}

struct Authorities {
    path: PathBuf,
    files: FollowedFiles,
    slot: Arc<TrustSlot>,
}

impl Authorities {
    fn new((path, slot): (PathBuf, Arc<TrustSlot>)) -> Self {
        let files = FollowedFiles::new([path.clone()]);
        Self { path, files, slot }
    }

    fn look(&mut self) -> Look<(), TlsError> {
        let (path, slot) = (&self.path, &self.slot);
        self.files
            .look(|| CaCerts::load(path).and_then(|ca| slot.replace(&ca)))
    }
}

/// Runs until shutdown.
pub(crate) async fn run(
    identity: Option<(PathBuf, Arc<CertSlot>)>,
    trust: Option<(PathBuf, Arc<TrustSlot>)>,
    auth: Arc<Authenticator>,
    shutdown: Shutdown,
) {
    let mut certificate = identity.map(Certificate::new);
    let mut authorities = trust.map(Authorities::new);
    let mut users_broken = false;
    while shutdown
        .run_until(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        if let Some(certificate) = &mut certificate {
            let looked = certificate.look();
            let path = certificate.path.display();
            match looked {
                Look::Taken(true) => tracing::info!(%path, "certificate in use as it is on disk"),
                Look::Taken(false) => {
                    tracing::warn!(%path, "certificate file is gone; the old one stays in use");
                }
                Look::Broken(error) => {
                    tracing::error!(%error, "certificate file cannot be used; the old one stays in use");
                }
                Look::Same | Look::StillBroken => {}
            }
        }
        if let Some(authorities) = &mut authorities {
            match authorities.look() {
                Look::Taken(()) => {
                    let path = authorities.path.display();
                    tracing::info!(%path, "authorities in use as they are on disk");
                }
                Look::Broken(error) => {
                    tracing::error!(%error, "the file of authorities cannot be used; known ones stay trusted");
                }
                Look::Same | Look::StillBroken => {}
            }
        }
        match auth.reload_users() {
            Ok(true) => {
                users_broken = false;
                tracing::info!("users reloaded");
            }
            Ok(false) => {}
            Err(error) if !users_broken => {
                users_broken = true;
                tracing::error!(%error, "users file cannot be used; known users stay");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_runtime::clock::now_ms;
    use wharf_runtime::tls::{Authority, LeafSpec, install_provider};

    use super::*;

    fn authority() -> Authority {
        install_provider();
        Authority::create("p", now_ms()).unwrap()
    }

    fn leaf(authority: &Authority) -> KeyedCert {
        let spec = LeafSpec::for_host("a.test");
        authority.issue(&spec, now_ms()).unwrap()
    }

    #[test]
    fn a_certificate_that_changed_before_the_first_look_is_taken_in_and_a_broken_file_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.pem");
        let authority = authority();
        let [first, second, third] = [(); 3].map(|()| leaf(&authority));
        let slot = CertSlot::new(&first);
        let shown = || slot.current().cert.clone();
        second.store(&path).unwrap();
        let mut certificate = Certificate::new((path.clone(), Arc::clone(&slot)));
        assert!(matches!(certificate.look(), Look::Taken(true)));
        assert_eq!(shown(), second.chain(), "what is on disk is shown");
        assert!(matches!(certificate.look(), Look::Same));

        std::fs::write(&path, "broken").unwrap();
        assert!(matches!(certificate.look(), Look::Broken(_)));
        assert!(matches!(certificate.look(), Look::StillBroken));
        assert_eq!(shown(), second.chain(), "the old one stays");
        third.store(&path).unwrap();
        assert!(matches!(certificate.look(), Look::Taken(true)));
        assert_eq!(shown(), third.chain());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(certificate.look(), Look::Taken(false)));
        assert_eq!(shown(), third.chain(), "the old one stays");
    }

    #[test]
    fn authorities_that_changed_before_the_first_look_are_taken_in_and_a_broken_file_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let [first, second, third] = [(); 3].map(|()| authority().certs());
        let slot = TrustSlot::new(&first).unwrap();
        let trusted = || slot.certs().fingerprints();
        std::fs::write(&path, second.to_pem()).unwrap();
        let mut authorities = Authorities::new((path.clone(), Arc::clone(&slot)));
        assert!(matches!(authorities.look(), Look::Taken(())));
        assert_eq!(trusted(), second.fingerprints(), "as on disk");

        std::fs::write(&path, "broken").unwrap();
        assert!(matches!(authorities.look(), Look::Broken(_)));
        assert!(matches!(authorities.look(), Look::StillBroken));
        assert_eq!(trusted(), second.fingerprints(), "known ones stay");
        std::fs::write(&path, third.to_pem()).unwrap();
        assert!(matches!(authorities.look(), Look::Taken(())));
        assert_eq!(trusted(), third.fingerprints());
    }
}
