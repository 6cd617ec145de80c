//! Hosts that are changed, emptied, lost and forgotten while the platform runs: over the API, with
//! two allocators and a proxy over real sessions.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;
mod platform;

use lab::{Fleet, allocator, code};
use platform::{HandAllocator, call, call_as, mutation};
use tonic::{Code, Status, transport::Channel};
use wharf_proto::v1::{self, allocator_report::Report};
use wharf_services::v1::{
    allocators_client::AllocatorsClient, deployments_client::DeploymentsClient,
    enrollment_client::EnrollmentClient, instances_client::InstancesClient,
    platform_client::PlatformClient, settings_client::SettingsClient, users_client::UsersClient,
};

impl Fleet {
    fn allocators(&self) -> AllocatorsClient<Channel> {
        AllocatorsClient::new(self.channel())
    }

    async fn update(&self, request: v1::UpdateAllocatorRequest) -> Result<v1::Allocator, Status> {
        let request = v1::UpdateAllocatorRequest {
            mutation: request.mutation.clone().or_else(mutation),
            ..request
        };
        self.allocators()
            .update_allocator(call(request))
            .await
            .map(tonic::Response::into_inner)
    }

    async fn vacate(
        &self,
        host: &str,
        request: v1::VacateAllocatorRequest,
    ) -> Result<v1::Vacate, Status> {
        let request = v1::VacateAllocatorRequest {
            mutation: mutation(),
            allocator: host.into(),
            ..request
        };
        let answer = self.allocators().vacate_allocator(call(request)).await?;
        Ok(answer.into_inner().vacate.unwrap())
    }

    async fn set(&self, key: &str, value: &str) {
        let request = v1::SetSettingRequest {
            mutation: mutation(),
            key: key.into(),
            value: value.into(),
        };
        SettingsClient::new(self.channel())
            .set_setting(call(request))
            .await
            .unwrap();
    }
}

async fn zones(channel: &Channel, filter: &str) -> Vec<v1::Zone> {
    let request = v1::ListZonesRequest {
        options: Some(v1::ListOptions {
            filter: filter.into(),
            ..Default::default()
        }),
    };
    AllocatorsClient::new(channel.clone())
        .list_zones(call(request))
        .await
        .unwrap()
        .into_inner()
        .zones
}

async fn shown(channel: &Channel, id: &str) -> v1::Vacate {
    let request = v1::GetVacateRequest {
        vacate_id: id.into(),
    };
    AllocatorsClient::new(channel.clone())
        .get_vacate(call(request))
        .await
        .unwrap()
        .into_inner()
}

async fn ended(channel: &Channel, id: &str) -> Option<v1::Vacate> {
    let found = shown(channel, id).await;
    (found.status() != v1::VacateStatus::Running).then_some(found)
}

