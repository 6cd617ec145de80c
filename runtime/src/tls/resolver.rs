//! Which certificate a listener or a client presents, replaceable while it runs.
//!
//! Invariants: a replaced certificate is used from the next handshake on, without a restart; an unknown
//! name gets the default certificate, or none when there is no default. Not here: renewing.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{KeyedCert, keyed_cert::issuer_of};

/// Chooses the certificate for a host name that a client asks for.
pub trait CertResolver: fmt::Debug + Send + Sync {
    /// The certificate for `server_name` (lower case; `None` when the client named none).
    fn resolve(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>>;
}

/// One certificate for every name; serves listeners and clients. Share it by `Arc`.
#[derive(Debug)]
pub struct CertSlot {
    current: ArcSwap<CertifiedKey>,
}

impl CertSlot {
    /// Holds this certificate.
    pub fn new(cert: &KeyedCert) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwap::new(cert.certified_key()),
        })
    }

    /// Presents `cert` from now on.
    pub fn replace(&self, cert: &KeyedCert) {
        self.current.store(cert.certified_key());
    }

    /// SHA-256 of the authority that issued what is presented, lower-case hex.
    pub fn issuer(&self) -> Option<String> {
        issuer_of(&self.current.load())
    }

    /// What is presented now.
    pub fn current(&self) -> Arc<CertifiedKey> {
        self.current.load_full()
    }
}

impl CertResolver for CertSlot {
    fn resolve(&self, _: Option<&str>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for CertSlot {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current()).filter(|current| current.key.choose_scheme(schemes).is_some())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A certificate per host name. Share it by `Arc`.
#[derive(Debug, Default)]
pub struct SniTable {
    names: ArcSwap<HashMap<String, Arc<CertifiedKey>>>,
    default: ArcSwapOption<CertifiedKey>,
}

impl SniTable {
    /// An empty table.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Replaces the whole table at once.
    pub fn replace_all<'a>(&self, certs: impl IntoIterator<Item = (String, &'a KeyedCert)>) {
        let names = certs
            .into_iter()
            .map(|(name, cert)| (name.to_ascii_lowercase(), cert.certified_key()));
        self.names.store(Arc::new(names.collect()));
    }

    /// What a client gets that names no host, or an unknown one.
    pub fn set_default(&self, cert: Option<&KeyedCert>) {
        self.default.store(cert.map(KeyedCert::certified_key));
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.load().len()
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl CertResolver for SniTable {
    fn resolve(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        server_name
            .and_then(|name| self.names.load().get(name).cloned())
            .or_else(|| self.default.load_full())
    }
}

/// A resolver that can be replaced by another while listeners use it. Share it by `Arc`.
#[derive(Debug)]
pub struct SwapResolver {
    current: ArcSwap<Arc<dyn CertResolver>>,
}

impl SwapResolver {
    /// Asks `first` until it is swapped.
    pub fn new(first: Arc<dyn CertResolver>) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwap::from_pointee(first),
        })
    }

    /// Asks `next` from now on.
    pub fn swap(&self, next: Arc<dyn CertResolver>) {
        self.current.store(Arc::new(next));
    }
}

impl CertResolver for SwapResolver {
    fn resolve(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.current.load().resolve(server_name)
    }
}

/// Hands a [`CertResolver`] to rustls.
#[derive(Debug)]
pub(super) struct ForRustls(pub(super) Arc<dyn CertResolver>);

impl ResolvesServerCert for ForRustls {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives names in lower case.
        self.0.resolve(hello.server_name())
    }
}
