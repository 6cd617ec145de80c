//! Deployments from request to route and back, with an allocator and a proxy over real sessions, and
//! a director that is killed on the way.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod platform;

use std::collections::BTreeMap;

use platform::{
    Files, HandAllocator, HandProxy, Process, call, eventually, mutation, obey_until, open_session,
};
use tonic::{Code, transport::Channel};
use wharf_proto::{coded, v1};
use wharf_runtime::{
    random,
    tls::{KeyedCert, SigningRequest},
};
use wharf_services::v1::{
    containers_client::ContainersClient, deployments_client::DeploymentsClient,
    enrollment_client::EnrollmentClient, plans_client::PlansClient,
    platform_client::PlatformClient, streams_client::StreamsClient,
};

async fn deployment(channel: &Channel, name: &str) -> Option<v1::Deployment> {
    let request = v1::GetDeploymentRequest {
        deployment: name.into(),
    };
    DeploymentsClient::new(channel.clone())
        .get_deployment(call(request))
        .await
        .ok()
        .map(tonic::Response::into_inner)
}

async fn healthy(channel: &Channel, name: &str) -> Option<v1::Deployment> {
    deployment(channel, name)
        .await
        .filter(|found| found.health() == v1::Health::Healthy && found.pending_plan_id.is_empty())
}

