//! Any sequence of moves, pauses, lost and returning hosts, cuts, cancels at any step and changes of
//! leader comes to an end at which everything that must hold holds: never two places that take writes, no
//! data removed unless another place serves it, places within capacity, every plan ended, the log
//! replayed to the same state.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wharf_proto::ids::{InstanceId, PlanId};

use super::torn_tests::{give_up, join};
use crate::{
    apply::apply,
    command::{
        Body, CancelPlan, ChangeDeployment, Command, DeleteDeployment, DeploymentChange,
        RequestSnapshot, SetHostLossPolicy, SetInstanceRouting, StartAttempt,
    },
    deployment::expand::DeploymentRequest,
    fixture::{World, allocator_id, hosts::LEASE_MS, watched},
    reconcile::assignment,
    state::{ClaimStage, HostLoss, MoveCause, MoveWish, PlanStatus, State, Want},
    template::TemplateCatalog,
};

const HOSTS: u64 = 4;

#[derive(Debug, Clone)]
enum Happening {
    Create,
    Move {
        nth: usize,
        to: Option<u64>,
    },
    Both {
        nth: usize,
    },
    Lost {
        nth: usize,
    },
    Policy {
        nth: usize,
        on_host_loss: HostLoss,
    },
    /// A deployment's storage nodes are asked for a snapshot.
    Snapshot(usize),
    /// The repository does not answer, or does again.
    Unreachable,
    Pause(usize),
    Resume(usize),
    Routing {
        nth: usize,
        stopped: bool,
    },
    Restart(usize),
    Delete(usize),
    Cancel(usize),
    Kill(u64),
    Cut(u64),
    Back(u64),
    Stalled,
    Crashing,
    Leader,
    /// A host is lost for good and given up.
    Forget(u64),
    /// What has no place is placed again.
    Again(usize),
    Later(u64),
    Turns(usize),
    /// A host is cut off soon after it was told of a lease or not, given up, and there again soon.
    Disaster {
        nth: usize,
        told: usize,
        back: usize,
    },
}

fn loss() -> impl Strategy<Value = HostLoss> {
    prop_oneof![
        Just(HostLoss::Wait),
        Just(HostLoss::Empty),
        Just(HostLoss::Restore)
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let nth = 0_usize..12;
    let host = 1..=HOSTS;
    prop_oneof![
        1 => Just(Happening::Create),
        6 => (nth.clone(), proptest::option::of(host.clone()))
            .prop_map(|(nth, to)| Happening::Move { nth, to }),
        2 => nth.clone().prop_map(|nth| Happening::Both { nth }),
        6 => nth.clone().prop_map(|nth| Happening::Lost { nth }),
        4 => (nth.clone(), loss()).prop_map(|(nth, on_host_loss)| Happening::Policy {
            nth,
            on_host_loss,
        }),
        1 => nth.clone().prop_map(Happening::Snapshot),
        1 => Just(Happening::Unreachable),
        1 => nth.clone().prop_map(Happening::Pause),
        2 => nth.clone().prop_map(Happening::Resume),
        1 => (nth.clone(), any::<bool>())
            .prop_map(|(nth, stopped)| Happening::Routing { nth, stopped }),
        1 => nth.clone().prop_map(Happening::Restart),
        1 => nth.clone().prop_map(Happening::Delete),
        4 => nth.clone().prop_map(Happening::Cancel),
        2 => host.clone().prop_map(Happening::Kill),
        2 => host.clone().prop_map(Happening::Cut),
        4 => host.prop_map(Happening::Back),
        1 => Just(Happening::Stalled),
        1 => Just(Happening::Crashing),
        1 => Just(Happening::Leader),
        1 => (1..=HOSTS).prop_map(Happening::Forget),
        2 => nth.clone().prop_map(Happening::Again),
        4 => (1_000_u64..400_000).prop_map(Happening::Later),
        14 => (1_usize..8).prop_map(Happening::Turns),
        4 => (nth, 0_usize..4, 0_usize..16)
            .prop_map(|(nth, told, back)| Happening::Disaster { nth, told, back }),
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
            assert!(
                berth.port == 0 || ports.insert((&berth.allocator_id, berth.port)),
                "a port is given out twice"
            );
        }
        if let Some(berth) = &instance.berth {
            let all = places.entry(&berth.allocator_id).or_default();
            all.insert(instance.id.clone());
        }
        if let Some(berth) = claimed {
            let all = claims.entry(&berth.allocator_id).or_default();
            all.insert(instance.id.clone());
            assert_ne!(
                Some(&berth.allocator_id),
                instance.berth.as_ref().map(|own| &own.allocator_id),
                "an instance goes to where it is"
            );
        }
        let pending = &state.deployments[&instance.deployment_id].pending_plan;
        assert!(
            pending.is_some() || instance.claim.is_none(),
            "room is held for nothing: {instance:?}"
        );
        assert!(
            !instance.paused || instance.want == Want::Stop,
            "what is paused is stopped: {instance:?}"
        );
    }
    for (id, assignment) in &state.assignments {
        assert_eq!(assignment.instances, places.remove(id).unwrap_or_default());
        assert_eq!(assignment.claims, claims.remove(id).unwrap_or_default());
        let content = assignment::content(state, id);
        assert_eq!(
            assignment.digest,
            content.digest(),
            "an assignment is not settled"
        );
        for spec in &content.instances {
            assert!(
                !content.remove.contains(&spec.instance_id)
                    && !content.set_aside.contains(&spec.instance_id),
                "an allocator is told two things of {}",
                spec.instance_id
            );
        }
        for aside in &content.set_aside {
            assert!(
                !content.remove.contains(aside),
                "what is set aside is never removed: {aside}"
            );
        }
        assert!(
            state.used(id).fits_in(state.allocators[id].capacity),
            "more is given out than there is"
        );
    }
}

