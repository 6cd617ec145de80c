//! Watches for lost hosts, carries vacates on and rebalances by policy: replacements of what silent hosts
//! have, moves off hosts that are emptied, moves that spread the load better. Invariant: silence is measured on
//! a steady clock that begins with this leader's term, so that neither a wrong wall clock nor a change of leader
//! moves anything. Not here: what is decided (`wharf_director_core::{failure, vacate,
//! placement::rebalance::policy}`), carrying plans out (`executor_task`).

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use wharf_director_core::{
    command::Body,
    failure::{self, Watch},
    placement::rebalance::policy,
    state::VacateRecord,
    vacate,
};
use wharf_proto::ids::PlanId;
use wharf_runtime::random;

use super::{propose_all, watch_and_act};
use crate::director::Director;

/// What a leader remembers in its term.
struct Term {
    term: u64,
    began: Instant,
    watch: Watch,
    /// When it was last asked whether the load is to be spread better.
    spread_ms: u64,
}

/// Between two looks at how the load is spread: it does not change by itself.
const SPREAD_EVERY_MS: u64 = 5_000;

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    let memory: Arc<Mutex<Option<Term>>> = Arc::default();
    watch_and_act(director, move |director| {
        let memory = Arc::clone(&memory);
        async move { look(&director, &memory).await }
    })
    .await;
}

async fn look(director: &Director, memory: &Mutex<Option<Term>>) -> bool {
    let Some(term) = *director.leading.borrow() else {
        return false;
    };
    let bodies = decide(director, memory, term);
    propose_all(director, bodies).await
}

fn decide(director: &Director, memory: &Mutex<Option<Term>>, term: u64) -> Vec<Body> {
    let (state, seen) = (director.published.state(), director.seen.core());
    let now_ms = director.now_ms();
    // It is whole after every statement.
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let known = memory.take().filter(|known| known.term == term);
    let now = memory.insert(known.unwrap_or_else(|| Term {
        term,
        began: Instant::now(),
        watch: Watch::default(),
        spread_ms: 0,
    }));
    let steady_ms = u64::try_from(now.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut plan_id = || PlanId::from_bytes(random::bytes());
    now.watch.look(&state, &seen, steady_ms);
    let watch = &mut now.watch;
    let mut bodies = failure::decide(&state, &seen, watch, now_ms, steady_ms, &mut plan_id);
    let may_replace = |one: &VacateRecord| watch.is_past_leases(&one.allocator_id, steady_ms);
    bodies.extend(vacate::due(&state, now_ms, may_replace, &mut plan_id));
    if bodies.is_empty() && steady_ms.saturating_sub(now.spread_ms) >= SPREAD_EVERY_MS {
        now.spread_ms = steady_ms;
        bodies = policy::due(&state, &seen, steady_ms, now_ms, &mut plan_id);
    }
    bodies
}
