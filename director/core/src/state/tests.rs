//! State and snapshot.

use super::*;
use crate::{
    fixture::{World, watched},
    template::TemplateCatalog,
};

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

#[test]
fn a_user_of_an_earlier_version_keeps_its_one_role() {
    let text = r#"{"username":"ada","password_hash":"x","role":"platform_viewer",
        "created_ms":1,"changed_ms":1,"version":3}"#;
    let user: UserRecord = serde_json::from_str(text).unwrap();
    assert_eq!(user.roles, [Role::PlatformViewer].into());
    assert!(!user.disabled);
    let again: UserRecord = serde_json::from_str(&serde_json::to_string(&user).unwrap()).unwrap();
    assert_eq!(again, user);
}

#[test]
fn an_instance_whose_resource_is_not_known_counts_as_keeping_data() {
    let mut world = World::with_host();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    let (id, _) = world.create("logs");
    let storage = world.instance(&id, "storage-0").clone();
    let monitoring = world.instance(&id, "monitoring-0").clone();
    assert!(!world.state.is_stateless(&storage));
    assert!(world.state.is_stateless(&monitoring));
    world.state.resources.clear();
    assert!(!world.state.is_stateless(&monitoring));
}
