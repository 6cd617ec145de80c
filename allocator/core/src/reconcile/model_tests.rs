//! Random histories against a model of an engine: whatever crashes, is removed by hand, doubled,
//! reassigned or half done, the host converges, no two containers of an instance run by our doing,
//! foreign containers stay as they are, and data outlives everything but its removal.

use proptest::prelude::*;

use super::*;
use crate::{
    assignment::{CopyFrom, fence},
    observed::Exit,
    restart::StartFailure,
};

const PLATFORM: &str = "ours";

#[derive(Debug, Clone)]
enum Event {
    /// The process of the n-th container ends.
    Crash(usize),
    /// Everything stops, as when the engine is killed.
    EngineRestart,
    /// Somebody removes the n-th container.
    RemovedByHand(usize),
    /// Somebody makes a second container of an instance.
    Doubled {
        instance: u8,
        running: bool,
        hash: u8,
    },
    /// Somebody pauses the n-th container, or lets it go on.
    PauseToggled(usize),
    /// The engine is slow over the n-th container: nobody knows whether it runs.
    Slow(usize),
    /// The allocator is killed and forgets what it remembers.
    AgentRestart,
    /// The next assignment: for each instance what becomes of it.
    Assigned([Fate; 3]),
    /// An assignment that must not be followed.
    Stale,
    /// The binary is another one.
    NewImage(u8),
    /// A round of the allocator, killed after so many actions, some of which fail.
    Round { done: usize, failing: u8 },
    /// Time passes.
    Later(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Run(u8),
    /// The same, with what must not touch a container.
    Moving {
        hash: u8,
        take_over: bool,
        leased: bool,
    },
    Hold,
    Removed,
    Kept,
    SetAside,
    /// Listed twice: what is set aside is not removed.
    RemovedAndSetAside,
    Omitted,
}

#[derive(Default)]
struct Engine {
    containers: Vec<ObservedContainer>,
    made: i64,
    clock: i64,
}

impl Engine {
    fn make(&mut self, instance: u8, hash: String, image: String, state: RunState) {
        self.made += 1;
        self.containers.push(ObservedContainer {
            id: format!("c{}", self.made),
            platform_id: PLATFORM.to_owned(),
            instance_id: Some(id(instance)),
            spec_hash: hash,
            image_id: image,
            state,
            created_ms: self.made,
            started_ms: None,
        });
    }

    fn end(&mut self, index: usize) {
        self.clock += 1;
        let exit = Exit {
            code: 137,
            out_of_memory: false,
            at_ms: self.clock,
            error: String::new(),
        };
        let container = &mut self.containers[index];
        if container.state.alive() {
            container.state = RunState::Exited(exit);
        }
    }

    fn index(&self, container: &str) -> Option<usize> {
        self.containers.iter().position(|one| one.id == container)
    }

    fn alive(&self, instance: u8) -> usize {
        self.containers
            .iter()
            .filter(|one| one.platform_id == PLATFORM && one.instance_id == Some(id(instance)))
            .filter(|one| one.state.alive())
            .count()
    }
}

struct World {
    engine: Engine,
    memory: Memory,
    assignment: Option<AssignmentSpec>,
    data: BTreeSet<InstanceId>,
    /// How often an instance's data was set aside.
    aside: Vec<InstanceId>,
    image: String,
    now_ms: u64,
}

fn id(byte: u8) -> InstanceId {
    InstanceId::from_bytes([byte; 16])
}

fn copy(take_over: bool) -> CopyFrom {
    CopyFrom {
        address: "h1:18000".to_owned(),
        take_over,
        allocator_id: "a".repeat(32),
        own_address: "h2:18000".to_owned(),
    }
}

fn byte_of(instance: &InstanceId) -> u8 {
    (0..3)
        .find(|byte| id(*byte) == *instance)
        .expect("an instance of the model")
}

impl World {
    fn new() -> Self {
        let mut engine = Engine::default();
        engine.make(0, "h0".into(), "i0".into(), RunState::Running);
        engine.containers[0].platform_id = "theirs".to_owned();
        engine.make(1, "h0".into(), "i0".into(), RunState::Created);
        engine.containers[1].platform_id = "theirs".to_owned();
        engine.make(1, "h0".into(), "i0".into(), RunState::Running);
        engine.containers[2].instance_id = None;
        Self {
            engine,
            memory: Memory::default(),
            assignment: None,
            data: BTreeSet::new(),
            aside: Vec::new(),
            image: "i0".to_owned(),
            now_ms: 0,
        }
    }

