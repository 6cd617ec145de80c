//! What an allocator decides, without doing it: from the assignment of the directors, the
//! containers that the engine shows and the time, to the next container actions.
//!
//! Pure: no clock, no files, no sockets, no randomness; times and observations are arguments. Not
//! here: Docker (`wharf-allocator`'s `docker/`) and what directors decide (`wharf-director-core`).

pub mod assignment;
pub mod copying;
pub mod deltas;
pub mod health;
pub mod leases;
pub mod limits;
pub mod observed;
pub mod reconcile;
pub mod restart;
pub mod snapshots;
