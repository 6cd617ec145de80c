//! The platform's certificate authority: made once, issues leaves, signs requests. ECDSA P-256.
//!
//! Invariants: only this side decides names, usage and validity; of a request nothing but its proven
//! public key is used. Every certificate begins 24 hours back, so that clocks may differ. A leaf can
//! sign nothing. Not here: who may ask (the director's enrollment), where the authority's key is kept.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{CaCerts, Identity, KeyedCert, TlsError, fingerprint};

const DAY: Duration = Duration::from_secs(24 * 3600);
const CA_DAYS: u32 = 20 * 365;
/// How long a leaf is valid unless told otherwise. Browsers refuse more than 398 days.
pub const LEAF_DAYS: u32 = 365;
/// No request is larger than this.
pub const MAX_CSR_BYTES: usize = 16 * 1024;

/// What a leaf is issued for.
#[derive(Clone, Debug, Default)]
pub struct LeafSpec {
    /// What people see; not used for verification.
    pub common_name: String,
    /// Names that clients verify.
    pub dns: Vec<String>,
    /// Addresses that clients verify.
    pub ips: Vec<IpAddr>,
    /// Who the holder is on the platform.
    pub identity: Option<Identity>,
    /// Days from now; zero means [`LEAF_DAYS`].
    pub days: u32,
}

impl LeafSpec {
    /// A leaf for a role of the platform.
    pub fn for_identity(identity: Identity) -> Self {
        let common_name = format!("{} {}", identity.role, identity.id);
        Self {
            common_name,
            identity: Some(identity),
            ..Self::default()
        }
    }

    /// A leaf for a host name that clients verify.
    pub fn for_host(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            common_name: name.clone(),
            dns: vec![name],
            ..Self::default()
        }
    }

    /// The same with one more DNS name or address, whichever `host` is.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        match host.parse() {
            Ok(ip) => self.ips.push(ip),
            Err(_) => self.dns.push(host.to_owned()),
        }
        self
    }

    fn params(&self, now_ms: i64) -> Result<CertificateParams, TlsError> {
        let mut params = CertificateParams::default();
        for name in &self.dns {
            params
                .subject_alt_names
                .push(SanType::DnsName(name.as_str().try_into()?));
        }
        params
            .subject_alt_names
            .extend(self.ips.iter().copied().map(SanType::IpAddress));
        if let Some(identity) = &self.identity {
            params
                .subject_alt_names
                .push(SanType::URI(identity.to_uri().try_into()?));
        }
        params.distinguished_name = distinguished_name(&self.common_name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        let days = if self.days == 0 { LEAF_DAYS } else { self.days };
        set_validity(&mut params, now_ms, days);
        Ok(params)
    }
}

/// The authority with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("fingerprint", &self.fingerprint_hex())
            .finish()
    }
}

impl Authority {
    /// A new authority for a platform.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn create(platform: &str, now_ms: i64) -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(&format!("Wharfinger {platform}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now_ms, CA_DAYS);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Reads what [`Authority::to_pem`] gave.
    ///
    /// # Errors
    /// When key or certificate are missing or broken.
    pub fn from_pem(pem: &str) -> Result<Self, TlsError> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| TlsError::Pem(error.to_string()))?;
        // Refuses a key that is not the certificate's.
        KeyedCert::from_pem(pem)?;
        let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| TlsError::Pem(error.to_string()))?;
        let key = KeyPair::from_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)?;
        let certificate_pem = super::certificate_pem(&certificate);
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self {
            issuer,
            certificate,
            certificate_pem,
        })
    }

    /// Key and certificate. Secret.
    pub fn to_pem(&self) -> String {
        format!(
            "{}{}",
            self.issuer.key().serialize_pem(),
            self.certificate_pem
        )
    }

    /// The certificate alone, which is what everybody else gets.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate as what clients and servers trust.
    pub fn certs(&self) -> CaCerts {
        CaCerts::from_der(vec![self.certificate.clone()])
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.certificate)
    }

    /// The same in lower-case hex, as in tokens.
    pub fn fingerprint_hex(&self) -> String {
        hex::encode(self.fingerprint())
    }

    /// Makes a key and issues a leaf for it.
    ///
    /// # Errors
    /// When a name is not one that certificates can hold.
    pub fn issue(&self, spec: &LeafSpec, now_ms: i64) -> Result<KeyedCert, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let leaf = spec.params(now_ms)?.signed_by(&key, &self.issuer)?;
        KeyedCert::from_parts(&key.serialize_pem(), &self.chain_pem(&leaf.pem()))
    }

    /// Issues a leaf for the key that a request proves to have. Returns the chain as PEM, the leaf
    /// first and this authority last.
    ///
    /// # Errors
    /// When the request is too large, broken, not signed by its key, or a name is impossible.
    pub fn sign_csr(
        &self,
        csr_pem: &str,
        spec: &LeafSpec,
        now_ms: i64,
    ) -> Result<String, TlsError> {
        if csr_pem.len() > MAX_CSR_BYTES {
            return Err(TlsError::Request(format!(
                "it is larger than {MAX_CSR_BYTES} bytes"
            )));
        }
        // Checks the signature. The names that it asks for are dropped.
        let asked = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(|error| TlsError::Request(error.to_string()))?;
        let granted = CertificateSigningRequestParams {
            params: spec.params(now_ms)?,
            public_key: asked.public_key,
        };
        Ok(self.chain_pem(&granted.signed_by(&self.issuer)?.pem()))
    }

    fn chain_pem(&self, leaf_pem: &str) -> String {
        // The authority is sent along, so that one who joins can check it against its token.
        format!("{}\n{}", leaf_pem.trim_end(), self.certificate_pem)
    }
}

/// A new key and the request for its certificate.
pub struct SigningRequest {
    key_pem: String,
    csr_pem: String,
}

impl fmt::Debug for SigningRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningRequest").finish_non_exhaustive()
    }
}

impl SigningRequest {
    /// Makes a key and a request signed by it. The name is for people; the authority decides.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn create(common_name: &str) -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(common_name);
        let csr_pem = params.serialize_request(&key)?.pem()?;
        Ok(Self {
            key_pem: key.serialize_pem(),
            csr_pem,
        })
    }

    /// What is sent to the authority.
    pub fn csr_pem(&self) -> &str {
        &self.csr_pem
    }

    /// Joins the key with the chain that came back.
    ///
    /// # Errors
    /// When the chain is not for this key.
    pub fn complete(self, chain_pem: &str) -> Result<KeyedCert, TlsError> {
        KeyedCert::from_parts(&self.key_pem, chain_pem)
    }
}

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    // X.509 allows 64 characters.
    name.push(
        DnType::CommonName,
        common_name.chars().take(64).collect::<String>(),
    );
    name
}

fn set_validity(params: &mut CertificateParams, now_ms: i64, days: u32) {
    let now = Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(DAY);
    params.not_after = epoch + now + DAY * days;
    // Positive, as RFC 5280 wants, and unguessable.
    let mut serial = crate::random::bytes::<16>();
    serial[0] = serial[0] & 0x3f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
}
