//! From the assignment and what the engine shows to the next action of each instance.
//!
//! Invariants, kept whatever dies in between, because every call starts from what is observed:
//! - a container is made or started only while no other container of its instance lives;
//! - only containers of this platform that name an instance are ever touched;
//! - a container that runs what it should is left running (adopted), whoever started it;
//! - data goes only when the assignment lists the instance for removal, and after its containers; what
//!   is to be set aside is never removed, whatever else names it;
//! - where its data is copied from and whether it is leased never touch a container;
//! - a container that the engine refuses to start is made anew, once per wait, from the same data;
//! - without an assignment nothing is done.
//!
//! The rule for strays: a container of this platform whose instance is in none of the lists is left alone
//! at the first generation that omits it, and stopped, not removed, at a later one. A director that
//! merely lost track lists it again and it starts again; data and container are kept either way.
//!
//! One action per instance and call. The caller names the instances whose action still runs as
//! busy; they are looked at, and left alone. Not here: doing it, and secrets.

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::ids::InstanceId;

use crate::{
    assignment::{AssignmentSpec, InstanceSpec},
    observed::{ObservedContainer, RunState},
    restart::CRASH_LOOP,
};

mod clearing;
mod memory;
mod reason;
mod view;

use memory::Known;
use view::ended;

pub use memory::Memory;
pub use reason::Reason;
pub use view::{InstanceState, InstanceView};

/// Everything that a decision depends on, besides [`Memory`].
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Containers of other platforms are ignored.
    pub platform_id: &'a str,
    /// The image that instances are to run; empty while it is not loaded.
    pub image_id: &'a str,
    /// The assignment in force.
    pub assignment: Option<&'a AssignmentSpec>,
    /// What the engine shows.
    pub containers: &'a [ObservedContainer],
    /// Instances that have a data directory on this host.
    pub data: &'a BTreeSet<InstanceId>,
    /// Instances with an action that has not ended.
    pub busy: &'a BTreeSet<InstanceId>,
    /// Monotonic time.
    pub now_ms: u64,
}

/// One step towards the assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a container; it is started in a later round, after it was seen.
    Create,
    /// Start a container.
    Start {
        /// The engine's id.
        container: String,
    },
    /// Stop a container.
    Stop {
        /// The engine's id.
        container: String,
        /// Why.
        reason: Reason,
    },
    /// Remove a stopped container.
    Remove {
        /// The engine's id.
        container: String,
        /// Why.
        reason: Reason,
    },
    /// Remove the data directory.
    RemoveData,
    /// Keep the data directory out of the way, read-only, for people.
    SetAside,
}

/// The outcome of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// At most one per instance.
    pub actions: Vec<(InstanceId, Action)>,
    /// Every instance that is assigned, to be removed or set aside, or seen.
    pub instances: Vec<InstanceView>,
    /// Instances whose running container was found, not made, since the allocator started.
    pub adopted: Vec<(InstanceId, String)>,
    /// The assignment is in force wholly.
    pub applied: bool,
    /// When something falls due without an event.
    pub wake_ms: Option<u64>,
}

/// Decides. Call it again after every event, every ended action, and at `wake_ms`.
pub fn reconcile(situation: Situation<'_>, memory: &mut Memory) -> Plan {
    let mut by_instance: BTreeMap<InstanceId, Vec<&ObservedContainer>> = BTreeMap::new();
    for container in situation.containers {
        if container.platform_id != situation.platform_id {
            continue;
        }
        if let Some(id) = &container.instance_id {
            by_instance.entry(id.clone()).or_default().push(container);
        }
    }
    let mut plan = Plan {
        applied: situation.assignment.is_some(),
        ..Plan::default()
    };
    let empty = AssignmentSpec::default();
    let assignment = situation.assignment.unwrap_or(&empty);
    let mut ids: BTreeSet<&InstanceId> = by_instance.keys().collect();
    ids.extend(assignment.instances.keys());
    ids.extend(&assignment.remove);
    ids.extend(&assignment.keep);
    ids.extend(&assignment.set_aside);
    memory.instances.retain(|id, _| ids.contains(id));
    memory
        .omitted
        .retain(|id, _| by_instance.contains_key(id) && !assignment.names(id));

    for id in ids {
        let containers = by_instance.get(id).map_or(&[][..], Vec::as_slice);
        let mut round = Round {
            situation,
            id,
            containers,
            plan: &mut plan,
            memory,
        };
        let view = match assignment.instances.get(id) {
            _ if assignment.set_aside.contains(id) => round.set_aside(),
            Some(spec) if spec.run => round.run(spec),
            Some(_) => round.hold(),
            None if assignment.remove.contains(id) => round.remove(),
            None if assignment.keep.contains(id) => round.keep(),
            None => round.stray(),
        };
        plan.instances.push(view);
    }
    plan
}

struct Round<'a, 'p> {
    situation: Situation<'a>,
    id: &'a InstanceId,
    containers: &'a [&'a ObservedContainer],
    plan: &'p mut Plan,
    memory: &'p mut Memory,
}

