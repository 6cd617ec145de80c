//! Asks every running instance whether it is well, as the proxy would reach it.
//!
//! Invariants: the instance's certificate must be the platform's and name the instance; one probe at a
//! time per instance, none longer than [`DEADLINE`]; a container that was replaced starts unknown.
//! Not here: what a verdict leads to (routes, the director).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::Full;
use tokio::sync::watch;
use wharf_allocator_core::{
    copying::{CopyProgress, CopyStage},
    health::{Probes, Verdict},
    reconcile::InstanceState,
    snapshots::{RestoreProgress, Snapshots},
};
use wharf_proto::ids::InstanceId;
use wharf_runtime::{
    clock::Clock,
    net::{ClientOptions, HttpsClient},
    platform_file::PlatformFile,
    task::Shutdown,
    tls::{Expect, ExpectedIdentity, ROLE_INSTANCE, TrustSlot, following_client_config},
};

use crate::{
    health_answer::{self, Said},
    reconcile_task::Report,
};

/// How long a probe may take.
pub const DEADLINE: Duration = Duration::from_secs(3);
/// Between probes once every instance's state is known.
const CALM: Duration = Duration::from_secs(3);
/// Between probes while one is still starting.
const EAGER: Duration = Duration::from_millis(300);
/// While one's data is being copied.
const COPYING: Duration = Duration::from_secs(1);
const MAX_ANSWER: usize = 64 << 10;

/// What is known of each running instance.
pub type Healths = BTreeMap<InstanceId, Known>;

/// What probes found of one run of an instance's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    run: String,
    verdict: Verdict,
    said: Said,
}

impl Known {
    /// What its probes say.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What it says of the credentials that it has in force.
    #[must_use]
    pub fn credentials(&self) -> &str {
        &self.said.credentials
    }

    /// How long the next probe of it may wait.
    fn pause(&self) -> Duration {
        match self.said.copy.as_ref().map(|copy| copy.stage) {
            Some(CopyStage::Ready | CopyStage::Switching) => EAGER,
            Some(CopyStage::Copying | CopyStage::CatchingUp) => COPYING,
            _ if self.said.holds_back() => COPYING,
            _ if self.verdict == Verdict::Unknown => EAGER,
            _ => CALM,
        }
    }

    /// How far the copy of its data has come, when one is made.
    #[must_use]
    pub fn copy(&self) -> Option<&CopyProgress> {
        self.said.copy.as_ref()
    }

    /// The snapshots that it takes, when it takes any.
    #[must_use]
    pub fn snapshots(&self) -> Option<&Snapshots> {
        self.said.snapshots.as_ref()
    }

    /// How far it is with its last snapshot, when it begins from one.
    #[must_use]
    pub fn restore(&self) -> Option<&RestoreProgress> {
        self.said.restore.as_ref()
    }
}

pub(crate) struct ProbeTask {
    pub(crate) platform: PlatformFile,
    pub(crate) trust: Arc<TrustSlot>,
    pub(crate) report: watch::Receiver<Report>,
    pub(crate) healths: watch::Sender<Healths>,
    pub(crate) clock: Clock,
}

struct Probed {
    probes: Probes,
    said: Said,
    port: u32,
    client: Option<HttpsClient>,
}

