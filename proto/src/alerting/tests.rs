//! What must hold for every history of an alert, with crashes at any point.

use proptest::prelude::*;

use super::*;

const THROTTLE: u64 = 10_000;

fn settings(recover_after: u32) -> Settings {
    Settings {
        throttle_ms: THROTTLE,
        recover_after,
    }
}

#[test]
fn an_alert_fires_is_throttled_says_it_again_and_recovers() {
    let s = settings(2);
    let mut alert = Alert::new("disk", 1_000);
    let first = alert.observe(Seen::Firing, s, 1_000);
    assert_eq!(first.change, Change::Fired);
    assert_eq!(first.notice.expect("the first is said").news, News::Firing);
    let second = alert.observe(Seen::Firing, s, 2_000);
    let until_ms = 1_000 + THROTTLE;
    assert_eq!(second.held, Some(Held::Throttled { until_ms }));
    let again = alert.observe(Seen::Firing, s, until_ms);
    assert_eq!(
        again.notice.map(|notice| notice.transition),
        Some(2),
        "after the throttle it is said again"
    );
    let (good, needed) = (1, 2);
    let recovering = alert.observe(Seen::Good, s, 12_000);
    assert_eq!(recovering.change, Change::Recovering { good, needed });
    assert_eq!(
        alert.observe(Seen::Unknown, s, 13_000).change,
        Change::Same,
        "what is not known recovers nothing"
    );
    let over = alert.observe(Seen::Good, s, 14_000);
    assert_eq!(over.change, Change::Recovered);
    assert_eq!(over.notice.expect("it is said").news, News::Recovered);
    assert_eq!(alert.observe(Seen::Good, s, 15_000).notice, None);
}

#[test]
fn an_acknowledged_alert_is_quiet_until_it_is_over() {
    let s = settings(1);
    let mut alert = Alert::new("disk", 0);
    alert.observe(Seen::Firing, s, 0);
    alert.acknowledge("ann", "on it", 5).expect("it fires");
    let held = alert.observe(Seen::Firing, s, 100 * THROTTLE).held;
    assert_eq!(held, Some(Held::Acknowledged));
    let over = alert.observe(Seen::Good, s, 101 * THROTTLE);
    assert_eq!(over.notice.expect("it is said").news, News::Recovered);
    assert_eq!(alert.handled_by, "", "the next firing is nobody's yet");
    assert_eq!(alert.acknowledge("ann", "", 0), Err(HandleError::NotFiring));
}

#[test]
fn a_recovery_in_a_silence_is_said_when_the_silence_ends() {
    let s = settings(1);
    let mut alert = Alert::new("disk", 0);
    alert.observe(Seen::Firing, s, 0);
    alert.silence_until(50, "ann", "", 1).expect("a silence");
    let held = alert.observe(Seen::Good, s, 10);
    assert_eq!(held.change, Change::Recovered);
    assert_eq!(held.held, Some(Held::Silenced { until_ms: 50 }));
    let said = alert.observe(Seen::Good, s, 50).notice;
    assert_eq!(said.expect("it is owed").news, News::Recovered);
    assert_eq!(
        alert.silence_until(10, "ann", "", 10),
        Err(HandleError::SilenceEnd)
    );
}

#[test]
fn what_was_never_told_does_not_recover_aloud() {
    let s = settings(1);
    let mut alert = Alert::new("disk", 0);
    alert.silence_until(1_000, "ann", "", 0).expect("a silence");
    alert.observe(Seen::Firing, s, 10);
    alert.observe(Seen::Good, s, 20);
    assert_eq!(alert.observe(Seen::Good, s, 2_000).notice, None);
}

#[test]
fn an_alert_that_flaps_takes_longer_to_recover() {
    let s = settings(1);
    let mut alert = Alert::new("disk", 0);
    for n in 0..FLAP_STARTS as u64 {
        assert_eq!(
            alert.observe(Seen::Firing, s, n * 20).change,
            Change::Fired,
            "start {n}"
        );
        if n + 1 < FLAP_STARTS as u64 {
            alert.observe(Seen::Good, s, n * 20 + 10);
        }
    }
    let step = alert.observe(Seen::Good, s, 200);
    assert!(step.flaps, "five starts within an hour");
    assert_eq!(
        step.change,
        Change::Recovering {
            good: 1,
            needed: FLAP_FACTOR
        }
    );
    alert.observe(Seen::Good, s, 210);
    assert_eq!(alert.observe(Seen::Good, s, 220).change, Change::Recovered);
    assert!(!alert.flaps(FLAP_WINDOW_MS + 1), "an hour later it is calm");
}