struct Play {
    world: World,
    replayed: State,
    /// The host that was lost for good.
    forgotten: Option<u64>,
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

    fn turn(&mut self) {
        for body in self.world.proposals() {
            self.run(body);
        }
        self.world.obey();
        self.world.obey_collectors();
        self.look();
    }

    /// What must hold on the hosts at any time.
    fn look(&self) {
        let (world, state) = (&self.world, &self.world.state);
        assert!(
            world.lost_data.is_empty(),
            "data is gone: {:?}",
            world.lost_data
        );
        for instance in state.instances.values() {
            if !instance.name.starts_with("storage") {
                continue;
            }
            let writers = world.hosts.writers(&instance.id, world.now_ms);
            assert!(
                writers.len() <= 1,
                "{} takes writes at {writers:?}: {instance:?}",
                instance.name
            );
            if let (Some(from), Some(berth)) = (&instance.restored_from, &instance.berth) {
                let place = (berth.allocator_id.clone(), instance.id.clone());
                let begun = world.hosts.repository.begun_from(&place);
                assert!(
                    begun.is_none_or(|begun| begun == from.snapshot),
                    "{instance:?} began from {begun:?}"
                );
            }
            let deleting = state.deployments[&instance.deployment_id].deleting;
            if let Some((host, there)) = world.hosts.authority(&instance.id) {
                assert!(
                    there
                        || deleting
                        || !instance.proven
                        || world.hosts.lies_aside(host, &instance.id),
                    "the data of {} is gone from {host}: {instance:?}",
                    instance.name
                );
            }
        }
    }

    fn nth(&self, nth: usize) -> Option<InstanceId> {
        let instances = &self.world.state.instances;
        let count = instances.len();
        (count > 0)
            .then(|| instances.keys().nth(nth % count).cloned())
            .flatten()
    }

    fn change(&mut self, id: &InstanceId, change: DeploymentChange) {
        let deployment_id = self.world.state.instances[id].deployment_id.clone();
        let plan_id = PlanId::from_bytes(self.world.id());
        self.run(Body::ChangeDeployment(Box::new(ChangeDeployment {
            deployment_id,
            plan_id,
            expected_version: 0,
            change,
        })));
    }

    fn wish(id: InstanceId, to: Option<u64>, lost: bool) -> MoveWish {
        MoveWish {
            instance_id: id,
            from: None,
            to: to.map(allocator_id).into_iter().collect(),
            lost,
            cause: if lost {
                MoveCause::HostLost
            } else {
                MoveCause::Request
            },
            reason: "a test".to_owned(),
        }
    }

