//! The last sample of each container, for the allocator's observation stream.
//!
//! Invariants: replaced as a whole, never half; holds only containers that run.
//! Not here: history, which is the store's.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The last sample of one container.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ContainerSample {
    /// When it was taken.
    pub at_ms: i64,
    /// Processor use, 1.0 being one whole processor; `None` until it was seen twice.
    pub cpu: Option<f64>,
    /// Memory in use without inactive page cache.
    pub memory_used: u64,
    /// The limit that counts: the container's, or the machine's memory.
    pub memory_limit: u64,
    /// Received bytes since the container started.
    pub network_received: u64,
    /// Sent bytes since the container started.
    pub network_sent: u64,
    /// Received bytes per second.
    pub network_received_per_s: Option<f64>,
    /// Sent bytes per second.
    pub network_sent_per_s: Option<f64>,
    /// Bytes read from block devices since the container started.
    pub block_read: u64,
    /// Bytes written to block devices since the container started.
    pub block_written: u64,
    /// Bytes read per second.
    pub block_read_per_s: Option<f64>,
    /// Bytes written per second.
    pub block_written_per_s: Option<f64>,
    /// Tasks.
    pub pids: u64,
    /// Share of the scheduler's periods in which its limit held it back; `None` without a limit.
    pub throttled: Option<f64>,
}

/// The last samples by container id. Cheap to clone; clones share.
#[derive(Debug, Clone, Default)]
pub struct LatestSamples {
    samples: Arc<ArcSwap<HashMap<String, ContainerSample>>>,
}

impl LatestSamples {
    /// All of them.
    pub fn load(&self) -> Arc<HashMap<String, ContainerSample>> {
        self.samples.load_full()
    }

    /// One container's.
    pub fn get(&self, container_id: &str) -> Option<ContainerSample> {
        self.samples.load().get(container_id).copied()
    }

    pub(crate) fn replace(&self, samples: HashMap<String, ContainerSample>) {
        self.samples.store(Arc::new(samples));
    }
}
