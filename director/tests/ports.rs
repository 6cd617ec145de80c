//! One port speaks REST over HTTP/1.1, gRPC over HTTP/2 and gRPC-web; every method is behind the gate.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod platform;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use platform::{Files, PASSWORD, Process, basic, call, call_as};
use prost::Message as _;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use wharf_admin_ui::files::{AdminUi, Serves};
use wharf_director::auth::Rules;
use wharf_proto::{coded, v1};
use wharf_runtime::{
    net::{ClientOptions, HttpsClient},
    tls::{Expect, client_config},
};
use wharf_services::v1::{
    allocator_session_client::AllocatorSessionClient, deployments_client::DeploymentsClient,
    enrollment_client::EnrollmentClient, platform_client::PlatformClient,
};

fn code_of(status: &tonic::Status) -> String {
    coded::decode(status.details())
        .map(|info| info.code)
        .unwrap_or_default()
}

/// A client that offers what ours offer: HTTP/2 first, then HTTP/1.1.
fn https(files: &Files) -> HttpsClient {
    let config = client_config(&files.authority.certs(), Expect::Name, None).unwrap();
    HttpsClient::new(config, ClientOptions::default())
}

/// A client that offers this one protocol in the handshake.
fn https_that_offers(files: &Files, protocol: &str) -> HttpsClient {
    let config = client_config(&files.authority.certs(), Expect::Name, None).unwrap();
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    HttpsClient::new(Arc::new(config), ClientOptions::default())
}

/// What a browser or a script asks: a POST of `body` when it has a kind, else a GET.
fn asked(process: &Process, path: &str, kind: Option<&str>, body: Vec<u8>) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(if kind.is_some() { "POST" } else { "GET" })
        .uri(format!("https://localhost:{}{path}", process.admin.port()))
        .header("authorization", basic("admin", PASSWORD));
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    request.body(Full::new(Bytes::from(body))).unwrap()
}