    fn foreign(&self) -> Vec<ObservedContainer> {
        self.engine.containers[..3].to_vec()
    }

    fn plan(&mut self) -> Plan {
        reconcile(
            Situation {
                platform_id: PLATFORM,
                image_id: &self.image,
                assignment: self.assignment.as_ref(),
                containers: &self.engine.containers,
                data: &self.data,
                busy: &BTreeSet::new(),
                now_ms: self.now_ms,
            },
            &mut self.memory,
        )
    }

    fn round(&mut self, done: usize, failing: u8) -> Plan {
        let plan = self.plan();
        for (index, (instance, action)) in plan.actions.iter().enumerate().take(done) {
            if failing & (1 << index) != 0 {
                if matches!(action, Action::Create | Action::Start { .. }) {
                    let failure = StartFailure {
                        code: "ALL0011".into(),
                        text: "no".into(),
                    };
                    if let Action::Start { container } = action {
                        self.memory.refused(instance, container);
                    }
                    self.memory.start_failed(instance, failure, self.now_ms);
                } else {
                    let failure = StartFailure {
                        code: "ALL0005".into(),
                        text: "no".into(),
                    };
                    self.memory.clearing_failed(instance, failure, self.now_ms);
                }
                continue;
            }
            self.act(instance, action);
            if !matches!(action, Action::Create | Action::Start { .. }) {
                self.memory.cleared(instance);
            }
        }
        plan
    }

    fn act(&mut self, instance: &InstanceId, action: &Action) {
        let byte = byte_of(instance);
        match action {
            Action::Create => {
                let hash = self.assignment.as_ref().unwrap().instances[instance]
                    .spec_hash
                    .clone();
                self.data.insert(instance.clone());
                self.engine
                    .make(byte, hash, self.image.clone(), RunState::Created);
                let made = format!("c{}", self.engine.made);
                self.memory.created(instance, &made);
            }
            Action::Start { container } => {
                assert_eq!(
                    self.engine.alive(byte),
                    0,
                    "started beside a living container"
                );
                let index = self
                    .engine
                    .index(container)
                    .expect("a container that was seen");
                self.engine.containers[index].state = RunState::Running;
            }
            Action::Stop { container, .. } => {
                self.memory.stopping(instance, container);
                let index = self
                    .engine
                    .index(container)
                    .expect("a container that was seen");
                self.engine.end(index);
            }
            Action::Remove { container, .. } => {
                let index = self
                    .engine
                    .index(container)
                    .expect("a container that was seen");
                assert!(
                    !self.engine.containers[index].state.alive(),
                    "removed a living container"
                );
                self.engine.containers.remove(index);
            }
            Action::RemoveData => {
                let assignment = self.assignment.as_ref().unwrap();
                assert!(
                    assignment.remove.contains(instance),
                    "removed data that was not to go"
                );
                assert!(
                    !assignment.set_aside.contains(instance),
                    "removed data that was to be set aside"
                );
                self.data.remove(instance);
            }
            Action::SetAside => {
                let assignment = self.assignment.as_ref().unwrap();
                assert!(
                    assignment.set_aside.contains(instance),
                    "set data aside that was not to be"
                );
                let left = self.engine.containers.iter().any(|one| {
                    one.platform_id == PLATFORM && one.instance_id == Some(instance.clone())
                });
                assert!(!left, "set data aside under a container");
                assert!(
                    self.data.remove(instance),
                    "set aside what is not there any more"
                );
                self.aside.push(instance.clone());
            }
        }
    }

