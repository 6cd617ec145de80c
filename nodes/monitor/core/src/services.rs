//! What runs, with its traffic, its errors and its resources: the searches that tell it, and one
//! row per service from their answers.
//!
//! A service is a deployment of the platform (all containers of its instances, and its requests
//! through the proxy) or an application in containers that are not the platform's. Invariants: a
//! figure that was not measured is unset, never zero; an answer that is missing or torn leaves
//! its figures out and says so; rows are ordered by kind and name.
//! Not here: searching, paging and filtering of rows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wharf_proto::monitor::v1::{ServiceKind, ServiceSummary};

use crate::answer::{Answer, at};
use crate::input::Span;

/// Most services, and most containers of one service.
const MAX_BUCKETS: u64 = 500;
/// A container without a sample for this long does not run any more. Samples come every 10 s.
const RECENT_MS: u64 = 60_000;

/// One of the searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Requests through the proxy.
    Traffic,
    /// Lines of containers.
    Lines,
    /// Processor time of containers.
    Cpu,
    /// Memory of containers.
    Memory,
    /// Starts and ends of containers.
    Events,
}

impl Source {
    /// All.
    pub const ALL: [Self; 5] = [
        Self::Traffic,
        Self::Lines,
        Self::Cpu,
        Self::Memory,
        Self::Events,
    ];

    /// The data stream that it searches.
    #[must_use]
    pub fn index(self) -> &'static str {
        match self {
            Self::Traffic => "logs-wharf.access-default",
            Self::Lines => "logs-docker.container-default",
            Self::Cpu => "metrics-docker.cpu-default",
            Self::Memory => "metrics-docker.memory-default",
            Self::Events => "metrics-docker.event-default",
        }
    }

    /// What is not known without it.
    fn figures(self) -> &'static str {
        match self {
            Self::Traffic => "requests, errors and latency",
            Self::Lines => "lines and error lines",
            Self::Cpu => "CPU, containers and hosts",
            Self::Memory => "memory",
            Self::Events => "restarts",
        }
    }

    /// The body of its search.
    #[must_use]
    pub fn body(self, span: Span) -> Value {
        let (from, to) = (rfc3339(span.from_ms), rfc3339(span.to_ms));
        let within = json!({ "range": { "@timestamp": { "gte": from, "lt": to } } });
        let errors_of_requests =
            json!({ "filter": { "range": { "http.response.status_code": { "gte": 500 } } } });
        let errors_of_lines = json!({ "filter": { "terms": { "log.level": ERROR_LEVELS } } });
        let aggs = match self {
            Self::Traffic => json!({ "service": {
                "terms": { "field": DEPLOYMENT, "size": MAX_BUCKETS },
                "aggs": {
                    "errors": errors_of_requests,
                    "latency": { "percentiles": {
                        "field": "event.duration", "percents": [50, 95, 99],
                    } },
                },
            } }),
            Self::Lines => by_service(&json!({ "errors": errors_of_lines })),
            Self::Cpu => by_container(span, "docker.cpu.total.pct", true),
            Self::Memory => by_container(span, "docker.memory.usage.total", false),
            Self::Events => json!({ "container": {
                "terms": { "field": "docker.event.actor.attributes.name", "size": 2 * MAX_BUCKETS },
                "aggs": {
                    "died": { "filter": { "term": { "docker.event.action": "die" } } },
                    "started": { "filter": { "term": { "docker.event.action": "start" } } },
                    "destroyed": { "filter": { "term": { "docker.event.action": "destroy" } } },
                },
            } }),
        };
        json!({ "size": 0, "track_total_hits": false, "query": within, "aggs": aggs })
    }
}

/// Levels that are errors or worse.
const ERROR_LEVELS: [&str; 4] = ["error", "critical", "fatal", "emergency"];
const DEPLOYMENT: &str = "wharf.deployment.name";
const APPLICATION: &str = "service.name";

fn rfc3339(ms: u64) -> String {
    wharf_proto::times::rfc3339(ms)
}

