//! Probes against listeners with certificates of the platform, on loopback.

use std::convert::Infallible;

use hyper::{Response, StatusCode, service::service_fn};
use wharf_allocator_core::reconcile::InstanceView;
use wharf_runtime::{
    clock,
    net::{self, Limits},
    platform_file::Ports,
    task,
    tls::{
        Authority, CaCerts, CertSlot, Identity, LeafSpec, TrustSlot, install_provider,
        server_config,
    },
};

use super::*;
use crate::reconcile_task::Reported;

const PLATFORM: &str = "ffffffffffffffffffffffffffffffff";

/// A listener that answers every request with a status, as `instance`.
async fn listen(
    authority: &Authority,
    instance: &InstanceId,
    status: StatusCode,
    shutdown: &Shutdown,
) -> u32 {
    let body = br#"{"status":"ready","credentials":"c0ffee"}"#;
    let answer = watch::channel((status, body.as_slice())).1;
    listen_with(authority, instance, answer, shutdown).await
}

/// The same with an answer that changes.
async fn listen_with(
    authority: &Authority,
    instance: &InstanceId,
    answer: watch::Receiver<(StatusCode, &'static [u8])>,
    shutdown: &Shutdown,
) -> u32 {
    let identity = Identity::new(PLATFORM, ROLE_INSTANCE, instance.as_str()).unwrap();
    let leaf = authority
        .issue(&LeafSpec::for_identity(identity), clock::now_ms())
        .unwrap();
    let config = server_config(CertSlot::new(&leaf)).unwrap();
    let listener = net::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let factory = move |_: &_| {
        let answer = answer.clone();
        service_fn(move |_| {
            let (status, body) = *answer.borrow();
            let mut response = Response::new(Full::new(Bytes::from_static(body)));
            *response.status_mut() = status;
            async move { Ok::<_, Infallible>(response) }
        })
    };
    let served = net::serve_tls(
        listener,
        config,
        factory,
        shutdown.clone(),
        Limits::default(),
    );
    task::spawn("instance", served);
    u32::from(port)
}

fn running(id: &InstanceId, port: u32) -> Reported {
    Reported {
        view: InstanceView {
            id: id.clone(),
            state: InstanceState::Running,
            container: Some("c".into()),
            spec_hash: String::new(),
            image_id: String::new(),
            reason: String::new(),
            error_code: String::new(),
            restarts: 0,
            started_ms: Some(1),
            exit: None,
            data_present: true,
        },
        port,
        tail: vec![],
    }
}

/// A prober of what a report says.
fn probing(
    data_dir: &std::path::Path,
    report: watch::Receiver<Report>,
    clock: &Clock,
    shutdown: &Shutdown,
) -> (tokio::task::JoinHandle<()>, watch::Receiver<Healths>) {
    let (healths, health) = watch::channel(Healths::default());
    let probe = ProbeTask {
        platform: PlatformFile {
            platform_id: PLATFORM.into(),
            name: "test".into(),
            domain: "localhost".into(),
            advertised_address: "127.0.0.1".into(),
            bind_address: "127.0.0.1".into(),
            zone: String::new(),
            host: String::new(),
            ports: Ports::default(),
            directors: vec![],
        },
        trust: TrustSlot::new(&CaCerts::load(data_dir.join("ca.pem")).unwrap()).unwrap(),
        report,
        healths,
        clock: clock.clone(),
    };
    let task = task::spawn("probe", probe.run(shutdown.clone()));
    (task, health)
}

#[tokio::test]
async fn only_the_named_instance_that_answers_well_is_healthy() {
    install_provider();
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(PLATFORM, clock::now_ms()).unwrap();
    std::fs::write(dir.path().join("ca.pem"), authority.certificate_pem()).unwrap();
    let shutdown = Shutdown::new();
    let ids: Vec<InstanceId> = (1..=4)
        .map(|byte| InstanceId::from_bytes([byte; 16]))
        .collect();
    let [well, failing, impostor, absent] = ids.as_slice() else {
        unreachable!()
    };
    let instances = vec![
        running(
            well,
            listen(&authority, well, StatusCode::OK, &shutdown).await,
        ),
        running(
            failing,
            listen(&authority, failing, StatusCode::BAD_GATEWAY, &shutdown).await,
        ),
        // Another instance took the port.
        running(
            impostor,
            listen(&authority, well, StatusCode::OK, &shutdown).await,
        ),
        running(absent, 1),
    ];
    let (_report, reports) = watch::channel(Report {
        looked: true,
        instances,
        ..Report::default()
    });
    let test_clock = Clock::manual(0);
    let (task, mut health) = probing(dir.path(), reports, &test_clock, &shutdown);
    let verdict = |healths: &Healths, id: &InstanceId| {
        known_of(healths, id, "c", Some(1)).map_or(Verdict::Unknown, Known::verdict)
    };
    let credentials = |healths: &Healths, id: &InstanceId| {
        known_of(healths, id, "c", Some(1)).map(|known| known.credentials().to_owned())
    };
    health
        .wait_for(|all| verdict(all, well) == Verdict::Healthy)
        .await
        .unwrap();
    for id in [failing, impostor, absent] {
        assert_eq!(
            verdict(&health.borrow(), id),
            Verdict::Unknown,
            "it may still be starting"
        );
    }
    // Their time to start is over.
    test_clock.advance_ms(120_000);
    for id in [failing, impostor, absent] {
        health
            .wait_for(|all| verdict(all, id) == Verdict::Unhealthy)
            .await
            .unwrap();
    }
    assert_eq!(verdict(&health.borrow(), well), Verdict::Healthy);
    assert_eq!(
        credentials(&health.borrow(), well).as_deref(),
        Some("c0ffee"),
        "what it says of its credentials is passed on"
    );
    assert_eq!(credentials(&health.borrow(), failing).as_deref(), Some(""));
    // Another run of the container has not been seen yet.
    assert!(known_of(&health.borrow(), well, "c", Some(2)).is_none());
    shutdown.trigger();
    task.await.unwrap();
}

#[tokio::test]
async fn an_instance_whose_data_is_still_copied_runs_is_not_healthy_and_says_how_far_it_is() {
    install_provider();
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(PLATFORM, clock::now_ms()).unwrap();
    std::fs::write(dir.path().join("ca.pem"), authority.certificate_pem()).unwrap();
    let shutdown = Shutdown::new();
    let id = InstanceId::from_bytes([1; 16]);
    let copying: &[u8] = br#"{"status":"copying","copy":
        {"stage":"copying","bytes_done":12,"bytes_total":40,"pause_ms":0,"reason":""}}"#;
    let (answer, answers) = watch::channel((StatusCode::SERVICE_UNAVAILABLE, copying));
    let port = listen_with(&authority, &id, answers, &shutdown).await;
    let report = Report {
        looked: true,
        instances: vec![running(&id, port)],
        ..Report::default()
    };
    let (_report, reports) = watch::channel(report.clone());
    let (task, mut health) = probing(dir.path(), reports, &Clock::manual(0), &shutdown);
    let told = |healths: &Healths| {
        let told = crate::reports::instances(&report, healths).instances;
        told.into_iter().next().unwrap()
    };
    let stage =
        |healths: &Healths, stage: &str| told(healths).copy.is_some_and(|copy| copy.stage == stage);
    health.wait_for(|all| stage(all, "copying")).await.unwrap();
    let one = told(&health.borrow());
    assert_eq!(one.state(), wharf_proto::v1::InstanceState::Running);
    assert_eq!(one.health(), wharf_proto::v1::Health::Unhealthy);
    let copy = one.copy.unwrap();
    assert_eq!((copy.bytes_done, copy.bytes_total), (12, 40));
    // Well by its status alone it is not healthy while it says that it has not taken over.
    let ready: &[u8] = br#"{"status":"ready","copy":{"stage":"ready"}}"#;
    answer.send_replace((StatusCode::OK, ready));
    health.wait_for(|all| stage(all, "ready")).await.unwrap();
    let one = told(&health.borrow());
    assert_eq!(one.health(), wharf_proto::v1::Health::Unhealthy);
    let serving: &[u8] = br#"{"status":"ready","credentials":"c",
        "copy":{"stage":"serving","bytes_done":40,"bytes_total":40,"pause_ms":70}}"#;
    answer.send_replace((StatusCode::OK, serving));
    health.wait_for(|all| stage(all, "serving")).await.unwrap();
    let one = told(&health.borrow());
    assert_eq!(one.health(), wharf_proto::v1::Health::Healthy);
    assert_eq!(one.copy.unwrap().pause_ms, 70);
    // Over, or said in words that no contract has.
    answer.send_replace((StatusCode::OK, br#"{"copy":{"stage":"beaming"}}"#));
    health
        .wait_for(|all| told(all).copy.is_none())
        .await
        .unwrap();
    shutdown.trigger();
    task.await.unwrap();
}

proptest::proptest! {
    #[test]
    fn any_answer_is_read_and_bounded(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300), text in ".{0,2000}") {
        let status = StatusCode::OK;
        assert!(Answer::read(status, &body).said.copy.is_none());
        let said = serde_json::json!({"credentials": text, "copy": {"stage": "failed", "reason": text}});
        let answer = Answer::read(status, &serde_json::to_vec(&said).unwrap());
        assert!(answer.said.credentials.chars().count() <= health_answer::MAX_CREDENTIALS);
        assert!(answer.said.copy.unwrap().reason.chars().count() <= 300);
    }
}
