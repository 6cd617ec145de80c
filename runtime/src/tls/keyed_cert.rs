//! A private key with its certificate chain, kept in one file so that replacing both is one write.
//!
//! Invariants: key and leaf belong together (checked when parsed); the file is PEM, mode 0600, key first,
//! then leaf, then issuers; it is replaced atomically. The key is never printed. Not here: issuing.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{Identity, TlsError, fingerprint, provider};
use crate::data_dir;

/// Usual name of the file in a role's data directory.
pub const IDENTITY_FILE: &str = "identity.pem";
/// No identity file is larger than this.
const FILE_LIMIT: u64 = 256 * 1024;

/// A private key, its certificate, and the certificates of its issuers.
#[derive(Clone)]
pub struct KeyedCert {
    pem: String,
    certified: Arc<CertifiedKey>,
    not_before_ms: i64,
    not_after_ms: i64,
}

/// SHA-256 of the authority that stands at the end of a chain; none for a leaf alone.
pub(super) fn issuer_of(certified: &CertifiedKey) -> Option<String> {
    let (_, issuers) = certified.cert.split_first()?;
    issuers.last().map(|cert| hex::encode(fingerprint(cert)))
}

impl fmt::Debug for KeyedCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedCert")
            .field("identity", &self.identity())
            .field("not_after_ms", &self.not_after_ms)
            .finish_non_exhaustive()
    }
}

impl KeyedCert {
    /// Reads a PEM text that has one private key and one or more certificates, the leaf first.
    ///
    /// # Errors
    /// When something is missing or does not belong together.
    pub fn from_pem(pem: &str) -> Result<Self, TlsError> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| TlsError::Pem(error.to_string()))?;
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::Pem(error.to_string()))?;
        let leaf = chain.first().ok_or(TlsError::NoCertificate)?;
        let (_, parsed) = X509Certificate::from_der(leaf)
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let validity = parsed.validity();
        let (not_before_ms, not_after_ms) = (
            validity.not_before.timestamp() * 1000,
            validity.not_after.timestamp() * 1000,
        );
        let certified = Arc::new(CertifiedKey::from_der(chain, key, &provider())?);
        Ok(Self {
            pem: pem.to_owned(),
            certified,
            not_before_ms,
            not_after_ms,
        })
    }

    /// Joins a key with the chain that was issued for it.
    ///
    /// # Errors
    /// When they do not belong together.
    pub fn from_parts(key_pem: &str, chain_pem: &str) -> Result<Self, TlsError> {
        Self::from_pem(&format!("{}\n{}", key_pem.trim_end(), chain_pem))
    }

    /// Reads the file; `None` when there is none. Blocks.
    ///
    /// # Errors
    /// When it cannot be read or is not what it should be.
    pub fn load(path: impl AsRef<Path>) -> Result<Option<Self>, TlsError> {
        let path = path.as_ref();
        let io_error = |source| TlsError::Io {
            path: path.to_path_buf(),
            source,
        };
        let Some(bytes) = data_dir::read_limited(path, FILE_LIMIT).map_err(io_error)? else {
            return Ok(None);
        };
        let pem = String::from_utf8(bytes).map_err(|error| TlsError::Pem(error.to_string()))?;
        Self::from_pem(&pem).map(Some)
    }

    /// Writes the file: mode 0600, the old one or the whole new one. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn store(&self, path: impl AsRef<Path>) -> Result<(), TlsError> {
        let path = path.as_ref();
        data_dir::write_atomic(path, self.pem.as_bytes(), 0o600).map_err(|source| TlsError::Io {
            path: path.to_path_buf(),
            source,
        })
    }

    /// Key and chain as PEM. Secret.
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    /// What rustls serves.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// SHA-256 of the authority that issued it, lower-case hex; none when it is not sent along.
    pub fn issuer(&self) -> Option<String> {
        issuer_of(&self.certified)
    }

    /// Whom the leaf names.
    pub fn identity(&self) -> Option<Identity> {
        Identity::from_certificate(self.certified.cert.first()?)
    }

    /// Whether the leaf is good for that DNS name or address.
    pub fn names_host(&self, host: &str) -> bool {
        let ip: Option<std::net::IpAddr> = host.parse().ok();
        let octets = ip.map(|ip| match ip {
            std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
            std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
        });
        let Some(leaf) = self.certified.cert.first() else {
            return false;
        };
        let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
            return false;
        };
        let Ok(Some(names)) = parsed.subject_alternative_name() else {
            return false;
        };
        names.value.general_names.iter().any(|name| match name {
            GeneralName::DNSName(dns) => octets.is_none() && dns.eq_ignore_ascii_case(host),
            GeneralName::IPAddress(bytes) => octets.as_deref() == Some(*bytes),
            _ => false,
        })
    }

    /// End of the leaf's validity, unix milliseconds.
    pub fn not_after_ms(&self) -> i64 {
        self.not_after_ms
    }

    /// Whether two thirds of the leaf's life are over, or it has not begun: then it was issued while
    /// a clock was wrong, and nobody accepts it now.
    pub fn needs_renewal(&self, now_ms: i64) -> bool {
        let life = self.not_after_ms.saturating_sub(self.not_before_ms);
        now_ms < self.not_before_ms || now_ms >= self.not_after_ms - life / 3
    }
}
