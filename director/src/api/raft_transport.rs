//! Messages of other directors' Raft members, handed to this one's. Not here: sending
//! (`raft/transport` has the queues), what a message means (`raft/`).

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};
use wharf_proto::v1;
use wharf_runtime::{net::PeerIdentity, role_files::member_of};
use wharf_services::v1::raft_transport_server::RaftTransport;

use crate::{answer::field_status, codes, director::Director};

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
        // A message counts only from the member whose certificate brought it.
        let peer = request
            .extensions()
            .get::<PeerIdentity>()
            .and_then(|PeerIdentity(identity)| member_of(&identity.id))
            .ok_or_else(|| Status::permission_denied("the certificate names no director"))?;
        let mut stream = request.into_inner();
        let own = self.0.raft.status().borrow().member;
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
