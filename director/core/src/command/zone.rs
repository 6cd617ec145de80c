//! Commands about zones. Members know them from
//! [`ZONE_LOCATIONS_LEVEL`](crate::state::ZONE_LOCATIONS_LEVEL) on.

use serde::{Deserialize, Serialize};

use crate::state::ZoneLocation;

/// Says where a zone is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetZoneLocation {
    /// The zone's name.
    pub zone: String,
    /// Where it is.
    pub location: ZoneLocation,
    /// Refuse when the location has another version; zero does not check.
    pub expected_version: u64,
}

impl SetZoneLocation {
    /// Where to, for the audit log.
    #[must_use]
    pub fn summary(&self) -> String {
        let location = &self.location;
        let degrees = format!(
            "to {}, {}",
            location.latitude_degrees(),
            location.longitude_degrees()
        );
        if location.place.is_empty() {
            return degrees;
        }
        format!("{degrees} ({})", location.place)
    }
}

/// Takes a zone's location away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearZoneLocation {
    /// The zone's name.
    pub zone: String,
    /// Refuse when the location has another version; zero does not check.
    pub expected_version: u64,
}
