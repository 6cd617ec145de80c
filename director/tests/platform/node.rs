//! What instances say that allocators driven by hand "run".
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

use sha2::{Digest as _, Sha256};
use wharf_proto::v1;

/// What an instance with these secrets says of its credentials.
pub fn credentials(instance: &v1::AssignedInstance) -> String {
    let secrets = instance.secrets.clone().unwrap_or_default();
    if secrets.users_json.is_empty() {
        let storage: serde_json::Value =
            serde_json::from_str(&secrets.storage_json).unwrap_or_default();
        return storage["version"].to_string();
    }
    hex::encode(&Sha256::digest(&secrets.users_json)[..16])
}

/// Whether a node that runs so takes nothing yet.
pub fn copies(instance: &v1::AssignedInstance) -> bool {
    instance
        .copy_from
        .as_ref()
        .is_some_and(|from| !from.take_over)
}

/// What such a node says of its copy: it is always as far as it may be.
pub fn copied(instance: &v1::AssignedInstance) -> Option<v1::CopyObservation> {
    let from = instance.copy_from.as_ref()?;
    Some(v1::CopyObservation {
        stage: if from.take_over { "serving" } else { "ready" }.to_owned(),
        bytes_done: 1 << 20,
        bytes_total: 1 << 20,
        pause_ms: if from.take_over { 12 } else { 0 },
        reason: String::new(),
    })
}
