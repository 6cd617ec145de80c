//! This place: who the instance is, what was written down before, what is told of a copy.
//!
//! Invariants: without a certificate of the platform there is nobody to copy from or to; what is told of a copy is told for as long as
//! the order to make it is there. Not here: making the copy.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use serde::Serialize;
use tokio::sync::watch;
use wharf_runtime::tls::{CaCerts, CertSlot, Identity, KeyedCert, TlsError, TrustSlot};
use wharf_store_core::handover::source::GivenUp;
use wharf_store_core::handover::target::Kept;
use wharf_store_core::snapshot::restore::{self, Begin, Found};

use super::durable;
use super::forward::Forwarder;
use super::gate::Gate;
use super::inventory::Inventory;
use super::lease::LeaseFile;
use crate::config::Config;
use crate::metrics::StoreMetrics;
use crate::snapshots::{RestoreReport, Restoring, Snapshots, restore_order, restore_task};

/// Who the instance is on the platform.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) identity: Identity,
    pub(crate) slot: Arc<CertSlot>,
    pub(crate) trust: Arc<TrustSlot>,
}

impl Own {
    /// Who the certificate names; nobody when the platform's authority is not told of.
    pub(crate) fn of(
        cert: &KeyedCert,
        slot: &Arc<CertSlot>,
        secrets: &Path,
    ) -> Result<Option<Self>, TlsError> {
        let ca = secrets.join("ca.pem");
        let Some(identity) = cert.identity().filter(|_| ca.exists()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            identity,
            slot: Arc::clone(slot),
            trust: TrustSlot::new(&CaCerts::load(ca)?)?,
        }))
    }
}

/// How far a copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    pub(crate) stage: &'static str,
    pub(crate) bytes_done: u64,
    pub(crate) bytes_total: u64,
    pub(crate) pause_ms: u64,
    pub(crate) reason: String,
}

/// What a start finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// An ordinary instance.
    Serve,
    /// The data is to come from elsewhere.
    Copy(Kept),
    /// The data is to come from a snapshot.
    Restore(restore::Kept),
    /// The data is elsewhere.
    PassOn(GivenUp),
}

/// This place.
pub(crate) struct Place {
    pub(crate) gate: Arc<Gate>,
    pub(crate) own: Option<Own>,
    pub(crate) lease: LeaseFile,
    pub(crate) inventory: Inventory,
    pub(crate) forwarder: ArcSwapOption<Forwarder>,
    pub(crate) metrics: StoreMetrics,
    pub(crate) data_dir: PathBuf,
    pub(crate) secrets: Option<PathBuf>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) restoring: Restoring,
    report: Mutex<Option<Report>>,
    /// Whether the switch is under way: who comes now waits for the store to open.
    pub(crate) switching: watch::Sender<bool>,
}

impl Place {
    /// Refuses what changes something outside of this place that is the instance's: only the place that has
    /// the data may, and only under its lease.
    pub(crate) fn check_outside(&self) -> Result<(), String> {
        if self.gate.given_up().is_some() {
            return Err(
                "STO0015: the instance was moved, and this place changes nothing in the repository any more; its new place does"
                    .into(),
            );
        }
        let lease = self.lease.check();
        lease.map_err(|over| over.reason().to_owned())
    }

