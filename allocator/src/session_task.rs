//! The allocator's stream to a director: says what it sees, takes what is ordered.
//!
//! Invariants: after every connection the whole state is sent again; a director that does not greet,
//! read or answer in time, or has refused twice in a row, is left for the next one and its connection with
//! it, after a jittered wait; losing every director changes nothing on the host. Not here: carrying orders out (`orders.rs`), and what the messages are
//! made of (`reports.rs`).

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use wharf_allocator_core::{deltas::Sent, leases::SentTimes};
use wharf_collectors::{Counters, LatestSamples};
use wharf_proto::v1::{self, allocator_order::Order, allocator_report};
use wharf_runtime::{
    backoff::Backoff,
    clock,
    known_directors::KnownDirectors,
    platform_file::PlatformFile,
    random,
    task::{self, Shutdown},
};
use wharf_services::v1::allocator_session_client::AllocatorSessionClient;

use crate::{
    authority,
    files::AllocatorFile,
    host_state_task::HostState,
    inventory_task::Containers,
    ledger::Ledger,
    orders::{Orders, Owed},
    probe_task::Healths,
    reconcile_task::Report,
    reports::{self, Origin},
};

/// Version of the protocol.
const SESSION_VERSION: u32 = 1;
/// Until the director asks for another.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Between looks for changed containers and samples.
const CONTAINERS_EVERY: Duration = Duration::from_secs(2);
/// How long a director may take to greet, and to read what is sent.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// Sessions that a director may refuse in a row before another is asked.
const PATIENCE: u32 = 2;
/// How long the first hello waits for the host's facts.
const FACTS_DEADLINE: Duration = Duration::from_secs(3);
/// Largest message that is taken.
const MAX_MESSAGE: usize = 64 << 20;
/// Containers of one message: a host with thousands sends several.
const CONTAINERS_PER_MESSAGE: usize = 2_000;

/// Whether a director is connected, for the health page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionState {
    /// The director's id, while connected.
    pub director: Option<String>,
    /// Why the last session ended.
    pub last_error: String,
}

pub(crate) struct SessionTask {
    pub(crate) platform: PlatformFile,
    pub(crate) allocator: AllocatorFile,
    pub(crate) data_dir: PathBuf,
    pub(crate) directors: KnownDirectors,
    /// A connection that begins with the next of [`Self::directors`].
    pub(crate) dial: Box<dyn Fn() -> Channel + Send + Sync>,
    /// How long a director may take to answer and to greet.
    pub(crate) deadline: Duration,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) orders: Orders,
    pub(crate) report: watch::Receiver<Report>,
    pub(crate) healths: watch::Receiver<Healths>,
    pub(crate) host: watch::Receiver<HostState>,
    pub(crate) containers: watch::Receiver<Containers>,
    pub(crate) samples: LatestSamples,
    pub(crate) counters: Arc<Counters>,
    pub(crate) state: watch::Sender<SessionState>,
}

/// Why a session ended.
struct Ended {
    why: String,
    /// Nobody answered in time: the connection is worth nothing, whatever the system says of it.
    silent: bool,
}

impl Ended {
    fn silent(why: &str) -> Self {
        Self {
            why: why.to_owned(),
            silent: true,
        }
    }
}

impl<T: Into<String>> From<T> for Ended {
    fn from(why: T) -> Self {
        Self {
            why: why.into(),
            silent: false,
        }
    }
}

type Reports = mpsc::Sender<v1::AllocatorReport>;

