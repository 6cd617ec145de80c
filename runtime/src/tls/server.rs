//! TLS settings of listeners: open to everybody, or to holders of a platform certificate only.
//!
//! Invariants: certificates are reloadable in all of them; TLS 1.2 and 1.3; the internal listener refuses
//! in the handshake whoever shows no certificate of the platform's authority that names a holder. Not
//! here: what that holder may do.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use super::resolver::ForRustls;
use super::{CaCerts, CertResolver, Identity, TlsError, provider};

/// HTTP/2, then HTTP/1.1.
pub(super) const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// For listeners that everybody may speak to: HTTP/2 and HTTP/1.1, no client certificate.
///
/// # Errors
/// When rustls refuses the settings.
pub fn server_config(certs: Arc<dyn CertResolver>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ForRustls(certs)));
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// For platform-internal listeners: a client certificate is required, signed by `ca`, and it must name an
/// [`Identity`].
///
/// # Errors
/// When `ca` is empty or rustls refuses the settings.
pub fn internal_server_config(
    certs: Arc<dyn CertResolver>,
    ca: &CaCerts,
) -> Result<Arc<ServerConfig>, TlsError> {
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(ca.root_store()?), provider())
        .build()
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(IdentityRequired { inner }))
        .with_cert_resolver(Arc::new(ForRustls(certs)));
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct IdentityRequired {
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for IdentityRequired {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, now)?;
        match Identity::from_certificate(end_entity) {
            Some(_) => Ok(verified),
            None => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
