//! Looks at the platform once a second and keeps what happened: audit lines as they are applied,
//! observations as they are made, refused logins. Invariant: a look is compared only with the one
//! before it of the same leader. Not here: what happened (`wharf_director_core::events`).

use std::{sync::Arc, time::Duration};

use wharf_director_core::{
    command::{Body, NoteAudit},
    events::{self, Budget, ContainerLook, DeploymentLook, HostLook, Look, Seen},
    health::{self, Graces},
    state::{AuditPlace, HOSTS_NOTED_LEVEL},
};
use wharf_proto::{times::millis, v1};

use super::propose_together;
use crate::director::Director;

const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Before {
    term: Option<u64>,
    /// Nothing at first: nobody is connected to a new leader.
    look: Look,
    budget: Budget,
}

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    let mut before = Before::default();
    let mut changes = director.published.changes();
    let mut look_at = tokio::time::Instant::now();
    loop {
        changes.borrow_and_update();
        let term = *director.leading.borrow();
        if term != before.term {
            before = Before {
                term,
                ..Before::default()
            };
            director.events.change(events::EventLog::clear);
        }
        let due = tokio::time::Instant::now() >= look_at;
        if due {
            look_at = tokio::time::Instant::now() + LOOK_EVERY;
        }
        if term.is_some() {
            let state = director.published.state();
            director.events.change(|log| log.take_audit(&state.audit));
            if due {
                look(&director, &mut before).await;
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(look_at) => {}
            _ = changes.changed() => {}
            () = director.shutdown.triggered() => return,
        }
    }
}

async fn look(director: &Director, before: &mut Before) {
    let now_ms = director.now_ms();
    let mut notes: Vec<Body> = refused_logins(director, now_ms);
    notes.extend(refused_calls(director, now_ms));
    let mut now = looked(director);
    events::carry(&before.look, &mut now);
    let noted = director.published.state().feature_level >= HOSTS_NOTED_LEVEL;
    for seen in events::between(&before.look, &now) {
        if before.budget.admits(&seen, now_ms) {
            notes.push(observed(seen, noted));
        } else {
            director.events.change(|log| log.take_seen(seen, now_ms));
        }
    }
    before.look = now;
    propose_together(director, notes).await;
}

/// An observation for the audit list, with its place when every director can read that.
fn observed(seen: Seen, noted: bool) -> Body {
    let (host, deployment_id) = (seen.host, seen.deployment_id);
    let somewhere = !host.is_empty() || !deployment_id.is_empty();
    Body::NoteAudit(NoteAudit {
        action: seen.kind.to_owned(),
        subject: seen.subject,
        detail: seen.detail,
        place: (noted && somewhere).then_some(AuditPlace {
            host,
            deployment_id,
        }),
    })
}

fn note(action: &str, subject: String, detail: String) -> Body {
    Body::NoteAudit(NoteAudit {
        action: action.to_owned(),
        subject,
        detail,
        place: None,
    })
}

fn refused_logins(director: &Director, now_ms: u64) -> Vec<Body> {
    let due = director.refused_logins.due(now_ms);
    let mut notes = Vec::new();
    for refusals in due {
        let user = refusals.username.as_deref().unwrap_or("no known user");
        let address = refusals.address.map_or_else(
            || "many addresses".to_owned(),
            |address| address.to_string(),
        );
        tracing::warn!(user, address, count = refusals.count, "logins were refused");
        let subject = match &refusals.username {
            Some(username) => format!("user/{username}"),
            None => "user".to_owned(),
        };
        let detail = format!("{} from {address}, as {user}", refusals.count);
        notes.push(note("login_refused", subject, detail));
    }
    notes
}

fn refused_calls(director: &Director, now_ms: u64) -> Vec<Body> {
    let due = director.refused_calls.due(now_ms);
    let mut notes = Vec::new();
    for refusals in due {
        let what = refusals.username.as_deref().unwrap_or("calls of roles");
        let address = refusals.address.map_or_else(
            || "many addresses".to_owned(),
            |address| address.to_string(),
        );
        tracing::warn!(what, address, count = refusals.count, "roles were refused");
        let detail = format!("{what}; {} from {address}", refusals.count);
        notes.push(note("role_refused", "roles".to_owned(), detail));
    }
    notes
}

fn looked(director: &Director) -> Look {
    let state = director.published.state();
    let seen = director.seen.core();
    let graces = Graces::of(&state);
    let now_ms = director.now_ms();
    // While this is taken no host can tell anything and nobody's list is answered: nothing is looked at yet.
    let mut told = director.seen.map_hosts(|host| {
        let containers = host.containers.values().cloned().collect::<Vec<_>>();
        host.reported.then_some(containers)
    });
    let mut look = Look::default();
    for record in state.allocators.values() {
        let host = HostLook {
            host: record.host.clone(),
            connected: seen.connected(&record.id),
            containers: told
                .remove(&record.id)
                .flatten()
                .map(|all| all.iter().map(container_look).collect()),
        };
        look.hosts.insert(record.id.to_string(), host);
        let Some(known) = seen.allocators.get(&record.id) else {
            continue;
        };
        for (id, instance) in &known.instances {
            if let Some(exit) = &instance.last_exit {
                look.exits.insert(id.to_string(), exit.clone());
            }
        }
    }
    for record in state.proxies.values() {
        let connected = seen
            .proxies
            .get(&record.id)
            .is_some_and(|known| known.connected);
        look.proxies
            .insert(record.id.to_string(), (record.host.clone(), connected));
    }
    for record in state.deployments.values() {
        let view = health::deployment(&state, &seen, record, &graces, now_ms);
        let plan = record.pending_plan.as_ref();
        let done = events::just_done(&state, record, now_ms);
        let deployment = DeploymentLook {
            name: record.name.clone(),
            health: view.health,
            reason: view.problems.join("; "),
            plan_id: plan.map_or_else(String::new, ToString::to_string),
            done_plan_id: done.map_or_else(String::new, ToString::to_string),
        };
        look.deployments.insert(record.id.to_string(), deployment);
    }
    look
}

fn container_look(container: &Arc<v1::Container>) -> (String, ContainerLook) {
    let look = ContainerLook {
        name: container.name.clone(),
        role: container.role.clone(),
        deployment_id: container.deployment_id.clone(),
        instance_id: container.instance_id.clone(),
        state: container.state.clone(),
        started_ms: container.started_at.as_ref().map_or(0, millis),
        exit_code: container.exit_code,
        out_of_memory: container.out_of_memory,
    };
    (container.id.clone(), look)
}
