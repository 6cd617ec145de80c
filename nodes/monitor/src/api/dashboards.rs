//! Dashboards and what they were before.
//!
//! Invariants: a shipped dashboard is there until a document of its name is, and is never changed or deleted itself; what
//! is replaced or deleted is kept as a version first, and it is that version which is replaced, never one that nobody
//! kept; a list leaves the insides out.
//! Not here: which versions stay (core `versions`).

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};
use wharf_monitor_core::object::{of_dashboard, to_dashboard};
use wharf_monitor_core::shipped_dashboards as shipped;
use wharf_monitor_core::version::Version;
use wharf_monitor_core::versions::{SHIPPED, Token, rows};
use wharf_monitor_core::watch::is_name;
use wharf_proto::listing::Value;
use wharf_proto::monitor::v1;
use wharf_proto::times::millis;
use wharf_services::monitor::v1::dashboards_server::Dashboards;

use super::objects::{Object, delete, get, list, put, wrong};
use super::{caller, expected, page};
use crate::indices;
use crate::monitor::Monitor;
use crate::status::{conflict, field_status, not_found, of_storage};
use crate::versions;

const NOUN: &str = "dashboard";
/// How often what is there is read again because somebody else wrote meanwhile.
const ATTEMPTS: u32 = 5;

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
const DASHBOARD_FIELDS: [&str; 6] = [
    "name",
    "title",
    "origin",
    "changed",
    "changed_by",
    "deleted",
];
const VERSION_FIELDS: [&str; 4] = ["changed", "changed_by", "title", "origin"];

fn origin_word(origin: v1::Origin) -> Value {
    match origin {
        v1::Origin::Shipped => "shipped".into(),
        v1::Origin::Overridden => "overridden".into(),
        _ => "own".into(),
    }
}

fn dashboard_field(row: &v1::Dashboard, field: &str) -> Value {
    match field {
        "title" => row.title.as_str().into(),
        "origin" => origin_word(row.origin()),
        "changed" => row.changed_at.as_ref().map_or(0, millis).into(),
        "changed_by" => row.changed_by.as_str().into(),
        "deleted" => row.deleted_at.as_ref().map_or(0, millis).into(),
        _ => row.name.as_str().into(),
    }
}

fn version_field(row: &v1::DashboardVersion, field: &str) -> Value {
    match field {
        "changed_by" => row.changed_by.as_str().into(),
        "title" => row.title.as_str().into(),
        "origin" => origin_word(row.origin()),
        // Where nobody told it is taken to be as old as what is known of it; the one in force is the newest.
        _ => match row.changed_at.as_ref().or(row.replaced_at.as_ref()) {
            Some(at) => millis(at).into(),
            None if row.is_present => u64::MAX.into(),
            None => 0_u64.into(),
        },
    }
}

