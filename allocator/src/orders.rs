//! What directors order, carried out: assignments, the collectors' destination, the host's roles and
//! place, log levels.
//!
//! Invariants: everything that is to survive is on disk before it is in force; an older generation of
//! anything is refused and said; no order ends the session, and none is lost because the disk was full
//! when it came ([`Owed`]). Not here: the stream that they come by (`session_task.rs`).

use std::{
    collections::{BTreeSet, HashMap},
    mem::{Discriminant, discriminant},
    path::PathBuf,
    sync::Arc,
};

use tokio::sync::{Notify, watch};
use wharf_collectors::Destination;
use wharf_proto::{
    times::millis,
    v1::{self, allocator_order::Order},
};
use wharf_runtime::{
    clock,
    followed_authority::{FollowError, FollowedAuthority},
    task,
    telemetry::LogLevel,
};

use crate::{
    files::{DestinationFile, HostRoles},
    host_state_task::Findings,
    leases,
    ledger::{Ledger, OfferError},
    place::{Place, PlaceError},
};

/// Longest URL, name, password of a destination.
const MAX_TEXT: usize = 4096;
/// Largest certificate of one.
const MAX_CA: usize = 1 << 20;

/// Carries out orders. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) data_dir: PathBuf,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) destination: Arc<watch::Sender<Option<Destination>>>,
    pub(crate) roles_changed: Arc<Notify>,
    pub(crate) place: Arc<Place>,
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) findings: Arc<Findings>,
    pub(crate) authority: Arc<FollowedAuthority>,
}

/// The last order of each kind that the disk did not take. A director sends an order once, so it is
/// kept here until the disk takes it or another of its kind comes; a new session starts with none, as
/// its director says everything anew.
#[derive(Debug, Default)]
pub(crate) struct Owed(HashMap<Discriminant<Order>, Order>);

impl Owed {
    /// Carries an order out in place of an owed one of its kind.
    pub(crate) async fn carry_out(&mut self, orders: &Orders, order: Order) {
        let kind = discriminant(&order);
        self.0.remove(&kind);
        if let Err(NotKept) = orders.carry_out(order.clone()).await {
            self.0.insert(kind, order);
        }
    }

    /// Tries what is owed again.
    pub(crate) async fn retry(&mut self, orders: &Orders) {
        for order in self.0.values().cloned().collect::<Vec<_>>() {
            self.carry_out(orders, order).await;
        }
    }
}

/// The disk did not take an order; what was in force before still is.
#[derive(Debug)]
pub(crate) struct NotKept;

impl Orders {
    async fn carry_out(&self, order: Order) -> Result<(), NotKept> {
        match order {
            Order::Welcome(welcome) => self.welcome(&welcome),
            Order::Assignment(assignment) => self.assignment(assignment).await?,
            Order::Destination(destination) => self.destination(destination).await?,
            Order::HostRoles(roles) => self.host_roles(&roles).await?,
            Order::LogLevel(order) => self.log_level(&order),
            Order::ServerTime(time) => self.server_time(millis(&time)),
            Order::Place(place) => self.place(place).await?,
            Order::Authority(order) => self.authority(order).await?,
            // Only its session knows when it sent a heartbeat ([`Orders::leases`]).
            Order::Leases(_) => {}
        }
        Ok(())
    }

    /// Takes the leases of an answer to a heartbeat, until `deadline_ms` of the host's time since its start,
    /// for those that are assigned here as leased. One that the disk does not take is not tried again: the next answer brings another.
    pub(crate) async fn leases(&self, instance_ids: &[String], deadline_ms: u64) {
        let asked: BTreeSet<&str> = instance_ids.iter().map(String::as_str).collect();
        let leased: Vec<String> = match &*self.ledger.subscribe().borrow() {
            Some(held) => held.spec.instances.iter(),
            None => return,
        }
        .filter(|(id, spec)| spec.leased && asked.contains(id.as_str()))
        .map(|(id, _)| id.to_string())
        .collect();
        if leased.is_empty() {
            return;
        }
        let dir = self.data_dir.clone();
        let granted = task::spawn_blocking("leases", move || {
            for id in leased {
                if let Err(error) = leases::grant(&dir, &id, deadline_ms) {
                    tracing::warn!(instance = id, %error, "ALL0014: a lease cannot be written");
                }
            }
        });
        // It is the process that ends when this does not.
        drop(granted.await);
    }

