//! The state machine that Raft drives: the core's state, changed by the core's `apply`, published
//! whole after each run of commands. Readers take an `Arc<State>` and never wait for the member.
//! Invariants: an unknown command stops the member; what is published is what was applied. Not here:
//! what commands mean (the core), proposing (`propose`).

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use wharf_director_core::{
    apply::apply, command::Command, reconcile::destination::Destinations, state::State,
};

use crate::raft::{Halt, StateMachine};

/// The state as last applied, and a way to wait for the next.
#[derive(Debug)]
pub struct Published {
    state: ArcSwap<State>,
    applied: watch::Sender<u64>,
    /// Those of the state with that revision.
    destinations: Mutex<(u64, Arc<Destinations>)>,
}

impl Default for Published {
    fn default() -> Self {
        Self {
            state: ArcSwap::default(),
            applied: watch::Sender::new(0),
            destinations: Mutex::default(),
        }
    }
}

impl Published {
    /// The state now.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Where the collectors of a state's hosts ship to: made once for all sessions, each of which asks
    /// after every change.
    #[must_use]
    pub fn destinations(&self, state: &State) -> Arc<Destinations> {
        let known = self.destinations.lock();
        // It is whole after every statement.
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if known.0 != state.revision {
            *known = (state.revision, Arc::new(Destinations::of(state)));
        }
        Arc::clone(&known.1)
    }

    /// Wakes whenever the state changed; the value is the applied index.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }
}

/// The core's state under Raft.
pub struct DirectorMachine {
    state: State,
    published: Arc<Published>,
}

impl DirectorMachine {
    /// An empty state that will be published there.
    #[must_use]
    pub fn new(published: Arc<Published>) -> Self {
        Self {
            state: State::default(),
            published,
        }
    }
}

impl StateMachine for DirectorMachine {
    fn apply(&mut self, index: u64, bytes: &[u8]) -> Result<Vec<u8>, Halt> {
        let command = Command::decode(bytes).map_err(|error| Halt(error.to_string()))?;
        let outcome = apply(&mut self.state, &command);
        tracing::debug!(index, command = command.body.name(), ?outcome, "applied");
        Ok(outcome.encode())
    }

    fn snapshot(&self) -> Vec<u8> {
        self.state.encode()
    }

    fn restore(&mut self, index: u64, snapshot: &[u8]) -> Result<(), Halt> {
        self.state = State::decode(snapshot).map_err(|error| Halt(error.to_string()))?;
        self.publish(index);
        Ok(())
    }

    fn publish(&mut self, applied: u64) {
        self.published.state.store(Arc::new(self.state.clone()));
        self.published.applied.send_replace(applied);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_director_core::{
        command::{Body, NoteAudit},
        outcome::Outcome,
    };

    fn note(at_ms: u64) -> Vec<u8> {
        let body = Body::NoteAudit(NoteAudit {
            action: "read".into(),
            subject: "x".into(),
            detail: String::new(),
            place: None,
        });
        Command::new(at_ms, "admin", None, body).encode().unwrap()
    }

    #[test]
    fn what_was_applied_is_seen_once_published_and_survives_a_snapshot() {
        let published = Arc::new(Published::default());
        let mut machine = DirectorMachine::new(Arc::clone(&published));
        let outcome = machine.apply(5, &note(7)).unwrap();
        assert_eq!(Outcome::decode(&outcome).unwrap(), Outcome::Done);
        assert_eq!(published.state().revision, 0);
        machine.publish(5);
        assert_eq!(published.state().revision, 1);
        assert_eq!(*published.changes().borrow(), 5);

        let other = Arc::new(Published::default());
        let mut again = DirectorMachine::new(Arc::clone(&other));
        again.restore(5, &machine.snapshot()).unwrap();
        assert_eq!(other.state().hash(), published.state().hash());
    }

    #[test]
    fn an_unknown_command_stops_the_member() {
        let mut machine = DirectorMachine::new(Arc::default());
        let error = machine
            .apply(
                1,
                br#"{"version":1,"at_ms":0,"actor":"a","body":{"dance":{}}}"#,
            )
            .unwrap_err();
        assert!(error.to_string().contains("DIR0001"), "{error}");
    }
}
