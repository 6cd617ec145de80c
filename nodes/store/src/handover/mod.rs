//! How this instance's data goes to another place, or came from one, and until when it takes writes.
//!
//! `gate` holds writes, `serve` answers the place that copies, `fetch` and `target_task` are that place, `forward` passes requests
//! on once the data is elsewhere, `durable` is what is written down, `lease` how long writes may be taken. Invariants:
//! what may happen is decided by the core (`handover`, `lease`) alone; only the very same instance, by its certificate, is
//! told anything. Not here: the store itself.

pub(crate) mod arrive;
mod durable;
mod fetch;
mod forward;
mod gate;
pub(crate) mod inventory;
mod lease;
mod place;
mod serve;
pub(crate) mod target_task;

pub(crate) use gate::{Entry, NotStill, UnderWay};
pub(crate) use place::{Own, Place, Start};
pub(crate) use serve::answer;
