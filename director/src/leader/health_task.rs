//! Records what became well or unwell, applies the log level that the settings name, forgets
//! certificates of what is gone. Not here: what is unwell (`wharf_director_core::health`).

use std::{sync::Arc, time::Duration};

use wharf_director_core::health;

use super::propose_together;
use crate::director::Director;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until the director ends; the log level is applied whether this member leads or not.
pub async fn run(director: Arc<Director>) {
    let mut applied = None;
    loop {
        apply_log_level(&director, &mut applied);
        if director.leads() {
            let (state, seen) = (director.published.state(), director.seen.core());
            let problems = health::problems(&state, &seen, director.now_ms());
            propose_together(&director, health::transitions(&state, &problems)).await;
            director.certificates.forget_gone(&state);
        }
        let pause = tokio::time::sleep(LOOK_EVERY);
        if director.shutdown.run_until(pause).await.is_none() {
            return;
        }
    }
}

fn apply_log_level(director: &Director, applied: &mut Option<String>) {
    let Some(level) = &director.log_level else {
        return;
    };
    let state = director.published.state();
    let wanted = state.setting("log.director");
    if let Some(filter) = filter_to_set(wanted, applied.as_deref())
        && let Err(error) = level.set(filter)
    {
        tracing::warn!(%error, "the log level stays");
    }
    *applied = wanted.map(str::to_owned);
}

/// The filter to put in force; none when the setting is as it was. Before anything was set, the
/// filter that the director was started with holds.
fn filter_to_set<'a>(wanted: Option<&'a str>, applied: Option<&str>) -> Option<&'a str> {
    (wanted != applied).then(|| wanted.unwrap_or("info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cleared_setting_brings_the_default_back_and_an_unset_one_leaves_the_start_alone() {
        assert_eq!(filter_to_set(None, None), None);
        assert_eq!(filter_to_set(Some("debug"), None), Some("debug"));
        assert_eq!(filter_to_set(Some("debug"), Some("debug")), None);
        assert_eq!(filter_to_set(None, Some("debug")), Some("info"));
    }
}
