//! What happened, decided from two looks at the platform: containers that came, went and started
//! again and why, roles that were connected and lost, deployments whose health changed. Invariants:
//! what was not looked at twice tells nothing (a new leader's first report of a host is no news); a
//! host that is silent keeps its containers; equal looks give no event. Not here: what was asked for
//! (the audit list), how events are kept (`events::log`).

mod log;

use std::collections::BTreeMap;

use wharf_proto::ids::PlanId;

pub use log::{Budget, EVENTS_KEPT, Event, EventLog, KINDS_OF_COMMANDS};

use crate::{
    observe::{Health, InstanceExit},
    refusal::cut,
    state::{DeploymentRecord, State},
};

/// What a plan did is told by its hosts within so long.
const ECHO_MS: u64 = 10_000;
/// Bytes of a text of an event.
pub const TEXT_BYTES: usize = 300;

/// One look at the platform.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// By allocator id.
    pub hosts: BTreeMap<String, HostLook>,
    /// By proxy id: its host's name, and whether it is connected.
    pub proxies: BTreeMap<String, (String, bool)>,
    /// By deployment id.
    pub deployments: BTreeMap<String, DeploymentLook>,
    /// The last exit of each instance, by its id.
    pub exits: BTreeMap<String, InstanceExit>,
}

/// A host at one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostLook {
    /// Its name.
    pub host: String,
    /// Its allocator's session is open.
    pub connected: bool,
    /// Its containers by id; none before the first report.
    pub containers: Option<BTreeMap<String, ContainerLook>>,
}

/// A container at one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerLook {
    /// Its name.
    pub name: String,
    /// The platform's role it is; empty for others.
    pub role: String,
    /// Its deployment; empty for others.
    pub deployment_id: String,
    /// Its instance; empty for others.
    pub instance_id: String,
    /// As Docker says: `running`, `exited`, `paused`, ...
    pub state: String,
    /// When it was started; zero: never.
    pub started_ms: u64,
    /// Of its last end.
    pub exit_code: i64,
    /// The kernel ended it for memory.
    pub out_of_memory: bool,
}

/// A deployment at one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentLook {
    /// Its name.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// Why it is not healthy.
    pub reason: String,
    /// The plan that works on it; empty when none does.
    pub plan_id: String,
    /// The plan that was done just now (see [`just_done`]); empty when none was.
    pub done_plan_id: String,
}

/// Something that was seen to have happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// `container_restarted`, `allocator_lost`, ...
    pub kind: &'static str,
    /// On what.
    pub subject: String,
    /// Why and how.
    pub detail: String,
    /// The host; empty where there is none.
    pub host: String,
    /// The deployment; empty where there is none.
    pub deployment_id: String,
    /// The audit list keeps it, so that it outlives a change of leader.
    pub important: bool,
}

/// The plan of a deployment that was done within the last ten seconds: hosts tell of the containers that it made or
/// removed after it has seen what it waited for.
#[must_use]
pub fn just_done<'a>(
    state: &State,
    deployment: &'a DeploymentRecord,
    now_ms: u64,
) -> Option<&'a PlanId> {
    deployment.current_plan.as_ref().filter(|id| {
        let ended_ms = state.plans.get(*id).map_or(0, |plan| plan.ended_ms);
        ended_ms > 0 && now_ms.saturating_sub(ended_ms) < ECHO_MS
    })
}

/// Fills in what this look could not tell from the one before, so that a gap is no news.
pub fn carry(before: &Look, after: &mut Look) {
    for (id, now) in &mut after.deployments {
        if now.health == Health::Unknown
            && let Some(known) = before.deployments.get(id)
        {
            now.health = known.health;
        }
    }
    for (id, now) in &mut after.hosts {
        if now.containers.is_none()
            && let Some(known) = before.hosts.get(id)
        {
            now.containers.clone_from(&known.containers);
        }
    }
}

