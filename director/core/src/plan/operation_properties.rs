//! Any sequence of operations, cancels at any step, faults and changes of leader comes to an end at
//! which everything that must hold holds: no instance doubled, no data removed but by a deletion or
//! of what never ran, places within capacity, every plan ended, the log replayed to the same state.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wharf_proto::ids::{DeploymentId, PlanId};

use crate::{
    apply::apply,
    command::{
        Body, CancelPlan, ChangeDeployment, Command, DeleteDeployment, DeploymentChange,
        StartAttempt,
    },
    fixture::{World, allocator_id, watched},
    observe::InstanceState,
    size::{MIB, Size},
    state::{DeploymentUser, PlanStatus, State, Want},
    template::TemplateCatalog,
};

#[derive(Debug, Clone)]
enum Happening {
    Create,
    Resize {
        nth: usize,
        monitoring: bool,
        mib: u64,
    },
    Restart {
        nth: usize,
        monitoring: bool,
    },
    Terminate(usize),
    Restore(usize),
    Reapply {
        nth: usize,
        plan: usize,
    },
    Password(usize),
    Delete(usize),
    Cancel(usize),
    Crashing,
    Connection(u64),
    Leader,
    Later,
    Turns(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    let nth = 0_usize..8;
    prop_oneof![
        2 => Just(Happening::Create),
        4 => (nth.clone(), any::<bool>(), 256_u64..5_000)
            .prop_map(|(nth, monitoring, mib)| Happening::Resize { nth, monitoring, mib }),
        2 => (nth.clone(), any::<bool>())
            .prop_map(|(nth, monitoring)| Happening::Restart { nth, monitoring }),
        3 => nth.clone().prop_map(Happening::Terminate),
        3 => nth.clone().prop_map(Happening::Restore),
        3 => (nth.clone(), 0_usize..40).prop_map(|(nth, plan)| Happening::Reapply { nth, plan }),
        1 => nth.clone().prop_map(Happening::Password),
        1 => nth.clone().prop_map(Happening::Delete),
        6 => nth.prop_map(Happening::Cancel),
        1 => Just(Happening::Crashing),
        1 => (1_u64..=2).prop_map(Happening::Connection),
        1 => Just(Happening::Leader),
        2 => Just(Happening::Later),
        12 => (1_usize..12).prop_map(Happening::Turns),
    ]
}

/// What must hold after every command.
fn check(state: &State) {
    let mut ports = BTreeSet::new();
    let mut places: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut claims: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for instance in state.instances.values() {
        let claimed = instance
            .claim
            .as_ref()
            .and_then(|claim| claim.berth.as_ref());
        for berth in instance.berth.iter().chain(claimed) {
            if berth.port != 0 {
                assert!(
                    ports.insert((&berth.allocator_id, berth.port)),
                    "a port is given out twice"
                );
            }
        }
        if let Some(berth) = &instance.berth {
            places
                .entry(&berth.allocator_id)
                .or_default()
                .insert(instance.id.clone());
            assert_eq!(
                berth.port == 0,
                instance.want == Want::Keep || (instance.want == Want::Remove && berth.port == 0),
                "{instance:?}"
            );
        } else {
            assert_eq!(instance.want, Want::Reserved, "{instance:?}");
        }
        if let Some(berth) = claimed {
            claims
                .entry(&berth.allocator_id)
                .or_default()
                .insert(instance.id.clone());
            assert!(
                instance.name.starts_with("monitoring"),
                "a storage node leaves its data"
            );
        }
        let pending = state.deployments[&instance.deployment_id]
            .pending_plan
            .is_some();
        assert!(
            pending || instance.claim.is_none(),
            "room is held for nothing: {instance:?}"
        );
    }
    for (id, assignment) in &state.assignments {
        assert_eq!(assignment.instances, places.remove(id).unwrap_or_default());
        assert_eq!(assignment.claims, claims.remove(id).unwrap_or_default());
        assert!(
            assignment
                .removed
                .iter()
                .all(|gone| !assignment.instances.contains(gone))
        );
        let content = crate::reconcile::assignment::content(state, id);
        assert_eq!(
            assignment.digest,
            content.digest(),
            "an assignment is not settled"
        );
        let capacity = state.allocators[id].capacity;
        assert!(
            state.used(id).fits_in(capacity),
            "more is given out than there is"
        );
    }
}

struct Play {
    world: World,
    replayed: State,
}

impl Play {
    fn run(&mut self, body: Body) {
        let world = &mut self.world;
        world.now_ms += 1;
        let command = Command::new(world.now_ms, "ann", None, body);
        let command = Command::decode(&command.encode().unwrap()).unwrap();
        let outcome = apply(&mut world.state, &command);
        assert_eq!(apply(&mut self.replayed, &command), outcome);
        check(&self.world.state);
    }