    fn ours(&self, index: usize) -> Option<usize> {
        let count = self.engine.containers.len() - 3;
        (count > 0).then(|| 3 + index % count)
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Crash(index) => {
                if let Some(index) = self.ours(*index) {
                    self.engine.end(index);
                }
            }
            Event::EngineRestart => {
                for index in 3..self.engine.containers.len() {
                    self.engine.end(index);
                }
            }
            Event::RemovedByHand(index) => {
                if let Some(index) = self.ours(*index) {
                    self.engine.containers.remove(index);
                }
            }
            Event::Doubled {
                instance,
                running,
                hash,
            } => {
                let state = if *running {
                    RunState::Running
                } else {
                    RunState::Created
                };
                let assigned = self.assignment.as_ref();
                let assigned = assigned.and_then(|held| held.instances.get(&id(*instance)));
                // Beyond the hashes that are assigned at random: the right one.
                let hash = match assigned {
                    Some(spec) if *hash > 2 => spec.spec_hash.clone(),
                    _ => format!("h{hash}"),
                };
                self.engine.make(*instance, hash, self.image.clone(), state);
            }
            Event::PauseToggled(index) => {
                if let Some(index) = self.ours(*index) {
                    let state = &mut self.engine.containers[index].state;
                    *state = match &*state {
                        RunState::Running => RunState::Paused,
                        RunState::Paused => RunState::Running,
                        other => other.clone(),
                    };
                }
            }
            Event::Slow(index) => {
                if let Some(index) = self.ours(*index) {
                    let state = &mut self.engine.containers[index].state;
                    if *state == RunState::Running {
                        *state = RunState::Changing;
                    }
                }
            }
            Event::AgentRestart => self.memory = Memory::default(),
            Event::Assigned(fates) => self.assign(fates),
            Event::Stale => {
                if let Some(held) = &self.assignment {
                    let mut old = held.clone();
                    old.generation -= 1;
                    assert!(fence(Some(held), &old).is_err());
                    let mut other = held.clone();
                    other.instances.insert(
                        id(77),
                        InstanceSpec {
                            spec_hash: "x".into(),
                            run: true,
                            ..InstanceSpec::default()
                        },
                    );
                    assert!(fence(Some(held), &other).is_err());
                }
            }
            Event::NewImage(image) => self.image = format!("i{image}"),
            Event::Round { done, failing } => {
                self.round(*done, *failing);
            }
            Event::Later(ms) => self.now_ms += ms,
        }
    }

    fn assign(&mut self, fates: &[Fate; 3]) {
        let generation = self
            .assignment
            .as_ref()
            .map_or(1, |held| held.generation + 1);
        let mut next = AssignmentSpec {
            generation,
            ..Default::default()
        };
        for (byte, fate) in (0_u8..).zip(fates) {
            let mut put = |spec_hash: String, run, copy, leased| {
                let spec = InstanceSpec {
                    spec_hash,
                    run,
                    copy,
                    leased,
                };
                next.instances.insert(id(byte), spec);
            };
            match fate {
                Fate::Run(hash) => put(format!("h{hash}"), true, None, false),
                Fate::Moving {
                    hash,
                    take_over,
                    leased,
                } => put(format!("h{hash}"), true, Some(copy(*take_over)), *leased),
                Fate::Hold => put("h0".to_owned(), false, None, false),
                Fate::SetAside => {
                    next.set_aside.insert(id(byte));
                }
                Fate::RemovedAndSetAside => {
                    next.remove.insert(id(byte));
                    next.set_aside.insert(id(byte));
                }
                Fate::Removed => {
                    next.remove.insert(id(byte));
                }
                Fate::Kept => {
                    next.keep.insert(id(byte));
                }
                Fate::Omitted => {}
            }
        }
        if fence(self.assignment.as_ref(), &next).is_ok() {
            self.assignment = Some(next);
        }
    }