#[test]
fn a_clock_that_was_set_back_holds_messages_for_one_throttle_at_most() {
    let s = settings(1);
    let mut alert = Alert::new("disk", 0);
    alert.observe(Seen::Firing, s, 900 * THROTTLE);
    let held = alert.observe(Seen::Firing, s, 7).held;
    let until_ms = 7 + THROTTLE;
    assert_eq!(held, Some(Held::Throttled { until_ms }));
    assert!(alert.observe(Seen::Firing, s, until_ms).notice.is_some());
}

#[test]
fn groups_beyond_the_limit_are_counted_and_what_is_owed_is_never_forgotten() {
    let s = settings(1);
    let mut book = Book::new(2);
    let round = book.observe(
        ["a", "b", "c", "d"].map(|id| (id, Seen::Firing)),
        Seen::Good,
        s,
        0,
    );
    assert_eq!((round.steps.len(), round.excess), (2, 2));
    let over = book.observe([("c", Seen::Firing)], Seen::Good, s, 10);
    assert_eq!(over.excess, 1, "what was just said is owed its throttle");
    for (key, notice) in book.waiting() {
        let id = key.split(':').next().unwrap_or_default();
        let alert = book.get_mut(id).expect("its alert");
        assert!(alert.settle(notice.transition, true), "{key}");
    }
    let later = book.observe([("c", Seen::Firing)], Seen::Good, s, 10 + THROTTLE);
    assert_eq!((later.forgotten.len(), later.excess), (1, 0));
    assert!(book.get("c").is_some());
    let absent = book.observe([], Seen::Unknown, s, 20 + THROTTLE);
    assert!(
        absent
            .steps
            .iter()
            .all(|(_, step)| step.change == Change::Same),
        "a group that was perhaps left out has not recovered"
    );
    assert_eq!(
        book.forget(1, s, 30 + 2 * THROTTLE).len(),
        1,
        "c still fires"
    );
}

#[derive(Debug, Clone)]
enum Event {
    Observe(Seen),
    Acknowledge,
    Silence(u64),
    Unsilence,
    /// Sends the oldest message that waits and stores that it was.
    Deliver,
    /// Sends it and crashes before that is stored.
    DeliverThenCrash,
    /// Observes and crashes before it is stored.
    ObserveThenCrash(Seen),
    Crash,
}

fn any_seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        4 => Just(Seen::Firing), 4 => Just(Seen::Good), 1 => Just(Seen::Unknown)
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => any_seen().prop_map(Event::Observe),
        1 => Just(Event::Acknowledge),
        1 => (1..3 * THROTTLE).prop_map(Event::Silence),
        1 => Just(Event::Unsilence),
        6 => Just(Event::Deliver),
        2 => Just(Event::DeliverThenCrash),
        2 => any_seen().prop_map(Event::ObserveThenCrash),
        1 => Just(Event::Crash),
    ]
}

/// An alert as it is run: what is stored, what is in memory, what was sent.
struct World {
    stored: String,
    alert: Alert,
    sent: Vec<(String, Notice)>,
}

impl World {
    fn new() -> Self {
        let alert = Alert::new("disk", 0);
        let stored = serde_json::to_string(&alert).expect("a document");
        Self {
            stored,
            alert,
            sent: Vec::new(),
        }
    }
    fn store(&mut self) {
        self.stored = serde_json::to_string(&self.alert).expect("a document");
    }
    fn crash(&mut self) {
        self.alert = serde_json::from_str(&self.stored).expect("what was stored reads back");
    }
    fn send(&mut self) -> Option<u64> {
        let notice = self.alert.outbox.first()?.clone();
        let transition = notice.transition;
        self.sent.push((self.alert.key(transition), notice));
        Some(transition)
    }
    fn apply(&mut self, event: &Event, s: Settings, now_ms: u64) {
        match event {
            Event::Observe(seen) => {
                self.alert.observe(*seen, s, now_ms);
                self.store();
            }
            Event::Acknowledge => {
                let _ = self.alert.acknowledge("ann", "", now_ms);
                self.store();
            }
            Event::Silence(ms) => {
                let until = now_ms + ms;
                self.alert
                    .silence_until(until, "ann", "", now_ms)
                    .expect("it ends in time");
                self.store();
            }
            Event::Unsilence => {
                self.alert.unsilence();
                self.store();
            }
            Event::Deliver => {
                if let Some(transition) = self.send() {
                    self.alert.settle(transition, true);
                    self.store();
                }
            }
            Event::DeliverThenCrash => {
                self.send();
                self.crash();
            }
            Event::ObserveThenCrash(seen) => {
                self.alert.observe(*seen, s, now_ms);
                self.crash();
            }
            Event::Crash => self.crash(),
        }
    }
}

