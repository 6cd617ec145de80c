//! Three real directors over mutual TLS on loopback: they form one group, any of them serves, the
//! platform survives the loss of any of them, and a lost disk is replaced under a new member id.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "group/lab.rs"]
mod lab;
mod platform;

use std::collections::BTreeSet;

use lab::{Lab, code_of};
use platform::{HandAllocator, HandProxy, call, eventually, mutation, obey_until};
use tonic::Code;
use wharf_director_core::command::{Body, PutSecret};
use wharf_proto::v1;
use wharf_runtime::{random, task};
use wharf_services::v1::{
    containers_client::ContainersClient, deployments_client::DeploymentsClient,
    directors_client::DirectorsClient, events_client::EventsClient,
    platform_client::PlatformClient, settings_client::SettingsClient,
    templates_client::TemplatesClient, users_client::UsersClient,
};

#[tokio::test(flavor = "multi_thread")]
async fn three_directors_become_one_group_and_any_of_them_answers_as_the_leader_does() {
    let lab = Lab::of_three().await;
    let leader = lab.leader().await;
    let directors = lab.directors(leader).await;
    assert_eq!(directors.len(), 3);
    let zones: BTreeSet<&str> = directors.iter().map(|row| row.zone.as_str()).collect();
    assert_eq!(zones, BTreeSet::from(["zone-1", "zone-2", "zone-3"]));
    for row in &directors {
        assert!(row.connected && row.waits_for.is_empty(), "{row:?}");
        assert_ne!(row.role(), v1::DirectorRole::Learner);
    }
    for seat in 0..3 {
        let channel = lab.channel(seat);
        // Answered by the state, by the leader's memory, and by the group itself.
        let mut templates = TemplatesClient::new(channel.clone());
        let request = call(v1::ListTemplatesRequest::default());
        assert!(
            !templates
                .list_templates(request)
                .await
                .unwrap()
                .into_inner()
                .templates
                .is_empty()
        );
        let mut users = UsersClient::new(channel.clone());
        let users = users
            .list_users(call(v1::ListUsersRequest::default()))
            .await
            .unwrap();
        assert_eq!(users.into_inner().users.len(), 1);
        let status = PlatformClient::new(channel.clone())
            .get_status(call(v1::GetStatusRequest::default()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!((status.directors.len(), status.deployments), (3, 1));
        let ids = |rows: Vec<v1::Director>| -> Vec<(String, u64, i32)> {
            rows.into_iter()
                .map(|row| (row.id, row.member_id, row.role))
                .collect()
        };
        assert_eq!(
            ids(lab.directors(seat).await),
            ids(directors.clone()),
            "seat {seat}"
        );
        // A wrong password is refused by whoever is asked.
        let wrong = platform::call_as("admin", "wrong", v1::ListUsersRequest::default());
        let refused = UsersClient::new(channel)
            .list_users(wrong)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "seat {seat}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_at_one_director_is_read_at_every_other_at_once() {
    let lab = Lab::of_three().await;
    for round in 0..12 {
        let value = (100 + round).to_string();
        lab.write(round % 3, &value).await.unwrap();
        for seat in 0..3 {
            let request = v1::GetSettingRequest {
                key: lab::KEY.into(),
            };
            let mut settings = SettingsClient::new(lab.channel(seat));
            let found = settings
                .get_setting(call(request))
                .await
                .unwrap()
                .into_inner();
            assert_eq!(
                found.value, value,
                "seat {seat} in round {round} read an old value"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_is_repeated_at_every_director_makes_one_deployment() {
    let lab = Lab::of_three().await;
    let _allocator = HandAllocator::connect(&lab.files, lab.process(1)).await;
    let request = v1::CreateDeploymentRequest {
        mutation: mutation(),
        name: "web".into(),
        ..Default::default()
    };
    let ask = |seat: usize| {
        let (channel, request) = (lab.channel(seat), request.clone());
        async move {
            let mut deployments = DeploymentsClient::new(channel);
            deployments
                .create_deployment(call(request))
                .await
                .unwrap()
                .into_inner()
                .plan_id
        }
    };
    let (a, b, c) = tokio::join!(ask(0), ask(1), ask(2));
    let again = ask(1).await;
    assert_eq!(
        BTreeSet::from([a, b, c, again]).len(),
        1,
        "one request made several plans"
    );
    let mut deployments = DeploymentsClient::new(lab.channel(2));
    let listed = deployments.list_deployments(call(v1::ListDeploymentsRequest::default()));
    let names: Vec<String> = listed
        .await
        .unwrap()
        .into_inner()
        .deployments
        .into_iter()
        .map(|row| row.name)
        .collect();
    assert_eq!(
        names.iter().filter(|name| *name == "web").count(),
        1,
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_replaced_and_nothing_that_was_accepted_is_lost() {
    let mut lab = Lab::of_three().await;
    let mut times_ms = Vec::new();
    for round in 0..6_u32 {
        let leader = lab.leader().await;
        let before = format!("{}", 1_000 + round);
        lab.write((leader + 1) % 3, &before).await.unwrap();
        let survivor = (leader + 1) % 3;
        let process = lab.take(leader);
        let began = tokio::time::Instant::now();
        process.kill().await;
        let after = format!("{}", 2_000 + round);
        lab.write_until_accepted(survivor, &after).await;
        times_ms.push(began.elapsed().as_millis());
        assert_eq!(lab.read(survivor).await, after);
        lab.start(leader).await;
        lab.until_whole().await;
        assert_eq!(lab.read(leader).await, after);
    }
    times_ms.sort_unstable();
    println!("kill -9 of the leader to the first accepted write, ms: {times_ms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_follower_passed_on_when_the_leader_died_is_carried_out_once() {
    let mut lab = Lab::of_three().await;
    let leader = lab.leader().await;
    let survivor = (leader + 1) % 3;
    let channel = lab.channel(survivor);
    let _allocator = HandAllocator::connect(&lab.files, lab.process(survivor)).await;
    let calls: Vec<_> = (0..5)
        .map(|number| {
            let mut deployments = DeploymentsClient::new(channel.clone());
            let request = v1::CreateDeploymentRequest {
                mutation: mutation(),
                name: format!("app-{number}"),
                ..Default::default()
            };
            task::spawn("a call", async move {
                deployments.create_deployment(call(request)).await
            })
        })
        .collect();
    let killed = task::spawn("a kill", lab.take(leader).kill());
    for call in calls {
        let made = call.await.unwrap().unwrap().into_inner();
        assert!(!made.plan_id.is_empty());
    }
    killed.await.unwrap();
    let mut deployments = DeploymentsClient::new(channel);
    let listed = deployments.list_deployments(call(v1::ListDeploymentsRequest::default()));
    let listed = listed.await.unwrap().into_inner().deployments;
    let made = listed
        .iter()
        .filter(|row| row.name.starts_with("app-"))
        .count();
    assert_eq!(made, 5, "each is made once: {listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_director_without_its_disk_comes_back_as_a_new_member() {
    let mut lab = Lab::of_three().await;
    let leader = lab.leader().await;
    let (wiped, damaged) = ((leader + 1) % 3, (leader + 2) % 3);
    let before = lab.directors(leader).await;
    let member = |rows: &[v1::Director], id: &str| {
        rows.iter()
            .find(|row| row.id == id)
            .map(|row| row.member_id)
            .unwrap()
    };

    lab.take(wiped).kill().await;
    std::fs::remove_dir_all(lab.raft_dir(wiped)).unwrap();
    lab.write(leader, "300").await.unwrap();
    lab.start(wiped).await;
    lab.until_whole().await;
    let rows = lab.directors(leader).await;
    let id = lab.id(wiped);
    assert_ne!(
        member(&rows, &id),
        member(&before, &id),
        "a member id was used twice"
    );
    assert_eq!(
        rows.iter().filter(|row| row.id == id).count(),
        1,
        "the old member is gone"
    );
    assert_eq!(lab.read(wiped).await, "300");

    lab.take(damaged).kill().await;
    for file in std::fs::read_dir(lab.raft_dir(damaged).join("log")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::write(path, [0xa5; 8_192]).unwrap();
        }
    }
    lab.write(leader, "301").await.unwrap();
    lab.start(damaged).await;
    lab.until_whole().await;
    assert_eq!(lab.read(damaged).await, "301");
    let aside = lab.process(damaged).running().director.moved_aside.clone();
    assert!(
        aside.is_some_and(|path| path.join("log/db").exists()),
        "what was damaged is kept"
    );
    let rows = lab.directors(leader).await;
    let id = lab.id(damaged);
    assert_ne!(member(&rows, &id), member(&before, &id));
    assert!(rows.iter().any(|row| row.id == id && row.incarnation == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_moves_by_request_and_a_removed_director_stays_out() {
    let mut lab = Lab::of_three().await;
    let leader = lab.leader().await;
    let (next, gone) = ((leader + 1) % 3, (leader + 2) % 3);
    let mut directors = DirectorsClient::new(lab.channel(gone));
    let request = v1::TransferLeadershipRequest {
        mutation: mutation(),
        director: lab.id(next),
    };
    let moved = directors
        .transfer_leadership(call(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(moved.leader_id, lab.id(next));
    assert_eq!(lab.leader().await, next);

    let unknown = v1::RemoveDirectorRequest {
        mutation: mutation(),
        director: random::new_id(),
    };
    let refused = directors.remove_director(call(unknown)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);

    // The leader itself: it hands over first, and the call goes on with the new one.
    let request = v1::RemoveDirectorRequest {
        mutation: mutation(),
        director: lab.id(next),
    };
    let mut at_another = DirectorsClient::new(lab.channel(leader));
    at_another
        .remove_director(call(request.clone()))
        .await
        .unwrap();
    at_another.remove_director(call(request)).await.unwrap();
    let ids = |rows: Vec<v1::Director>| -> BTreeSet<String> {
        rows.into_iter().map(|row| row.id).collect()
    };
    let left = ids(lab.directors(leader).await);
    assert_eq!(left, BTreeSet::from([lab.id(leader), lab.id(gone)]));

    // Its certificate is still good, its id is not.
    lab.take(next).kill().await;
    let stranger = lab.identity(next);
    let channel = lab
        .files
        .channel(lab.process(leader).internal, Some(&stranger));
    let request = v1::AddDirectorRequest {
        join_id: random::new_id(),
        facts: None,
    };
    let refused = DirectorsClient::new(channel)
        .add_director(request)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), code_of(&refused).as_str()),
        (Code::PermissionDenied, "DIR0081")
    );
    lab.write(gone, "400").await.unwrap();

    let request = v1::RemoveDirectorRequest {
        mutation: mutation(),
        director: lab.id(gone),
    };
    at_another.remove_director(call(request)).await.unwrap();
    lab.take(gone).kill().await;
    let request = v1::RemoveDirectorRequest {
        mutation: mutation(),
        director: lab.id(leader),
    };
    let refused = at_another.remove_director(call(request)).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0082", "the last voter stays");
    lab.write(leader, "401").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_streams_work_through_a_follower_and_move_when_directors_die() {
    let mut lab = Lab::of_three().await;
    let leader = lab.leader().await;
    let follower = (leader + 1) % 3;
    let mut allocator = HandAllocator::connect(&lab.files, lab.process(follower)).await;
    let mut proxy = HandProxy::connect(&lab.files, lab.process(follower), 0).await;
    let status = |channel| async move {
        PlatformClient::new(channel)
            .get_status(call(v1::GetStatusRequest::default()))
            .await
            .ok()
            .map(tonic::Response::into_inner)
    };
    let channels: Vec<_> = (0..3).map(|seat| lab.channel(seat)).collect();
    obey_until(
        &mut allocator,
        &mut proxy,
        "every director shows both, and system is well",
        || {
            let channels = channels.clone();
            async move {
                for channel in channels {
                    let seen = status(channel).await?;
                    let connected = (seen.allocators_connected, seen.proxies_connected) == (1, 1);
                    if !connected || seen.deployments_healthy != 1 {
                        return None;
                    }
                }
                Some(())
            }
        },
    )
    .await;
    let containers = ContainersClient::new(lab.channel(follower))
        .list_containers(call(v1::ListContainersRequest::default()))
        .await
        .unwrap();
    assert!(containers.into_inner().containers.is_empty());
    let follow = v1::FollowEventsRequest::default();
    let mut events = EventsClient::new(lab.channel(follower))
        .follow_events(call(follow))
        .await
        .unwrap()
        .into_inner();
    assert!(
        events.message().await.unwrap().is_some(),
        "events arrive through a follower"
    );

    // The leader dies: what was open through the follower ends retryably, and opens again there.
    lab.take(leader).kill().await;
    let ended = loop {
        match events.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended as if all were told"),
            Err(status) => break status,
        }
    };
    assert_eq!(
        (ended.code(), code_of(&ended).as_str()),
        (Code::Unavailable, "DIR0054")
    );
    while allocator.obey_one().await {}
    while proxy.obey_one().await {}
    let new = lab.leader().await;
    eventually("the follower knows the new leader", || async {
        (lab.leader_seen_by(follower) == Some(lab.member(new))).then_some(())
    })
    .await;
    let (held, generation) = (allocator.held.clone(), allocator.generation);
    let mut allocator =
        HandAllocator::reconnect(&lab.files, lab.process(follower), held, generation).await;
    let mut proxy = HandProxy::connect(&lab.files, lab.process(follower), proxy.generation).await;
    let other = lab.channel((leader + 2) % 3);
    obey_until(
        &mut allocator,
        &mut proxy,
        "the new leader sees both",
        || {
            let other = other.clone();
            async move {
                let seen = status(other).await?;
                ((seen.allocators_connected, seen.proxies_connected) == (1, 1)
                    && seen.deployments_healthy == 1)
                    .then_some(())
            }
        },
    )
    .await;
    assert_eq!(
        allocator.generation, generation,
        "nothing was assigned anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_hears_nobody_gives_way_and_no_write_is_lost() {
    let lab = Lab::behind_relays().await;
    let leader = lab.leader().await;
    let other = (leader + 1) % 3;
    lab.write(other, "500").await.unwrap();
    lab.cut(leader);
    eventually("another director leads", || async {
        (lab.leader_seen_by(other)? != lab.member(leader)).then_some(())
    })
    .await;
    lab.write_until_accepted(other, "501").await;
    // What the one that is cut off shows is never old: it shows nothing.
    let stale = lab.try_read(leader).await;
    assert!(
        stale.as_deref().is_none_or(|value| value == "501"),
        "an old value: {stale:?}"
    );
    lab.heal(leader);
    lab.until_whole().await;
    for seat in 0..3 {
        assert_eq!(lab.read(seat).await, "501");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_many_parts_reaches_a_director_that_joins() {
    let mut lab = Lab::alone().await;
    let director = lab.process(0).running().director.clone();
    for number in 0..20 {
        let body = Body::PutSecret(PutSecret {
            name: format!("large/{number}"),
            sealed: "x".repeat(30_000),
        });
        director.proposer.own(body).await.unwrap();
    }
    let bytes = lab
        .process(0)
        .running()
        .director
        .published
        .state()
        .encode()
        .len();
    assert!(bytes > 8 * 64 * 1024, "the state has {bytes} bytes only");
    lab.join(1).await;
    lab.join(2).await;
    lab.until_whole().await;
    let hash = |seat: usize| {
        lab.process(seat)
            .running()
            .director
            .published
            .state()
            .hash()
    };
    eventually("the three states are one", || async {
        (hash(0) == hash(1) && hash(1) == hash(2)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_a_director_speaks_for_others_and_the_leader_checks_credentials_itself() {
    let lab = Lab::alone().await;
    lab.leader().await;
    let internal = lab.process(0).internal;
    let set = |authorization: Option<&str>, relayed: &str| {
        let mut request = tonic::Request::new(v1::SetSettingRequest {
            mutation: mutation(),
            key: lab::KEY.into(),
            value: "600".into(),
        });
        let metadata = request.metadata_mut();
        metadata.insert("x-wharf-relayed", relayed.parse().unwrap());
        if let Some(authorization) = authorization {
            metadata.insert("authorization", authorization.parse().unwrap());
        }
        request
    };
    let good = platform::basic("admin", platform::PASSWORD);
    let wrong = platform::basic("admin", "wrong");
    let platform_id = &lab.files.platform.platform_id;
    let pretended = format!("127.0.0.1 wharf://{platform_id}/director/{}", lab.id(0));

    // An allocator's word is not taken, whatever it shows beside.
    let allocator = lab.files.identity("allocator", &random::new_id());
    let channel = lab.files.channel(internal, Some(&allocator));
    for relayed in ["127.0.0.1", pretended.as_str()] {
        let mut settings = SettingsClient::new(channel.clone());
        let refused = settings.set_setting(set(Some(&good), relayed)).await;
        assert_eq!(
            refused.unwrap_err().code(),
            Code::PermissionDenied,
            "{relayed}"
        );
    }
    // Nor does the word of a director stand for a password.
    let director = lab.files.channel(internal, Some(&lab.identity(0)));
    let mut settings = SettingsClient::new(director);
    for authorization in [None, Some(wrong.as_str())] {
        let refused = settings.set_setting(set(authorization, "127.0.0.1")).await;
        assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    }
    let torn = settings.set_setting(set(Some(&good), "nowhere")).await;
    assert_eq!(torn.unwrap_err().code(), Code::InvalidArgument);
    settings
        .set_setting(set(Some(&good), "127.0.0.1"))
        .await
        .unwrap();
    // People's own port knows no such word.
    let mut people = SettingsClient::new(lab.channel(0));
    let refused = people.set_setting(set(None, &pretended)).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}
