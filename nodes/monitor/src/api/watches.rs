//! Watches: read, changed, run, tried out; and their history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use http::Method;
use serde_json::json;
use tonic::{Code, Request, Response, Status};
use wharf_monitor_core::alerts::WatchAlerts;
use wharf_monitor_core::catalog::{Entry, Stored, to_store};
use wharf_monitor_core::document::{self, DocumentError};
use wharf_monitor_core::history::{self, Facts};
use wharf_monitor_core::preview::{self, Preview};
use wharf_monitor_core::version::Version;
use wharf_monitor_core::watch::Watch;
use wharf_monitor_core::{api, shipped};
use wharf_proto::listing::Value;
use wharf_proto::monitor::v1;
use wharf_proto::times::{millis, rfc3339};
use wharf_services::monitor::v1::watches_server::Watches;

use super::{expected, of_write, page, version_of};
use crate::monitor::Monitor;
use crate::slot::Slot;
use crate::status::{coded_status, conflict, field_status, internal, not_found, of_storage};
use crate::storage::escaped;
use crate::{codes, indices, load, run};

const FIELDS: [&str; 8] = [
    "name",
    "severity",
    "enabled",
    "origin",
    "outcome",
    "firing",
    "broken",
    "last_run_at",
];
const RUN_FIELDS: [&str; 6] = [
    "started_at",
    "id",
    "watch",
    "outcome",
    "cause",
    "duration_ms",
];
/// Runs that a list looks at, the latest.
const MAX_RUNS: usize = 2_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// The service.
pub(crate) struct WatchesApi(pub(crate) Arc<Monitor>);

fn word(name: &str) -> String {
    let word = name.rsplit('_').next().unwrap_or_default();
    word.to_lowercase()
}

fn field(watch: &v1::Watch, field: &str) -> Value {
    let spec = watch.spec.as_ref();
    match field {
        "severity" => {
            let name = spec.map_or("", |spec| spec.severity().as_str_name());
            word(name).into()
        }
        "enabled" => spec.is_some_and(|spec| spec.enabled).into(),
        "origin" => word(watch.origin().as_str_name()).into(),
        "outcome" => word(watch.last_outcome().as_str_name()).into(),
        "firing" => watch.firing.into(),
        "broken" => (!watch.broken.is_empty()).into(),
        "last_run_at" => watch.last_run_at.as_ref().map_or(0, millis).into(),
        _ => watch.name.as_str().into(),
    }
}

fn run_field(run: &v1::WatchRun, field: &str) -> Value {
    match field {
        "started_at" => run.started_at.as_ref().map_or(0, millis).into(),
        "watch" => run.watch.as_str().into(),
        "outcome" => word(run.outcome().as_str_name()).into(),
        "cause" => run
            .cause()
            .as_str_name()
            .trim_start_matches("RUN_CAUSE_")
            .to_lowercase()
            .into(),
        "duration_ms" => run.duration_ms.into(),
        _ => run.id.as_str().into(),
    }
}

fn wrong(error: &DocumentError) -> Status {
    let field = match error.field.as_str() {
        "" => "document",
        field => field,
    };
    field_status(
        field,
        error.to_string(),
        "docs/guide/watches.md has the schema",
    )
}

impl WatchesApi {
    fn slot(&self, name: &str) -> Result<(Arc<Slot>, Arc<Entry>), Status> {
        let slot = self.0.slot(name).ok_or_else(|| not_found("watch", name))?;
        let entry = slot.entry().ok_or_else(|| not_found("watch", name))?;
        Ok((slot, entry))
    }

    async fn message(&self, name: &str) -> Result<Response<v1::Watch>, Status> {
        let (slot, _) = self.slot(name)?;
        let message = slot.to_message().await;
        message
            .map(Response::new)
            .ok_or_else(|| not_found("watch", name))
    }

