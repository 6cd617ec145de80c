//! Asks every running instance whether it is well, as the proxy would reach it.
//!
//! Invariants: the instance's certificate must be the platform's and name the instance; one probe at a
//! time per instance, none longer than [`DEADLINE`]; a container that was replaced starts unknown.
//! Not here: what a verdict leads to (routes, the director).

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::Full;
use tokio::sync::watch;
use wharf_allocator_core::{
    health::{Probes, Verdict},
    reconcile::InstanceState,
};
use wharf_proto::ids::InstanceId;
use wharf_runtime::{
    clock::Clock,
    net::{ClientOptions, HttpsClient},
    platform_file::PlatformFile,
    task::Shutdown,
    tls::{CaCerts, Expect, ExpectedIdentity, ROLE_INSTANCE, client_config},
};

use crate::reconcile_task::Report;

/// How long a probe may take.
pub const DEADLINE: Duration = Duration::from_secs(3);
/// Between probes once every instance's state is known.
const CALM: Duration = Duration::from_secs(3);
/// Between probes while one is still starting.
const EAGER: Duration = Duration::from_millis(300);
const MAX_ANSWER: usize = 64 << 10;

/// The verdict of each running instance, with the container it is about.
pub type Healths = BTreeMap<InstanceId, (String, Verdict)>;

pub(crate) struct ProbeTask {
    pub(crate) platform: PlatformFile,
    pub(crate) data_dir: PathBuf,
    pub(crate) report: watch::Receiver<Report>,
    pub(crate) healths: watch::Sender<Healths>,
    pub(crate) clock: Clock,
}

struct Probed {
    probes: Probes,
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
                    let after = one.probes.note(answer.is_ok(), now);
                    if before != after {
                        let why = answer.err().unwrap_or_default();
                        tracing::info!(instance = %id, ?before, ?after, why, "health of an instance");
                    }
                }
            }
            let next: Healths = known
                .iter()
                .map(|(id, one)| {
                    (
                        id.clone(),
                        (one.probes.container().to_owned(), one.probes.verdict()),
                    )
                })
                .collect();
            let calm = next
                .values()
                .all(|(_, verdict)| *verdict != Verdict::Unknown);
            self.healths.send_if_modified(|healths| {
                let changed = *healths != next;
                *healths = next;
                changed
            });
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(if calm { CALM } else { EAGER }) => {}
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
                port,
                client: self.client(&id),
            });
        }
    }

    fn client(&self, id: &InstanceId) -> Option<HttpsClient> {
        let expected = ExpectedIdentity::role(ROLE_INSTANCE)
            .on_platform(self.platform.platform_id.clone())
            .with_id(id.as_str());
        let config = CaCerts::load(self.data_dir.join("ca.pem"))
            .and_then(|ca| client_config(&ca, Expect::Identity(expected), None));
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

/// The verdict about a container's present run.
#[must_use]
pub fn verdict_of(
    healths: &Healths,
    id: &InstanceId,
    container: &str,
    started_ms: Option<i64>,
) -> Verdict {
    healths
        .get(id)
        .filter(|(run, _)| *run == run_key(container, started_ms))
        .map_or(Verdict::Unknown, |(_, verdict)| *verdict)
}

async fn ask(client: Option<&HttpsClient>, address: &str, port: u32) -> Result<(), String> {
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
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("it answers {}", answer.status()))
    }
}

#[cfg(test)]
mod tests;
