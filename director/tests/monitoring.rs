//! Calls for a deployment's monitoring node through the director: a real monitoring node over a real storage node at
//! the places and with the secrets that the director assigned. Who may call is decided by the director, what the node
//! says comes back, changes are in the audit log with the person's name, and what is away is named.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

#[path = "group/lab.rs"]
mod lab;
#[path = "monitoring/nodes.rs"]
mod nodes;
mod platform;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use lab::{Lab, code_of};
use nodes::{Nodes, TwoPorts};
use platform::{
    Files, HandAllocator, HandProxy, PASSWORD, Process, call, call_as, eventually, mutation,
    obey_until,
};
use prost::Message as _;
use serde_json::json;
use tonic::{Code, Status, transport::Channel};
use wharf_proto::{monitor::v1, v1 as platform_v1};
use wharf_runtime::{
    net::{ClientOptions, HttpsClient},
    tls::{Expect, client_config},
};
use wharf_services::{
    monitor::v1::{
        alerts_client::AlertsClient, dashboards_client::DashboardsClient,
        search_client::SearchClient, sessions_client::SessionsClient as NodeSessionsClient,
        watches_client::WatchesClient,
    },
    v1::{
        deployments_client::DeploymentsClient, events_client::EventsClient,
        sessions_client::SessionsClient, users_client::UsersClient,
    },
};

/// A director whose deployment `system` is placed; its nodes run when they are told to.
struct Watched {
    lab: Lab,
    /// To the director that is asked.
    channel: Channel,
    nodes: Nodes,
    _allocator: HandAllocator,
    _proxy: HandProxy,
    _ports: TwoPorts,
}

fn password_of(name: &str) -> String {
    format!("password of {name}")
}

/// A call about a deployment.
fn about<T>(mut request: tonic::Request<T>, deployment: &str) -> tonic::Request<T> {
    let value = deployment.parse().unwrap();
    request.metadata_mut().insert("x-wharf-deployment", value);
    request
}

impl Watched {
    /// Of a platform with one director.
    async fn begin() -> Self {
        Self::of(Lab::alone().await).await
    }

    async fn of(mut lab: Lab) -> Self {
        let ports = TwoPorts::reserve();
        lab.files.instance_ports = ports.range;
        let leader = lab.leader().await;
        let (files, process) = (&lab.files, lab.process(leader));
        let channel = lab.channel(leader);
        let mut allocator = HandAllocator::connect(files, process).await;
        let mut proxy = HandProxy::connect(files, process, 0).await;
        let asked = channel.clone();
        obey_until(
            &mut allocator,
            &mut proxy,
            "`system` is healthy",
            || async {
                let request = platform_v1::GetDeploymentRequest {
                    deployment: "system".into(),
                };
                let mut deployments = DeploymentsClient::new(asked.clone());
                let found = deployments.get_deployment(call(request)).await.ok()?;
                let found = found.into_inner();
                let is_healthy = found.health() == platform_v1::Health::Healthy;
                (is_healthy && found.pending_plan_id.is_empty()).then_some(())
            },
        )
        .await;
        Self {
            nodes: Nodes::of(allocator.held.values()),
            lab,
            channel,
            _allocator: allocator,
            _proxy: proxy,
            _ports: ports,
        }
    }

    async fn create_user(&self, name: &str, role: &str) {
        let request = platform_v1::CreateUserRequest {
            mutation: mutation(),
            username: name.into(),
            password: password_of(name),
            roles: vec![role.into()],
        };
        let mut users = UsersClient::new(self.channel.clone());
        users.create_user(call(request)).await.unwrap();
    }

    async fn search(
        &self,
        indices: &[&str],
        body: serde_json::Value,
    ) -> Result<serde_json::Value, Status> {
        let request = v1::SearchRequest {
            indices: indices.iter().map(|name| (*name).to_owned()).collect(),
            body_json: body.to_string(),
            timeout_ms: 0,
        };
        let mut search = SearchClient::new(self.channel.clone());
        let answer = search.search(about(call(request), "system")).await?;
        Ok(serde_json::from_str(&answer.into_inner().response_json).unwrap())
    }

    /// Starts both nodes and waits until the monitoring node has read its storage.
    async fn start_nodes(&mut self) {
        self.nodes.start_storage();
        self.nodes.start_monitoring();
        eventually(
            "the monitoring node answers through the director",
            || async { self.search(&["nothing-*"], json!({"size": 0})).await.ok() },
        )
        .await;
    }

