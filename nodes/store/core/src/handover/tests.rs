//! Both places against each other, over any order of messages, crashes and timeouts.
//!
//! Not here: real files and connections (the store's `handover` tests).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::changes;
use super::files::{BadListing, File, Kind, kind, plan};
use super::source::{GivenUp, HOLD_MS, NotNow, REST_MS, Source, Surrender, Writes};
use super::target::{Kept, Step, Target, Told};

#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    BeginWrite,
    EndWrite,
    TargetActs { take_over: bool },
    Deliver { at: usize, again: bool },
    Lose(usize),
    WriteMarker,
    CrashSource { marker_reached_the_disk: bool },
    CrashTarget,
    TargetGivesUp,
    TargetHearsNothing,
}

#[derive(Debug, Clone)]
enum Message {
    Held { attempt: String, acknowledged: u64 },
    Surrender { attempt: String },
    Told { attempt: String, told: Told },
}

/// Writes are counted: a place that has `n` of them has the first `n`.
struct World {
    now_ms: u64,
    source: Source,
    marker: Option<GivenUp>,
    marking: Option<GivenUp>,
    under_way: u64,
    acknowledged: u64,
    target: Target,
    kept: Kept,
    here: u64,
    attempts: u64,
    network: Vec<Message>,
}

impl World {
    fn new() -> Self {
        Self {
            now_ms: 1,
            source: Source::started(None),
            marker: None,
            marking: None,
            under_way: 0,
            acknowledged: 0,
            target: Target::started(&Kept::Unfinished),
            kept: Kept::Unfinished,
            here: 0,
            attempts: 0,
            network: Vec::new(),
        }
    }

