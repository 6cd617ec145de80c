//! Problems over time, and what is said of them.

use super::*;
use crate::{
    apply::apply,
    command::{Body, Command, SettleAlert},
};

fn problem(code: &str, since_ms: u64) -> Problem {
    Problem {
        code: code.into(),
        subject_kind: "deployment",
        subject_id: "d1".into(),
        subject: "system".into(),
        message: "`system` is not healthy: store-0: exited".into(),
        hint: "look".into(),
        since_ms,
        rank: 0,
    }
}

struct World {
    state: State,
    observed: Observations,
    watchman: Watchman,
    now_ms: u64,
    sent: Vec<(String, &'static str)>,
}

impl World {
    fn new() -> Self {
        let state = State::default();
        Self {
            watchman: Watchman::of(&state),
            state,
            observed: Observations::default(),
            now_ms: 1_000_000,
            sent: Vec::new(),
        }
    }

    /// A second passes with these problems; what is decided is kept, sent and settled.
    fn second(&mut self, problems: &[Problem]) {
        self.now_ms += 1_000;
        let commands = self
            .watchman
            .look(&self.state, &self.observed, problems, self.now_ms);
        for command in commands {
            self.apply(Body::RecordAlerts(command));
        }
        for notice in waiting(&self.state) {
            self.sent.push((notice.key, notice.news));
            self.watchman.settle(&notice.id, notice.transition, true);
            self.apply(Body::SettleAlert(SettleAlert {
                id: notice.id,
                transition: notice.transition,
                sent: true,
            }));
        }
    }

    fn apply(&mut self, body: Body) {
        let command = Command::new(self.now_ms, "system", None, body);
        let command = Command::decode(&command.encode().unwrap()).unwrap();
        assert!(apply(&mut self.state, &command).accepted().is_ok());
    }

    fn new_leader(&mut self) {
        self.observed.leader_since_ms = self.now_ms;
        self.state = State::decode(&self.state.encode()).unwrap();
        self.watchman = Watchman::of(&self.state);
    }

    fn news(&self) -> Vec<&'static str> {
        self.sent.iter().map(|(_, news)| *news).collect()
    }
}

#[test]
fn a_store_that_is_down_is_told_once_and_its_recovery_once_over_a_change_of_leader() {
    let mut world = World::new();
    let down = [problem(codes::DEPLOYMENT_UNHEALTHY, 1_001_000)];
    for _ in 0..10 {
        world.second(&down);
    }
    assert_eq!(world.news(), [""; 0], "not before it lasts");
    for _ in 0..60 {
        world.second(&down);
    }
    assert_eq!(world.news(), ["firing"]);
    world.new_leader();
    // The new leader has not seen anything yet: that is no recovery.
    for _ in 0..30 {
        world.second(&[]);
    }
    for _ in 0..30 {
        world.second(&[problem(codes::DEPLOYMENT_UNHEALTHY, world.now_ms)]);
    }
    assert_eq!(world.news(), ["firing"], "nothing is said twice");
    for _ in 0..200 {
        world.second(&[]);
    }
    assert_eq!(world.news(), ["firing", "recovered"]);
    world.new_leader();
    for _ in 0..200 {
        world.second(&[]);
    }
    assert_eq!(world.news(), ["firing", "recovered"]);
}

#[test]
fn what_was_decided_and_not_settled_is_sent_again_with_its_key() {
    let mut world = World::new();
    let down = [problem(codes::ALLOCATOR_SILENT, 0)];
    world.now_ms += 1_000;
    let commands = world
        .watchman
        .look(&world.state, &world.observed, &down, world.now_ms);
    for command in commands {
        world.apply(Body::RecordAlerts(command));
    }
    let before = waiting(&world.state);
    world.new_leader();
    let after = waiting(&world.state);
    assert_eq!((before.len(), &before), (1, &after));
    assert!(after[0].subject.contains("firing: deployment system"));
}

#[test]
fn a_problem_that_nobody_is_told_of_is_no_alert() {
    let mut world = World::new();
    for _ in 0..30 {
        world.second(&[problem(codes::PLAN_WAITS, 0)]);
    }
    assert!(world.state.alerts.is_empty() && world.sent.is_empty());
}

#[test]
fn a_problem_that_lasts_is_told_again_after_the_repeat_time_and_old_alerts_are_forgotten() {
    let mut world = World::new();
    let down = [problem(codes::COLLECTOR_SILENT, 0)];
    for _ in 0..(4 * 3600 + 10) {
        world.second(&down);
    }
    assert_eq!(world.news(), ["firing", "firing"]);
    for _ in 0..(6 * 3600) {
        world.second(&[]);
    }
    assert_eq!(world.news(), ["firing", "firing", "recovered"]);
    assert!(world.state.alerts.is_empty(), "{:?}", world.state.alerts);
}

#[test]
fn every_code_that_is_told_is_one_of_a_problem() {
    for code in TOLD {
        assert!(code.starts_with("DIR01"), "{code}");
    }
}

proptest::proptest! {
    #[test]
    fn over_any_history_firing_and_recovered_take_turns_and_no_key_comes_twice(
        history in proptest::collection::vec((proptest::bool::ANY, proptest::bool::weighted(0.05), 1_u64..40), 1..40),
    ) {
        let mut world = World::new();
        let mut since = None;
        for (down, leader, seconds) in history {
            if leader {
                world.new_leader();
            }
            for _ in 0..seconds {
                let began = if down { Some(*since.get_or_insert(world.now_ms)) } else { None };
                since = began;
                let problems: Vec<_> = began.map(|at| problem(codes::DEPLOYMENT_UNHEALTHY, at)).into_iter().collect();
                world.second(&problems);
            }
        }
        for pair in world.news().windows(2) {
            proptest::prop_assert!(pair[0] != pair[1], "{:?}", world.news());
        }
        let mut keys: Vec<_> = world.sent.iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        let all = keys.len();
        keys.dedup();
        proptest::prop_assert_eq!(keys.len(), all);
        proptest::prop_assert!(world.state.alerts.len() <= 1);
    }
}