/// Deployments by their name, everything else by its application.
fn by_service(inner: &Value) -> Value {
    let ours = json!({ "exists": { "field": DEPLOYMENT } });
    let terms = |field: &str| json!({ "service": { "terms": { "field": field, "size": MAX_BUCKETS }, "aggs": inner } });
    json!({
        "deployments": { "filter": ours, "aggs": terms(DEPLOYMENT) },
        "applications": {
            "filter": { "bool": { "must_not": ours } }, "aggs": terms(APPLICATION),
        },
    })
}

fn by_container(span: Span, field: &str, with_hosts: bool) -> Value {
    let since = span.from_ms.max(span.to_ms.saturating_sub(RECENT_MS));
    let recent = json!({ "range": { "@timestamp": { "gte": rfc3339(since) } } });
    let value = json!({ "value": { "avg": { "field": field } } });
    let mut inner = json!({ "container": {
        "terms": { "field": "container.name", "size": MAX_BUCKETS },
        "aggs": { "recent": { "filter": recent, "aggs": value } },
    } });
    if with_hosts {
        inner["recent"] = json!({
            "filter": recent,
            "aggs": { "host": { "terms": { "field": "host.name", "size": 100 } } },
        });
    }
    by_service(&inner)
}

/// The services, and what could not be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Deployments first, each kind by name.
    pub rows: Vec<ServiceSummary>,
    /// One per source that is missing or torn.
    pub remarks: Vec<String>,
}

type Rows = BTreeMap<(i32, String), ServiceSummary>;

/// One row per service from the answers of the searches.
#[must_use]
pub fn summarise(answers: &BTreeMap<Source, Value>) -> Summary {
    let mut rows = Rows::new();
    let mut owners = BTreeMap::new();
    let mut remarks = Vec::new();
    for source in Source::ALL {
        let remark = match answers.get(&source).map(Answer::of) {
            None => "there is no answer".to_owned(),
            Some(Err(error)) => error.to_string(),
            Some(Ok(answer)) if answer.is_of_nothing() => {
                format!("there is no {} yet", source.index())
            }
            Some(Ok(answer)) => {
                let aggregations = answer.value().get("aggregations").unwrap_or(&Value::Null);
                match source {
                    Source::Traffic => traffic(aggregations, &mut rows),
                    Source::Lines => lines(aggregations, &mut rows),
                    Source::Cpu => cpu(aggregations, &mut rows, &mut owners),
                    Source::Memory => memory(aggregations, &mut rows),
                    Source::Events => restarts(aggregations, &owners, &mut rows),
                }
                continue;
            }
        };
        remarks.push(format!("no {}: {remark}", source.figures()));
    }
    Summary {
        rows: rows.into_values().collect(),
        remarks,
    }
}

fn row<'a>(rows: &'a mut Rows, kind: ServiceKind, name: &str) -> &'a mut ServiceSummary {
    rows.entry((kind.into(), name.to_owned()))
        .or_insert_with(|| ServiceSummary {
            name: name.to_owned(),
            kind: kind.into(),
            ..ServiceSummary::default()
        })
}

fn buckets<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    at(value, path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|bucket| Some((bucket.get("key")?.as_str()?, bucket)))
        .filter(|(key, _)| !key.is_empty())
}

/// Every bucket of a service in the two halves of [`by_service`].
fn services(aggregations: &Value) -> impl Iterator<Item = (ServiceKind, &str, &Value)> {
    [
        (ServiceKind::Deployment, "deployments.service.buckets"),
        (ServiceKind::Application, "applications.service.buckets"),
    ]
    .into_iter()
    .flat_map(move |(kind, path)| {
        buckets(aggregations, path).map(move |(name, bucket)| (kind, name, bucket))
    })
}

fn count(value: &Value, path: &str) -> u64 {
    at(value, path).and_then(Value::as_u64).unwrap_or(0)
}

fn number(value: &Value, path: &str) -> Option<f64> {
    at(value, path)
        .and_then(Value::as_f64)
        .filter(|number| number.is_finite())
}

