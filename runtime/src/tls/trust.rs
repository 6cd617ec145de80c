//! Whom a process trusts, replaceable while it runs: listeners and clients that were made with a slot
//! verify by what it holds at the moment of each handshake.
//!
//! Invariants: there is always somebody to trust; what is replaced counts from the next handshake on,
//! connections that are open stay. Not here: who decides whom to trust (`followed_authority`).

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{CaCerts, TlsError, provider};

struct Trusted {
    certs: CaCerts,
    roots: Arc<RootCertStore>,
    clients: Arc<dyn ClientCertVerifier>,
}

impl Trusted {
    fn new(certs: &CaCerts) -> Result<Self, TlsError> {
        let roots = Arc::new(certs.root_store()?);
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
            .build()
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        Ok(Self {
            certs: certs.clone(),
            roots,
            clients,
        })
    }
}

/// See the module. Share it by `Arc`.
pub struct TrustSlot(ArcSwap<Trusted>);

impl fmt::Debug for TrustSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrustSlot")
            .field(&self.0.load().certs.fingerprints())
            .finish()
    }
}

impl TrustSlot {
    /// Trusts these.
    ///
    /// # Errors
    /// When there is none, or one is not a certificate of an authority.
    pub fn new(certs: &CaCerts) -> Result<Arc<Self>, TlsError> {
        Ok(Arc::new(Self(ArcSwap::from_pointee(Trusted::new(certs)?))))
    }

    /// Trusts these from now on, and no others.
    ///
    /// # Errors
    /// When there is none, or one is not a certificate of an authority; then nothing changes.
    pub fn replace(&self, certs: &CaCerts) -> Result<(), TlsError> {
        self.0.store(Arc::new(Trusted::new(certs)?));
        Ok(())
    }

    /// Who is trusted now.
    pub fn certs(&self) -> CaCerts {
        self.0.load().certs.clone()
    }

    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0.load().roots)
    }

    pub(super) fn clients(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.0.load().clients)
    }
}
