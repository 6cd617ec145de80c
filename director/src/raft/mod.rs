//! The director's Raft: the only place that knows the `raft` crate and sled.
//!
//! Commands are opaque bytes here; the director's core gives them meaning through a [`StateMachine`].
//! - `member`: one member, synchronous, driven by `member_task` and by simulations alike
//! - `member_task`: the thread that owns the member, and the [`Handle`] that everybody else holds
//! - `storage`: what is kept on disk (sled and snapshot files); `simulation_store`: the same in memory, crashable
//! - `proposal`: the payload of a log entry; `message`: checks of peers' messages; `transport`: queues to peers
//! - `logging`: the crate's log records into `tracing`
//!
//! A director opens [`SledStore`], calls [`bootstrap`] (a new platform) or [`join`] (a new member of one) when the
//! store has no member yet, and passes it with its [`StateMachine`] to [`member_task::start`]. Commands go in with
//! [`Handle::propose`]; reads wait for [`Handle::read_index`]; leader work runs while [`Status`] says `serving`.
//! Each connection to a peer takes from [`PeerOutbox::receiver`], and hands what arrives to [`Handle::step`].
//!
//! Not here: gRPC streams between members (they use `transport` and [`Handle::step`]), the director's state.

mod logging;
pub mod member;
pub mod member_task;
pub mod message;
pub mod proposal;
pub mod simulation_store;
pub mod state_machine;
pub mod storage;
pub mod transport;

pub use member::{
    Effects, Member, MemberChange, MemberConfig, MemberError, Outcome, PeerProgress, ProposeError,
    Role, Status, StepError, bootstrap, join,
};
pub use member_task::{Handle, ReadError, StepRefused};
pub use state_machine::{Halt, Membership, StateMachine};
pub use storage::{RaftStore, SledStore, StoreError, StoreOpenError, move_aside};
pub use transport::{Outbox, Outgoing, PeerOutbox, PeerReceiver};

#[cfg(test)]
mod tests;
