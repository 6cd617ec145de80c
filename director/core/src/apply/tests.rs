//! Deduplication, time, bounds, versions and races, one by one.

use wharf_proto::ids::{PlanId, RequestId};

use super::*;
use crate::{
    command::*,
    events::EventLog,
    fixture::{World, allocator_id, bytes, register, size},
    placement::CapacityIndex,
    plan::planner,
    settings,
    state::{HOSTS_NOTED_LEVEL, PlanStatus, REQUEST_MEMORY_MS, Role},
};

fn request_id(number: u64) -> RequestId {
    RequestId::from_bytes(bytes(number))
}

fn user(name: &str) -> Body {
    Body::CreateUser(CreateUser {
        username: name.to_owned(),
        password_hash: "$argon2id$y".to_owned(),
        roles: [Role::PlatformViewer].into(),
    })
}

#[test]
fn the_same_request_gets_the_first_answer_and_changes_nothing() {
    let mut world = World::with_host();
    let command = Command::new(5, "admin", Some(request_id(1)), user("ann"));
    let first = apply(&mut world.state, &command);
    assert_eq!(first, Outcome::Version { version: 1 });
    let users = world.state.users.clone();
    assert_eq!(apply(&mut world.state, &command), first);
    assert_eq!(world.state.users, users);
    assert_eq!(
        remembered(&world.state, &request_id(1)).unwrap().outcome,
        first
    );
}

#[test]
fn a_repeated_create_with_other_ids_in_its_body_is_the_same_request() {
    let mut world = World::with_host();
    let request = crate::deployment::expand::DeploymentRequest {
        name: "logs".to_owned(),
        ..Default::default()
    };
    let bodies = [
        world.expand(&request).unwrap(),
        world.expand(&request).unwrap(),
    ];
    assert_ne!(bodies[0].deployment_id, bodies[1].deployment_id);
    let outcomes = bodies.map(|body| {
        let body = Body::CreateDeployment(Box::new(body));
        let command = Command::new(9, "admin", Some(request_id(1)), body).asked("digest of it");
        apply(&mut world.state, &command)
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(world.state.deployments.len(), 1);
}

#[test]
fn a_request_id_used_for_something_else_is_refused() {
    let mut world = World::with_host();
    apply(
        &mut world.state,
        &Command::new(5, "a", Some(request_id(1)), user("ann")),
    );
    let outcome = apply(
        &mut world.state,
        &Command::new(5, "a", Some(request_id(1)), user("bob")),
    );
    assert_eq!(outcome.accepted().unwrap_err().code, codes::REQUEST_REUSED);
    assert!(!world.state.users.contains_key("bob"));
}

#[test]
fn requests_are_forgotten_after_a_day_of_the_states_time() {
    let mut world = World::with_host();
    let at = world.now_ms + 10;
    apply(
        &mut world.state,
        &Command::new(at, "a", Some(request_id(1)), user("ann")),
    );
    let later = at + REQUEST_MEMORY_MS + 1;
    apply(
        &mut world.state,
        &Command::new(later, "a", Some(request_id(2)), user("bob")),
    );
    assert!(remembered(&world.state, &request_id(1)).is_none());
    assert_eq!(world.state.requests.len(), 1);
    assert_eq!(world.state.request_ages.len(), 1);
}

#[test]
fn time_never_runs_backwards() {
    let mut world = World::with_host();
    apply(
        &mut world.state,
        &Command::new(9_000_000, "a", None, user("ann")),
    );
    apply(&mut world.state, &Command::new(3, "a", None, user("bob")));
    assert_eq!(world.state.now_ms, 9_000_000);
    assert_eq!(world.state.users["bob"].created_ms, 9_000_000);
}

#[test]
fn the_audit_log_keeps_the_last_ten_thousand_lines() {
    let mut world = World::with_host();
    for number in 0..10_050_u64 {
        let note = NoteAudit {
            action: "read".to_owned(),
            subject: number.to_string(),
            detail: String::new(),
            place: None,
        };
        apply(
            &mut world.state,
            &Command::new(1, "ann", None, Body::NoteAudit(note)),
        );
    }
    assert_eq!(world.state.audit.len(), AUDIT_KEPT);
    let last = world.state.audit.back().unwrap();
    assert_eq!(
        (last.subject.as_str(), last.actor.as_str()),
        ("10049", "ann")
    );
    let numbers: Vec<u64> = world.state.audit.iter().map(|entry| entry.number).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn what_was_observed_keeps_its_place_in_the_audit_log_and_among_events() {
    let mut world = World::with_host();
    let note = |place: Option<AuditPlace>| {
        let note = NoteAudit {
            action: "container_restarted".to_owned(),
            subject: "container/web".to_owned(),
            detail: "exit code 1".to_owned(),
            place,
        };
        Command::new(1, "system", None, Body::NoteAudit(note))
    };
    let place = AuditPlace {
        host: "host-1".to_owned(),
        deployment_id: "d".repeat(32),
    };
    apply(&mut world.state, &note(Some(place.clone())));
    let mut events = EventLog::default();
    events.take_audit(&world.state.audit);
    let event = events.all().last().unwrap();
    assert_eq!(
        (&event.host, &event.deployment_id),
        (&place.host, &place.deployment_id)
    );

    world.state.feature_level = HOSTS_NOTED_LEVEL - 1;
    let refused = apply(&mut world.state, &note(Some(place)));
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    let line = world.state.audit.back().unwrap();
    assert_eq!(
        line.place, None,
        "an older director could not read its line"
    );
    let taken = apply(&mut world.state, &note(None));
    assert!(matches!(taken, Outcome::Done), "{taken:?}");
}

#[test]
fn a_hello_that_says_nothing_new_changes_nothing() {
    let mut world = World::new();
    let body = Body::RegisterAllocator(register(1, "zone-1", size(1000)));
    assert!(matches!(
        world.apply(body.clone()),
        Outcome::Allocator { version: 1, .. }
    ));
    assert_eq!(world.apply(body), Outcome::Unchanged);
}

#[test]
fn a_generation_goes_on_behind_the_one_that_a_host_holds() {
    let mut world = World::new();
    let mut body = register(1, "zone-1", size(1000));
    body.held_generation = 41;
    world.ok(Body::RegisterAllocator(body.clone()));
    assert_eq!(world.state.assignments[&allocator_id(1)].generation, 42);
    body.held_generation = u64::MAX;
    world.apply(Body::RegisterAllocator(body));
    assert_eq!(world.state.assignments[&allocator_id(1)].generation, 42);
}

#[test]
fn the_last_platform_admin_stays() {
    let mut world = World::new();
    let body = DeleteUser {
        username: "admin".to_owned(),
        expected_version: 0,
    };
    let refusal = world.apply(Body::DeleteUser(body)).accepted().unwrap_err();
    assert_eq!(refusal.code, codes::LAST_ADMIN);
}

#[test]
fn another_version_than_expected_is_refused() {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    let body = DeleteDeployment {
        deployment_id: id,
        plan_id: PlanId::from_bytes(bytes(77)),
        expected_version: 99,
    };
    let refusal = world
        .apply(Body::DeleteDeployment(body))
        .accepted()
        .unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), refusal.retryable),
        (codes::VERSION, true)
    );
}