impl<'a> Round<'a, '_> {
    fn run(&mut self, spec: &InstanceSpec) -> InstanceView {
        let known = self.memory.known(self.id);
        if known.spec_hash != spec.spec_hash {
            known.restart.forgive();
            known.spec_hash.clone_from(&spec.spec_hash);
        }
        let image = self.situation.image_id;
        let wanted = |container: &ObservedContainer| {
            container.spec_hash == spec.spec_hash
                && (image.is_empty() || container.image_id == image)
        };
        // The living right one first, the eldest of them: it has the warm caches.
        let kept = self.containers.iter().copied().min_by_key(|container| {
            (
                !(wanted(container) && container.state.alive()),
                !wanted(container),
                !container.state.alive(),
                container.created_ms,
                &container.id,
            )
        });
        let cleared = self.clear_others(kept, &wanted);
        let Some(kept) = kept else { return self.make() };
        if !wanted(kept) {
            self.drop_container(kept, Reason::Replaced);
            return self.view(InstanceState::Starting, Some(kept), "it is being replaced");
        }
        let now = self.situation.now_ms;
        match &kept.state {
            RunState::Running => {
                let known = self.memory.known(self.id);
                known.restart.seen_running(now);
                if known.container.as_ref() != Some(&kept.id) {
                    known.container = Some(kept.id.clone());
                    self.plan.adopted.push((self.id.clone(), kept.id.clone()));
                }
                self.view(InstanceState::Running, Some(kept), "")
            }
            RunState::Paused => {
                self.plan.applied = false;
                self.view(
                    InstanceState::Running,
                    Some(kept),
                    "somebody paused it; unpause it",
                )
            }
            RunState::Changing | RunState::Removing => {
                self.plan.applied = false;
                self.view(
                    InstanceState::Starting,
                    Some(kept),
                    "the engine is changing it",
                )
            }
            RunState::Unreadable(why) => {
                self.plan.applied = false;
                let why = format!("the engine does not describe its container: {why}");
                let mut view = self.view(InstanceState::Failed, Some(kept), &why);
                "ALL0005".clone_into(&mut view.error_code);
                view
            }
            RunState::Dead => {
                self.drop_container(kept, Reason::Dead);
                self.view(
                    InstanceState::Starting,
                    Some(kept),
                    "the engine failed to remove it",
                )
            }
            RunState::Created => self.start(kept, cleared),
            RunState::Exited(exit) => {
                self.memory
                    .known(self.id)
                    .restart
                    .seen_exited(&kept.id, exit, now);
                self.start(kept, cleared)
            }
        }
    }

    /// Stops or removes every container but the kept one; true when none of them is left alive.
    fn clear_others(
        &mut self,
        kept: Option<&ObservedContainer>,
        wanted: &dyn Fn(&ObservedContainer) -> bool,
    ) -> bool {
        let mut cleared = true;
        for other in self.containers {
            if kept.is_some_and(|kept| kept.id == other.id) {
                continue;
            }
            let reason = if wanted(other) {
                Reason::Duplicate
            } else {
                Reason::Replaced
            };
            cleared &= !other.state.alive();
            self.drop_container(other, reason);
        }
        cleared
    }

    fn make(&mut self) -> InstanceView {
        if self.situation.image_id.is_empty() {
            self.plan.applied = false;
            return self.view(InstanceState::Pending, None, "its image is not loaded yet");
        }
        if let Some(view) = self.wait(None) {
            return view;
        }
        self.act(Action::Create);
        self.view(InstanceState::Pending, None, "its container is being made")
    }

    fn start(&mut self, container: &ObservedContainer, cleared: bool) -> InstanceView {
        if !cleared {
            self.plan.applied = false;
            let why = "another container of it is being stopped first";
            return self.view(InstanceState::Starting, Some(container), why);
        }
        if let Some(view) = self.wait(Some(container)) {
            return view;
        }
        // After the wait, so that one whose new container is refused too is not made anew without end.
        if self.memory.known(self.id).refused.as_ref() == Some(&container.id) {
            self.drop_container(container, Reason::Unstartable);
            let why = Reason::Unstartable.as_str();
            return self.view(InstanceState::Starting, Some(container), why);
        }
        self.act(Action::Start {
            container: container.id.clone(),
        });
        self.view(
            InstanceState::Starting,
            Some(container),
            "it is being started",
        )
    }

    /// The view of an instance whose next start is not due.
    fn wait(&mut self, container: Option<&ObservedContainer>) -> Option<InstanceView> {
        let now = self.situation.now_ms;
        let restart = &self.memory.known(self.id).restart;
        let until = restart.waits_until(now)?;
        let failures = restart.failures();
        let failed = failures >= CRASH_LOOP || restart.failure().is_some();
        self.plan.applied = false;
        self.wake(until);
        let state = if failed {
            InstanceState::Failed
        } else {
            InstanceState::Starting
        };
        // The second of the next start is not in the text: a report is sent when a text changes.
        let why = match container.map(|container| &container.state) {
            Some(RunState::Exited(exit)) => {
                format!("{}; it has failed {failures} times in a row", ended(exit))
            }
            _ => format!("it could not be started {failures} times in a row"),
        };
        Some(self.view(state, container, &why))
    }

    fn wake(&mut self, at_ms: u64) {
        let earlier = self.plan.wake_ms.map_or(at_ms, |wake| wake.min(at_ms));
        self.plan.wake_ms = Some(earlier);
    }

    /// Plans an action unless the instance has one; whatever is left over comes in a later round.
    fn act(&mut self, action: Action) {
        self.plan.applied = false;
        let planned = self
            .plan
            .actions
            .last()
            .is_some_and(|(id, _)| id == self.id);
        if planned || self.situation.busy.contains(self.id) {
            return;
        }
        let clears = !matches!(action, Action::Create | Action::Start { .. });
        let due = self
            .memory
            .known(self.id)
            .clearing
            .waits_until(self.situation.now_ms);
        if let Some(until) = due.filter(|_| clears) {
            self.wake(until);
            return;
        }
        self.plan.actions.push((self.id.clone(), action));
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
