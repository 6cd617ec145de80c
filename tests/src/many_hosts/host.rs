//! A host that is not there, over a session that is: it obeys what it is assigned and says that it runs, tells
//! of its containers in full and then what changed, and beats, as often as real allocators do. A session
//! that ends is opened again and counted. Not here: how it joined (`join`), what runs on it (`generator`).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use rustls::ClientConfig;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};
use wharf_proto::v1::{self, allocator_order::Order, allocator_report::Report};
use wharf_runtime::{
    clock,
    net::{Addresses, channel},
};
use wharf_services::v1::allocator_session_client::AllocatorSessionClient;

use super::{
    generator::{self, HostPlan},
    told::Told,
};

/// As often as allocators are asked to say that they are there.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// As often as collectors look at containers.
const SAMPLE: Duration = Duration::from_secs(10);
/// Before a session is opened again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);
/// Containers of one report, as in the allocator.
const CONTAINERS_PER_MESSAGE: usize = 2_000;
/// Reports that wait for the director.
const QUEUE: usize = 32;
/// Room for an assignment with secrets.
const MAX_MESSAGE: usize = 16 << 20;

/// A host that has joined.
pub(super) struct Host {
    plan: HostPlan,
    id: String,
    config: Arc<ClientConfig>,
    random: StdRng,
    containers: Vec<v1::Container>,
    held: BTreeMap<String, v1::AssignedInstance>,
    /// The containers of what it holds, which stay the same while it does.
    running: BTreeMap<String, String>,
    generation: u64,
    credentials_version: u64,
    sequence: u64,
}