    /// The watch in force of this name.
    fn in_force(&self, name: &str) -> Result<(Arc<Slot>, Arc<Entry>, Watch), Status> {
        let (slot, entry) = self.slot(name)?;
        let watch = entry.watch.clone().ok_or_else(|| {
            let text = entry.broken.as_ref().map(ToString::to_string);
            coded_status(
                Code::FailedPrecondition,
                codes::BROKEN,
                format!(
                    "the document of `{name}` is no watch: {}",
                    text.unwrap_or_default()
                ),
                "put it right, then try again",
            )
        })?;
        Ok((slot, entry, watch))
    }

    fn referred(&self, watch: Option<v1::WatchRef>) -> Result<Watch, Status> {
        match watch.and_then(|watch| watch.watch) {
            Some(v1::watch_ref::Watch::Name(name)) => Ok(self.in_force(&name)?.2),
            Some(v1::watch_ref::Watch::Document(text)) => {
                document::from_text(&text).map_err(|error| wrong(&error))
            }
            Some(v1::watch_ref::Watch::Spec(spec)) => {
                api::from_spec(&spec).map_err(|error| wrong(&error))
            }
            None => Err(field_status(
                "watch",
                "is missing",
                "name a watch or give one",
            )),
        }
    }

    async fn put(
        &self,
        watch: &Watch,
        version: Option<Version>,
        create: bool,
    ) -> Result<Response<v1::Watch>, Status> {
        let name = &watch.name;
        let held = self.0.documents.lock().await;
        if create && self.0.slot(name).is_some_and(|slot| slot.entry().is_some()) {
            return Err(conflict("watch", name));
        }
        let Some(source) = to_store(watch).map_err(internal)? else {
            // It is as it was shipped: no document is needed.
            drop(held);
            if self.slot(name)?.1.version.is_some() {
                self.remove(name, version).await?;
            }
            return self.message(name).await;
        };
        let path = match create {
            true => format!(
                "/{}/_create/{}{}",
                indices::WATCHES,
                escaped(name),
                of_write(None)
            ),
            false => format!(
                "/{}/_doc/{}{}",
                indices::WATCHES,
                escaped(name),
                of_write(version)
            ),
        };
        let answer = self
            .0
            .storage
            .call_once(Method::PUT, &path, Some(&source))
            .await;
        let answer = answer.map_err(|error| match error {
            error if error.is_conflict() => conflict("watch", name),
            error => of_storage(&error),
        })?;
        let version = version_of(&answer).ok_or_else(|| internal("an answer without a version"))?;
        let stored = Stored {
            name: name.clone(),
            version,
            source,
        };
        load::take_in(&self.0, stored).await;
        self.message(name).await
    }

    async fn remove(&self, name: &str, version: Option<Version>) -> Result<(), Status> {
        let _held = self.0.documents.lock().await;
        let path = format!(
            "/{}/_doc/{}{}",
            indices::WATCHES,
            escaped(name),
            of_write(version)
        );
        let answer = self.0.storage.call_once(Method::DELETE, &path, None).await;
        answer.map_err(|error| match error {
            error if error.is_not_found() => not_found("document of a watch", name),
            error if error.is_conflict() => conflict("watch", name),
            error => of_storage(&error),
        })?;
        self.0.versions().remove(name);
        load::remove(&self.0, name).await;
        self.0.wake.notify_one();
        Ok(())
    }

    async fn switch(
        &self,
        name: &str,
        version: &str,
        on: bool,
    ) -> Result<Response<v1::Watch>, Status> {
        let (_, entry, watch) = self.in_force(name)?;
        if entry.broken.is_some() {
            return Err(coded_status(
                Code::FailedPrecondition,
                codes::BROKEN,
                format!("the document of `{name}` is no watch"),
                "put it right or delete it first",
            ));
        }
        let version = expected(version)?.or(entry.version);
        let watch = Watch {
            enabled: on,
            ..watch
        };
        self.put(&watch, version, false).await
    }
}

