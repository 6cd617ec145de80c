//! Messages of other directors' Raft members, handed to this one's. Invariants: a message counts only
//! from the member whose certificate brought it. Not here: sending (`raft/transport` has the queues),
//! what a message means (`raft/`).

use std::sync::Arc;

use tonic::{Code, Request, Response, Status, Streaming};
use wharf_proto::v1;
use wharf_runtime::role_files::member_of;
use wharf_services::v1::raft_transport_server::RaftTransport;

use super::principal;
use crate::{
    answer::{coded_status, field_status},
    codes,
    director::Director,
};

/// Version of the envelope.
const VERSION: u32 = 1;

/// The service.
#[derive(Clone, Debug)]
pub struct RaftTransportApi(pub Arc<Director>);

#[tonic::async_trait]
impl RaftTransport for RaftTransportApi {
    async fn deliver(
        &self,
        request: Request<Streaming<v1::RaftMessage>>,
    ) -> Result<Response<v1::RaftDelivered>, Status> {
        let caller = principal(&request)?;
        let own = self.0.raft.status().borrow().member;
        let peer = caller
            .identity
            .as_ref()
            .and_then(|identity| member_of(&identity.id))
            .ok_or_else(|| {
                coded_status(
                    Code::PermissionDenied,
                    codes::SESSION,
                    format!("{} is no member of a group", caller.name),
                    "use the certificate of a director",
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
