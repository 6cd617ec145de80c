//! What directors order, carried out: assignments, the collectors' destination, the host's roles, log
//! levels.
//!
//! Invariants: everything that is to survive is on disk before it is in force; an older generation of
//! anything is refused and said; no order ends the session, and none is lost because the disk was full
//! when it came ([`Owed`]). Not here: the stream that they come by (`session_task.rs`).

use std::{
    collections::HashMap,
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
use wharf_runtime::{clock, task, telemetry::LogLevel};

use crate::{
    files::{DestinationFile, HostRoles},
    host_state_task::Findings,
    ledger::{Ledger, OfferError},
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
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) findings: Arc<Findings>,
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
        }
        Ok(())
    }

    pub(crate) fn welcome(&self, welcome: &v1::AllocatorWelcome) {
        if let Some(time) = &welcome.server_time {
            let theirs = i64::try_from(millis(time)).unwrap_or(0);
            self.findings
                .set_skew(clock::now_ms().saturating_sub(theirs));
        }
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
            log_level: None,
            findings: Arc::default(),
        }
    }

    fn assignment(generation: u64) -> Order {
        Order::Assignment(v1::Assignment {
            allocator_id: "a".repeat(32),
            generation,
            instances: vec![],
            remove_instance_ids: vec![],
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
}