impl DashboardsApi {
    async fn present(&self, name: &str) -> Result<Option<Object>, Status> {
        match get(&self.0, indices::DASHBOARDS, NOUN, name).await {
            Ok(object) => Ok(Some(object)),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    async fn at_version(&self, name: &str, version: &str) -> Result<v1::Dashboard, Status> {
        let none = || not_found("such version of the dashboard", name);
        if version == SHIPPED {
            return shipped::dashboard(name).ok_or_else(none);
        }
        let token = version.parse::<Token>().map_err(|error| {
            let hint = "list the versions of the dashboard to see them";
            field_status("version", error.to_string(), hint)
        })?;
        // First of all: an index that was made anew counts anew, and former versions may have the same number.
        let present = self.present(name).await?;
        let is_meant = |object: &Object| object.version == token.version;
        if let Some(present) =
            present.filter(|object| token.written_ms.is_none() && is_meant(object))
        {
            return Ok(dashboard(&present));
        }
        let kept = versions::get(&self.0, name, token).await;
        let kept = kept.map_err(|error| of_storage(&error))?;
        kept.map(|kept| kept.dashboard).ok_or_else(none)
    }

    /// The document that is there, kept as a version; none when there is none.
    async fn keep(&self, name: &str, wanted: Option<Version>) -> Result<Option<Object>, Status> {
        let Some(present) = self.present(name).await? else {
            return Ok(None);
        };
        if wanted.is_some_and(|wanted| wanted != present.version) {
            return Err(conflict(NOUN, name));
        }
        let kept = versions::keep(&self.0, name, present.version, &present.document).await;
        kept.map_err(|error| of_storage(&error))?;
        Ok(Some(present))
    }

    async fn write(
        &self,
        name: &str,
        document: &serde_json::Value,
        wanted: Option<Version>,
        create: bool,
    ) -> Result<Version, Status> {
        let mut attempt = 1;
        loop {
            let before = self.keep(name, wanted).await?.map(|kept| kept.version);
            if before.is_some() && create || before.is_none() && wanted.is_some() {
                return Err(conflict(NOUN, name));
            }
            let (index, is_new) = (indices::DASHBOARDS, before.is_none());
            match put(&self.0, index, NOUN, name, document, before, is_new).await {
                // Whoever does not care what is there replaces what came meanwhile, when it is kept, too.
                Err(status)
                    if is_conflict(&status)
                        && wanted.is_none()
                        && !create
                        && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                written => return written,
            }
        }
    }

    async fn remove(&self, name: &str, wanted: Option<Version>, who: &str) -> Result<(), Status> {
        let mut attempt = 1;
        loop {
            let Some(last) = self.keep(name, wanted).await? else {
                return Err(not_found(NOUN, name));
            };
            let (index, version) = (indices::DASHBOARDS, last.version);
            match delete(&self.0, index, NOUN, name, Some(version)).await {
                Err(status) if is_conflict(&status) && wanted.is_none() && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(status) => return Err(status),
                Ok(()) => {
                    let document = &last.document;
                    let noted = versions::note_deletion(&self.0, name, version, document, who);
                    if let Err(error) = noted.await {
                        tracing::warn!(name, %error, "who deleted a dashboard is not noted");
                    }
                    return Ok(());
                }
            }
        }
    }
}

fn is_conflict(status: &Status) -> bool {
    let info = wharf_proto::coded::decode(status.details());
    info.is_some_and(|info| info.code == crate::codes::CONFLICT)
}

#[tonic::async_trait]
impl Dashboards for DashboardsApi {
    async fn list_dashboards(
        &self,
        request: Request<v1::ListDashboardsRequest>,
    ) -> Result<Response<v1::ListDashboardsResponse>, Status> {
        let message = request.into_inner();
        let rows: Vec<v1::Dashboard> = if message.deleted {
            let deleted = versions::deleted(&self.0).await;
            let deleted = deleted.map_err(|error| of_storage(&error))?;
            let is_gone = |one: &v1::Dashboard| !shipped::is_shipped(&one.name);
            let deleted = deleted.into_iter().map(|kept| kept.dashboard);
            deleted.filter(is_gone).collect()
        } else {
            let kept = list(&self.0, indices::DASHBOARDS).await?;
            shipped::dashboards()
                .filter(|one| kept.iter().all(|object| object.name != one.name))
                .chain(kept.iter().map(dashboard))
                .map(|row| v1::Dashboard {
                    document_json: String::new(),
                    ..row
                })
                .collect()
        };
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
        let v1::GetDashboardRequest { name, version } = request.into_inner();
        if !version.is_empty() {
            return self.at_version(&name, &version).await.map(Response::new);
        }
        let present = self.present(&name).await?;
        let dashboard = present.as_ref().map(dashboard);
        dashboard
            .or_else(|| shipped::dashboard(&name))
            .map(Response::new)
            .ok_or_else(|| not_found(NOUN, &name))
    }

    async fn list_dashboard_versions(
        &self,
        request: Request<v1::ListDashboardVersionsRequest>,
    ) -> Result<Response<v1::ListDashboardVersionsResponse>, Status> {
        let message = request.into_inner();
        let name = &message.name;
        if !is_name(name) {
            return Err(not_found(NOUN, name));
        }
        let kept = versions::of(&self.0, name).await;
        let kept = kept.map_err(|error| of_storage(&error))?;
        let present = self.present(name).await?;
        let present = present.as_ref().map(dashboard);
        let all = rows(present.as_ref(), kept, shipped::dashboard(name).as_ref());
        if all.is_empty() {
            return Err(not_found(NOUN, name));
        }
        let options = message.options.as_ref();
        let order = "changed desc";
        let id = |row: &v1::DashboardVersion| row.version.clone();
        let page = page(options, &VERSION_FIELDS, order, all, version_field, id)?;
        Ok(Response::new(v1::ListDashboardVersionsResponse {
            info: Some(page.info()),
            versions: page.rows,
        }))
    }

    async fn put_dashboard(
        &self,
        request: Request<v1::PutDashboardRequest>,
    ) -> Result<Response<v1::Dashboard>, Status> {
        let who = caller(&request);
        let message = request.into_inner();
        let given = v1::Dashboard {
            changed_by: who,
            ..message.dashboard.unwrap_or_default()
        };
        let document = of_dashboard(&given, self.0.now_ms());
        let document = document.map_err(|error| wrong("dashboard", error))?;
        let wanted = expected(&message.expected_version)?;
        if wanted.is_none() && shipped::is_shipped(&given.name) {
            return Err(field_status(
                "dashboard.name",
                format!("`{}` is the name of a shipped dashboard", given.name),
                "give your own another name",
            ));
        }
        let name = given.name;
        let version = self.write(&name, &document, wanted, message.create).await?;
        if let Err(error) = versions::thin(&self.0, &name).await {
            tracing::warn!(name, %error, "old versions of a dashboard cannot be deleted yet");
        }
        let object = Object {
            name,
            version,
            document,
        };
        Ok(Response::new(dashboard(&object)))
    }

    async fn delete_dashboard(
        &self,
        request: Request<v1::DeleteDashboardRequest>,
    ) -> Result<Response<v1::DeleteDashboardResponse>, Status> {
        let who = caller(&request);
        let message = request.into_inner();
        let wanted = expected(&message.expected_version)?;
        let deleted = self.remove(&message.name, wanted, &who).await;
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
