//! Health from state and observations: of instances, deployments, the platform, with coded
//! problems and hints. Known while the store is dead, because nothing here asks it. Silence counts
//! from the leader's start at the earliest: a new leader gives everybody a grace. Not here: who is
//! told (the shell).

mod instance;
pub mod snapshots;
mod transitions;

use wharf_proto::{times, v1};

pub use self::{
    instance::{InstanceView, instance, is_held_back},
    transitions::transitions,
};
use crate::{
    failure,
    observe::{Health, Observations},
    refusal::codes,
    settings,
    state::{AllocatorRecord, DeploymentRecord, PlanKind, ResourceRecord, State},
};

/// How long the loss of documents stays a problem.
const DROPS_SHOWN_MS: u64 = 10 * 60 * 1000;

/// How long something may last before it is a problem, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graces {
    /// Silence of an allocator.
    pub allocator_ms: u64,
    /// Silence of a proxy.
    pub proxy_ms: u64,
    /// Time without a shipped document.
    pub collector_ms: u64,
    /// Waiting of a plan.
    pub plan_ms: u64,
}

impl Graces {
    /// The graces that the settings name.
    #[must_use]
    pub fn of(state: &State) -> Self {
        Self {
            allocator_ms: settings::duration_ms(state, "health.allocator_grace_seconds"),
            proxy_ms: settings::duration_ms(state, "health.proxy_grace_seconds"),
            collector_ms: settings::duration_ms(state, "health.collector_grace_seconds"),
            plan_ms: settings::duration_ms(state, "health.plan_grace_seconds"),
        }
    }
}

/// A deployment as users see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentView {
    /// How it is.
    pub health: Health,
    /// Why it is not healthy, and what its snapshots lack; that alone of one that is.
    pub problems: Vec<String>,
}

/// What is wrong with the platform; the order is that of urgency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// For example `DIR0101`, or the host's own `ALL0003`.
    pub code: String,
    /// `allocator`, `deployment`, `proxy`, `plan`, `host`, `collector`, `platform`, `zone`, `lost_host`, `restored`,
    /// `snapshots`.
    pub subject_kind: &'static str,
    /// Its id.
    pub subject_id: String,
    /// Its name, for people.
    pub subject: String,
    /// What is wrong.
    pub message: String,
    /// What the user can do.
    pub hint: String,
    /// Since when.
    pub since_ms: u64,
    /// Less is worse.
    pub rank: u8,
}

impl From<&Problem> for v1::Problem {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code.clone(),
            subject_kind: problem.subject_kind.to_owned(),
            subject: problem.subject.clone(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            since: Some(times::timestamp(problem.since_ms)),
        }
    }
}

fn seconds(ms: u64) -> u64 {
    ms / 1000
}

fn sum(healths: &[Health]) -> Health {
    let healthy = healths
        .iter()
        .filter(|health| **health == Health::Healthy)
        .count();
    let degraded = healths.contains(&Health::Degraded);
    if healths.is_empty() || healths.iter().all(|health| *health == Health::Unknown) {
        Health::Unknown
    } else if healthy == healths.len() {
        Health::Healthy
    } else if healthy > 0 || degraded {
        Health::Degraded
    } else {
        Health::Unhealthy
    }
}

/// How a resource is.
#[must_use]
pub fn resource(
    state: &State,
    observed: &Observations,
    record: &ResourceRecord,
    graces: &Graces,
    now_ms: u64,
) -> Health {
    let healths: Vec<Health> = state
        .instances_of(record)
        .map(|known| instance(state, observed, known, graces, now_ms).health)
        .collect();
    sum(&healths)
}

/// How a deployment is, and why.
#[must_use]
pub fn deployment(
    state: &State,
    observed: &Observations,
    record: &DeploymentRecord,
    graces: &Graces,
    now_ms: u64,
) -> DeploymentView {
    if record.terminated && record.pending_plan.is_none() {
        let problems = record
            .last_error
            .iter()
            .map(|error| format!("{}: {}", error.code, error.message))
            .collect();
        return DeploymentView {
            health: Health::Unknown,
            problems,
        };
    }
    let mut problems = Vec::new();
    let mut healths = Vec::new();
    for known in state.deployment_instances(record) {
        let view = instance(state, observed, known, graces, now_ms);
        if view.health != Health::Healthy {
            problems.push(format!("{}: {}", known.name, view.reason));
        } else if known.routing_stopped {
            problems.push(format!(
                "{}: proxies send it nothing, by request",
                known.name
            ));
            healths.push(Health::Degraded);
            continue;
        } else if !known.routed && record.pending_plan.is_none() {
            problems.push(format!("{}: proxies send no requests to it", known.name));
            healths.push(Health::Unhealthy);
            continue;
        }
        healths.push(view.health);
    }
    snapshots::texts(state, observed, record, now_ms, &mut problems);
    if let Some(error) = &record.last_error {
        problems.insert(0, format!("{}: {}", error.code, error.message));
    }
    let mut health = sum(&healths);
    if record.last_error.is_some() && record.current_plan.is_none() && health != Health::Healthy {
        health = Health::Unhealthy;
    }
    DeploymentView { health, problems }
}