#[test]
fn a_plan_whose_parent_is_no_longer_current_is_not_adopted() {
    let mut world = World::with_host();
    let (id, plan) = world.create("logs");
    let adopt = world.proposals().remove(0);
    world.state.deployments.get_mut(&id).unwrap().current_plan = Some(PlanId::from_bytes(bytes(5)));
    let refusal = world.apply(adopt).accepted().unwrap_err();
    assert_eq!(refusal.code, codes::PLAN_PARENT);
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Superseded);
}

#[test]
fn two_plans_laid_out_at_once_do_not_get_the_same_room() {
    let mut world = World::with_host();
    let (_, first) = world.create("logs");
    let (_, second) = world.create("more");
    // Two leaders that know nothing of each other lay out one plan each.
    let lay_out = |plan: &PlanId| {
        let mut index = CapacityIndex::build(&world.state, |_| true);
        planner::lay_out(
            &world.state,
            &world.observed,
            &mut index,
            world.plan(plan),
            &crate::plan::Timeouts::of(&world.state),
            world.now_ms,
        )
        .unwrap()
    };
    let (one, two) = (lay_out(&first), lay_out(&second));
    world.ok(one);
    assert_eq!(
        world.apply(two).accepted().unwrap_err().code,
        codes::PLACEMENT,
        "the port is taken"
    );
    world.settle();
    assert_eq!(world.plan(&second).status, PlanStatus::Done);
}

#[test]
fn a_setting_is_set_from_the_level_on_that_it_came_with_and_not_below() {
    let set = |world: &mut World, key: &str| {
        let value = settings::known(key).unwrap().default;
        let body = SetSetting {
            key: key.to_owned(),
            value: Some(value.to_owned()),
            expected_version: 0,
        };
        world.apply(Body::SetSetting(body)).accepted()
    };
    let mut refused = Vec::new();
    for known in &settings::KNOWN {
        let mut world = World::new();
        world.state.feature_level = known.since.saturating_sub(1);
        if let Err(refusal) = set(&mut world, known.key) {
            assert_eq!(
                (refusal.code.as_str(), refusal.field.as_str()),
                (codes::FEATURE_LEVEL, "key"),
                "{}",
                known.key
            );
            assert!(
                !world.state.settings.contains_key(known.key),
                "{} is set though it was refused",
                known.key
            );
            refused.push(known.key);
        }
        world.state.feature_level = known.since;
        set(&mut world, known.key).expect(known.key);
    }
    assert_eq!(
        refused,
        [
            "health.loss_grace_seconds",
            "health.lost_zones",
            "placement.move_budget",
            "placement.rebalance",
            "placement.rebalance_data",
            "placement.rebalance_moves",
            "placement.rebalance_quiet_seconds",
            "placement.rebalance_threshold",
            "placement.replace_budget",
            "plan.copy_timeout_seconds",
            "sessions.idle_seconds",
            "sessions.lifetime_seconds",
        ],
        "these are what members of the level below do not know"
    );
}
