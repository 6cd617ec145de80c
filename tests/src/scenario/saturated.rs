//! Every core of this machine busy for a while: hosts are slow and answer late, and no leader may change
//! for that. Not here: leaders that die (`leaders`).

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{Deployed, Timeline, api::Api, hosts::loaded, leaders::whole_group};
use crate::{patience::StopWhenDropped, testbed::Fleet};

const PATIENCE: Duration = Duration::from_secs(180);
/// A loop ends by then whatever becomes of the rest.
const BOUND: Duration = Duration::from_secs(60);

/// Computes something until it is told to stop or its time is over; gives how often.
fn spin(stop: &AtomicBool, until: Instant) -> u64 {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) && Instant::now() < until {
        let sum = (0..100_000_u64).fold(rounds, |sum, one| std::hint::black_box(sum ^ one));
        std::hint::black_box(sum);
        rounds += 1;
    }
    rounds
}

/// Keeps every core busy for so long, under load of clients.
///
/// # Panics
/// When the leader or its term changes, a client notices, or something acknowledged is lost.
pub fn saturated(fleet: &mut Fleet, span: Duration) {
    let timeline = Timeline::begin("saturated");
    let web = Deployed::ensure(fleet, &timeline, "web");
    loaded(fleet, &timeline, &web, &[], true, |fleet, _| {
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
        let cores = thread::available_parallelism().expect("the machine counts its cores");
        let stop = AtomicBool::new(false);
        let until = Instant::now() + span + BOUND;
        thread::scope(|scope| {
            let (stopping, stop) = (StopWhenDropped(&stop), &stop);
            timeline.note(format_args!("> {cores} loops that never wait"));
            let loops: Vec<_> = (0..cores.get())
                .map(|_| scope.spawn(move || spin(stop, until)))
                .collect();
            let answers = fleet.desk().here(|| one_leader(fleet, &timeline, span));
            drop(stopping);
            let rounds = loops.into_iter().map(|one| one.join().unwrap_or(0));
            timeline.note(format_args!(
                "told {answers} times who leads; the loops went round {} times",
                rounds.sum::<u64>()
            ));
        });
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
    });
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

/// Sees that one director leads in one term; gives how often it was told.
fn one_leader(fleet: &Fleet, timeline: &Timeline, span: Duration) -> u64 {
    let api = Api::of(fleet.desk());
    let first = api.leader().expect("a whole group has a leader");
    timeline.note(format_args!("{} leads in term {}", first.0, first.1));
    let mut answers = 0_u64;
    timeline.while_for("the same director leads in the same term", span, || {
        // Whoever did not answer is asked again: a change shows in the term for ever.
        let Ok(now) = api.leader() else {
            return Ok(());
        };
        answers += 1;
        if now == first {
            Ok(())
        } else {
            Err(format!("{} leads in term {}", now.0, now.1))
        }
    });
    assert!(answers > 0, "nobody told who leads");
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_ends_when_it_is_told_and_when_its_time_is_over() {
        let stop = AtomicBool::new(true);
        assert_eq!(spin(&stop, Instant::now() + BOUND), 0);
        stop.store(false, Ordering::Relaxed);
        assert_eq!(spin(&stop, Instant::now()), 0);
    }
}