    fn target_acts(&mut self, take_over: bool) {
        match self.target.next(take_over) {
            Step::Pass => {
                if self.source.given_up().is_none() {
                    self.here = self.acknowledged;
                    self.target.passed(1, 1, false);
                }
            }
            Step::StillPass => {
                if self.source.quiet(self.now_ms).is_ok() {
                    self.here = self.acknowledged;
                    self.target.passed(1, 1, true);
                }
            }
            Step::Rest => {}
            Step::Hold => {
                if self.source.hold(self.now_ms).is_err() {
                    self.target.refused();
                } else if self.under_way == 0 {
                    self.attempts += 1;
                    let attempt = format!("attempt {}", self.attempts);
                    if self.source.drained(&attempt, self.now_ms).is_ok() {
                        self.network.push(Message::Held {
                            attempt,
                            acknowledged: self.acknowledged,
                        });
                    }
                }
            }
            Step::Record(attempt) => {
                self.kept = Kept::Asked {
                    attempt,
                    pause_ms: 0,
                };
                self.target.recorded();
            }
            Step::Tell(attempt) => self.network.push(Message::Surrender { attempt }),
            Step::Mark => {
                self.kept = Kept::Moved { pause_ms: 0 };
                self.target.moved();
            }
            Step::Serve => {}
        }
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Held {
                attempt,
                acknowledged,
            } => {
                // A target waits for one answer; what is fetched is checked against that listing.
                if matches!(self.target, Target::Copying { .. }) {
                    self.target.held(&attempt);
                    self.here = acknowledged;
                    self.target.whole();
                }
            }
            Message::Surrender { attempt } => {
                let told = match self.source.surrender(&attempt, "there:1", self.now_ms) {
                    Surrender::Mark(marker) => {
                        self.marking = Some(marker);
                        return;
                    }
                    Surrender::Done => Told::GivenUp,
                    Surrender::Conflict => Told::Conflict,
                };
                self.network.push(Message::Told { attempt, told });
            }
            Message::Told { attempt, told } => {
                if matches!(&self.target, Target::Asked { attempt: asked } if *asked == attempt) {
                    self.target.told(told);
                }
            }
        }
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Pass(ms) => self.now_ms += ms,
            Event::BeginWrite => {
                if self.source.writes(self.now_ms) == Writes::Take {
                    self.under_way += 1;
                }
            }
            Event::EndWrite => {
                if self.under_way > 0 {
                    self.under_way -= 1;
                    self.acknowledged += 1;
                }
            }
            Event::TargetActs { take_over } => self.target_acts(*take_over),
            Event::Deliver { at, again } => {
                if !self.network.is_empty() {
                    let at = at % self.network.len();
                    let message = if *again {
                        self.network[at].clone()
                    } else {
                        self.network.remove(at)
                    };
                    self.deliver(message);
                }
            }
            Event::Lose(at) => {
                if !self.network.is_empty() {
                    let at = at % self.network.len();
                    self.network.remove(at);
                }
            }
            Event::WriteMarker => {
                if let Some(marker) = self.marking.take() {
                    let attempt = marker.attempt.clone();
                    self.marker = Some(marker);
                    self.source.marked();
                    self.network.push(Message::Told {
                        attempt,
                        told: Told::GivenUp,
                    });
                }
            }
            Event::CrashSource {
                marker_reached_the_disk,
            } => {
                if let Some(marker) = self.marking.take()
                    && *marker_reached_the_disk
                {
                    self.marker = Some(marker);
                }
                self.under_way = 0;
                self.source = Source::started(self.marker.clone());
            }
            Event::CrashTarget => self.target = Target::started(&self.kept),
            Event::TargetGivesUp => self.target.failed(),
            Event::TargetHearsNothing => self.target.told(Told::Unknown),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        let takes = self.source.writes(self.now_ms) == Writes::Take;
        let serves = self.target.next(true) == Step::Serve;
        if takes && serves {
            return Err(format!(
                "both take writes: {:?}, {:?}",
                self.source, self.target
            ));
        }
        if serves && self.here < self.acknowledged {
            return Err(format!(
                "the target serves {} of {} acknowledged writes",
                self.here, self.acknowledged
            ));
        }
        Ok(())
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => prop_oneof![0..50u64, 2_000..12_000u64].prop_map(Event::Pass),
        4 => Just(Event::BeginWrite),
        4 => Just(Event::EndWrite),
        10 => prop_oneof![4 => Just(true), 1 => Just(false)]
            .prop_map(|take_over| Event::TargetActs { take_over }),
        8 => (any::<usize>(), prop_oneof![3 => Just(false), 1 => Just(true)])
            .prop_map(|(at, again)| Event::Deliver { at, again }),
        1 => any::<usize>().prop_map(Event::Lose),
        5 => Just(Event::WriteMarker),
        1 => any::<bool>().prop_map(|marker_reached_the_disk| Event::CrashSource { marker_reached_the_disk }),
        1 => Just(Event::CrashTarget),
        1 => Just(Event::TargetGivesUp),
        1 => Just(Event::TargetHearsNothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn at_most_one_place_takes_writes_and_none_that_was_acknowledged_is_missing(
        events in proptest::collection::vec(event(), 1..160),
    ) {
        let mut world = World::new();
        for (at, event) in events.iter().enumerate() {
            world.happens(event);
            if let Err(breach) = world.check() {
                return Err(TestCaseError::fail(format!("after event {at}, {event:?}: {breach}")));
            }
        }
    }

    #[test]
    fn clients_wait_no_longer_than_an_attempt_may_take_unless_it_succeeds(
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut world = World::new();
        events.iter().for_each(|event| world.happens(event));
        world.now_ms += HOLD_MS;
        let after = world.source.writes(world.now_ms);
        let decided = matches!(world.source, Source::Marking(_) | Source::GivenUp(_));
        prop_assert!(decided || after == Writes::Take, "{after:?} in {:?}", world.source);
    }

    #[test]
    fn whatever_happened_both_come_to_an_end_when_nothing_fails_any_more(
        events in proptest::collection::vec(event(), 0..80),
    ) {
        let mut world = World::new();
        events.iter().for_each(|event| world.happens(event));
        for _ in 0..200 {
            world.happens(&Event::EndWrite);
            world.happens(&Event::TargetActs { take_over: true });
            for _ in 0..world.network.len() {
                world.happens(&Event::Deliver { at: 0, again: false });
            }
            world.happens(&Event::WriteMarker);
            world.happens(&Event::Pass(REST_MS / 4));
        }
        prop_assert_eq!(world.target.next(true), Step::Serve, "{:?} and {:?}", world.source, world.target);
        prop_assert!(world.source.given_up().is_some());
        prop_assert_eq!(world.here, world.acknowledged);
    }

    #[test]
    fn any_path_is_a_file_of_the_store_or_refused(path in "[a-z0-9./_-]{0,40}") {
        if kind(&path).is_some() {
            prop_assert!(!path.contains("..") && !path.starts_with('/') && !path.contains("//"), "{path}");
            prop_assert!(path.split('/').count() <= 4, "{path}");
        }
    }

    #[test]
    fn a_plan_makes_what_is_here_what_is_listed(
        listed in proptest::collection::btree_map(0..12u8, (1..4u64, 0..3u8), 0..12),
        here in proptest::collection::btree_map(0..12u8, (1..4u64, 0..3u8), 0..12),
    ) {
        let file = |(n, (bytes, sum)): (u8, (u64, u8))| File {
            path: format!("indices/i{n}/rows/{n}.seg"),
            bytes,
            sha256: format!("{sum:064x}"),
        };
        let listed: Vec<File> = listed.into_iter().map(file).collect();
        let mut held: BTreeMap<String, File> =
            here.into_iter().map(file).map(|f| (f.path.clone(), f)).collect();
        let plan = plan(&listed, &held).unwrap();
        for need in &plan.needs {
            prop_assert!(need.from < need.file.bytes || need.from == 0, "{need:?}");
            held.insert(need.file.path.clone(), need.file.clone());
        }
        for path in &plan.remove {
            prop_assert!(held.remove(path).is_some(), "only what is here is removed: {path}");
        }
        let after: Vec<File> = held.into_values().collect();
        let mut wanted = listed;
        wanted.sort_by(|a, b| a.path.cmp(&b.path));
        prop_assert_eq!(after, wanted);
    }
}

#[test]
fn paths_of_the_store_have_a_kind_and_others_none() {
    for (path, wanted) in [
        ("catalog.json", Some(Kind::Replaced)),
        ("api_keys.json", Some(Kind::Replaced)),
        ("journal/00000000000000000042.wj", Some(Kind::Grows)),
        ("indices/a_B-9/index.json", Some(Kind::Replaced)),
        ("indices/a/rows/manifest.json", Some(Kind::Replaced)),
        ("indices/a/rows/00000001.seg", Some(Kind::Sealed)),
        ("indices/a/rows/00000001.3.live", Some(Kind::Sealed)),
        ("catalog.json/", None),
        ("catalog.json/..", None),
        ("indices/../index.json", None),
        ("indices/a/rows/../../../lock", None),
        ("indices/a/rows/1.seg.tmp", None),
        ("journal/../lock.wj", None),
        ("lock", None),
        ("", None),
        ("/etc/passwd", None),
        ("handed_over.json", None),
    ] {
        assert_eq!(kind(path), wanted, "{path}");
    }
}

#[test]
fn a_listing_that_is_none_is_refused() {
    let file = |path: &str, sha256: &str| File {
        path: path.into(),
        bytes: 1,
        sha256: sha256.into(),
    };
    let sum = "0".repeat(64);
    let none = BTreeMap::new();
    assert_eq!(
        plan(&[file("../x", &sum)], &none),
        Err(BadListing::Path("../x".into()))
    );
    let twice = [file("catalog.json", &sum), file("catalog.json", &sum)];
    assert_eq!(
        plan(&twice, &none),
        Err(BadListing::Twice("catalog.json".into()))
    );
    assert_eq!(
        plan(&[file("catalog.json", "short")], &none),
        Err(BadListing::Checksum("catalog.json".into()))
    );
}

#[test]
fn an_attempt_that_ended_is_not_answered_with_success_and_writes_are_taken_for_a_while() {
    let mut source = Source::started(None);
    assert_eq!(source.hold(0), Err(NotNow::NotQuiet));
    source.quiet(0).unwrap();
    source.hold(0).unwrap();
    source.drained("a", 5).unwrap();
    assert!(matches!(source.writes(HOLD_MS - 1), Writes::Hold { .. }));
    assert_eq!(source.writes(HOLD_MS), Writes::Take);
    assert_eq!(
        source.surrender("a", "there:1", HOLD_MS),
        Surrender::Conflict
    );
    source.quiet(HOLD_MS).unwrap();
    assert_eq!(source.hold(HOLD_MS), Err(NotNow::Resting));
    source.hold(HOLD_MS + REST_MS).unwrap();
    source.drained("b", HOLD_MS + REST_MS).unwrap();
    let marker = GivenUp {
        attempt: "b".into(),
        to: "there:1".into(),
    };
    let later = HOLD_MS + REST_MS + 1;
    assert_eq!(
        source.surrender("b", "there:1", later),
        Surrender::Mark(marker.clone())
    );
    assert!(matches!(
        source.writes(later + 10 * HOLD_MS),
        Writes::Hold { .. }
    ));
    source.marked();
    assert_eq!(source.writes(later), Writes::PassOn(marker));
    assert_eq!(source.surrender("b", "there:1", later), Surrender::Done);
    assert_eq!(source.surrender("a", "there:1", later), Surrender::Conflict);
}

#[test]
fn a_target_waits_while_nobody_asks_it_to_take_over() {
    let mut target = Target::started(&Kept::Unfinished);
    assert_eq!((target.next(true), target.stage()), (Step::Pass, "copying"));
    target.passed(1 << 30, 60_000, false);
    assert_eq!(
        (target.next(false), target.stage()),
        (Step::Pass, "catching_up")
    );
    target.passed(100, 20, false);
    assert_eq!((target.next(false), target.stage()), (Step::Rest, "ready"));
    assert_eq!(target.next(true), Step::StillPass);
    target.passed(100, 20, true);
    assert_eq!(target.next(true), Step::Hold);
}

#[test]
fn requests_that_may_change_something_are_told_from_those_that_do_not() {
    for (method, path, wanted) in [
        ("POST", "/_bulk", true),
        ("PUT", "/a/_doc/1", true),
        ("DELETE", "/a", true),
        ("POST", "/a/_delete_by_query", true),
        ("GET", "/a/_flush", true),
        ("GET", "/a/%5Fflush", true),
        ("POST", "/a/%5fsearch", true),
        ("POST", "/_all,_search/_bulk", true),
        ("POST", "/a/_doc/_search", true),
        ("POST", "/a/_search", false),
        ("DELETE", "/_search/scroll", false),
        ("GET", "/a/_doc/1", false),
        ("HEAD", "/a", false),
        ("POST", "/_all/_count", false),
        ("GET", "/_wharf/health", false),
    ] {
        assert_eq!(changes(method, path), wanted, "{method} {path}");
    }
}
