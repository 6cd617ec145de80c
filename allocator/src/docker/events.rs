//! The engine's events as one stream that survives the engine: it reconnects, and says so, because
//! whatever happened in between has to be looked up.
//!
//! Invariants: after [`Signal::Reconnected`] the receiver must observe anew; a slow receiver loses
//! events, never memory: the channel is bounded and a loss is told as a reconnection. Not here: what
//! an event means.

use std::time::Duration;

use bollard::{models::EventMessage, query_parameters::EventsOptionsBuilder};
use futures::StreamExt as _;
use tokio::sync::mpsc;
use wharf_runtime::{backoff::Backoff, clock, random, task::Shutdown};

use super::engine::Engine;

/// What the stream says.
#[derive(Debug, Clone)]
pub enum Signal {
    /// The stream is (again) connected; events may have been missed.
    Reconnected,
    /// Something happened.
    Event(Box<Event>),
    /// The stream ended; it is being connected again.
    Lost(String),
}

/// One event of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, by the engine's clock, in nanoseconds since 1970.
    pub at_ns: i64,
    /// `container`, `image`, `network`, `volume`, …
    pub kind: String,
    /// `start`, `die`, `health_status: healthy`, …
    pub action: String,
    /// Id of the container or other thing.
    pub actor: String,
    /// Name, image, labels, exit code.
    pub attributes: Vec<(String, String)>,
}

impl Event {
    /// Whether it is one of the events that each command run inside a container makes.
    #[must_use]
    pub fn is_exec(&self) -> bool {
        self.action.starts_with("exec_")
    }

    fn read(message: EventMessage) -> Self {
        let actor = message.actor.unwrap_or_default();
        let mut attributes: Vec<(String, String)> =
            actor.attributes.unwrap_or_default().into_iter().collect();
        attributes.sort();
        let at_ns = message
            .time_nano
            .or(message.time.map(|at| at.saturating_mul(1_000_000_000)));
        Self {
            at_ns: at_ns.unwrap_or_else(|| clock::now_ms().saturating_mul(1_000_000)),
            kind: message.typ.map(|kind| kind.to_string()).unwrap_or_default(),
            action: message.action.unwrap_or_default(),
            actor: actor.id.unwrap_or_default(),
            attributes,
        }
    }
}

/// Follows the engine's events until shutdown. Run it in a task of its own.
pub async fn follow(address: String, signals: mpsc::Sender<Signal>, shutdown: Shutdown) {
    let mut backoff = Backoff::new(250, 5_000);
    while !shutdown.is_triggered() {
        let why = match shutdown
            .run_until(follow_once(&address, &signals, &mut backoff))
            .await
        {
            Some(why) => why,
            None => return,
        };
        if signals.send(Signal::Lost(why)).await.is_err() {
            return;
        }
        let wait = backoff.next(random::next_u64());
        if shutdown.run_until(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

async fn follow_once(
    address: &str,
    signals: &mpsc::Sender<Signal>,
    backoff: &mut Backoff,
) -> String {
    let engine = match Engine::connect(address).await {
        Ok(engine) => engine,
        Err(error) => return error.to_string(),
    };
    // The client's deadline is for the head of the answer only; the stream itself has none.
    let options = EventsOptionsBuilder::new().build();
    let patient = engine
        .docker()
        .clone()
        .with_timeout(Duration::from_secs(30));
    let mut stream = patient.events(Some(options)).boxed();
    if signals.send(Signal::Reconnected).await.is_err() {
        return "nobody listens".to_owned();
    }
    while let Some(next) = stream.next().await {
        match next {
            Ok(message) => {
                backoff.reset();
                let event = Event::read(message);
                match signals.try_send(Signal::Event(Box::new(event))) {
                    Ok(()) => {}
                    Err(mpsc::error::TrySendError::Full(_)) => {
                        return "events came quicker than they were read".to_owned();
                    }
                    Err(mpsc::error::TrySendError::Closed(_)) => {
                        return "nobody listens".to_owned();
                    }
                }
            }
            Err(error) => return error.to_string(),
        }
    }
    "the engine closed the stream".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_is_away_is_told_and_asked_again() {
        let (sender, mut signals) = mpsc::channel(8);
        let shutdown = Shutdown::new();
        let task = wharf_runtime::task::spawn(
            "events",
            follow(
                "unix:///nonexistent/docker.sock".to_owned(),
                sender,
                shutdown.clone(),
            ),
        );
        for _ in 0..2 {
            assert!(matches!(signals.recv().await, Some(Signal::Lost(_))));
        }
        shutdown.trigger();
        task.await.unwrap();
    }
}
