//! What a storage or monitoring node tells on its socket → one document: health with its reason,
//! memory, CPU, build, and the counts and queue lengths that this program knows.
//!
//! Invariants: whatever an instance answers, a document has only the fields of [`COUNTS`] and a
//! bounded reason: an instance that makes names up cannot fill the mapping of the stream that all
//! share. Not here: reading the socket.

use serde_json::{Map, Value, json};

use super::role::{usage, version_of};
use crate::container::cut;
use crate::envelope::Metric;
use crate::exposition::Series;

/// Longest reason in bytes.
const MAX_REASON: usize = 512;

/// Counts and gauges that are taken, those without labels that nodes tell.
pub const COUNTS: [&str; 57] = [
    "wharf_disk_free_bytes",
    "wharf_disk_limit_bytes",
    "wharf_memory_limit_bytes",
    "wharf_monitor_broken_watches",
    "wharf_monitor_dropped_documents",
    "wharf_monitor_messages_failed_total",
    "wharf_monitor_messages_sent_total",
    "wharf_monitor_open_runs",
    "wharf_monitor_run_errors_total",
    "wharf_monitor_run_seconds_count",
    "wharf_monitor_run_seconds_sum",
    "wharf_monitor_runs_total",
    "wharf_monitor_waiting_documents",
    "wharf_monitor_watches",
    "wharf_store_bulk_items_failed_total",
    "wharf_store_bulk_items_ok_total",
    "wharf_store_bulk_seconds_count",
    "wharf_store_bulk_seconds_sum",
    "wharf_store_bytes",
    "wharf_store_cache_bytes",
    "wharf_store_deleted_documents",
    "wharf_store_documents",
    "wharf_store_errors_total",
    "wharf_store_forward_failures_total",
    "wharf_store_forwarded_requests_total",
    "wharf_store_fresh_bytes",
    "wharf_store_fresh_rows",
    "wharf_store_held_requests_total",
    "wharf_store_indices",
    "wharf_store_inflight_bytes",
    "wharf_store_journal_bytes",
    "wharf_store_journal_refused",
    "wharf_store_journal_sync_seconds_count",
    "wharf_store_journal_sync_seconds_sum",
    "wharf_store_lease_refusals_total",
    "wharf_store_maintenance_queue",
    "wharf_store_merged_bytes_total",
    "wharf_store_merges_total",
    "wharf_store_open_contexts",
    "wharf_store_queued_requests",
    "wharf_store_refused_writes_total",
    "wharf_store_seals_total",
    "wharf_store_search_seconds_count",
    "wharf_store_search_seconds_sum",
    "wharf_store_segments",
    "wharf_store_snapshot_failures_total",
    "wharf_store_snapshot_last_bytes",
    "wharf_store_snapshot_last_seconds",
    "wharf_store_snapshot_objects_total",
    "wharf_store_snapshot_pause_seconds_count",
    "wharf_store_snapshot_pause_seconds_sum",
    "wharf_store_snapshot_seconds_count",
    "wharf_store_snapshot_seconds_sum",
    "wharf_store_snapshot_uploaded_bytes_total",
    "wharf_store_snapshots_total",
    "wharf_store_writes_stopped",
    "wharf_task_panics",
];

/// What came of asking an instance.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// It answered.
    Told {
        /// Whether it says that it does its work.
        healthy: bool,
        /// Why not; empty: well.
        reason: String,
        /// What it counts.
        series: Vec<Series>,
    },
    /// It did not, and why: nothing is known of its health.
    Silent(String),
}

/// Reads `/health`'s answer: whether it is well, and why not.
#[must_use]
pub fn health(succeeded: bool, body: &[u8]) -> (bool, String) {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let reason = body["details"]["reason"].as_str().unwrap_or_default();
    (
        succeeded && body["healthy"] == true,
        cut(reason, MAX_REASON).to_owned(),
    )
}

/// The event of an instance that was asked.
#[must_use]
pub fn instance(id: &str, heard: &Heard) -> Metric {
    let (mut fields, version) = match heard {
        Heard::Silent(why) => (
            json!({"health": "unknown", "healthy": false, "reason": cut(why, MAX_REASON)}),
            None,
        ),
        Heard::Told {
            healthy,
            reason,
            series,
        } => {
            let mut fields = usage(series);
            fields["health"] = json!(if *healthy { "healthy" } else { "unhealthy" });
            fields["healthy"] = json!(healthy);
            if !reason.is_empty() {
                fields["reason"] = json!(cut(reason, MAX_REASON));
            }
            let counts = counts(series);
            if !counts.is_empty() {
                fields["metrics"] = Value::Object(counts);
            }
            (fields, version_of(series))
        }
    };
    if let Some(limit) = fields["metrics"].get("wharf_memory_limit_bytes").cloned() {
        fields["memory"]["limit"] = json!({"bytes": limit.as_f64().unwrap_or(0.0) as u64});
    }
    Metric {
        module: "wharf",
        metricset: "instance",
        key: id.to_owned(),
        fields,
        service: version.map(|version| json!({ "version": cut(version, 64) })),
        ..Metric::default()
    }
}

