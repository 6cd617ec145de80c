//! Searches that are handed through, what can be searched, and the summary of services.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value as Json;
use tonic::{Code, Request, Response, Status};
use wharf_monitor_core::input::Span;
use wharf_monitor_core::search::{MAX_ANSWER_BYTES, SearchError, check};
use wharf_monitor_core::services::{Source, summarise};
use wharf_monitor_core::{fields, retention, streams};
use wharf_proto::listing::Value;
use wharf_proto::monitor::v1;
use wharf_services::monitor::v1::search_server::Search;
use wharf_services::monitor::v1::services_server::Services;

use super::page;
use crate::codes;
use crate::monitor::Monitor;
use crate::status::{coded_status, field_status, of_storage};
use crate::storage::{StorageError, escaped};

const FIELDS: [&str; 11] = [
    "name",
    "kind",
    "requests",
    "errors",
    "error_ratio",
    "latency_p95_ms",
    "lines",
    "error_lines",
    "restarts",
    "cpu_percent",
    "memory_bytes",
];
const STREAM_FIELDS: [&str; 6] = [
    "name",
    "documents",
    "size_bytes",
    "last_at",
    "indices",
    "is_index",
];
/// More of them, where retention is asked for.
const RETENTION_FIELDS: [&str; 4] = ["rule", "policy", "deletes_after_ms", "since"];
const DEFAULT_WINDOW_MS: u64 = 15 * 60_000;
const MAX_WINDOW_MS: u64 = 24 * 3_600_000;
const SUMMARY_TIMEOUT: Duration = Duration::from_secs(20);

/// Searches that are handed through, and what can be searched.
pub(crate) struct SearchApi(pub(crate) Arc<Monitor>);

fn of_search(error: SearchError) -> Status {
    field_status(error.field, error.message, "change the request")
}

fn stream_field(row: &v1::DataStream, field: &str) -> Value {
    match field {
        "documents" => row.documents.into(),
        "size_bytes" => row.size_bytes.into(),
        "last_at" => row
            .last_at
            .as_ref()
            .map_or(0, wharf_proto::times::millis)
            .into(),
        "indices" => row.indices.into(),
        "is_index" => row.is_index.into(),
        "rule" | "policy" | "deletes_after_ms" | "since" => {
            retention_field(&row.retention.clone().unwrap_or_default(), field)
        }
        _ => row.name.as_str().into(),
    }
}

fn retention_field(retention: &v1::Retention, field: &str) -> Value {
    match field {
        "policy" => retention.policy.as_str().into(),
        // What is never deleted is kept longest; what is not told is before everything.
        "deletes_after_ms" => match (retention.deletes_after_ms, retention.rule()) {
            (Some(ms), _) => (ms as f64).into(),
            (None, v1::RetentionRule::None) => f64::INFINITY.into(),
            (None, _) => (-1.0).into(),
        },
        "since" => retention
            .since
            .as_ref()
            .map_or(0, wharf_proto::times::millis)
            .into(),
        _ => retention::word(retention.rule()).into(),
    }
}

/// What a storage said to a question that it need not know.
#[derive(Debug, PartialEq)]
enum Heard {
    Answer(Json),
    Unknown,
    Refused,
}

impl Heard {
    const fn answer(&self) -> Option<&Json> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Unknown | Self::Refused => None,
        }
    }
}

impl SearchApi {
    /// The answer to a question that not every storage knows, or answers to us.
    async fn if_known(&self, path: &str) -> Result<Heard, StorageError> {
        match self.0.storage.call(Method::GET, path, None).await {
            Ok(answer) => Ok(Heard::Answer(answer)),
            Err(error) if error.is_unknown() => Ok(Heard::Unknown),
            Err(error) if error.is_forbidden() => Ok(Heard::Refused),
            Err(error) => Err(error),
        }
    }
}

#[tonic::async_trait]
impl Search for SearchApi {
    async fn search(
        &self,
        request: Request<v1::SearchRequest>,
    ) -> Result<Response<v1::SearchResponse>, Status> {
        let search = check(&request.into_inner()).map_err(of_search)?;
        let begin = Instant::now();
        let timeout = Duration::from_millis(search.timeout_ms);
        let answer = self
            .0
            .storage
            .search(&search.indices, &search.body, timeout);
        let answer = answer.await.map_err(|error| of_storage(&error))?;
        let response_json = answer.to_string();
        if response_json.len() > MAX_ANSWER_BYTES {
            return Err(coded_status(
                Code::ResourceExhausted,
                codes::REFUSED,
                format!("the answer is larger than {MAX_ANSWER_BYTES} bytes"),
                "ask for fewer documents, fields or buckets",
            ));
        }
        Ok(Response::new(v1::SearchResponse {
            response_json,
            duration_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        }))
    }

