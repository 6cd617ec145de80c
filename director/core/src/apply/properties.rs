//! Properties of apply: equal logs give equal hashes, nothing panics, a refusal changes nothing,
//! and what must hold holds after every command, whoever proposes what.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wharf_proto::ids::{DeploymentId, InstanceId, PlanId, ProxyId, RequestId, ResourceId};

use super::*;
use crate::{
    command::*,
    fixture::{World, allocator_id, bytes, register, size},
    observe::Observations,
    placement::CapacityIndex,
    plan::{attempt, planner},
    size::Size,
    state::{PlanStatus, Role, StepKind, StepStatus, Want, ZoneLocation},
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

// Random commands over few ids, so that they meet each other's objects.

fn small_deployment() -> impl Strategy<Value = DeploymentId> {
    (0_u64..4).prop_map(|n| DeploymentId::from_bytes(bytes(n)))
}

fn small_plan() -> impl Strategy<Value = PlanId> {
    (0_u64..6).prop_map(|n| PlanId::from_bytes(bytes(n)))
}

fn small_instance() -> impl Strategy<Value = InstanceId> {
    (0_u64..8).prop_map(|n| InstanceId::from_bytes(bytes(n)))
}

fn create() -> impl Strategy<Value = Body> {
    (
        small_deployment(),
        small_plan(),
        0_u64..4,
        1_u64..40,
        0_usize..3,
        any::<bool>(),
        ".{0,6}",
    )
        .prop_map(
            |(deployment_id, plan_id, resource, memory, count, system_owned, odd)| {
                let alias = if odd.len() == 3 {
                    odd
                } else {
                    format!("a{}", resource)
                };
                Body::CreateDeployment(Box::new(CreateDeployment {
                    deployment_id,
                    plan_id,
                    name: format!("name {resource}"),
                    alias,
                    template_id: "observability".to_owned(),
                    system_owned,
                    resources: vec![NewResource {
                        id: ResourceId::from_bytes(bytes(resource)),
                        kind: "storage".to_owned(),
                        instance_configuration_id: "x".to_owned(),
                        engine: "store".to_owned(),
                        engine_version: "1".to_owned(),
                        size: size(memory * 64),
                        zone_count: u32::try_from(count).unwrap(),
                        instances_per_zone: 1,
                        required_tags: BTreeMap::new(),
                        instances: (0..count as u64)
                            .map(|n| NewInstance {
                                id: InstanceId::from_bytes(bytes(resource * 2 + n)),
                                name: format!("storage-{n}"),
                            })
                            .collect(),
                    }],
                    users: Vec::new(),
                    sealed_credentials: "s".to_owned(),
                }))
            },
        )
}

fn extend() -> impl Strategy<Value = Body> {
    let ids = (small_deployment(), small_plan(), 0_u64..4);
    (ids, 0_usize..2, 0_u64..4).prop_map(
        |((deployment_id, plan_id, resource), count, expected_version)| {
            let resource = NewResource {
                id: ResourceId::from_bytes(bytes(resource + 2)),
                kind: "monitoring".to_owned(),
                instance_configuration_id: "y".to_owned(),
                engine: "monitor".to_owned(),
                engine_version: "1".to_owned(),
                size: size(64),
                zone_count: 1,
                instances_per_zone: 1,
                required_tags: BTreeMap::new(),
                instances: vec![NewInstance {
                    id: InstanceId::from_bytes(bytes(resource * 2 + 1)),
                    name: "monitoring-0".to_owned(),
                }],
            };
            Body::ExtendDeployment(Box::new(ExtendDeployment {
                deployment_id,
                plan_id,
                resources: vec![resource; count],
                expected_version,
                reason: "r".to_owned(),
            }))
        },
    )
}

fn change() -> impl Strategy<Value = InstanceChange> {
    (small_instance(), 0_u8..7, 17_999_u16..18_003, any::<bool>()).prop_map(
        |(instance_id, kind, port, routed)| match kind {
            0 => InstanceChange::Run { instance_id },
            1 => InstanceChange::Replace { instance_id },
            2 => InstanceChange::Stop { instance_id },
            3 => InstanceChange::Remove { instance_id },
            4 => InstanceChange::Route {
                instance_id,
                routed,
            },
            5 => InstanceChange::Port {
                instance_id,
                refused: port,
                port: port + 1,
            },
            _ => InstanceChange::ForgetDeployment,
        },
    )
}

fn step_status() -> impl Strategy<Value = StepStatus> {
    proptest::sample::select(vec![
        StepStatus::Waiting,
        StepStatus::Running,
        StepStatus::Done,
        StepStatus::Failed,
    ])
}

fn body() -> impl Strategy<Value = Body> {
    let adopt = (
        small_plan(),
        proptest::option::of(small_plan()),
        proptest::collection::vec((small_instance(), 0_u64..4, 17_999_u16..18_003), 0..3),
        proptest::collection::vec(proptest::option::of(small_instance()), 0..4),
    )
        .prop_map(|(plan_id, parent, berths, steps)| {
            Body::AdoptPlan(Box::new(AdoptPlan {
                plan_id,
                parent,
                berths: berths
                    .into_iter()
                    .map(|(instance_id, host, port)| NewBerth {
                        instance_id,
                        allocator_id: allocator_id(host),
                        port,
                    })
                    .collect(),
                claims: Vec::new(),
                steps: steps
                    .into_iter()
                    .map(|instance_id| NewStep {
                        kind: StepKind::Start,
                        instance_id,
                    })
                    .collect(),
            }))
        });
    let step = (
        small_plan(),
        0_u32..4,
        step_status(),
        step_status(),
        proptest::collection::vec(change(), 0..3),
    )
        .prop_map(|(plan_id, step, from, to, changes)| {
            Body::StepTransition(Box::new(StepTransition {
                plan_id,
                step,
                from,
                to,
                waits_for: "x".to_owned(),
                bytes_done: 1,
                log: vec!["line".to_owned()],
                changes,
            }))
        });
    prop_oneof![
        4 => create(),
        2 => adopt,
        4 => step,
        2 => (small_deployment(), small_plan()).prop_map(|(deployment_id, plan_id)| {
            Body::DeleteDeployment(DeleteDeployment { deployment_id, plan_id, expected_version: 0 })
        }),
        1 => (small_deployment(), small_plan()).prop_map(|(deployment_id, plan_id)| {
            Body::UpgradeDeployment(UpgradeDeployment { deployment_id, plan_id, reason: String::new() })
        }),
        2 => extend(),
        1 => (small_plan(), any::<bool>()).prop_map(|(plan_id, done)| Body::PlanEnded(PlanEnded {
            plan_id,
            status: if done { PlanStatus::Done } else { PlanStatus::Failed },
            reason: "r".to_owned(),
            error_code: String::new(),
        })),
        1 => small_plan().prop_map(|plan_id| Body::SupersedePlan(SupersedePlan { plan_id })),
        1 => small_plan().prop_map(|plan_id| Body::StartAttempt(StartAttempt { plan_id })),
        1 => (small_plan(), ".{0,9}").prop_map(|(plan_id, reason)| {
            Body::NotePlan(NotePlan { plan_id, reason, code: String::new() })
        }),
        2 => (0_u64..4, 0_u64..60, any::<u64>()).prop_map(|(host, memory, held)| {
            let mut body = register(host, "zone-1", size(memory * 100));
            body.held_generation = held;
            Body::RegisterAllocator(body)
        }),
        1 => (0_u64..4, any::<bool>()).prop_map(|(host, on)| Body::UpdateAllocator(UpdateAllocator {
            maintenance: Some(on),
            ..UpdateAllocator::of(allocator_id(host), 0)
        })),
        1 => (0_u64..4).prop_map(|host| {
            Body::ForgetAllocator(ForgetAllocator { allocator_id: allocator_id(host) })
        }),
        1 => ("zone-[12]", any::<i32>(), any::<i32>(), ".{0,3}", any::<bool>(), 0_u64..3).prop_map(
            |(zone, latitude, longitude, place, clear, expected_version)| {
                if clear {
                    return Body::ClearZoneLocation(ClearZoneLocation { zone, expected_version });
                }
                let location = ZoneLocation {
                    latitude_microdegrees: latitude / 16,
                    longitude_microdegrees: longitude / 8,
                    place,
                };
                Body::SetZoneLocation(SetZoneLocation { zone, location, expected_version })
            },
        ),
        1 => (0_u64..3, any::<u64>()).prop_map(|(proxy, held_generation)| {
            Body::RegisterProxy(RegisterProxy {
                proxy_id: ProxyId::from_bytes(bytes(proxy)),
                host: "h".to_owned(),
                zone: "z".to_owned(),
                held_generation,
            })
        }),
        1 => (0_u64..3, "[a-c]").prop_map(|(from_generation, digest)| {
            Body::PublishRoutes(PublishRoutes { from_generation, digest })
        }),
        1 => (".{0,8}", proptest::option::of(".{0,8}")).prop_map(|(key, value)| {
            Body::SetSetting(SetSetting { key, value, expected_version: 0 })
        }),
        1 => "[a-c]{1,2}".prop_map(|name| user(&name)),
        1 => ("[a-c]/.{0,3}", ".{0,3}").prop_map(|(name, sealed)| {
            Body::PutSecret(PutSecret { name, sealed })
        }),
        1 => (".{0,3}", ".{0,3}", "[A-Z]{0,2}").prop_map(|(subject_kind, subject, code)| {
            Body::ReportHealthTransition(ReportHealthTransition {
                subject_kind,
                subject,
                code,
                message: String::new(),
            })
        }),
        1 => proptest::collection::vec((".{0,3}", "[A-Z]{0,2}"), 0..5).prop_map(|all| {
            let transitions = all.into_iter().map(|(subject, code)| ReportHealthTransition {
                subject_kind: "allocator".to_owned(),
                subject,
                code,
                message: String::new(),
            });
            Body::ReportHealthTransitions(ReportHealthTransitions { transitions: transitions.collect() })
        }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    (
        any::<u32>(),
        ".{0,5}",
        proptest::option::weighted(0.2, (0_u64..5).prop_map(request_id)),
        body(),
    )
        .prop_map(|(at, actor, request_id, body)| {
            Command::new(u64::from(at), actor, request_id, body)
        })
}

/// What must hold in every state.
fn check(state: &State) {
    let mut placed: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut ports = BTreeSet::new();
    for instance in state.instances.values() {
        assert!(
            state.deployments.contains_key(&instance.deployment_id),
            "an orphan {instance:?}"
        );
        assert!(
            state.resources[&instance.resource_id]
                .instances
                .contains(&instance.id)
        );
        if let Some(berth) = &instance.berth {
            assert!(
                state.allocators.contains_key(&berth.allocator_id),
                "a berth nowhere"
            );
            assert!(
                ports.insert((berth.allocator_id.clone(), berth.port)),
                "a port used twice"
            );
            placed
                .entry(berth.allocator_id.clone())
                .or_default()
                .insert(instance.id.clone());
        } else {
            assert_eq!(instance.want, Want::Reserved);
        }
    }
    for (id, assignment) in &state.assignments {
        assert_eq!(assignment.instances, placed.remove(id).unwrap_or_default());
        let content = crate::reconcile::assignment::content(state, id);
        assert_eq!(
            assignment.digest,
            content.digest(),
            "an assignment that is not settled"
        );
    }
    for deployment in state.deployments.values() {
        assert_eq!(state.aliases.get(&deployment.alias), Some(&deployment.id));
        if let Some(plan) = &deployment.pending_plan {
            assert!(
                !state.plans[plan].status.ended(),
                "an ended plan is pending"
            );
        }
    }
    assert_eq!(state.aliases.len(), state.deployments.len());
    assert_eq!(state.requests.len(), state.request_ages.len());
    for plan in state.plans.values().filter(|plan| !plan.status.ended()) {
        let deployment = &state.deployments[&plan.deployment_id];
        assert_eq!(
            deployment.pending_plan.as_ref(),
            Some(&plan.id),
            "a plan that nobody ends"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_log_replayed_on_two_states_gives_equal_hashes_and_nothing_breaks(
        commands in proptest::collection::vec(command(), 1..60),
    ) {
        let start = World::with_host().state;
        let (mut one, mut two) = (start.clone(), start);
        for command in &commands {
            let bytes = command.encode().unwrap();
            let again = Command::decode(&bytes).unwrap();
            prop_assert_eq!(command, &again);
            let users = one.users.len();
            let outcome = apply(&mut one, command);
            prop_assert_eq!(&Outcome::decode(&outcome.encode()).unwrap(), &outcome);
            prop_assert_eq!(&apply(&mut two, &again), &outcome);
            prop_assert!(one.users.len() >= users);
            check(&one);
            // The second member is restarted from its snapshot now and then.
            if command.at_ms % 3 == 0 {
                two = State::decode(&two.encode()).unwrap();
            }
        }
        prop_assert_eq!(one.hash(), two.hash());
        // A leader that looks at whatever came out of it does not panic either.
        let observed = Observations::default();
        let mut index = CapacityIndex::build(&one, |_| true);
        let mut bodies = planner::plan_all(&one, &observed, &mut index, u64::MAX);
        bodies.extend(attempt::run_all(&one, &observed, u64::MAX).commands);
        let _ = crate::health::problems(&one, &observed, u64::MAX);
        for body in bodies {
            apply(&mut one, &Command::new(0, "leader", None, body));
            check(&one);
        }
    }

    #[test]
    fn a_refusal_changes_no_object(
        commands in proptest::collection::vec(command(), 1..40),
    ) {
        let mut state = World::with_host().state;
        for command in &commands {
            let before = state.clone();
            let refused = matches!(apply(&mut state, command), Outcome::Refused(_));
            if refused {
                let mut rest = state.clone();
                rest.now_ms = before.now_ms;
                rest.revision = before.revision;
                rest.audit.clone_from(&before.audit);
                rest.audit_next = before.audit_next;
                rest.requests.clone_from(&before.requests);
                rest.request_ages.clone_from(&before.request_ages);
                prop_assert!(rest == before, "{command:?} was refused and changed something");
            }
        }
    }

    #[test]
    fn any_bytes_are_a_command_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Command::decode(&bytes);
        let _ = State::decode(&bytes);
        let _ = Outcome::decode(&bytes);
    }

    #[test]
    fn any_size_adds_and_subtracts_without_overflow(
        a in (any::<u64>(), any::<u64>(), any::<u32>()),
        b in (any::<u64>(), any::<u64>(), any::<u32>()),
    ) {
        let [a, b] = [a, b].map(|(memory_bytes, disk_bytes, cpu_millis)| Size { memory_bytes, disk_bytes, cpu_millis });
        prop_assert!(a.minus(b).fits_in(a));
        prop_assert!(a.fits_in(a.plus(b)));
    }
}

/// A command that meets objects which exist, made from the state and a seed.
fn pointed(world: &mut World, kind: u8, seed: usize) -> Option<Body> {
    let state = &world.state;
    let pick = |count: usize| (count > 0).then(|| seed % count);
    let deployment = pick(state.deployments.len())
        .and_then(|nth| state.deployments.values().nth(nth))
        .cloned();
    let plan = pick(state.plans.len())
        .and_then(|nth| state.plans.values().nth(nth))
        .cloned();
    let instance = pick(state.instances.len())
        .and_then(|nth| state.instances.keys().nth(nth))
        .cloned();
    let plan_id = PlanId::from_bytes(world.id());
    Some(match kind {
        0 => {
            let name = format!("logs {seed}");
            let request = crate::deployment::expand::DeploymentRequest {
                name,
                ..Default::default()
            };
            Body::CreateDeployment(Box::new(world.expand(&request).ok()?))
        }
        1 => Body::DeleteDeployment(DeleteDeployment {
            deployment_id: deployment?.id,
            plan_id,
            expected_version: 0,
        }),
        2 => Body::UpgradeDeployment(UpgradeDeployment {
            deployment_id: deployment?.id,
            plan_id,
            reason: String::new(),
        }),
        3 => {
            let plan = plan?;
            let step = seed % plan.steps.len().max(1);
            let instance_id = instance?;
            Body::StepTransition(Box::new(StepTransition {
                plan_id: plan.id.clone(),
                step: u32::try_from(step).unwrap(),
                from: plan
                    .steps
                    .get(step)
                    .map_or(StepStatus::Waiting, |step| step.status),
                to: [StepStatus::Running, StepStatus::Done, StepStatus::Failed][seed % 3],
                waits_for: String::new(),
                bytes_done: 0,
                log: vec!["x".to_owned(); seed % 50],
                changes: match seed % 8 {
                    0 => vec![InstanceChange::Run { instance_id }],
                    1 => vec![InstanceChange::Stop { instance_id }],
                    2 => vec![InstanceChange::Remove { instance_id }],
                    3 => vec![InstanceChange::Replace { instance_id }],
                    4 => {
                        let berth = world.state.instances[&instance_id].berth.as_ref();
                        let refused = berth.map_or(0, |berth| berth.port);
                        vec![InstanceChange::Port {
                            instance_id,
                            refused,
                            port: refused + 1,
                        }]
                    }
                    5 => vec![InstanceChange::ForgetDeployment],
                    _ => vec![],
                },
            }))
        }
        4 => Body::PlanEnded(PlanEnded {
            plan_id: plan?.id.clone(),
            status: if seed.is_multiple_of(2) {
                PlanStatus::Done
            } else {
                PlanStatus::Failed
            },
            reason: String::new(),
            error_code: String::new(),
        }),
        _ => Body::UpdateAllocator(UpdateAllocator {
            maintenance: Some(seed.is_multiple_of(3)),
            ..UpdateAllocator::of(allocator_id(1 + seed as u64 % 2), 0)
        }),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_platform_under_wishes_faults_and_meddling_keeps_what_must_hold_and_comes_to_rest(
        turns in proptest::collection::vec((0_u8..15, 0_usize..1000), 1..60),
    ) {
        let mut world = World::with_host();
        world.host(2, "zone-2");
        let mut replayed = world.state.clone();
        let mut log: Vec<Body> = Vec::new();
        let mut run = |world: &mut World, body: Body| {
            let command = Command::new(world.now_ms, "x", None, body);
            let outcome = apply(&mut world.state, &command);
            assert_eq!(apply(&mut replayed, &command), outcome);
            check(&world.state);
            log.push(command.body);
        };
        for (kind, seed) in turns {
            match kind {
                0..=5 => {
                    if let Some(body) = pointed(&mut world, kind, seed) {
                        run(&mut world, body);
                    }
                }
                6 => world.crashing = !world.crashing,
                7 => {
                    let id = allocator_id(1 + seed as u64 % 2);
                    let seen = world.observed.allocators.get_mut(&id).unwrap();
                    seen.connected = !seen.connected;
                }
                8 => world.observed.leader_since_ms = world.now_ms,
                9 => world.now_ms += 60_000,
                10 => {
                    // At most four of a hundred ports: re-choice must always find one.
                    let port = 18_000 + u16::try_from(seed % 4).unwrap();
                    if !world.taken_ports.remove(&port) {
                        world.taken_ports.insert(port);
                    }
                }
                _ => {
                    for body in world.proposals() {
                        run(&mut world, body);
                    }
                    world.obey();
                }
            }
        }
        // The faults end: every plan comes to its end.
        world.crashing = false;
        for seen in world.observed.allocators.values_mut() {
            seen.connected = true;
        }
        for number in 1..=2 {
            run(&mut world, Body::UpdateAllocator(UpdateAllocator {
                maintenance: Some(false),
                ..UpdateAllocator::of(allocator_id(number), 0)
            }));
        }
        world.obey();
        for _ in 0..40 {
            world.now_ms += 20_000;
            for body in world.proposals() {
                run(&mut world, body);
            }
            world.obey();
        }
        prop_assert_eq!(world.state.open_plans().count(), 0, "{:?}", world.state.open_plans().collect::<Vec<_>>());
        prop_assert!(world.proposals().is_empty());
        prop_assert_eq!(world.state.hash(), replayed.hash());
        prop_assert_eq!(&State::decode(&world.state.encode()).unwrap(), &world.state);
    }
}
