//! The task that brings an instance's data here and takes over, as long as it is ordered.
//!
//! Invariants: what is next is the core's decision; nothing is served before the old place gave up and that is written down; a step
//! that fails is said and tried again, and clients of the old place are let go at once; a switch that does not come off makes them
//! wait each time, so it is tried again after growing pauses. Not here: single requests (`fetch`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_runtime::backoff::Backoff;
use wharf_runtime::task::Shutdown;
use wharf_store_core::handover::source::REST_MS;
use wharf_store_core::handover::target::{Kept, Step, Target, Told};

use super::durable::{self, Order};
use super::fetch::{CopyError, Source};
use super::place::{Own, Place};
use crate::files::blocking;
use crate::http::App;
use crate::server::Launch;

/// How often the order is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Looks between two passes while nothing else is asked for.
const RESTING_LOOKS: u32 = 5;

/// The longest pause after the first switch that did not come off: as long as the old place rests.
const SWITCH_PAUSE_MS: u64 = REST_MS;
/// The longest pause between two switches.
const SWITCH_PAUSE_MOST_MS: u64 = 120_000;

struct Bringing {
    place: Arc<Place>,
    own: Own,
    secrets: PathBuf,
    launch: Arc<Launch>,
    target: Target,
    app: Option<Arc<App>>,
    /// When the switch began; before a restart, for how long writes were held.
    began: Option<Instant>,
    pause_ms: u64,
}

/// Brings the data here, then waits for shutdown.
pub(crate) async fn run(place: Arc<Place>, kept: Kept, launch: Arc<Launch>, shutdown: Shutdown) {
    let (Some(own), Some(secrets)) = (place.own.clone(), place.secrets.clone()) else {
        place.tell(|report| {
            report.stage = "failed";
            report.reason =
                "STO0004: a copy began here, and there is no certificate to go on with".into();
        });
        place.switching.send_replace(false);
        shutdown.triggered().await;
        return;
    };
    let pause_ms = match &kept {
        Kept::Asked { pause_ms, .. } | Kept::Moved { pause_ms } => *pause_ms,
        Kept::Unfinished => 0,
    };
    let target = Target::started(&kept);
    let mut bringing = Bringing {
        place,
        own,
        secrets,
        launch,
        target,
        app: None,
        began: None,
        pause_ms,
    };
    bringing.say();
    // Asked to stop, it stops where it is: what is durable says how to go on.
    let _ = shutdown.run_until(bringing.work()).await;
    bringing.close().await;
    shutdown.triggered().await;
}

