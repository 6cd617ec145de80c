//! Getting rid of what is not to run: containers, then data, then nothing. Invariants: a container is
//! removed only when it is dead; data is removed or set aside only after the last container, and never
//! removed when it is to be set aside. Not here: what is to run.

use super::{Action, InstanceState, InstanceView, Reason, Round};
use crate::observed::{ObservedContainer, RunState};

impl<'a> Round<'a, '_> {
    pub(super) fn hold(&mut self) -> InstanceView {
        for container in self.containers {
            if container.state.alive() {
                self.drop_container(container, Reason::NotToRun);
            }
        }
        let last = self.latest();
        self.view(InstanceState::Stopped, last, Reason::NotToRun.as_str())
    }

    /// The container goes, the data stays.
    pub(super) fn keep(&mut self) -> InstanceView {
        for container in self.containers {
            self.drop_container(container, Reason::NotToRun);
        }
        let last = self.latest();
        self.view(InstanceState::Stopped, last, Reason::NotToRun.as_str())
    }

    pub(super) fn remove(&mut self) -> InstanceView {
        for container in self.containers {
            self.drop_container(container, Reason::Removed);
        }
        if self.containers.is_empty() && self.situation.data.contains(self.id) {
            self.act(Action::RemoveData);
        }
        let last = self.latest();
        self.view(InstanceState::Stopped, last, Reason::Removed.as_str())
    }

    /// The container goes, the data is put out of the way and stays.
    pub(super) fn set_aside(&mut self) -> InstanceView {
        for container in self.containers {
            self.drop_container(container, Reason::SetAside);
        }
        if self.containers.is_empty() && self.situation.data.contains(self.id) {
            self.act(Action::SetAside);
        }
        let last = self.latest();
        self.view(InstanceState::Stopped, last, Reason::SetAside.as_str())
    }

    pub(super) fn stray(&mut self) -> InstanceView {
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
    pub(super) fn drop_container(&mut self, container: &ObservedContainer, reason: Reason) {
        let id = container.id.clone();
        match container.state {
            // The engine is at it already, or nobody knows what it does.
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

    /// The container that stands for an instance that is not to run: a living one, else the newest.
    fn latest(&self) -> Option<&'a ObservedContainer> {
        self.containers
            .iter()
            .copied()
            .max_by_key(|container| (container.state.alive(), container.created_ms))
    }
}
