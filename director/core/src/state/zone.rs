//! Where a zone is on the earth. In whole millionths of a degree (11 cm at most), because every member must
//! have the same bytes. Not here: what a zone's hosts are (they name their zone themselves).

use serde::{Deserialize, Serialize};

/// Millionths of a degree in one degree.
pub const MICRODEGREES: f64 = 1_000_000.0;

/// A point on the earth and what people call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneLocation {
    /// North of the equator, in millionths of a degree.
    pub latitude_microdegrees: i32,
    /// East of Greenwich, in millionths of a degree.
    pub longitude_microdegrees: i32,
    /// For people, for example a town; may be empty.
    pub place: String,
}

impl ZoneLocation {
    /// Degrees north of the equator.
    #[must_use]
    pub fn latitude_degrees(&self) -> f64 {
        f64::from(self.latitude_microdegrees) / MICRODEGREES
    }

    /// Degrees east of Greenwich.
    #[must_use]
    pub fn longitude_degrees(&self) -> f64 {
        f64::from(self.longitude_microdegrees) / MICRODEGREES
    }
}

/// The location that a zone was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneLocationRecord {
    /// Where it is.
    pub location: ZoneLocation,
    /// When that was said last.
    pub changed_ms: u64,
    /// Grows with each change.
    pub version: u64,
}
