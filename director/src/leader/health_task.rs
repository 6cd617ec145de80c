//! Records what became well or unwell, applies the log level that the settings name, forgets
//! certificates of what is gone. Not here: what is unwell (`wharf_director_core::health`).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use wharf_director_core::health;

use super::propose_all;
use crate::director::Director;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until the director ends; the log level is applied whether this member leads or not.
pub async fn run(director: Arc<Director>) {
    let applied = Mutex::new(None);
    loop {
        apply_log_level(&director, &applied);
        if director.leads() {
            let (state, seen) = (director.published.state(), director.seen.core());
            let problems = health::problems(&state, &seen, director.now_ms());
            propose_all(&director, health::transitions(&state, &problems)).await;
            director.certificates.forget_gone(&state);
        }
        let pause = tokio::time::sleep(LOOK_EVERY);
        if director.shutdown.run_until(pause).await.is_none() {
            return;
        }
    }
}

fn apply_log_level(director: &Director, applied: &Mutex<Option<String>>) {
    let Some(level) = &director.log_level else {
        return;
    };
    let state = director.published.state();
    let wanted = state.setting("log.director").map(str::to_owned);
    let mut applied = applied.lock().unwrap_or_else(PoisonError::into_inner);
    if wanted == *applied {
        return;
    }
    if let Some(filter) = &wanted
        && let Err(error) = level.set(filter)
    {
        tracing::warn!(%error, "the log level stays");
    }
    *applied = wanted;
}
