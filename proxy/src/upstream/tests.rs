//! Connections that are kept lead to where the instance is now.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use wharf_runtime::{
    clock,
    net::{self, Limits, PeerInfo},
    task::Shutdown,
    tls::{Authority, Identity, LeafSpec, internal_server_config},
};

use super::*;
use crate::answer::empty;

const PLATFORM: &str = "p";
const INSTANCE: &str = "0123456789abcdef0123456789abcdef";

fn identity(authority: &Authority, role: &str, id: &str) -> Arc<CertSlot> {
    let spec =
        LeafSpec::for_identity(Identity::new(PLATFORM, role, id).unwrap()).with_host("127.0.0.1");
    CertSlot::new(&authority.issue(&spec, clock::now_ms()).unwrap())
}

/// A place of the instance, and how many requests it was sent.
async fn place(authority: &Authority, stop: &Shutdown) -> (SocketAddr, Arc<AtomicUsize>) {
    let slot = identity(authority, ROLE_INSTANCE, INSTANCE);
    let config = internal_server_config(slot, &authority.certs()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let factory = move |_: &PeerInfo| {
        let count = Arc::clone(&count);
        service_fn(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, std::convert::Infallible>(Response::new(empty())) }
        })
    };
    task::spawn(
        "place",
        net::serve_tls(listener, config, factory, stop.clone(), Limits::default()),
    );
    (address, served)
}

async fn send(upstream: &Arc<Upstream>, address: SocketAddr, grpc: bool) {
    let target = Target {
        instance_id: INSTANCE.to_owned(),
        address: address.to_string(),
        zone: "z".to_owned(),
        healthy: true,
    };
    let mut request = Request::new(empty());
    *request.uri_mut() = "http://a/".parse().unwrap();
    let answer = if grpc {
        upstream.send_grpc(&target, request).await
    } else {
        upstream.send(&target, request, false).await
    };
    // Read to its end, so that the connection can be kept.
    drop(answer.unwrap().into_body().collect().await.unwrap());
}

#[tokio::test]
async fn an_instance_that_moved_is_sent_nothing_over_connections_to_its_old_place() {
    wharf_runtime::tls::install_provider();
    let authority = Authority::create(PLATFORM, clock::now_ms()).unwrap();
    let stop = Shutdown::new();
    let (old, at_old) = place(&authority, &stop).await;
    let (new, at_new) = place(&authority, &stop).await;
    for grpc in [false, true] {
        let upstream = Arc::new(Upstream::new(
            TrustSlot::new(&authority.certs()).unwrap(),
            identity(&authority, "proxy", "x"),
            PLATFORM.to_owned(),
        ));
        let before = (at_old.load(Ordering::SeqCst), at_new.load(Ordering::SeqCst));
        send(&upstream, old, grpc).await;
        if !grpc {
            // The connection is kept a moment after the answer.
            while upstream.lock()[INSTANCE].idle.is_empty() {
                tokio::task::yield_now().await;
            }
        }
        send(&upstream, new, grpc).await;
        send(&upstream, new, grpc).await;
        let now = (at_old.load(Ordering::SeqCst), at_new.load(Ordering::SeqCst));
        assert_eq!(
            (now.0 - before.0, now.1 - before.1),
            (1, 2),
            "requests at the old and the new place, gRPC: {grpc}"
        );
    }
    stop.trigger();
}