/// Ticks from a moment of its own on, so that hosts do not speak all at once.
pub(super) fn ticks(random: &mut StdRng, every: Duration) -> Interval {
    let first = every.mul_f64(random.random_range(0.0..1.0));
    let mut ticks = interval_at(Instant::now() + first, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn now_ms() -> u64 {
    u64::try_from(clock::now_ms()).unwrap_or_default()
}

impl Host {
    pub(super) fn new(plan: HostPlan, id: String, config: Arc<ClientConfig>) -> Self {
        let mut random = StdRng::seed_from_u64(plan.seed);
        let mut containers = plan.containers.clone();
        generator::drift(&mut random, &mut containers, 0, now_ms());
        Self {
            plan,
            id,
            config,
            random,
            containers,
            held: BTreeMap::new(),
            running: BTreeMap::new(),
            generation: 0,
            credentials_version: 0,
            sequence: 0,
        }
    }

    pub(super) fn zone(&self) -> &str {
        &self.plan.zone
    }

    /// Lives until its task is dropped.
    pub(super) async fn live(mut self, directors: Addresses, told: Arc<Told>) {
        loop {
            let ended = self.session(&directors).await;
            told.lost(&format!("{}: {ended}", self.plan.name));
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Why it ended.
    async fn session(&mut self, directors: &Addresses) -> String {
        match self.talk(directors).await {
            Ok(never) => match never {},
            Err(why) => why,
        }
    }

    async fn talk(&mut self, directors: &Addresses) -> Result<std::convert::Infallible, String> {
        let (reports, mut queue) = mpsc::channel(QUEUE);
        send(&reports, Report::Hello(self.hello())).await?;
        let mut client = AllocatorSessionClient::new(channel(directors, Arc::clone(&self.config)))
            .max_decoding_message_size(MAX_MESSAGE);
        let stream = futures::stream::poll_fn(move |context| queue.poll_recv(context));
        let opened = client.session(stream).await;
        let mut orders = opened.map_err(|status| status.to_string())?.into_inner();
        let next = orders
            .message()
            .await
            .map_err(|status| status.to_string())?;
        if !matches!(next.and_then(|order| order.order), Some(Order::Welcome(_))) {
            return Err("the director does not greet first".into());
        }
        self.tell_all(&reports).await?;
        let mut beat = ticks(&mut self.random, BEAT);
        let mut look = ticks(&mut self.random, SAMPLE);
        loop {
            tokio::select! {
                order = orders.message() => {
                    let order = order.map_err(|status| status.to_string())?;
                    let order = order.ok_or("the director closed the session")?;
                    self.obey(order.order, &reports).await?;
                }
                _ = beat.tick() => send(&reports, Report::Heartbeat(self.beat())).await?,
                _ = look.tick() => {
                    generator::drift(&mut self.random, &mut self.containers, SAMPLE.as_secs(), now_ms());
                    let changed = self.containers.iter().filter(|one| one.sample.is_some());
                    let changed = changed.cloned().collect();
                    self.tell_containers(&reports, false, changed, Vec::new()).await?;
                }
            }
        }
    }

    fn hello(&self) -> v1::AllocatorHello {
        v1::AllocatorHello {
            session_version: 1,
            allocator_id: self.id.clone(),
            host: self.plan.name.clone(),
            zone: self.plan.zone.clone(),
            capacity: Some(self.plan.capacity()),
            advertised_address: self.plan.address.clone(),
            facts: Some(self.facts()),
            held_generation: self.generation,
            port_range_start: 18_000,
            port_range_end: 18_999,
            ..Default::default()
        }
    }

    fn facts(&self) -> v1::HostFacts {
        let mut facts = self.plan.facts.clone();
        generator::sum_up(&mut facts, &self.containers);
        facts
    }

    fn beat(&mut self) -> v1::AllocatorHeartbeat {
        self.sequence += 1;
        v1::AllocatorHeartbeat {
            sequence: self.sequence,
            facts: Some(self.facts()),
            problems: self.plan.problems.clone(),
            applied_generation: self.generation,
            collectors: Some(v1::CollectorStatus {
                spooled_documents: self.sequence * 40,
                shipped_documents: self.sequence * 40,
                credentials_version: self.credentials_version,
                ..Default::default()
            }),
            authority: None,
        }
    }

    async fn tell_all(&mut self, reports: &Reports) -> Result<(), String> {
        self.tell_containers(reports, true, self.containers.clone(), Vec::new())
            .await?;
        self.tell_instances(reports).await
    }

    async fn tell_instances(&mut self, reports: &Reports) -> Result<(), String> {
        let instances = self.held.values().map(|one| self.observed(one)).collect();
        let observations = v1::InstanceObservations {
            generation: self.generation,
            instances,
            set_aside: Vec::new(),
        };
        send(reports, Report::Instances(observations)).await?;
        send(reports, Report::Heartbeat(self.beat())).await
    }

    fn observed(&self, instance: &v1::AssignedInstance) -> v1::InstanceObservation {
        let container_id = self.running.get(&instance.instance_id).cloned();
        let (state, health) = if instance.run {
            (v1::InstanceState::Running, v1::Health::Healthy)
        } else {
            (v1::InstanceState::Stopped, v1::Health::Unknown)
        };
        v1::InstanceObservation {
            instance_id: instance.instance_id.clone(),
            container_id: container_id.unwrap_or_default(),
            state: state.into(),
            health: health.into(),
            port: instance.port,
            spec_hash: instance.spec_hash.clone(),
            image_id: self.plan.facts.image_id.clone(),
            data_present: true,
            credentials: credentials(instance),
            ..Default::default()
        }
    }

    async fn tell_containers(
        &self,
        reports: &Reports,
        full: bool,
        changed: Vec<v1::Container>,
        mut gone_ids: Vec<String>,
    ) -> Result<(), String> {
        let mut rest = changed;
        let mut first = true;
        loop {
            let after = rest.split_off(rest.len().min(CONTAINERS_PER_MESSAGE));
            let observations = v1::ContainerObservations {
                full: full && first,
                changed: rest,
                gone_ids: std::mem::take(&mut gone_ids),
            };
            send(reports, Report::Containers(observations)).await?;
            if after.is_empty() {
                return Ok(());
            }
            (rest, first) = (after, false);
        }
    }

    async fn obey(&mut self, order: Option<Order>, reports: &Reports) -> Result<(), String> {
        match order {
            Some(Order::Assignment(assignment)) => self.assigned(assignment, reports).await,
            Some(Order::Destination(destination)) => {
                self.credentials_version = destination.credentials_version;
                send(reports, Report::Heartbeat(self.beat())).await
            }
            _ => Ok(()),
        }
    }

    /// It is as if what is assigned ran at once.
    async fn assigned(
        &mut self,
        assignment: v1::Assignment,
        reports: &Reports,
    ) -> Result<(), String> {
        self.generation = assignment.generation;
        let wanted = assignment.instances.into_iter();
        self.held = wanted.map(|one| (one.instance_id.clone(), one)).collect();
        let runs = |held: &BTreeMap<String, v1::AssignedInstance>, id: &str| {
            held.get(id).is_some_and(|instance| instance.run)
        };
        let (kept, ended): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|(instance, _)| runs(&self.held, instance));
        self.running = kept;
        let gone: Vec<String> = ended.into_values().collect();
        self.containers.retain(|one| !gone.contains(&one.id));
        let mut begun = Vec::new();
        for instance in self.held.values().filter(|instance| instance.run) {
            if !self.running.contains_key(&instance.instance_id) {
                let container = generator::of_instance(&mut self.random, instance, now_ms());
                let id = container.id.clone();
                self.running.insert(instance.instance_id.clone(), id);
                begun.push(container);
            }
        }
        self.containers.extend(begun.iter().cloned());
        if !begun.is_empty() || !gone.is_empty() {
            self.tell_containers(reports, false, begun, gone).await?;
        }
        self.tell_instances(reports).await
    }
}

type Reports = mpsc::Sender<v1::AllocatorReport>;

async fn send(reports: &Reports, report: Report) -> Result<(), String> {
    let report = v1::AllocatorReport {
        report: Some(report),
    };
    let sent = reports.send(report).await;
    sent.map_err(|_| "the director does not read any more".to_owned())
}

/// What a node with these secrets says of its credentials.
fn credentials(instance: &v1::AssignedInstance) -> String {
    let secrets = instance.secrets.clone().unwrap_or_default();
    if secrets.users_json.is_empty() {
        let storage: serde_json::Value =
            serde_json::from_str(&secrets.storage_json).unwrap_or_default();
        return storage["version"].to_string();
    }
    hex::encode(&Sha256::digest(&secrets.users_json)[..16])
}
