//! A disk that loses its power: a file system that forgets what was not synced, when it is told to. What a
//! process wrote there and did not sync is gone for the next one, as on a machine whose plug is pulled;
//! `kill -9` alone shows nothing of it, because the kernel still has those pages.
//!
//! Needs root and `/dev/fuse`. Not here: programs over it (`tests/docker_power_loss.rs`), hosts that lose
//! their power with a disk that is whole (`testbed`).

mod image;
mod mount;

pub use image::Loss;
pub use mount::LosingDisk;
