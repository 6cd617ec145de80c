//! What must hold of a history and of the messages that a receiver took. Planted faults are tried in
//! the test's own file.

use std::collections::BTreeMap;

use wharf_monitor_core::schedule::next_run;
use wharf_monitor_core::watch::Trigger;
use wharf_proto::monitor::v1;

use super::bench::{Message, scheduled_ms};

/// Interval of the watches of this test.
const STEP_MS: u64 = 1_000;

/// A history is complete when each run follows the one before it on the grid of the interval, or is
/// the one that catches up with what was missed, and no time was run twice.
pub(crate) fn check_history(runs: &[v1::WatchRun]) {
    let scheduled: Vec<&v1::WatchRun> = runs
        .iter()
        .filter(|run| run.cause() != v1::RunCause::Manual)
        .collect();
    for pair in scheduled.windows(2) {
        let (before, after) = (scheduled_ms(pair[0]), scheduled_ms(pair[1]));
        let gap_ms = after - before;
        assert!(gap_ms > 0, "{before} was run twice: {pair:?}");
        assert!(
            gap_ms.is_multiple_of(STEP_MS),
            "{before} to {after} leaves the grid"
        );
        let catches_up = pair[1].cause() == v1::RunCause::CatchUp;
        assert_eq!(
            gap_ms > STEP_MS,
            catches_up,
            "from {before} to {after}: {:?}",
            pair[1].cause()
        );
    }
    // The same by the schedule itself.
    let trigger = Trigger::Interval(STEP_MS);
    for pair in scheduled.windows(2) {
        let after = scheduled_ms(pair[1]);
        let next = next_run(&trigger, Some(scheduled_ms(pair[0])), after).unwrap();
        assert_eq!(next.at_ms, after, "the schedule's own next time");
    }
}

/// One key says one thing, and stretches of firing and recoveries take turns.
pub(crate) fn check_messages(taken: &[Message]) -> Vec<(String, String)> {
    let mut known: BTreeMap<&str, &Message> = BTreeMap::new();
    let mut order: Vec<(String, String)> = Vec::new();
    for message in taken {
        match known.get(message.key.as_str()) {
            Some(first) => assert_eq!(first.body, message.body, "one key says one thing"),
            None => {
                known.insert(&message.key, message);
                order.push((message.key.clone(), message.state.clone()));
            }
        }
    }
    let number = |key: &str| key.rsplit(':').next().unwrap().parse::<u64>().unwrap();
    for (n, (key, _)) in order.iter().enumerate() {
        assert_eq!(
            number(key),
            n as u64 + 1,
            "each message in its order: {order:?}"
        );
    }
    let mut is_open = false;
    for (key, state) in &order {
        match state.as_str() {
            "firing" => is_open = true,
            "recovered" => {
                assert!(is_open, "{key}: a recovery of nothing: {order:?}");
                is_open = false;
            }
            other => panic!("{key}: {other}"),
        }
    }
    order
}