    async fn list_fields(
        &self,
        request: Request<v1::ListFieldsRequest>,
    ) -> Result<Response<v1::ListFieldsResponse>, Status> {
        let asked = fields::check(&request.into_inner()).map_err(of_search)?;
        let path = format!(
            "/{}/_field_caps?fields={}*&ignore_unavailable=true&allow_no_indices=true",
            asked.indices,
            escaped(&asked.prefix)
        );
        let answer = self.0.storage.call(Method::GET, &path, None).await;
        let mut fields = fields::rows(&answer.map_err(|error| of_storage(&error))?);
        let total = u32::try_from(fields.len()).unwrap_or(u32::MAX);
        fields.truncate(asked.limit);
        Ok(Response::new(v1::ListFieldsResponse { fields, total }))
    }

    async fn list_data_streams(
        &self,
        request: Request<v1::ListDataStreamsRequest>,
    ) -> Result<Response<v1::ListDataStreamsResponse>, Status> {
        let message = request.into_inner();
        let get = |path: &'static str| self.0.storage.call(Method::GET, path, None);
        let visible = async {
            if !message.with_indices {
                return Ok(None);
            }
            get(streams::VISIBLE_INDICES).await.map(Some)
        };
        let answers = futures::try_join!(
            get(streams::STREAMS),
            get(streams::STREAM_STATS),
            get(streams::ALL_INDICES),
            visible
        );
        let (names, stats, all, visible) = answers.map_err(|error| of_storage(&error))?;
        let mut rows = streams::rows(&names, &stats, &all, visible.as_ref());
        let mut fields = STREAM_FIELDS.to_vec();
        if message.with_retention {
            let answers = futures::try_join!(
                self.if_known(retention::LIFECYCLES),
                self.if_known(retention::POLICIES),
                self.if_known(retention::SETTINGS),
            );
            let (lifecycles, policies, settings) = answers.map_err(|error| of_storage(&error))?;
            let told = retention::Told {
                lifecycles: lifecycles.answer(),
                are_lifecycles_refused: lifecycles == Heard::Refused,
                policies: policies.answer(),
                settings: settings.answer(),
            };
            retention::fill(&mut rows, &names, &told);
            fields.extend(RETENTION_FIELDS);
        }
        let options = message.options.as_ref();
        let id = |row: &v1::DataStream| row.name.clone();
        let page = page(options, &fields, "name", rows, stream_field, id)?;
        Ok(Response::new(v1::ListDataStreamsResponse {
            info: Some(page.info()),
            data_streams: page.rows,
        }))
    }
}

/// The summary of services.
pub(crate) struct ServicesApi(pub(crate) Arc<Monitor>);

fn field(row: &v1::ServiceSummary, field: &str) -> Value {
    let count = |count: Option<u64>| count.map_or(-1.0, |count| count as f64).into();
    let share = |share: Option<f64>| share.unwrap_or(-1.0).into();
    match field {
        "kind" => {
            let name = row.kind().as_str_name().to_lowercase();
            name.trim_start_matches("service_kind_").into()
        }
        "requests" => count(row.requests),
        "errors" => count(row.errors),
        "error_ratio" => share(row.error_ratio),
        "latency_p95_ms" => share(row.latency_p95_ms),
        "lines" => row.lines.into(),
        "error_lines" => row.error_lines.into(),
        "restarts" => row.restarts.into(),
        "cpu_percent" => share(row.cpu_percent),
        "memory_bytes" => count(row.memory_bytes),
        _ => row.name.as_str().into(),
    }
}

#[tonic::async_trait]
impl Services for ServicesApi {
    async fn list_services(
        &self,
        request: Request<v1::ListServicesRequest>,
    ) -> Result<Response<v1::ListServicesResponse>, Status> {
        let message = request.into_inner();
        let window_ms = match message.window_ms {
            0 => DEFAULT_WINDOW_MS,
            ms if ms <= MAX_WINDOW_MS => ms,
            _ => {
                let text = format!("must be at most {MAX_WINDOW_MS}, a day");
                return Err(field_status("window_ms", text, "ask for a shorter time"));
            }
        };
        let now_ms = self.0.now_ms();
        // What is to come has nothing in it.
        let to_ms = match message.until_ms {
            0 => now_ms,
            ms => ms.min(now_ms),
        };
        let span = Span {
            from_ms: to_ms.saturating_sub(window_ms),
            to_ms,
        };
        let searches = Source::ALL.map(|source| async move {
            let body = source.body(span);
            let answer = self
                .0
                .storage
                .search(source.index(), &body, SUMMARY_TIMEOUT);
            (source, answer.await)
        });
        let mut answers = BTreeMap::new();
        for (source, answer) in futures::future::join_all(searches).await {
            match answer {
                Ok(answer) => drop(answers.insert(source, answer)),
                Err(error) if error.may_pass() => return Err(of_storage(&error)),
                Err(error) => {
                    tracing::warn!(%error, index = source.index(), "a part of the summary is missing")
                }
            }
        }
        let summary = summarise(&answers);
        let id = |row: &v1::ServiceSummary| format!("{} {}", row.kind, row.name);
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            "",
            summary.rows,
            field,
            id,
        )?;
        Ok(Response::new(v1::ListServicesResponse {
            info: Some(page.info()),
            services: page.rows,
            remarks: summary.remarks,
        }))
    }
}
