//! Chaos on one machine: faults at seeded moments (`schedule`), how each is made (`fault`), and the
//! load that runs meanwhile with its books (`load`). What must hold afterwards is judged by
//! `account`.

mod fault;
mod load;
mod schedule;

pub use fault::inflict;
pub use load::{
    Books, Deployments, each_document, search, stored_documents, stored_lines, write_documents,
};
pub use schedule::{Event, Fault, Victim, schedule};
