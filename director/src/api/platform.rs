//! The platform as a whole: its status, roles' log levels. The level is a setting in the state;
//! sessions bring it to the roles. Not here: what is a problem (`wharf_director_core::health`).

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_director_core::{
    command::{Body, SetSetting},
    settings,
};
use wharf_proto::v1;
use wharf_services::v1::platform_server::Platform;

use super::{asked, authority, opened, settings::check, views::View};
use crate::{answer::field_status, director::Director};

/// The service.
#[derive(Clone, Debug)]
pub struct PlatformApi(pub Arc<Director>);

#[tonic::async_trait]
impl Platform for PlatformApi {
    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::PlatformStatus>, Status> {
        Ok(Response::new(View::of(&self.0).status(&self.0)))
    }

    async fn set_log_level(
        &self,
        request: Request<v1::SetLogLevelRequest>,
    ) -> Result<Response<v1::SetLogLevelResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let known = settings::known(&format!("log.{}", message.role)).ok_or_else(|| {
            field_status(
                wharf_director_core::refusal::codes::SETTING,
                "role",
                "there is no such role",
                "roles are director, allocator and proxy",
            )
        })?;
        check(known, &message.filter, "filter")?;
        let body = Body::SetSetting(SetSetting {
            key: known.key.to_owned(),
            value: Some(message.filter.clone()),
            expected_version: message
                .mutation
                .as_ref()
                .map_or(0, |mutation| mutation.expected_version),
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        let seen = self.0.seen.core();
        let receivers = match message.role.as_str() {
            "allocator" => seen
                .allocators
                .values()
                .filter(|seen| seen.connected)
                .count(),
            "proxy" => seen.proxies.values().filter(|seen| seen.connected).count(),
            _ => self.0.raft.status().borrow().membership.all().len(),
        };
        Ok(Response::new(v1::SetLogLevelResponse {
            receivers: u32::try_from(receivers).unwrap_or(u32::MAX),
        }))
    }

    async fn get_authority(
        &self,
        _request: Request<v1::GetAuthorityRequest>,
    ) -> Result<Response<v1::Authority>, Status> {
        authority::shown(&self.0)
    }

    async fn rotate_authority(
        &self,
        request: Request<v1::RotateAuthorityRequest>,
    ) -> Result<Response<v1::Authority>, Status> {
        authority::rotate(&self.0, request).await
    }

    async fn cancel_authority_rotation(
        &self,
        request: Request<v1::CancelAuthorityRotationRequest>,
    ) -> Result<Response<v1::Authority>, Status> {
        authority::cancel(&self.0, request).await
    }
}
