//! Channels and the platform's own messages, over a real webhook, with a director that is killed on
//! the way; events of containers; a stream whose reader falls behind.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod platform;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use platform::{
    Files, HandAllocator, HandProxy, Process, call, call_as, eventually, mutation, obey_until,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tonic::{Code, transport::Channel};
use wharf_director::{api::streams::StreamsApi, auth::Principal};
use wharf_proto::{coded, times::timestamp, v1, v1::allocator_report::Report};
use wharf_runtime::{random, task::Tasks};
use wharf_services::v1::{
    channels_client::ChannelsClient, deployments_client::DeploymentsClient,
    events_client::EventsClient, settings_client::SettingsClient, streams_server::Streams as _,
};

/// A receiver of webhooks: what was posted, with its key.
#[derive(Clone, Default)]
struct Hook {
    got: Arc<Mutex<Vec<(String, serde_json::Value)>>>,
}

impl Hook {
    async fn start(tasks: &Tasks) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hook = Self::default();
        let (shared, all) = (hook.clone(), tasks.clone());
        tasks.spawn("hook", async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let hook = shared.clone();
                all.spawn("hook request", async move {
                    let mut bytes = Vec::new();
                    let mut piece = [0; 4096];
                    while let Ok(read) = socket.read(&mut piece).await {
                        bytes.extend_from_slice(&piece[..read]);
                        if hook.take(&bytes) || read == 0 {
                            break;
                        }
                    }
                    let answer =
                        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = socket.write_all(answer).await;
                });
            }
        });
        (hook, address)
    }

    /// Takes a request when it is whole.
    fn take(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return false;
        };
        let headers: BTreeMap<String, String> = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        if body.len() < length {
            return false;
        }
        let key = headers["idempotency-key"].clone();
        let json = serde_json::from_str(body).unwrap();
        self.got.lock().unwrap().push((key, json));
        true
    }

    /// Keys of the messages about `system` being unhealthy that say this.
    fn about_system(&self, news: &str) -> Vec<String> {
        let got = self.got.lock().unwrap();
        let about = |json: &serde_json::Value| {
            let text = json.to_string();
            text.contains("DIR0102") && text.contains(&format!("\"{news}\""))
        };
        got.iter()
            .filter(|(_, json)| about(json))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

fn webhook(name: &str, address: SocketAddr) -> v1::Channel {
    v1::Channel {
        name: name.into(),
        kind: Some(v1::channel::Kind::Webhook(v1::WebhookChannel {
            url: format!("http://{address}/hush"),
            headers: [("x-secret".to_owned(), "hush".to_owned())].into(),
            ..Default::default()
        })),
    }
}

async fn set(channel: &Channel, key: &str, value: &str) {
    let request = v1::SetSettingRequest {
        mutation: mutation(),
        key: key.into(),
        value: value.into(),
    };
    SettingsClient::new(channel.clone())
        .set_setting(call(request))
        .await
        .unwrap();
}

async fn healthy(channel: &Channel) -> Option<()> {
    let request = v1::GetDeploymentRequest {
        deployment: "system".into(),
    };
    let found = DeploymentsClient::new(channel.clone())
        .get_deployment(call(request))
        .await
        .ok()?;
    (found.get_ref().health() == v1::Health::Healthy && found.get_ref().pending_plan_id.is_empty())
        .then_some(())
}

/// What the allocator says of its instances, and that it lives.
async fn tell(allocator: &HandAllocator, running: bool) {
    let instances = allocator.held.values().map(|held| v1::InstanceObservation {
        instance_id: held.instance_id.clone(),
        container_id: "c".repeat(64),
        state: if running {
            v1::InstanceState::Running
        } else {
            v1::InstanceState::Failed
        } as i32,
        health: if running {
            v1::Health::Healthy
        } else {
            v1::Health::Unhealthy
        } as i32,
        reason: if running {
            String::new()
        } else {
            "stopped".into()
        },
        port: held.port,
        spec_hash: held.spec_hash.clone(),
        data_present: true,
        ..Default::default()
    });
    let report = v1::InstanceObservations {
        generation: allocator.generation,
        set_aside: Vec::new(),
        instances: instances.collect(),
    };
    allocator.send(Report::Instances(report)).await;
    let beat = v1::AllocatorHeartbeat {
        applied_generation: allocator.generation,
        ..Default::default()
    };
    allocator.send(Report::Heartbeat(beat)).await;
}

/// Tells the same again until something is so.
async fn telling_until(
    allocator: &HandAllocator,
    running: bool,
    what: &str,
    mut done: impl FnMut() -> bool,
) {
    eventually(what, || {
        let is_done = done();
        async move {
            tell(allocator, running).await;
            is_done.then_some(())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_kept_sealed_listed_without_secrets_and_really_tested() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let tasks = Tasks::new();
    let (hook, address) = Hook::start(&tasks).await;
    let channel = files.channel(process.admin, None);
    let mut channels = ChannelsClient::new(channel.clone());

    let wrong = v1::CreateChannelRequest {
        mutation: mutation(),
        channel: Some(v1::Channel {
            name: "ops".into(),
            kind: None,
        }),
    };
    let refused = channels.create_channel(call(wrong)).await.unwrap_err();
    assert_eq!(coded::decode(refused.details()).unwrap().code, "DIR0034");
    let request = v1::CreateChannelRequest {
        mutation: mutation(),
        channel: Some(webhook("ops", address)),
    };
    let made = channels
        .create_channel(call(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (made.kind.as_str(), made.host.as_str(), made.version),
        ("webhook", "127.0.0.1", 1)
    );
    let again = channels
        .create_channel(call(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, made);
    let update = |expected_version| v1::UpdateChannelRequest {
        mutation: mutation().map(|mutation| v1::Mutation {
            expected_version,
            ..mutation
        }),
        channel: Some(webhook("ops", address)),
    };
    let stale = channels.update_channel(call(update(9))).await.unwrap_err();
    assert_eq!(stale.code(), Code::Aborted);
    assert_eq!(
        channels
            .update_channel(call(update(1)))
            .await
            .unwrap()
            .into_inner()
            .version,
        2
    );

    let list = channels
        .list_channels(call(v1::ListChannelsRequest::default()))
        .await
        .unwrap();
    let list = format!("{:?}", list.into_inner());
    assert!(list.contains("ops") && !list.contains("hush"), "{list}");
    let kept = String::from_utf8(process.running().director.published.state().encode()).unwrap();
    assert!(
        !kept.contains("hush"),
        "a secret of the channel is in the state"
    );

    let test = v1::TestChannelRequest {
        mutation: mutation(),
        name: "ops".into(),
    };
    let answer = channels
        .test_channel(call(test))
        .await
        .unwrap()
        .into_inner();
    assert!(answer.sent, "{}", answer.reason);
    assert_eq!(hook.got.lock().unwrap().len(), 1);

    set(&channel, "notifications.channels", "ops").await;
    let remove = || v1::DeleteChannelRequest {
        mutation: mutation(),
        name: "ops".into(),
    };
    let used = channels.delete_channel(call(remove())).await.unwrap_err();
    assert_eq!(coded::decode(used.details()).unwrap().code, "DIR0035");
    set(&channel, "notifications.channels", "").await;
    channels.delete_channel(call(remove())).await.unwrap();
    let state = process.running().director.published.state();
    let actions: Vec<&str> = state
        .audit
        .iter()
        .map(|entry| entry.action.as_str())
        .collect();
    for action in [
        "create_channel",
        "update_channel",
        "test_channel",
        "delete_channel",
    ] {
        assert!(actions.contains(&action), "{action} is not audited");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_store_is_told_once_and_its_recovery_once_over_a_killed_director() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let tasks = Tasks::new();
    let (hook, address) = Hook::start(&tasks).await;
    let channel = files.channel(process.admin, None);
    let mut allocator = HandAllocator::connect(&files, &process).await;
    let mut proxy = HandProxy::connect(&files, &process, 0).await;
    obey_until(&mut allocator, &mut proxy, "system is healthy", || {
        healthy(&channel)
    })
    .await;

    let request = v1::CreateChannelRequest {
        mutation: mutation(),
        channel: Some(webhook("ops", address)),
    };
    ChannelsClient::new(channel.clone())
        .create_channel(call(request))
        .await
        .unwrap();
    for (key, value) in [
        ("health.allocator_grace_seconds", "5"),
        ("health.proxy_grace_seconds", "5"),
        ("health.collector_grace_seconds", "5"),
        ("notifications.after_seconds", "1"),
        ("notifications.channels", "ops"),
    ] {
        set(&channel, key, value).await;
    }

    let firing = || hook.about_system("firing").len() == 1;
    telling_until(&allocator, false, "the stopped store is told", firing).await;
    let settled = || {
        let state = process.running().director.published.state();
        state.alerts.values().any(|record| {
            record.code == "DIR0102" && record.alert.messages == 1 && record.alert.outbox.is_empty()
        })
    };
    telling_until(&allocator, false, "the message is settled", settled).await;

    process.kill().await;
    let process = Process::start(&files).await;
    let (held, generation) = (allocator.held.clone(), allocator.generation);
    let allocator = HandAllocator::reconnect_silent(&files, &process, held, generation).await;
    // The new leader may judge, still sees the store stopped, and says nothing again.
    let judges = || {
        let director = &process.running().director;
        wharf_director_core::notify::judges(
            &director.published.state(),
            &director.seen.core(),
            director.now_ms(),
        )
    };
    telling_until(&allocator, false, "the new leader may judge", judges).await;
    assert_eq!(
        hook.about_system("firing").len(),
        1,
        "a new leader must not repeat"
    );
    assert_eq!(hook.about_system("recovered").len(), 0);

    let recovered = || hook.about_system("recovered").len() == 1;
    telling_until(&allocator, true, "the recovery is told", recovered).await;
    let settled = || {
        let state = process.running().director.published.state();
        state.alerts.values().any(|record| {
            record.code == "DIR0102" && !record.alert.told && record.alert.outbox.is_empty()
        })
    };
    telling_until(&allocator, true, "the recovery is settled", settled).await;
    assert_eq!(hook.about_system("firing").len(), 1);
    assert_eq!(hook.about_system("recovered").len(), 1);
    let keys = [hook.about_system("firing"), hook.about_system("recovered")].concat();
    assert_ne!(keys[0], keys[1], "each message has its key");
    tasks.shutdown().await;
}

async fn kinds(channel: &Channel, subject: &str) -> Vec<(String, String)> {
    let options = Some(v1::ListOptions {
        filter: format!("subject={subject}"),
        ..Default::default()
    });
    let request = v1::ListEventsRequest {
        options,
        ..Default::default()
    };
    let found = EventsClient::new(channel.clone())
        .list_events(call(request))
        .await
        .unwrap();
    let events = found.into_inner().events.into_iter();
    events.map(|event| (event.kind, event.detail)).collect()
}

async fn until_seen(channel: &Channel, subject: &str, kind: &str) -> String {
    eventually(kind, || async {
        let all = kinds(channel, subject).await;
        all.into_iter()
            .find(|(found, _)| found == kind)
            .map(|(_, detail)| detail)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_that_come_restart_and_go_are_events_with_their_reason() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let allocator = HandAllocator::connect(&files, &process).await;
    let container = |state: &str, started_ms: u64, exit_code| v1::Container {
        id: "d".repeat(64),
        name: "shop-db".into(),
        image: "db:1".into(),
        state: state.into(),
        started_at: Some(timestamp(started_ms)),
        exit_code,
        ..Default::default()
    };
    let report = |full, changed: Vec<v1::Container>, gone_ids: Vec<String>| {
        Report::Containers(v1::ContainerObservations {
            full,
            changed,
            gone_ids,
        })
    };
    let subject = "container/shop-db";
    allocator.send(report(true, vec![], vec![])).await;
    let connected = format!("allocator/{}", files.bootstrap.allocator_id);
    until_seen(&channel, &connected, "allocator_connected").await;
    // A look that tells of a login refused after the empty report has seen the report.
    let seen = &process.running().director.seen;
    eventually("the report arrived", || async {
        let told = seen.map_hosts(|host| host.reported);
        told.values().any(|told| *told).then_some(())
    })
    .await;
    let guess = call_as("admin", "guess", v1::ListEventsRequest::default());
    assert!(
        EventsClient::new(channel.clone())
            .list_events(guess)
            .await
            .is_err()
    );
    until_seen(&channel, "user/admin", "login_refused").await;

    allocator
        .send(report(false, vec![container("running", 1_000, 0)], vec![]))
        .await;
    until_seen(&channel, subject, "container_appeared").await;
    allocator
        .send(report(false, vec![container("exited", 1_000, 3)], vec![]))
        .await;
    let detail = until_seen(&channel, subject, "container_failed").await;
    assert!(detail.contains("exit code 3"), "{detail}");
    allocator
        .send(report(false, vec![container("running", 9_000, 0)], vec![]))
        .await;
    let detail = until_seen(&channel, subject, "container_restarted").await;
    assert!(detail.contains("exit code 3"), "{detail}");
    allocator
        .send(report(false, vec![], vec!["d".repeat(64)]))
        .await;
    until_seen(&channel, subject, "container_vanished").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_falls_behind_is_told_so_and_gets_all_again() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let _allocator = HandAllocator::connect(&files, &process).await;
    // Asked in this process: a connection would read ahead for the reader.
    let api = StreamsApi(Arc::clone(&process.running().director));
    let of_admin = |message| {
        let mut request = call(message);
        request.extensions_mut().insert(Principal {
            name: "admin".into(),
            callers: vec![v1::Caller::PlatformAdmin],
            identity: None,
            login: None,
        });
        request
    };
    let stream_id = random::new_id();
    let watch = v1::WatchRequest {
        stream_id: stream_id.clone(),
        topics: vec![],
        resume_version: 0,
        only_topics: false,
    };
    let mut request = tonic::Request::new(watch);
    *request.extensions_mut() = of_admin(v1::SubscribeRequest::default())
        .extensions()
        .clone();
    let mut events = api.watch(request).await.unwrap().into_inner().into_inner();
    // What is shown anew is sent anew, so the queue fills while nobody reads.
    let sets = [
        vec![v1::Topic::Status as i32, v1::Topic::Allocators as i32],
        vec![v1::Topic::Deployments as i32, v1::Topic::Plans as i32],
    ];
    let show = async |topics: &[i32]| {
        let request = v1::SubscribeRequest {
            stream_id: stream_id.clone(),
            topics: topics.to_vec(),
        };
        api.subscribe(of_admin(request)).await.unwrap();
    };
    for topics in sets.iter().cycle() {
        let before = events.len();
        if before == events.max_capacity() {
            break;
        }
        show(topics).await;
        eventually("what is shown anew arrives", || async {
            (events.len() > before).then_some(())
        })
        .await;
    }
    // More than the queue takes, and a reader that takes nothing for longer than it may.
    for topics in &sets {
        show(topics).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        let mut last = 0;
        loop {
            let event = events.recv().await.unwrap().unwrap();
            assert_eq!(event.version, last + 1, "an event is missing or doubled");
            last = event.version;
            if let Some(v1::watch_event::Event::Skipped(told)) = event.event {
                break told.topics;
            }
        }
    })
    .await
    .expect("a slow reader is told that events were skipped");
    assert!(sets.contains(&told), "{told:?} were never shown together");
    let [_, shown] = &sets;
    let mut again = BTreeSet::new();
    tokio::time::timeout(Duration::from_secs(30), async {
        while !shown.iter().all(|topic| again.contains(topic)) {
            again.extend(match events.recv().await.unwrap().unwrap().event {
                Some(v1::watch_event::Event::Status(_)) => Some(v1::Topic::Status as i32),
                Some(v1::watch_event::Event::Allocator(_)) => Some(v1::Topic::Allocators as i32),
                Some(v1::watch_event::Event::Deployment(_)) => Some(v1::Topic::Deployments as i32),
                Some(v1::watch_event::Event::Plan(_)) => Some(v1::Topic::Plans as i32),
                _ => None,
            });
        }
    })
    .await
    .expect("a slow reader gets all of what is shown again");
}
