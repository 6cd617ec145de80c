//! Roles' certificates: a role renews its own, proven by the one it has. The names in it are what
//! the platform knows of the role, never what the request asks for. Not here: signing
//! (`wharf_runtime::tls`).

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};
use wharf_proto::{times::timestamp, v1};
use wharf_runtime::tls::{LEAF_DAYS, ROLE_ALLOCATOR, ROLE_DIRECTOR, ROLE_PROXY};
use wharf_services::v1::enrollment_server::Enrollment;

use super::principal;
use crate::{
    answer::{coded_status, internal, not_leading},
    certificates::role_spec,
    codes,
    director::Director,
};

/// The service.
#[derive(Clone, Debug)]
pub struct EnrollmentApi(pub Arc<Director>);

#[tonic::async_trait]
impl Enrollment for EnrollmentApi {
    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewResponse>, Status> {
        let identity = principal(&request)?
            .identity
            .ok_or_else(|| internal("a role without an identity"))?;
        if !self.0.leads() {
            return Err(not_leading());
        }
        let state = self.0.published.state();
        let gone = || {
            coded_status(
                Code::PermissionDenied,
                codes::CERTIFICATE,
                format!("the platform does not know {identity}"),
                "connect a session first, or enroll again",
            )
        };
        let own = self.0.config.platform.advertised_address.as_str();
        let address = match identity.role.as_str() {
            ROLE_ALLOCATOR => {
                let record = state
                    .allocators
                    .get(identity.id.as_str())
                    .ok_or_else(gone)?;
                record.address.as_str()
            }
            ROLE_PROXY => {
                let record = state.proxies.get(identity.id.as_str()).ok_or_else(gone)?;
                state
                    .allocators
                    .values()
                    .find(|allocator| allocator.host == record.host)
                    .map_or("", |allocator| allocator.address.as_str())
            }
            ROLE_DIRECTOR if identity.id == self.0.config.director_id.as_str() => own,
            _ => return Err(gone()),
        };
        let spec = role_spec(identity.clone(), address, &self.0.config.platform.domain);
        let csr = request.into_inner().csr_pem;
        let authority = self.0.certificates.authority();
        let now_ms = self.0.clock.now_ms();
        let certificate_pem = authority.sign_csr(&csr, &spec, now_ms).map_err(|error| {
            coded_status(
                Code::InvalidArgument,
                codes::CERTIFICATE,
                error.to_string(),
                "send a PEM request signed by its own key",
            )
        })?;
        tracing::info!(%identity, "a certificate was renewed");
        let life_ms = u64::from(LEAF_DAYS) * 24 * 3_600_000;
        Ok(Response::new(v1::RenewResponse {
            certificate_pem,
            ca_pem: authority.certificate_pem().to_owned(),
            expires_at: Some(timestamp(
                u64::try_from(now_ms).unwrap_or(0).saturating_add(life_ms),
            )),
        }))
    }
}
