//! The loop that makes the host what the assignment says: observe, decide, act, again.
//!
//! Invariants: an instance has at most one action at a time, and is decided on again only from an
//! observation that began after its last action ended; actions of different instances run beside
//! each other, so that one slow stop delays nobody; every round starts from what is observed. It runs
//! on every event, every ended action, whenever something falls due, and every two seconds. Not here:
//! the decisions (`wharf_allocator_core::reconcile`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Notify, mpsc, watch};
use wharf_allocator_core::{
    limits,
    reconcile::{Action, InstanceView, Memory, Plan, Reason, Situation, reconcile},
    restart::StartFailure,
};
use wharf_proto::{ids::InstanceId, v1};
use wharf_runtime::{
    clock::{self, Clock},
    platform_file::PlatformFile,
    task::{self, Shutdown},
};

use crate::{
    docker::{
        apply::{self, ApplyError, InstanceContainer},
        engine::{Engine, EngineError, EngineFacts},
        observe::{Observer, Seen},
    },
    engine_link::EngineLink,
    leases::Moment,
    ledger::Held,
    secrets,
    set_aside::{self, SetAside},
};

/// How often the host is looked at without a cause.
const POLL: Duration = Duration::from_secs(2);
/// How often while the engine is away.
const POLL_AWAY: Duration = Duration::from_secs(1);

/// What the loop found and did, for the session and the probes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Whether the host has been looked at since the allocator started.
    pub looked: bool,
    /// The generation in force.
    pub generation: u64,
    /// The generation that is in force wholly.
    pub applied_generation: u64,
    /// Every instance.
    pub instances: Vec<Reported>,
    /// Data that replacements left here.
    pub set_aside: Vec<SetAside>,
}

/// What is reported of an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// From the core.
    pub view: InstanceView,
    /// The host port that the container was made with.
    pub port: u32,
    /// Its last lines, when it ended.
    pub tail: Vec<String>,
}

/// What the loop needs.
pub(crate) struct ReconcileTask {
    pub(crate) platform: PlatformFile,
    pub(crate) data_dir: PathBuf,
    pub(crate) engine: EngineLink,
    pub(crate) held: watch::Receiver<Option<Arc<Held>>>,
    pub(crate) image: watch::Receiver<String>,
    /// Notified when the image turns out to be gone.
    pub(crate) image_missed: Arc<Notify>,
    pub(crate) facts: watch::Receiver<Option<EngineFacts>>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) report: watch::Sender<Report>,
    pub(crate) clock: Clock,
}

struct Ended {
    instance: InstanceId,
    action: Action,
    outcome: Result<Option<String>, StartFailure>,
}