/// What happened between two looks.
#[must_use]
pub fn between(before: &Look, after: &Look) -> Vec<Seen> {
    let mut all = Vec::new();
    for (id, now) in &after.hosts {
        let Some(was) = before.hosts.get(id) else {
            if now.connected {
                all.push(role_seen("allocator", id, &now.host, true));
            }
            continue;
        };
        if was.connected != now.connected {
            all.push(role_seen("allocator", id, &now.host, now.connected));
        }
        if let (Some(was), Some(containers)) = (&was.containers, &now.containers) {
            let host = Host {
                before,
                after,
                name: &now.host,
            };
            host.containers(was, containers, &mut all);
        }
    }
    for (id, (host, connected)) in &after.proxies {
        let was = before.proxies.get(id).is_some_and(|(_, was)| *was);
        if was != *connected {
            all.push(role_seen("proxy", id, host, *connected));
        }
    }
    for (id, now) in &after.deployments {
        let Some(was) = before.deployments.get(id) else {
            continue;
        };
        // A leader that saw nothing yet sees what is well: no news.
        let first = was.health == Health::Unknown && now.health == Health::Healthy;
        if was.health == now.health || now.health == Health::Unknown || first {
            continue;
        }
        let word = |health| match health {
            Health::Unknown => "unknown",
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Unhealthy => "unhealthy",
        };
        let mut detail = format!(
            "`{}`: {} -> {}",
            now.name,
            word(was.health),
            word(now.health)
        );
        if !now.reason.is_empty() {
            detail = format!("{detail}: {}", now.reason);
        }
        all.push(Seen {
            kind: "deployment_health",
            subject: format!("deployment/{id}"),
            detail: cut(&detail, TEXT_BYTES).to_owned(),
            host: String::new(),
            deployment_id: id.clone(),
            important: true,
        });
    }
    all
}

fn role_seen(role: &str, id: &str, host: &str, connected: bool) -> Seen {
    let kind = match (role, connected) {
        ("allocator", true) => "allocator_connected",
        ("allocator", false) => "allocator_lost",
        (_, true) => "proxy_connected",
        (_, false) => "proxy_lost",
    };
    let word = if connected {
        "its session is open"
    } else {
        "its session has ended"
    };
    Seen {
        kind,
        subject: format!("{role}/{id}"),
        detail: format!("the {role} on {host}: {word}"),
        host: host.to_owned(),
        deployment_id: String::new(),
        important: true,
    }
}

struct Host<'a> {
    before: &'a Look,
    after: &'a Look,
    name: &'a str,
}

