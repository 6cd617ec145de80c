//! How a director comes to its log: the one it has, a new one when it begins a platform, or an empty
//! one under a member id that the leader gives. A director whose log cannot be opened, or is gone,
//! joins again when it knows others: what is left is moved aside, never deleted. Invariants: an empty
//! disk never begins a second platform beside the one it belonged to; a member id is asked for once
//! for each empty disk (`director/joining` holds what makes it the same). Not here: admitting
//! (`api/directors`), votes (`leader/directors_task`).

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tonic::Status;
use wharf_director_core::state::{DirectorFacts, State};
use wharf_proto::{ids::is_id, v1};
use wharf_runtime::{
    backoff::Backoff,
    clock::Clock,
    data_dir::{read_limited, write_atomic},
    net::{Addresses, channel},
    random,
    task::{self, Shutdown},
    tls::{CaCerts, CertSlot, Expect, ExpectedIdentity, ROLE_DIRECTOR, client_config},
};
use wharf_services::v1::directors_client::DirectorsClient;

use crate::{
    RunError,
    config::Config,
    describe_task::message,
    peers::{self, Peer},
    raft::{self, RaftStore, SledStore, StoreOpenError, move_aside},
    removed,
};

/// Below the director's files: the last start found that the group counts on entries which this log lost.
pub const LOST: &str = "log-lost";
/// An answer takes no longer.
const DEADLINE: Duration = Duration::from_secs(20);

/// A director's log.
pub struct Log {
    /// The store, which belongs to a member.
    pub store: SledStore,
    /// The member.
    pub member: u64,
    /// Where a store lies that could not be opened.
    pub moved_aside: Option<PathBuf>,
}

/// Opens the log, begins one, or joins; waits for the leader as long as it takes.
///
/// # Errors
/// When the disk cannot be used, or `shutdown` came first.
pub async fn settle(
    config: &Config,
    slot: &Arc<CertSlot>,
    facts: &DirectorFacts,
    shutdown: &Shutdown,
) -> Result<Log, RunError> {
    let own = config.director_id.to_string();
    let group = peers::kept(&config.own("group.json"));
    let others: Vec<Peer> = group
        .into_iter()
        .filter(|peer| peer.director_id != own)
        .collect();
    let may_join = config.bootstrap.is_none() || !others.is_empty();
    let directory = config.own("raft");
    let now_ms = Clock::system().now_ms();
    let opened = task::spawn_blocking("raft open", move || open(&directory, may_join, now_ms));
    let (store, moved_aside) = opened.await.unwrap_or_else(|panic| Err(panicked(panic)))?;
    if let Some(member) = store.member_id() {
        return Ok(Log {
            store,
            member,
            moved_aside,
        });
    }
    let (member, genesis) = match &config.bootstrap {
        Some(first) if others.is_empty() => (first.raft_id, Some(State::default().encode())),
        _ => (join(config, slot, facts, &others, shutdown).await?, None),
    };
    let joining = config.own("joining");
    let bound = task::spawn_blocking("raft begin", move || {
        let mut store = store;
        match genesis {
            Some(state) => raft::bootstrap(&mut store, member, state)?,
            None => raft::join(&mut store, member)?,
        }
        // The log is bound to its member: the next empty disk is another.
        match std::fs::remove_file(&joining) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %joining.display(), "remove this file");
            }
            _ => {}
        }
        Ok::<_, RunError>(store)
    });
    let store = bound.await.unwrap_or_else(|panic| Err(panicked(panic)))?;
    tracing::info!(member, "a new raft log was begun");
    Ok(Log {
        store,
        member,
        moved_aside,
    })
}