    pub(crate) fn welcome(&self, welcome: &v1::AllocatorWelcome) {
        // A level that an earlier session ordered may have been cleared since; where it holds, it is
        // ordered again.
        if let Some(Err(error)) = self.log_level.as_ref().map(LogLevel::reset) {
            tracing::warn!(%error, "the log level stays");
        }
        if let Some(time) = &welcome.server_time {
            self.server_time(millis(time));
        }
    }

    fn server_time(&self, theirs_ms: u64) {
        let theirs = i64::try_from(theirs_ms).unwrap_or(0);
        self.findings
            .set_skew(clock::now_ms().saturating_sub(theirs));
    }

    async fn assignment(&self, assignment: v1::Assignment) -> Result<(), NotKept> {
        let generation = assignment.generation;
        let ledger = Arc::clone(&self.ledger);
        let offered = task::spawn_blocking("ledger", move || ledger.offer(assignment)).await;
        match offered {
            Ok(Ok(fence)) => tracing::info!(generation, ?fence, "an assignment is in force"),
            Ok(Err(error)) => {
                tracing::error!(generation, %error, "an assignment is refused");
                if matches!(error, OfferError::Write { .. }) {
                    return Err(NotKept);
                }
            }
            Err(_) => {}
        }
        Ok(())
    }