impl ProbeTask {
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut known: BTreeMap<InstanceId, Probed> = BTreeMap::new();
        loop {
            self.follow(&mut known);
            let address = &self.platform.advertised_address;
            let asked = known.iter().map(|(id, one)| async move {
                (
                    id.clone(),
                    ask(one.client.as_ref(), address, one.port).await,
                )
            });
            let Some(answers) = shutdown.run_until(join_all(asked)).await else {
                return;
            };
            let now = self.clock.monotonic_ms();
            for (id, answer) in answers {
                if let Some(one) = known.get_mut(&id) {
                    let before = one.probes.verdict();
                    let (well, why) = one.take(answer);
                    let after = if one.said.holds_back() {
                        one.probes.holds_back()
                    } else {
                        one.probes.note(well, now)
                    };
                    if before != after {
                        tracing::info!(instance = %id, ?before, ?after, why, "health of an instance");
                    }
                }
            }
            let next: Healths = known
                .iter()
                .map(|(id, one)| {
                    (
                        id.clone(),
                        Known {
                            run: one.probes.container().to_owned(),
                            verdict: one.probes.verdict(),
                            said: one.said.clone(),
                        },
                    )
                })
                .collect();
            let pause = next.values().map(Known::pause).min().unwrap_or(CALM);
            self.healths.send_if_modified(|healths| {
                let changed = *healths != next;
                *healths = next;
                changed
            });
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(pause) => {}
                changed = self.report.changed() => if changed.is_err() { return },
            }
        }
    }

    fn follow(&mut self, known: &mut BTreeMap<InstanceId, Probed>) {
        let report = self.report.borrow_and_update().clone();
        let now = self.clock.monotonic_ms();
        let mut running = BTreeMap::new();
        for one in &report.instances {
            if let (InstanceState::Running, Some(container)) = (one.view.state, &one.view.container)
            {
                running.insert(
                    one.view.id.clone(),
                    (container.clone(), one.view.started_ms, one.port),
                );
            }
        }
        known.retain(|id, probed| {
            running.get(id).is_some_and(|(container, started, _)| {
                probed.probes.container() == run_key(container, *started)
            })
        });
        for (id, (container, started, port)) in running {
            known.entry(id.clone()).or_insert_with(|| Probed {
                probes: Probes::new(&run_key(&container, started), now),
                said: Said::default(),
                port,
                client: self.client(&id),
            });
        }
    }

    fn client(&self, id: &InstanceId) -> Option<HttpsClient> {
        let expected = ExpectedIdentity::role(ROLE_INSTANCE)
            .on_platform(self.platform.platform_id.clone())
            .with_id(id.as_str());
        let config = following_client_config(&self.trust, Expect::Identity(expected), None);
        match config {
            Ok(config) => {
                let options = ClientOptions {
                    timeout: DEADLINE,
                    max_idle: 1,
                    ..ClientOptions::default()
                };
                Some(HttpsClient::new(config, options))
            }
            Err(error) => {
                tracing::warn!(instance = %id, %error, "an instance cannot be probed");
                None
            }
        }
    }
}

/// One run of a container: restarted, it is unknown again.
fn run_key(container: &str, started_ms: Option<i64>) -> String {
    format!("{container}@{}", started_ms.unwrap_or(0))
}

/// What is known of a container's present run.
#[must_use]
pub fn known_of<'a>(
    healths: &'a Healths,
    id: &InstanceId,
    container: &str,
    started_ms: Option<i64>,
) -> Option<&'a Known> {
    healths
        .get(id)
        .filter(|known| known.run == run_key(container, started_ms))
}

/// What an instance answered.
struct Answer {
    /// Nothing when it is well.
    trouble: Option<String>,
    said: Said,
}

impl Answer {
    fn read(status: http::StatusCode, body: &[u8]) -> Self {
        let well = status.is_success();
        Self {
            trouble: (!well).then(|| format!("it answers {status}")),
            said: health_answer::read(body),
        }
    }
}

impl Probed {
    /// Remembers what an answer says; whether it is well, and why not. Silence leaves what was said.
    fn take(&mut self, answer: Result<Answer, String>) -> (bool, String) {
        let answer = match answer {
            Err(why) => return (false, why),
            Ok(answer) => answer,
        };
        let before = std::mem::replace(&mut self.said, answer.said);
        match answer.trouble {
            Some(why) => {
                // Only who is well has credentials in force.
                self.said.credentials = before.credentials;
                (false, why)
            }
            None => (true, String::new()),
        }
    }
}

async fn ask(client: Option<&HttpsClient>, address: &str, port: u32) -> Result<Answer, String> {
    let client = client.ok_or("no client")?;
    let host = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    let request = http::Request::get(format!("https://{host}:{port}/_wharf/health"))
        .body(Full::new(Bytes::new()))
        .map_err(|error| error.to_string())?;
    let answer = client
        .fetch(request, MAX_ANSWER)
        .await
        .map_err(|error| error.to_string())?;
    Ok(Answer::read(answer.status(), answer.body()))
}

#[cfg(test)]
mod tests;
