//! A rebalance over the API, carried out by two hosts over real sessions: previewed in parts, begun within
//! the budget, gone through to the end, cancelled in the middle, and begun by the platform itself.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;
mod platform;

use lab::{Fleet, GIB, Lab, cancel, ended, healthy, size};
use platform::{HandAllocator, call, mutation};
use wharf_proto::v1;
use wharf_services::v1::{
    events_client::EventsClient, placement_client::PlacementClient, settings_client::SettingsClient,
};

/// Memory, and little else.
fn slight(memory_bytes: u64) -> v1::Size {
    v1::Size {
        cpu_millis: 50,
        ..size(memory_bytes)
    }
}

/// Everything lies on the first of two hosts.
async fn piled_up(deployments: usize) -> Fleet {
    let mut lab = Lab::new().await;
    for number in 0..deployments {
        let name = format!("d{number}");
        let request = v1::CreateDeploymentRequest {
            mutation: mutation(),
            name: name.clone(),
            sizes: [
                ("storage".to_owned(), slight(2 * GIB)),
                ("monitoring".to_owned(), slight(GIB / 4)),
            ]
            .into(),
            ..Default::default()
        };
        let created = lab.deployments().create_deployment(call(request)).await;
        created.unwrap();
        lab.until_healthy(&name).await;
    }
    let second = HandAllocator::of_host(&lab.files, &lab.process, "h2").await;
    let mut fleet = Fleet { lab, second };
    let channel = fleet.channel();
    fleet
        .obey("the second host is there", || async {
            lab::allocator(&channel, "h2")
                .await
                .filter(|host| host.connected)
        })
        .await;
    fleet
}

