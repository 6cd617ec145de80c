//! From the state to what roles are told: assignments of allocators, routes of proxies, the
//! destination of collectors. Content first, then its generation: equal content never changes it.

pub mod assignment;
pub mod destination;
pub mod route;

#[cfg(test)]
mod tests;