fn panicked(panic: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RunError {
    RunError::Files(io::Error::other(panic))
}

/// Writes down that the log can never be used again, for the next start. One that cannot write it ends all
/// the same, and finds out again.
pub(crate) fn note_lost_log(path: &Path) {
    if let Err(error) = write_atomic(path, b"", 0o600) {
        tracing::error!(%error, path = %path.display(), "that the log is lost cannot be written down");
    }
}

/// Moves a log aside whose loss was found by the last start.
fn give_up_lost(directory: &Path, now_ms: i64) -> Result<Option<PathBuf>, RunError> {
    let note = directory.with_file_name(LOST);
    if !note.exists() {
        return Ok(None);
    }
    // It may have been moved already, by a start that was broken off.
    let aside = if directory.exists() {
        Some(move_aside(directory, &format!("lost-{now_ms}"))?)
    } else {
        None
    };
    std::fs::remove_file(&note)?;
    tracing::error!(
        moved_to = ?aside,
        "the raft store lost entries that the group counts on: it was moved aside, and this director joins the others again as a new member"
    );
    Ok(aside)
}

fn open(
    directory: &Path,
    may_join: bool,
    now_ms: i64,
) -> Result<(SledStore, Option<PathBuf>), RunError> {
    let lost = if may_join {
        give_up_lost(directory, now_ms)?
    } else {
        None
    };
    std::fs::create_dir_all(directory).map_err(|source| StoreOpenError::Io {
        path: directory.to_path_buf(),
        source,
    })?;
    match SledStore::open(directory) {
        Ok(store) => Ok((store, lost)),
        Err(StoreOpenError::Damaged { reason, .. }) if may_join => {
            let aside = move_aside(directory, &format!("damaged-{now_ms}"))?;
            tracing::error!(
                reason, moved_to = %aside.display(),
                "the raft store is damaged: it was moved aside, and this director joins the others again as a new member"
            );
            std::fs::create_dir_all(directory)?;
            Ok((SledStore::open(directory)?, Some(aside)))
        }
        Err(other) => Err(other.into()),
    }
}

/// Asks to be a member until a leader says yes; returns the member id. Keys and addresses that come
/// with the answer are on disk before.
async fn join(
    config: &Config,
    slot: &Arc<CertSlot>,
    facts: &DirectorFacts,
    others: &[Peer],
    shutdown: &Shutdown,
) -> Result<u64, RunError> {
    let ca = CaCerts::load(config.data_dir.join("ca.pem"))?;
    let expected =
        ExpectedIdentity::role(ROLE_DIRECTOR).on_platform(config.platform_id.to_string());
    let tls = client_config(&ca, Expect::Identity(expected), Some(Arc::clone(slot)))?;
    let mut list: Vec<String> = others
        .iter()
        .map(|peer| peer.internal_address.clone())
        .chain(config.platform.directors.iter().cloned())
        .filter(|address| *address != facts.internal_address)
        .collect();
    list.dedup();
    let addresses = Addresses::new(list);
    let channel = channel(&addresses, tls);
    let request = v1::AddDirectorRequest {
        join_id: join_id(&config.own("joining"))?,
        facts: Some(message(facts)),
    };
    let mut backoff = Backoff::new(200, 5_000);
    tracing::warn!(directors = ?addresses.list(), "this director has no log: it asks the others to be a member");
    loop {
        let mut client = DirectorsClient::new(channel.clone());
        let asked = tokio::time::timeout(DEADLINE, client.add_director(request.clone()));
        let asked = shutdown.run_until(asked).await.ok_or(RunError::Stopped)?;
        let answer = asked.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        match answer {
            Ok(answer) => {
                let answer = answer.into_inner();
                let member = answer.member_id;
                keep(config, answer)?;
                return Ok(member);
            }
            Err(status) if config.ends_when_removed && removed::says(&status) => {
                return Err(RunError::Removed);
            }
            Err(status) => {
                let failures = backoff.failures();
                if failures < 3 || failures.is_multiple_of(20) {
                    tracing::error!(code = ?status.code(), reason = status.message(), "this director is no member yet");
                }
                addresses.skip_current();
            }
        }
        let pause = tokio::time::sleep(backoff.next(random::next_u64()));
        shutdown.run_until(pause).await.ok_or(RunError::Stopped)?;
    }
}

fn join_id(path: &Path) -> Result<String, RunError> {
    let kept = read_limited(path, 64)?.and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(id) = kept.filter(|id| is_id(id)) {
        return Ok(id);
    }
    let id = random::new_id();
    write_atomic(path, id.as_bytes(), 0o600)?;
    Ok(id)
}

fn keep(config: &Config, answer: v1::AddDirectorResponse) -> Result<(), RunError> {
    std::fs::create_dir_all(config.own("ca"))?;
    write_atomic(
        config.own("platform.key"),
        answer.platform_key.as_bytes(),
        0o600,
    )?;
    write_atomic(
        config.own("ca/authority.pem"),
        answer.authority_pem.as_bytes(),
        0o600,
    )?;
    let directors: Vec<Peer> = answer.directors.into_iter().map(Into::into).collect();
    peers::keep(&config.own("group.json"), &directors)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_disk_asks_with_one_id_until_it_has_a_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("joining");
        let first = join_id(&path).unwrap();
        assert_eq!(join_id(&path).unwrap(), first);
        std::fs::write(&path, "torn").unwrap();
        let other = join_id(&path).unwrap();
        assert!(is_id(&other) && other != first);
    }

    #[test]
    fn a_log_that_the_group_is_ahead_of_is_moved_aside_once_and_only_when_there_are_others() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("raft");
        let begin = || {
            let (mut store, _) = open(&directory, true, 5).unwrap();
            raft::join(&mut store, 9).unwrap();
        };
        begin();
        note_lost_log(&dir.path().join(LOST));
        let (store, aside) = open(&directory, false, 6).unwrap();
        assert_eq!((store.member_id(), aside), (Some(9), None));
        drop(store);
        let (store, aside) = open(&directory, true, 7).unwrap();
        assert_eq!(store.member_id(), None);
        assert_eq!(aside, Some(dir.path().join("raft.lost-7")));
        drop(store);
        begin();
        let (store, aside) = open(&directory, true, 8).unwrap();
        assert_eq!((store.member_id(), aside), (Some(9), None), "moved twice");
    }

    #[test]
    fn a_damaged_store_is_moved_aside_only_when_there_are_others() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("raft");
        std::fs::create_dir_all(directory.join("log")).unwrap();
        for name in ["conf", "db"] {
            std::fs::write(directory.join("log").join(name), [0xa5; 4096]).unwrap();
        }
        assert!(open(&directory, false, 7).is_err());
        assert!(directory.join("log/db").exists(), "nothing was moved");
        let (store, aside) = open(&directory, true, 7).unwrap();
        assert_eq!(store.member_id(), None);
        assert_eq!(aside, Some(dir.path().join("raft.damaged-7")));
    }
}
