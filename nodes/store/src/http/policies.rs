//! Lifecycle policies and ingest pipelines, as far as clients set them up.
//!
//! Invariants: a policy is kept and shown, its delete age and rollover limits are obeyed by `lifecycle_task`; pipelines are refused, so that
//! no document is indexed without the processing it was sent for.

use http::Method;
use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::wildcard::{NameOptions, glob};

use super::route::no_handler;
use super::{App, Call, Reply};
use crate::catalog::Policy;

const MAX_POLICIES: usize = 1000;

/// A time as Elasticsearch shows it.
pub(super) fn stamp(ms: i64) -> String {
    let days = ms.div_euclid(86_400_000);
    let rest = ms.rem_euclid(86_400_000);
    let (y, m, d) = crate::catalog::change::civil(days);
    let (h, min, s, milli) = (
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1000 % 60,
        rest % 1000,
    );
    format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{milli:03}Z")
}

/// `_ilm/policy[/{name}]`, `_ilm/status`.
pub(super) fn ilm(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::GET, ["status"]) => Ok(Reply::json(json!({"operation_mode": "RUNNING"}))),
        (&Method::PUT, ["policy", name]) => {
            let body = call.required_json()?;
            let policy = body
                .get("policy")
                .filter(|p| p.is_object())
                .cloned()
                .ok_or_else(|| {
                    EsError::parsing("[put_lifecycle_request] requires field [policy]")
                })?;
            wharf_store_core::lifecycle::Policy::parse(&body)?;
            let now = app.catalog.now_ms();
            app.catalog.define(|d| {
                if d.policies.len() >= MAX_POLICIES && !d.policies.contains_key(*name) {
                    return Err(EsError::illegal_argument(format!(
                        "there are {MAX_POLICIES} policies; delete some"
                    )));
                }
                let version = d.policies.get(*name).map_or(0, |p| p.version) + 1;
                d.policies.insert(
                    (*name).to_owned(),
                    Policy {
                        version,
                        modified_ms: now,
                        policy,
                    },
                );
                Ok(())
            })?;
            Ok(Reply::acknowledged())
        }
        (&Method::GET, ["policy", ..]) => {
            let name = rest.get(1).copied().unwrap_or("*");
            let state = app.catalog.read();
            let mut out = Map::new();
            for (key, policy) in state
                .definitions
                .policies
                .iter()
                .filter(|(k, _)| glob(name, k))
            {
                out.insert(
                    key.clone(),
                    json!({
                        "version": policy.version,
                        "modified_date": stamp(policy.modified_ms),
                        "policy": policy.policy,
                        "in_use_by": {"indices": [], "data_streams": [], "composable_templates": []},
                    }),
                );
            }
            if out.is_empty() && !name.contains('*') {
                return Err(EsError::resource_not_found(format!(
                    "Lifecycle policy not found: {name}"
                )));
            }
            Ok(Reply::json(Value::Object(out)))
        }
        (&Method::DELETE, ["policy", name]) => {
            app.catalog.define(|d| {
                d.policies.remove(*name).map(|_| ()).ok_or_else(|| {
                    EsError::resource_not_found(format!("Lifecycle policy not found: {name}"))
                })
            })?;
            Ok(Reply::acknowledged())
        }
        (&Method::POST, ["start" | "stop"]) => Err(EsError::unsupported(
            "starting and stopping lifecycle management",
        )),
        _ => Err(no_handler(call)),
    }
}

/// `GET {index}/_ilm/explain`.
pub(super) fn explain(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let mut out = Map::new();
    let options = call.name_options(NameOptions {
        hidden: true,
        ..NameOptions::default()
    })?;
    for index in app.catalog.select(expression, options)? {
        let facts = index.facts.load();
        let policy = facts.settings.get("index.lifecycle.name").cloned();
        let since = facts.rolled_over_ms.unwrap_or(index.created_ms);
        let body = match policy {
            Some(policy) => json!({
                "index": index.name, "managed": true, "policy": policy, "phase": "hot",
                "index_creation_date_millis": index.created_ms, "lifecycle_date_millis": since,
                "action": if facts.rolled_over_ms.is_some() { "complete" } else { "rollover" },
                "step": if facts.rolled_over_ms.is_some() { "complete" } else { "check-rollover-ready" },
            }),
            None => json!({"index": index.name, "managed": false}),
        };
        out.insert(index.name.clone(), body);
    }
    Ok(Reply::json(json!({"indices": out})))
}

/// `_ingest/pipeline[/{id}]`.
pub(super) fn ingest(call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::GET, ["pipeline"]) => Ok(Reply::json(json!({}))),
        (&Method::GET | &Method::HEAD, ["pipeline", name]) => {
            let status = if name.contains('*') { 200 } else { 404 };
            Ok(Reply::status(status, json!({})))
        }
        (&Method::PUT, ["pipeline", _]) => Err(EsError::unsupported("ingest pipeline")),
        (&Method::DELETE, ["pipeline", name]) => Err(EsError::resource_not_found(format!(
            "pipeline [{name}] is missing"
        ))),
        (&Method::GET, ["processor", "grok"]) => Err(EsError::unsupported("grok patterns")),
        _ => Err(no_handler(call)),
    }
}