    /// Quiet rounds until the assignment is in force.
    fn settle(&mut self) -> Plan {
        for index in 3..self.engine.containers.len() {
            match self.engine.containers[index].state {
                RunState::Paused => self.engine.containers[index].state = RunState::Running,
                RunState::Changing => self.engine.end(index),
                _ => {}
            }
        }
        for _ in 0..60 {
            let plan = self.round(usize::MAX, 0);
            if plan.applied {
                return plan;
            }
            self.now_ms = plan
                .wake_ms
                .map_or(self.now_ms + 100, |wake| wake.max(self.now_ms));
        }
        panic!(
            "not settled: {:?} {:?}",
            self.assignment, self.engine.containers
        );
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => (0_u8..3).prop_map(Fate::Run),
        2 => (0_u8..3, any::<bool>(), any::<bool>())
            .prop_map(|(hash, take_over, leased)| Fate::Moving { hash, take_over, leased }),
        1 => Just(Fate::Hold),
        1 => Just(Fate::SetAside),
        1 => Just(Fate::RemovedAndSetAside),
        1 => Just(Fate::Removed),
        1 => Just(Fate::Kept),
        1 => Just(Fate::Omitted),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => any::<usize>().prop_map(Event::Crash),
        1 => Just(Event::EngineRestart),
        2 => any::<usize>().prop_map(Event::RemovedByHand),
        2 => (0_u8..3, any::<bool>(), 0_u8..6)
            .prop_map(|(instance, running, hash)| Event::Doubled { instance, running, hash }),
        1 => any::<usize>().prop_map(Event::PauseToggled),
        2 => any::<usize>().prop_map(Event::Slow),
        2 => Just(Event::AgentRestart),
        3 => [fate(), fate(), fate()].prop_map(Event::Assigned),
        1 => Just(Event::Stale),
        1 => (0_u8..2).prop_map(Event::NewImage),
        8 => (0_usize..4, any::<u8>()).prop_map(|(done, failing)| Event::Round { done, failing: failing & (failing >> 4) }),
        2 => (0_u64..90_000).prop_map(Event::Later),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn any_history_converges_without_doubles_or_harm(
        events in proptest::collection::vec(event(), 1..50)
    ) {
        let mut world = World::new();
        let foreign = world.foreign();
        for event in &events {
            let (data, aside) = (world.data.clone(), world.aside.len());
            world.happen(event);
            prop_assert_eq!(&world.foreign(), &foreign, "a foreign container was touched");
            for gone in data.difference(&world.data) {
                prop_assert!(
                    world.assignment.as_ref().unwrap().remove.contains(gone)
                        || world.aside[aside..].contains(gone)
                );
            }
        }
        if world.assignment.is_none() {
            prop_assert!(world.plan().actions.is_empty());
            return Ok(());
        }
        world.settle();
        let assignment = world.assignment.clone().unwrap();
        for byte in 0..3 {
            let containers: Vec<_> = world.engine.containers[3..]
                .iter()
                .filter(|one| one.instance_id == Some(id(byte)))
                .collect();
            match assignment.instances.get(&id(byte)) {
                Some(spec) if spec.run => {
                    prop_assert_eq!(containers.len(), 1);
                    prop_assert_eq!(&containers[0].state, &RunState::Running);
                    prop_assert_eq!(&containers[0].spec_hash, &spec.spec_hash);
                    prop_assert_eq!(&containers[0].image_id, &world.image);
                }
                Some(_) => prop_assert_eq!(world.engine.alive(byte), 0),
                None if assignment.set_aside.contains(&id(byte)) => {
                    prop_assert!(containers.is_empty());
                    prop_assert!(!world.data.contains(&id(byte)));
                }
                None if assignment.remove.contains(&id(byte)) => {
                    prop_assert!(containers.is_empty());
                    prop_assert!(!world.data.contains(&id(byte)));
                }
                None if assignment.keep.contains(&id(byte)) => prop_assert!(containers.is_empty()),
                // A stray: whatever runs goes on until a second generation omits it.
                None => {}
            }
        }
        prop_assert_eq!(&world.foreign(), &foreign);
        let quiet = world.plan();
        prop_assert!(quiet.actions.is_empty(), "a settled host is left alone: {:?}", quiet.actions);
        // A copy begins, is told to take over, ends; a lease comes and goes: no container is touched.
        for (from, leased) in [(Some(false), false), (Some(true), true), (None, true), (None, false)] {
            let next = world.assignment.as_mut().unwrap();
            next.generation += 1;
            for spec in next.instances.values_mut() {
                spec.copy = from.map(copy);
                spec.leased = leased;
            }
            let plan = world.plan();
            let runs = |id: &InstanceId| world.assignment.as_ref().unwrap().instances.contains_key(id);
            let touched: Vec<_> = plan.actions.iter().filter(|(id, _)| runs(id)).collect();
            prop_assert!(touched.is_empty(), "a copy or a lease touched a container: {:?}", touched);
        }
    }
}
