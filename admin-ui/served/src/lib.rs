//! The built admin UI inside the binary, and what every server of it asks of browsers: the director shows it whole,
//! a monitoring node shows the data of its deployment.
//!
//! - [`files`]: the files, their policy and how long browsers keep them
//! - [`browser`]: the cookie of a log-in, and the proof that a call comes from the UI
//! - [`guesses`]: wrong passwords are slowed down
//!
//! Not here: who is let in, and what a session is worth (each server's own).

pub mod browser;
pub mod files;
pub mod guesses;
