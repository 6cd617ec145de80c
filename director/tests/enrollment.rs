//! Hosts that join over the API: what a token gives, who is turned away and that the audit log says so,
//! what a certificate is good for, its renewal, and that a host which left has none.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod platform;

use std::time::Duration;

use platform::{Files, Process, call, call_as, eventually, mutation};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, transport::Channel};
use wharf_proto::{coded, join_token::JoinToken, v1};
use wharf_runtime::{
    clock,
    net::{Addresses, channel},
    platform_file::PlatformFile,
    tls::{
        CertSlot, Expect, ExpectedIdentity, KeyedCert, ROLE_ALLOCATOR, ROLE_DIRECTOR, ROLE_PROXY,
        SigningRequest, client_config, pinned_client_config,
    },
};
use wharf_services::v1::{
    allocator_session_client::AllocatorSessionClient, allocators_client::AllocatorsClient,
    directors_client::DirectorsClient, enrollment_client::EnrollmentClient,
    events_client::EventsClient, route_session_client::RouteSessionClient,
    users_client::UsersClient,
};

/// Nothing fits on a host that offers this.
const TOO_LITTLE: u64 = 1 << 20;

/// A platform that other hosts reach, though its listeners stay on loopback.
fn reachable() -> Files {
    let mut files = Files::new();
    files.platform.advertised_address = "10.0.0.5".into();
    let bytes = serde_json::to_vec(&files.platform).unwrap();
    std::fs::write(PlatformFile::path(files.dir.path()), bytes).unwrap();
    files
}

fn code_of(status: &Status) -> String {
    coded::decode(status.details())
        .map(|info| info.code)
        .unwrap_or_default()
}

