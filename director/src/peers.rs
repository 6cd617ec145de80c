//! Where the other directors are: from the state, and kept in `director/group.json` for a director
//! that has no state (yet, or any more). Connections to them are verified: whoever answers must show
//! the certificate of the very director that is expected. Invariants: what the state says replaces
//! what was kept; a member without an address is not dialed. Not here: Raft's queues
//! (`raft/transport`), the streams (`peer_task`).

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tonic::transport::Channel;
use wharf_director_core::state::State;
use wharf_proto::v1;
use wharf_runtime::{
    data_dir::{read_limited, write_atomic},
    net::{Addresses, channel},
    tls::{
        CertSlot, Expect, ExpectedIdentity, ROLE_DIRECTOR, TlsError, TrustSlot,
        following_client_config,
    },
};

const FILE_BYTES: u64 = 64 * 1024;

/// A director as others reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its id.
    pub director_id: String,
    /// Its number in the Raft group.
    pub member: u64,
    /// `HOST:PORT` for roles and other directors.
    pub internal_address: String,
}

impl From<v1::DirectorAddress> for Peer {
    fn from(address: v1::DirectorAddress) -> Self {
        Self {
            director_id: address.id,
            member: address.member_id,
            internal_address: address.internal_address,
        }
    }
}

/// The directors of a state.
#[must_use]
pub fn peers_of(state: &State) -> Vec<Peer> {
    let directors = state.directors.values();
    directors
        .map(|record| Peer {
            director_id: record.id.to_string(),
            member: record.member,
            internal_address: record.facts.internal_address.clone(),
        })
        .collect()
}

/// Reads `director/group.json`; nothing when there is none. Blocks.
#[must_use]
pub fn kept(path: &std::path::Path) -> Vec<Peer> {
    read_limited(path, FILE_BYTES)
        .ok()
        .flatten()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// Writes `director/group.json`. Blocks.
///
/// # Errors
/// When it cannot be written.
pub fn keep(path: &std::path::Path, peers: &[Peer]) -> std::io::Result<()> {
    let bytes = serde_json::to_vec_pretty(peers).map_err(std::io::Error::other)?;
    write_atomic(path, &bytes, 0o600)
}

#[derive(Default)]
struct Table {
    peers: BTreeMap<u64, Peer>,
    heard_ms: BTreeMap<u64, u64>,
    logs: BTreeMap<u64, v1::RaftLogFacts>,
    channels: BTreeMap<u64, (Peer, Channel)>,
}

/// See the module. Shared by `Arc`.
pub struct Peers {
    path: PathBuf,
    platform_id: String,
    trust: Arc<TrustSlot>,
    own: Arc<CertSlot>,
    table: Mutex<Table>,
    changed: watch::Sender<u64>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peers")
    }
}

impl Peers {
    /// Those kept in that file. Blocks.
    #[must_use]
    pub fn load(
        path: PathBuf,
        platform_id: String,
        trust: Arc<TrustSlot>,
        own: Arc<CertSlot>,
    ) -> Self {
        let peers = kept(&path).into_iter();
        let table = Table {
            peers: peers.map(|peer| (peer.member, peer)).collect(),
            ..Table::default()
        };
        Self {
            path,
            platform_id,
            trust,
            own,
            table: Mutex::new(table),
            changed: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole after every statement.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes when an address changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether the state says something else.
    #[must_use]
    pub fn differ_from(&self, state: &State) -> bool {
        let now = peers_of(state);
        let table = self.lock();
        let same = |peer: &Peer| table.peers.get(&peer.member) == Some(peer);
        !now.is_empty() && (now.len() != table.peers.len() || !now.iter().all(same))
    }

    /// Takes what the state says, once it says something. Blocks.
    pub fn follow(&self, state: &State) {
        let now = peers_of(state);
        if now.is_empty() {
            return;
        }
        let fresh: BTreeMap<u64, Peer> =
            now.iter().map(|peer| (peer.member, peer.clone())).collect();
        {
            let mut table = self.lock();
            if table.peers == fresh {
                return;
            }
            table
                .channels
                .retain(|member, (peer, _)| fresh.get(member) == Some(peer));
            table
                .heard_ms
                .retain(|member, _| fresh.contains_key(member));
            table.logs.retain(|member, _| fresh.contains_key(member));
            table.peers = fresh;
        }
        if let Err(error) = keep(&self.path, &now) {
            tracing::error!(%error, path = %self.path.display(), "the directors' addresses are not kept");
        }
        self.changed.send_modify(|count| *count += 1);
    }

    /// A member's director.
    #[must_use]
    pub fn get(&self, member: u64) -> Option<Peer> {
        self.lock().peers.get(&member).cloned()
    }

    /// A message of a member arrived, and with it what the member keeps of the log.
    pub fn heard(&self, member: u64, now_ms: u64, log: Option<v1::RaftLogFacts>) {
        let mut table = self.lock();
        table.heard_ms.insert(member, now_ms);
        if let Some(log) = log {
            table.logs.insert(member, log);
        }
    }

    /// What a member keeps of the log, as it told last.
    #[must_use]
    pub fn log(&self, member: u64) -> Option<v1::RaftLogFacts> {
        self.lock().logs.get(&member).copied()
    }

    /// When a member was last heard of.
    #[must_use]
    pub fn heard_ms(&self, member: u64) -> Option<u64> {
        self.lock().heard_ms.get(&member).copied()
    }

    /// A connection of its own to a director.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn connect(&self, peer: &Peer) -> Result<Channel, TlsError> {
        let expected = ExpectedIdentity::role(ROLE_DIRECTOR)
            .on_platform(self.platform_id.clone())
            .with_id(peer.director_id.clone());
        let own = Some(Arc::clone(&self.own));
        let config = following_client_config(&self.trust, Expect::Identity(expected), own)?;
        Ok(channel(
            &Addresses::new([peer.internal_address.clone()]),
            config,
        ))
    }

    /// The connection that calls to a member share; none while its address is not known.
    #[must_use]
    pub fn channel(&self, member: u64) -> Option<Channel> {
        let mut table = self.lock();
        if let Some((_, channel)) = table.channels.get(&member) {
            return Some(channel.clone());
        }
        let peer = table.peers.get(&member)?.clone();
        let channel = self.connect(&peer).ok()?;
        table.channels.insert(member, (peer, channel.clone()));
        Some(channel)
    }
}
