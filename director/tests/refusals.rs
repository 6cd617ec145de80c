//! Who is turned away at the roles' port, with which code, and that the audit log says so: a
//! certificate of nobody, of another platform, of another role, of a host that left, one that claims
//! to be somebody else, and a session that a newer one of the same identity replaced.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod platform;

use std::sync::Arc;

use platform::{Files, HandAllocator, Process, call, eventually, mutation, open_session};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming, transport::Channel};
use wharf_director::propose::{ProposalError, Proposer};
use wharf_director_core::{
    command::{Body, DeleteRepository},
    refusal::codes,
};
use wharf_proto::{coded, v1};
use wharf_runtime::{
    clock,
    platform_file::PlatformFile,
    random,
    tls::{Authority, Identity, LeafSpec, ROLE_ALLOCATOR, SigningRequest},
};
use wharf_services::v1::{
    directors_client::DirectorsClient, enrollment_client::EnrollmentClient,
    events_client::EventsClient, route_session_client::RouteSessionClient,
};

fn code_of(status: &Status) -> String {
    coded::decode(status.details())
        .map(|info| info.code)
        .unwrap_or_default()
}

/// The audit log has a line with all of that.
async fn audited(people: &Channel, action: &str, parts: &[&str]) {
    eventually(
        &format!("{action} with {parts:?} is in the audit log"),
        || async {
            let listed = EventsClient::new(people.clone())
                .list_events(call(v1::ListEventsRequest::default()))
                .await
                .unwrap()
                .into_inner();
            let mut lines = listed.events.iter().map(|event| format!("{event:?}"));
            let told = |line: String| {
                line.contains(action) && parts.iter().all(|part| line.contains(part))
            };
            lines.any(told).then_some(())
        },
    )
    .await;
}

async fn ending(orders: &mut Streaming<v1::AllocatorOrder>) -> Status {
    loop {
        match orders.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the session ended without a word"),
            Err(status) => return status,
        }
    }
}

