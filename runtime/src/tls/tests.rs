//! Handshakes between the settings made here, and what must be refused.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::*;

const DAY_MS: i64 = 24 * 3600 * 1000;

fn authority() -> Authority {
    Authority::create("test", crate::clock::now_ms()).unwrap()
}

fn identity(role: &str) -> Identity {
    Identity::new("p1", role, "0123").unwrap()
}

fn leaf(authority: &Authority, role: &str) -> KeyedCert {
    let spec = LeafSpec::for_identity(identity(role))
        .with_host("127.0.0.1")
        .with_host("d.test");
    authority.issue(&spec, crate::clock::now_ms()).unwrap()
}

/// Runs a handshake in memory; gives the identity that the server saw of the client.
fn handshake(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    name: &str,
) -> Result<Option<Identity>, String> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client, name).map_err(|e| e.to_string())?;
    let mut server = ServerConnection::new(server).map_err(|e| e.to_string())?;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut read = wire.as_slice();
        while !read.is_empty() {
            server.read_tls(&mut read).unwrap();
            server
                .process_new_packets()
                .map_err(|e| format!("server: {e}"))?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut read = wire.as_slice();
        while !read.is_empty() {
            client.read_tls(&mut read).unwrap();
            client
                .process_new_packets()
                .map_err(|e| format!("client: {e}"))?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
    Ok(server
        .peer_certificates()
        .and_then(|certs| Identity::from_certificate(&certs[0])))
}

fn role(role: &str) -> Expect {
    Expect::Identity(ExpectedIdentity::role(role))
}

#[test]
fn both_sides_prove_who_they_are() {
    let ca = authority();
    let server =
        internal_server_config(CertSlot::new(&leaf(&ca, "director")), &ca.certs()).unwrap();
    let own = CertSlot::new(&leaf(&ca, "allocator"));
    let client = client_config(&ca.certs(), role("director"), Some(own)).unwrap();
    let seen = handshake(server, client, "anything.internal")
        .unwrap()
        .unwrap();
    assert_eq!(seen, identity("allocator"));
}

#[test]
fn a_client_without_a_certificate_or_with_a_foreign_one_is_refused() {
    let (ca, other) = (authority(), authority());
    let server =
        internal_server_config(CertSlot::new(&leaf(&ca, "director")), &ca.certs()).unwrap();
    let bare = client_config(&ca.certs(), role("director"), None).unwrap();
    assert!(
        handshake(server.clone(), bare, "x")
            .unwrap_err()
            .starts_with("server:")
    );
    let foreign = CertSlot::new(&leaf(&other, "allocator"));
    let foreign = client_config(&ca.certs(), role("director"), Some(foreign)).unwrap();
    assert!(
        handshake(server.clone(), foreign, "x")
            .unwrap_err()
            .starts_with("server:")
    );
    // Of the platform's authority, but naming nobody: such as a leaf of a host name.
    let nobody = ca
        .issue(&LeafSpec::for_host("a.test"), crate::clock::now_ms())
        .unwrap();
    let nobody =
        client_config(&ca.certs(), role("director"), Some(CertSlot::new(&nobody))).unwrap();
    assert!(
        handshake(server, nobody, "x")
            .unwrap_err()
            .starts_with("server:")
    );
}

#[test]
fn a_server_of_another_authority_role_id_or_name_is_refused() {
    let (ca, other) = (authority(), authority());
    let server = server_config(CertSlot::new(&leaf(&ca, "director"))).unwrap();
    let expected = |expect| client_config(&ca.certs(), expect, None).unwrap();
    let refused = |client, name| {
        let error = handshake(server.clone(), client, name).unwrap_err();
        assert!(error.starts_with("client:"), "{error}");
    };
    refused(
        client_config(&other.certs(), Expect::Name, None).unwrap(),
        "d.test",
    );
    refused(expected(role("proxy")), "d.test");
    let another = ExpectedIdentity::role("director").with_id("4567");
    refused(expected(Expect::Identity(another)), "d.test");
    refused(expected(Expect::Name), "e.test");
    for name in ["d.test", "127.0.0.1"] {
        assert_eq!(
            handshake(server.clone(), expected(Expect::Name), name),
            Ok(None)
        );
    }
}

#[test]
fn an_expired_certificate_is_refused_and_one_of_a_fast_clock_is_not() {
    let ca = authority();
    let now = crate::clock::now_ms();
    let issue = |at, days| {
        let spec = LeafSpec {
            days,
            ..LeafSpec::for_host("d.test")
        };
        server_config(CertSlot::new(&ca.issue(&spec, at).unwrap())).unwrap()
    };
    let client = || client_config(&ca.certs(), Expect::Name, None).unwrap();
    assert!(handshake(issue(now - 10 * DAY_MS, 5), client(), "d.test").is_err());
    assert!(handshake(issue(now + DAY_MS / 2, 5), client(), "d.test").is_ok());
    assert!(handshake(issue(now + 2 * DAY_MS, 5), client(), "d.test").is_err());
}

#[test]
fn one_who_joins_trusts_the_authority_of_its_token_only() {
    let ca = authority();
    let server = server_config(CertSlot::new(&leaf(&ca, "director"))).unwrap();
    let good = pinned_client_config(ca.fingerprint(), role("director")).unwrap();
    assert!(handshake(server.clone(), good, "10.0.0.1").is_ok());
    let bad = pinned_client_config([7; 32], role("director")).unwrap();
    assert!(handshake(server.clone(), bad, "10.0.0.1").is_err());

    // A chain that carries the right authority, with a leaf that it did not sign.
    let forged = leaf(&authority(), "director");
    let key = forged
        .to_pem()
        .split("-----BEGIN CERT")
        .next()
        .unwrap()
        .to_owned();
    let chain = format!(
        "{}{}",
        certificate_pem(&forged.chain()[0]),
        ca.certificate_pem()
    );
    let forged = KeyedCert::from_parts(&key, &chain).unwrap();
    let server = server_config(CertSlot::new(&forged)).unwrap();
    let good = pinned_client_config(ca.fingerprint(), role("director")).unwrap();
    assert!(handshake(server, good, "10.0.0.1").is_err());
}

#[test]
fn a_renewed_certificate_is_served_from_the_next_handshake_on() {
    let (old, new) = (authority(), authority());
    let slot = CertSlot::new(&leaf(&old, "proxy"));
    let swap = SwapResolver::new(slot.clone());
    let server = server_config(swap.clone()).unwrap();
    let trusts = |ca: &Authority| client_config(&ca.certs(), Expect::Name, None).unwrap();
    assert!(handshake(server.clone(), trusts(&old), "d.test").is_ok());
    slot.replace(&leaf(&new, "proxy"));
    assert!(handshake(server.clone(), trusts(&old), "d.test").is_err());
    assert!(handshake(server.clone(), trusts(&new), "d.test").is_ok());
    swap.swap(CertSlot::new(&leaf(&old, "proxy")));
    assert!(handshake(server, trusts(&old), "d.test").is_ok());
}

#[test]
fn each_name_gets_its_own_certificate() {
    let ca = authority();
    let issue = |name: &str| {
        ca.issue(&LeafSpec::for_host(name), crate::clock::now_ms())
            .unwrap()
    };
    let table = SniTable::new();
    let server = server_config(table.clone()).unwrap();
    let client = || client_config(&ca.certs(), Expect::Name, None).unwrap();
    assert!(handshake(server.clone(), client(), "a.test").is_err());
    let (a, b) = (issue("a.test"), issue("b.test"));
    table.replace_all([("A.test".to_owned(), &a), ("b.test".to_owned(), &b)]);
    assert!(handshake(server.clone(), client(), "a.test").is_ok());
    assert!(handshake(server.clone(), client(), "b.test").is_ok());
    assert!(handshake(server.clone(), client(), "c.test").is_err());
    table.set_default(Some(&issue("c.test")));
    assert!(handshake(server, client(), "c.test").is_ok());
    assert_eq!(table.len(), 2);
}

#[test]
fn a_request_gets_the_names_that_the_authority_decides() {
    let ca = Authority::from_pem(&authority().to_pem()).unwrap();
    let request = SigningRequest::create("i want to be director").unwrap();
    let spec = LeafSpec::for_identity(identity("allocator"));
    let chain = ca
        .sign_csr(request.csr_pem(), &spec, crate::clock::now_ms())
        .unwrap();
    let cert = request.complete(&chain).unwrap();
    assert_eq!(cert.identity(), Some(identity("allocator")));
    assert_eq!(fingerprint(&cert.chain()[1]), ca.fingerprint());
    // The chain of one is of no use with the key of another.
    assert!(
        SigningRequest::create("x")
            .unwrap()
            .complete(&chain)
            .is_err()
    );

    let sign = |csr: &str| ca.sign_csr(csr, &spec, 0);
    assert!(matches!(sign("no request"), Err(TlsError::Request(_))));
    assert!(matches!(
        sign(&"x".repeat(MAX_CSR_BYTES + 1)),
        Err(TlsError::Request(_))
    ));
    // One changed byte of the signed part.
    let request = SigningRequest::create("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
    let tampered = request.csr_pem().replacen("YWFhYWFh", "YWFiYWFh", 1);
    assert_ne!(tampered, request.csr_pem());
    assert!(matches!(sign(&tampered), Err(TlsError::Request(_))));
}

#[test]
fn a_key_file_is_private_and_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(IDENTITY_FILE);
    assert!(KeyedCert::load(&path).unwrap().is_none());
    let cert = leaf(&authority(), "proxy");
    cert.store(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let loaded = KeyedCert::load(&path).unwrap().unwrap();
    assert_eq!(loaded.identity(), Some(identity("proxy")));
    assert_eq!(loaded.to_pem(), cert.to_pem());
    assert!(!format!("{loaded:?}").contains("PRIVATE"));

    let now = crate::clock::now_ms();
    assert!(!loaded.needs_renewal(now));
    assert!(loaded.needs_renewal(loaded.not_after_ms() - DAY_MS));
    // Issued by a clock that was far ahead.
    assert!(loaded.needs_renewal(now - 2 * DAY_MS));
}

#[test]
fn certificates_survive_the_way_through_pem() {
    let ca = authority();
    let certs = CaCerts::from_pem(ca.certificate_pem()).unwrap();
    assert_eq!(certs, ca.certs());
    assert_eq!(CaCerts::from_pem(&certs.to_pem()).unwrap(), certs);
    assert_eq!(certs.fingerprints(), [ca.fingerprint_hex()]);
    assert!(matches!(
        CaCerts::from_pem(""),
        Err(TlsError::NoCertificate)
    ));
    assert!(constant_time_eq(b"abc", b"abc") && !constant_time_eq(b"abc", b"abd"));
}

#[test]
fn an_open_listener_knows_who_shows_a_certificate_and_serves_who_shows_none() {
    let (ours, foreign) = (authority(), authority());
    let trust = TrustSlot::new(&ours.certs()).unwrap();
    let serve = || {
        let own = CertSlot::new(&leaf(&ours, ROLE_INSTANCE));
        following_open_server_config(own, &trust).unwrap()
    };
    let client = |own: Option<KeyedCert>| {
        let own = own.map(|own| CertSlot::new(&own));
        client_config(&ours.certs(), Expect::Name, own).unwrap()
    };
    assert_eq!(handshake(serve(), client(None), "d.test"), Ok(None));
    assert_eq!(
        handshake(serve(), client(Some(leaf(&ours, ROLE_PROXY))), "d.test"),
        Ok(Some(identity(ROLE_PROXY)))
    );
    let refused = handshake(serve(), client(Some(leaf(&foreign, ROLE_PROXY))), "d.test");
    assert!(
        refused.is_err(),
        "another authority is refused: {refused:?}"
    );
}

#[test]
fn whom_a_listener_and_a_client_trust_is_replaced_while_they_run() {
    let (old, new) = (authority(), authority());
    let both = CaCerts::from_der([old.certs().certs(), new.certs().certs()].concat());
    let (server_trust, client_trust) = (
        TrustSlot::new(&old.certs()).unwrap(),
        TrustSlot::new(&old.certs()).unwrap(),
    );
    let (server_slot, client_slot) = (
        CertSlot::new(&leaf(&old, "director")),
        CertSlot::new(&leaf(&old, "proxy")),
    );
    let server = following_server_config(server_slot.clone(), &server_trust).unwrap();
    let own = Some(client_slot.clone());
    let client = following_client_config(&client_trust, role("director"), own).unwrap();
    let met = || handshake(server.clone(), client.clone(), "x");
    assert_eq!(met(), Ok(Some(identity("proxy"))));
    server_slot.replace(&leaf(&new, "director"));
    assert!(
        met().unwrap_err().starts_with("client:"),
        "a stranger was believed"
    );
    client_trust.replace(&both).unwrap();
    assert_eq!(met(), Ok(Some(identity("proxy"))));
    client_slot.replace(&leaf(&new, "proxy"));
    assert!(
        met().unwrap_err().starts_with("server:"),
        "a stranger was let in"
    );
    server_trust.replace(&both).unwrap();
    assert_eq!(met(), Ok(Some(identity("proxy"))));
    // The old one counts no more, also for who has met before.
    server_trust.replace(&new.certs()).unwrap();
    assert_eq!(met(), Ok(Some(identity("proxy"))));
    client_slot.replace(&leaf(&old, "proxy"));
    assert!(
        met().unwrap_err().starts_with("server:"),
        "a session was resumed"
    );
    let open = following_open_server_config(server_slot, &server_trust).unwrap();
    assert!(
        handshake(open.clone(), client.clone(), "x").is_err(),
        "a stranger was let in"
    );
    client_slot.replace(&leaf(&new, "proxy"));
    assert_eq!(handshake(open, client, "x"), Ok(Some(identity("proxy"))));
    assert!(
        server_trust
            .replace(&CaCerts::from_der(Vec::new()))
            .is_err()
    );
    assert_eq!(server_trust.certs(), new.certs(), "nobody is trusted");
}
