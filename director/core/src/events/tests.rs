//! Two looks, and what happened in between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{fixture::World, state::AuditEntry};

fn container(name: &str, started_ms: u64) -> ContainerLook {
    ContainerLook {
        name: name.into(),
        state: "running".into(),
        started_ms,
        ..ContainerLook::default()
    }
}

fn look(containers: &[(&str, ContainerLook)]) -> Look {
    let containers = containers
        .iter()
        .map(|(id, container)| ((*id).to_owned(), container.clone()))
        .collect();
    let host = HostLook {
        host: "h1".into(),
        connected: true,
        containers: Some(containers),
    };
    Look {
        hosts: BTreeMap::from([("a1".to_owned(), host)]),
        ..Look::default()
    }
}

fn only(before: &Look, after: &Look) -> Seen {
    let all = between(before, after);
    assert_eq!(all.len(), 1, "one event was expected: {all:?}");
    all[0].clone()
}

#[test]
fn a_first_report_of_a_host_is_no_news_of_its_containers() {
    let mut before = look(&[]);
    before.hosts.get_mut("a1").unwrap().containers = None;
    assert_eq!(between(&before, &look(&[("c1", container("web", 5))])), []);
}

#[test]
fn a_restart_tells_exit_code_memory_plan_or_hand() {
    let before = look(&[("c1", container("web", 5))]);
    let again = look(&[("c1", container("web", 9))]);
    let seen = only(&before, &again);
    assert_eq!(seen.kind, "container_restarted");
    assert!(seen.detail.contains("by hand"), "{}", seen.detail);

    let mut ended = before.clone();
    let host = ended.hosts.get_mut("a1").unwrap();
    let one = host.containers.as_mut().unwrap().get_mut("c1").unwrap();
    one.state = "exited".into();
    one.exit_code = 3;
    assert_eq!(only(&before, &ended).kind, "container_failed");
    let seen = only(&ended, &again);
    assert!(seen.detail.contains("exit code 3"), "{}", seen.detail);
    let host = ended.hosts.get_mut("a1").unwrap();
    let one = host.containers.as_mut().unwrap().get_mut("c1").unwrap();
    one.out_of_memory = true;
    assert_eq!(only(&before, &ended).kind, "container_out_of_memory");
    assert!(only(&ended, &again).detail.contains("memory"));
}

#[test]
fn what_a_plan_does_names_the_plan() {
    let mut own = container("store", 5);
    own.deployment_id = "d1".into();
    own.instance_id = "i1".into();
    let mut before = look(&[("c1", own.clone())]);
    let deployment = DeploymentLook {
        name: "web".into(),
        health: Health::Healthy,
        plan_id: "p7".into(),
        ..DeploymentLook::default()
    };
    before.deployments.insert("d1".into(), deployment);
    let mut after = look(&[("c2", own)]);
    after.deployments.clone_from(&before.deployments);
    let seen = only(&before, &after);
    assert_eq!(seen.kind, "container_replaced");
    assert!(seen.detail.contains("plan p7"), "{}", seen.detail);
    after.hosts.get_mut("a1").unwrap().containers = Some(BTreeMap::new());
    let seen = only(&before, &after);
    assert_eq!(seen.kind, "container_vanished");
    assert!(seen.detail.contains("plan p7"), "{}", seen.detail);
}

#[test]
fn a_plan_that_was_just_done_made_what_hosts_tell_of_and_ended_nothing() {
    let mut world = World::with_host();
    let (id, plan) = world.create("logs");
    let done = |world: &World, now_ms: u64| {
        let record = &world.state.deployments[&id];
        just_done(&world.state, record, now_ms).cloned()
    };
    assert_eq!(done(&world, world.now_ms), None, "it waits");
    world.settle();
    let ended_ms = world.plan(&plan).ended_ms;
    assert_eq!(done(&world, ended_ms + ECHO_MS - 1), Some(plan));
    assert_eq!(done(&world, ended_ms + ECHO_MS), None);

    let mut own = container("store", 5);
    own.deployment_id = "d1".into();
    own.instance_id = "i1".into();
    let mut before = look(&[]);
    let deployment = DeploymentLook {
        done_plan_id: "p7".into(),
        ..DeploymentLook::default()
    };
    before.deployments.insert("d1".into(), deployment);
    let mut after = look(&[("c1", own.clone())]);
    after.deployments.clone_from(&before.deployments);
    let seen = only(&before, &after);
    assert_eq!(seen.kind, "container_appeared");
    assert!(seen.detail.contains("plan p7"), "{}", seen.detail);
    own.state = "exited".into();
    own.exit_code = 3;
    let mut failed = look(&[("c1", own)]);
    failed.deployments.clone_from(&before.deployments);
    let seen = only(&after, &failed);
    assert_eq!(seen.kind, "container_failed");
    assert!(!seen.detail.contains("p7"), "{}", seen.detail);
}

#[test]
fn an_instance_that_restarts_between_two_looks_has_its_reported_exit() {
    let mut own = container("store", 5);
    own.instance_id = "i1".into();
    let before = look(&[("c1", own.clone())]);
    own.started_ms = 9;
    let mut after = look(&[("c1", own)]);
    let exit = InstanceExit {
        code: 101,
        out_of_memory: false,
        at_ms: 8,
        log_tail: Vec::new(),
    };
    after.exits.insert("i1".into(), exit);
    let seen = only(&before, &after);
    assert!(seen.detail.contains("exit code 101"), "{}", seen.detail);
    assert!(seen.important);
}

