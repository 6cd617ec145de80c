//! Data that goes from one place to another while it is written to, and writes that end with a lease.
//!
//! Both places are storage instances of this process that speak TLS on loopback. Not here: processes that are killed (the
//! tests' package), and what is decided (core).
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lease;
mod load;
mod moving;
mod orders;
mod place;
mod refusals;
mod restarts;
