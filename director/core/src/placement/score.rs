//! The score of an allocator for an instance. Its `Ord` is its declaration order, less is better.

use wharf_proto::ids::AllocatorId;

use crate::size::MIB;

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
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::FillAntiAffinity => "fill-anti-affinity",
            Self::Distribute => "distribute",
            Self::DistributeAntiAffinity => "distribute-anti-affinity",
        }
    }

    /// The strategy of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Fill,
            Self::FillAntiAffinity,
            Self::Distribute,
            Self::DistributeAntiAffinity,
        ]
        .into_iter()
        .find(|strategy| strategy.as_str() == text)
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
    /// Instances of the deployment on it already; zero when the strategy does not care. Before the zone: a
    /// monitoring node beside its storage node would die with it, and nobody would tell.
    pub siblings: u32,
    /// Zero when its zone has instances of the deployment already: its resources talk to each other.
    pub apart: u8,
    /// Free memory when filling, its complement when distributing.
    pub fullness: u64,
    /// Zero when the instance lay here before.
    pub churn: u8,
    /// So that no two are equal.
    pub id: AllocatorId,
}

impl Score {
    /// Its parts in words, in the order in which they count; the id, which only parts equals, is left
    /// out. Less is better but for `most_free`.
    #[must_use]
    pub fn parts(&self, strategy: Strategy) -> Vec<String> {
        let Self {
            zone_share,
            siblings,
            apart,
            fullness,
            churn,
            id: _,
        } = self;
        let free = if strategy.fills() {
            format!("least_free={}MiB", fullness / MIB)
        } else {
            format!("most_free={}MiB", (u64::MAX - fullness) / MIB)
        };
        vec![
            format!("zone_spread={zone_share}"),
            format!("siblings={siblings}"),
            format!("apart={apart}"),
            free,
            format!("churn={churn}"),
        ]
    }
}
