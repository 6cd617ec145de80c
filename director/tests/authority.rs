//! The platform's authority is changed under roles that follow their orders by the very parts that
//! allocators and proxies use: both are trusted, certificates are of the new one, the old one is trusted
//! no more; sessions go on, clients that fetch the authorities are never refused, a role that is away is
//! named and waited for, a change is taken back, and the director that is killed goes on with it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod platform;

use std::{path::PathBuf, sync::Arc, time::Duration};

use platform::{Files, HandProxy, Process, call, eventually, mutation};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};
use wharf_director_core::command::{Body, PutSecret};
use wharf_proto::{
    coded,
    v1::{self, allocator_order, allocator_report, proxy_report, route_order},
};
use wharf_runtime::{
    followed_authority::FollowedAuthority,
    net::{Addresses, channel},
    renewal_task::Renewal,
    task::{Shutdown, Tasks},
    tls::{
        CaCerts, CertSlot, Expect, ExpectedIdentity, IDENTITY_FILE, KeyedCert, ROLE_ALLOCATOR,
        ROLE_DIRECTOR, ROLE_PROXY, client_config, following_client_config,
    },
};
use wharf_services::v1::{
    allocator_session_client::AllocatorSessionClient, enrollment_client::EnrollmentClient,
    platform_client::PlatformClient, route_session_client::RouteSessionClient,
};

/// A role of a host: its files, and what it follows.
struct Role {
    dir: tempfile::TempDir,
    name: &'static str,
    id: String,
}

/// A role that runs.
struct Live {
    tasks: Tasks,
    followed: Arc<FollowedAuthority>,
    slot: Arc<CertSlot>,
}

impl Role {
    fn new(files: &Files, name: &'static str, id: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = files.authority.certificate_pem();
        std::fs::write(dir.path().join("ca.pem"), ca).unwrap();
        let own = files.identity(name, id);
        own.store(dir.path().join(IDENTITY_FILE)).unwrap();
        let id = id.to_owned();
        Self { dir, name, id }
    }

    fn identity_path(&self) -> PathBuf {
        self.dir.path().join(IDENTITY_FILE)
    }

    /// Starts it from its files.
    fn start(&self, process: &Process) -> Live {
        let ca_path = self.dir.path().join("ca.pem");
        let ca = CaCerts::load(&ca_path).unwrap();
        let own = KeyedCert::load(self.identity_path()).unwrap().unwrap();
        let slot = CertSlot::new(&own);
        let followed = FollowedAuthority::new(ca_path, &ca, Arc::clone(&slot)).unwrap();
        let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
        let config =
            following_client_config(followed.trust(), expect, Some(Arc::clone(&slot))).unwrap();
        let channel = channel(&Addresses::new([process.internal.to_string()]), config);
        let tasks = Tasks::with_shutdown(Shutdown::new());
        let renewal = Renewal {
            path: self.identity_path(),
            slot: Arc::clone(&slot),
            common_name: self.name.to_owned(),
            wanted: followed.wanted(),
        };
        let enrollment = EnrollmentClient::new(channel.clone());
        let ask = move |csr_pem| {
            let mut client = enrollment.clone();
            async move {
                let answer = client.renew(v1::RenewRequest { csr_pem }).await;
                answer.map(|answer| answer.into_inner().certificate_pem)
            }
        };
        tasks.spawn("renewal", renewal.run(ask, |_| {}, tasks.token()));
        let (id, held) = (self.id.clone(), Arc::clone(&followed));
        if self.name == ROLE_PROXY {
            tasks.spawn("session", proxy_session(channel, id, held));
        } else {
            tasks.spawn("session", allocator_session(channel, id, held));
        }
        Live {
            tasks,
            followed,
            slot,
        }
    }
}

fn report(followed: &FollowedAuthority) -> Option<v1::AuthorityReport> {
    let own = followed.report();
    (own.generation > 0).then_some(v1::AuthorityReport {
        generation: own.generation,
        trusted: own.trusted,
        issuer: own.issuer,
        uses: Vec::new(),
    })
}

/// Says how it is this often.
const BEAT: Duration = Duration::from_millis(50);

