//! The allocator killed at every step: of a creation, the one that the step is carried out by; of a vacate
//! of a storage node's host under load, the one that the node leaves and the one that it goes to. Each step
//! is seen by the plan's own stream. Not here: what an allocator does with what it finds (its own tests).

use std::time::{Duration, Instant};

use wharf_proto::v1::{Plan, PlanStatus, StepStatus};

use super::{
    Deployed, Load, Timeline,
    api::{Api, has_ended, soon},
    hosts::{connected, loaded},
    inventory::each_once,
    leaders::{process, signal},
    moves::{emptied, used_again},
};
use crate::testbed::{Fleet, must};

const PATIENCE: Duration = Duration::from_secs(180);
const ALLOCATOR: &str = "wharf-wharfinger-allocator";

/// A step of a plan, by what it is and whom it acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    id: String,
    subject: String,
}

impl Step {
    fn all(plan: &Plan) -> Vec<Self> {
        let steps = plan.steps.iter();
        steps
            .map(|one| Self {
                id: one.step_id.clone(),
                subject: one.subject.clone(),
            })
            .collect()
    }

    /// Whether the plan has come so far.
    fn is_begun(&self, plan: &Plan) -> bool {
        plan.steps.iter().any(|one| {
            one.step_id == self.id
                && one.subject == self.subject
                && !matches!(one.status(), StepStatus::Unspecified | StepStatus::Waiting)
        })
    }
}

/// An allocator that runs.
#[derive(Debug, Clone)]
struct Allocator {
    id: String,
    host: usize,
    pid: String,
}

/// Every allocator with its process, looked up before: a step may last milliseconds.
fn allocators(fleet: &Fleet) -> Vec<Allocator> {
    let rows = fleet.desk().list(&["allocator", "list"]);
    let rows = rows.expect("a director answers");
    rows.iter()
        .map(|row| {
            let text = |field: &str| row[field].as_str().unwrap_or_default();
            let host = fleet.number(text("host")).expect("a host of the fleet");
            Allocator {
                id: text("id").to_owned(),
                host,
                pid: process(fleet, host, ALLOCATOR).expect("an allocator that runs"),
            }
        })
        .collect()
}

