//! What every part of a running director shares: state, proposer, leader's memory, keys. Made once
//! in `lib.rs`. Holds no logic of its own beyond who leads. Not here: tasks, services.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::watch;
use wharf_director_core::{state::DirectorFacts, template::TemplateCatalog};
use wharf_runtime::{
    clock::Clock, followed_authority::FollowedAuthority, task::Shutdown, telemetry::LogLevel,
};

use crate::{
    api::streams::StreamTable, auth::Login, certificates::Certificates, config::Config,
    event_log::SharedEvents, logins::Logins, machine::Published, monitoring::MonitoringCalls,
    observations::Observatory, peers::Peers, propose::Proposer, raft::Handle,
    refused_calls::RefusedCalls, refused_logins::RefusedLogins, secrets::PlatformKey,
};

/// A token that expires ends its streams within this.
const LOGIN_LOOK: Duration = Duration::from_secs(5);

/// The parts of a director.
pub struct Director {
    /// What it was started with.
    pub config: Config,
    /// The clock.
    pub clock: Clock,
    /// Its Raft member.
    pub raft: Handle,
    /// The state as last applied.
    pub published: Arc<Published>,
    /// The way to change it.
    pub proposer: Proposer,
    /// The other directors.
    pub peers: Arc<Peers>,
    /// Where this director is and what it runs.
    pub facts: DirectorFacts,
    /// Where this start moved a log that could not be opened.
    pub moved_aside: Option<PathBuf>,
    /// Whether another director said that this one was removed.
    pub told_removed: watch::Sender<bool>,
    /// One change of the group at a time.
    pub changing: tokio::sync::Mutex<()>,
    /// The leader's memory.
    pub seen: Observatory,
    /// Seals secrets.
    pub key: PlatformKey,
    /// Whom this director trusts, whose certificate it is to have.
    pub authority: Arc<FollowedAuthority>,
    /// What this director says of itself may be different now.
    pub restated: tokio::sync::Notify,
    /// Issues certificates.
    pub certificates: Certificates,
    /// Checks passwords.
    pub logins: Logins,
    /// Logins that were refused and are not told yet.
    pub refused_logins: RefusedLogins,
    /// Calls of roles that were refused and are not told yet.
    pub refused_calls: RefusedCalls,
    /// What happened.
    pub events: SharedEvents,
    /// Shipped templates.
    pub catalog: TemplateCatalog,
    /// Calls that are passed on to monitoring nodes.
    pub monitoring: MonitoringCalls,
    /// Open `Watch` streams.
    pub streams: StreamTable,
    /// The term in which this member leads and is ready to; none while it does not.
    pub leading: watch::Sender<Option<u64>>,
    /// The log, when it can be changed.
    pub log_level: Option<LogLevel>,
    /// Ends everything.
    pub shutdown: Shutdown,
}

impl std::fmt::Debug for Director {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Director")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Director {
    /// Whether this member leads and its leader work has begun.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leading.borrow().is_some()
    }

    /// The time for decisions: never before what was applied.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.proposer.now_ms()
    }

    /// What this host's clock shows. Certificates follow it; the platform's time, which never runs
    /// backwards, stays ahead for as long as a clock once was.
    pub fn clock_ms(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or(0)
    }

    /// Returns when a login is worth less than it was: its user was changed, disabled or removed,
    /// its token taken back or over.
    pub async fn login_lost(&self, login: &Login) {
        let mut changes = self.published.changes();
        loop {
            changes.borrow_and_update();
            if !login.stands(&self.published.state(), self.now_ms()) {
                return;
            }
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                // A token ends with time alone.
                () = tokio::time::sleep(LOGIN_LOOK) => {}
            }
        }
    }

    /// Returns when this member no longer leads in the term in which it led at the call.
    pub async fn leadership_lost(&self) {
        let mut leading = self.leading.subscribe();
        let term = *leading.borrow_and_update();
        if term.is_some() {
            // An error means that the director is gone.
            let _ = leading.wait_for(|now| *now != term).await;
        }
    }
}
