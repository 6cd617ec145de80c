//! One step: what it changes when it is begun, whether it is observed done, what it waits for. A
//! step is never done because it was ordered, nor because an allocator said it did something: only
//! because the wanted state was seen.

use std::cell::OnceCell;

use wharf_proto::ids::InstanceId;

use super::{Timeouts, password, relocation};
use crate::{
    command::InstanceChange,
    observe::{Health, InstanceObservation, InstanceState, Observations},
    placement::solve::other_port,
    reconcile::route,
    refusal::codes,
    state::{
        InstanceBerth, InstanceRecord, PlanKind, PlanRecord, State, StepKind, StepRecord, Want,
    },
};

/// The allocator's code for a port that somebody else on the host has.
pub const PORT_TAKEN: &str = "ALL0012";
/// Ports that are tried for an instance before its plan fails.
pub const PORT_ATTEMPTS: usize = 8;

/// What was seen of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Done; with a line for its log.
    Done(String),
    /// Not yet; with what it waits for.
    Waits(String),
    /// Needs changes before it can go on; with a line for its log.
    Change(Vec<InstanceChange>, String),
    /// Cannot be done: code and reason.
    Failed(&'static str, String),
}

/// What the steps of one look share: state, observations, and the routes as they should be.
pub struct Look<'a> {
    /// The state.
    pub state: &'a State,
    /// What the leader saw.
    pub observed: &'a Observations,
    /// The time.
    pub now_ms: u64,
    routes_published: OnceCell<bool>,
}

impl<'a> Look<'a> {
    /// A look at the state and the observations.
    #[must_use]
    pub const fn new(state: &'a State, observed: &'a Observations, now_ms: u64) -> Self {
        Self {
            state,
            observed,
            now_ms,
            routes_published: OnceCell::new(),
        }
    }

    /// Whether the routes as they should be have their generation already.
    fn routes_published(&self) -> bool {
        *self.routes_published.get_or_init(|| {
            route::content(self.state, self.observed).digest() == self.state.routes.digest
        })
    }
}

/// How long a step may take, and the code when it takes longer.
#[must_use]
pub const fn limit(kind: StepKind, timeouts: &Timeouts) -> (u64, &'static str) {
    match kind {
        StepKind::Place => (timeouts.place_ms, codes::PLAN_NO_ROOM),
        StepKind::Start => (timeouts.start_ms, codes::PLAN_START),
        StepKind::Healthy => (timeouts.healthy_ms, codes::PLAN_HEALTHY),
        StepKind::Route | StepKind::Unroute => (timeouts.route_ms, codes::PLAN_ROUTE),
        StepKind::Stop => (timeouts.stop_ms, codes::PLAN_STOP),
        StepKind::Release | StepKind::Remove | StepKind::Unplace | StepKind::Forget => {
            (timeouts.remove_ms, codes::PLAN_REMOVE)
        }
        StepKind::Accept | StepKind::Switch | StepKind::Retire => {
            (timeouts.start_ms, codes::PLAN_PASSWORD)
        }
        StepKind::Copy => (timeouts.copy_ms, codes::PLAN_COPY),
        // There is no way back from here: it is waited for.
        StepKind::TakeOver => (u64::MAX, codes::PLAN_COPY),
    }
}

