//! Deployments before they are commands: what a user may ask for, and what becomes of it.

pub mod expand;
pub mod resize;
pub mod validate;
