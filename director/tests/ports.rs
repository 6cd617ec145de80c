//! One port speaks REST over HTTP/1.1, gRPC over HTTP/2 and gRPC-web; every method is behind the gate.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod platform;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use platform::{Files, PASSWORD, Process, basic, call, call_as};
use prost::Message as _;
use tonic::Code;
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

fn https(files: &Files) -> HttpsClient {
    let config = client_config(&files.authority.certs(), Expect::Name, None).unwrap();
    HttpsClient::new(config, ClientOptions::default())
}

async fn fetch(
    files: &Files,
    process: &Process,
    path: &str,
    kind: Option<&str>,
    body: Vec<u8>,
) -> (StatusCode, http::HeaderMap, Bytes) {
    let mut request = Request::builder()
        .method(if kind.is_some() { "POST" } else { "GET" })
        .uri(format!("https://localhost:{}{path}", process.admin.port()))
        .header("authorization", basic("admin", PASSWORD));
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = https(files).send(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, bytes)
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
    let (status, _, body) = fetch(&files, &process, "/", None, vec![]).await;
    assert!(status.is_success() && body.starts_with(b"Wharfinger"));
    let (status, _, _) = fetch(&files, &process, "/nothing", None, vec![]).await;
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
