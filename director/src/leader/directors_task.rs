//! The leader's care for the Raft group, level-triggered: learners that have caught up get votes, in
//! numbers that keep 1, 3 or 5 voters; members that no director has any more go; the feature level
//! rises when every director supports it. Invariant: one change at a time. Not here: admitting and
//! removing by request (`api/directors`).

use std::sync::Arc;

use wharf_director_core::{
    command::{Body, RaiseFeatureLevel},
    state::{FEATURE_LEVEL, State},
};

use super::watch_and_act;
use crate::{
    director::Director,
    raft::{MemberChange, Status},
};

/// Voters at most.
const MOST_VOTERS: usize = 5;
/// A learner that lacks no more entries has caught up.
const CAUGHT_UP: u64 = 500;

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    watch_and_act(director, |director| async move { look(&director).await }).await;
}

async fn look(director: &Director) -> bool {
    let state = director.published.state();
    let status = director.raft.status().borrow().clone();
    let changes = changes(&state, &status);
    if !changes.is_empty() {
        let _turn = director.changing.lock().await;
        tracing::info!(?changes, "the group of directors changes");
        match director.raft.change_membership(changes, Vec::new()).await {
            Ok(_) => return true,
            Err(error) => {
                tracing::info!(%error, "the group of directors does not change yet");
                return false;
            }
        }
    }
    if let Some(level) = level(&state, &status)
        && level > state.feature_level
    {
        let raise = Body::RaiseFeatureLevel(RaiseFeatureLevel { level });
        return director.proposer.own(raise).await.is_ok();
    }
    false
}

/// The level that every member supports; none while one has not said.
fn level(state: &State, status: &Status) -> Option<u64> {
    let all = status.membership.all();
    let levels: Vec<u64> = state
        .directors
        .values()
        .filter(|record| all.contains(&record.member))
        .map(|record| record.facts.feature_level)
        .collect();
    let everybody = levels.len() == all.len();
    let least = levels.into_iter().min()?;
    everybody.then_some(least.min(FEATURE_LEVEL))
}

/// Entries that a member lacks; none when it has none yet or does not answer.
fn lag(status: &Status, member: u64) -> Option<u64> {
    let peer = status.peers.iter().find(|peer| peer.member == member)?;
    let live = peer.active && peer.matched > 0 && !peer.receiving_snapshot;
    live.then(|| status.last_index.saturating_sub(peer.matched))
}

fn caught_up(status: &Status, member: u64) -> bool {
    lag(status, member).is_some_and(|lag| lag <= CAUGHT_UP)
}

/// The next change of the group.
fn changes(state: &State, status: &Status) -> Vec<MemberChange> {
    let membership = &status.membership;
    if !membership.outgoing.is_empty() {
        return Vec::new();
    }
    let described = |member: u64| {
        let mut records = state.directors.values();
        records.any(|record| record.member == member)
    };
    // Once this director is described all are: the others were admitted with their records.
    let nobodys = membership
        .all()
        .into_iter()
        .find(|member| *member != status.member && !described(*member));
    if let Some(member) = nobodys.filter(|_| described(status.member)) {
        return vec![MemberChange::Remove(member)];
    }
    let voters = membership.voters.len();
    let mut ready: Vec<u64> = membership
        .learners
        .iter()
        .copied()
        .filter(|member| caught_up(status, *member))
        .collect();
    // An even number of voters survives no more losses than one less.
    let mut room = ready.len().min(MOST_VOTERS.saturating_sub(voters));
    if (voters + room).is_multiple_of(2) {
        room = room.saturating_sub(1);
    }
    ready.truncate(room);
    ready.into_iter().map(MemberChange::Promote).collect()
}

