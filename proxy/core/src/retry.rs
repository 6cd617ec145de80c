//! Whether a failed request may be sent again. Once, to another instance or over a fresh
//! connection, and only when that cannot do anything twice.

/// How far a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// No byte of it left the proxy.
    NotSent,
    /// It may have reached the instance; no answer came.
    Sent,
    /// The answer has begun.
    Answered,
}

/// Whether to try again. `attempts` are those made so far, `body_left` says that the body is
/// still whole in the proxy's hands (or that there is none).
#[must_use]
pub fn may_retry(method: &str, progress: Progress, attempts: u32, body_left: bool) -> bool {
    if attempts >= 2 || !body_left {
        return false;
    }
    match progress {
        Progress::NotSent => true,
        // RFC 9110 9.2.2
        Progress::Sent => matches!(
            method,
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
        ),
        Progress::Answered => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_that_may_have_arrived_is_not_sent_twice() {
        assert!(!may_retry("POST", Progress::Sent, 1, true));
        assert!(may_retry("POST", Progress::NotSent, 1, true));
        assert!(may_retry("GET", Progress::Sent, 1, true));
    }

    #[test]
    fn nothing_is_tried_three_times_or_with_half_a_body() {
        assert!(!may_retry("GET", Progress::NotSent, 2, true));
        assert!(!may_retry("GET", Progress::NotSent, 1, false));
        assert!(!may_retry("GET", Progress::Answered, 1, true));
    }
}