#[tonic::async_trait]
impl Watches for WatchesApi {
    async fn list_watches(
        &self,
        request: Request<v1::ListWatchesRequest>,
    ) -> Result<Response<v1::ListWatchesResponse>, Status> {
        let message = request.into_inner();
        let mut rows = Vec::new();
        for slot in self.0.slots() {
            rows.extend(slot.to_message().await);
        }
        let id = |watch: &v1::Watch| watch.name.clone();
        let page = page(message.options.as_ref(), &FIELDS, "", rows, field, id)?;
        Ok(Response::new(v1::ListWatchesResponse {
            info: Some(page.info()),
            watches: page.rows,
        }))
    }

    async fn get_watch(
        &self,
        request: Request<v1::GetWatchRequest>,
    ) -> Result<Response<v1::Watch>, Status> {
        self.message(&request.into_inner().name).await
    }

    async fn put_watch(
        &self,
        request: Request<v1::PutWatchRequest>,
    ) -> Result<Response<v1::Watch>, Status> {
        let message = request.into_inner();
        let watch = match &message.watch {
            Some(v1::put_watch_request::Watch::Document(text)) => document::from_text(text),
            Some(v1::put_watch_request::Watch::Spec(spec)) => api::from_spec(spec),
            None => {
                let hint = "give a document or a specification";
                return Err(field_status("watch", "is missing", hint));
            }
        };
        let watch = watch.map_err(|error| wrong(&error))?;
        let version = expected(&message.expected_version)?;
        self.put(&watch, version, message.create).await
    }

    async fn delete_watch(
        &self,
        request: Request<v1::DeleteWatchRequest>,
    ) -> Result<Response<v1::DeleteWatchResponse>, Status> {
        let message = request.into_inner();
        let (_, entry) = self.slot(&message.name)?;
        if entry.version.is_none() {
            return Err(field_status(
                "name",
                "a shipped watch cannot be deleted",
                "disable it",
            ));
        }
        let version = expected(&message.expected_version)?;
        self.remove(&message.name, version).await?;
        let shipped = match shipped::text(&message.name) {
            Some(_) => Some(self.message(&message.name).await?.into_inner()),
            None => None,
        };
        Ok(Response::new(v1::DeleteWatchResponse { shipped }))
    }

    async fn enable_watch(
        &self,
        request: Request<v1::EnableWatchRequest>,
    ) -> Result<Response<v1::Watch>, Status> {
        let message = request.into_inner();
        self.switch(&message.name, &message.expected_version, true)
            .await
    }

    async fn disable_watch(
        &self,
        request: Request<v1::DisableWatchRequest>,
    ) -> Result<Response<v1::Watch>, Status> {
        let message = request.into_inner();
        self.switch(&message.name, &message.expected_version, false)
            .await
    }

    async fn run_watch(
        &self,
        request: Request<v1::RunWatchRequest>,
    ) -> Result<Response<v1::WatchRun>, Status> {
        let name = request.into_inner().name;
        let (slot, entry, watch) = self.in_force(&name)?;
        let turn = slot.turn().ok_or_else(|| {
            coded_status(
                Code::Aborted,
                codes::CONFLICT,
                format!("the watch `{name}` runs right now"),
                "try again in a moment",
            )
        })?;
        let monitor = Arc::clone(&self.0);
        // A client that goes away does not end a run half way.
        let running = wharf_runtime::task::spawn(format!("watch {name}"), async move {
            let at_ms = monitor.now_ms();
            let cause = v1::RunCause::Manual;
            let record = run::run(&monitor, &slot, &entry, &watch, cause, at_ms).await;
            drop(turn);
            record
        });
        let record = running.await.map_err(internal)?;
        record
            .map(Response::new)
            .ok_or_else(|| internal("the run could not be kept"))
    }

