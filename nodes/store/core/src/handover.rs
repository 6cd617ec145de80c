//! How an instance's data goes from one place to another while it is written to, decided without doing it.
//!
//! The place that has the data (`source`) goes on until the other one (`target`) has all but the last writes; then it holds new
//! writes, the rest is brought over, and it gives up in writing before it says so. Invariants, over any order of
//! messages, crashes and timeouts: at most one place takes writes, and a place that takes over has
//! everything that was acknowledged at the other. Not here: files, connections, time (the store's `handover`).

pub mod files;
pub mod source;
pub mod target;
#[cfg(test)]
mod tests;

/// Endpoints that change nothing of what is stored, whatever the method.
const READING: [&str; 16] = [
    "_search",
    "_msearch",
    "_count",
    "_field_caps",
    "_validate",
    "_mget",
    "_analyze",
    "_search_shards",
    "_resolve",
    "_cat",
    "_pit",
    "_refresh",
    "_cache",
    "_segments",
    "_snapshot",
    "_wharf",
];
/// Endpoints that change something even by `GET`.
const CHANGING: [&str; 2] = ["_flush", "_forcemerge"];

/// Whether a request may change what is stored. In doubt it may.
#[must_use]
pub fn changes(method: &str, path: &str) -> bool {
    let endpoint = path
        .split('/')
        .find(|part| part.starts_with('_') && *part != "_all");
    // The underscore may be hidden in its escaped form.
    let hidden = path.contains("/%5f") || path.contains("/%5F");
    match endpoint {
        Some(endpoint) if READING.contains(&endpoint) && !hidden => false,
        Some(endpoint) if CHANGING.contains(&endpoint) => true,
        _ => hidden || !matches!(method, "GET" | "HEAD" | "OPTIONS"),
    }
}