/// Whether a deployment is as it is wanted: healthy, or stopped by request.
#[must_use]
pub fn is_as_wanted(
    state: &State,
    observed: &Observations,
    record: &DeploymentRecord,
    graces: &Graces,
    now_ms: u64,
) -> bool {
    (record.pending_plan.is_none() && stopped_by_request(state, record))
        || deployment(state, observed, record, graces, now_ms).health == Health::Healthy
        || only_held_back(state, observed, record, graces, now_ms)
}

/// Whether nothing is wrong but what somebody asked for: instances that are paused or get no requests.
fn only_held_back(
    state: &State,
    observed: &Observations,
    record: &DeploymentRecord,
    graces: &Graces,
    now_ms: u64,
) -> bool {
    let (held, others): (Vec<_>, Vec<_>) = state
        .deployment_instances(record)
        .partition(|known| is_held_back(known));
    !held.is_empty()
        && others.iter().all(|known| {
            known.routed
                && instance(state, observed, known, graces, now_ms).health == Health::Healthy
        })
}

/// What is wrong with the platform, worst first.
#[must_use]
pub fn problems(state: &State, observed: &Observations, now_ms: u64) -> Vec<Problem> {
    let graces = Graces::of(state);
    let mut all = Vec::new();
    let Some(platform) = &state.platform else {
        return all;
    };
    let age_ms = now_ms.saturating_sub(platform.created_ms.max(observed.leader_since_ms));
    let lacking = |code: &str, noun: &str, rank| Problem {
        code: code.to_owned(),
        subject_kind: "platform",
        subject_id: noun.to_owned(),
        subject: platform.name.clone(),
        message: format!("no {noun} has said hello"),
        hint: format!("start one with `wharf up`; if its container runs, read the {noun}'s log"),
        since_ms: platform.created_ms,
        rank,
    };
    if state.allocators.is_empty() && age_ms > graces.allocator_ms {
        all.push(lacking(codes::NO_ALLOCATOR, "allocator", 0));
    }
    if state.proxies.is_empty() && age_ms > graces.proxy_ms {
        all.push(lacking(codes::NO_PROXY, "proxy", 1));
    }
    for record in state.allocators.values() {
        allocator_problems(observed, record, &graces, now_ms, &mut all);
    }
    for proxy in state.proxies.values() {
        if let Some(silence_ms) = observed.proxy_silence_ms(&proxy.id, now_ms)
            && silence_ms > graces.proxy_ms
        {
            all.push(Problem {
                code: codes::PROXY_SILENT.to_owned(),
                subject_kind: "proxy",
                subject_id: proxy.id.to_string(),
                subject: proxy.host.clone(),
                message: format!(
                    "the proxy on {} has been silent for {} s; it serves from its last table",
                    proxy.host,
                    seconds(silence_ms)
                ),
                hint: "look at its container and its log on that host".to_owned(),
                since_ms: now_ms.saturating_sub(silence_ms),
                rank: 3,
            });
        }
    }
    for record in state.deployments.values() {
        deployment_problems(state, observed, record, &graces, now_ms, &mut all);
    }
    failure::problems::add(state, observed, now_ms, &mut all);
    snapshots::add(state, observed, now_ms, &mut all);
    for problem in &mut all {
        let key = format!("{}/{}", problem.subject_kind, problem.subject_id);
        if let Some(known) = state.health.get(&key)
            && known.code == problem.code
        {
            problem.since_ms = problem.since_ms.min(known.since_ms);
        }
    }
    all.sort_by(|a, b| {
        (a.rank, a.since_ms, &a.subject_id, &a.code).cmp(&(
            b.rank,
            b.since_ms,
            &b.subject_id,
            &b.code,
        ))
    });
    all
}