async fn routes_of(channel: Channel) -> Result<(), Status> {
    let (reports, stream) = tokio::sync::mpsc::channel(1);
    let opened = RouteSessionClient::new(channel)
        .session(ReceiverStream::new(stream))
        .await;
    drop(reports);
    opened.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_the_platforms_or_not_the_roles_is_refused_and_told() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);

    // Another authority's: refused before it can say anything.
    let other = Authority::create(&files.platform.platform_id, clock::now_ms()).unwrap();
    let id = random::new_id();
    let identity = Identity::new(&files.platform.platform_id, ROLE_ALLOCATOR, &id).unwrap();
    let forged = other
        .issue(&LeafSpec::for_identity(identity), clock::now_ms())
        .unwrap();
    let refused = routes_of(files.channel(process.internal, Some(&forged))).await;
    assert_eq!(
        code_of(&refused.expect_err("a forged certificate was let in")),
        "",
        "it was let in far enough to be answered"
    );
    audited(&people, "role_refused", &["DIR0076", "127.0.0.1"]).await;

    // One that has expired, of the right authority.
    let identity = Identity::new(&files.platform.platform_id, ROLE_ALLOCATOR, &id).unwrap();
    let spec = LeafSpec {
        days: 1,
        ..LeafSpec::for_identity(identity)
    };
    let expired = files
        .authority
        .issue(&spec, clock::now_ms() - 10 * 24 * 3_600_000)
        .unwrap();
    let refused = routes_of(files.channel(process.internal, Some(&expired))).await;
    assert_eq!(
        code_of(&refused.expect_err("an expired certificate was let in")),
        "",
        "it was let in far enough to be answered"
    );
    audited(&people, "role_refused", &["DIR0076", "xpired"]).await;

    // The right authority, another platform.
    let identity = Identity::new(random::new_id(), ROLE_ALLOCATOR, &id).unwrap();
    let stranger = files
        .authority
        .issue(&LeafSpec::for_identity(identity), clock::now_ms())
        .unwrap();
    let refused = routes_of(files.channel(process.internal, Some(&stranger))).await;
    assert_eq!(code_of(&refused.unwrap_err()), "DIR0051");
    audited(
        &people,
        "role_refused",
        &["DIR0051", &id, "no role of this platform"],
    )
    .await;

    // An allocator's certificate at what is a proxy's, and a director's.
    let allocator = files.identity(ROLE_ALLOCATOR, &files.bootstrap.allocator_id);
    let channel = files.channel(process.internal, Some(&allocator));
    let refused = routes_of(channel.clone()).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0051");
    let refused = DirectorsClient::new(channel)
        .add_director(v1::AddDirectorRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        code_of(&refused),
        "DIR0051",
        "an allocator was given the platform's keys"
    );
    audited(
        &people,
        "role_refused",
        &["DIR0051", &files.bootstrap.allocator_id, "may not do this"],
    )
    .await;

    // Its own role, somebody else's name.
    let victim = random::new_id();
    let claimer = files.bootstrap.allocator_id.clone();
    let (_reports, orders) = open_session(&files, &process, &claimer, &victim, 0).await;
    let refused = ending(&mut orders.unwrap()).await;
    assert_eq!(code_of(&refused), "DIR0070");
    audited(
        &people,
        "role_refused",
        &["DIR0070", &claimer, "another allocator"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_session_of_an_identity_wins_and_the_older_is_told_why_it_ends() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);
    let id = files.bootstrap.allocator_id.clone();
    let (old_reports, older) = open_session(&files, &process, &id, &id, 0).await;
    let mut older = older.unwrap();
    older
        .message()
        .await
        .unwrap()
        .expect("the older session is welcome");
    let mut newer = HandAllocator::connect(&files, &process).await;
    let ended = ending(&mut older).await;
    assert_eq!(
        (ended.code(), code_of(&ended)),
        (Code::Aborted, "DIR0070".to_owned())
    );
    audited(
        &people,
        "role_refused",
        &["DIR0070", &id, "a newer session"],
    )
    .await;
    // What the older still says counts no more; the newer goes on.
    let late = v1::AllocatorReport {
        report: Some(v1::allocator_report::Report::Heartbeat(
            v1::AllocatorHeartbeat {
                applied_generation: 999,
                ..Default::default()
            },
        )),
    };
    let _ = old_reports.send(late).await;
    assert!(newer.obey_one().await, "the newer session ended, too");
    newer.report().await;
    let known = id.parse().unwrap();
    let seen = &process.running().director.seen;
    let applied = || async {
        let core = seen.core();
        let seen = core
            .allocators
            .get::<wharf_proto::ids::AllocatorId>(&known)?;
        (seen.connected && seen.reported).then_some(seen.applied_generation)
    };
    let applied = eventually("the newer session's report is known", applied).await;
    assert_ne!(applied, 999, "a replaced session was believed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_used_up_or_taken_back_and_a_host_that_left_are_told_to_the_audit_log() {
    let mut files = Files::new();
    files.platform.advertised_address = "10.0.0.5".into();
    let bytes = serde_json::to_vec(&files.platform).unwrap();
    std::fs::write(PlatformFile::path(files.dir.path()), bytes).unwrap();
    let process = Process::start(&files).await;
    let people = files.channel(process.admin, None);
    let mut enrollment = EnrollmentClient::new(people.clone());
    let make = v1::CreateEnrollmentTokenRequest {
        mutation: mutation(),
        roles: vec!["collector".into()],
        zone: "zone-b".into(),
        uses: 1,
        ..Default::default()
    };
    let made = enrollment
        .create_enrollment_token(call(make))
        .await
        .unwrap()
        .into_inner();
    let token_id = made.token.unwrap().id;
    let key = SigningRequest::create("allocator").unwrap();
    let request = |host: &str, csr: &str| v1::EnrollRequest {
        mutation: mutation(),
        token: made.secret.clone(),
        host: host.into(),
        advertised_address: format!("10.0.1.{}", host.len()),
        allocator_csr_pem: csr.into(),
        ..Default::default()
    };
    let joined = enrollment
        .enroll(request("b", key.csr_pem()))
        .await
        .unwrap()
        .into_inner();
    let refused = enrollment
        .enroll(request("cc", key.csr_pem()))
        .await
        .unwrap_err();
    assert_eq!(
        code_of(&refused),
        "DIR0048",
        "a token of one use was used twice"
    );
    audited(&people, "enroll_host", &["DIR0048", "host/cc"]).await;
    let revoke = v1::RevokeEnrollmentTokenRequest {
        mutation: mutation(),
        id: token_id,
    };
    enrollment
        .revoke_enrollment_token(call(revoke))
        .await
        .unwrap();
    let stolen = enrollment
        .enroll(request("ddd", key.csr_pem()))
        .await
        .unwrap_err();
    assert_eq!(
        code_of(&stolen),
        "DIR0048",
        "a token that was taken back lets in"
    );
    audited(&people, "enroll_host", &["DIR0048", "host/ddd"]).await;

    let id = joined.allocator_id.clone();
    let (_reports, orders) = open_session(&files, &process, &id, &id, 0).await;
    let mut orders = orders.unwrap();
    orders
        .message()
        .await
        .unwrap()
        .expect("who joined is welcome");
    let forget = v1::ForgetHostRequest {
        mutation: mutation(),
        allocator: id.clone(),
        lost: false,
    };
    enrollment.forget_host(call(forget)).await.unwrap();
    let refused = ending(&mut orders).await;
    assert_eq!(
        code_of(&refused),
        "DIR0077",
        "the session of a host that left goes on"
    );
    let (_reports, orders) = open_session(&files, &process, &id, &id, 0).await;
    let refused = ending(&mut orders.unwrap()).await;
    assert_eq!(code_of(&refused), "DIR0077", "a host that left is back");
    audited(&people, "role_refused", &["DIR0077", &id]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_a_member_may_not_know_is_not_written_to_the_log() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let director = &process.running().director;
    let code = async |proposer: &Proposer| {
        let body = Body::DeleteRepository(DeleteRepository {
            name: "none".into(),
            expected_version: 0,
        });
        match proposer.own(body).await {
            Err(ProposalError::Refused(refusal)) => refusal.code,
            other => panic!("there is no such repository: {other:?}"),
        }
    };
    eventually("every member knows the command", async || {
        (code(&director.proposer).await == codes::NOT_FOUND).then_some(())
    })
    .await;
    // The same director, as if the platform had a member of the first version: applied, the answer is the same.
    let older = Proposer::new(
        director.raft.clone(),
        Arc::default(),
        director.clock.clone(),
    );
    assert_eq!(code(&older).await, codes::FEATURE_LEVEL);
}