async fn token(channel: &Channel, roles: &[&str], uses: u32) -> v1::CreateEnrollmentTokenResponse {
    let request = v1::CreateEnrollmentTokenRequest {
        mutation: mutation(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        zone: "zone-b".into(),
        lifetime_seconds: 0,
        uses,
    };
    EnrollmentClient::new(channel.clone())
        .create_enrollment_token(call(request))
        .await
        .unwrap()
        .into_inner()
}

/// A host's keys and what it asks for.
struct Joining {
    allocator: SigningRequest,
    proxy: SigningRequest,
    director: SigningRequest,
    request: v1::EnrollRequest,
}

fn joining(token: &str, host: &str, number: u8) -> Joining {
    let allocator = SigningRequest::create("allocator").unwrap();
    let proxy = SigningRequest::create("proxy").unwrap();
    let director = SigningRequest::create("director").unwrap();
    let request = v1::EnrollRequest {
        mutation: mutation(),
        token: token.to_owned(),
        host: host.to_owned(),
        advertised_address: format!("10.0.1.{number}"),
        roles: Vec::new(),
        allocator_csr_pem: allocator.csr_pem().to_owned(),
        proxy_csr_pem: proxy.csr_pem().to_owned(),
        director_csr_pem: director.csr_pem().to_owned(),
        without_engine: false,
    };
    Joining {
        allocator,
        proxy,
        director,
        request,
    }
}

async fn enroll(
    channel: &Channel,
    request: v1::EnrollRequest,
) -> Result<v1::EnrollResponse, Status> {
    // No credentials: the token is all.
    EnrollmentClient::new(channel.clone())
        .enroll(request)
        .await
        .map(tonic::Response::into_inner)
}

/// A channel to the roles' port with a certificate.
fn internal(files: &Files, process: &Process, own: &KeyedCert) -> Channel {
    let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
    let config = client_config(&files.authority.certs(), expect, Some(CertSlot::new(own))).unwrap();
    channel(&Addresses::new([process.internal.to_string()]), config)
}

/// Says hello as an allocator that offers so much. The session stays open while the sender is kept.
async fn hello(
    channel: &Channel,
    id: &str,
    (host, address): (&str, &str),
    memory_bytes: u64,
) -> Result<
    (
        mpsc::Sender<v1::AllocatorReport>,
        tonic::Streaming<v1::AllocatorOrder>,
    ),
    Status,
> {
    let (reports, stream) = mpsc::channel(8);
    let hello = v1::AllocatorHello {
        session_version: 1,
        allocator_id: id.to_owned(),
        host: host.to_owned(),
        zone: "zone-b".into(),
        capacity: Some(v1::Size {
            memory_bytes,
            disk_bytes: 500 << 30,
            cpu_millis: 16_000,
        }),
        advertised_address: address.to_owned(),
        port_range_start: 18_000,
        port_range_end: 18_999,
        ..Default::default()
    };
    let report = v1::AllocatorReport {
        report: Some(v1::allocator_report::Report::Hello(hello)),
    };
    reports.send(report).await.unwrap();
    let mut orders = AllocatorSessionClient::new(channel.clone())
        .session(ReceiverStream::new(stream))
        .await?
        .into_inner();
    // The welcome, or why there is none.
    orders.message().await?;
    Ok((reports, orders))
}

async fn audited(channel: &Channel, part: &str) -> bool {
    let request = v1::ListEventsRequest::default();
    let listed = EventsClient::new(channel.clone())
        .list_events(call(request))
        .await
        .unwrap()
        .into_inner();
    format!("{listed:?}").contains(part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_joins_by_a_token_renews_its_certificate_and_leaves() {
    let files = reachable();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);
    let made = token(&people, &["allocator", "proxy"], 1).await;
    let parsed: JoinToken = made.secret.parse().unwrap();
    assert_eq!(parsed.ca_sha256, files.authority.fingerprint());
    assert_eq!(made.join, format!("{}@10.0.0.5:12443", made.secret));

    // What joins knows the director by the CA's SHA-256 in the token alone.
    let expect = || Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
    let pinned = pinned_client_config(parsed.ca_sha256, expect()).unwrap();
    let stranger = channel(&Addresses::new([process.admin.to_string()]), pinned);
    let wrong = pinned_client_config([7; 32], expect()).unwrap();
    let deceived = channel(&Addresses::new([process.admin.to_string()]), wrong);
    let one = joining(&made.secret, "b", 1);
    let refused = enroll(&deceived, one.request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "another CA was believed");

    let joined = enroll(&stranger, one.request.clone()).await.unwrap();
    assert_eq!(joined.zone, "zone-b");
    assert_eq!(joined.roles, ["allocator", "proxy"]);
    // An answer that was lost is had again by the same request.
    let again = enroll(&stranger, one.request.clone()).await.unwrap();
    assert_eq!(again.allocator_id, joined.allocator_id);
    let other = joining(&made.secret, "c", 2);
    let refused = enroll(&stranger, other.request).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0048", "used twice");

    let allocator = one
        .allocator
        .complete(&joined.allocator_certificate_pem)
        .unwrap();
    let proxy = one.proxy.complete(&joined.proxy_certificate_pem).unwrap();
    for (cert, role, id) in [
        (&allocator, ROLE_ALLOCATOR, &joined.allocator_id),
        (&proxy, ROLE_PROXY, &joined.proxy_id),
    ] {
        let identity = cert.identity().unwrap();
        assert_eq!((identity.role.as_str(), &identity.id), (role, id));
        assert!(cert.names_host("10.0.1.1") && !cert.names_host("10.0.0.5"));
    }
    // A certificate is good for its own role alone.
    let as_proxy = internal(&files, &process, &proxy);
    let refused = hello(&as_proxy, &joined.proxy_id, ("b", "10.0.1.1"), TOO_LITTLE).await;
    assert_eq!(code_of(&refused.unwrap_err()), "DIR0051");
    let as_allocator = internal(&files, &process, &allocator);
    let session = hello(
        &as_allocator,
        &joined.allocator_id,
        ("b", "10.0.1.1"),
        TOO_LITTLE,
    )
    .await;
    let (_reports, mut orders) = session.unwrap();

    let renewal = SigningRequest::create("allocator").unwrap();
    let mut roles = EnrollmentClient::new(as_allocator.clone());
    let request = v1::RenewRequest {
        csr_pem: renewal.csr_pem().to_owned(),
    };
    let renewed = roles.renew(request.clone()).await.unwrap().into_inner();
    let renewed = renewal.complete(&renewed.certificate_pem).unwrap();
    assert_eq!(renewed.identity(), allocator.identity());
    assert!(renewed.names_host("10.0.1.1"));
    // In eight months the first is due, as every hour's look finds, and the new one is not yet.
    let later_ms = clock::now_ms() + 250 * 24 * 3_600_000;
    assert!(allocator.needs_renewal(later_ms) && !allocator.needs_renewal(clock::now_ms()));

    roles.leave(v1::LeaveRequest::default()).await.unwrap();
    let ended = async {
        loop {
            if let Err(status) = orders.message().await {
                return status;
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    assert_eq!(code_of(&ended.expect("the session goes on")), "DIR0077");
    let back = hello(
        &as_allocator,
        &joined.allocator_id,
        ("b", "10.0.1.1"),
        TOO_LITTLE,
    )
    .await;
    assert_eq!(code_of(&back.unwrap_err()), "DIR0077");
    let refused = roles.renew(request).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0071");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_director_gets_its_certificate_by_a_token_and_none_once_its_host_left() {
    let files = reachable();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);
    // A fresh director raises the feature level once it is described.
    let made = eventually("a token for a director", || async {
        let request = v1::CreateEnrollmentTokenRequest {
            mutation: mutation(),
            roles: vec!["director".into()],
            zone: "zone-b".into(),
            ..Default::default()
        };
        let mut enrollment = EnrollmentClient::new(people.clone());
        let made = enrollment.create_enrollment_token(call(request)).await;
        made.ok().map(tonic::Response::into_inner)
    })
    .await;
    let one = joining(&made.secret, "d", 4);
    let broken = v1::EnrollRequest {
        director_csr_pem: "no request".into(),
        ..one.request.clone()
    };
    let refused = enroll(&people, broken).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0071");
    let joined = enroll(&people, one.request).await.unwrap();
    assert_eq!(joined.roles, ["director"]);
    assert_eq!(joined.directors, ["10.0.0.5:12190"]);
    let director = one
        .director
        .complete(&joined.director_certificate_pem)
        .unwrap();
    let identity = director.identity().unwrap();
    assert_eq!(
        (identity.role.as_str(), &identity.id),
        (ROLE_DIRECTOR, &joined.director_id)
    );
    assert!(director.names_host("10.0.1.4") && !director.names_host("10.0.0.5"));

    // Its host leaves before it came: the keys of the platform are not for it.
    let allocator = one
        .allocator
        .complete(&joined.allocator_certificate_pem)
        .unwrap();
    let mut leaving = EnrollmentClient::new(internal(&files, &process, &allocator));
    leaving.leave(v1::LeaveRequest::default()).await.unwrap();
    let request = v1::AddDirectorRequest {
        join_id: "7".repeat(32),
        facts: None,
    };
    let mut directors = DirectorsClient::new(internal(&files, &process, &director));
    let refused = directors.add_director(request).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0081");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_join_is_told_why_and_so_is_the_audit_log() {
    let files = reachable();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);
    let made = token(&people, &["collector"], 2).await;
    let mut enrollment = EnrollmentClient::new(people.clone());

    let more = v1::EnrollRequest {
        roles: vec!["allocator".into()],
        ..joining(&made.secret, "b", 1).request
    };
    let refused = enroll(&people, more).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0049");
    let broken = v1::EnrollRequest {
        allocator_csr_pem: "no request".into(),
        ..joining(&made.secret, "b", 1).request
    };
    let refused = enroll(&people, broken).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0071");
    let local = v1::EnrollRequest {
        advertised_address: "127.0.0.1".into(),
        ..joining(&made.secret, "b", 1).request
    };
    let refused = enroll(&people, local).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0069");
    let long = v1::EnrollRequest {
        host: "h".repeat(200_000),
        ..joining(&made.secret, "b", 1).request
    };
    assert!(
        enroll(&people, long).await.is_err(),
        "a huge request was taken"
    );
    let listed = enrollment
        .list_enrollment_tokens(call(v1::ListEnrollmentTokensRequest::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.tokens[0].used, 0, "a refusal used the token");
    let secret = made.secret.parse::<JoinToken>().unwrap().secret;
    assert!(
        !format!("{listed:?}").contains(&secret),
        "a list has the secret"
    );

    let revoke = v1::RevokeEnrollmentTokenRequest {
        mutation: mutation(),
        id: made.token.unwrap().id,
    };
    enrollment
        .revoke_enrollment_token(call(revoke))
        .await
        .unwrap();
    let inspect = v1::InspectTokenRequest {
        token: made.secret.clone(),
    };
    let refused = enrollment.inspect_token(inspect).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0048");

    // Guessing: another secret for a token that there is. After some tries even looking is refused.
    let guess = JoinToken {
        secret: "0".repeat(64),
        ..made.secret.parse().unwrap()
    };
    let mut codes = Vec::new();
    for _ in 0..20 {
        let request = v1::InspectTokenRequest {
            token: guess.to_text(),
        };
        let refused = enrollment.inspect_token(request).await.unwrap_err();
        codes.push(code_of(&refused));
    }
    assert_eq!(codes.first().map(String::as_str), Some("DIR0074"));
    assert_eq!(codes.last().map(String::as_str), Some("DIR0075"));
    for part in ["DIR0048", "DIR0049", "DIR0074"] {
        eventually(&format!("{part} is in the audit log"), || async {
            audited(&people, part).await.then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_only_watched_has_no_capacity_whatever_it_says() {
    let files = reachable();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);
    let made = token(&people, &["collector"], 1).await;
    let one = joining(&made.secret, "w", 9);
    let joined = enroll(&people, one.request).await.unwrap();
    assert_eq!(
        joined.proxy_certificate_pem, "",
        "a proxy that nobody allowed"
    );
    let cert = one
        .allocator
        .complete(&joined.allocator_certificate_pem)
        .unwrap();
    let channel = internal(&files, &process, &cert);
    let _session = hello(&channel, &joined.allocator_id, ("w", "10.0.1.9"), 16 << 30)
        .await
        .unwrap();
    let request = v1::GetAllocatorRequest {
        allocator: "w".into(),
    };
    let found = AllocatorsClient::new(people)
        .get_allocator(call(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.capacity.unwrap_or_default().memory_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_by_admins_of_a_platform_that_others_reach() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);
    let mut enrollment = EnrollmentClient::new(people.clone());
    let request = |roles: &[&str]| v1::CreateEnrollmentTokenRequest {
        mutation: mutation(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        zone: "zone-b".into(),
        ..Default::default()
    };
    let refused = enrollment
        .create_enrollment_token(call(request(&["proxy"])))
        .await
        .unwrap_err();
    let info = coded::decode(refused.details()).unwrap();
    assert_eq!(info.code, "DIR0047");
    assert!(info.hint.contains("wharf up --advertise"), "{info:?}");

    let viewer = v1::CreateUserRequest {
        mutation: mutation(),
        username: "eve".into(),
        password: "password of eve".into(),
        roles: vec!["platform_viewer".into()],
    };
    UsersClient::new(people)
        .create_user(call(viewer))
        .await
        .unwrap();
    let refused = enrollment
        .create_enrollment_token(call_as("eve", "password of eve", request(&["proxy"])))
        .await
        .unwrap_err();
    assert_eq!(code_of(&refused), "DIR0051");
}

/// Says hello as a proxy. The session stays open while the sender is kept.
async fn proxy_hello(channel: &Channel, id: &str, host: &str) -> mpsc::Sender<v1::ProxyReport> {
    let (reports, stream) = mpsc::channel(8);
    let hello = v1::ProxyHello {
        session_version: 1,
        proxy_id: id.to_owned(),
        host: host.to_owned(),
        zone: "zone-b".into(),
        ..Default::default()
    };
    let report = v1::ProxyReport {
        report: Some(v1::proxy_report::Report::Hello(hello)),
    };
    reports.send(report).await.unwrap();
    let mut orders = RouteSessionClient::new(channel.clone())
        .session(ReceiverStream::new(stream))
        .await
        .unwrap()
        .into_inner();
    orders.message().await.unwrap().expect("a welcome");
    reports
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_an_engine_has_no_allocator_and_its_proxy_speaks_for_it() {
    let files = reachable();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);
    let made = token(&people, &["allocator", "proxy", "director"], 9).await;
    let asks = |host: &str, number: u8, roles: &[&str], without_engine: bool| {
        let mut one = joining(&made.secret, host, number);
        one.request.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        one.request.without_engine = without_engine;
        one
    };
    let more = asks("s", 9, &["allocator", "proxy"], true);
    let refused = enroll(&people, more.request).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0069");
    assert!(
        refused.message().contains("the role allocator"),
        "{refused}"
    );

    let one = asks("s", 9, &["proxy"], true);
    let joined = enroll(&people, one.request).await.unwrap();
    assert_eq!(
        joined.allocator_certificate_pem, "",
        "who may be an allocator?"
    );
    let proxy = one.proxy.complete(&joined.proxy_certificate_pem).unwrap();
    let as_proxy = internal(&files, &process, &proxy);
    let _session = proxy_hello(&as_proxy, &joined.proxy_id, "s").await;
    // No allocator says where the host is: the platform knows it from the enrollment.
    let renewal = SigningRequest::create("proxy").unwrap();
    let mut roles = EnrollmentClient::new(as_proxy);
    let request = v1::RenewRequest {
        csr_pem: renewal.csr_pem().to_owned(),
    };
    let renewed = roles.renew(request).await.unwrap().into_inner();
    let renewed = renewal.complete(&renewed.certificate_pem).unwrap();
    assert!(renewed.names_host("10.0.1.9"));

    // What could be changed by its allocator is refused by name.
    let change = v1::UpdateAllocatorRequest {
        mutation: mutation(),
        allocator: "s".into(),
        maintenance: Some(true),
        ..Default::default()
    };
    let mut allocators = AllocatorsClient::new(people.clone());
    let refused = allocators.update_allocator(call(change)).await.unwrap_err();
    assert!(
        refused.message().contains("no container engine"),
        "{refused}"
    );

    // A proxy beside an allocator speaks for nobody; this one's host leaves by it.
    let other = asks("b", 2, &["allocator", "proxy"], false);
    let beside = enroll(&people, other.request).await.unwrap();
    let beside = other.proxy.complete(&beside.proxy_certificate_pem).unwrap();
    let leave = v1::LeaveRequest::default();
    let refused = EnrollmentClient::new(internal(&files, &process, &beside))
        .leave(leave)
        .await
        .unwrap_err();
    assert_eq!(code_of(&refused), "DIR0051");
    let twin = || asks("s", 10, &["proxy"], true).request;
    let refused = enroll(&people, twin()).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0069", "two hosts of one name");
    roles.leave(leave).await.unwrap();
    enroll(&people, twin()).await.unwrap();
    // The other never came, and is forgotten by its name, as a host that is lost.
    let forget = v1::ForgetHostRequest {
        mutation: mutation(),
        allocator: "s".into(),
        lost: false,
    };
    let mut admin = EnrollmentClient::new(people.clone());
    admin.forget_host(call(forget)).await.unwrap();
    process.kill().await;
}
