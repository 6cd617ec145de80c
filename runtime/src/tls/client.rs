//! TLS settings of clients: whom to trust, whom to expect, and what to show.
//!
//! Invariants: a server is always verified, by name or by platform identity, against given authorities
//! or one known by its fingerprint; there is no way to switch that off. Not here: dialing.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::server::ALPN;
use super::{
    CaCerts, CertSlot, ExpectedIdentity, Identity, TlsError, TrustSlot, constant_time_eq,
    fingerprint, provider,
};

/// How a server is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// By the name or address that was dialed.
    Name,
    /// By the identity in its certificate, whatever address it has.
    Identity(ExpectedIdentity),
}

/// Settings of a client that trusts `ca`, expects `expect`, and shows `own` when asked for a certificate.
/// Offers HTTP/2 and HTTP/1.1.
///
/// # Errors
/// When `ca` is empty or broken, or rustls refuses the settings.
pub fn client_config(
    ca: &CaCerts,
    expect: Expect,
    own: Option<Arc<CertSlot>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    build(Trust::Roots(ca.root_store()?), expect, own)
}

/// The same for a client that trusts whom `trust` holds at each handshake.
///
/// # Errors
/// When rustls refuses the settings.
pub fn following_client_config(
    trust: &Arc<TrustSlot>,
    expect: Expect,
    own: Option<Arc<CertSlot>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    build(Trust::Slot(Arc::clone(trust)), expect, own)
}

/// Settings of a client of foreign servers: it trusts the public authorities and those of `extra`.
///
/// # Errors
/// When one of `extra` is broken, or rustls refuses the settings.
pub fn public_client_config(
    extra: Option<&CaCerts>,
    expect: Expect,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = match extra {
        Some(extra) => extra.root_store()?,
        None => RootCertStore::empty(),
    };
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    build(Trust::Roots(roots), expect, None)
}

/// Settings of a client that joins: it knows only the SHA-256 of the authority's certificate, which the
/// server sends along. Nothing is sent before it was checked.
///
/// # Errors
/// When rustls refuses the settings.
pub fn pinned_client_config(
    ca_sha256: [u8; 32],
    expect: Expect,
) -> Result<Arc<ClientConfig>, TlsError> {
    build(Trust::Pinned(ca_sha256), expect, None)
}

fn build(
    trust: Trust,
    expect: Expect,
    own: Option<Arc<CertSlot>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Arc::new(Verifier {
        trust,
        expect,
        algorithms,
    });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

#[derive(Debug)]
enum Trust {
    Roots(RootCertStore),
    Slot(Arc<TrustSlot>),
    Pinned([u8; 32]),
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    expect: Expect,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (pinned, held);
        let roots = match &self.trust {
            Trust::Roots(roots) => roots,
            Trust::Slot(slot) => {
                held = slot.roots();
                &held
            }
            Trust::Pinned(sha256) => {
                let authority = intermediates
                    .iter()
                    .find(|cert| constant_time_eq(&fingerprint(cert), sha256))
                    .ok_or(CertificateError::UnknownIssuer)?;
                let mut roots = RootCertStore::empty();
                roots.add(authority.clone().into_owned())?;
                pinned = roots;
                &pinned
            }
        };
        let cert = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &cert,
            roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        match &self.expect {
            Expect::Name => verify_server_name(&cert, server_name)?,
            Expect::Identity(expected) => {
                let found = Identity::from_certificate(end_entity);
                if !found.as_ref().is_some_and(|found| expected.matches(found)) {
                    tracing::debug!(?expected, ?found, "the server is not who was expected");
                    return Err(CertificateError::NotValidForName.into());
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
