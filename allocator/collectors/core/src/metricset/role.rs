//! What a director, allocator or proxy tells of itself on loopback → one document: health, memory,
//! CPU, build, and every count and queue length that it has.
//!
//! Invariants: only series without labels are taken, at most [`MAX_METRICS`], so that a document's
//! fields are bounded by the program that runs and not by what it serves.
//! Not here: asking it.

use serde_json::{Map, Value, json};

use crate::container::PlatformRole;
use crate::envelope::Metric;
use crate::exposition::Series;

/// The most counts and gauges of one role.
pub const MAX_METRICS: usize = 64;

/// The event of a role that was asked; without series it did not answer.
#[must_use]
pub fn role(role: PlatformRole, healthy: bool, series: &[Series]) -> Metric {
    let counts: Map<String, Value> = series
        .iter()
        .filter(|one| one.labels.is_empty() && one.name.starts_with("wharf_"))
        // They have fields of their own.
        .filter(|one| !matches!(one.name.as_str(), "wharf_healthy" | "wharf_uptime_seconds"))
        .take(MAX_METRICS)
        .map(|one| (one.name.clone(), json!(one.value)))
        .collect();
    let mut fields = usage(series);
    fields["healthy"] = json!(healthy);
    if !counts.is_empty() {
        fields["metrics"] = Value::Object(counts);
    }
    let mut service = json!({ "name": role.service() });
    if let Some(version) = version_of(series) {
        service["version"] = json!(version);
    }
    Metric {
        module: "wharf",
        metricset: "role",
        key: role.service().to_owned(),
        fields,
        service: Some(service),
        ..Metric::default()
    }
}

/// What a process uses, in the fields that roles and instances share.
pub(super) fn usage(series: &[Series]) -> Value {
    let value = |name: &str| {
        series
            .iter()
            .find(|one| one.name == name && one.labels.is_empty())
            .map(|one| one.value)
    };
    let mut fields = json!({});
    for (name, path, unit, scale) in [
        (
            "process_resident_memory_bytes",
            ["memory", "rss"],
            "bytes",
            1.0,
        ),
        (
            "process_anonymous_memory_bytes",
            ["memory", "anonymous"],
            "bytes",
            1.0,
        ),
        ("process_cpu_seconds", ["cpu", "total"], "ms", 1000.0),
    ] {
        if let Some(value) = value(name) {
            let [group, part] = path;
            fields[group][part] = json!({ unit: (value * scale) as u64 });
        }
    }
    for (name, part) in [("process_open_fds", "open"), ("process_max_fds", "max")] {
        if let Some(count) = value(name) {
            fields["files"][part] = json!(count as u64);
        }
    }
    if let Some(seconds) = value("wharf_uptime_seconds") {
        fields["uptime"] = json!({ "ms": (seconds * 1000.0) as u64 });
    }
    fields
}

/// The build that a process tells.
pub(super) fn version_of(series: &[Series]) -> Option<&str> {
    let build = series.iter().find(|one| one.name == "wharf_build_info")?;
    let version = build.labels.iter().find(|(label, _)| label == "version")?;
    Some(&version.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::NamedId;
    use crate::envelope::{AgentFacts, Envelope, HostFacts, Reading};
    use crate::exposition::read;

    #[test]
    fn a_role_is_one_document_with_health_memory_cpu_build_and_counts() {
        let series = read(
            "process_resident_memory_bytes 1048576\nprocess_cpu_seconds 1.5\n\
             wharf_build_info{version=\"0.1.0\"} 1\nwharf_collectors_spool_bytes 7\n\
             wharf_requests{deployment=\"d\"} 9\n",
        );
        let platform = NamedId {
            id: "p".into(),
            name: "n".into(),
        };
        let envelope = Envelope::new(
            &HostFacts::default(),
            &AgentFacts::default(),
            &platform,
            "",
            "",
        );
        let document = role(PlatformRole::Allocator, true, &series).document(
            &envelope,
            None,
            Reading::default(),
        );
        assert_eq!(document.stream, "metrics-wharf.role-default");
        let body: Value = serde_json::from_slice(&document.body).unwrap();
        assert_eq!(body["service"]["name"], "wharf-allocator");
        assert_eq!(body["service"]["version"], "0.1.0");
        assert_eq!(body["wharf"]["platform"]["id"], "p");
        assert_eq!(
            body["wharf"]["role"],
            json!({
                "healthy": true, "memory": {"rss": {"bytes": 1_048_576}}, "cpu": {"total": {"ms": 1500}},
                "metrics": {"wharf_collectors_spool_bytes": 7.0},
            })
        );
        let text = String::from_utf8(document.body).unwrap();
        assert_eq!(text.matches("\"wharf\":").count(), 1, "{text}");
    }

    #[test]
    fn a_role_that_does_not_answer_is_told_as_not_healthy() {
        let metric = role(PlatformRole::Proxy, false, &[]);
        assert_eq!(metric.fields, json!({ "healthy": false }));
    }
}
