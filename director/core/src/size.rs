//! The size of one instance and sums of sizes. Arithmetic saturates: a size from outside is never
//! a reason to panic. Not here: which sizes a template admits (`deployment/validate`).

use serde::{Deserialize, Serialize};
use wharf_proto::v1;

/// One mebibyte; sizes are multiples of it.
pub const MIB: u64 = 1 << 20;
/// One gibibyte.
pub const GIB: u64 = 1 << 30;

/// `12.3 MiB`.
pub(crate) fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / MIB;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Memory, disk and CPU of an instance, or the capacity of a host.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of disk.
    pub disk_bytes: u64,
    /// Thousandths of a core.
    pub cpu_millis: u32,
}

impl Size {
    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            disk_bytes: self.disk_bytes.saturating_add(other.disk_bytes),
            cpu_millis: self.cpu_millis.saturating_add(other.cpu_millis),
        }
    }

    /// What is left after taking `other` away, at least zero in each dimension.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            disk_bytes: self.disk_bytes.saturating_sub(other.disk_bytes),
            cpu_millis: self.cpu_millis.saturating_sub(other.cpu_millis),
        }
    }

    /// The larger in each dimension.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            disk_bytes: self.disk_bytes.max(other.disk_bytes),
            cpu_millis: self.cpu_millis.max(other.cpu_millis),
        }
    }

    /// Whether each dimension is at most that of `other`.
    #[must_use]
    pub const fn fits_in(self, other: Self) -> bool {
        self.memory_bytes <= other.memory_bytes
            && self.disk_bytes <= other.disk_bytes
            && self.cpu_millis <= other.cpu_millis
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} MiB of memory, {} MiB of disk, {} thousandths of a core",
            self.memory_bytes / MIB,
            self.disk_bytes / MIB,
            self.cpu_millis
        )
    }
}

impl From<Size> for v1::Size {
    fn from(size: Size) -> Self {
        Self {
            memory_bytes: size.memory_bytes,
            disk_bytes: size.disk_bytes,
            cpu_millis: size.cpu_millis,
        }
    }
}

impl From<&v1::Size> for Size {
    fn from(size: &v1::Size) -> Self {
        Self {
            memory_bytes: size.memory_bytes,
            disk_bytes: size.disk_bytes,
            cpu_millis: size.cpu_millis,
        }
    }
}
