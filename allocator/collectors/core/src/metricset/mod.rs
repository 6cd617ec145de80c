//! Metricsets: two readings of the kernel → the fields that Metricbeat sends for them.
//!
//! Invariants: a metricset that needs two readings says nothing at the first one, and nothing
//! after a counter was reset; fractions are floats even when whole, so that a store never maps
//! them as integers.
//! Not here: the envelope around the fields (`envelope`), what reads the kernel.

pub mod docker;
pub mod engine;
pub mod instance;
pub mod process;
pub mod role;
pub mod system;
