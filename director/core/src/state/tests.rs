//! State and snapshot.

use super::*;

#[test]
fn an_empty_state_survives_its_snapshot() {
    let state = State::default();
    assert_eq!(State::decode(&state.encode()).unwrap(), state);
}

#[test]
fn a_snapshot_of_another_version_is_refused() {
    assert!(matches!(
        State::decode(br#"{"version":2,"state":{}}"#),
        Err(SnapshotError::Version(2))
    ));
}
