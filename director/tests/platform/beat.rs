//! Agents that are driven by hand say that they are there as real ones do: what they said last of themselves is
//! said again every few seconds, so that no session ends because a test takes its time. It ends with the last
//! sender, when the test drops the agent. Not here: what a heartbeat says, which is the agent's to tell.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::mpsc::{self, error::TrySendError};
use wharf_runtime::task;

/// As often as agents are asked to.
const EVERY: Duration = Duration::from_secs(5);

/// What an agent says of itself.
pub struct Beat<T>(Arc<Mutex<T>>);

impl<T: Clone + Send + 'static> Beat<T> {
    /// Begins with something; it is said for the first time after a while.
    pub fn begin(reports: &mpsc::Sender<T>, first: T) -> Self {
        let last = Arc::new(Mutex::new(first));
        let (reports, again) = (reports.downgrade(), Arc::clone(&last));
        drop(task::spawn("beat by hand", async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(reports) = reports.upgrade() else {
                    return;
                };
                let beat = again.lock().unwrap().clone();
                // A full queue says as much.
                if let Err(TrySendError::Closed(_)) = reports.try_send(beat) {
                    return;
                }
            }
        }));
        Self(last)
    }

    /// From now on this is said.
    pub fn becomes(&self, beat: &T) {
        *self.0.lock().unwrap() = beat.clone();
    }
}