/// What a learner waits for.
#[must_use]
pub fn waits_for(status: &Status, member: u64) -> String {
    let membership = &status.membership;
    if !membership.learners.contains(&member) {
        return String::new();
    }
    match lag(status, member) {
        None => "its first answer, or the snapshot on its way to it".to_owned(),
        Some(lag) if lag > CAUGHT_UP => format!("the log: it lacks {lag} entries"),
        Some(_) if membership.voters.len() >= MOST_VOTERS => {
            format!("a vote of another: there are {MOST_VOTERS} voters")
        }
        Some(_) if membership.voters.len() % 2 == 1 => {
            "another director: there are 1, 3 or 5 voters".to_owned()
        }
        Some(_) => "the leader to give it a vote".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{Membership, PeerProgress};
    use wharf_director_core::state::{DirectorFacts, DirectorRecord};
    use wharf_proto::ids::DirectorId;

    fn state(members: &[u64]) -> State {
        let mut state = State::default();
        for member in members {
            let id = DirectorId::from_bytes([*member as u8; 16]);
            let record = DirectorRecord {
                id: id.clone(),
                member: *member,
                incarnation: 0,
                join_id: String::new(),
                facts: DirectorFacts {
                    authority: None,
                    host: "h".into(),
                    zone: "z".into(),
                    internal_address: "h:1".into(),
                    admin_address: "h:2".into(),
                    build: "1".into(),
                    feature_level: FEATURE_LEVEL,
                },
                created_ms: 0,
                changed_ms: 0,
                version: 1,
            };
            state.directors.insert(id, record);
        }
        state
    }

    fn status(voters: &[u64], learners: &[(u64, u64)]) -> Status {
        let peer = |member: u64, matched| PeerProgress {
            member,
            matched,
            active: true,
            receiving_snapshot: false,
        };
        Status {
            member: 1,
            last_index: 10_000,
            membership: Membership {
                voters: voters.to_vec(),
                learners: learners.iter().map(|(member, _)| *member).collect(),
                outgoing: Vec::new(),
            },
            peers: learners
                .iter()
                .map(|(member, matched)| peer(*member, *matched))
                .collect(),
            ..Status::default()
        }
    }

    #[test]
    fn voters_stay_odd_and_grow_by_two_at_once() {
        let all = state(&[1, 2, 3, 4, 5, 6]);
        let alone = status(&[1], &[(2, 10_000)]);
        assert_eq!(changes(&all, &alone), []);
        assert!(waits_for(&alone, 2).contains("another director"));
        let two = status(&[1], &[(2, 10_000), (3, 9_900)]);
        let both = [MemberChange::Promote(2), MemberChange::Promote(3)];
        assert_eq!(changes(&all, &two), both);
        // A voter whose disk was lost comes back.
        let replaced = status(&[1, 2], &[(3, 10_000)]);
        assert_eq!(changes(&all, &replaced), [MemberChange::Promote(3)]);
        let five = status(&[1, 2, 3, 4, 5], &[(6, 10_000)]);
        assert_eq!(changes(&all, &five), []);
    }

    #[test]
    fn who_lags_or_has_nothing_yet_gets_no_vote() {
        let all = state(&[1, 2, 3]);
        for matched in [0, 9_000] {
            let status = status(&[1], &[(2, 10_000), (3, matched)]);
            assert_eq!(changes(&all, &status), []);
            assert!(!waits_for(&status, 3).is_empty());
        }
    }

    #[test]
    fn a_member_that_no_director_has_goes() {
        let three = status(&[1, 2, 3], &[]);
        assert_eq!(changes(&state(&[1, 2]), &three), [MemberChange::Remove(3)]);
        assert_eq!(
            changes(&state(&[2]), &three),
            [],
            "before the leader is described"
        );
        let mut joint = three;
        joint.membership.outgoing = vec![1, 2, 3];
        assert_eq!(changes(&state(&[1, 2]), &joint), [], "one change at a time");
    }

    #[test]
    fn the_level_is_what_every_member_supports() {
        let mut all = state(&[1, 2]);
        let two = status(&[1, 2], &[]);
        assert_eq!(level(&all, &two), Some(FEATURE_LEVEL));
        for record in all.directors.values_mut().take(1) {
            record.facts.feature_level = 1;
        }
        assert_eq!(level(&all, &two), Some(1));
        assert_eq!(level(&state(&[1]), &two), None);
    }
}