fn allocator_problems(
    observed: &Observations,
    record: &AllocatorRecord,
    graces: &Graces,
    now_ms: u64,
    all: &mut Vec<Problem>,
) {
    let problem =
        |code: &str, subject_kind, message: String, hint: String, since_ms, rank| Problem {
            code: code.to_owned(),
            subject_kind,
            subject_id: record.id.to_string(),
            subject: record.host.clone(),
            message,
            hint,
            since_ms,
            rank,
        };
    if let Some(silence_ms) = observed.allocator_silence_ms(&record.id, now_ms) {
        if silence_ms > graces.allocator_ms {
            all.push(problem(
                codes::ALLOCATOR_SILENT,
                "allocator",
                format!(
                    "the allocator on {} has been silent for {} s; its instances keep running if the host does",
                    record.host,
                    seconds(silence_ms)
                ),
                "look whether the host is up, then at the allocator's container and log".to_owned(),
                now_ms.saturating_sub(silence_ms),
                1,
            ));
        }
        return;
    }
    let Some(seen) = observed.allocators.get(&record.id) else {
        return;
    };
    for host in &seen.problems {
        all.push(problem(
            &host.code,
            "host",
            format!("{}: {}", record.host, host.message),
            host.hint.clone(),
            now_ms,
            2,
        ));
    }
    let connected_ms = now_ms.saturating_sub(seen.since_ms.max(observed.leader_since_ms));
    let hint = "look at the allocator's log; `wharf status` tells whether the store is up";
    match &seen.collectors {
        None if connected_ms > graces.collector_ms => all.push(problem(
            codes::COLLECTOR_SILENT,
            "collector",
            format!("the collectors on {} do not report", record.host),
            hint.to_owned(),
            seen.since_ms,
            4,
        )),
        Some(status) => {
            let waiting = status.spool_bytes > 0
                && status.spooled > status.shipped.saturating_add(status.dropped);
            let quiet_ms =
                now_ms.saturating_sub(status.shipped_grew_ms.max(observed.leader_since_ms));
            if waiting && quiet_ms > graces.collector_ms {
                let error = if status.last_error.is_empty() {
                    String::new()
                } else {
                    format!(": {}", status.last_error)
                };
                all.push(problem(
                    codes::COLLECTOR_SILENT,
                    "collector",
                    format!(
                        "the collectors on {} have shipped nothing for {} s, {} bytes wait{error}",
                        record.host,
                        seconds(quiet_ms),
                        status.spool_bytes
                    ),
                    hint.to_owned(),
                    status.shipped_grew_ms,
                    4,
                ));
            }
            if status.dropped_grew_ms > 0
                && now_ms.saturating_sub(status.dropped_grew_ms) < DROPS_SHOWN_MS
            {
                all.push(problem(
                    codes::COLLECTOR_DROPS,
                    "collector",
                    format!(
                        "the collectors on {} have dropped {} documents",
                        record.host, status.dropped
                    ),
                    "the spool was full or the store refused them; read the allocator's log"
                        .to_owned(),
                    status.dropped_grew_ms,
                    5,
                ));
            }
        }
        None => {}
    }
}

fn deployment_problems(
    state: &State,
    observed: &Observations,
    record: &DeploymentRecord,
    graces: &Graces,
    now_ms: u64,
    all: &mut Vec<Problem>,
) {
    let problem =
        |code: &str, subject_kind, message: String, hint: String, since_ms, rank| Problem {
            code: code.to_owned(),
            subject_kind,
            subject_id: record.id.to_string(),
            subject: record.alias.clone(),
            message,
            hint,
            since_ms,
            rank,
        };
    if let Some(error) = &record.last_error {
        all.push(problem(
            codes::PLAN_FAILED,
            "plan",
            format!(
                "the last plan of `{}` failed: {}: {}",
                record.name, error.code, error.message
            ),
            format!(
                "`wharf plan show {}` has every step; delete the deployment or repair the cause",
                error.plan_id
            ),
            error.at_ms,
            2,
        ));
    }
    let pending = record
        .pending_plan
        .as_ref()
        .and_then(|id| state.plans.get(id));
    if let Some(plan) = pending {
        let since_ms = plan.created_ms.max(observed.leader_since_ms);
        if now_ms.saturating_sub(since_ms) > graces.plan_ms {
            let waits = plan
                .steps
                .iter()
                .find(|step| !step.waits_for.is_empty())
                .map_or(plan.reason.as_str(), |step| step.waits_for.as_str());
            let waits = if waits.is_empty() { "its steps" } else { waits };
            all.push(problem(
                codes::PLAN_WAITS,
                "plan",
                format!("a plan of `{}` waits for {waits}", record.name),
                format!("`wharf plan show {}` has every step", plan.id),
                plan.created_ms,
                3,
            ));
        }
        // What a plan is changing is not yet a problem, and what is to stop never is.
        let young = now_ms.saturating_sub(since_ms) <= graces.plan_ms;
        if young || matches!(plan.kind, PlanKind::Delete | PlanKind::Terminate) {
            return;
        }
    } else if stopped_by_request(state, record) {
        return;
    }
    let view = deployment(state, observed, record, graces, now_ms);
    let amnesty = now_ms.saturating_sub(observed.leader_since_ms) <= graces.allocator_ms;
    if view.health == Health::Healthy
        || (view.health == Health::Unknown && amnesty)
        || only_held_back(state, observed, record, graces, now_ms)
    {
        return;
    }
    let word = match view.health {
        Health::Degraded => "works with less than it should have",
        Health::Unknown => "has not been seen",
        Health::Unhealthy | Health::Healthy => "is not healthy",
    };
    all.push(problem(
        codes::DEPLOYMENT_UNHEALTHY,
        "deployment",
        format!("`{}` {word}: {}", record.name, view.problems.join("; ")),
        format!(
            "`wharf deployment show {}` has its instances and their reasons",
            record.alias
        ),
        now_ms,
        u8::from(!record.system_owned),
    ));
}

/// Whether nothing runs because nobody wants it to: terminated, or its first plan was cancelled.
fn stopped_by_request(state: &State, record: &DeploymentRecord) -> bool {
    let nowhere = state
        .deployment_instances(record)
        .all(|instance| instance.berth.is_none());
    record.terminated || (nowhere && record.last_error.is_none())
}

#[cfg(test)]
mod tests;
