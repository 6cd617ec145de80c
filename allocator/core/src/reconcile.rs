//! From the assignment and what the engine shows to the next action of each instance.
//!
//! Invariants, kept whatever dies in between, because every call starts from what is observed:
//! - a container is made or started only while no other container of its instance lives;
//! - only containers of this platform that name an instance are ever touched;
//! - a container that runs what it should is left running (adopted), whoever started it;
//! - data goes only when the assignment lists the instance for removal, and after its containers;
//! - a container that the engine refuses to start is made anew, once per wait, from the same data;
//! - without an assignment nothing is done.
//!
//! The rule for strays: a container of this platform whose instance is in neither list is left alone
//! at the first generation that omits it, and stopped, not removed, at a later one. A director that
//! merely lost track lists it again and it starts again; data and container are kept either way.
//!
//! One action per instance and call. The caller names the instances whose action still runs as
//! busy; they are looked at, and left alone. Not here: doing it, and secrets.

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::ids::InstanceId;

use crate::{
    assignment::{AssignmentSpec, InstanceSpec},
    observed::{Exit, ObservedContainer, RunState},
    restart::{CRASH_LOOP, RestartMemory, StartFailure},
};

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

/// Why a container is stopped or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The assignment says that it shall not run.
    NotToRun,
    /// The assignment lists it for removal.
    Removed,
    /// Another revision or image is to run.
    Replaced,
    /// Another container of the same instance is kept.
    Duplicate,
    /// Two generations have not named its instance.
    Stray,
    /// The engine failed to remove it before.
    Dead,
    /// The engine refuses to start it.
    Unstartable,
}

impl Reason {
    /// The reason in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotToRun => "the assignment says that it shall not run",
            Self::Removed => "the assignment lists it for removal",
            Self::Replaced => "another revision or image is to run",
            Self::Duplicate => "another container of its instance is kept",
            Self::Stray => "two generations have not named its instance",
            Self::Dead => "the engine failed to remove it before",
            Self::Unstartable => "the engine refuses to start it; it is made anew, its data stays",
        }
    }
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
}

/// What an instance does, for the report to the directors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// No container yet.
    Pending,
    /// It is being started.
    Starting,
    /// Its process runs.
    Running,
    /// It does not run and shall not.
    Stopped,
    /// It should run and cannot.
    Failed,
}

/// What is known of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// The instance.
    pub id: InstanceId,
    /// What it does.
    pub state: InstanceState,
    /// The container that stands for it.
    pub container: Option<String>,
    /// The revision that the container has.
    pub spec_hash: String,
    /// The image that the container has.
    pub image_id: String,
    /// One sentence.
    pub reason: String,
    /// A code when it cannot be started.
    pub error_code: String,
    /// Exits that nobody asked for.
    pub restarts: u32,
    /// When the container was started, by the engine's clock.
    pub started_ms: Option<i64>,
    /// How its last process ended.
    pub exit: Option<Exit>,
    /// Its data directory exists.
    pub data_present: bool,
}

/// The outcome of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// At most one per instance.
    pub actions: Vec<(InstanceId, Action)>,
    /// Every instance that is assigned, to be removed, or seen.
    pub instances: Vec<InstanceView>,
    /// Instances whose running container was found, not made, since the allocator started.
    pub adopted: Vec<(InstanceId, String)>,
    /// The assignment is in force wholly.
    pub applied: bool,
    /// When something falls due without an event.
    pub wake_ms: Option<u64>,
}

/// What is remembered between calls; losing it is harmless.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    instances: BTreeMap<InstanceId, Known>,
    omitted: BTreeMap<InstanceId, u64>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    restart: RestartMemory,
    spec_hash: String,
    container: Option<String>,
    refused: Option<String>,
}

impl Memory {
    /// A container of the instance could not be made or started.
    pub fn start_failed(&mut self, id: &InstanceId, failure: StartFailure, now_ms: u64) {
        self.known(id).restart.start_failed(failure, now_ms);
    }

    /// The engine refused to start this very container, for a reason that is neither its port nor its
    /// address: it may have forgotten half of it, as one does that was killed in the midst of it.
    pub fn refused(&mut self, id: &InstanceId, container: &str) {
        self.known(id).refused = Some(container.to_owned());
    }

    /// A container was made by us, so that seeing it is no adoption.
    pub fn created(&mut self, id: &InstanceId, container: &str) {
        self.known(id).container = Some(container.to_owned());
    }

    /// A container is about to be stopped by us.
    pub fn stopping(&mut self, id: &InstanceId, container: &str) {
        self.known(id).restart.stopping(container);
    }

