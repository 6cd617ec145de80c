//! Messages of other directors' Raft members, handed to this one's. Invariants: a message counts only
//! when the certificate's director is known to be that member. A platform has one director so far,
//! so nobody else is known yet. Not here: sending (`raft/transport` has the queues), what a message
//! means (`raft/`).

use std::sync::Arc;

use tonic::{Code, Request, Response, Status, Streaming};
use wharf_proto::v1;
use wharf_runtime::{net::PeerIdentity, role_files::member_of};
use wharf_services::v1::raft_transport_server::RaftTransport;

use super::principal;
use crate::{
    answer::{coded_status, field_status},
    auth::Principal,
    codes,
    director::Director,
};

/// Version of the envelope.
const VERSION: u32 = 1;

/// The service.
#[derive(Clone, Debug)]
pub struct RaftTransportApi(pub Arc<Director>);

impl RaftTransportApi {
    /// The member that a director's certificate stands for.
    fn member(&self, caller: &Principal) -> Option<u64> {
        let config = &self.0.config;
        let id = &caller.identity.as_ref()?.id;
        (id == config.director_id.as_str()).then_some(config.bootstrap.raft_id)
    }
}

#[tonic::async_trait]
impl RaftTransport for RaftTransportApi {
    async fn deliver(
        &self,
        request: Request<Streaming<v1::RaftMessage>>,
    ) -> Result<Response<v1::RaftDelivered>, Status> {
        // A message counts only from the member whose certificate brought it.
        let peer = request
            .extensions()
            .get::<PeerIdentity>()
            .and_then(|PeerIdentity(identity)| member_of(&identity.id))
            .ok_or_else(|| Status::permission_denied("the certificate names no director"))?;
        let caller = principal(&request)?;
        let own = self.0.raft.status().borrow().member;
        let peer = self.member(&caller).ok_or_else(|| {
            coded_status(
                Code::PermissionDenied,
                codes::SESSION,
                format!("{} is no member of this platform's group", caller.name),
                "add the director to the platform first",
            )
        })?;
        let mut stream = request.into_inner();
        let mut messages = 0;
        while let Some(envelope) = stream.message().await? {
            if envelope.version != VERSION || envelope.to != own {
                return Err(field_status(
                    codes::SESSION,
                    "to",
                    format!("this is member {own}, envelope version {VERSION}"),
                    "look up the member's address again",
                ));
            }
            // Raft sends again what is dropped here.
            if let Err(refused) = self.0.raft.step(peer, envelope.message.to_vec()) {
                tracing::debug!(%refused, from = envelope.from, "a raft message was dropped");
            } else {
                messages += 1;
            }
        }
        Ok(Response::new(v1::RaftDelivered { messages }))
    }
}
