//! Counts of the traffic: requests and errors by deployment, latency as a histogram, how busy each
//! instance is, which instances are ejected. Not here: one request's log line (`access_log`).

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use wharf_proxy_core::Ejection;

/// Upper bounds of the latency histogram, milliseconds.
const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 30_000];
/// More deployments than this share one row, so that names from outside cannot fill memory.
const MAX_DEPLOYMENTS: usize = 20_000;

/// Counts of one deployment.
#[derive(Debug, Default)]
pub(crate) struct DeploymentCounts {
    /// Requests that were routed.
    pub requests: AtomicU64,
    /// Answers of 500 and above, the proxy's own included.
    pub errors: AtomicU64,
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_us: AtomicU64,
}

/// State of one instance, as this proxy sees it.
#[derive(Debug, Default)]
pub(crate) struct InstanceState {
    /// Requests under way.
    pub busy: AtomicUsize,
    ejection: Mutex<Ejection>,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Every request, routed or not.
    pub requests: AtomicU64,
    /// Answers of 500 and above.
    pub errors: AtomicU64,
    /// Requests of the collectors, which are not logged.
    pub collector_requests: AtomicU64,
    /// Requests under way.
    pub open: AtomicUsize,
    deployments: RwLock<HashMap<String, Arc<DeploymentCounts>>>,
    instances: RwLock<HashMap<String, Arc<InstanceState>>>,
}

impl InstanceState {
    /// Whether it is left out now.
    pub(crate) fn is_out(&self, now_ms: u64) -> bool {
        self.ejection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_out(now_ms)
    }

    /// It answered.
    pub(crate) fn succeeded(&self) {
        self.ejection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .succeeded();
    }

    /// It could not be reached or broke off.
    pub(crate) fn failed(&self, now_ms: u64) {
        self.ejection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .failed(now_ms);
    }
}

impl DeploymentCounts {
    /// Counts an answer.
    pub(crate) fn record(&self, status: u16, took_us: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if status >= 500 {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        let ms = took_us / 1000;
        let bucket = BOUNDS_MS
            .iter()
            .position(|bound| ms < *bound)
            .unwrap_or(BOUNDS_MS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }
}

impl Traffic {
    /// The counts of a deployment.
    pub(crate) fn deployment(&self, id: &str) -> Arc<DeploymentCounts> {
        row(&self.deployments, id, MAX_DEPLOYMENTS)
    }

    /// The state of an instance.
    pub(crate) fn instance(&self, id: &str) -> Arc<InstanceState> {
        row(&self.instances, id, usize::MAX)
    }

    /// Forgets instances that are in no route any more.
    pub(crate) fn keep_instances(&self, known: impl Fn(&str) -> bool) {
        let mut instances = self
            .instances
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        instances.retain(|id, state| known(id) || state.busy.load(Ordering::Relaxed) > 0);
    }

    /// Requests and errors by deployment.
    pub(crate) fn by_deployment(&self) -> Vec<(String, u64, u64)> {
        let rows = self
            .deployments
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        rows.iter()
            .map(|(id, counts)| (id.clone(), count(&counts.requests), count(&counts.errors)))
            .collect()
    }

    /// The latency histograms in Prometheus's text format.
    #[must_use]
    pub(crate) fn render_latency(&self) -> String {
        let name = "wharf_proxy_request_duration_seconds";
        let mut text = format!(
            "# HELP {name} Time from a request's head to its answer's end.\n# TYPE {name} histogram\n"
        );
        let rows = self
            .deployments
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for (id, counts) in rows.iter() {
            let mut total = 0;
            for (index, bucket) in counts.buckets.iter().enumerate() {
                total += bucket.load(Ordering::Relaxed);
                let bound = BOUNDS_MS.get(index).map_or_else(
                    || "+Inf".to_owned(),
                    |ms| format!("{}.{:03}", ms / 1000, ms % 1000),
                );
                let _ = writeln!(
                    text,
                    "{name}_bucket{{deployment=\"{id}\",le=\"{bound}\"}} {total}"
                );
            }
            let sum_us = counts.sum_us.load(Ordering::Relaxed);
            let _ = writeln!(
                text,
                "{name}_sum{{deployment=\"{id}\"}} {}.{:06}",
                sum_us / 1_000_000,
                sum_us % 1_000_000
            );
            let _ = writeln!(text, "{name}_count{{deployment=\"{id}\"}} {total}");
        }
        text
    }
}

fn row<T: Default>(rows: &RwLock<HashMap<String, Arc<T>>>, id: &str, max: usize) -> Arc<T> {
    if let Some(found) = rows.read().unwrap_or_else(PoisonError::into_inner).get(id) {
        return Arc::clone(found);
    }
    let mut rows = rows.write().unwrap_or_else(PoisonError::into_inner);
    let key = if rows.len() < max { id } else { "other" };
    Arc::clone(rows.entry(key.to_owned()).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_adds_up_and_errors_are_those_of_500_and_above() {
        let traffic = Traffic::default();
        let counts = traffic.deployment("d");
        for (status, us) in [(200, 500), (404, 30_000), (503, 90_000_000)] {
            counts.record(status, us);
        }
        assert_eq!(traffic.by_deployment(), [("d".to_owned(), 3, 1)]);
        let text = traffic.render_latency();
        assert!(text.contains("le=\"0.001\"} 1\n"), "{text}");
        assert!(text.contains("le=\"0.050\"} 2\n"), "{text}");
        assert!(text.contains("le=\"+Inf\"} 3\n"), "{text}");
        assert!(text.contains("_count{deployment=\"d\"} 3"), "{text}");
    }

    #[test]
    fn a_busy_instance_is_kept_until_its_requests_end() {
        let traffic = Traffic::default();
        let state = traffic.instance("i");
        state.busy.store(1, Ordering::Relaxed);
        traffic.keep_instances(|_| false);
        assert!(Arc::ptr_eq(&state, &traffic.instance("i")));
        state.busy.store(0, Ordering::Relaxed);
        traffic.keep_instances(|_| false);
        assert!(!Arc::ptr_eq(&state, &traffic.instance("i")));
    }
}
