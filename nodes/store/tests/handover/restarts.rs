//! Either place is killed at any moment of a move under load, and comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::load::{Load, fill};
use crate::moving::account;
use crate::place::{Place, Platform};

#[derive(Debug, Clone, Copy)]
enum Victim {
    Source,
    Target,
}

/// When it is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As soon as the copy is at this stage.
    Stage(&'static str),
    /// As soon as the take-over is ordered.
    Ordered,
    /// So many milliseconds after the switch was seen: its steps are shorter than a look at them.
    Switch(u64),
}

const MOMENTS: [Moment; 10] = [
    Moment::Stage("copying"),
    Moment::Stage("ready"),
    Moment::Ordered,
    Moment::Switch(0),
    Moment::Switch(5),
    Moment::Switch(10),
    Moment::Switch(20),
    Moment::Switch(40),
    Moment::Switch(80),
    Moment::Stage("serving"),
];

async fn killed(victim: Victim, moment: Moment) -> String {
    let platform = Arc::new(Platform::new());
    let dir = tempfile::tempdir().unwrap();
    let source = Place::new(&platform, &dir.path().join("source"));
    let target = Place::new(&platform, &dir.path().join("target"));
    let mut source_process = source.spawn().await;
    fill(&source, "filled", 2_000).await;
    let load = Load::begin(&platform, source.addr);
    load.goes_on(100).await;
    target.order(source.addr, false);
    let mut target_process = target.spawn().await;
    let ordered = match moment {
        // Too short to be seen from outside: the process answers, and the copy has begun.
        Moment::Stage("copying") => false,
        Moment::Stage("serving") => {
            target.order(source.addr, true);
            target.reaches("serving").await;
            true
        }
        Moment::Stage(stage) => {
            target.reaches(stage).await;
            false
        }
        Moment::Ordered => {
            target.reaches("ready").await;
            target.order(source.addr, true);
            true
        }
        Moment::Switch(after) => {
            target.reaches("ready").await;
            target.order(source.addr, true);
            target.reaches_one_of(&["switching", "serving"]).await;
            tokio::time::sleep(Duration::from_millis(after)).await;
            true
        }
    };
    let at = target
        .told()
        .await
        .map(|told| told["copy"]["stage"].to_string());
    match victim {
        Victim::Source => {
            drop(source_process);
            source_process = source.spawn().await;
        }
        Victim::Target => {
            drop(target_process);
            target_process = target.spawn().await;
        }
    }
    if !ordered {
        target.order(source.addr, true);
    }
    let began = Instant::now();
    let serving = target.reaches("serving").await;
    load.goes_on(100).await;
    let seen = load.end().await;
    account(&target, &seen).await;
    account(&source, &seen).await;
    assert_eq!(
        target.numbers("filled").await,
        (0..2_000).collect::<Vec<u64>>()
    );
    let failed: usize = seen.iter().map(|seen| seen.failed.len()).sum();
    drop((source_process, target_process));
    format!(
        "{victim:?} killed at {moment:?} ({}): served {} ms later, pause {} ms, {failed} requests failed",
        at.unwrap_or_default(),
        began.elapsed().as_millis(),
        serving["pause_ms"]
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_killed_at_any_moment_loses_nothing_that_it_acknowledged() {
    for moment in MOMENTS {
        println!("{}", killed(Victim::Source, moment).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_killed_at_any_moment_goes_on_and_loses_nothing() {
    for moment in MOMENTS {
        println!("{}", killed(Victim::Target, moment).await);
    }
}