async fn allocator_session(channel: Channel, id: String, followed: Arc<FollowedAuthority>) {
    loop {
        let (reports, stream) = mpsc::channel(16);
        let hello = v1::AllocatorHello {
            session_version: 1,
            allocator_id: id.clone(),
            host: "h1".into(),
            zone: "zone-1".into(),
            advertised_address: "127.0.0.1".into(),
            port_range_start: 18_000,
            port_range_end: 18_999,
            ..Default::default()
        };
        let first = allocator_report::Report::Hello(hello);
        reports
            .send(v1::AllocatorReport {
                report: Some(first),
            })
            .await
            .unwrap();
        let opened = AllocatorSessionClient::new(channel.clone())
            .session(ReceiverStream::new(stream))
            .await;
        let Ok(opened) = opened else {
            tokio::time::sleep(BEAT).await;
            continue;
        };
        let mut orders = opened.into_inner();
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                order = orders.message() => {
                    let Ok(Some(order)) = order else { break };
                    if let Some(allocator_order::Order::Authority(order)) = order.order {
                        followed.take(order.generation, &order.ca_pem, &order.issuer).unwrap();
                    }
                }
                _ = beat.tick() => {
                    let beat = v1::AllocatorHeartbeat {
                        authority: report(&followed),
                        ..Default::default()
                    };
                    let report = Some(allocator_report::Report::Heartbeat(beat));
                    let _ = reports.try_send(v1::AllocatorReport { report });
                }
            }
        }
    }
}

async fn proxy_session(channel: Channel, id: String, followed: Arc<FollowedAuthority>) {
    loop {
        let (reports, stream) = mpsc::channel(16);
        let hello = v1::ProxyHello {
            session_version: 1,
            proxy_id: id.clone(),
            host: "h1".into(),
            zone: "zone-1".into(),
            ..Default::default()
        };
        let report_of = |report| v1::ProxyReport {
            report: Some(report),
        };
        let first = report_of(proxy_report::Report::Hello(hello));
        reports.send(first).await.unwrap();
        let opened = RouteSessionClient::new(channel.clone())
            .session(ReceiverStream::new(stream))
            .await;
        let Ok(opened) = opened else {
            tokio::time::sleep(BEAT).await;
            continue;
        };
        let mut orders = opened.into_inner();
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                order = orders.message() => {
                    let Ok(Some(order)) = order else { break };
                    if let Some(route_order::Order::Authority(order)) = order.order {
                        followed.take(order.generation, &order.ca_pem, &order.issuer).unwrap();
                    }
                }
                _ = beat.tick() => {
                    let beat = v1::ProxyHeartbeat {
                        authority: report(&followed),
                        ..Default::default()
                    };
                    let _ = reports.try_send(report_of(proxy_report::Report::Heartbeat(beat)));
                }
            }
        }
    }
}

/// People's connection that trusts the given authorities.
fn people(process: &Process, ca_pem: &str) -> Channel {
    let ca = CaCerts::from_pem(ca_pem).unwrap();
    let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
    let config = client_config(&ca, expect, None).unwrap();
    channel(&Addresses::new([process.admin.to_string()]), config)
}

async fn shown(channel: &Channel) -> Result<v1::Authority, Status> {
    PlatformClient::new(channel.clone())
        .get_authority(call(v1::GetAuthorityRequest {}))
        .await
        .map(tonic::Response::into_inner)
}

async fn rotate(
    channel: &Channel,
    dry_run: bool,
    trust_seconds: u64,
) -> Result<v1::Authority, Status> {
    let request = v1::RotateAuthorityRequest {
        mutation: mutation(),
        trust_seconds,
        dry_run,
    };
    PlatformClient::new(channel.clone())
        .rotate_authority(call(request))
        .await
        .map(tonic::Response::into_inner)
}

async fn cancel(channel: &Channel) -> Result<v1::Authority, Status> {
    let request = v1::CancelAuthorityRotationRequest {
        mutation: mutation(),
    };
    PlatformClient::new(channel.clone())
        .cancel_authority_rotation(call(request))
        .await
        .map(tonic::Response::into_inner)
}

fn code_of(status: &Status) -> String {
    coded::decode(status.details())
        .map(|info| info.code)
        .unwrap_or_default()
}

/// A client that fetches the authorities over the connection that it still trusts, as they change.
struct Client {
    ca_pem: String,
}

impl Client {
    /// Looks over a new connection, and learns; any refusal fails the test.
    async fn look(&mut self, process: &Process) -> v1::Authority {
        let found = shown(&people(process, &self.ca_pem)).await;
        let found = found.unwrap_or_else(|status| panic!("a client was refused: {status:?}"));
        self.ca_pem.clone_from(&found.ca_pem);
        found
    }