async fn fetch(
    files: &Files,
    process: &Process,
    path: &str,
    kind: Option<&str>,
    body: Vec<u8>,
) -> (StatusCode, http::HeaderMap, Bytes) {
    let request = asked(process, path, kind, body);
    let response = https(files).send(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_the_admin_ui_that_was_built_in_or_hear_that_there_is_none() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let (status, headers, body) = fetch(&files, &process, "/", None, vec![]).await;
    assert_eq!(status, StatusCode::OK);
    let (route, _, routed) = fetch(&files, &process, "/deployments/x", None, vec![]).await;
    let page = String::from_utf8(body.to_vec()).unwrap();
    if !AdminUi::shipped(&Serves::Platform).is_built_in() {
        assert!(
            page.contains("no admin UI") && page.contains("make release"),
            "{page}"
        );
        assert_eq!(route, StatusCode::NOT_FOUND);
        return;
    }
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert!(
        headers.contains_key("content-security-policy"),
        "{headers:?}"
    );
    assert!(!page.contains("__CSP_NONCE__"), "{page}");
    assert_eq!(route, StatusCode::OK);
    assert_ne!(routed, body, "each answer has a nonce of its own");
    let named = page.split('"').filter(|text| text.starts_with("/assets/"));
    for path in named {
        let (status, headers, body) = fetch(&files, &process, path, None, vec![]).await;
        assert!(status.is_success() && !body.is_empty(), "{path}: {status}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
    }
    for path in [
        "/assets/../index.html",
        "/assets/nothing.js",
        "/wharf.v1.Users/WhoAmI",
    ] {
        let (status, headers, _) = fetch(&files, &process, path, None, vec![]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(headers["content-type"], "application/json", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_speaks_rest_grpc_and_grpc_web() {
    let files = Files::new();
    let process = Process::start(&files).await;

    let (status, _, body) = fetch(&files, &process, "/api/health", None, vec![]).await;
    assert_eq!(status, StatusCode::OK);
    let health: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(health["ready"], true);
    assert_eq!(health["platform_id"], files.platform.platform_id.as_str());
    let (status, _, _) = fetch(&files, &process, "/api/nothing", None, vec![]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let channel = files.channel(process.admin, None);
    let answer = PlatformClient::new(channel)
        .get_status(call(v1::GetStatusRequest {}))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.deployments, 1, "the deployment `system` is there");
    assert_eq!(answer.directors.len(), 1);
    assert!(answer.directors[0].leader && answer.directors[0].voter);

    // A frame of gRPC: no compression, the length, the message (empty here).
    let frame = vec![0, 0, 0, 0, 0];
    let path = "/wharf.v1.Platform/GetStatus";
    let web = Some("application/grpc-web+proto");
    let (status, headers, body) = fetch(&files, &process, path, web, frame.clone()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "application/grpc-web+proto");
    let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    let over_web = v1::PlatformStatus::decode(&body[5..5 + length]).unwrap();
    assert_eq!(over_web.platform_id, files.platform.platform_id);

    let path = "/wharf.v1.Platform/Dance";
    let (_, headers, body) = fetch(&files, &process, path, web, frame).await;
    let trailers = String::from_utf8_lossy(&body).into_owned();
    let unimplemented = headers
        .get("grpc-status")
        .is_some_and(|status| status == "12")
        || trailers.contains("grpc-status:12");
    assert!(unimplemented, "{headers:?} {trailers}");
}

/// The messages of a gRPC-web body, and its trailers, which are a frame with the highest bit set.
fn frames_of(mut body: &[u8]) -> (Vec<&[u8]>, String) {
    let (mut messages, mut trailers) = (Vec::new(), String::new());
    while let Some((head, rest)) = body.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let (payload, rest) = rest.split_at(length);
        if head[0] & 0x80 == 0 {
            messages.push(payload);
        } else {
            trailers.push_str(&String::from_utf8_lossy(payload));
        }
        body = rest;
    }
    assert!(body.is_empty(), "half a frame is left: {body:?}");
    (messages, trailers)
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_and_grpc_web_are_answered_over_http_1_1_and_over_http_2() {
    const MAX_BODY: usize = 1 << 20;
    let files = Files::new();
    let process = Process::start(&files).await;
    for (protocol, version) in [("http/1.1", Version::HTTP_11), ("h2", Version::HTTP_2)] {
        let client = https_that_offers(&files, protocol);

        let request = asked(&process, "/api/health", None, vec![]);
        let response = client.fetch(request, MAX_BODY).await.unwrap();
        assert_eq!(
            response.version(),
            version,
            "REST where {protocol} is asked"
        );
        assert_eq!(response.status(), StatusCode::OK, "REST over {protocol}");
        let health: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            health["platform_id"],
            files.platform.platform_id.as_str(),
            "REST over {protocol}"
        );

        let path = "/wharf.v1.Platform/GetStatus";
        let kind = "application/grpc-web+proto";
        let request = asked(&process, path, Some(kind), vec![0; 5]);
        let response = client.fetch(request, MAX_BODY).await.unwrap();
        assert_eq!(
            response.version(),
            version,
            "gRPC-web where {protocol} is asked"
        );
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], kind);
        let (messages, trailers) = frames_of(response.body());
        assert_eq!(messages.len(), 1, "a unary answer over {protocol}");
        let status = v1::PlatformStatus::decode(messages[0]).unwrap();
        assert_eq!(
            status.platform_id, files.platform.platform_id,
            "gRPC-web over {protocol}"
        );
        assert!(
            trailers.lines().any(|line| line.trim() == "grpc-status:0"),
            "over {protocol} the trailers should say ok: {trailers:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_over_grpc_says_serving_to_whoever_asks() {
    let files = Files::new();
    let process = Process::start(&files).await;
    // Our channel takes nothing but HTTP/2.
    let mut health = HealthClient::new(files.channel(process.admin, None));
    let whole = HealthCheckRequest::default();
    let answer = health.check(whole).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let unknown = HealthCheckRequest {
        service: "wharf.v1.Nothing".into(),
    };
    let refused = health.check(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_tells_users_alone_the_services_and_their_methods() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let mut reflection = ServerReflectionClient::new(files.channel(process.admin, None));
    let nobody = reflection
        .server_reflection_info(tokio_stream::empty())
        .await
        .unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);

    let questions = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol("wharf.v1.Deployments".into()),
    ];
    let questions = questions.map(|question| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    });
    let mut answers = reflection
        .server_reflection_info(call(tokio_stream::iter(questions)))
        .await
        .unwrap()
        .into_inner();

    let first = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = first.message_response else {
        panic!("a list of services was asked for: {first:?}");
    };
    let names: Vec<_> = list.service.into_iter().map(|known| known.name).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    assert!(has("wharf.v1.Deployments"), "{names:?}");
    assert!(
        has("wharf.monitor.v1.Search"),
        "those of monitoring nodes are passed on: {names:?}"
    );

    let second = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::FileDescriptorResponse(described)) = second.message_response else {
        panic!("the file of a service was asked for: {second:?}");
    };
    let declares = described.file_descriptor_proto.iter().any(|bytes| {
        let file = prost_types::FileDescriptorProto::decode(bytes.as_slice()).unwrap();
        file.package() == "wharf.v1"
            && file.service.iter().any(|service| {
                service.name() == "Deployments"
                    && service
                        .method
                        .iter()
                        .any(|method| method.name() == "ListDeployments")
            })
    });
    assert!(
        declares,
        "the file should declare Deployments and its methods"
    );
    assert!(answers.message().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_admitted_is_refused_with_a_code() {
    let files = Files::new();
    let closed = "/wharf.v1.Deployments/ListDeployments";
    let rules = Rules::of_contracts().unwrap().without(closed);
    let process = Process::start_with(&files, rules).await;
    let channel = files.channel(process.admin, None);
    let mut platform = PlatformClient::new(channel.clone());

    let none = platform
        .get_status(v1::GetStatusRequest {})
        .await
        .unwrap_err();
    assert_eq!(
        (none.code(), code_of(&none).as_str()),
        (Code::Unauthenticated, "DIR0050")
    );
    let request = call_as("admin", "guess", v1::GetStatusRequest {});
    let wrong = platform.get_status(request).await.unwrap_err();
    assert_eq!(
        (wrong.code(), code_of(&wrong).as_str()),
        (Code::Unauthenticated, "DIR0050")
    );

    let undeclared = DeploymentsClient::new(channel.clone())
        .list_deployments(call(v1::ListDeploymentsRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(
        (undeclared.code(), code_of(&undeclared).as_str()),
        (Code::PermissionDenied, "DIR0053")
    );

    // People are no roles, and roles are no people.
    let session = AllocatorSessionClient::new(channel)
        .session(call(tokio_stream::empty()))
        .await
        .unwrap_err();
    assert_eq!(session.code(), Code::PermissionDenied);
    let proxy = files.identity("proxy", &files.bootstrap.proxy_id);
    let channel = files.channel(process.internal, Some(&proxy));
    let session = AllocatorSessionClient::new(channel.clone())
        .session(tokio_stream::empty())
        .await
        .unwrap_err();
    assert_eq!(
        (session.code(), code_of(&session).as_str()),
        (Code::PermissionDenied, "DIR0051")
    );
    let unknown = EnrollmentClient::new(channel)
        .renew(v1::RenewRequest {
            csr_pem: "x".into(),
        })
        .await
        .unwrap_err();
    assert_eq!(code_of(&unknown), "DIR0071");

    // An instance's certificate is of the platform, but of no role that calls.
    let instance = files.identity("instance", &"a".repeat(32));
    let channel = files.channel(process.internal, Some(&instance));
    let refused = EnrollmentClient::new(channel)
        .renew(v1::RenewRequest {
            csr_pem: "x".into(),
        })
        .await
        .unwrap_err();
    assert_eq!(code_of(&refused), "DIR0051");
    // Without a certificate there is not even a handshake.
    let channel = files.channel(process.internal, None);
    assert!(
        EnrollmentClient::new(channel)
            .renew(v1::RenewRequest::default())
            .await
            .is_err()
    );
}