fn traffic(aggregations: &Value, rows: &mut Rows) {
    for (name, bucket) in buckets(aggregations, "service.buckets") {
        let row = row(rows, ServiceKind::Deployment, name);
        let (requests, errors) = (
            count(bucket, "doc_count"),
            count(bucket, "errors.doc_count"),
        );
        row.requests = Some(requests);
        row.errors = Some(errors);
        row.error_ratio = (requests > 0).then(|| errors as f64 / requests as f64);
        let ms = |percent: &str| {
            number(bucket, &format!("latency.values.{percent}")).map(|ns| ns / 1_000_000.0)
        };
        row.latency_p50_ms = ms("50.0");
        row.latency_p95_ms = ms("95.0");
        row.latency_p99_ms = ms("99.0");
    }
}

fn lines(aggregations: &Value, rows: &mut Rows) {
    for (kind, name, bucket) in services(aggregations) {
        let row = row(rows, kind, name);
        row.lines = count(bucket, "doc_count");
        row.error_lines = count(bucket, "errors.doc_count");
    }
}

/// Containers that are sampled now, with their value.
fn running(bucket: &Value) -> impl Iterator<Item = Option<f64>> {
    buckets(bucket, "container.buckets")
        .filter(|(_, container)| count(container, "recent.doc_count") > 0)
        .map(|(_, container)| number(container, "recent.value.value"))
}

type Owners = BTreeMap<String, (ServiceKind, String)>;

fn cpu(aggregations: &Value, rows: &mut Rows, owners: &mut Owners) {
    for (kind, name, bucket) in services(aggregations) {
        for (container, _) in buckets(bucket, "container.buckets") {
            owners.insert(container.to_owned(), (kind, name.to_owned()));
        }
        let hosts: BTreeSet<&str> = buckets(bucket, "recent.host.buckets")
            .map(|(host, _)| host)
            .collect();
        let row = row(rows, kind, name);
        row.hosts = hosts.into_iter().map(str::to_owned).collect();
        row.containers = u32::try_from(running(bucket).count()).unwrap_or(u32::MAX);
        let shares: Vec<f64> = running(bucket).flatten().collect();
        row.cpu_percent = (!shares.is_empty()).then(|| shares.iter().sum::<f64>() * 100.0);
    }
}

fn memory(aggregations: &Value, rows: &mut Rows) {
    for (kind, name, bucket) in services(aggregations) {
        let used: Vec<f64> = running(bucket).flatten().collect();
        // A float to an integer saturates.
        row(rows, kind, name).memory_bytes =
            (!used.is_empty()).then(|| used.iter().sum::<f64>().round() as u64);
    }
}