impl ReconcileTask {
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let (sender, mut ended) = mpsc::channel::<Ended>(1024);
        let mut memory = Memory::default();
        let mut busy = BTreeSet::new();
        let mut observer = Observer::new(&self.platform.platform_id);
        let mut applied = 0;
        let mut said = String::new();
        while !shutdown.is_triggered() {
            let next = match self
                .round(&mut memory, &busy, &mut observer, &mut applied)
                .await
            {
                Ok((plan, held)) => {
                    said.clear();
                    for (instance, action) in plan.actions {
                        self.begin(&sender, &mut memory, &held, instance, action, &mut busy);
                    }
                    let now = self.clock.monotonic_ms();
                    plan.wake_ms.map_or(POLL, |wake| {
                        Duration::from_millis(wake.saturating_sub(now).max(20)).min(POLL)
                    })
                }
                Err(why) => {
                    // Said once for as long as it stays the same; the loop comes by every second.
                    if why != said {
                        if !why.is_empty() {
                            tracing::warn!(why, "the host cannot be looked at; nothing is changed");
                        }
                        said = why;
                    }
                    POLL_AWAY
                }
            };
            tokio::select! {
                () = shutdown.triggered() => break,
                () = tokio::time::sleep(next) => {}
                () = self.wake.notified() => {}
                _ = self.held.changed() => {}
                _ = self.image.changed() => {}
                Some(one) = ended.recv() => {
                    self.end(one, &mut memory, &mut busy);
                }
            }
            // More than one may have ended; they are taken before the next look.
            while let Ok(one) = ended.try_recv() {
                self.end(one, &mut memory, &mut busy);
            }
        }
    }

    async fn round(
        &mut self,
        memory: &mut Memory,
        busy: &BTreeSet<InstanceId>,
        observer: &mut Observer,
        applied: &mut u64,
    ) -> Result<(Plan, Option<Arc<Held>>), String> {
        let seen = match self.engine.get().await {
            Ok(engine) => observer.observe(engine).await,
            Err(error) => Err(error),
        };
        self.engine.note(seen.as_ref().err());
        let seen = match seen {
            Ok(seen) => seen,
            // The link has said that the engine is away.
            Err(error) if error.is_down() => return Err(String::new()),
            Err(error) => return Err(format!("{}: {error}", error.code())),
        };
        let data = match secrets::present(&self.data_dir) {
            Ok(data) => data,
            Err(error) => {
                return Err(format!(
                    "ALL0014: the instances' directories cannot be listed: {error}"
                ));
            }
        };
        let held = self.held.borrow_and_update().clone();
        let image = self.image.borrow_and_update().clone();
        let containers: Vec<_> = seen.iter().map(|one| one.observed.clone()).collect();
        let situation = Situation {
            platform_id: &self.platform.platform_id,
            image_id: &image,
            assignment: held.as_ref().map(|held| &held.spec),
            containers: &containers,
            data: &data,
            busy,
            now_ms: self.clock.monotonic_ms(),
        };
        let plan = reconcile(situation, memory);
        for (instance, container) in &plan.adopted {
            tracing::info!(%instance, container, "a running container is adopted");
        }
        let generation = held.as_ref().map_or(0, |held| held.spec.generation);
        self.settle(held.as_deref(), &plan, busy, applied);
        self.tell(
            &plan,
            &seen,
            held.as_deref(),
            generation,
            (*applied).min(generation),
        );
        Ok((plan, held))
    }

    /// Renews secrets, and counts the assignment as applied when nothing of it is left to be done.
    fn settle(
        &self,
        held: Option<&Held>,
        plan: &Plan,
        busy: &BTreeSet<InstanceId>,
        applied: &mut u64,
    ) {
        let written = self.renew_secrets(held, plan);
        // A lease that could not be written is not in force, whatever else is.
        if plan.applied && written && busy.is_empty() {
            *applied = held.map_or(0, |held| held.spec.generation);
        }
    }

    /// Secrets of containers that run; those of new ones are written before they are made. Whether all
    /// of them are as they should be.
    fn renew_secrets(&self, held: Option<&Held>, plan: &Plan) -> bool {
        let Some(held) = held else { return true };
        let mut written = true;
        for view in plan
            .instances
            .iter()
            .filter(|view| view.container.is_some())
        {
            let Some(assigned) = held.assigned(view.id.as_str()) else {
                continue;
            };
            match secrets::prepare(&self.data_dir, assigned, Moment::Going) {
                Ok(true) => tracing::info!(instance = %view.id, "secrets renewed"),
                Ok(false) => {}
                Err(error) => {
                    written = false;
                    tracing::warn!(instance = %view.id, %error, "ALL0014: secrets cannot be written");
                }
            }
        }
        written
    }

    fn tell(
        &self,
        plan: &Plan,
        seen: &[Seen],
        held: Option<&Held>,
        generation: u64,
        applied_generation: u64,
    ) {
        let by_id: BTreeMap<&str, &Seen> = seen
            .iter()
            .map(|one| (one.observed.id.as_str(), one))
            .collect();
        let before = self.report.borrow().instances.clone();
        let instances = plan.instances.iter().map(|view| {
            let of = view.container.as_deref().and_then(|id| by_id.get(id));
            let assigned = held.and_then(|held| held.assigned(view.id.as_str()));
            Reported {
                view: view.clone(),
                port: of
                    .map(|one| one.port)
                    .or(assigned.map(|assigned| assigned.port))
                    .unwrap_or_default(),
                tail: tail(view, of.copied(), &before),
            }
        });
        let next = Report {
            looked: true,
            generation,
            applied_generation,
            instances: instances.collect(),
            set_aside: self.set_aside(),
        };
        self.report.send_if_modified(|report| {
            let changed = *report != next;
            *report = next;
            changed
        });
    }

    fn set_aside(&self) -> Vec<SetAside> {
        set_aside::list(&self.data_dir).unwrap_or_else(|error| {
            tracing::warn!(%error, "ALL0014: what is set aside cannot be listed");
            // What was known is still there.
            self.report.borrow().set_aside.clone()
        })
    }

    fn begin(
        &self,
        sender: &mpsc::Sender<Ended>,
        memory: &mut Memory,
        held: &Option<Arc<Held>>,
        instance: InstanceId,
        action: Action,
        busy: &mut BTreeSet<InstanceId>,
    ) {
        if let Action::Stop { container, .. } = &action {
            memory.stopping(&instance, container);
        }
        busy.insert(instance.clone());
        tracing::info!(%instance, ?action, "container action");
        let work = Work {
            platform: self.platform.clone(),
            data_dir: self.data_dir.clone(),
            engine: self.engine.clone(),
            held: held.clone(),
            image: self.image.borrow().clone(),
            facts: self.facts.borrow().clone().unwrap_or_default(),
        };
        let sender = sender.clone();
        let name = format!("container action of {instance}");
        let of = (instance.clone(), action.clone());
        let acting = task::spawn(name, async move { work.act(&of.0, &of.1).await });
        drop(task::spawn("end of a container action", async move {
            // Whatever became of it, the instance must not stay busy for ever.
            let outcome = acting.await.unwrap_or_else(|panic| {
                Err(failure("ALL0011", format!("the action broke off: {panic}")))
            });
            // The loop has ended when nobody takes it.
            drop(
                sender
                    .send(Ended {
                        instance,
                        action,
                        outcome,
                    })
                    .await,
            );
        }));
    }

    fn end(&self, one: Ended, memory: &mut Memory, busy: &mut BTreeSet<InstanceId>) {
        let Ended {
            instance,
            action,
            outcome,
        } = one;
        busy.remove(&instance);
        let clears = match &action {
            Action::Create | Action::Start { .. } => false,
            // Part of starting it.
            Action::Remove { reason, .. } => *reason != Reason::Unstartable,
            Action::Stop { .. } | Action::RemoveData | Action::SetAside => true,
        };
        match outcome {
            Ok(Some(container)) => memory.created(&instance, &container),
            Ok(None) if clears => memory.cleared(&instance),
            Ok(None) => {}
            Err(failure) => {
                let (code, why) = (&failure.code, &failure.text);
                tracing::warn!(%instance, ?action, code, why, "a container action failed");
                if let Action::Start { container } = &action
                    && failure.code == "ALL0011"
                {
                    memory.refused(&instance, container);
                }
                if failure.code == "ALL0020" {
                    self.image_missed.notify_one();
                }
                let now_ms = self.clock.monotonic_ms();
                if clears {
                    memory.clearing_failed(&instance, failure, now_ms);
                } else {
                    memory.start_failed(&instance, failure, now_ms);
                }
            }
        }
    }
}

