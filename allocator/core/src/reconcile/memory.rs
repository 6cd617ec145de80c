//! What is remembered of instances between two decisions. Invariants: losing it is harmless, because
//! every decision starts from what is observed. Not here: deciding.

use std::collections::BTreeMap;

use wharf_proto::ids::InstanceId;

use crate::restart::{ClearingMemory, RestartMemory, StartFailure};

/// What is remembered between calls; losing it is harmless.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub(super) instances: BTreeMap<InstanceId, Known>,
    pub(super) omitted: BTreeMap<InstanceId, u64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) restart: RestartMemory,
    pub(super) clearing: ClearingMemory,
    pub(super) spec_hash: String,
    pub(super) container: Option<String>,
    pub(super) refused: Option<String>,
}

impl Memory {
    /// A container of the instance could not be made or started.
    pub fn start_failed(&mut self, id: &InstanceId, failure: StartFailure, now_ms: u64) {
        self.known(id).restart.start_failed(failure, now_ms);
    }

    /// The engine refused to start this very container, for a reason that is neither its port nor its
    /// address: it may have forgotten half of it, as one does that was killed in the midst of it.
    pub fn refused(&mut self, id: &InstanceId, container: &str) {
        self.known(id).refused = Some(container.to_owned());
    }

    /// A container of the instance could not be stopped or removed, or its data could not.
    pub fn clearing_failed(&mut self, id: &InstanceId, failure: StartFailure, now_ms: u64) {
        self.known(id).clearing.failed(failure, now_ms);
    }

    /// What was to be stopped or removed is.
    pub fn cleared(&mut self, id: &InstanceId) {
        self.known(id).clearing = ClearingMemory::default();
    }

    /// A container was made by us, so that seeing it is no adoption.
    pub fn created(&mut self, id: &InstanceId, container: &str) {
        self.known(id).container = Some(container.to_owned());
    }

    /// A container is about to be stopped by us.
    pub fn stopping(&mut self, id: &InstanceId, container: &str) {
        self.known(id).restart.stopping(container);
    }

    pub(super) fn known(&mut self, id: &InstanceId) -> &mut Known {
        self.instances.entry(id.clone()).or_default()
    }
}
