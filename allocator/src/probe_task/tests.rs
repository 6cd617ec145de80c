//! Probes against listeners with certificates of the platform, on loopback.

use std::convert::Infallible;

use hyper::{Response, StatusCode, service::service_fn};
use wharf_allocator_core::reconcile::InstanceView;
use wharf_runtime::{
    clock,
    net::{self, Limits},
    platform_file::Ports,
    task,
    tls::{Authority, CertSlot, Identity, LeafSpec, install_provider, server_config},
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
    let identity = Identity::new(PLATFORM, ROLE_INSTANCE, instance.as_str()).unwrap();
    let leaf = authority
        .issue(&LeafSpec::for_identity(identity), clock::now_ms())
        .unwrap();
    let config = server_config(CertSlot::new(&leaf)).unwrap();
    let listener = net::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let factory = move |_: &_| {
        service_fn(move |_| async move {
            let mut answer = Response::new(Full::new(Bytes::from_static(b"{}")));
            *answer.status_mut() = status;
            Ok::<_, Infallible>(answer)
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
    let (healths, mut health) = watch::channel(Healths::default());
    let test_clock = Clock::manual(0);
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
        data_dir: dir.path().to_owned(),
        report: reports,
        healths,
        clock: test_clock.clone(),
    };
    let task = task::spawn("probe", probe.run(shutdown.clone()));
    let verdict = |healths: &Healths, id: &InstanceId| verdict_of(healths, id, "c", Some(1));
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
    // Another run of the container has not been seen yet.
    assert_eq!(
        verdict_of(&health.borrow(), well, "c", Some(2)),
        Verdict::Unknown
    );
    shutdown.trigger();
    task.await.unwrap();
}