    fn known(&mut self, id: &InstanceId) -> &mut Known {
        self.instances.entry(id.clone()).or_default()
    }
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
    memory.instances.retain(|id, _| ids.contains(id));
    memory.omitted.retain(|id, _| {
        by_instance.contains_key(id)
            && !assignment.instances.contains_key(id)
            && !assignment.remove.contains(id)
    });

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
            Some(spec) if spec.run => round.run(spec),
            Some(_) => round.hold(),
            None if assignment.remove.contains(id) => round.remove(),
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
        self.plan.applied = false;
        self.plan.wake_ms = Some(self.plan.wake_ms.map_or(until, |wake| wake.min(until)));
        let state = if failures >= CRASH_LOOP || restart.failure().is_some() {
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

    fn hold(&mut self) -> InstanceView {
        for container in self.containers {
            if container.state.alive() {
                self.drop_container(container, Reason::NotToRun);
            }
        }
        let last = self.latest();
        self.view(InstanceState::Stopped, last, Reason::NotToRun.as_str())
    }

    fn remove(&mut self) -> InstanceView {
        for container in self.containers {
            self.drop_container(container, Reason::Removed);
        }
        if self.containers.is_empty() && self.situation.data.contains(self.id) {
            self.act(Action::RemoveData);
        }
        let last = self.latest();
        self.view(InstanceState::Stopped, last, Reason::Removed.as_str())
    }

    fn stray(&mut self) -> InstanceView {
        let latest = self.latest();
        let alive = latest.is_some_and(|container| container.state.alive());
        if let Some(assignment) = self.situation.assignment {
            let first = *self
                .memory
                .omitted
                .entry(self.id.clone())
                .or_insert(assignment.generation);
            if assignment.generation > first {
                for container in self.containers {
                    if container.state.alive() {
                        self.drop_container(container, Reason::Stray);
                    }
                }
            }
        }
        let state = if alive {
            InstanceState::Running
        } else {
            InstanceState::Stopped
        };
        self.view(state, latest, "the assignment does not name it")
    }

    /// The next step of getting rid of a container: stop it while it lives, then remove it.
    fn drop_container(&mut self, container: &ObservedContainer, reason: Reason) {
        let id = container.id.clone();
        match container.state {
            // The engine is at it already.
            // Or nobody knows what it does.
            RunState::Changing | RunState::Removing | RunState::Unreadable(_) => {
                self.plan.applied = false;
            }
            RunState::Running | RunState::Paused => self.act(Action::Stop {
                container: id,
                reason,
            }),
            RunState::Created | RunState::Exited(_) | RunState::Dead => {
                self.act(Action::Remove {
                    container: id,
                    reason,
                });
            }
        }
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
        self.plan.actions.push((self.id.clone(), action));
    }

    /// The container that stands for an instance that is not to run: a living one, else the newest.
    fn latest(&self) -> Option<&'a ObservedContainer> {
        self.containers
            .iter()
            .copied()
            .max_by_key(|container| (container.state.alive(), container.created_ms))
    }

    fn view(
        &mut self,
        state: InstanceState,
        container: Option<&ObservedContainer>,
        reason: &str,
    ) -> InstanceView {
        let restart = &self.memory.known(self.id).restart;
        let exit = match container.map(|container| &container.state) {
            Some(RunState::Exited(exit)) => Some(exit.clone()),
            _ => None,
        };
        let mut view = InstanceView {
            id: self.id.clone(),
            state,
            container: container.map(|container| container.id.clone()),
            spec_hash: container
                .map(|container| container.spec_hash.clone())
                .unwrap_or_default(),
            image_id: container
                .map(|container| container.image_id.clone())
                .unwrap_or_default(),
            reason: reason.to_owned(),
            error_code: String::new(),
            restarts: restart.restarts(),
            started_ms: container.and_then(|container| container.started_ms),
            exit,
            data_present: self.situation.data.contains(self.id),
        };
        if matches!(
            state,
            InstanceState::Failed | InstanceState::Pending | InstanceState::Starting
        ) {
            if let Some(failure) = restart.failure() {
                view.error_code.clone_from(&failure.code);
                view.reason = format!("{}; {reason}", failure.text);
            } else if state == InstanceState::Failed {
                let memory = view.exit.as_ref().is_some_and(|exit| exit.out_of_memory);
                view.error_code = if memory { "ALL0016" } else { "ALL0015" }.to_owned();
            }
        }
        view
    }
}

fn ended(exit: &Exit) -> String {
    if exit.out_of_memory {
        "it was killed for its memory limit".to_owned()
    } else if exit.error.is_empty() {
        format!("it ended with exit code {}", exit.code)
    } else {
        exit.error.chars().take(300).collect()
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