/// What a step changes when it is begun, with a line for its log.
#[must_use]
pub fn begin(state: &State, plan: &PlanRecord, index: usize) -> (Vec<InstanceChange>, String) {
    let Some(step) = plan.steps.get(index) else {
        return (Vec::new(), String::new());
    };
    let Some(instance_id) = step.instance_id.clone() else {
        let (change, line) = match step.kind {
            StepKind::Forget => (InstanceChange::ForgetDeployment, "forgotten"),
            StepKind::Accept => (
                InstanceChange::AcceptPassword,
                "told the storage nodes to take the new password beside the old one",
            ),
            StepKind::Switch => (
                InstanceChange::SwitchPassword,
                "handed the new password out to monitoring nodes and collectors",
            ),
            StepKind::Retire => (
                InstanceChange::RetirePassword,
                "told the storage nodes to take the old password no longer",
            ),
            _ => return (Vec::new(), String::new()),
        };
        return (vec![change], line.to_owned());
    };
    let known = state.instances.get(&instance_id);
    if known.is_some_and(|known| relocation::begins_by_sight(plan, known, step.kind)) {
        return (Vec::new(), String::new());
    }
    match step.kind {
        StepKind::Place
        | StepKind::Copy
        | StepKind::TakeOver
        | StepKind::Healthy
        | StepKind::Forget
        | StepKind::Accept
        | StepKind::Switch
        | StepKind::Retire => (Vec::new(), String::new()),
        StepKind::Start if takes_claim(state, plan, index, &instance_id) => {
            let size = state
                .instances
                .get(&instance_id)
                .and_then(|instance| instance.claim.as_ref())
                .map(|claim| claim.size.to_string());
            (
                vec![InstanceChange::Resize { instance_id }],
                format!(
                    "told the allocator to replace the container by one of {}",
                    size.unwrap_or_default()
                ),
            )
        }
        StepKind::Start if plan.kind == PlanKind::Upgrade => (
            vec![InstanceChange::Replace { instance_id }],
            "told the allocator to replace the container".to_owned(),
        ),
        StepKind::Start => (
            vec![InstanceChange::Run { instance_id }],
            "told the allocator to run the container".to_owned(),
        ),
        StepKind::Route => (
            vec![InstanceChange::Route {
                instance_id,
                routed: true,
            }],
            "told the proxies to send requests".to_owned(),
        ),
        StepKind::Unroute => (
            vec![InstanceChange::Route {
                instance_id,
                routed: false,
            }],
            "told the proxies to send no more requests".to_owned(),
        ),
        StepKind::Stop if matches!(plan.kind, PlanKind::Pause | PlanKind::Resume) => (
            vec![InstanceChange::Pause { instance_id }],
            "told the allocator to stop the container until it is resumed".to_owned(),
        ),
        StepKind::Stop => (
            vec![InstanceChange::Stop { instance_id }],
            "told the allocator to stop the container".to_owned(),
        ),
        StepKind::Release => (
            vec![InstanceChange::Release { instance_id }],
            "told the allocator to remove the container and keep the data".to_owned(),
        ),
        StepKind::Remove => (
            vec![InstanceChange::Remove { instance_id }],
            "told the allocator to remove container and data".to_owned(),
        ),
        StepKind::Unplace => (
            vec![InstanceChange::Unplace { instance_id }],
            "gave its place back".to_owned(),
        ),
    }
}

/// Whether a start takes up what is claimed for the instance: what it is to become, or in the steps
/// that take back what it was, if that start had come so far.
fn takes_claim(state: &State, plan: &PlanRecord, index: usize, id: &InstanceId) -> bool {
    let claimed = state
        .instances
        .get(id)
        .is_some_and(|instance| instance.claim.is_some());
    let taking_back = plan.undo_from.is_some() && index >= plan.live_from();
    claimed && (!taking_back || plan.begun(id, StepKind::Start))
}

/// What is seen of a running step.
#[must_use]
pub fn see(look: &Look<'_>, plan: &PlanRecord, step: &StepRecord) -> Seen {
    if matches!(
        step.kind,
        StepKind::Accept | StepKind::Switch | StepKind::Retire
    ) {
        return password::see(look, plan, step.kind);
    }
    let Some(instance) = step
        .instance_id
        .as_ref()
        .and_then(|id| look.state.instances.get(id))
    else {
        // A step of the whole deployment ends with its command; an instance that is gone has
        // nothing left to do.
        return Seen::Done("nothing is left to do".to_owned());
    };
    let Some(berth) = &instance.berth else {
        return Seen::Done("was never placed".to_owned());
    };
    if let Some(seen) = relocation::see(look, plan, step, instance, berth) {
        return seen;
    }
    match step.kind {
        StepKind::Place => Seen::Done("placed".to_owned()),
        StepKind::Forget | StepKind::Unplace => Seen::Done("forgotten".to_owned()),
        StepKind::Accept | StepKind::Switch | StepKind::Retire => {
            Seen::Done("nothing is left to do".to_owned())
        }
        StepKind::Copy | StepKind::TakeOver => Seen::Done("nothing is left to do".to_owned()),
        StepKind::Start => see_start(look, instance, berth),
        StepKind::Healthy => see_healthy(look, instance, berth),
        StepKind::Route | StepKind::Unroute => see_routes(look, step.kind),
        StepKind::Stop | StepKind::Release | StepKind::Remove => {
            see_gone(look, instance, berth, step.kind)
        }
    }
}

