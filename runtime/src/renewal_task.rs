//! Keeps a role's certificate valid: looks once an hour, and once the last third of its time has
//! begun, or another authority is to have issued it, asks for a new one, stores it, and puts it into use
//! without a restart. How the director
//! is asked is the caller's: this package knows no contract.

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    backoff::Backoff,
    clock, random,
    task::Shutdown,
    tls::{CertSlot, KeyedCert, SigningRequest},
};

/// Between two looks at a certificate that is still good.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// A director that has not signed within this is asked again later.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What is kept valid.
pub struct Renewal {
    /// `identity.pem`: the key, then the chain.
    pub path: PathBuf,
    /// Where listeners and clients take it from.
    pub slot: Arc<CertSlot>,
    /// What people see in the request.
    pub common_name: String,
    /// The SHA-256 of the authority whose certificate is to be had, as it changes; none: of any.
    pub wanted: watch::Receiver<Option<String>>,
}

impl Renewal {
    /// Runs until `shutdown`. `ask` sends a request (PEM) to a director and gives the chain (PEM);
    /// `told` hears of each look: the certificate that came into use, none when the one in use is
    /// good, or why there is no new one though it is time.
    pub async fn run<F, R, E>(
        self,
        ask: F,
        told: impl Fn(Result<Option<&KeyedCert>, &str>),
        shutdown: Shutdown,
    ) where
        F: Fn(String) -> R,
        R: Future<Output = Result<String, E>>,
        E: std::fmt::Display,
    {
        let mut backoff = Backoff::new(5_000, 600_000);
        let mut wanted = self.wanted.clone();
        loop {
            wanted.borrow_and_update();
            let wait = match self.renew_when_due(&ask).await {
                Ok(Some(cert)) => {
                    tracing::info!(name = self.common_name, "a new certificate is in use");
                    told(Ok(Some(&cert)));
                    backoff.reset();
                    random::jitter(LOOK_EVERY, 20)
                }
                Ok(None) => {
                    told(Ok(None));
                    backoff.reset();
                    random::jitter(LOOK_EVERY, 20)
                }
                Err(error) => {
                    tracing::warn!(name = self.common_name, error, "no new certificate yet");
                    told(Err(&error));
                    backoff.next(random::next_u64())
                }
            };
            let other = async {
                if wanted.changed().await.is_err() {
                    // Whoever could change it is gone: time alone counts.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(wait) => {}
                () = other => {}
            }
        }
    }

    /// Whether a certificate is of another authority than the one that is wanted.
    fn is_of_another(&self, cert: &KeyedCert) -> bool {
        let wanted = self.wanted.borrow();
        wanted.is_some() && cert.issuer() != *wanted
    }

    async fn renew_when_due<F, R, E>(&self, ask: &F) -> Result<Option<KeyedCert>, String>
    where
        F: Fn(String) -> R,
        R: Future<Output = Result<String, E>>,
        E: std::fmt::Display,
    {
        let held = KeyedCert::load(&self.path).map_err(|error| error.to_string())?;
        if held
            .as_ref()
            .is_some_and(|held| !held.needs_renewal(clock::now_ms()) && !self.is_of_another(held))
        {
            return Ok(None);
        }
        let request =
            SigningRequest::create(&self.common_name).map_err(|error| error.to_string())?;
        let chain = tokio::time::timeout(ANSWER_TIMEOUT, ask(request.csr_pem().to_owned()))
            .await
            .map_err(|_| "no director answers".to_owned())?
            .map_err(|error| error.to_string())?;
        let cert = request
            .complete(&chain)
            .map_err(|error| error.to_string())?;
        // Whoever signed must have meant this holder.
        if held.is_some_and(|held| held.identity() != cert.identity()) {
            return Err("the director signed another identity".to_owned());
        }
        // An answer that was late: others may trust its authority no more.
        if self.is_of_another(&cert) {
            return Err("the director signed as another authority than is wanted now".to_owned());
        }
        cert.store(&self.path).map_err(|error| error.to_string())?;
        self.slot.replace(&cert);
        Ok(Some(cert))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::tls::{Authority, Identity, LeafSpec, install_provider};

    fn setup(days: u32) -> (tempfile::TempDir, Arc<Authority>, Renewal, Identity) {
        install_provider();
        let dir = tempfile::tempdir().unwrap();
        let authority = Arc::new(Authority::create("p", clock::now_ms()).unwrap());
        let identity = Identity::new("p", "proxy", "x").unwrap();
        let spec = LeafSpec {
            days,
            ..LeafSpec::for_identity(identity.clone())
        };
        // Issued long ago when it is to be due.
        let issued_ms = clock::now_ms() - if days == 1 { 20 * 3_600_000 } else { 0 };
        let cert = authority.issue(&spec, issued_ms).unwrap();
        let path = dir.path().join("identity.pem");
        cert.store(&path).unwrap();
        let renewal = Renewal {
            path,
            slot: CertSlot::new(&cert),
            common_name: "proxy x".to_owned(),
            wanted: watch::Sender::new(None).subscribe(),
        };
        (dir, authority, renewal, identity)
    }

    #[tokio::test]
    async fn a_certificate_in_its_last_third_is_replaced_on_disk_and_in_use() {
        let (_dir, authority, renewal, identity) = setup(1);
        let before = renewal.slot.current();
        let sign = |csr: String| {
            let cert = authority.sign_csr(
                &csr,
                &LeafSpec::for_identity(identity.clone()),
                clock::now_ms(),
            );
            async move { cert.map_err(|error| error.to_string()) }
        };
        let cert = renewal
            .renew_when_due(&sign)
            .await
            .unwrap()
            .expect("it was due");
        assert!(
            !Arc::ptr_eq(&before, &renewal.slot.current()),
            "the old one is still in use"
        );
        let stored = KeyedCert::load(&renewal.path).unwrap().unwrap();
        assert_eq!(stored.not_after_ms(), cert.not_after_ms());
        assert!(!stored.needs_renewal(clock::now_ms()));
    }

    #[tokio::test]
    async fn a_certificate_for_somebody_else_is_not_taken() {
        let (_dir, authority, renewal, _) = setup(1);
        let other = Identity::new("p", "proxy", "y").unwrap();
        let sign = |csr: String| {
            let spec = LeafSpec::for_identity(other.clone());
            let cert = authority.sign_csr(&csr, &spec, clock::now_ms());
            async move { cert.map_err(|error| error.to_string()) }
        };
        let before = std::fs::read(&renewal.path).unwrap();
        let refused = renewal.renew_when_due(&sign).await.unwrap_err();
        assert!(refused.contains("another identity"), "{refused}");
        assert_eq!(std::fs::read(&renewal.path).unwrap(), before);
    }

    #[tokio::test]
    async fn a_certificate_of_another_authority_than_is_wanted_is_replaced_and_a_late_one_not_taken()
     {
        let (_dir, old, mut renewal, identity) = setup(365);
        let new = Arc::new(Authority::create("p", clock::now_ms()).unwrap());
        let wanted = watch::Sender::new(Some(new.fingerprint_hex()));
        renewal.wanted = wanted.subscribe();
        let sign_by = |authority: Arc<Authority>| {
            let identity = identity.clone();
            move |csr: String| {
                let spec = LeafSpec::for_identity(identity.clone());
                let cert = authority.sign_csr(&csr, &spec, clock::now_ms());
                async move { cert.map_err(|error| error.to_string()) }
            }
        };
        let late = renewal.renew_when_due(&sign_by(Arc::clone(&old))).await;
        let late = late.expect_err("a certificate of the old authority was taken");
        assert!(late.contains("another authority"), "{late}");
        assert_eq!(renewal.slot.issuer(), Some(old.fingerprint_hex()));
        let shutdown = Shutdown::new();
        let (slot, ended) = (Arc::clone(&renewal.slot), shutdown.clone());
        let told = tokio::sync::mpsc::unbounded_channel();
        let (tell, mut looks) = told;
        let running = tokio::spawn(renewal.run(
            sign_by(Arc::clone(&new)),
            move |look| {
                let _ = tell.send(look.is_ok());
            },
            shutdown,
        ));
        assert_eq!(
            looks.recv().await,
            Some(true),
            "the new authority's was not taken"
        );
        assert_eq!(slot.issuer(), Some(new.fingerprint_hex()));
        // Told that another is wanted it looks at once, not in an hour; this one cannot be had.
        wanted.send_replace(Some("0".repeat(64)));
        assert_eq!(looks.recv().await, Some(false), "it did not look");
        assert_eq!(
            slot.issuer(),
            Some(new.fingerprint_hex()),
            "what is in use was dropped"
        );
        ended.trigger();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_fresh_certificate_is_left_alone_and_a_refusal_keeps_the_old_one() {
        let asked = AtomicUsize::new(0);
        let refuse = |_: String| {
            asked.fetch_add(1, Ordering::Relaxed);
            async { Err::<String, _>("no") }
        };
        let (_dir, _authority, renewal, _) = setup(365);
        assert!(renewal.renew_when_due(&refuse).await.unwrap().is_none());
        assert_eq!(
            asked.load(Ordering::Relaxed),
            0,
            "a fresh certificate was asked for anew"
        );
        let (_dir, _authority, renewal, _) = setup(1);
        let before = std::fs::read(&renewal.path).unwrap();
        assert!(renewal.renew_when_due(&refuse).await.is_err());
        assert_eq!(std::fs::read(&renewal.path).unwrap(), before);
    }
}
