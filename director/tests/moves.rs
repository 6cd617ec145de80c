//! Instances that are listed, moved with their data, paused, taken out of the routes and replaced when
//! their host is lost: over the API, with two allocators and a proxy over real sessions.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;
mod platform;

use lab::{Fleet, code, ended, healthy};
use platform::{call, call_as, mutation};
use tonic::Code;
use wharf_proto::v1;
use wharf_services::v1::{
    events_client::EventsClient, instances_client::InstancesClient, users_client::UsersClient,
};

impl Fleet {
    fn instances(&self) -> InstancesClient<tonic::transport::Channel> {
        InstancesClient::new(self.lab.channel.clone())
    }

    async fn until_ended(&mut self, plan_id: &str) -> v1::Plan {
        let channel = self.lab.channel.clone();
        self.obey("the plan ends", || ended(&channel, plan_id))
            .await
    }

    async fn list(&self, request: v1::ListInstancesRequest) -> Vec<v1::PlacedInstance> {
        self.instances()
            .list_instances(call(request))
            .await
            .unwrap()
            .into_inner()
            .instances
    }

    async fn of_logs(&self, name: &str) -> v1::PlacedInstance {
        let request = v1::ListInstancesRequest {
            deployment: "logs".into(),
            ..Default::default()
        };
        let all = self.list(request).await;
        all.into_iter()
            .find(|one| one.instance.as_ref().unwrap().name == name)
            .unwrap()
    }

    async fn go(
        &self,
        to: &str,
        dry_run: bool,
    ) -> Result<v1::ChangeDeploymentResponse, tonic::Status> {
        let request = v1::MoveInstanceRequest {
            mutation: mutation(),
            instance: "logs/storage-0".into(),
            to_allocator: to.into(),
            dry_run,
        };
        self.instances()
            .move_instance(call(request))
            .await
            .map(tonic::Response::into_inner)
    }

    /// Where the proxy would send requests for the storage of `logs`.
    fn ports(&self) -> Vec<u32> {
        self.lab
            .proxy
            .table
            .values()
            .filter(|route| route.deployment_name == "logs" && route.resource_kind == "storage")
            .flat_map(|route| route.instances.iter().map(|one| one.port))
            .collect()
    }
}

