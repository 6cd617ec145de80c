//! Dashboards and saved views: documents that pages keep.
//!
//! Invariants: at most [`MAX_OBJECTS`] of a kind; a list leaves the insides out; a shipped dashboard is
//! there until a document of its name is, and is never changed or deleted itself.

use std::sync::Arc;

use http::Method;
use serde_json::Value as Json;
use tonic::{Code, Request, Response, Status};
use wharf_monitor_core::object::{ObjectError, of_dashboard, of_view, to_dashboard, to_view};
use wharf_monitor_core::shipped_dashboards as shipped;
use wharf_monitor_core::version::Version;
use wharf_monitor_core::watch::is_name;
use wharf_proto::listing::Value;
use wharf_proto::monitor::v1;
use wharf_services::monitor::v1::dashboards_server::Dashboards;
use wharf_services::monitor::v1::saved_views_server::SavedViews;

use super::{condition, expected, page, version_of};
use crate::indices;
use crate::monitor::Monitor;
use crate::status::{conflict, field_status, internal, not_found, of_storage};
use crate::storage::escaped;

const MAX_OBJECTS: usize = 1_000;

struct Object {
    name: String,
    version: Version,
    document: Json,
}

fn wrong(prefix: &str, error: ObjectError) -> Status {
    let field = format!("{prefix}.{}", error.field);
    field_status(&field, error.message, "change the request accordingly")
}

async fn list(monitor: &Monitor, index: &str) -> Result<Vec<Object>, Status> {
    let found = monitor.storage.list(index, MAX_OBJECTS, true).await;
    let found = found.map_err(|error| of_storage(&error))?;
    let object = |found: crate::storage::Found| Object {
        version: Version {
            seq_no: found.seq_no,
            primary_term: found.primary_term,
        },
        document: found
            .source
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default(),
        name: found.id,
    };
    Ok(found.into_iter().map(object).collect())
}

async fn get(monitor: &Monitor, index: &str, noun: &str, name: &str) -> Result<Object, Status> {
    if !is_name(name) {
        return Err(not_found(noun, name));
    }
    let path = format!("/{index}/_doc/{}", escaped(name));
    let answer = monitor.storage.call(Method::GET, &path, None).await;
    let answer = answer.map_err(|error| match error {
        error if error.is_not_found() => not_found(noun, name),
        error => of_storage(&error),
    })?;
    let version = version_of(&answer).ok_or_else(|| internal("an answer without a version"))?;
    Ok(Object {
        name: name.to_owned(),
        version,
        document: answer.get("_source").cloned().unwrap_or_default(),
    })
}

async fn put(
    monitor: &Monitor,
    index: &str,
    noun: &str,
    name: &str,
    document: &Json,
    version: Option<Version>,
    create: bool,
) -> Result<Version, Status> {
    let id = escaped(name);
    let path = if create {
        format!("/{index}/_create/{id}")
    } else {
        format!("/{index}/_doc/{id}{}", condition(version))
    };
    let answer = monitor
        .storage
        .call_once(Method::PUT, &path, Some(document))
        .await;
    let answer = answer.map_err(|error| match error {
        error if error.is_conflict() => conflict(noun, name),
        error => of_storage(&error),
    })?;
    version_of(&answer).ok_or_else(|| internal("an answer without a version"))
}

async fn delete(
    monitor: &Monitor,
    index: &str,
    noun: &str,
    name: &str,
    expected_version: &str,
) -> Result<(), Status> {
    if !is_name(name) {
        return Err(not_found(noun, name));
    }
    let version = expected(expected_version)?;
    let path = format!("/{index}/_doc/{}{}", escaped(name), condition(version));
    let answer = monitor.storage.call_once(Method::DELETE, &path, None).await;
    answer.map(drop).map_err(|error| match error {
        error if error.is_not_found() => not_found(noun, name),
        error if error.is_conflict() => conflict(noun, name),
        error => of_storage(&error),
    })
}

/// Dashboards.
pub(crate) struct DashboardsApi(pub(crate) Arc<Monitor>);

fn dashboard(object: &Object) -> v1::Dashboard {
    let origin = if shipped::is_shipped(&object.name) {
        v1::Origin::Overridden
    } else {
        v1::Origin::Own
    };
    v1::Dashboard {
        version: object.version.to_string(),
        origin: origin.into(),
        ..to_dashboard(&object.name, &object.document)
    }
}

/// What lists are ordered and filtered by.
const DASHBOARD_FIELDS: [&str; 4] = ["name", "title", "origin", "changed"];

fn dashboard_field(row: &v1::Dashboard, field: &str) -> Value {
    match field {
        "title" => row.title.as_str().into(),
        "origin" => match row.origin() {
            v1::Origin::Shipped => "shipped".into(),
            v1::Origin::Overridden => "overridden".into(),
            _ => "own".into(),
        },
        "changed" => row
            .changed_at
            .and_then(|at| u64::try_from(at.seconds).ok())
            .unwrap_or_default()
            .into(),
        _ => row.name.as_str().into(),
    }
}

#[tonic::async_trait]
impl Dashboards for DashboardsApi {
    async fn list_dashboards(
        &self,
        request: Request<v1::ListDashboardsRequest>,
    ) -> Result<Response<v1::ListDashboardsResponse>, Status> {
        let message = request.into_inner();
        let kept = list(&self.0, indices::DASHBOARDS).await?;
        let rows = shipped::dashboards()
            .filter(|one| kept.iter().all(|object| object.name != one.name))
            .chain(kept.iter().map(dashboard))
            .map(|row| v1::Dashboard {
                document_json: String::new(),
                ..row
            });
        let id = |row: &v1::Dashboard| row.name.clone();
        let page = page(
            message.options.as_ref(),
            &DASHBOARD_FIELDS,
            "",
            rows,
            dashboard_field,
            id,
        )?;
        Ok(Response::new(v1::ListDashboardsResponse {
            info: Some(page.info()),
            dashboards: page.rows,
        }))
    }