/// The last lines of the process whose end is told: they stay while the next one runs.
fn tail(view: &InstanceView, of: Option<&Seen>, before: &[Reported]) -> Vec<String> {
    let now = of.map(|one| one.tail.as_slice()).unwrap_or_default();
    if !now.is_empty() || view.exit.is_none() {
        return now.to_vec();
    }
    before
        .iter()
        .find(|one| one.view.id == view.id && one.view.exit == view.exit)
        .map(|one| one.tail.clone())
        .unwrap_or_default()
}

/// One action, in a task of its own.
struct Work {
    platform: PlatformFile,
    data_dir: PathBuf,
    engine: EngineLink,
    held: Option<Arc<Held>>,
    image: String,
    facts: EngineFacts,
}

impl Work {
    async fn act(
        &self,
        instance: &InstanceId,
        action: &Action,
    ) -> Result<Option<String>, StartFailure> {
        let engine = self.engine.get().await.map_err(|error| of_engine(&error))?;
        match action {
            Action::Create => return self.create(engine, instance).await.map(Some),
            Action::Start { container } => self.start(engine, instance, container).await?,
            Action::Stop { container, .. } => {
                apply::stop(engine, container)
                    .await
                    .map_err(|error| of_engine(&error))?;
            }
            Action::Remove { container, reason } => {
                let force = *reason == Reason::Unstartable;
                apply::remove(engine, container, force)
                    .await
                    .map_err(|error| of_engine(&error))?;
            }
            Action::RemoveData => self.with_data(instance, secrets::remove).await?,
            Action::SetAside => {
                let now_ms = clock::now_ms();
                self.with_data(instance, move |data_dir, id| {
                    set_aside::set_aside(data_dir, id, now_ms)
                })
                .await?;
            }
        }
        Ok(None)
    }