    /// Documents of the deployment's storage, written as its user.
    async fn write(&self, path: &str, lines: &str) {
        let request = platform_v1::GetCredentialsRequest {
            deployment: "system".into(),
        };
        let mut deployments = DeploymentsClient::new(self.channel.clone());
        let known = deployments
            .get_credentials(call(request))
            .await
            .unwrap()
            .into_inner();
        let request = Request::post(format!(
            "https://localhost:{}{path}",
            self.nodes.storage_port()
        ))
        .header(
            "authorization",
            platform::basic(&known.username, &known.password),
        )
        .header("content-type", "application/x-ndjson")
        .body(Full::new(Bytes::from(lines.to_owned())))
        .unwrap();
        let answer = https(&self.lab.files, "http/1.1")
            .fetch(request, 1 << 20)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(
            answer.status().is_success() && !text.contains("\"errors\":true"),
            "{text}"
        );
    }

    /// Audit lines of one action, oldest first: who, on what, why.
    async fn events(&self, action: &str) -> Vec<(String, String, String)> {
        let request = platform_v1::ListEventsRequest {
            options: Some(platform_v1::ListOptions {
                filter: format!("kind={action}"),
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut events = EventsClient::new(self.channel.clone());
        let listed = events.list_events(call(request)).await.unwrap();
        let mut events = listed.into_inner().events;
        events.sort_by_key(|event| event.number);
        let told = events.into_iter();
        told.map(|event| (event.actor, event.subject, event.detail))
            .collect()
    }
}

/// A client that offers this one protocol in the handshake.
fn https(files: &Files, protocol: &str) -> HttpsClient {
    let config = client_config(&files.authority.certs(), Expect::Name, None).unwrap();
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    HttpsClient::new(Arc::new(config), ClientOptions::default())
}

fn refused(status: &Status) -> (Code, String) {
    (status.code(), code_of(status))
}

fn dashboard(name: &str) -> v1::PutDashboardRequest {
    v1::PutDashboardRequest {
        dashboard: Some(v1::Dashboard {
            name: name.into(),
            document_json: "{\"panels\":[]}".into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_searches_changes_and_acknowledges_with_the_name_of_the_log_in() {
    let mut watched = Watched::begin().await;
    watched.create_user("mona", "platform_admin").await;
    watched.create_user("vera", "platform_viewer").await;
    watched.create_user("dora", "deployments_manager").await;
    let mona = |message| about(call_as("mona", &password_of("mona"), message), "system");

    // Placed and said to be healthy, but nobody listens there.
    let away = watched.search(&["logs-*"], json!({})).await.unwrap_err();
    assert_eq!(
        refused(&away),
        (Code::Unavailable, "DIR0087".into()),
        "{away:?}"
    );
    let address = format!("127.0.0.1:{}", watched.nodes.monitoring_port());
    assert!(
        away.message().contains(&address)
            && away.message().contains("monitoring-0 of `system` on h1"),
        "it says where: {away:?}"
    );
    let mut dashboards = DashboardsClient::new(watched.channel.clone());
    let put = about(
        call_as("mona", &password_of("mona"), dashboard("early")),
        "system",
    );
    let away = dashboards.put_dashboard(put).await.unwrap_err();
    assert_eq!(
        code_of(&away),
        "DIR0087",
        "a change that was not sent is known not to be made"
    );

    watched.start_nodes().await;
    watched
        .write(
            "/app/_bulk?refresh=true",
            "{\"index\":{\"_id\":\"1\"}}\n{\"level\":\"error\"}\n",
        )
        .await;
    let found = watched
        .search(&["app"], json!({"query": {"match_all": {}}}))
        .await
        .unwrap();
    assert_eq!(
        found["hits"]["hits"][0]["_source"]["level"], "error",
        "{found}"
    );

    // A watch that fires, put and acknowledged by one who may.
    let document = json!({
        "name": "app-errors",
        "trigger": {"interval": "1s"},
        "input": {"search": {"index": "app", "body": {"query": {"term": {"level": "error"}}}}},
        "condition": {"compare": {"path": "hits.total.value", "gt": 0, "missing": "ok"}},
        "actions": [],
    });
    let put = v1::PutWatchRequest {
        watch: Some(v1::put_watch_request::Watch::Document(document.to_string())),
        create: true,
        ..Default::default()
    };
    let mut watches = WatchesClient::new(watched.channel.clone());
    watches
        .put_watch(about(
            call_as("mona", &password_of("mona"), put.clone()),
            "system",
        ))
        .await
        .unwrap();
    let again = watches
        .put_watch(about(call_as("mona", &password_of("mona"), put), "system"))
        .await
        .unwrap_err();
    assert_eq!(
        code_of(&again),
        "MON0008",
        "the node's own words come back: {again:?}"
    );
    let mut alerts = AlertsClient::new(watched.channel.clone());
    let acknowledge = || v1::AcknowledgeAlertRequest {
        id: "app-errors".into(),
        comment: "on it".into(),
    };
    let alert = eventually("it fires and is acknowledged", || {
        let (mut alerts, request) = (alerts.clone(), mona(acknowledge()));
        async move { alerts.acknowledge_alert(request).await.ok() }
    })
    .await
    .into_inner();
    assert_eq!(
        (alert.handled_by.as_str(), alert.comment.as_str()),
        ("mona", "on it"),
        "the person's name, not that of the deployment's user"
    );

    // Who sees deployments alone sees nothing of the hosts' data.
    let request = v1::SearchRequest {
        indices: vec!["logs-*".into()],
        body_json: "{}".into(),
        timeout_ms: 0,
    };
    let request = about(call_as("dora", &password_of("dora"), request), "system");
    let mut search = SearchClient::new(watched.channel.clone());
    let no = search.search(request).await.unwrap_err();
    assert_eq!(refused(&no), (Code::PermissionDenied, "DIR0051".into()));

    // A viewer sees and changes nothing, whatever a page would show.
    let vera = |message| about(call_as("vera", &password_of("vera"), message), "system");
    let listed = alerts.list_alerts(about(
        call_as(
            "vera",
            &password_of("vera"),
            v1::ListAlertsRequest::default(),
        ),
        "system",
    ));
    assert!(!listed.await.unwrap().into_inner().alerts.is_empty());
    let no = alerts
        .acknowledge_alert(vera(acknowledge()))
        .await
        .unwrap_err();
    assert_eq!(refused(&no), (Code::PermissionDenied, "DIR0051".into()));
    let request = about(
        call_as("vera", &password_of("vera"), dashboard("hers")),
        "system",
    );
    let no = dashboards.put_dashboard(request).await.unwrap_err();
    assert_eq!(refused(&no), (Code::PermissionDenied, "DIR0051".into()));

    // Who changed what, and what did not come of it.
    let put = watched.events("put_watch").await;
    assert_eq!(put.len(), 3, "{put:?}");
    assert!(
        put.iter()
            .all(|(who, on, _)| who == "mona" && on.starts_with("deployment/")),
        "{put:?}"
    );
    assert_eq!(put[2].2, "not done: MON0008");
    let handled = watched.events("acknowledge_alert").await;
    assert!(
        handled
            .iter()
            .any(|(who, _, about)| who == "mona" && about == "app-errors"),
        "{handled:?}"
    );
    assert!(
        handled.iter().all(|(who, _, _)| who != "vera"),
        "{handled:?}"
    );
    let early = watched.events("put_dashboard").await;
    assert_eq!(early[0].2, "early");
    assert_eq!(early[1].2, "not done: DIR0087");

    // Counted for whoever watches the director.
    let metrics = metrics(watched.lab.process(0)).await;
    assert!(
        metrics.contains("wharf_director_monitoring_calls_total{kind=\"change\"}"),
        "{metrics}"
    );
}

async fn metrics(process: &Process) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(process.metrics)
        .await
        .unwrap();
    let ask = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_asks_with_its_session_over_grpc_web_and_nobody_without_one() {
    let mut watched = Watched::begin().await;
    watched.start_nodes().await;
    let origin = format!("https://localhost:{}", watched.lab.process(0).admin.port());
    let request = platform_v1::LogInRequest {
        mutation: None,
        username: "admin".into(),
        password: PASSWORD.into(),
    };
    let answer = SessionsClient::new(watched.channel.clone())
        .log_in(request)
        .await
        .unwrap();
    let cookie = answer
        .metadata()
        .get("set-cookie")
        .unwrap()
        .to_str()
        .unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();

    let message = v1::ListDataStreamsRequest::default().encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    for protocol in ["http/1.1", "h2"] {
        let client = https(&watched.lab.files, protocol);
        let ask = |headers: &[(&str, &str)]| {
            let mut request =
                Request::post(format!("{origin}/wharf.monitor.v1.Search/ListDataStreams"))
                    .header("content-type", "application/grpc-web+proto");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            client.fetch(
                request.body(Full::new(Bytes::from(frame.clone()))).unwrap(),
                1 << 20,
            )
        };
        let own = [
            ("cookie", cookie.as_str()),
            ("x-wharf-session", "1"),
            ("origin", origin.as_str()),
        ];
        let answer = ask(&own).await.unwrap();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(
            text.contains("grpc-status:0"),
            "{protocol}: {:?} {text}",
            answer.headers()
        );
        for name in ["set-cookie", "authorization", "www-authenticate"] {
            assert!(
                !answer.headers().contains_key(name),
                "{protocol}: {name} came back"
            );
        }
        let status = |answer: &http::Response<Bytes>| {
            let head = answer.headers().get("grpc-status");
            head.map(|value| value.to_str().unwrap().to_owned())
        };
        let none = ask(&[("origin", &origin)]).await.unwrap();
        assert_eq!(
            status(&none).as_deref(),
            Some("16"),
            "{protocol}: without a session"
        );
        let bare = ask(&[("cookie", cookie.as_str())]).await.unwrap();
        assert_eq!(
            status(&bare).as_deref(),
            Some("7"),
            "{protocol}: a cookie alone"
        );
        let other = [own[0], own[1], ("origin", "https://elsewhere")];
        let other = ask(&other).await.unwrap();
        assert_eq!(
            status(&other).as_deref(),
            Some("7"),
            "{protocol}: another site's page"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_answers_again_and_what_is_not_there_is_named() {
    let mut watched = Watched::begin().await;
    watched.start_nodes().await;
    let mut search = SearchClient::new(watched.channel.clone());
    let unknown = about(call(v1::ListDataStreamsRequest::default()), "nowhere");
    let unknown = search.list_data_streams(unknown).await.unwrap_err();
    assert_eq!(
        refused(&unknown),
        (Code::NotFound, "DIR0008".into()),
        "{unknown:?}"
    );
    let large = v1::SearchRequest {
        indices: vec!["app".into()],
        body_json: " ".repeat(2 << 20),
        timeout_ms: 0,
    };
    let large = search.search(call(large)).await.unwrap_err();
    assert_eq!(
        refused(&large),
        (Code::InvalidArgument, "DIR0056".into()),
        "{large:?}"
    );
    // Over the connection that is kept, and without it.
    watched.nodes.kill("monitor");
    let away = search
        .list_data_streams(call(v1::ListDataStreamsRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(code_of(&away), "DIR0087", "{away:?}");
    watched.nodes.start_monitoring();
    eventually("it answers again", || async {
        watched
            .search(&["nothing-*"], json!({"size": 0}))
            .await
            .ok()
    })
    .await;
    // The storage is the node's own trouble, told in its words.
    watched.nodes.kill("store");
    let away = watched.search(&["app"], json!({})).await.unwrap_err();
    assert!(code_of(&away).starts_with("MON"), "{away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_director_passes_on_and_says_the_same_also_without_the_leader() {
    let lab = Lab::of_three().await;
    for seat in 0..3 {
        let mut search = SearchClient::new(lab.channel(seat));
        let nobody = v1::ListDataStreamsRequest::default();
        let nobody = search
            .list_data_streams(tonic::Request::new(nobody))
            .await
            .unwrap_err();
        assert_eq!(
            refused(&nobody),
            (Code::Unauthenticated, "DIR0050".into()),
            "seat {seat}"
        );
        let request = call(v1::ListDataStreamsRequest::default());
        let none = search.list_data_streams(request).await.unwrap_err();
        assert_eq!(
            refused(&none),
            (Code::FailedPrecondition, "DIR0086".into()),
            "seat {seat}: nothing is placed yet"
        );
        let unknown = about(call(v1::ListDataStreamsRequest::default()), "nowhere");
        let unknown = search.list_data_streams(unknown).await.unwrap_err();
        assert_eq!(
            code_of(&unknown),
            "DIR0008",
            "seat {seat}: the header came along"
        );
        // A browser's session at the node itself is for those who show the deployment's credentials there.
        let mut sessions = NodeSessionsClient::new(lab.channel(seat));
        let foreign = sessions.log_in(call(v1::LogInRequest {})).await;
        assert_eq!(
            refused(&foreign.unwrap_err()),
            (Code::PermissionDenied, "DIR0051".into()),
            "seat {seat}: not even for a platform admin"
        );
    }

    let mut watched = Watched::of(lab).await;
    watched.create_user("mona", "platform_admin").await;
    watched.start_nodes().await;
    let leader = watched.lab.leader().await;
    for seat in (0..3).filter(|seat| *seat != leader) {
        watched.channel = watched.lab.channel(seat);
        let found = watched.search(&["nothing-*"], json!({"size": 0})).await;
        assert_eq!(found.unwrap()["hits"]["total"]["value"], 0, "seat {seat}");
        let name = format!("of-{seat}");
        let put = call_as("mona", &password_of("mona"), dashboard(&name));
        let mut dashboards = DashboardsClient::new(watched.channel.clone());
        dashboards.put_dashboard(put).await.unwrap();
        let told = watched.events("put_dashboard").await;
        let (who, _, about) = told.last().expect("it is in the audit log");
        assert_eq!((who.as_str(), about), ("mona", &name), "seat {seat}");
    }
    watched.lab.take(leader).kill().await;
    eventually("the others pass on without it", || async {
        watched
            .search(&["nothing-*"], json!({"size": 0}))
            .await
            .ok()
    })
    .await;
}