    async fn until(&mut self, process: &Process, phase: &str) -> v1::Authority {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let found = self.look(process).await;
            if found.phase == phase {
                return found;
            }
            let waits = &found.waits;
            assert!(
                tokio::time::Instant::now() < deadline,
                "never in {phase}: it is in {} and waits for {waits:?}",
                found.phase
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_changes_under_roles_and_clients_and_nobody_is_refused() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let old = files.authority.fingerprint_hex();
    let allocator = Role::new(&files, ROLE_ALLOCATOR, &files.bootstrap.allocator_id);
    let proxy = Role::new(&files, ROLE_PROXY, &files.bootstrap.proxy_id);
    let (a, p) = (allocator.start(&process), proxy.start(&process));
    let mut client = Client {
        ca_pem: files.authority.certificate_pem().to_owned(),
    };
    let connected = || async {
        let core = process.running().director.seen.core();
        let both = core.allocators.values().any(|seen| seen.connected)
            && core.proxies.values().any(|seen| seen.connected);
        both.then_some(())
    };
    eventually("both roles are connected", connected).await;
    let since = process.running().director.seen.core();
    let since: Vec<u64> = since
        .allocators
        .values()
        .map(|seen| seen.since_ms)
        .collect();
    let found = client.look(&process).await;
    assert_eq!((found.phase.as_str(), &found.issuing), ("rest", &old));

    let dry = rotate(&people(&process, &client.ca_pem), true, 0)
        .await
        .unwrap();
    assert_eq!(
        (dry.phase.as_str(), dry.waits.len()),
        ("rest", 0),
        "{dry:?}"
    );
    rotate(&people(&process, &client.ca_pem), false, 0)
        .await
        .unwrap();
    let done = client.until(&process, "rest").await;
    let new = done.issuing.clone();
    assert_ne!(new, old, "the old authority still issues");
    assert_eq!((done.other.as_str(), done.cancelled), ("", false));
    for live in [&a, &p] {
        assert_eq!(live.slot.issuer().as_deref(), Some(new.as_str()));
        assert_eq!(live.followed.report().trusted, std::slice::from_ref(&new));
    }
    let own = process.running().director.authority.report();
    assert_eq!((own.issuer, own.trusted), (new.clone(), vec![new.clone()]));
    // No session ended for it.
    let now = process.running().director.seen.core();
    let now: Vec<u64> = now.allocators.values().map(|seen| seen.since_ms).collect();
    assert_eq!(now, since, "the allocator's session began anew");
    // The old authority's certificates count no more, on either side.
    let forged = files.identity(ROLE_ALLOCATOR, &files.bootstrap.allocator_id);
    let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
    let trust = CaCerts::from_pem(&client.ca_pem).unwrap();
    let config = client_config(&trust, expect, Some(CertSlot::new(&forged))).unwrap();
    let late = channel(&Addresses::new([process.internal.to_string()]), config);
    let csr = wharf_runtime::tls::SigningRequest::create("x").unwrap();
    let csr_pem = csr.csr_pem().to_owned();
    let refused = EnrollmentClient::new(late)
        .renew(v1::RenewRequest { csr_pem })
        .await;
    assert!(
        refused.is_err(),
        "a certificate of the old authority was renewed"
    );
    assert!(
        shown(&people(&process, files.authority.certificate_pem()))
            .await
            .is_err(),
        "a director still shows a certificate of the old authority"
    );

    // A director that is killed comes back with the new authority alone, and so do roles.
    process.kill().await;
    a.tasks.shutdown().await;
    p.tasks.shutdown().await;
    let process = Process::start(&files).await;
    let found = client.look(&process).await;
    assert_eq!((found.phase.as_str(), &found.issuing), ("rest", &new));
    let _lives = (allocator.start(&process), proxy.start(&process));
    let follows = || async {
        let reports = process.running().director.seen.authorities();
        (reports.allocators.len() == 1 && reports.proxies.len() == 1).then_some(())
    };
    eventually("both roles are back with what is on their disks", follows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_away_is_named_and_waited_for_and_a_killed_director_goes_on() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let allocator = Role::new(&files, ROLE_ALLOCATOR, &files.bootstrap.allocator_id);
    let proxy = Role::new(&files, ROLE_PROXY, &files.bootstrap.proxy_id);
    let (a, p) = (allocator.start(&process), proxy.start(&process));
    let mut client = Client {
        ca_pem: files.authority.certificate_pem().to_owned(),
    };
    let connected = || async {
        let core = process.running().director.seen.core();
        (core.allocators.len() == 1 && core.proxies.len() == 1).then_some(())
    };
    eventually("both roles are connected", connected).await;
    p.tasks.shutdown().await;
    let gone = || async {
        let dry = rotate(&people(&process, &client.ca_pem), true, 0)
            .await
            .unwrap();
        let named = dry.waits.iter().any(|wait| wait.who == "the proxy on h1");
        named.then_some(())
    };
    eventually("a dry run names who is away", gone).await;
    rotate(&people(&process, &client.ca_pem), false, 0)
        .await
        .unwrap();
    let only_the_proxy =
        |found: &v1::Authority| found.waits.len() == 1 && found.waits[0].who == "the proxy on h1";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !only_the_proxy(&client.look(&process).await) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "it waits for others, too"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let again = rotate(&people(&process, &client.ca_pem), false, 0)
        .await
        .unwrap_err();
    assert_eq!(code_of(&again), "DIR0078", "two changes at once");

    // The next leader knows nobody; it waits for all anew, and the change ends when all are there.
    process.kill().await;
    a.tasks.shutdown().await;
    let process = Process::start(&files).await;
    assert_eq!(client.look(&process).await.phase, "trust");
    let a = allocator.start(&process);
    let p = proxy.start(&process);
    let done = client.until(&process, "rest").await;
    assert_eq!(p.slot.issuer().as_deref(), Some(done.issuing.as_str()));
    assert_eq!(a.slot.issuer().as_deref(), Some(done.issuing.as_str()));
    assert_ne!(done.issuing, files.authority.fingerprint_hex());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_taken_back_and_everybody_trusts_the_old_authority_alone() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let old = files.authority.fingerprint_hex();
    let allocator = Role::new(&files, ROLE_ALLOCATOR, &files.bootstrap.allocator_id);
    let proxy = Role::new(&files, ROLE_PROXY, &files.bootstrap.proxy_id);
    let (a, p) = (allocator.start(&process), proxy.start(&process));
    let mut client = Client {
        ca_pem: files.authority.certificate_pem().to_owned(),
    };
    let admin = people(&process, &client.ca_pem);
    let nothing = cancel(&admin).await.unwrap_err();
    assert_eq!(code_of(&nothing), "DIR0078");
    // Clients outside are given an hour: the change stays in its first phase.
    let begun = rotate(&admin, false, 3_600).await.unwrap();
    assert_eq!(begun.phase, "trust");
    let both = || async { (a.followed.report().trusted.len() == 2).then_some(()) };
    eventually("the allocator trusts both", both).await;
    let waits = client.look(&process).await.waits;
    assert!(
        waits.iter().any(|wait| wait.who == "clients outside"),
        "{waits:?}"
    );
    cancel(&admin).await.unwrap();
    let done = client.until(&process, "rest").await;
    assert_eq!((&done.issuing, done.cancelled), (&old, true));
    let alone = || async {
        let all = [&a, &p].map(|live| live.followed.report().trusted);
        all.iter()
            .all(|trusted| *trusted == [old.clone()])
            .then_some(())
    };
    eventually("everybody trusts the old authority alone", alone).await;
    assert_eq!(a.slot.issuer().as_deref(), Some(old.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_another_certificate_has_a_generation_of_its_own_for_who_was_away() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let mut proxy = HandProxy::connect(&files, &process, 0).await;
    while !proxy.table.values().any(|route| route.alias == "system") {
        assert!(proxy.obey_one().await, "the session ended");
    }
    let (held, table) = (proxy.generation, proxy.table.clone());
    drop(proxy);
    // It cannot be opened, so the next leader makes another, as when it needs renewal by then.
    let id = table.keys().next().unwrap();
    let broken = PutSecret {
        name: format!("resource/{id}/identity"),
        sealed: "broken".into(),
    };
    let proposer = &process.running().director.proposer;
    proposer.own(Body::PutSecret(broken)).await.unwrap();
    process.kill().await;

    let process = Process::start(&files).await;
    let mut proxy = HandProxy::connect(&files, &process, held).await;
    while proxy.table.is_empty() {
        assert!(proxy.obey_one().await, "the session ended");
    }
    let renewed = &proxy.table[id].identity_pem;
    assert!(!renewed.is_empty(), "a route without a certificate");
    assert_ne!(*renewed, table[id].identity_pem, "the old certificate");
    assert!(
        proxy.generation > held,
        "generation {held} was given twice with different certificates"
    );
}