async fn lying_on(channel: &Channel, host: &str) -> Vec<String> {
    let request = v1::ListInstancesRequest {
        allocator: host.into(),
        ..Default::default()
    };
    let answer = InstancesClient::new(channel.clone())
        .list_instances(call(request))
        .await
        .unwrap();
    let mut names: Vec<String> = answer
        .into_inner()
        .instances
        .iter()
        .map(|one| {
            format!(
                "{}/{}",
                one.deployment_name,
                one.instance.as_ref().unwrap().name
            )
        })
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_emptied_with_the_data_and_then_nothing_new_comes() {
    let mut fleet = Fleet::new().await;
    let channel = fleet.channel();
    let before = lying_on(&channel, "h1").await;
    assert!(before.len() >= 2, "{before:?}");
    let dry_run = v1::VacateAllocatorRequest {
        dry_run: true,
        ..Default::default()
    };
    let preview = fleet.vacate("h1", dry_run).await.unwrap();
    assert_eq!(preview.moves.len(), before.len());
    for one in &preview.moves {
        assert_eq!(
            (one.to_host.as_str(), one.reason.as_str()),
            ("h2", ""),
            "{one:?}"
        );
    }
    assert!(preview.id.is_empty());
    assert!(
        !allocator(&channel, "h1").await.unwrap().maintenance,
        "a dry run changes nothing"
    );

    let vacate = fleet.vacate("h1", Default::default()).await.unwrap();
    assert_eq!(vacate.status(), v1::VacateStatus::Running);
    let host = allocator(&channel, "h1").await.unwrap();
    assert_eq!(
        (host.vacate_id.as_str(), host.maintenance),
        (vacate.id.as_str(), true)
    );
    let again = fleet.vacate("h1", Default::default()).await.unwrap_err();
    assert_eq!(code(&again).0, "DIR0095");
    let done = fleet
        .obey("the host is empty", || ended(&channel, &vacate.id))
        .await;
    assert_eq!(done.status(), v1::VacateStatus::Done, "{done:?}");
    assert!(
        done.moves
            .iter()
            .all(|one| one.state == "moved" && one.to_host == "h2"),
        "{done:?}"
    );
    assert_eq!(lying_on(&channel, "h1").await, Vec::<String>::new());
    assert_eq!(lying_on(&channel, "h2").await, before);
    let host = allocator(&channel, "h1").await.unwrap();
    assert_eq!((host.vacate_id.as_str(), host.maintenance), ("", true));

    let list = v1::ListVacatesRequest {
        allocator: "h1".into(),
        ..Default::default()
    };
    let list = fleet
        .allocators()
        .list_vacates(call(list))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.vacates.len(), 1);
    assert_eq!(list.vacates[0].actor, "admin");
    let cancel = v1::CancelVacateRequest {
        mutation: mutation(),
        vacate_id: vacate.id,
    };
    let refused = fleet
        .allocators()
        .cancel_vacate(call(cancel))
        .await
        .unwrap_err();
    assert_eq!(code(&refused).0, "DIR0095");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacate_goes_on_under_another_leader_and_is_cancelled_there() {
    let mut fleet = Fleet::new().await;
    // Without room on the other host everything waits.
    let full = v1::UpdateAllocatorRequest {
        allocator: "h2".into(),
        maintenance: Some(true),
        ..Default::default()
    };
    fleet.update(full).await.unwrap();
    let vacate = fleet.vacate("h1", Default::default()).await.unwrap();
    let channel = fleet.channel();
    let waits = fleet
        .obey("it says what it waits for", || async {
            let found = shown(&channel, &vacate.id).await;
            found
                .moves
                .iter()
                .all(|one| !one.reason.is_empty())
                .then_some(found)
        })
        .await;
    assert!(
        waits.moves[0].reason.contains("maintenance mode"),
        "{waits:?}"
    );
    let lab = fleet.lab.kill().await;
    let channel = lab.channel.clone();
    let found = shown(&channel, &vacate.id).await;
    assert_eq!(
        found.status(),
        v1::VacateStatus::Running,
        "it is kept over a restart"
    );
    let cancel = v1::CancelVacateRequest {
        mutation: mutation(),
        vacate_id: vacate.id.clone(),
    };
    let ended = AllocatorsClient::new(channel.clone())
        .cancel_vacate(call(cancel))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ended.status(), v1::VacateStatus::Cancelled, "{ended:?}");
    assert!(
        ended.moves.iter().all(|one| one.state == "cancelled"),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_changed_live_and_each_refusal_names_its_field() {
    let fleet = Fleet::new().await;
    let of = |host: &str| v1::UpdateAllocatorRequest {
        allocator: host.into(),
        ..Default::default()
    };
    let tags = v1::TagSet {
        tags: [("disk".to_owned(), "ssd".to_owned())].into(),
    };
    let changed = fleet
        .update(v1::UpdateAllocatorRequest {
            zone: Some("zone-b".into()),
            tags: Some(tags),
            ..of("h2")
        })
        .await
        .unwrap();
    assert_eq!(
        (changed.zone.as_str(), changed.tags["disk"].as_str()),
        ("zone-b", "ssd")
    );
    let refused = fleet
        .update(v1::UpdateAllocatorRequest {
            zone: Some("zone-b".into()),
            ..of("h1")
        })
        .await
        .unwrap_err();
    assert_eq!(code(&refused), ("DIR0094".to_owned(), "zone".to_owned()));
    let small = v1::Size {
        memory_bytes: 1 << 20,
        ..Default::default()
    };
    let refused = fleet
        .update(v1::UpdateAllocatorRequest {
            capacity: Some(small),
            ..of("h1")
        })
        .await
        .unwrap_err();
    assert_eq!(
        code(&refused),
        ("DIR0094".to_owned(), "capacity.memory_bytes".to_owned())
    );
    let roles = v1::RoleSet {
        roles: vec!["captain".into()],
    };
    let refused = fleet
        .update(v1::UpdateAllocatorRequest {
            roles: Some(roles),
            ..of("h2")
        })
        .await
        .unwrap_err();
    assert_eq!(code(&refused), ("DIR0094".to_owned(), "roles".to_owned()));
    let stale = v1::Mutation {
        expected_version: changed.version + 1,
        ..mutation().unwrap()
    };
    let refused = fleet
        .update(v1::UpdateAllocatorRequest {
            mutation: Some(stale),
            maintenance: Some(true),
            ..of("h2")
        })
        .await
        .unwrap_err();
    assert_eq!(code(&refused).0, "DIR0007");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_keeps_the_location_that_an_admin_gave_it_over_a_restart() {
    let fleet = Fleet::new().await;
    let channel = fleet.channel();
    let before = zones(&channel, "").await;
    let zone = before[0].name.clone();
    assert_eq!(
        (before[0].location.clone(), before[0].location_version),
        (None, 0)
    );
    let seoul = v1::ZoneLocation {
        latitude_degrees: Some(37.5665),
        longitude_degrees: Some(126.978),
        place: "Seoul".into(),
    };
    let set = |location: Option<v1::ZoneLocation>, expected_version| v1::SetZoneLocationRequest {
        mutation: Some(v1::Mutation {
            expected_version,
            ..mutation().unwrap()
        }),
        zone: zone.clone(),
        location,
    };
    let user = v1::CreateUserRequest {
        mutation: mutation(),
        username: "vera".into(),
        password: "a long enough password".into(),
        roles: vec!["platform_viewer".into()],
    };
    UsersClient::new(channel.clone())
        .create_user(call(user))
        .await
        .unwrap();
    let as_viewer = call_as(
        "vera",
        "a long enough password",
        set(Some(seoul.clone()), 0),
    );
    let refused = fleet
        .allocators()
        .set_zone_location(as_viewer)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    let told = fleet
        .allocators()
        .set_zone_location(call(set(Some(seoul.clone()), 0)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(told.location.as_ref(), Some(&seoul));
    assert_eq!(
        (told.hosts, told.location_version),
        (before[0].hosts, 1),
        "the answer has the sums too"
    );
    for (location, field) in [
        (None, "location.latitude_degrees"),
        (
            Some(v1::ZoneLocation {
                longitude_degrees: None,
                ..seoul.clone()
            }),
            "location.longitude_degrees",
        ),
        (
            Some(v1::ZoneLocation {
                latitude_degrees: Some(f64::NAN),
                ..seoul.clone()
            }),
            "location.latitude_degrees",
        ),
        (
            Some(v1::ZoneLocation {
                place: "x".repeat(129),
                ..seoul.clone()
            }),
            "location.place",
        ),
    ] {
        let refused = fleet
            .allocators()
            .set_zone_location(call(set(location.clone(), 0)))
            .await
            .unwrap_err();
        assert_eq!(
            code(&refused),
            ("DIR0100".to_owned(), field.to_owned()),
            "{location:?}"
        );
    }
    let stale = fleet
        .allocators()
        .set_zone_location(call(set(Some(seoul.clone()), 7)))
        .await
        .unwrap_err();
    assert_eq!(code(&stale).0, "DIR0007");

    let lab = fleet.lab.kill().await;
    let located = zones(&lab.channel, "located=true and place=Seoul").await;
    let names: Vec<&str> = located.iter().map(|zone| zone.name.as_str()).collect();
    assert_eq!(names, [zone.as_str()], "it is kept over a restart");
    assert_eq!(located[0].location.as_ref(), Some(&seoul));
    let clear = v1::ClearZoneLocationRequest {
        mutation: mutation(),
        zone: zone.clone(),
    };
    let mut allocators = AllocatorsClient::new(lab.channel.clone());
    allocators.clear_zone_location(call(clear)).await.unwrap();
    assert_eq!(zones(&lab.channel, "located=true").await, Vec::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn leased_instances_get_a_lease_in_answer_to_each_heartbeat() {
    let mut fleet = Fleet::new().await;
    let policy = v1::SetHostLossPolicyRequest {
        mutation: mutation(),
        deployment: "logs".into(),
        on_host_loss: "empty".into(),
    };
    DeploymentsClient::new(fleet.channel())
        .set_host_loss_policy(call(policy))
        .await
        .unwrap();
    let beat = v1::AllocatorHeartbeat {
        sequence: 77,
        ..Default::default()
    };
    let given = loop {
        // What it does for an order it tells with a heartbeat of its own, and the last one is answered.
        let allocator = &fleet.lab.allocator;
        allocator.send(Report::Heartbeat(beat.clone())).await;
        assert!(fleet.lab.allocator.obey_one().await, "the session ended");
        let leases = &fleet.lab.allocator.leases;
        if let Some(given) = leases.iter().find(|one| one.heartbeat_sequence == 77) {
            break given.clone();
        }
    };
    assert_eq!(given.duration_ms, 20_000);
    let held = &fleet.lab.allocator.held;
    let names: Vec<&str> = given
        .instance_ids
        .iter()
        .map(|id| held[id].deployment_name.as_str())
        .collect();
    assert_eq!(
        names,
        ["logs"],
        "only what may be replaced without its host serves under a lease"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_host_is_replaced_from_and_one_that_is_connected_is_not_lost() {
    let mut fleet = Fleet::new().await;
    fleet.set("health.loss_grace_seconds", "5").await;
    let channel = fleet.channel();
    let gone = lying_on(&channel, "h1").await;
    let lost = std::mem::replace(
        &mut fleet.lab.allocator,
        HandAllocator::of_host(&fleet.lab.files, &fleet.lab.process, "h3").await,
    );
    drop(lost);
    let monitors: Vec<&String> = gone
        .iter()
        .filter(|name| name.contains("monitoring"))
        .collect();
    assert!(!monitors.is_empty(), "{gone:?}");
    fleet
        .obey("what keeps nothing there is replaced", || async {
            let left = lying_on(&channel, "h1").await;
            left.iter()
                .all(|name| !name.contains("monitoring"))
                .then_some(())
        })
        .await;
    let left = lying_on(&channel, "h1").await;
    assert!(
        left.iter().all(|name| name.contains("storage")) && !left.is_empty(),
        "{left:?}"
    );
    let problem = fleet
        .obey("the stores are said to wait", || async {
            let status = PlatformClient::new(channel.clone())
                .get_status(call(v1::GetStatusRequest {}))
                .await
                .ok()?
                .into_inner();
            status
                .problems
                .into_iter()
                .find(|problem| problem.code == "DIR0111")
        })
        .await;
    assert!(
        problem
            .message
            .contains("logs/storage-0: storage-0 waits for h1"),
        "{}",
        problem.message
    );
    let connected = v1::ForgetHostRequest {
        mutation: mutation(),
        allocator: "h2".into(),
        lost: true,
    };
    let refused = EnrollmentClient::new(channel.clone())
        .forget_host(call(connected))
        .await
        .unwrap_err();
    assert_eq!(code(&refused).0, "DIR0095");
    let down = v1::VacateAllocatorRequest {
        host_down: true,
        ..Default::default()
    };
    assert_eq!(
        code(&fleet.vacate("h2", down).await.unwrap_err()).0,
        "DIR0095"
    );
}
