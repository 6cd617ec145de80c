//! Tests of the Raft member as a whole: seeded simulations, durability on a real disk, membership.
//!
//! Not here: checks of single files, which stand beside them.

mod durability;
mod ledger;
mod membership;
mod scenarios;
mod world;
