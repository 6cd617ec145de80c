//! Placement: instance to allocator and port. A pure function of the index: filters explain their
//! refusals, a score orders what is left. Same input, same answer.

pub mod explain;
pub mod filters;
pub mod index;
pub mod rebalance;
pub mod score;
pub mod solve;

pub use self::{
    explain::{Candidate, Explanation},
    index::CapacityIndex,
    score::Strategy,
    solve::{Need, NoRoom, needs_of, preflight, solve},
};