pub(super) fn host_name<'a>(look: &Look<'a>, berth: &'a InstanceBerth) -> &'a str {
    look.state
        .allocators
        .get(&berth.allocator_id)
        .map_or(berth.allocator_id.as_str(), |known| known.host.as_str())
}

fn generation(look: &Look<'_>, berth: &InstanceBerth) -> u64 {
    look.state
        .assignments
        .get(&berth.allocator_id)
        .map_or(0, |assignment| assignment.generation)
}

/// Whether the container runs the spec and image it should.
#[must_use]
pub fn runs_wanted_spec(
    observed: &Observations,
    instance: &InstanceRecord,
    berth: &InstanceBerth,
    seen: &InstanceObservation,
) -> bool {
    let image = observed
        .allocators
        .get(&berth.allocator_id)
        .map_or("", |allocator| allocator.image_id.as_str());
    seen.spec_hash == instance.spec_hash
        && (image.is_empty() || seen.image_id.is_empty() || image == seen.image_id)
}

/// What an instance is observed to lack, in words: reason, last exit, end of its log.
#[must_use]
pub fn describe(seen: &InstanceObservation) -> String {
    let mut text = if seen.reason.is_empty() {
        format!("its container is {}", state_word(seen.state))
    } else {
        seen.reason.clone()
    };
    if !seen.error_code.is_empty() {
        text = format!("{}: {text}", seen.error_code);
    }
    if let Some(exit) = &seen.last_exit {
        let memory = if exit.out_of_memory {
            ", out of memory"
        } else {
            ""
        };
        text.push_str(&format!("; last exit with code {}{memory}", exit.code));
        let tail = exit.log_tail.len().saturating_sub(5);
        for line in &exit.log_tail[tail..] {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text
}

const fn state_word(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Unknown => "not yet reported",
        InstanceState::Pending => "not yet created",
        InstanceState::Starting => "starting",
        InstanceState::Running => "running",
        InstanceState::Stopped => "stopped",
        InstanceState::Failed => "not running",
    }
}

pub(super) fn see_start(look: &Look<'_>, instance: &InstanceRecord, berth: &InstanceBerth) -> Seen {
    let host = host_name(look, berth);
    if !look.observed.connected(&berth.allocator_id) {
        return Seen::Waits(format!("the allocator on {host}, which is not connected"));
    }
    let Some(seen) = look.observed.instance(&berth.allocator_id, &instance.id) else {
        return Seen::Waits(format!("the allocator on {host} to report the instance"));
    };
    let reported = look
        .observed
        .allocators
        .get(&berth.allocator_id)
        .map_or(0, |allocator| allocator.reported_generation);
    // Only an error about the port it has now, told after the allocator knew of it, counts.
    let about_this_port = seen.port == berth.port || seen.port == 0;
    if seen.error_code == PORT_TAKEN && about_this_port && reported >= generation(look, berth) {
        if instance.refused_ports.len() >= PORT_ATTEMPTS {
            return Seen::Failed(
                codes::PLAN_PORT,
                format!("{host} refused {PORT_ATTEMPTS} ports: {}", describe(seen)),
            );
        }
        return match other_port(look.state, instance, berth.port) {
            Some(port) => Seen::Change(
                vec![InstanceChange::Port {
                    instance_id: instance.id.clone(),
                    refused: berth.port,
                    port,
                }],
                format!("port {} is taken on {host}, trying {port}", berth.port),
            ),
            None => Seen::Failed(codes::PLAN_PORT, format!("{host} has no port left")),
        };
    }
    let up = matches!(seen.state, InstanceState::Starting | InstanceState::Running);
    if up && !seen.container_id.is_empty() && runs_wanted_spec(look.observed, instance, berth, seen)
    {
        let container: String = seen.container_id.chars().take(12).collect();
        return Seen::Done(format!("container {container} runs on {host}"));
    }
    Seen::Waits(format!("the container on {host}: {}", describe(seen)))
}

pub(super) fn see_healthy(
    look: &Look<'_>,
    instance: &InstanceRecord,
    berth: &InstanceBerth,
) -> Seen {
    let host = host_name(look, berth);
    if !look.observed.connected(&berth.allocator_id) {
        return Seen::Waits(format!("the allocator on {host}, which is not connected"));
    }
    let Some(seen) = look.observed.instance(&berth.allocator_id, &instance.id) else {
        return Seen::Waits(format!("the allocator on {host} to report the instance"));
    };
    // The port can be taken between two starts of the same container.
    if seen.error_code == PORT_TAKEN
        && let started @ (Seen::Change(..) | Seen::Failed(..)) = see_start(look, instance, berth)
    {
        return started;
    }
    if seen.state == InstanceState::Running
        && seen.health == Health::Healthy
        && runs_wanted_spec(look.observed, instance, berth, seen)
    {
        return Seen::Done("the health probe answers".to_owned());
    }
    Seen::Waits(format!(
        "the health probe of {}: {}",
        instance.name,
        describe(seen)
    ))
}

fn see_routes(look: &Look<'_>, kind: StepKind) -> Seen {
    if !look.routes_published() {
        return Seen::Waits("the route table to be published".to_owned());
    }
    let generation = look.state.routes.generation;
    let known = look
        .state
        .proxies
        .keys()
        .filter_map(|id| look.observed.proxies.get(id))
        .filter(|seen| seen.connected);
    let (mut connected, mut behind) = (0_usize, 0_usize);
    for seen in known {
        connected += 1;
        behind += usize::from(seen.table_generation < generation);
    }
    if behind > 0 {
        return Seen::Waits(format!(
            "{behind} of {connected} connected proxies to take route table {generation}"
        ));
    }
    if connected == 0 && kind == StepKind::Route {
        return Seen::Waits("a proxy; none is connected".to_owned());
    }
    Seen::Done(format!(
        "{connected} connected proxies have route table {generation}"
    ))
}

pub(super) fn see_gone(
    look: &Look<'_>,
    instance: &InstanceRecord,
    berth: &InstanceBerth,
    kind: StepKind,
) -> Seen {
    let host = host_name(look, berth);
    if !look.state.allocators.contains_key(&berth.allocator_id) {
        return Seen::Done("its allocator is no longer part of the platform".to_owned());
    }
    let seen = look
        .observed
        .allocators
        .get(&berth.allocator_id)
        .filter(|allocator| allocator.connected && allocator.reported);
    let Some(allocator) = seen else {
        return Seen::Waits(format!("the allocator on {host}, which is not connected"));
    };
    if allocator.reported_generation < generation(look, berth) {
        return Seen::Waits(format!("the allocator on {host} to take its assignment"));
    }
    let Some(seen) = allocator.instances.get(&instance.id) else {
        return Seen::Done(format!("{host} has nothing of it"));
    };
    let up = matches!(seen.state, InstanceState::Starting | InstanceState::Running);
    let stopped = seen.container_id.is_empty()
        || seen.state == InstanceState::Stopped
        // An instance whose container failed and is no longer wanted is not restarted.
        || (seen.state == InstanceState::Failed && instance.want != Want::Run);
    match kind {
        StepKind::Stop if stopped => Seen::Done(format!("the container on {host} is stopped")),
        StepKind::Release if !up && seen.container_id.is_empty() => Seen::Done(format!(
            "the container is gone from {host}, its data is kept"
        )),
        StepKind::Release => Seen::Waits(format!(
            "the container on {host} to be removed: {}",
            describe(seen)
        )),
        StepKind::Remove if !up && seen.container_id.is_empty() && !seen.data_present => {
            Seen::Done(format!("container and data are gone from {host}"))
        }
        StepKind::Stop => Seen::Waits(format!(
            "the container on {host} to stop: {}",
            describe(seen)
        )),
        _ => Seen::Waits(format!(
            "container and data on {host} to be removed: {}",
            describe(seen)
        )),
    }
}