    async fn with_data(
        &self,
        instance: &InstanceId,
        work: impl FnOnce(&Path, &InstanceId) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), StartFailure> {
        let (data_dir, instance) = (self.data_dir.clone(), instance.clone());
        let done = task::spawn_blocking("an instance's data", move || work(&data_dir, &instance));
        on_disk(
            done.await
                .map_err(std::io::Error::other)
                .and_then(|done| done),
        )
    }

    /// What is assigned, its files as one that starts has to find them: without a lease above all.
    fn ready(
        &self,
        id: &InstanceId,
    ) -> Result<Option<(&Held, &v1::AssignedInstance)>, StartFailure> {
        let Some(held) = self.held.as_deref() else {
            return Ok(None);
        };
        let Some(assigned) = held.assigned(id.as_str()) else {
            return Ok(None);
        };
        apply::find_repository_apart(&assigned.repository_path, &self.data_dir)
            .map_err(|error| of_apply(&error))?;
        on_disk(secrets::prepare(&self.data_dir, assigned, Moment::Starting))?;
        Ok(Some((held, assigned)))
    }

    async fn create(&self, engine: &Engine, id: &InstanceId) -> Result<String, StartFailure> {
        let Some((held, assigned)) = self.ready(id)? else {
            // It was decided from this very assignment; another one is in force meanwhile.
            return Err(failure("ALL0011", "it is not assigned any more".to_owned()));
        };
        let size = assigned.size.unwrap_or_default();
        let (limits, lowered) = limits::limits(
            limits::Asked {
                memory_bytes: size.memory_bytes,
                cpu_millis: size.cpu_millis,
                pids: assigned.pids_limit,
                open_files: assigned.open_files_limit,
            },
            limits::Host {
                memory_bytes: self.facts.memory_bytes,
                cpus: self.facts.cpus,
                open_files: granted_open_files(),
            },
        );
        for what in lowered {
            tracing::warn!(instance = %id, what, "a limit is above what the host has");
        }
        let directory = secrets::directory(&self.data_dir, id.as_str());
        let of = InstanceContainer {
            platform: &self.platform,
            directory: &directory,
            assigned,
            generation: held.spec.generation,
            image_id: &self.image,
            limits,
            cpu_quota: self.facts.cpu_quota,
            pids_limit: self.facts.pids_limit,
        };
        apply::create_instance(engine, &of)
            .await
            .map_err(|error| of_apply(&error))
    }

    async fn start(
        &self,
        engine: &Engine,
        id: &InstanceId,
        container: &str,
    ) -> Result<(), StartFailure> {
        let assigned = self.ready(id)?.map(|(_, assigned)| assigned);
        let port = assigned.map_or(0, |assigned| assigned.port);
        if assigned.is_some_and(apply::on_host_network) {
            apply::find_port_free(&self.platform.advertised_address, port)
                .await
                .map_err(|error| of_apply(&error))?;
        }
        apply::start_instance(engine, container, &self.platform.advertised_address, port)
            .await
            .map_err(|error| of_apply(&error))
    }
}

/// Containers inherit the engine's limit unless told; the allocator's own container was not told, so
/// its limit is what the engine can grant.
fn granted_open_files() -> u32 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit
        .maximum
        .map_or(0, |most| u32::try_from(most).unwrap_or(u32::MAX))
}

fn failure(code: &str, text: String) -> StartFailure {
    StartFailure {
        code: code.to_owned(),
        text,
    }
}

fn of_engine(error: &EngineError) -> StartFailure {
    failure(error.code(), error.to_string())
}

fn of_apply(error: &ApplyError) -> StartFailure {
    failure(error.code(), error.to_string())
}

fn on_disk<T>(result: std::io::Result<T>) -> Result<T, StartFailure> {
    result.map_err(|error| {
        failure(
            "ALL0014",
            format!("the instance's files cannot be changed: {error}"),
        )
    })
}

#[cfg(test)]
mod tests;