fn steps(plan: &v1::Plan) -> Vec<&str> {
    plan.steps
        .iter()
        .map(|step| step.step_id.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_node_is_moved_with_its_data_and_every_reader_sees_where_it_lies() {
    let mut fleet = Fleet::new().await;
    let before = fleet.of_logs("storage-0").await;
    assert_eq!(before.host, "h1");
    let id = before.instance.clone().unwrap().id;

    let looked = fleet.go("h2", true).await.unwrap();
    assert_eq!(looked.plan_id, "");
    let preview = looked.preview.unwrap();
    let expected = ["place", "copy", "take_over", "route", "remove"];
    assert_eq!(steps(preview.plan.as_ref().unwrap()), expected);
    let place = preview
        .placements
        .iter()
        .find(|one| one.instance_name == "storage-0")
        .unwrap();
    assert_eq!(
        (place.allocator_id.as_str(), place.stays),
        (fleet.second.id.as_str(), false)
    );

    for (to, expected) in [("h1", "DIR0038"), ("h9", "DIR0008")] {
        let refused = fleet.go(to, false).await.unwrap_err();
        assert_eq!(code(&refused).0, expected, "{refused}");
    }

    let asked = fleet.go("h2", false).await.unwrap();
    let plan = fleet.until_ended(&asked.plan_id).await;
    assert_eq!(plan.status(), v1::PlanStatus::Done, "{plan:?}");
    assert_eq!(plan.kind(), v1::PlanKind::Move);
    let first = &plan.steps[0].log[0].text;
    assert!(
        first.contains("from h1 to h2") && first.contains("request: asked for by admin"),
        "a move names where from, where to and why: {first}"
    );
    let after = fleet.of_logs("storage-0").await;
    assert_eq!((after.host.as_str(), after.plan_id.as_str()), ("h2", ""));
    assert!(after.copy.is_none());
    assert!(
        !fleet.lab.allocator.held.contains_key(&id),
        "the old copy is gone"
    );
    let held = &fleet.second.held[&id];
    assert!(held.copy_from.is_none() && held.run, "{held:?}");
    assert_eq!(fleet.ports(), [held.port]);

    let on = |allocator: &str| v1::ListInstancesRequest {
        allocator: allocator.into(),
        ..Default::default()
    };
    assert!(
        fleet
            .list(on("h2"))
            .await
            .iter()
            .any(|one| one.host == "h2")
    );
    let filtered = v1::ListInstancesRequest {
        options: Some(v1::ListOptions {
            filter: "host=h2".into(),
            order_by: "name desc".into(),
            page_size: 1,
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(fleet.list(filtered).await.len(), 1);

    let request = v1::ListEventsRequest {
        options: Some(v1::ListOptions {
            filter: "kind=move_instance".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let events = EventsClient::new(fleet.lab.channel.clone())
        .list_events(call(request))
        .await
        .unwrap()
        .into_inner()
        .events;
    assert!(
        events
            .iter()
            .any(|event| event.result == "done"
                && event.detail.contains("request: asked for by admin")),
        "every move names its reason: {events:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_paused_resumed_and_taken_out_of_the_routes() {
    let mut fleet = Fleet::new().await;
    let pause = || v1::PauseInstanceRequest {
        mutation: mutation(),
        instance: "logs/storage-0".into(),
        dry_run: false,
    };
    let resume = || v1::ResumeInstanceRequest {
        mutation: mutation(),
        instance: "logs/storage-0".into(),
        dry_run: false,
    };
    let refused = fleet
        .instances()
        .resume_instance(call(resume()))
        .await
        .unwrap_err();
    assert_eq!(code(&refused).0, "DIR0092");
    let asked = fleet
        .instances()
        .pause_instance(call(pause()))
        .await
        .unwrap()
        .into_inner();
    let plan = fleet.until_ended(&asked.plan_id).await;
    assert_eq!(plan.status(), v1::PlanStatus::Done, "{plan:?}");
    let paused = fleet.of_logs("storage-0").await;
    assert!(paused.paused);
    assert_eq!(
        paused.instance.as_ref().unwrap().state(),
        v1::InstanceState::Stopped
    );
    let id = paused.instance.unwrap().id;
    assert!(
        !fleet.lab.allocator.held[&id].run,
        "the container is stopped"
    );
    let refused = fleet.go("h2", false).await.unwrap_err();
    assert_eq!(
        code(&refused),
        ("DIR0090".to_owned(), "instance".to_owned())
    );
    let asked = fleet
        .instances()
        .resume_instance(call(resume()))
        .await
        .unwrap()
        .into_inner();
    fleet.until_ended(&asked.plan_id).await;
    let channel = fleet.lab.channel.clone();
    fleet
        .obey("it is well again", || healthy(&channel, "logs"))
        .await;

    let routing = |routed| v1::SetInstanceRoutingRequest {
        mutation: mutation(),
        instance: "logs/storage-0".into(),
        routed,
    };
    for (routed, ports) in [(false, 0), (true, 1)] {
        let told = fleet
            .instances()
            .set_instance_routing(call(routing(routed)))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(told.instance.unwrap().routing_stopped, !routed);
        while fleet.ports().len() != ports {
            assert!(fleet.lab.proxy.obey_one().await, "the proxy is told");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_for_lost_hosts_is_set_told_and_reaches_the_allocator() {
    let mut fleet = Fleet::new().await;
    let policy = |on_host_loss: &str| v1::SetHostLossPolicyRequest {
        mutation: mutation(),
        deployment: "logs".into(),
        on_host_loss: on_host_loss.into(),
    };
    let mut deployments = fleet.lab.deployments();
    for wrong in ["restore", "forget"] {
        let refused = deployments
            .set_host_loss_policy(call(policy(wrong)))
            .await
            .unwrap_err();
        assert_eq!(
            code(&refused),
            ("DIR0091".to_owned(), "on_host_loss".to_owned())
        );
    }
    let set = deployments
        .set_host_loss_policy(call(policy("empty")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(set.on_host_loss, "empty");
    let id = fleet.of_logs("storage-0").await.instance.unwrap().id;
    while !fleet.lab.allocator.held[&id].leased {
        assert!(
            fleet.lab.allocator.obey_one().await,
            "the allocator is told"
        );
    }
    let director = fleet.lab.process.running().director.clone();
    fleet
        .obey("its host told that it knows", || async {
            let state = director.published.state();
            state.instances[id.as_str()].leased.then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_move_is_refused_and_set_aside_data_is_listed() {
    let mut fleet = Fleet::new().await;
    UsersClient::new(fleet.lab.channel.clone())
        .create_user(call(v1::CreateUserRequest {
            mutation: mutation(),
            username: "mia".into(),
            password: "another good password".into(),
            roles: vec!["deployments_manager".into()],
        }))
        .await
        .unwrap();
    let request = v1::MoveInstanceRequest {
        mutation: mutation(),
        instance: "logs/storage-0".into(),
        ..Default::default()
    };
    let refused = fleet
        .instances()
        .move_instance(call_as("mia", "another good password", request))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    let id = fleet.of_logs("storage-0").await.instance.unwrap().id;
    fleet.second.aside.push(v1::SetAsideData {
        instance_id: id.clone(),
        path: format!("/data/set-aside/{id}"),
        bytes: 4_096,
        set_aside_at: None,
    });
    fleet.second.report().await;
    let channel = fleet.lab.channel.clone();
    let copies = fleet
        .obey("the copy is listed", || async {
            let list = v1::ListSetAsideCopiesRequest::default();
            InstancesClient::new(channel.clone())
                .list_set_aside_copies(call(list))
                .await
                .ok()
                .map(|found| found.into_inner().copies)
                .filter(|copies| !copies.is_empty())
        })
        .await;
    let copy = &copies[0];
    assert_eq!(
        (
            copy.instance_name.as_str(),
            copy.deployment_name.as_str(),
            copy.host.as_str()
        ),
        ("storage-0", "logs", "h2")
    );
    assert_eq!(copy.bytes, 4_096);
}