impl SessionTask {
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut backoff = Backoff::new(200, 5_000);
        let mut channel = (self.dial)();
        // The first hello should say what the host is, and does not wait long for it.
        let measured = self.host.wait_for(|host| !host.facts.cgroup.is_empty());
        drop(tokio::time::timeout(FACTS_DEADLINE, measured).await);
        while !shutdown.is_triggered() {
            let ended = shutdown
                .run_until(self.session(&channel, &mut backoff))
                .await;
            let Some(Err(Ended { why, silent })) = ended else {
                return;
            };
            let failures = backoff.failures();
            // A change of leader ends every session, and the director that was connected to relays the
            // next one as soon as there is a leader; one that cannot is left, as is a connection that
            // nobody answers on.
            if silent || failures >= PATIENCE {
                channel = (self.dial)();
            }
            if failures < 3 || failures.is_multiple_of(20) {
                tracing::warn!(why, failures, "ALL0040: no session with a director");
            }
            self.state.send_replace(SessionState {
                director: None,
                last_error: why,
            });
            self.directors.addresses().skip_current();
            self.read_directors();
            let wait = backoff.next(random::next_u64());
            if shutdown.run_until(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// Directors may have moved meanwhile.
    fn read_directors(&self) {
        if let Ok(platform) = PlatformFile::read(&self.data_dir) {
            self.directors.refresh(&platform.directors);
        }
    }

    async fn session(
        &mut self,
        channel: &Channel,
        backoff: &mut Backoff,
    ) -> Result<std::convert::Infallible, Ended> {
        let (sender, receiver) = mpsc::channel(32);
        send(&sender, allocator_report::Report::Hello(self.hello())).await?;
        let mut client = AllocatorSessionClient::new(channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let opened =
            tokio::time::timeout(self.deadline, client.session(ReceiverStream::new(receiver)));
        let mut orders = opened
            .await
            .map_err(|_| Ended::silent("the director does not answer"))?
            .map_err(|status| refusal(&status))?
            .into_inner();
        let greeting = tokio::time::timeout(self.deadline, orders.message())
            .await
            .map_err(|_| Ended::silent("the director does not greet"))?
            .map_err(|status| refusal(&status))?;
        let Some(Order::Welcome(welcome)) = greeting.and_then(|order| order.order) else {
            return Err("the director does not greet first".into());
        };
        if welcome.session_version != SESSION_VERSION {
            let version = welcome.session_version;
            return Err(format!("the director speaks version {version}").into());
        }
        backoff.reset();
        self.welcome(&welcome);
        tracing::info!(director = welcome.director_id, "connected to a director");
        self.state.send_replace(SessionState {
            director: Some(welcome.director_id.clone()),
            last_error: String::new(),
        });
        let asked = Duration::from_millis(welcome.heartbeat_interval_ms);
        let every = if asked.is_zero() {
            HEARTBEAT
        } else {
            asked.clamp(Duration::from_millis(200), HEARTBEAT)
        };
        self.talk(&sender, &mut orders, every).await
    }

    fn welcome(&self, welcome: &v1::AllocatorWelcome) {
        self.orders.welcome(welcome);
        self.directors.learn(&welcome.directors);
        match PlatformFile::follow(&self.data_dir, &welcome.directors) {
            Ok(true) => {
                tracing::info!(directors = ?welcome.directors, "platform.json names other directors");
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "ALL0014: platform.json does not follow the directors");
            }
        }
    }

    async fn talk(
        &mut self,
        sender: &Reports,
        orders: &mut tonic::Streaming<v1::AllocatorOrder>,
        every: Duration,
    ) -> Result<std::convert::Infallible, Ended> {
        let mut heartbeat = tokio::time::interval(every);
        let mut look = tokio::time::interval(CONTAINERS_EVERY);
        let mut sequence = 0;
        let mut told: Option<v1::InstanceObservations> = None;
        let mut sent = Sent::default();
        let mut owed = Owed::default();
        let mut times = SentTimes::default();
        self.report.mark_changed();
        loop {
            tokio::select! {
                order = orders.message() => {
                    let order = order.map_err(|status| refusal(&status))?;
                    let order = order.ok_or("the director closed the session")?;
                    match order.order {
                        // Said again when the directors are others.
                        Some(Order::Welcome(welcome)) => self.welcome(&welcome),
                        Some(Order::Leases(leases)) => self.leases(&mut times, &leases).await,
                        Some(order) => {
                            let answered = matches!(order, Order::Authority(_));
                            owed.carry_out(&self.orders, order).await;
                            if answered {
                                heartbeat.reset_immediately();
                            }
                        }
                        None => {}
                    }
                }
                changed = self.report.changed() => {
                    changed.map_err(|_| "shutting down")?;
                    self.tell_instances(sender, &mut told).await?;
                    // What has been applied is in the heartbeat; a plan may be waiting for it.
                    heartbeat.reset_immediately();
                }
                changed = self.healths.changed() => {
                    changed.map_err(|_| "shutting down")?;
                    self.tell_instances(sender, &mut told).await?;
                }
                _ = heartbeat.tick() => {
                    owed.retry(&self.orders).await;
                    sequence += 1;
                    let authority = self.authority().await;
                    times.sending(sequence, clock::boottime_ms());
                    let beat = v1::AllocatorHeartbeat {
                        authority,
                        ..self.heartbeat(sequence)
                    };
                    send(sender, allocator_report::Report::Heartbeat(beat)).await?;
                }
                _ = look.tick() => self.tell_containers(sender, &mut sent).await?,
            }
        }
    }

    async fn leases(&self, times: &mut SentTimes, leases: &v1::Leases) {
        match times.deadline(leases.heartbeat_sequence, leases.duration_ms) {
            Ok(deadline) => self.orders.leases(&leases.instance_ids, deadline).await,
            Err(why) => {
                tracing::warn!(%why, "ALL0034: leases that answer no heartbeat are refused")
            }
        }
    }

    async fn tell_instances(
        &mut self,
        sender: &Reports,
        told: &mut Option<v1::InstanceObservations>,
    ) -> Result<(), Ended> {
        let next = {
            let report = self.report.borrow_and_update();
            // Before the first look an empty list would mean that there are none.
            if !report.looked {
                return Ok(());
            }
            reports::instances(&report, &self.healths.borrow_and_update())
        };
        if told.as_ref() != Some(&next) {
            send(sender, allocator_report::Report::Instances(next.clone())).await?;
            *told = Some(next);
        }
        Ok(())
    }

    async fn tell_containers(
        &self,
        sender: &Reports,
        sent: &mut Sent<v1::Container>,
    ) -> Result<(), Ended> {
        let zone = self.orders.place.zone().borrow().clone();
        let origin = Origin {
            platform_id: &self.platform.platform_id,
            allocator_id: &self.allocator.allocator_id,
            host: &self.platform.host,
            zone: &zone,
        };
        let metas = self.containers.borrow().clone();
        let now = reports::containers(
            origin,
            metas.values().map(std::ops::Deref::deref),
            &self.samples.load(),
        );
        let Some(delta) = sent.update(&now) else {
            return Ok(());
        };
        let mut chunks: Vec<Vec<v1::Container>> = delta
            .changed
            .chunks(CONTAINERS_PER_MESSAGE)
            .map(<[_]>::to_vec)
            .collect();
        if chunks.is_empty() {
            chunks.push(Vec::new());
        }
        for (index, changed) in chunks.into_iter().enumerate() {
            let observations = v1::ContainerObservations {
                full: delta.full && index == 0,
                changed,
                gone_ids: if index == 0 {
                    delta.gone.clone()
                } else {
                    Vec::new()
                },
            };
            send(sender, allocator_report::Report::Containers(observations)).await?;
        }
        Ok(())
    }

    fn hello(&self) -> v1::AllocatorHello {
        let capacity = self.allocator.capacity;
        v1::AllocatorHello {
            session_version: SESSION_VERSION,
            allocator_id: self.allocator.allocator_id.clone(),
            host: self.platform.host.clone(),
            zone: self.platform.zone.clone(),
            tags: self.allocator.tags.clone().into_iter().collect(),
            capacity: Some(v1::Size {
                memory_bytes: capacity.memory_bytes,
                disk_bytes: capacity.disk_bytes,
                cpu_millis: capacity.cpu_millis,
            }),
            advertised_address: self.platform.advertised_address.clone(),
            facts: Some(self.host.borrow().facts.clone()),
            held_generation: self.ledger.generation(),
            port_range_start: u32::from(self.platform.ports.instances_start),
            port_range_end: u32::from(self.platform.ports.instances_end),
        }
    }

    /// Which authorities this host follows; none before the first order.
    async fn authority(&self) -> Option<v1::AuthorityReport> {
        let followed = Arc::clone(&self.orders.authority);
        if followed.generation() == 0 {
            return None;
        }
        let held = self.ledger.subscribe().borrow().clone();
        let (seen, data_dir) = (self.report.borrow().clone(), self.data_dir.clone());
        let destination = self.orders.destination.borrow().clone();
        let told = task::spawn_blocking("authority report", move || {
            let (held, destination) = (held.as_deref(), destination.as_ref());
            authority::report(&followed, &data_dir, held, &seen, destination)
        });
        told.await.ok().flatten()
    }

    fn heartbeat(&self, sequence: u64) -> v1::AllocatorHeartbeat {
        let host = self.host.borrow();
        v1::AllocatorHeartbeat {
            sequence,
            facts: Some(host.facts.clone()),
            problems: host.problems.clone(),
            applied_generation: self.report.borrow().applied_generation,
            authority: None,
            collectors: Some(v1::CollectorStatus {
                credentials_version: self
                    .orders
                    .destination
                    .borrow()
                    .as_ref()
                    .map_or(0, |held| held.credentials_version),
                ..reports::collectors(&self.counters.view())
            }),
        }
    }
}

async fn send(sender: &Reports, report: allocator_report::Report) -> Result<(), Ended> {
    let message = v1::AllocatorReport {
        report: Some(report),
    };
    match tokio::time::timeout(DEADLINE, sender.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the director closed the session".into()),
        Err(_) => Err(Ended::silent("the director does not read what is sent")),
    }
}

fn refusal(status: &tonic::Status) -> String {
    let text: String = status.message().chars().take(300).collect();
    format!("{:?}: {text}", status.code())
}

#[cfg(test)]
mod tests;
