//! The score of an allocator for an instance. Its `Ord` is its declaration order, less is better.

use wharf_proto::ids::AllocatorId;

/// How allocators are preferred: ECE's four strategies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The fullest that fits, whatever else of the deployment it hosts.
    Fill,
    /// The fullest that fits among those that host least of the deployment.
    #[default]
    FillAntiAffinity,
    /// The emptiest.
    Distribute,
    /// The emptiest among those that host least of the deployment.
    DistributeAntiAffinity,
}

impl Strategy {
    /// The strategy of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "fill" => Some(Self::Fill),
            "fill-anti-affinity" => Some(Self::FillAntiAffinity),
            "distribute" => Some(Self::Distribute),
            "distribute-anti-affinity" => Some(Self::DistributeAntiAffinity),
            _ => None,
        }
    }

    /// Whether the fullest allocator is preferred.
    #[must_use]
    pub const fn fills(self) -> bool {
        matches!(self, Self::Fill | Self::FillAntiAffinity)
    }

    /// Whether allocators that host less of the deployment are preferred.
    #[must_use]
    pub const fn spreads_deployment(self) -> bool {
        matches!(self, Self::FillAntiAffinity | Self::DistributeAntiAffinity)
    }
}

/// How well an allocator suits; less is better, the first field decides first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// Instances of the resource in its zone already.
    pub zone_share: u32,
    /// Zero when its zone has instances of the deployment already: its resources talk to each other.
    pub apart: u8,
    /// Instances of the deployment on it already; zero when the strategy does not care.
    pub siblings: u32,
    /// Free memory when filling, its complement when distributing.
    pub fullness: u64,
    /// Zero when the instance lay here before.
    pub churn: u8,
    /// So that no two are equal.
    pub id: AllocatorId,
}