/// Kills an allocator at every step of a creation, then at every step of the move of a storage node that is
/// under load, the one that it leaves and the one that it goes to.
///
/// # Panics
/// When a plan does not end well, an instance has no container or folder or more than one, a client notices,
/// or something acknowledged is lost.
pub fn allocator_killed(fleet: &mut Fleet) {
    let timeline = Timeline::begin("allocator-killed");
    let web = Deployed::ensure(fleet, &timeline, "web");
    loaded(fleet, &timeline, &web, &[], true, |fleet, load| {
        creations(fleet, &timeline);
        moves(fleet, &timeline, &web, load);
    });
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

fn creations(fleet: &Fleet, timeline: &Timeline) {
    let steps = creation(fleet, timeline, "made", None);
    assert!(
        steps.len() >= 4,
        "a creation places, starts, probes and routes: {steps:?}"
    );
    for (number, step) in steps.iter().enumerate() {
        creation(fleet, timeline, &format!("made-{number}"), Some(step));
    }
    timeline.note(format_args!(
        "{} deployments made, at each step of one the allocator killed",
        steps.len()
    ));
}

/// Creates a deployment, kills the allocator at a step when there is one, and deletes it again. Gives the
/// plan's steps.
fn creation(fleet: &Fleet, timeline: &Timeline, name: &str, at: Option<&Step>) -> Vec<Step> {
    let all = allocators(fleet);
    timeline.note(format_args!("> create the deployment {name}"));
    let (plan, killed) = fleet.desk().here(|| {
        let api = Api::of(fleet.desk());
        let plan = api.create(name);
        let killed = at.map(|step| {
            kill_at(&api, timeline, &plan, step, &all, || {
                let deployment = api.deployment(name).ok()?;
                let instances = deployment
                    .resources
                    .into_iter()
                    .flat_map(|one| one.instances);
                let mut of_step = instances.filter(|one| one.name == step.subject);
                of_step.next().map(|one| one.allocator_id)
            })
        });
        (api.follow(&plan, has_ended), killed)
    });
    ended_well(fleet, timeline, &plan, killed);
    let made = Deployed {
        name: name.to_owned(),
        credentials: serde_json::Value::Null,
    };
    timeline.until(&format!("{name} is healthy"), PATIENCE, || {
        made.healthy(fleet)
    });
    timeline.until("every instance is there once", PATIENCE, || {
        each_once(fleet)
    });
    timeline.at(&format!("wharf deployment delete {name}"), || {
        let delete = ["deployment", "delete", name, "--yes", "--wait"];
        must(&mut fleet.desk().wharf(&delete));
    });
    timeline.until("nothing of it is left", PATIENCE, || each_once(fleet));
    Step::all(&plan)
}

fn moves(fleet: &Fleet, timeline: &Timeline, web: &Deployed, load: &Load) {
    // So that there is something to copy.
    timeline.until("some hundred documents are there", PATIENCE, || {
        let taken = load.acknowledged();
        if taken >= 500 { Ok(()) } else { Err("fewer") }
    });
    let steps = relocation(fleet, timeline, web, load, None);
    assert!(
        steps.iter().any(|step| step.id == "copy"),
        "a storage node takes its data along: {steps:?}"
    );
    for step in &steps {
        for end in [End::Source, End::Target] {
            relocation(fleet, timeline, web, load, Some((step, end)));
        }
    }
    timeline.note(format_args!(
        "{} vacates, at each step of one the allocator of either end killed",
        2 * steps.len()
    ));
}

/// Which of the two hosts of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

/// Vacates the host of the storage node; kills an allocator at a step when there is one. Gives the steps of
/// the node's move.
fn relocation(
    fleet: &Fleet,
    timeline: &Timeline,
    web: &Deployed,
    load: &Load,
    at: Option<(&Step, End)>,
) -> Vec<Step> {
    let before = web
        .instance(fleet, "storage-0")
        .expect("a director answers");
    let from = before.host.expect("it lies on a host");
    let (name, all) = (fleet.name(from), allocators(fleet));
    let source = all.iter().find(|one| one.host == from).cloned();
    let source = source.expect("every host has an allocator");
    let taken = load.acknowledged();
    timeline.note(format_args!("> wharf allocator vacate {name}"));
    let (plan, killed) = fleet.desk().here(|| {
        let api = Api::of(fleet.desk());
        let vacate = api.vacate(&name);
        let planned = || {
            let moves = api.vacate_now(&vacate).ok()?.moves;
            let mut own = moves.into_iter().filter(|one| one.instance_id == before.id);
            own.next().filter(|one| !one.plan_id.is_empty())
        };
        let plan = soon("the move has a plan", planned).plan_id;
        let killed = at.map(|(step, end)| {
            kill_at(&api, timeline, &plan, step, &all, || match end {
                End::Source => Some(source.id.clone()),
                End::Target => planned().map(|one| one.to_allocator_id),
            })
        });
        (api.follow(&plan, has_ended), killed)
    });
    ended_well(fleet, timeline, &plan, killed);
    emptied(fleet, timeline, &name);
    timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    timeline.until("every instance is there once", PATIENCE, || {
        each_once(fleet)
    });
    let after = web
        .instance(fleet, "storage-0")
        .expect("a director answers");
    assert_eq!(before.id, after.id, "the storage node became another one");
    assert_ne!(before.host, after.host, "it lies where it lay");
    timeline.until("documents are taken", PATIENCE, || {
        load.goes_on_since(taken)
    });
    timeline.note(web.told(fleet));
    used_again(fleet, timeline, &name);
    Step::all(&plan)
}

/// Kills an allocator the moment that its plan is seen to be at the step.
fn kill_at(
    api: &Api,
    timeline: &Timeline,
    plan: &str,
    step: &Step,
    all: &[Allocator],
    victim: impl Fn() -> Option<String>,
) -> Allocator {
    let seen = api.follow(plan, |plan| step.is_begun(plan));
    let at = Instant::now();
    assert!(
        step.is_begun(&seen),
        "the plan ended before {step:?}: {seen:?}"
    );
    let victim = soon("the allocator of the step is known", || {
        let id = victim()?;
        all.iter().find(|one| one.id == id).cloned()
    });
    signal(&victim.pid, "-9");
    let took = at.elapsed();
    let now = api
        .plan(plan)
        .map_or_else(|status| status.to_string(), |now| whereabouts(&now));
    timeline.note(format_args!(
        "> {} {} is seen: kill -9 the allocator on h{} {} ms later; the plan is then at {now}",
        step.id,
        step.subject,
        victim.host + 1,
        took.as_millis()
    ));
    victim
}

/// The step that runs, or between which steps the plan is.
fn whereabouts(plan: &Plan) -> String {
    let running = plan
        .steps
        .iter()
        .find(|one| one.status() == StepStatus::Running);
    match running {
        Some(one) => format!("{} {}", one.step_id, one.subject),
        None if has_ended(plan) => "its end".to_owned(),
        None => "no step: the next has not begun".to_owned(),
    }
}

/// The plan is done, and the allocator that was killed is there again.
fn ended_well(fleet: &Fleet, timeline: &Timeline, plan: &Plan, killed: Option<Allocator>) {
    if let Some(killed) = killed {
        let name = fleet.name(killed.host);
        timeline.until(
            &format!("the engine of {name} has started the allocator again"),
            PATIENCE,
            || match process(fleet, killed.host, ALLOCATOR) {
                Some(pid) if pid != killed.pid => Ok(()),
                other => Err(format!("process {other:?}")),
            },
        );
        timeline.until(&format!("{name} is connected"), PATIENCE, || {
            connected(fleet, &name)
        });
    }
    assert_eq!(
        plan.status(),
        PlanStatus::Done,
        "the plan ended: {} {}, {:?}",
        plan.error_code,
        plan.reason,
        plan.steps
    );
    timeline.note("the plan is done");
}
