//! Documents that pages keep, as dashboards and saved views have them in common; and saved views.
//!
//! Invariants: at most [`MAX_OBJECTS`] of a kind; a list leaves the insides out.
//! Not here: dashboards (`dashboards`).

use std::sync::Arc;

use http::Method;
use serde_json::Value as Json;
use tonic::{Request, Response, Status};
use wharf_monitor_core::object::{ObjectError, of_view, to_view};
use wharf_monitor_core::version::Version;
use wharf_monitor_core::watch::is_name;
use wharf_proto::listing::Value;
use wharf_proto::monitor::v1;
use wharf_services::monitor::v1::saved_views_server::SavedViews;

use super::{expected, of_write, page, version_of};
use crate::indices;
use crate::monitor::Monitor;
use crate::status::{conflict, field_status, internal, not_found, of_storage};
use crate::storage::escaped;

const MAX_OBJECTS: usize = 1_000;

/// A document with its version.
pub(super) struct Object {
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) document: Json,
}

/// A field of what was sent is wrong.
pub(super) fn wrong(prefix: &str, error: ObjectError) -> Status {
    let field = format!("{prefix}.{}", error.field);
    field_status(&field, error.message, "change the request accordingly")
}

/// Every document of a kind.
pub(super) async fn list(monitor: &Monitor, index: &str) -> Result<Vec<Object>, Status> {
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

/// One document.
pub(super) async fn get(
    monitor: &Monitor,
    index: &str,
    noun: &str,
    name: &str,
) -> Result<Object, Status> {
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

/// Writes one, over that version where one is given.
pub(super) async fn put(
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
        format!("/{index}/_create/{id}{}", of_write(None))
    } else {
        format!("/{index}/_doc/{id}{}", of_write(version))
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

/// Deletes one of that version, or of any.
pub(super) async fn delete(
    monitor: &Monitor,
    index: &str,
    noun: &str,
    name: &str,
    version: Option<Version>,
) -> Result<(), Status> {
    if !is_name(name) {
        return Err(not_found(noun, name));
    }
    let path = format!("/{index}/_doc/{}{}", escaped(name), of_write(version));
    let answer = monitor.storage.call_once(Method::DELETE, &path, None).await;
    answer.map(drop).map_err(|error| match error {
        error if error.is_not_found() => not_found(noun, name),
        error if error.is_conflict() => conflict(noun, name),
        error => of_storage(&error),
    })
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
        let version = expected(&message.expected_version)?;
        let (index, name) = (indices::VIEWS, &message.name);
        delete(&self.0, index, "saved view", name, version).await?;
        Ok(Response::new(v1::DeleteSavedViewResponse {}))
    }
}
