//! TLS settings of listeners: open to everybody, with or without a name, or to holders of a platform certificate only.
//!
//! Invariants: certificates are reloadable in all of them; TLS 1.2 and 1.3; the internal listener refuses
//! in the handshake whoever shows no certificate of the platform's authority that names a holder; where
//! clients show certificates, no session is resumed. Not here: what that holder may do.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use super::resolver::ForRustls;
use super::{CaCerts, CertResolver, Identity, TlsError, TrustSlot, provider};

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

/// For listeners that everybody may speak to and where holders of a certificate of whom `trust` holds at each handshake
/// may say who they are: whoever shows none is nobody in particular, one of another authority is refused in the handshake.
///
/// # Errors
/// When rustls refuses the settings.
pub fn following_open_server_config(
    certs: Arc<dyn CertResolver>,
    trust: &Arc<TrustSlot>,
) -> Result<Arc<ServerConfig>, TlsError> {
    verifying(certs, trust, false)
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
    following_server_config(certs, &TrustSlot::new(ca)?)
}

/// The same for a listener that trusts whom `trust` holds at each handshake.
///
/// # Errors
/// When rustls refuses the settings.
pub fn following_server_config(
    certs: Arc<dyn CertResolver>,
    trust: &Arc<TrustSlot>,
) -> Result<Arc<ServerConfig>, TlsError> {
    verifying(certs, trust, true)
}

fn verifying(
    certs: Arc<dyn CertResolver>,
    trust: &Arc<TrustSlot>,
    required: bool,
) -> Result<Arc<ServerConfig>, TlsError> {
    let verifier = Arc::new(Verifier {
        trust: Arc::clone(trust),
        required,
    });
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(ForRustls(certs)));
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    // A resumed session would skip the certificate: one that counts no more could go on.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Verifies clients by what the slot holds; with `required` everybody must show whom it is.
#[derive(Debug)]
struct Verifier {
    trust: Arc<TrustSlot>,
    required: bool,
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // They may change meanwhile; a client shows the one certificate that it has.
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let clients = self.trust.clients();
        let verified = clients.verify_client_cert(end_entity, intermediates, now)?;
        if self.required && Identity::from_certificate(end_entity).is_none() {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust
            .clients()
            .verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust
            .clients()
            .verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.clients().supported_verify_schemes()
    }
}