    /// A host is given up when its last lease has run out, as failure handling does.
    fn lose(&mut self, id: InstanceId) {
        let state = &self.world.state;
        let berth = state.instances[&id].berth.clone();
        let silent = berth.and_then(|berth| {
            self.world
                .observed
                .allocator_silence_ms(&berth.allocator_id, self.world.now_ms)
        });
        if silent.is_some_and(|silent| silent > LEASE_MS) {
            let moves = vec![Self::wish(id.clone(), None, true)];
            self.change(&id, DeploymentChange::Move { moves });
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match happening.clone() {
            Happening::Create => {
                let request = DeploymentRequest {
                    name: format!("logs {}", self.world.now_ms),
                    ..Default::default()
                };
                let body = self.world.expand(&request).unwrap();
                self.run(Body::CreateDeployment(Box::new(body)));
            }
            Happening::Move { nth, to } => {
                if let Some(id) = self.nth(nth) {
                    let moves = vec![Self::wish(id.clone(), to, false)];
                    self.change(&id, DeploymentChange::Move { moves });
                }
            }
            Happening::Both { nth } => {
                if let Some(id) = self.nth(nth) {
                    let state = &self.world.state;
                    let deployment = &state.deployments[&state.instances[&id].deployment_id];
                    let moves = state
                        .deployment_instances(deployment)
                        .map(|one| Self::wish(one.id.clone(), None, false))
                        .collect();
                    self.change(&id, DeploymentChange::Move { moves });
                }
            }
            Happening::Lost { nth } => {
                if let Some(id) = self.nth(nth) {
                    self.lose(id);
                }
            }
            Happening::Policy { nth, on_host_loss } => self.policy(nth, on_host_loss),
            Happening::Snapshot(nth) => {
                if let Some(id) = self.nth(nth) {
                    let deployment_id = self.world.state.instances[&id].deployment_id.clone();
                    self.run(Body::RequestSnapshot(RequestSnapshot { deployment_id }));
                }
            }
            Happening::Unreachable => {
                let repository = &mut self.world.hosts.repository;
                repository.broken = !repository.broken;
            }
            Happening::Pause(nth) => {
                if let Some(instance_id) = self.nth(nth) {
                    let id = instance_id.clone();
                    self.change(&id, DeploymentChange::Pause { instance_id });
                }
            }
            Happening::Resume(nth) => {
                if let Some(instance_id) = self.nth(nth) {
                    let id = instance_id.clone();
                    self.change(&id, DeploymentChange::Resume { instance_id });
                }
            }
            Happening::Routing { nth, stopped } => {
                if let Some(instance_id) = self.nth(nth) {
                    self.run(Body::SetInstanceRouting(SetInstanceRouting {
                        instance_id,
                        stopped,
                    }));
                }
            }
            Happening::Restart(nth) => {
                if let Some(id) = self.nth(nth) {
                    let instances = Vec::new();
                    self.change(&id, DeploymentChange::Restart { instances });
                }
            }
            Happening::Delete(nth) => {
                if let Some(id) = self.nth(nth) {
                    let deployment_id = self.world.state.instances[&id].deployment_id.clone();
                    let plan_id = PlanId::from_bytes(self.world.id());
                    self.run(Body::DeleteDeployment(DeleteDeployment {
                        deployment_id,
                        plan_id,
                        expected_version: 0,
                    }));
                }
            }
            Happening::Cancel(nth) => {
                let open: Vec<PlanId> = self.open();
                if let Some(plan_id) = open.get(nth % open.len().max(1)) {
                    self.run(Body::CancelPlan(CancelPlan {
                        plan_id: plan_id.clone(),
                        reason: String::new(),
                    }));
                }
            }
            Happening::Kill(host) => self.world.kill(host),
            Happening::Cut(host) => self.world.disconnect(host),
            Happening::Back(host) if self.forgotten == Some(host) => {}
            Happening::Back(host) => self.world.revive(host),
            Happening::Forget(host) => self.forget(host),
            Happening::Again(nth) => {
                if let Some(id) = self.nth(nth) {
                    let deployment = &self.world.state.instances[&id].deployment_id;
                    let of_plan = self.world.state.plan_history[deployment][0].clone();
                    self.change(&id, DeploymentChange::Reapply { of_plan });
                }
            }
            Happening::Stalled => self.world.hosts.stalled = !self.world.hosts.stalled,
            Happening::Crashing => self.world.crashing = !self.world.crashing,
            Happening::Leader => {
                self.world.observed.leader_since_ms = self.world.now_ms;
                for plan_id in self.open() {
                    if self.world.plan(&plan_id).status == PlanStatus::Running {
                        self.run(Body::StartAttempt(StartAttempt { plan_id }));
                    }
                }
            }
            Happening::Later(ms) => self.world.now_ms += ms,
            Happening::Turns(count) => (0..count).for_each(|_| self.turn()),
            Happening::Disaster { nth, told, back } => self.disaster(nth, told, back),
        }
    }

    /// One host at most, so that there is room for everything. It may be refused: then it is only dead.
    fn forget(&mut self, host: u64) {
        if self.forgotten.is_some() {
            return;
        }
        self.world.kill(host);
        self.run(give_up(host));
        if !self
            .world
            .state
            .allocators
            .contains_key(&allocator_id(host))
        {
            self.forgotten = Some(host);
            self.world.observed.allocators.remove(&allocator_id(host));
        }
    }

    fn policy(&mut self, nth: usize, on_host_loss: HostLoss) {
        let Some(id) = self.nth(nth) else {
            return;
        };
        let deployment_id = self.world.state.instances[&id].deployment_id.clone();
        if on_host_loss == HostLoss::Restore {
            self.run(World::keeps(&deployment_id));
        }
        self.run(Body::SetHostLossPolicy(SetHostLossPolicy {
            deployment_id,
            expected_version: 0,
            on_host_loss,
        }));
    }

    fn disaster(&mut self, nth: usize, told: usize, back: usize) {
        let Some(id) = self.nth(nth) else {
            return;
        };
        // Both answers are tried, told apart by what else is chosen.
        let on_host_loss = if back.is_multiple_of(2) {
            HostLoss::Empty
        } else {
            HostLoss::Restore
        };
        self.policy(nth, on_host_loss);
        (0..told).for_each(|_| self.turn());
        let berth = self.world.state.instances.get(&id);
        let Some(berth) = berth.and_then(|known| known.berth.clone()) else {
            return;
        };
        let host = (1..=HOSTS).find(|host| allocator_id(*host) == berth.allocator_id);
        let host = host.unwrap();
        self.world.disconnect(host);
        self.world.now_ms += LEASE_MS + 1_000;
        self.lose(id);
        (0..back).for_each(|_| self.turn());
        self.world.revive(host);
        self.turn();
    }

    fn open(&self) -> Vec<PlanId> {
        let plans = self.world.state.open_plans();
        plans.map(|plan| plan.id.clone()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn moves_losses_and_cancels_end_with_one_writer_and_all_data(
        happenings in proptest::collection::vec(happening(), 1..70),
    ) {
        let mut world = World::with_host();
        for number in 2..=HOSTS {
            world.host(number, &format!("zone-{}", number % 3 + 1));
        }
        world.catalog = TemplateCatalog::new([watched()]).unwrap();
        world.create_system();
        world.create("logs");
        world.repository();
        world.settle();
        (1..=HOSTS).for_each(|host| join(&mut world, host));
        let replayed = world.state.clone();
        let mut play = Play { world, replayed, forgotten: None };
        for happening in &happenings {
            play.happen(happening);
            play.look();
        }
        // The faults end: every plan comes to its end.
        play.world.crashing = false;
        play.world.hosts.stalled = false;
        play.world.hosts.repository.broken = false;
        (1..=HOSTS)
            .filter(|host| play.forgotten != Some(*host))
            .for_each(|host| play.world.revive(host));
        play.world.obey();
        for _ in 0..80 {
            play.world.now_ms += 20_000;
            play.turn();
        }
        let open: Vec<_> = play.world.state.open_plans().collect();
        prop_assert!(open.is_empty(), "{open:?}");
        prop_assert!(play.world.proposals().is_empty(), "{:?}", play.world.proposals());
        prop_assert_eq!(play.world.state.hash(), play.replayed.hash());
        prop_assert_eq!(&State::decode(&play.world.state.encode()).unwrap(), &play.world.state);
        // No instance lies twice, and what was to be set aside was.
        for (host, seen) in &play.world.observed.allocators {
            for (id, one) in &seen.instances {
                let here = play.world.state.instances.get(id)
                    .and_then(|known| known.berth.as_ref())
                    .is_some_and(|berth| berth.allocator_id == *host);
                prop_assert!(here || one.container_id.is_empty(), "a double of {id} on {host}");
            }
            prop_assert!(play.world.state.assignments[host].set_aside.is_empty());
        }
        for instance in play.world.state.instances.values() {
            prop_assert!(instance.claim.as_ref().is_none_or(|one| one.stage == ClaimStage::Held));
            let storage = instance.name.starts_with("storage");
            if storage && instance.want == Want::Run && instance.proven {
                let writers = play.world.hosts.writers(&instance.id, play.world.now_ms);
                prop_assert_eq!(writers.len(), 1, "{:?}", instance);
            }
        }
    }
}
