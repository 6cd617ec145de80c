//! TLS of the platform: its authority, certificates, identities, and the settings of listeners and clients.
//!
//! Invariants: one crypto provider (ring); verification is never switched off; secrets are compared in
//! constant time; key files are mode 0600 and replaced atomically. Not here: connections (`net`).

mod authority;
mod client;
mod identity;
mod keyed_cert;
mod resolver;
mod server;
#[cfg(test)]
mod tests;
mod trust;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use authority::{Authority, LEAF_DAYS, LeafSpec, MAX_CSR_BYTES, SigningRequest};
pub use client::{
    Expect, client_config, following_client_config, pinned_client_config, public_client_config,
};
pub use identity::{
    ExpectedIdentity, Identity, IdentityError, ROLE_ALLOCATOR, ROLE_DIRECTOR, ROLE_INSTANCE,
    ROLE_PROXY,
};
pub use keyed_cert::{IDENTITY_FILE, KeyedCert};
pub use resolver::{CertResolver, CertSlot, SniTable, SwapResolver};
pub use server::{
    following_open_server_config, following_server_config, internal_server_config, server_config,
};
pub use trust::TrustSlot;

/// No file of authorities is larger than this.
const CA_FILE_LIMIT: u64 = 1024 * 1024;

/// Why something of TLS could not be made, read or set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("cannot use the file {path}: {source}; check its owner and mode")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A text is not PEM or lacks a part.
    #[error("cannot read the PEM text: {0}; it must hold what this program wrote there")]
    Pem(String),
    /// There is no certificate where one must be.
    #[error("there is no certificate in the PEM text; give one that has at least one")]
    NoCertificate,
    /// A certificate is broken or refused.
    #[error("the certificate cannot be used: {0}; issue a new one")]
    Certificate(String),
    /// A signing request is broken or refused.
    #[error("the signing request cannot be used: {0}; make a new one")]
    Request(String),
    /// A certificate could not be made.
    #[error("the certificate cannot be made: {0}; check its names")]
    Issue(#[from] rcgen::Error),
    /// rustls refused.
    #[error("tls cannot be set up: {0}; check that key and certificate belong together")]
    Setup(#[from] rustls::Error),
}

/// Makes ring the provider of everything in this process that asks for the default. Call once in main.
pub fn install_provider() {
    // An error means that it was installed before, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

/// Whether two secrets are equal, in a time that tells nothing but their lengths.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// SHA-256 of a certificate.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// A certificate as PEM text.
pub fn certificate_pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// Certificates of the authorities that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCerts {
    certs: Vec<CertificateDer<'static>>,
}

impl CaCerts {
    /// Trusts these.
    pub fn from_der(certs: Vec<CertificateDer<'static>>) -> Self {
        Self { certs }
    }

    /// Reads one or more certificates.
    ///
    /// # Errors
    /// When there is none or one is broken.
    pub fn from_pem(pem: &str) -> Result<Self, TlsError> {
        let certs = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::Pem(error.to_string()))?;
        if certs.is_empty() {
            Err(TlsError::NoCertificate)
        } else {
            Ok(Self { certs })
        }
    }

    /// Reads a file of certificates. Blocks.
    ///
    /// # Errors
    /// When it is missing, cannot be read, or holds no certificate.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let path = path.as_ref();
        let io_error = |source| TlsError::Io {
            path: path.to_path_buf(),
            source,
        };
        let bytes = crate::data_dir::read_limited(path, CA_FILE_LIMIT)
            .and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(io_error)?;
        let pem = String::from_utf8(bytes).map_err(|error| TlsError::Pem(error.to_string()))?;
        Self::from_pem(&pem)
    }

    /// All as PEM text.
    pub fn to_pem(&self) -> String {
        self.certs.iter().map(certificate_pem).collect()
    }

    /// The certificates.
    pub fn certs(&self) -> &[CertificateDer<'static>] {
        &self.certs
    }

    /// Their SHA-256 in lower-case hex.
    pub fn fingerprints(&self) -> Vec<String> {
        self.certs
            .iter()
            .map(|cert| hex::encode(fingerprint(cert)))
            .collect()
    }

    /// What rustls trusts.
    ///
    /// # Errors
    /// When one is not a certificate of an authority.
    pub fn root_store(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for cert in &self.certs {
            roots.add(cert.clone())?;
        }
        Ok(roots)
    }
}