#[test]
fn a_silent_host_keeps_its_containers_and_an_unknown_health_is_no_news() {
    let mut before = look(&[("c1", container("web", 5))]);
    let healthy = DeploymentLook {
        health: Health::Healthy,
        ..DeploymentLook::default()
    };
    before.deployments.insert("d1".into(), healthy);
    let mut after = before.clone();
    let host = after.hosts.get_mut("a1").unwrap();
    host.connected = false;
    host.containers = None;
    after.deployments.get_mut("d1").unwrap().health = Health::Unknown;
    carry(&before, &mut after);
    assert_eq!(only(&before, &after).kind, "allocator_lost");
    let mut back = before.clone();
    back.deployments.get_mut("d1").unwrap().health = Health::Unhealthy;
    let kinds: Vec<&str> = between(&after, &back)
        .iter()
        .map(|seen| seen.kind)
        .collect();
    assert_eq!(kinds, ["allocator_connected", "deployment_health"]);
}

#[test]
fn what_repeats_does_not_push_everything_else_out_of_the_audit_list() {
    let mut budget = Budget::default();
    let seen = |subject: String| Seen {
        kind: "container_restarted",
        subject,
        important: true,
        ..Seen::default()
    };
    assert!(budget.admits(&seen("a".into()), 0));
    assert!(!budget.admits(&seen("a".into()), 1_000));
    assert!(budget.admits(&seen("a".into()), 3_600_000));
    let admitted = (0..1_000)
        .filter(|number| budget.admits(&seen(number.to_string()), 3_600_001))
        .count();
    assert!(admitted < 250, "{admitted} of 1000 in one moment");
}

fn audit(number: u64, at_ms: u64) -> Arc<AuditEntry> {
    Arc::new(AuditEntry {
        place: None,
        number,
        at_ms,
        actor: "ann".into(),
        action: "adopt_plan".into(),
        subject: "plan/x".into(),
        result: "done".into(),
        detail: String::new(),
    })
}

#[test]
fn a_stream_that_is_resumed_at_another_leader_neither_repeats_nor_loses_audit_lines() {
    let mut lines: VecDeque<_> = (0..5).map(|number| audit(number, 10 + number)).collect();
    let mut first = EventLog::default();
    assert!(first.take_audit(&lines) && !first.take_audit(&lines));
    first.take_seen(Seen::default(), 20);
    let (read, _) = first.from(first.after(0), 100);
    assert_eq!((read.len(), read[0].kind.as_str()), (6, "plan_started"));
    let last = read[5].number;
    lines.push_back(audit(5, 30));
    let mut second = EventLog::default();
    second.take_audit(&lines);
    let (rest, end) = second.from(second.after(last), 100);
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(
        rest[0].at.as_ref().map(wharf_proto::times::millis),
        Some(30)
    );
    assert_eq!(end, second.end());
    second.clear();
    assert_eq!((second.all().count(), second.from(0, 10).0.len()), (0, 0));
}

fn looks() -> impl Strategy<Value = Look> {
    let one = (
        0_u64..4,
        prop::sample::select(vec!["running", "exited", "paused"]),
        0_i64..3,
    );
    let containers = prop::collection::btree_map(0_u8..6, (0_u8..4, one), 0..6);
    (containers, any::<bool>()).prop_map(|(containers, connected)| {
        let mut made = look(&[]);
        let host = made.hosts.get_mut("a1").unwrap();
        host.connected = connected;
        let of = |(id, (name, (started_ms, state, exit_code))): (u8, (u8, (u64, &str, i64)))| {
            let container = ContainerLook {
                name: format!("n{name}"),
                state: state.to_owned(),
                started_ms,
                exit_code,
                ..ContainerLook::default()
            };
            (format!("c{id}"), container)
        };
        host.containers = Some(containers.into_iter().map(of).collect());
        made
    })
}

proptest! {
    #[test]
    fn equal_looks_tell_nothing_and_every_coming_and_going_is_told_once(
        before in looks(),
        after in looks(),
    ) {
        prop_assert_eq!(between(&before, &before), vec![]);
        let ids = |look: &Look| -> BTreeSet<String> {
            look.hosts["a1"].containers.iter().flatten().map(|(id, _)| id.clone()).collect()
        };
        let (was, now) = (ids(&before), ids(&after));
        let all = between(&before, &after);
        let count = |kind: &str| all.iter().filter(|seen| seen.kind == kind).count();
        prop_assert_eq!(
            count("container_appeared") + count("container_replaced"),
            now.difference(&was).count()
        );
        prop_assert!(count("container_vanished") <= was.difference(&now).count());
        prop_assert!(all.iter().all(|seen| seen.detail.len() <= TEXT_BYTES));
    }

    #[test]
    fn a_log_stays_bounded_and_is_read_without_gaps(
        amounts in prop::collection::vec(1_usize..4_000, 1..6),
    ) {
        let mut log = EventLog::default();
        let (mut position, mut read) = (0, 0_usize);
        for amount in &amounts {
            for _ in 0..*amount {
                log.take_seen(Seen::default(), 1);
            }
            let (events, next) = log.from(position, usize::MAX);
            read += events.len();
            position = next;
        }
        prop_assert_eq!(read, amounts.iter().sum::<usize>());
        prop_assert!(log.all().count() <= EVENTS_KEPT);
    }
}
