//! What the tests of this package share: the testbed of real Docker engines, a client of the
//! Elasticsearch API, and waiting for conditions. The tests themselves are in `tests/tests/`.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

pub mod account;
mod admin_login;
pub mod agent_cost;
pub mod chaos;
pub mod elastic;
pub mod feed;
pub mod frozen;
pub mod hook;
pub mod lone_director;
pub mod many_hosts;
pub mod node;
pub mod older_engine;
pub mod patience;
pub mod platform;
pub mod power_loss;
pub mod scenario;
pub mod steady;
pub mod testbed;
pub mod tools;
pub mod wrong_clock;