async fn create(channel: &Channel, name: &str) -> v1::CreateDeploymentResponse {
    let request = v1::CreateDeploymentRequest {
        mutation: mutation(),
        name: name.into(),
        ..Default::default()
    };
    DeploymentsClient::new(channel.clone())
        .create_deployment(call(request))
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_placed_started_routed_and_removed_again() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let mut allocator = HandAllocator::connect(&files, &process).await;
    let mut proxy = HandProxy::connect(&files, &process, 0).await;
    obey_until(&mut allocator, &mut proxy, "system is healthy", || {
        healthy(&channel, "system")
    })
    .await;

    let created = create(&channel, "Team Logs").await;
    let follow = v1::FollowPlanRequest {
        plan_id: created.plan_id.clone(),
    };
    let mut plans = PlansClient::new(channel.clone())
        .follow_plan(call(follow))
        .await
        .unwrap()
        .into_inner();
    let found = obey_until(&mut allocator, &mut proxy, "logs is healthy", || {
        healthy(&channel, "team-logs")
    })
    .await;
    assert_eq!(found.endpoint, "https://team-logs.localhost:9243");
    assert_eq!(found.current_plan_id, created.plan_id);
    let mut last = None;
    while let Some(plan) = plans.message().await.unwrap() {
        last = Some(plan);
    }
    let last = last.unwrap();
    assert_eq!(last.status(), v1::PlanStatus::Done);
    assert!(
        last.steps
            .iter()
            .all(|step| step.status() == v1::StepStatus::Done)
    );

    // What the allocator and the proxy got is usable.
    let instance = &found.resources[0].instances[0];
    let held = allocator.held[&instance.id].clone();
    let secrets = held.secrets.unwrap();
    let identity = KeyedCert::from_pem(&secrets.identity_pem)
        .unwrap()
        .identity()
        .unwrap();
    assert_eq!(
        (identity.role.as_str(), identity.id.as_str()),
        ("instance", instance.id.as_str())
    );
    assert!(secrets.users_json.contains("$argon2"));
    let route = &proxy.table[&found.resources[0].id];
    assert!(route.instances[0].healthy);
    assert!(KeyedCert::from_pem(&route.identity_pem).is_ok());
    // A monitoring node is told how to reach its storage, and no user's hash.
    assert!(secrets.storage_json.is_empty() && secrets.channels_json.is_empty());
    let monitoring = &found.resources[1].instances[0];
    let monitor = allocator.held[&monitoring.id].secrets.clone().unwrap();
    let storage: serde_json::Value = serde_json::from_str(&monitor.storage_json).unwrap();
    assert_eq!(storage["url"], "https://127.0.0.1:9243");
    assert_eq!(storage["alias"], "team-logs");
    assert_eq!(storage["server_name"], "team-logs.localhost");
    assert_eq!(monitor.channels_json, r#"{"channels":[]}"#);
    assert!(monitor.users_json.is_empty());
    let watching = &proxy.table[&found.resources[1].id];
    assert_eq!(watching.resource_kind, "monitoring");
    assert!(KeyedCert::from_pem(&watching.identity_pem).is_ok());
    assert_ne!(watching.identity_pem, route.identity_pem);
    let destination = allocator.destination.clone().unwrap();
    assert_eq!(destination.url, "https://127.0.0.1:9243");
    assert_eq!(destination.cluster, "system");

    let mut deployments = DeploymentsClient::new(channel.clone());
    let ask = v1::GetCredentialsRequest {
        deployment: "team-logs".into(),
    };
    let credentials = deployments
        .get_credentials(call(ask))
        .await
        .unwrap()
        .into_inner();
    assert!(
        credentials.password.len() >= 20 && !secrets.users_json.contains(&credentials.password)
    );
    assert_eq!(storage["username"], credentials.username);
    assert_eq!(storage["password"], credentials.password);
    let state = process.running().director.published.state();
    let entry = state.audit.back().unwrap();
    assert_eq!(
        (entry.actor.as_str(), entry.action.as_str()),
        ("admin", "get_credentials")
    );

    let request = v1::DeleteDeploymentRequest {
        mutation: mutation(),
        deployment: "system".into(),
        dry_run: false,
    };
    let refused = deployments
        .delete_deployment(call(request))
        .await
        .unwrap_err();
    assert_eq!(coded::decode(refused.details()).unwrap().code, "DIR0022");
    let request = v1::DeleteDeploymentRequest {
        mutation: mutation(),
        deployment: "team-logs".into(),
        dry_run: false,
    };
    deployments.delete_deployment(call(request)).await.unwrap();
    obey_until(&mut allocator, &mut proxy, "logs is gone", || async {
        deployment(&channel, "team-logs")
            .await
            .is_none()
            .then_some(())
    })
    .await;
    obey_until(&mut allocator, &mut proxy, "its route is gone", || async {
        let state = process.running().director.published.state();
        (state.resources.len() == 2).then_some(())
    })
    .await;
    assert!(!allocator.held.contains_key(&instance.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_director_killed_at_each_step_goes_on_where_it_was() {
    let files = Files::new();
    let (mut held, mut generation, mut table_generation) = (BTreeMap::new(), 0, 0);
    let mut plan_id = String::new();
    // After how many more log entries it is killed, life by life.
    for entries in 1..=8 {
        let process = Process::start(&files).await;
        let channel = files.channel(process.admin, None);
        let mut allocator =
            HandAllocator::reconnect(&files, &process, held.clone(), generation).await;
        if plan_id.is_empty() {
            plan_id = create(&channel, "logs").await.plan_id;
        }
        let status = process.running().director.raft.status();
        let applied = || status.borrow().applied;
        let target = applied() + entries;
        let mut proxy = HandProxy::connect(&files, &process, table_generation).await;
        obey_until(&mut allocator, &mut proxy, "it got so far", || async {
            let far = applied() >= target || healthy(&channel, "logs").await.is_some();
            far.then_some(())
        })
        .await;
        (held, generation, table_generation) = (
            allocator.held.clone(),
            allocator.generation,
            proxy.generation,
        );
        process.kill().await;
    }
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let mut allocator = HandAllocator::reconnect(&files, &process, held, generation).await;
    let mut proxy = HandProxy::connect(&files, &process, table_generation).await;
    let found = obey_until(&mut allocator, &mut proxy, "logs is healthy", || {
        healthy(&channel, "logs")
    })
    .await;
    assert_eq!(found.current_plan_id, plan_id);
    assert_eq!(
        allocator.held.len(),
        4,
        "storage and monitoring of system and of logs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_changes_nothing_and_a_reused_id_is_refused() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let _allocator = HandAllocator::connect(&files, &process).await;
    let mut deployments = DeploymentsClient::new(channel);
    let mut request = v1::CreateDeploymentRequest {
        mutation: mutation(),
        name: "logs".into(),
        ..Default::default()
    };
    let first = deployments
        .create_deployment(call(request.clone()))
        .await
        .unwrap()
        .into_inner();
    let again = deployments
        .create_deployment(call(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.plan_id, again.plan_id);
    assert_eq!(first.deployment.unwrap().id, again.deployment.unwrap().id);

    request.name = "other".into();
    let reused = deployments
        .create_deployment(call(request.clone()))
        .await
        .unwrap_err();
    assert_eq!(coded::decode(reused.details()).unwrap().code, "DIR0006");
    request.mutation = None;
    let without = deployments
        .create_deployment(call(request.clone()))
        .await
        .unwrap_err();
    assert_eq!(coded::decode(without.details()).unwrap().code, "DIR0057");
    request.mutation = mutation();
    request.name = "x".repeat(65);
    let long = deployments
        .create_deployment(call(request))
        .await
        .unwrap_err();
    let info = coded::decode(long.details()).unwrap();
    assert_eq!(
        (info.code.as_str(), info.field.as_str()),
        ("DIR0012", "name")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_filtered_and_counted() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let _allocator = HandAllocator::connect(&files, &process).await;
    for name in ["a", "b", "c"] {
        create(&channel, name).await;
    }
    let mut deployments = DeploymentsClient::new(channel.clone());
    let mut options = v1::ListOptions {
        page_size: 2,
        filter: "system=false".into(),
        ..Default::default()
    };
    let mut names = Vec::new();
    loop {
        let request = v1::ListDeploymentsRequest {
            options: Some(options.clone()),
        };
        let page = deployments
            .list_deployments(call(request))
            .await
            .unwrap()
            .into_inner();
        let info = page.info.unwrap();
        assert_eq!(info.total, 3);
        names.extend(page.deployments.into_iter().map(|found| found.name));
        if info.next_page_token.is_empty() {
            break;
        }
        options.page_token = info.next_page_token;
    }
    assert_eq!(names, ["a", "b", "c"]);
    options.page_token = "nonsense".into();
    let request = v1::ListDeploymentsRequest {
        options: Some(options),
    };
    let wrong = deployments
        .list_deployments(call(request))
        .await
        .unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    let none = ContainersClient::new(channel)
        .list_containers(call(v1::ListContainersRequest::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(none.info.unwrap().total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_belongs_to_its_certificate_and_a_newer_one_replaces_it() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let own = files.bootstrap.allocator_id.clone();
    let (_reports, orders) = open_session(&files, &process, &own, &random::new_id(), 0).await;
    let refused = orders.unwrap().message().await.unwrap_err();
    assert_eq!(coded::decode(refused.details()).unwrap().code, "DIR0070");

    let mut first = HandAllocator::connect(&files, &process).await;
    assert!(first.obey_one().await, "it is welcomed");
    let mut second = HandAllocator::connect(&files, &process).await;
    assert!(second.obey_one().await);
    while first.obey_one().await {}
    let director = &process.running().director;
    let id = own.parse().unwrap();
    assert!(director.seen.core().connected(&id));

    let identity = files.identity("allocator", &own);
    let mut enrollment = EnrollmentClient::new(files.channel(process.internal, Some(&identity)));
    let request = SigningRequest::create("x").unwrap();
    let renewed = enrollment
        .renew(v1::RenewRequest {
            csr_pem: request.csr_pem().to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    let renewed = request.complete(&renewed.certificate_pem).unwrap();
    assert_eq!(renewed.identity(), identity.identity());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_what_is_there_what_changes_and_what_it_is_told_to_show() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let _allocator = HandAllocator::connect(&files, &process).await;
    let mut streams = StreamsClient::new(channel.clone());
    let stream_id = random::new_id();
    let watch = v1::WatchRequest {
        stream_id: stream_id.clone(),
        topics: vec![v1::Topic::Deployments as i32],
        resume_version: 40,
        only_topics: false,
    };
    let mut events = streams.watch(call(watch)).await.unwrap().into_inner();
    let first = events.message().await.unwrap().unwrap();
    assert_eq!(first.version, 41);
    let Some(v1::watch_event::Event::Deployment(system)) = first.event else {
        panic!("{first:?}");
    };
    assert!(system.system_owned);
    create(&channel, "logs").await;
    loop {
        let event = events.message().await.unwrap().unwrap().event.unwrap();
        if matches!(&event, v1::watch_event::Event::Deployment(found) if found.name == "logs") {
            break;
        }
    }
    let subscribe = v1::SubscribeRequest {
        stream_id,
        topics: vec![v1::Topic::Status as i32],
    };
    streams.subscribe(call(subscribe)).await.unwrap();
    loop {
        let event = events.message().await.unwrap().unwrap().event.unwrap();
        if matches!(event, v1::watch_event::Event::Status(_)) {
            break;
        }
    }
    let unknown = v1::SubscribeRequest {
        stream_id: random::new_id(),
        topics: vec![],
    };
    let refused = streams.subscribe(call(unknown)).await.unwrap_err();
    assert_eq!(coded::decode(refused.details()).unwrap().code, "DIR0058");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_level_is_kept_and_brought_to_roles() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let id = files.bootstrap.allocator_id.clone();
    let (_reports, orders) = open_session(&files, &process, &id, &id, 0).await;
    let mut orders = orders.unwrap();
    let mut platform = PlatformClient::new(files.channel(process.admin, None));
    let director = &process.running().director;
    let parsed = id.parse().unwrap();
    eventually("it is connected", || async {
        director.seen.core().connected(&parsed).then_some(())
    })
    .await;
    let request = v1::SetLogLevelRequest {
        mutation: mutation(),
        role: "allocator".into(),
        filter: "debug".into(),
    };
    let answer = platform
        .set_log_level(call(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.receivers, 1);
    loop {
        let order = orders.message().await.unwrap().unwrap().order.unwrap();
        if let v1::allocator_order::Order::LogLevel(level) = order {
            assert_eq!(level.filter, "debug");
            break;
        }
    }
}
