//! Messages of other directors' Raft members, handed to this one's. Invariants: a message counts only
//! from a member whose number the certificate proves; a message in parts is put together up to Raft's
//! limit. Not here: sending (`peer_task`), what a message means (`raft/`).

use std::sync::Arc;

use tonic::{Code, Request, Response, Status, Streaming};
use wharf_proto::v1;
use wharf_runtime::role_files::is_member_of;
use wharf_services::v1::raft_transport_server::RaftTransport;

use super::principal;
use crate::{
    answer::{coded_status, field_status},
    codes,
    director::Director,
    raft::{Status as RaftStatus, message::MAX_MESSAGE_BYTES},
};

/// Version of the envelope.
pub const VERSION: u32 = 1;
/// Bytes of a message in one envelope at most.
pub const PART_BYTES: usize = 64 * 1024;

/// What a member keeps of the log.
#[must_use]
pub fn log_facts(status: &RaftStatus) -> v1::RaftLogFacts {
    v1::RaftLogFacts {
        snapshot_index: status.snapshot_index,
        snapshot_at_ms: status.snapshot_at_ms,
        entries: (status.last_index + 1).saturating_sub(status.first_index),
    }
}

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
        let director_id = caller
            .identity
            .map(|identity| identity.id)
            .unwrap_or_default();
        let own = self.0.raft.status().borrow().member;
        let mut stream = request.into_inner();
        let mut messages = 0;
        let mut held: Vec<u8> = Vec::new();
        while let Some(envelope) = stream.message().await? {
            if envelope.version != VERSION || envelope.to != own {
                return Err(field_status(
                    codes::SESSION,
                    "to",
                    format!("this is member {own}, envelope version {VERSION}"),
                    "look up the member's address again",
                ));
            }
            let from = envelope.from;
            if !is_member_of(&director_id, from) {
                return Err(coded_status(
                    Code::PermissionDenied,
                    codes::SESSION,
                    format!("{} is not member {from}", caller.name),
                    "use the certificate of that director",
                ));
            }
            if envelope.message.len() > PART_BYTES
                || held.len() + envelope.message.len() > MAX_MESSAGE_BYTES
            {
                return Err(field_status(
                    codes::SESSION,
                    "message",
                    format!(
                        "a part is over {PART_BYTES} bytes, or a message over {MAX_MESSAGE_BYTES}"
                    ),
                    "run the same version on every director",
                ));
            }
            held.extend_from_slice(&envelope.message);
            if envelope.more {
                continue;
            }
            let message = std::mem::take(&mut held);
            self.0.peers.heard(from, self.0.clock_ms(), envelope.log);
            // Raft sends again what is dropped here.
            if let Err(refused) = self.0.raft.step(from, message) {
                tracing::debug!(%refused, from, "a raft message was dropped");
            } else {
                messages += 1;
            }
        }
        Ok(Response::new(v1::RaftDelivered { messages }))
    }
}