    /// Reads what was written down, and writes down that a copy begins where one is ordered. Blocks.
    pub(crate) fn open(
        config: &Config,
        own: Option<Own>,
        metrics: StoreMetrics,
    ) -> io::Result<(Arc<Self>, Start)> {
        let data_dir = config.data_dir.clone();
        let secrets = config.secrets_dir().map(Path::to_path_buf);
        let marker = durable::given_up(&data_dir)?;
        let mut kept = durable::kept(&data_dir)?;
        let order = match &secrets {
            Some(secrets) => durable::order(secrets),
            None => Ok(None),
        };
        // One that cannot be read is an order all the same: an empty store in its place would be worse.
        let ordered = !matches!(order, Ok(None));
        let order = order.unwrap_or_else(|error| {
            tracing::error!(%error, "STO0004: the order to copy cannot be read");
            None
        });
        if kept.is_none() && ordered && !durable::has_data(&data_dir) {
            durable::keep(&data_dir, &Kept::Unfinished)?;
            kept = Some(Kept::Unfinished);
        }
        let mut report = None;
        let mut start = match (&marker, kept) {
            (Some(marker), _) => Start::PassOn(marker.clone()),
            (None, Some(Kept::Moved { pause_ms })) => {
                report = Some(Report {
                    stage: "serving",
                    pause_ms,
                    ..Report::default()
                });
                Start::Serve
            }
            (None, Some(unfinished)) => Start::Copy(unfinished),
            (None, None) => {
                if order.is_some() {
                    report = Some(Report {
                        stage: "failed",
                        reason: "STO0005: there is data of its own here; it is not replaced".into(),
                        ..Report::default()
                    });
                }
                Start::Serve
            }
        };
        let mut restored = None;
        if start == Start::Serve && report.is_none() {
            (start, restored) = begin(&data_dir, secrets.as_deref())?;
        }
        let place = Arc::new(Self {
            snapshots: Arc::new(Snapshots::open(&data_dir)?),
            restoring: Restoring::new(
                secrets.clone(),
                matches!(start, Start::Restore(_)),
                restored,
            ),
            gate: Gate::new(marker.clone()),
            own,
            lease: LeaseFile::open(secrets.clone()),
            inventory: Inventory::new(&data_dir),
            forwarder: ArcSwapOption::empty(),
            metrics,
            data_dir,
            secrets,
            report: Mutex::new(report),
            switching: watch::Sender::new(matches!(start, Start::Copy(Kept::Asked { .. }))),
        });
        if let Some(marker) = marker {
            place.pass_on_to(&marker.to).map_err(io::Error::other)?;
        }
        Ok((place, start))
    }

    /// Makes what passes requests on.
    pub(crate) fn pass_on_to(&self, to: &str) -> Result<(), TlsError> {
        if let Some(own) = &self.own {
            let forwarder = Forwarder::new(own, to.to_owned(), self.metrics.clone())?;
            self.forwarder.store(Some(Arc::new(forwarder)));
        }
        Ok(())
    }

    /// What is told of a copy while it is ordered. Blocks, shortly.
    pub(crate) fn report(&self) -> Option<Report> {
        let report = self
            .report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let ordered = self
            .secrets
            .as_ref()
            .is_some_and(|secrets| secrets.join("copy.json").exists());
        (ordered || report.stage != "serving").then_some(report)
    }

    /// Changes what is told.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut Report)) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        change(report.get_or_insert_default());
    }
}

/// Whether the instance begins from a snapshot, which is durable before it does, and what is told of that. Blocks.
fn begin(data_dir: &Path, secrets: Option<&Path>) -> io::Result<(Start, Option<RestoreReport>)> {
    let kept = restore_task::kept(data_dir)?;
    let found = secrets.map_or(Found::Nothing, restore_order);
    let told = |stage, reason: &str| RestoreReport {
        stage,
        reason: reason.into(),
        ..RestoreReport::default()
    };
    Ok(
        match restore::begin(found, kept.as_ref(), durable::has_data(data_dir)) {
            Begin::Serve { refused: true } => {
                let why = "STO0005: there is data of its own here; it is not replaced";
                (Start::Serve, Some(told("failed", why)))
            }
            Begin::Serve { refused: false } => {
                let report = kept.and_then(|kept| match kept {
                    restore::Kept::Restored {
                        snapshot,
                        taken_ms,
                        bytes,
                        ..
                    } => Some(RestoreReport {
                        snapshot,
                        taken_ms,
                        bytes_done: bytes,
                        bytes_total: bytes,
                        ..told("serving", "")
                    }),
                    restore::Kept::Restoring { .. } => None,
                });
                (Start::Serve, report)
            }
            Begin::Restore(kept) => {
                restore_task::keep(data_dir, &kept)?;
                (Start::Restore(kept), Some(told("restoring", "")))
            }
        },
    )
}