fn restarts(aggregations: &Value, owners: &Owners, rows: &mut Rows) {
    for (container, bucket) in buckets(aggregations, "container.buckets") {
        let Some((kind, name)) = owners.get(container) else {
            continue;
        };
        // One that was removed and made anew was replaced, not restarted.
        if count(bucket, "destroyed.doc_count") == 0 {
            let again = count(bucket, "died.doc_count").min(count(bucket, "started.doc_count"));
            row(rows, *kind, name).restarts += again;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(aggregations: Value) -> Value {
        json!({
            "took": 1, "timed_out": false,
            "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
            "hits": {"hits": []}, "aggregations": aggregations,
        })
    }

    fn of_containers(deployments: Value, applications: Value) -> Value {
        answer(json!({
            "deployments": {"doc_count": 1, "service": {"buckets": deployments}},
            "applications": {"doc_count": 1, "service": {"buckets": applications}},
        }))
    }

    fn container(name: &str, recent: u64, value: Value) -> Value {
        json!({
            "key": name, "doc_count": 9,
            "recent": {"doc_count": recent, "value": {"value": value}},
        })
    }

    fn answers() -> BTreeMap<Source, Value> {
        let hosts = json!({"doc_count": 6, "host": {"buckets": [{"key": "h1", "doc_count": 6}]}});
        BTreeMap::from([
            (
                Source::Traffic,
                answer(json!({"service": {"buckets": [{
                    "key": "web", "doc_count": 200, "errors": {"doc_count": 50},
                    "latency": {"values": {"50.0": 2e6, "95.0": 9.5e6, "99.0": null}},
                }]}})),
            ),
            (
                Source::Lines,
                of_containers(
                    json!([]),
                    json!([{"key": "shop", "doc_count": 80, "errors": {"doc_count": 16}}]),
                ),
            ),
            (
                Source::Cpu,
                of_containers(
                    json!([{
                        "key": "web", "doc_count": 9, "recent": hosts,
                        "container": {"buckets": [container("web-0", 6, json!(0.25))]},
                    }]),
                    json!([{
                        "key": "shop", "doc_count": 9, "recent": hosts,
                        "container": {"buckets": [
                            container("shop-1", 6, json!(0.5)),
                            container("shop-2", 6, json!(1.0)),
                            container("shop-0", 0, json!(null)),
                        ]},
                    }]),
                ),
            ),
            (
                Source::Memory,
                of_containers(
                    json!([]),
                    json!([{
                        "key": "shop", "doc_count": 9,
                        "container": {"buckets": [
                            container("shop-1", 6, json!(100.0)),
                            container("shop-2", 6, json!(50.4)),
                        ]},
                    }]),
                ),
            ),
            (
                Source::Events,
                answer(json!({"container": {"buckets": [
                    {"key": "shop-1", "doc_count": 4, "died": {"doc_count": 2},
                     "started": {"doc_count": 2}, "destroyed": {"doc_count": 0}},
                    {"key": "shop-0", "doc_count": 3, "died": {"doc_count": 1},
                     "started": {"doc_count": 1}, "destroyed": {"doc_count": 1}},
                    {"key": "unknown", "doc_count": 2, "died": {"doc_count": 1},
                     "started": {"doc_count": 1}, "destroyed": {"doc_count": 0}},
                ]}})),
            ),
        ])
    }

    #[test]
    fn each_service_has_one_row_with_all_its_figures() {
        let summary = summarise(&answers());
        assert_eq!(summary.remarks, Vec::<String>::new());
        let web = ServiceSummary {
            name: "web".into(),
            kind: ServiceKind::Deployment.into(),
            requests: Some(200),
            errors: Some(50),
            error_ratio: Some(0.25),
            latency_p50_ms: Some(2.0),
            latency_p95_ms: Some(9.5),
            cpu_percent: Some(25.0),
            containers: 1,
            hosts: vec!["h1".into()],
            ..ServiceSummary::default()
        };
        let shop = ServiceSummary {
            name: "shop".into(),
            kind: ServiceKind::Application.into(),
            lines: 80,
            error_lines: 16,
            restarts: 2,
            cpu_percent: Some(150.0),
            memory_bytes: Some(150),
            containers: 2,
            hosts: vec!["h1".into()],
            ..ServiceSummary::default()
        };
        assert_eq!(summary.rows, [web, shop]);
    }

    #[test]
    fn what_is_missing_leaves_its_figures_out_and_is_said() {
        let mut answers = answers();
        answers.remove(&Source::Memory);
        answers.insert(
            Source::Traffic,
            json!({
                "timed_out": false, "hits": {"hits": []},
                "_shards": {"total": 0, "successful": 0, "failed": 0},
            }),
        );
        answers.insert(
            Source::Events,
            json!({"error": {"type": "x", "reason": "y"}}),
        );
        let summary = summarise(&answers);
        assert_eq!(summary.rows.len(), 2);
        assert_eq!(summary.rows[0].requests, None);
        assert_eq!(
            summary.remarks,
            [
                "no requests, errors and latency: there is no logs-wharf.access-default yet",
                "no memory: there is no answer",
                "no restarts: the search was refused: x: y",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_counts_make_rows_without_panic(
            requests in any::<u64>(), errors in any::<u64>(), share in any::<f64>(),
        ) {
            let mut answers = answers();
            answers.insert(Source::Traffic, answer(json!({"service": {"buckets": [
                {"key": "web", "doc_count": requests, "errors": {"doc_count": errors},
                 "latency": {"values": {"50.0": share}}},
            ]}})));
            let rows = summarise(&answers).rows;
            prop_assert_eq!(rows[0].requests, Some(requests));
            prop_assert!(rows[0].error_ratio.is_none_or(f64::is_finite));
        }
    }
}
