//! How many sessions ended, and why. Not here: sessions (`host`, `proxy`).

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// Reasons that are kept.
const KEPT: usize = 5;

/// What became of sessions.
#[derive(Debug, Default)]
pub struct Told {
    lost: AtomicUsize,
    reasons: Mutex<Vec<String>>,
}

impl Told {
    pub(super) fn lost(&self, reason: &str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.len() < KEPT {
            reasons.push(reason.to_owned());
        }
    }

    /// How many ended, and the first reasons.
    #[must_use]
    pub fn ended(&self) -> (usize, Vec<String>) {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        (self.lost.load(Ordering::Relaxed), reasons.clone())
    }
}