proptest! {
    #[test]
    fn no_history_says_too_much_too_little_or_two_things_under_one_key(
        events in proptest::collection::vec((any_event(), 1..THROTTLE), 1..120),
        recover_after in 0..4_u32,
    ) {
        let s = settings(recover_after);
        let mut world = World::new();
        let mut now_ms = 0;
        for (event, wait_ms) in &events {
            now_ms += wait_ms;
            world.apply(event, s, now_ms);
            let read: Alert = serde_json::from_str(&world.stored).expect("a document");
            prop_assert_eq!(&read, &world.alert, "the document says the whole alert");
            prop_assert!(world.alert.outbox.len() <= MAX_OUTBOX + 1);
        }
        // Let it end: no silence, good for long enough, everything sent.
        world.apply(&Event::Unsilence, s, now_ms);
        for _ in 0..=FLAP_FACTOR * 4 {
            now_ms += 1;
            world.apply(&Event::Observe(Seen::Good), s, now_ms);
        }
        while !world.alert.outbox.is_empty() {
            world.apply(&Event::Deliver, s, now_ms);
        }
        let mut told: Vec<Notice> = Vec::new();
        for (key, notice) in &world.sent {
            match told.iter().find(|known| known.transition == notice.transition) {
                Some(known) => prop_assert_eq!(known, notice, "one key says one thing: {}", key),
                None => told.push(notice.clone()),
            }
        }
        for (n, notice) in told.iter().enumerate() {
            prop_assert_eq!(notice.transition, n as u64 + 1, "each is sent, in order");
        }
        let firing: Vec<u64> = told.iter().filter(|n| n.news == News::Firing).map(|n| n.at_ms).collect();
        for pair in firing.windows(2) {
            prop_assert!(pair[1] - pair[0] >= THROTTLE, "two within a throttle: {:?}", pair);
        }
        // Stretches of firing, each ended by exactly one recovery.
        let mut open = false;
        for notice in &told {
            match notice.news {
                News::Firing => open = true,
                News::Recovered => {
                    prop_assert!(open, "a recovery of nothing");
                    open = false;
                }
            }
        }
        prop_assert!(!open, "the last firing was never followed by a recovery");
    }

    #[test]
    fn a_book_never_exceeds_its_limit_and_tells_the_rest(
        rounds in proptest::collection::vec(
            proptest::collection::btree_map(0..20_u8, any_seen(), 0..20), 1..30),
        max in 1..8_usize,
    ) {
        let s = settings(1);
        let mut book = Book::new(max);
        for (n, round) in rounds.iter().enumerate() {
            let seen: Vec<(String, Seen)> =
                round.iter().map(|(id, seen)| (format!("g{id}"), *seen)).collect();
            let done = book.observe(
                seen.iter().map(|(id, seen)| (id.as_str(), *seen)),
                Seen::Good, s, n as u64 * THROTTLE,
            );
            prop_assert!(book.alerts().count() <= max);
            let fires = seen.iter().filter(|(_, seen)| *seen == Seen::Firing).count();
            let shown = seen.iter()
                .filter(|(id, seen)| *seen == Seen::Firing && book.get(id).is_some_and(Alert::is_firing))
                .count();
            prop_assert_eq!(shown + done.excess, fires, "each that fires is shown or counted");
            for (key, notice) in book.waiting() {
                let id = key.split(':').next().unwrap_or_default();
                book.get_mut(id).expect("its alert").settle(notice.transition, true);
            }
        }
    }
}
