//! From the state to what roles are told: assignments of allocators, routes of proxies, the
//! destination of collectors. Content first, then its generation: equal content never changes it.

pub mod assignment;
pub mod destination;
pub mod host_roles;
pub mod lease;
pub mod monitoring;
pub mod route;
pub mod snapshots;

#[cfg(test)]
mod tests;