    async fn get_dashboard(
        &self,
        request: Request<v1::GetDashboardRequest>,
    ) -> Result<Response<v1::Dashboard>, Status> {
        let name = request.into_inner().name;
        match get(&self.0, indices::DASHBOARDS, "dashboard", &name).await {
            Ok(object) => Ok(Response::new(dashboard(&object))),
            Err(status) if status.code() == Code::NotFound => {
                shipped::dashboard(&name).map(Response::new).ok_or(status)
            }
            Err(status) => Err(status),
        }
    }

    async fn put_dashboard(
        &self,
        request: Request<v1::PutDashboardRequest>,
    ) -> Result<Response<v1::Dashboard>, Status> {
        let message = request.into_inner();
        let given = message.dashboard.unwrap_or_default();
        let document = of_dashboard(&given, self.0.now_ms());
        let document = document.map_err(|error| wrong("dashboard", error))?;
        let version = expected(&message.expected_version)?;
        if version.is_none() && shipped::is_shipped(&given.name) {
            return Err(field_status(
                "dashboard.name",
                format!("`{}` is the name of a shipped dashboard", given.name),
                "give your own another name",
            ));
        }
        let (index, create) = (indices::DASHBOARDS, message.create);
        let put = put(
            &self.0,
            index,
            "dashboard",
            &given.name,
            &document,
            version,
            create,
        );
        let object = Object {
            version: put.await?,
            name: given.name,
            document,
        };
        Ok(Response::new(dashboard(&object)))
    }

    async fn delete_dashboard(
        &self,
        request: Request<v1::DeleteDashboardRequest>,
    ) -> Result<Response<v1::DeleteDashboardResponse>, Status> {
        let message = request.into_inner();
        let version = &message.expected_version;
        let deleted = delete(
            &self.0,
            indices::DASHBOARDS,
            "dashboard",
            &message.name,
            version,
        )
        .await;
        deleted.map_err(|status| match status.code() {
            Code::NotFound if shipped::is_shipped(&message.name) => field_status(
                "name",
                "a shipped dashboard cannot be deleted",
                "leave it; those of your own can be",
            ),
            _ => status,
        })?;
        Ok(Response::new(v1::DeleteDashboardResponse {}))
    }
}

/// Saved views.
pub(crate) struct ViewsApi(pub(crate) Arc<Monitor>);

fn view(object: &Object) -> v1::SavedView {
    v1::SavedView {
        version: object.version.to_string(),
        origin: v1::Origin::Own.into(),
        ..to_view(&object.name, &object.document)
    }
}

#[tonic::async_trait]
impl SavedViews for ViewsApi {
    async fn list_saved_views(
        &self,
        request: Request<v1::ListSavedViewsRequest>,
    ) -> Result<Response<v1::ListSavedViewsResponse>, Status> {
        let message = request.into_inner();
        let rows = list(&self.0, indices::VIEWS).await?;
        let rows = rows.iter().map(|object| v1::SavedView {
            document_json: String::new(),
            ..view(object)
        });
        let field = |row: &v1::SavedView, field: &str| -> Value {
            match field {
                "title" => row.title.as_str().into(),
                "page" => row.page.as_str().into(),
                _ => row.name.as_str().into(),
            }
        };
        let (fields, id) = (["name", "title", "page"], |row: &v1::SavedView| {
            row.name.clone()
        });
        let page = page(message.options.as_ref(), &fields, "", rows, field, id)?;
        Ok(Response::new(v1::ListSavedViewsResponse {
            info: Some(page.info()),
            views: page.rows,
        }))
    }

    async fn get_saved_view(
        &self,
        request: Request<v1::GetSavedViewRequest>,
    ) -> Result<Response<v1::SavedView>, Status> {
        let name = request.into_inner().name;
        let object = get(&self.0, indices::VIEWS, "saved view", &name).await?;
        Ok(Response::new(view(&object)))
    }

    async fn put_saved_view(
        &self,
        request: Request<v1::PutSavedViewRequest>,
    ) -> Result<Response<v1::SavedView>, Status> {
        let message = request.into_inner();
        let given = message.view.unwrap_or_default();
        let document = of_view(&given, self.0.now_ms());
        let document = document.map_err(|error| wrong("view", error))?;
        let version = expected(&message.expected_version)?;
        let (index, create) = (indices::VIEWS, message.create);
        let put = put(
            &self.0,
            index,
            "saved view",
            &given.name,
            &document,
            version,
            create,
        );
        let object = Object {
            version: put.await?,
            name: given.name,
            document,
        };
        Ok(Response::new(view(&object)))
    }

    async fn delete_saved_view(
        &self,
        request: Request<v1::DeleteSavedViewRequest>,
    ) -> Result<Response<v1::DeleteSavedViewResponse>, Status> {
        let message = request.into_inner();
        let version = &message.expected_version;
        delete(
            &self.0,
            indices::VIEWS,
            "saved view",
            &message.name,
            version,
        )
        .await?;
        Ok(Response::new(v1::DeleteSavedViewResponse {}))
    }
}