/// What is told of a switch that did not come off.
fn not_switched(tries: u32, pause: Duration, why: &str) -> String {
    let times = match tries {
        1 => "once".to_owned(),
        _ => format!("{tries} times"),
    };
    format!(
        "the switch did not come off {times}, the next try comes {}.{} s after it: {why}",
        pause.as_millis() / 1000,
        pause.as_millis() % 1000 / 100
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Bringing {
    /// Tells how far it is: serving only once it does.
    fn say(&self) {
        let stage = match self.target.stage() {
            "serving" => "switching",
            stage => stage,
        };
        self.place.tell(|report| report.stage = stage);
        self.place.switching.send_replace(stage == "switching");
    }

    fn fail(&self, reason: String) {
        self.place.tell(|report| {
            report.stage = "failed";
            report.reason = reason;
        });
        self.place.switching.send_replace(false);
    }

    fn order(&self) -> Result<Order, String> {
        match durable::order(&self.secrets) {
            Ok(Some(order)) => Ok(order),
            Ok(None) => Err(
                "STO0004: the copy of this instance's data is not finished, and there is no order to go on with it"
                    .into(),
            ),
            Err(error) => Err(format!("STO0004: the order to copy cannot be read: {error}")),
        }
    }

    async fn work(&mut self) {
        let mut backoff = Backoff::new(200, 5_000);
        let mut switches = Backoff::new(SWITCH_PAUSE_MS, SWITCH_PAUSE_MOST_MS);
        let mut source: Option<(Order, Source)> = None;
        loop {
            let order = match self.order() {
                Ok(order) => order,
                Err(reason) => {
                    self.fail(reason);
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
            };
            self.say();
            let known = source.take().filter(|(known, _)| {
                known.address == order.address && known.own_address == order.own_address
            });
            let at = match known {
                Some((_, at)) => Ok(at),
                None => Source::new(&self.own, order.address.clone(), order.own_address.clone()),
            };
            let at = match at {
                Ok(at) => at,
                Err(error) => {
                    self.fail(format!("STO0004: {error}"));
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
            };
            let switches_now = self.target.next(order.take_over).switches();
            let failure = match self.step(&at, order.take_over).await {
                Ok(true) => return,
                Ok(false) => None,
                Err(error) => {
                    tracing::warn!(%error, stage = self.target.stage(), "a step of the copy is tried again");
                    self.give_up(&at).await;
                    Some(error.to_string())
                }
            };
            let random = wharf_runtime::random::next_u64();
            if switches_now && self.target.copies() {
                let failure = failure.unwrap_or_else(|| "the old place went on".to_owned());
                let pause = switches.next(random);
                let reason = not_switched(switches.failures(), pause, &failure);
                self.say();
                self.place.tell(|report| report.reason = reason);
                tokio::time::sleep(pause).await;
            } else if let Some(failure) = failure {
                self.place.tell(|report| report.reason = failure);
                tokio::time::sleep(backoff.next(random)).await;
            } else {
                backoff.reset();
            }
            source = Some((order, at));
        }
    }

    /// Takes the next step; true when the instance serves.
    async fn step(&mut self, source: &Source, take_over: bool) -> Result<bool, CopyError> {
        match self.target.next(take_over) {
            Step::Pass => self.pass(source, false).await?,
            Step::StillPass => {
                source.quiet().await?;
                self.pass(source, true).await?;
            }
            Step::Rest => {
                for _ in 0..RESTING_LOOKS {
                    if self.order().is_ok_and(|order| order.take_over) {
                        return Ok(false);
                    }
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                self.pass(source, false).await?;
            }
            Step::Hold => self.hold(source).await?,
            Step::Record(attempt) => {
                let pause_ms = self.pause_ms();
                self.keep(Kept::Asked { attempt, pause_ms }).await?;
                self.target.recorded();
            }
            Step::Tell(attempt) => {
                let (told, error) = source.hand_over(&attempt).await;
                self.target.told(told);
                if told == Told::Conflict {
                    // What lies here is older than what the old place has now.
                    self.close().await;
                    self.place.inventory.forget();
                    self.keep(Kept::Unfinished).await?;
                }
                if let Some(error) = error {
                    return Err(error);
                }
            }
            Step::Mark => {
                let pause_ms = self.pause_ms();
                self.keep(Kept::Moved { pause_ms }).await?;
                self.pause_ms = pause_ms;
                self.began = None;
                self.target.moved();
            }
            Step::Serve => {
                let app = match self.app.take() {
                    Some(app) => app,
                    None => self.open().await?,
                };
                self.launch.serve(app);
                let pause_ms = self.pause_ms;
                self.place.tell(|report| {
                    report.stage = "serving";
                    report.pause_ms = pause_ms;
                    report.reason = String::new();
                });
                self.place.switching.send_replace(false);
                tracing::info!(
                    pause_ms,
                    "the data is here and the old place gave up: serving"
                );
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn pass(&mut self, source: &Source, still: bool) -> Result<(), CopyError> {
        let began = Instant::now();
        let listed = source.list().await?;
        let brought = source.bring(&self.place, listed).await?;
        if brought.complete {
            self.target
                .passed(brought.bytes, millis(began.elapsed()), still);
        }
        Ok(())
    }

    async fn hold(&mut self, source: &Source) -> Result<(), CopyError> {
        self.began = Some(Instant::now());
        self.place.switching.send_replace(true);
        let (attempt, listed) = match source.hold().await {
            Ok(held) => held,
            Err(error) => {
                self.target.refused();
                return Err(error);
            }
        };
        self.target.held(&attempt);
        let brought = source.bring(&self.place, listed).await?;
        if !brought.complete {
            return Err(CopyError::Changed("what was listed for the switch".into()));
        }
        self.app = Some(self.open().await?);
        self.target.whole();
        Ok(())
    }

    /// Lets clients of the old place go when an attempt failed before it was asked to give up.
    async fn give_up(&mut self, source: &Source) {
        if let Target::Held { attempt } | Target::Whole { attempt } = &self.target {
            source.release(attempt).await;
            self.target.failed();
            self.close().await;
            self.place.inventory.forget();
        }
    }

    fn pause_ms(&self) -> u64 {
        self.began
            .map_or(self.pause_ms, |began| millis(began.elapsed()))
    }

    async fn open(&self) -> Result<Arc<App>, CopyError> {
        let opened = self.launch.open().await;
        opened.map_err(|error| CopyError::Open(error.to_string()))
    }

    /// Closes a store that was opened and does not serve.
    async fn close(&mut self) {
        if let Some(app) = self.app.take() {
            app.catalog.journal.close().await;
        }
    }

    async fn keep(&self, kept: Kept) -> Result<(), CopyError> {
        let dir = self.place.data_dir.clone();
        Ok(blocking("store copy state", move || durable::keep(&dir, &kept)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_switches_grow_to_their_most_and_are_told() {
        let mut switches = Backoff::new(SWITCH_PAUSE_MS, SWITCH_PAUSE_MOST_MS);
        let mut last = Duration::ZERO;
        for tries in 1..=10_u32 {
            // The shortest that may be drawn.
            let pause = switches.next(0);
            assert!(pause > last || tries > 7, "{pause:?} after {last:?}");
            assert!(millis(pause) <= SWITCH_PAUSE_MOST_MS);
            last = pause;
        }
        assert_eq!(
            not_switched(1, Duration::from_millis(2_340), "the disk is full"),
            "the switch did not come off once, the next try comes 2.3 s after it: the disk is full"
        );
        assert!(not_switched(7, last, "x").contains("did not come off 7 times"));
    }
}