impl Host<'_> {
    fn containers(
        &self,
        was: &BTreeMap<String, ContainerLook>,
        now: &BTreeMap<String, ContainerLook>,
        all: &mut Vec<Seen>,
    ) {
        let gone: BTreeMap<&str, &ContainerLook> = was
            .iter()
            .filter(|(id, _)| !now.contains_key(*id))
            .map(|(_, container)| (container.name.as_str(), container))
            .collect();
        let mut replaced = Vec::new();
        for (id, container) in now {
            match was.get(id) {
                Some(known) => all.extend(self.changed(known, container)),
                None if gone.contains_key(container.name.as_str()) => {
                    replaced.push(container.name.as_str());
                    let how = format!("another container took its place: {}", self.by(container));
                    all.push(self.seen("container_replaced", container, how));
                }
                None => {
                    let how = self.by(container);
                    all.push(self.seen("container_appeared", container, how));
                }
            }
        }
        for (id, container) in was {
            if now.contains_key(id) || replaced.contains(&container.name.as_str()) {
                continue;
            }
            let how = self.by(container);
            all.push(self.seen("container_vanished", container, how));
        }
    }

    fn changed(&self, was: &ContainerLook, now: &ContainerLook) -> Option<Seen> {
        let running = |look: &ContainerLook| look.state == "running";
        if now.started_ms > was.started_ms && was.started_ms > 0 {
            let kind = if now.role.is_empty() || !now.instance_id.is_empty() {
                "container_restarted"
            } else {
                "role_restarted"
            };
            let why = self.why(was, now);
            return Some(self.seen(kind, now, why));
        }
        if was.state == now.state {
            return None;
        }
        let ended = matches!(now.state.as_str(), "exited" | "dead");
        let kind = match (was.state.as_str(), now.state.as_str()) {
            (_, "paused") => "container_paused",
            ("paused", "running") => "container_resumed",
            _ if ended && now.out_of_memory => "container_out_of_memory",
            _ if ended && running(was) && by_signal(now.exit_code) => "container_stopped",
            _ if ended && running(was) => "container_failed",
            _ if running(now) => "container_started",
            _ => return None,
        };
        let why = if ended {
            self.why(now, now)
        } else {
            self.by(now)
        };
        Some(self.seen(kind, now, why))
    }

    /// Why its process ended: `ended` has what was seen of the end, if it was seen.
    fn why(&self, ended: &ContainerLook, now: &ContainerLook) -> String {
        let plan = self.plan(now);
        let reported = self.after.exits.get(&now.instance_id).filter(|exit| {
            exit.at_ms >= ended.started_ms && self.before.exits.get(&now.instance_id) != Some(exit)
        });
        let (code, out_of_memory) = match reported {
            Some(exit) => (Some(exit.code), exit.out_of_memory),
            None if matches!(ended.state.as_str(), "exited" | "dead") => {
                (Some(ended.exit_code), ended.out_of_memory)
            }
            None => (None, now.out_of_memory),
        };
        if out_of_memory {
            return "the kernel ended it: it had no memory left".to_owned();
        }
        let exit = code.map_or(String::new(), |code| format!(", exit code {code}"));
        match (plan, code) {
            (Some(plan), _) => format!("by the platform, plan {plan}{exit}"),
            (None, Some(code)) if !by_signal(code) => format!("it ended by itself{exit}"),
            (None, _) => format!("by hand, or with its engine{exit}"),
        }
    }

    /// Who made or removed it.
    fn by(&self, container: &ContainerLook) -> String {
        // Who ends by itself right after a plan does not end because of it: this is for `by` alone.
        let done = || self.of_deployment(container, |deployment| &deployment.done_plan_id);
        match self.plan(container).or_else(done) {
            Some(plan) => format!("by the platform, plan {plan}"),
            None if container.role.is_empty() && container.instance_id.is_empty() => {
                "not of this platform".to_owned()
            }
            None => "no plan: by the allocator that keeps it, or by hand".to_owned(),
        }
    }

    fn plan(&self, container: &ContainerLook) -> Option<&str> {
        self.of_deployment(container, |deployment| &deployment.plan_id)
    }

    fn of_deployment(
        &self,
        container: &ContainerLook,
        plan: impl Fn(&DeploymentLook) -> &String,
    ) -> Option<&str> {
        [self.after, self.before]
            .into_iter()
            .filter_map(|look| look.deployments.get(&container.deployment_id))
            .map(|deployment| plan(deployment).as_str())
            .find(|plan| !plan.is_empty())
    }

    fn seen(&self, kind: &'static str, container: &ContainerLook, detail: String) -> Seen {
        let own = !container.role.is_empty() || !container.instance_id.is_empty();
        let ended = matches!(
            kind,
            "container_restarted"
                | "role_restarted"
                | "container_out_of_memory"
                | "container_failed"
        );
        Seen {
            kind,
            subject: format!("container/{}", cut(&container.name, 128)),
            detail: cut(&detail, TEXT_BYTES).to_owned(),
            host: self.name.to_owned(),
            deployment_id: container.deployment_id.clone(),
            important: ended && (own || kind == "container_out_of_memory"),
        }
    }
}

/// A clean end, or one that was asked for by a signal.
fn by_signal(code: i64) -> bool {
    matches!(code, 0 | 130 | 137 | 143)
}

#[cfg(test)]
mod tests;