fn counts(series: &[Series]) -> Map<String, Value> {
    series
        .iter()
        .filter(|one| one.labels.is_empty() && COUNTS.contains(&one.name.as_str()))
        .map(|one| (one.name.clone(), json!(one.value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{ContainerMeta, NamedId, Owner};
    use crate::envelope::{AgentFacts, ContainerContext, Envelope, HostFacts, Reading};
    use crate::exposition::read;
    use proptest::prelude::*;

    fn named(id: &str, name: &str) -> NamedId {
        NamedId {
            id: id.into(),
            name: name.into(),
        }
    }

    fn body(heard: &Heard) -> (String, Value) {
        let host = HostFacts {
            name: "vm".into(),
            ..HostFacts::default()
        };
        let platform = named("p", "wharf");
        let envelope = Envelope::new(&host, &AgentFacts::default(), &platform, "zone-1", "");
        let meta = ContainerMeta {
            id: "c".repeat(64),
            name: "wharf-wharf-web-storage-0".into(),
            labels: [("io.wharfinger.platform".to_owned(), "p".to_owned())].into(),
            owner: Some(Owner {
                deployment: named("d", "web"),
                resource: named("r", "storage"),
                instance: named("i", "storage-0"),
            }),
            ..ContainerMeta::default()
        };
        let container = ContainerContext::new(&meta);
        let document =
            instance("i", heard).document(&envelope, Some(&container), Reading::default());
        let body = serde_json::from_slice(&document.body).unwrap();
        (document.stream, body)
    }

    #[test]
    fn an_instance_is_one_document_with_who_it_is_and_how_it_does() {
        let series = read(
            "process_resident_memory_bytes 2097152\nprocess_anonymous_memory_bytes 1048576\n\
             process_cpu_seconds 1.5\nprocess_open_fds 12\nprocess_max_fds 1024\n\
             wharf_uptime_seconds 7.25\nwharf_build_info{version=\"0.1.0\"} 1\n\
             wharf_store_documents 41\nwharf_memory_limit_bytes 3e6\nwharf_made_up 1\n\
             wharf_store_requests_total{kind=\"bulk\",class=\"2xx\"} 9\nwharf_store_errors_total 2\n",
        );
        let (stream, body) = body(&Heard::Told {
            healthy: true,
            reason: String::new(),
            series,
        });
        assert_eq!(stream, "metrics-wharf.instance-default");
        assert_eq!(
            body["wharf"],
            json!({
                "platform": {"id": "p", "name": "wharf"},
                "deployment": {"id": "d", "name": "web"},
                "resource": {"id": "r", "name": "storage"},
                "instance": {
                    "id": "i", "name": "storage-0", "health": "healthy", "healthy": true,
                    "memory": {"rss": {"bytes": 2_097_152}, "anonymous": {"bytes": 1_048_576},
                               "limit": {"bytes": 3_000_000}},
                    "cpu": {"total": {"ms": 1500}}, "files": {"open": 12, "max": 1024},
                    "uptime": {"ms": 7250},
                    "metrics": {"wharf_store_documents": 41.0, "wharf_memory_limit_bytes": 3e6,
                                "wharf_store_errors_total": 2.0},
                },
            })
        );
        assert_eq!(body["service"]["version"], "0.1.0");
        assert_eq!(body["container"]["id"], "c".repeat(64));
        assert_eq!(body["host"]["name"], "vm");
        assert_eq!(body["cloud"]["availability_zone"], "zone-1");
        assert_eq!(body["event"]["dataset"], "wharf.instance");
    }

    #[test]
    fn of_a_silent_instance_nothing_is_known_but_why() {
        let (_, body) = body(&Heard::Silent("it does not answer within 5s".into()));
        let told = &body["wharf"]["instance"];
        assert_eq!(
            *told,
            json!({"id": "i", "name": "storage-0", "health": "unknown", "healthy": false,
                   "reason": "it does not answer within 5s"})
        );
        assert_eq!(body["wharf"]["deployment"]["name"], "web");
    }

    #[test]
    fn health_is_believed_only_when_status_and_body_agree() {
        let bad = br#"{"healthy":false,"details":{"reason":"its disk is full"}}"#;
        assert_eq!(health(false, bad), (false, "its disk is full".to_owned()));
        let well = br#"{"healthy":true,"details":{"reason":""}}"#;
        assert_eq!(health(true, well), (true, String::new()));
        assert!(!health(false, well).0);
        assert!(!health(true, bad).0);
        assert_eq!(health(true, b"<html>"), (false, String::new()));
    }

    #[test]
    fn counts_are_named_once_and_in_order() {
        let mut sorted = COUNTS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, COUNTS, "one is named twice or stands elsewhere");
    }

    proptest! {
        #[test]
        fn whatever_an_instance_answers_its_document_is_json_of_known_fields(
            hostile in proptest::collection::vec(any::<u8>(), 0..2000),
            names in proptest::collection::vec("wharf_[a-z_:]{0,12}", 0..200),
            reason in proptest::collection::vec(any::<u8>(), 0..900),
            healthy: bool,
        ) {
            let mut text = String::from_utf8_lossy(&hostile).into_owned();
            text.push('\n');
            for name in names {
                text.push_str(&format!("{name} 1\n"));
            }
            text.push_str("wharf_store_documents 5\nprocess_cpu_seconds 1e308\nwharf_uptime_seconds -1\n");
            let (_, reason) = health(healthy, format!(
                "{{\"details\":{{\"reason\":{}}}}}",
                json!(String::from_utf8_lossy(&reason))
            ).as_bytes());
            prop_assert!(reason.len() <= MAX_REASON);
            let (_, body) = body(&Heard::Told { healthy, reason, series: read(&text) });
            let told = body["wharf"]["instance"].as_object().unwrap();
            let known = ["id", "name", "health", "healthy", "reason", "memory", "cpu", "files", "uptime", "metrics"];
            prop_assert!(told.keys().all(|key| known.contains(&key.as_str())), "{told:?}");
            let counts = told["metrics"].as_object().unwrap();
            prop_assert!(counts.keys().all(|key| COUNTS.contains(&key.as_str())), "{counts:?}");
            prop_assert!(body.to_string().len() < 8192, "{} bytes", body.to_string().len());
        }
    }
}
