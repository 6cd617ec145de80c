//! The director: one Raft member, the leader's tasks, the API and the admin UI's server.
//!
//! Invariants: what is decided goes through Raft, what is observed never does.
//! Not here: what commands and plans mean (`wharf-director-core`), how containers run (the allocator).

pub mod raft;