impl Fleet {
    fn placement(&self) -> PlacementClient<tonic::transport::Channel> {
        PlacementClient::new(self.channel())
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

    async fn rebalance(&self, request: &v1::RebalanceRequest) -> v1::RebalanceResponse {
        self.placement()
            .rebalance(call(request.clone()))
            .await
            .unwrap()
            .into_inner()
    }

    async fn preview(&self, moves: u32) -> v1::RebalanceResponse {
        let request = v1::RebalanceRequest {
            dry_run: true,
            moves,
            ..Default::default()
        };
        self.rebalance(&request).await
    }

    async fn standing(&self) -> v1::Rebalancing {
        self.placement()
            .get_rebalancing(call(v1::GetRebalancingRequest {}))
            .await
            .unwrap()
            .into_inner()
    }

    /// The ends of the plans that moves name.
    async fn ended(&mut self, moves: &[v1::RebalanceMove]) -> Vec<v1::Plan> {
        let mut plans = Vec::new();
        for one in moves {
            let channel = self.channel();
            let id = one.plan_id.clone();
            plans.push(self.obey("the plan ends", || ended(&channel, &id)).await);
        }
        plans
    }

    async fn explained(&self, one: &v1::RebalanceMove) -> v1::ExplainPlacementResponse {
        let request = v1::ExplainPlacementRequest {
            instance: format!("{}/{}", one.deployment_name, one.instance_name),
            ..Default::default()
        };
        self.placement()
            .explain_placement(call(request))
            .await
            .unwrap()
            .into_inner()
    }
}

fn begin() -> v1::RebalanceRequest {
    v1::RebalanceRequest {
        mutation: mutation(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_is_previewed_begun_within_the_budget_and_goes_on_until_nothing_is_left() {
    let mut fleet = piled_up(5).await;
    let whole = fleet.preview(0).await;
    assert!(whole.moves.len() > 2, "more than the budget: {whole:?}");
    assert!(
        whole.moves.iter().all(|one| one.from_host == "h1"
            && one.to_host == "h2"
            && one.plan_id.is_empty()
            && one.reason.starts_with("h1 has given out")),
        "{whole:?}"
    );
    assert!(
        !whole.policy.unwrap().automatic,
        "by default it is asked for"
    );
    let one = fleet.preview(1).await;
    assert_eq!(one.moves, whole.moves[..1], "the first part of the same");
    assert!(
        one.reason.starts_with("no more than 1 move was asked for"),
        "{}",
        one.reason
    );

    let request = begin();
    let first = fleet.rebalance(&request).await;
    assert_eq!(first.moves.len(), 2, "the budget is two: {first:?}");
    let over = whole.moves.len() - 2;
    assert!(
        first.reason.contains(&format!("{over} of the moves"))
            && first.reason.contains("placement.move_budget"),
        "{}",
        first.reason
    );
    let again = fleet.rebalance(&request).await;
    assert_eq!(
        again.moves, first.moves,
        "the same request begins nothing more"
    );
    assert_eq!(again.reason, "this request was carried out before");
    let moving = fleet.standing().await.moving;
    assert_eq!(moving.len(), 2, "{moving:?}");

    for plan in fleet.ended(&first.moves).await {
        assert_eq!(plan.status(), v1::PlanStatus::Done, "{plan:?}");
        let line = &plan.steps[0].log[0].text;
        assert!(
            line.contains("goes from h1 to h2") && line.contains("rebalance: h1 has given out"),
            "a move names its reason: {line}"
        );
    }
    fleet.set("placement.move_budget", "100").await;
    let rest = fleet.rebalance(&begin()).await;
    assert!(!rest.moves.is_empty(), "{rest:?}");
    for plan in fleet.ended(&rest.moves).await {
        assert_eq!(plan.status(), v1::PlanStatus::Done, "{plan:?}");
    }
    let nothing = fleet.preview(0).await;
    assert_eq!(nothing.moves, [], "a second one finds nothing: {nothing:?}");
    assert!(!nothing.reason.is_empty(), "and says why");

    for one in first.moves.iter().chain(&rest.moves) {
        let explained = fleet.explained(one).await;
        assert_eq!(explained.allocator_id, fleet.second.id);
        let why = format!("plan {}; rebalance: {}", one.plan_id, one.reason);
        assert!(
            explained.last_move.starts_with("from h1 at ") && explained.last_move.ends_with(&why),
            "{}",
            explained.last_move
        );
    }
    let request = v1::ListEventsRequest {
        options: Some(v1::ListOptions {
            filter: "kind=move_instance".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let events = EventsClient::new(fleet.channel())
        .list_events(call(request))
        .await
        .unwrap()
        .into_inner()
        .events;
    assert!(
        events
            .iter()
            .any(|event| event.detail.contains("rebalance: h1 has given out")),
        "{events:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_that_is_cancelled_leaves_what_has_not_moved_where_it_was() {
    let mut fleet = piled_up(5).await;
    let begun = fleet.rebalance(&begin()).await;
    // No hand has obeyed: nothing has moved yet.
    for one in &begun.moves {
        let mut plans = fleet.lab.plans();
        plans.cancel_plan(call(cancel(&one.plan_id))).await.unwrap();
    }
    for plan in fleet.ended(&begun.moves).await {
        assert_eq!(plan.status(), v1::PlanStatus::Cancelled, "{plan:?}");
    }
    for one in &begun.moves {
        let channel = fleet.channel();
        let name = one.deployment_name.clone();
        fleet.obey("it is well", || healthy(&channel, &name)).await;
        let explained = fleet.explained(one).await;
        assert_eq!(explained.allocator_id, one.from_allocator_id, "it stayed");
        assert_eq!(explained.last_move, "", "it was not moved");
    }
    let next = fleet.preview(0).await;
    assert!(
        begun.moves.iter().all(|one| next
            .moves
            .iter()
            .any(|next| next.instance_id == one.instance_id)),
        "asked again, the same may move: {next:?}"
    );
    let two = next.moves.len() > 1;
    assert!(two, "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_rebalances_by_itself_when_it_is_told_to_and_says_what_it_waits_for() {
    let mut fleet = piled_up(5).await;
    // As long as that nobody has been connected.
    fleet.set("health.loss_grace_seconds", "86400").await;
    fleet.set("placement.rebalance_quiet_seconds", "10").await;
    fleet.set("placement.rebalance", "automatic").await;
    let waiting = fleet.standing().await;
    assert!(waiting.automatic && !waiting.moves_data, "{waiting:?}");
    assert_eq!((waiting.threshold_percent, waiting.moves), (20, 1));
    assert!(
        waiting.waits.iter().any(
            |wait| wait.reason.starts_with("h2 to be connected for 86400 s")
                && wait.since.is_some()
        ),
        "{waiting:?}"
    );
    assert_eq!(
        waiting.next.len(),
        1,
        "it says what comes then: {waiting:?}"
    );
    assert!(waiting.moving.is_empty(), "{waiting:?}");
    let next = waiting.next[0].clone();
    assert_eq!(next.disk_bytes, 0, "data stays by default: {next:?}");
    fleet.set("health.loss_grace_seconds", "5").await;
    let channel = fleet.channel();
    let request = || v1::ExplainPlacementRequest {
        instance: format!("{}/{}", next.deployment_name, next.instance_name),
        ..Default::default()
    };
    let moved = fleet
        .obey("it is moved by the platform itself", || async {
            let explained = PlacementClient::new(channel.clone())
                .explain_placement(call(request()))
                .await
                .ok()?
                .into_inner();
            (!explained.last_move.is_empty()).then_some(explained)
        })
        .await;
    assert_eq!(moved.allocator_id, fleet.second.id);
    assert!(
        moved.last_move.contains("; rebalance: h1 has given out"),
        "{}",
        moved.last_move
    );
}