    fn change(
        &mut self,
        nth: usize,
        change: impl FnOnce(&State, &DeploymentId) -> Option<DeploymentChange>,
    ) {
        let state = &self.world.state;
        let count = state.deployments.len();
        let Some(id) = (count > 0)
            .then(|| state.deployments.keys().nth(nth % count))
            .flatten()
        else {
            return;
        };
        let id = id.clone();
        let Some(change) = change(state, &id) else {
            return;
        };
        let plan_id = PlanId::from_bytes(self.world.id());
        self.run(Body::ChangeDeployment(Box::new(ChangeDeployment {
            deployment_id: id,
            plan_id,
            expected_version: 0,
            change,
        })));
    }

    fn turn(&mut self) {
        for body in self.world.proposals() {
            self.run(body);
        }
        self.world.obey();
        self.world.obey_collectors();
    }

    fn happen(&mut self, happening: &Happening) {
        match happening.clone() {
            Happening::Create => {
                let name = format!("logs {}", self.world.now_ms);
                let request = crate::deployment::expand::DeploymentRequest {
                    name,
                    ..Default::default()
                };
                let body = self.world.expand(&request).unwrap();
                self.run(Body::CreateDeployment(Box::new(body)));
            }
            Happening::Resize {
                nth,
                monitoring,
                mib,
            } => self.change(nth, |state, id| {
                let kind = if monitoring { "monitoring" } else { "storage" };
                let resource = state
                    .resources_of(&state.deployments[id])
                    .find(|one| one.kind == kind)?;
                let size = Size {
                    memory_bytes: mib * MIB,
                    ..resource.size
                };
                let sizes = [(kind.to_owned(), size)].into();
                Some(DeploymentChange::Resize { sizes })
            }),
            Happening::Restart { nth, monitoring } => self.change(nth, |_, _| {
                let instances = if monitoring {
                    vec!["monitoring".to_owned()]
                } else {
                    vec![]
                };
                Some(DeploymentChange::Restart { instances })
            }),
            Happening::Terminate(nth) => self.change(nth, |_, _| Some(DeploymentChange::Terminate)),
            Happening::Restore(nth) => self.change(nth, |_, _| Some(DeploymentChange::Restore)),
            Happening::Reapply { nth, plan } => self.change(nth, |state, id| {
                let history = &state.plan_history[id];
                let of_plan = history[plan % history.len()].clone();
                Some(DeploymentChange::Reapply { of_plan })
            }),
            Happening::Password(nth) => {
                let hash = format!("hash {}", self.world.now_ms);
                self.change(nth, |_, _| {
                    Some(DeploymentChange::ResetPassword {
                        user: DeploymentUser {
                            username: "elastic".to_owned(),
                            password_hash: hash,
                            roles: Vec::new(),
                        },
                        sealed_credentials: "sealed".to_owned(),
                    })
                });
            }
            Happening::Delete(nth) => {
                let count = self.world.state.deployments.len();
                if count > 0 {
                    let id = self
                        .world
                        .state
                        .deployments
                        .keys()
                        .nth(nth % count)
                        .unwrap()
                        .clone();
                    let plan_id = PlanId::from_bytes(self.world.id());
                    self.run(Body::DeleteDeployment(DeleteDeployment {
                        deployment_id: id,
                        plan_id,
                        expected_version: 0,
                    }));
                }
            }
            Happening::Cancel(nth) => {
                let open: Vec<PlanId> = self
                    .world
                    .state
                    .open_plans()
                    .map(|plan| plan.id.clone())
                    .collect();
                if let Some(plan_id) = open.get(nth % open.len().max(1)) {
                    self.run(Body::CancelPlan(CancelPlan {
                        reason: String::new(),
                        plan_id: plan_id.clone(),
                    }));
                }
            }
            Happening::Crashing => self.world.crashing = !self.world.crashing,
            Happening::Connection(host) => {
                let seen = self
                    .world
                    .observed
                    .allocators
                    .get_mut(&allocator_id(host))
                    .unwrap();
                seen.connected = !seen.connected;
            }
            Happening::Leader => {
                self.world.observed.leader_since_ms = self.world.now_ms;
                let running: Vec<PlanId> = self
                    .world
                    .state
                    .open_plans()
                    .filter(|plan| plan.status == PlanStatus::Running)
                    .map(|plan| plan.id.clone())
                    .collect();
                for plan_id in running {
                    self.run(Body::StartAttempt(StartAttempt { plan_id }));
                }
            }
            Happening::Later => self.world.now_ms += 400_000,
            Happening::Turns(count) => (0..count).for_each(|_| self.turn()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_operations_and_cancels_end_with_nothing_doubled_lost_or_over_capacity(
        happenings in proptest::collection::vec(happening(), 1..60),
    ) {
        let mut world = World::with_host();
        world.host(2, "zone-2");
        world.catalog = TemplateCatalog::new([watched()]).unwrap();
        world.create_system();
        world.settle();
        let replayed = world.state.clone();
        let mut play = Play { world, replayed };
        for happening in &happenings {
            play.happen(happening);
            // What runs is where its place is, or its host is told to remove it: one that is cut
            // off cannot hear that yet, and nothing is routed to it.
            for (host, seen) in &play.world.observed.allocators {
                let removed = &play.world.state.assignments[host].removed;
                for (id, _) in seen.instances.iter().filter(|(_, one)| one.state == InstanceState::Running) {
                    let here = play.world.state.instances.get(id)
                        .and_then(|known| known.berth.as_ref())
                        .is_some_and(|berth| berth.allocator_id == *host);
                    prop_assert!(here || removed.contains(id), "{id} runs on {host}, which may keep it");
                }
            }
            // Data of what was healthy once goes by a deletion only.
            for instance in play.world.state.instances.values().filter(|one| one.proven) {
                let deleting = play.world.state.deployments[&instance.deployment_id].deleting;
                let stateless = instance.name.starts_with("monitoring");
                prop_assert!(deleting || stateless || instance.berth.is_some(), "{instance:?}");
            }
            let lost = &play.world.lost_data;
            prop_assert!(lost.is_empty(), "data is gone: {lost:?}");
        }
        // The faults end: every plan comes to its end.
        play.world.crashing = false;
        for seen in play.world.observed.allocators.values_mut() {
            seen.connected = true;
        }
        play.world.obey();
        for _ in 0..60 {
            play.world.now_ms += 20_000;
            play.turn();
        }
        let open: Vec<_> = play.world.state.open_plans().collect();
        prop_assert!(open.is_empty(), "{open:?}");
        prop_assert!(play.world.proposals().is_empty());
        prop_assert_eq!(play.world.state.hash(), play.replayed.hash());
        prop_assert_eq!(&State::decode(&play.world.state.encode()).unwrap(), &play.world.state);
        for deployment in play.world.state.deployments.values() {
            prop_assert_eq!(deployment.users.len() <= 2, true, "old passwords pile up");
            prop_assert!(deployment.next_user.is_none());
        }
        // No instance runs twice: what a host has is what lies there.
        for (host, seen) in &play.world.observed.allocators {
            for (id, one) in &seen.instances {
                let here = play.world.state.instances.get(id)
                    .and_then(|known| known.berth.as_ref())
                    .is_some_and(|berth| berth.allocator_id == *host);
                prop_assert!(here || one.container_id.is_empty(), "a double of {id} on {host}");
            }
        }
        prop_assert!(play.world.state.plan_history.values().all(|plans| plans.len() <= 50));
    }
}