    async fn destination(&self, order: v1::CollectorDestination) -> Result<(), NotKept> {
        let texts = [&order.url, &order.cluster, &order.username, &order.password];
        if texts.iter().any(|text| text.len() > MAX_TEXT) || order.ca_pem.len() > MAX_CA {
            tracing::error!("ALL0033: a collectors' destination is larger than allowed; refused");
            return Ok(());
        }
        let next = DestinationFile {
            generation: order.generation,
            url: order.url,
            cluster: order.cluster,
            username: order.username,
            password: order.password,
            credentials_version: order.credentials_version,
            ca_pem: order.ca_pem,
        };
        let dir = self.data_dir.clone();
        let outcome = task::spawn_blocking("destination", move || {
            let held = DestinationFile::read(&dir).ok().flatten();
            if let Some(held) = held {
                if held.generation > next.generation {
                    tracing::error!(
                        held = held.generation,
                        offered = next.generation,
                        "ALL0030: an older collectors' destination is refused"
                    );
                    return Ok(None);
                }
                if held == next {
                    return Ok(Some(next.to_destination(&dir)));
                }
            }
            next.write(&dir)?;
            tracing::info!(url = next.url, "the collectors have a destination");
            Ok::<_, crate::files::FileError>(Some(next.to_destination(&dir)))
        });
        match outcome.await {
            Ok(Ok(Some(destination))) => {
                self.destination.send_if_modified(|held| {
                    let changed = *held != destination;
                    *held = destination;
                    changed
                });
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "ALL0014: the destination cannot be kept");
                return Err(NotKept);
            }
            _ => {}
        }
        Ok(())
    }

    async fn authority(&self, order: v1::AuthorityOrder) -> Result<(), NotKept> {
        let (generation, followed) = (order.generation, Arc::clone(&self.authority));
        let taken = task::spawn_blocking("authority", move || {
            followed.take(generation, &order.ca_pem, &order.issuer)
        });
        match taken.await {
            Ok(Ok(())) => tracing::info!(generation, "the platform's authorities are followed"),
            Ok(Err(error)) => {
                tracing::error!(generation, %error, "ALL0037: authorities are not followed");
                if matches!(error, FollowError::Write { .. }) {
                    return Err(NotKept);
                }
            }
            Err(_) => {}
        }
        Ok(())
    }

    async fn host_roles(&self, order: &v1::HostRolesOrder) -> Result<(), NotKept> {
        let dir = self.data_dir.clone();
        let (generation, director, proxy) = (order.generation, order.director, order.proxy);
        let outcome = task::spawn_blocking("host roles", move || {
            let held = HostRoles::read(&dir)?.unwrap_or_default();
            if generation <= held.generation {
                return Ok(false);
            }
            HostRoles {
                generation,
                director,
                proxy,
                ..held
            }
            .write(&dir)?;
            Ok::<_, crate::files::FileError>(true)
        });
        match outcome.await {
            Ok(Ok(true)) => {
                tracing::info!(generation, director, proxy, "this host's roles changed");
                self.roles_changed.notify_one();
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "ALL0014: the host's roles cannot be kept");
                return Err(NotKept);
            }
            _ => {}
        }
        Ok(())
    }

    async fn place(&self, said: v1::AllocatorPlace) -> Result<(), NotKept> {
        let place = Arc::clone(&self.place);
        match task::spawn_blocking("place", move || place.said(&said)).await {
            Ok(Err(error)) => {
                tracing::error!(%error, "the host's place stays");
                match error {
                    PlaceError::Zone => Ok(()),
                    PlaceError::File(_) => Err(NotKept),
                }
            }
            _ => Ok(()),
        }
    }

    /// The other roles of a host have their levels from their own directors.
    fn log_level(&self, order: &v1::LogLevelOrder) {
        if order.filter.len() > MAX_TEXT {
            return;
        }
        if !matches!(order.role.as_str(), "" | "allocator") {
            tracing::warn!(role = order.role, "its log level is not the allocator's");
            return;
        }
        if let Some(level) = &self.log_level
            && let Err(error) = level.set(&order.filter)
        {
            tracing::warn!(%error, "the log level stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(data_dir: &std::path::Path) -> Orders {
        Orders {
            data_dir: data_dir.to_path_buf(),
            ledger: Arc::new(Ledger::open(data_dir, &"a".repeat(32)).unwrap()),
            destination: Arc::new(watch::Sender::new(None)),
            roles_changed: Arc::new(Notify::new()),
            place: Arc::new(Place::open(data_dir, "zone-1").unwrap()),
            log_level: None,
            findings: Arc::default(),
            authority: crate::authority::followed(data_dir),
        }
    }

    fn assignment(generation: u64) -> Order {
        Order::Assignment(v1::Assignment {
            allocator_id: "a".repeat(32),
            generation,
            ..Default::default()
        })
    }

    #[tokio::test]
    async fn an_order_that_the_disk_did_not_take_is_in_force_when_it_does() {
        let dir = tempfile::tempdir().unwrap();
        let (orders, mut owed) = (orders(dir.path()), Owed::default());
        // A file where the folder belongs: nothing can be written, as on a full disk.
        let folder = dir.path().join("allocator");
        std::fs::write(&folder, "").unwrap();
        owed.carry_out(&orders, assignment(3)).await;
        owed.carry_out(&orders, assignment(4)).await;
        assert_eq!((orders.ledger.generation(), owed.0.len()), (0, 1));
        owed.retry(&orders).await;
        assert_eq!((orders.ledger.generation(), owed.0.len()), (0, 1));
        std::fs::remove_file(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        owed.retry(&orders).await;
        assert_eq!((orders.ledger.generation(), owed.0.len()), (4, 0));
        // What is refused for good is not owed.
        owed.carry_out(&orders, assignment(2)).await;
        assert_eq!((orders.ledger.generation(), owed.0.len()), (4, 0));
    }

    #[tokio::test]
    async fn a_clock_that_was_put_right_is_found_right_within_the_session() {
        let dir = tempfile::tempdir().unwrap();
        let orders = orders(dir.path());
        let tell = |ms_ago: i64| {
            let theirs = u64::try_from(clock::now_ms() - ms_ago).unwrap();
            Order::ServerTime(wharf_proto::times::timestamp(theirs))
        };
        orders.carry_out(tell(90_000)).await.unwrap();
        assert!(orders.findings.skew_ms() >= 90_000);
        orders.carry_out(tell(0)).await.unwrap();
        assert!(orders.findings.skew_ms() < 90_000);
    }

    #[tokio::test]
    async fn a_level_that_was_cleared_while_nobody_was_connected_is_not_kept() {
        use wharf_runtime::telemetry::{LogFormat, init};
        let dir = tempfile::tempdir().unwrap();
        let level = init(LogFormat::Json, "warn").unwrap();
        let orders = Orders {
            log_level: Some(level.clone()),
            ..orders(dir.path())
        };
        let mut owed = Owed::default();
        let role = "allocator".to_owned();
        let filter = "warn,wharf_allocator=debug".to_owned();
        let louder = Order::LogLevel(v1::LogLevelOrder { role, filter });
        owed.carry_out(&orders, louder).await;
        assert_eq!(level.get(), "warn,wharf_allocator=debug");
        // The next session says nothing of a level: there is none any more.
        orders.welcome(&v1::AllocatorWelcome::default());
        assert_eq!(level.get(), "warn");
    }
}