    async fn test_watch(
        &self,
        request: Request<v1::TestWatchRequest>,
    ) -> Result<Response<v1::WatchRun>, Status> {
        let message = request.into_inner();
        let watch = self.referred(message.watch)?;
        let now_ms = self.0.now_ms();
        let at_ms = message.at.as_ref().map_or(now_ms, millis);
        let begin = Instant::now();
        let (query, answer) = run::search(&self.0, &watch, at_ms).await;
        let facts = Facts {
            id: "",
            watch: &watch,
            version: "",
            cause: v1::RunCause::Test,
            scheduled_ms: at_ms,
            started_ms: now_ms,
            duration_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
            query: &query,
        };
        let record = match answer {
            Ok(answer) => {
                let mut alerts = WatchAlerts::new(watch.name.clone());
                history::of_run(&facts, &alerts.observe(&watch, &answer, at_ms, now_ms))
            }
            Err(error) => history::of_failure(&facts, run::code(&error), &error.to_string()),
        };
        Ok(Response::new(record))
    }

    async fn preview_watch(
        &self,
        request: Request<v1::PreviewWatchRequest>,
    ) -> Result<Response<v1::PreviewWatchResponse>, Status> {
        let message = request.into_inner();
        let watch = self.referred(message.watch)?;
        let to_ms = message.to.as_ref().map_or_else(|| self.0.now_ms(), millis);
        let from_ms = message
            .from
            .as_ref()
            .map_or(to_ms.saturating_sub(DAY_MS), millis);
        let plan = preview::plan(&watch, from_ms, to_ms);
        let mut preview = Preview::new(&watch, &plan);
        for at_ms in &plan.times {
            let (_, answer) = run::search(&self.0, &watch, *at_ms).await;
            match answer {
                Ok(answer) => preview.observe(&watch, &answer, *at_ms),
                Err(error) if error.may_pass() => return Err(of_storage(&error)),
                Err(error) => preview.failed(&error.to_string()),
            }
        }
        Ok(Response::new(preview.finish()))
    }

    async fn list_runs(
        &self,
        request: Request<v1::ListRunsRequest>,
    ) -> Result<Response<v1::ListRunsResponse>, Status> {
        let message = request.into_inner();
        let from_ms = message.from.as_ref().map_or(0, millis);
        let to_ms = message.to.as_ref().map_or(u64::MAX, millis);
        let mut filter = Vec::new();
        if !message.watch.is_empty() {
            filter.push(json!({"term": {"watch": message.watch}}));
        }
        if message.from.is_some() {
            filter.push(json!({"range": {"@timestamp": {"gte": rfc3339(from_ms)}}}));
        }
        if message.to.is_some() {
            filter.push(json!({"range": {"@timestamp": {"lt": rfc3339(to_ms)}}}));
        }
        let body = json!({
            "size": MAX_RUNS, "query": {"bool": {"filter": filter}},
            "sort": [{"@timestamp": "desc"}], "_source": ["run"],
        });
        let path = format!("/{}/_search", indices::HISTORY);
        let answer = self.0.storage.call(Method::POST, &path, Some(&body)).await;
        let answer = answer.map_err(|error| of_storage(&error))?;
        let hits = answer
            .pointer("/hits/hits")
            .and_then(serde_json::Value::as_array);
        let stored = hits
            .into_iter()
            .flatten()
            .filter_map(|hit| hit.get("_source").cloned());
        // What waits on disk is newer than what is stored.
        let waiting = self.0.ledger.of_index(indices::HISTORY);
        let waiting = waiting.into_iter().filter_map(|doc| doc.source);
        let runs: BTreeMap<String, v1::WatchRun> = stored
            .chain(waiting)
            .filter_map(|document| history::from_document(&document))
            .filter(|run| {
                let at = run.started_at.as_ref().map_or(0, millis);
                let is_of = message.watch.is_empty() || message.watch == run.watch;
                is_of && at >= from_ms && at < to_ms
            })
            .map(|run| (run.id.clone(), run))
            .collect();
        let id = |run: &v1::WatchRun| run.id.clone();
        let options = message.options.as_ref();
        let page = page(
            options,
            &RUN_FIELDS,
            "started_at desc",
            runs.into_values(),
            run_field,
            id,
        )?;
        Ok(Response::new(v1::ListRunsResponse {
            info: Some(page.info()),
            runs: page.rows,
        }))
    }
}
