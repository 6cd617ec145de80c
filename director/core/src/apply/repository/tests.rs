//! Checks of the rules about repositories and snapshots.

use super::*;
use crate::{
    command::{Body, SetHostLossPolicy},
    fixture::{World, allocator_id},
    state::SnapshotRecord,
};

pub(crate) fn repository(name: &str, path: &str) -> PutRepository {
    PutRepository {
        name: name.to_owned(),
        kind: if path.is_empty() { "s3" } else { "file" }.to_owned(),
        location: format!("here/{path}"),
        prefix: String::new(),
        path: path.to_owned(),
        sealed: "v1.x".to_owned(),
        create: true,
        expected_version: 0,
    }
}

fn policy(repository: &str) -> SnapshotPolicy {
    SnapshotPolicy {
        repository: repository.to_owned(),
        interval_seconds: 600,
        keep: 10,
    }
}

fn set(
    world: &mut World,
    id: &DeploymentId,
    policy: Option<SnapshotPolicy>,
) -> Result<(), Refusal> {
    let body = SetSnapshotPolicy {
        deployment_id: id.clone(),
        expected_version: 0,
        policy,
    };
    let outcome = world.apply(Body::SetSnapshotPolicy(body)).accepted();
    outcome.map(|_| ())
}

fn world() -> (World, DeploymentId) {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    world.settle();
    world.ok(Body::PutRepository(repository("bucket", "")));
    world.ok(Body::PutRepository(repository("folder", "/mnt/backups")));
    (world, id)
}

/// The name of a snapshot of a life, taken at a moment.
fn name(life: u64, taken_ms: u64) -> String {
    format!("{life:010}-{taken_ms:013}")
}

fn note(world: &mut World, id: &DeploymentId, repository: &str, name: &str) -> Outcome {
    let instance = world.instance(id, "storage-0");
    let body = NoteSnapshot {
        allocator_id: allocator_id(1),
        instance_id: instance.id.clone(),
        repository: repository.to_owned(),
        snapshot: SnapshotRecord {
            name: name.to_owned(),
            taken_ms: 5,
            bytes: 1,
            documents: 1,
        },
    };
    world.ok(Body::NoteSnapshot(body))
}

#[test]
fn a_repository_that_is_used_stays_where_it_is_and_is_not_deleted() {
    let (mut world, id) = world();
    set(&mut world, &id, Some(policy("bucket"))).unwrap();
    let update = PutRepository {
        create: false,
        ..repository("bucket", "")
    };
    // Other keys for the same place.
    world.ok(Body::PutRepository(PutRepository {
        sealed: "v1.other".to_owned(),
        ..update.clone()
    }));
    for moved in [
        PutRepository {
            location: "elsewhere".to_owned(),
            ..update.clone()
        },
        PutRepository {
            prefix: "below".to_owned(),
            ..update.clone()
        },
        PutRepository {
            kind: "file".to_owned(),
            ..update.clone()
        },
    ] {
        let refused = world.apply(Body::PutRepository(moved)).accepted();
        assert_eq!(refused.unwrap_err().code, codes::REPOSITORY_USED);
    }
    let delete = Body::DeleteRepository(DeleteRepository {
        name: "bucket".to_owned(),
        expected_version: 0,
    });
    let refused = world.apply(delete.clone()).accepted().unwrap_err();
    assert_eq!(refused.code, codes::REPOSITORY_USED);
    assert!(refused.message.contains("logs"), "{refused}");
    set(&mut world, &id, None).unwrap();
    world.ok(delete);
    let refused = set(&mut world, &id, Some(policy("bucket"))).unwrap_err();
    assert_eq!(refused.code, codes::NOT_FOUND);
}

#[test]
fn a_policy_is_within_bounds_and_stays_while_a_lost_host_is_answered_by_a_restore() {
    let (mut world, id) = world();
    for wrong in [
        SnapshotPolicy {
            interval_seconds: 59,
            ..policy("bucket")
        },
        SnapshotPolicy {
            keep: 0,
            ..policy("bucket")
        },
        SnapshotPolicy {
            keep: 1_001,
            ..policy("bucket")
        },
    ] {
        let refused = set(&mut world, &id, Some(wrong)).unwrap_err();
        assert_eq!(refused.code, codes::SNAPSHOT_POLICY);
    }
    set(&mut world, &id, Some(policy("bucket"))).unwrap();
    world.ok(Body::SetHostLossPolicy(SetHostLossPolicy {
        deployment_id: id.clone(),
        expected_version: 0,
        on_host_loss: HostLoss::Restore,
    }));
    let refused = set(&mut world, &id, None).unwrap_err();
    assert_eq!(refused.code, codes::SNAPSHOT_POLICY);
}

#[test]
fn only_a_newer_snapshot_of_the_named_repository_is_the_last_one() {
    let (mut world, id) = world();
    let of = |repository: &str, name: &str| (repository.to_owned(), name.to_owned());
    let last = |world: &World| {
        let instance = world.instance(&id, "storage-0");
        instance.last_snapshot.clone().map(|last| last.name)
    };
    assert_eq!(
        note(&mut world, &id, "bucket", &name(0, 1)),
        Outcome::Unchanged
    );
    set(&mut world, &id, Some(policy("bucket"))).unwrap();
    for (repository, name) in [
        of("folder", &name(0, 1)),
        of("bucket", "../../x"),
        of("bucket", ""),
        of("bucket", &"9".repeat(65)),
        // Of another life than the instance is in.
        of("bucket", &name(1, 1)),
    ] {
        assert_eq!(
            note(&mut world, &id, &repository, &name),
            Outcome::Unchanged
        );
    }
    note(&mut world, &id, "bucket", &name(0, 2));
    assert_eq!(
        note(&mut world, &id, "bucket", &name(0, 1)),
        Outcome::Unchanged
    );
    assert_eq!(last(&world), Some(name(0, 2)));
    // Another interval keeps it, another repository does not have it.
    let often = SnapshotPolicy {
        interval_seconds: 60,
        ..policy("bucket")
    };
    set(&mut world, &id, Some(often)).unwrap();
    assert!(last(&world).is_some(), "it is where it was");
    set(&mut world, &id, Some(policy("folder"))).unwrap();
    assert_eq!(last(&world), None, "nothing is known of the folder");
}

#[test]
fn a_request_is_counted_and_needs_a_place_for_the_snapshot() {
    let (mut world, id) = world();
    let ask = Body::RequestSnapshot(RequestSnapshot {
        deployment_id: id.clone(),
    });
    let refused = world.apply(ask.clone()).accepted().unwrap_err();
    assert_eq!(refused.code, codes::SNAPSHOT_POLICY);
    set(&mut world, &id, Some(policy("bucket"))).unwrap();
    assert_eq!(world.ok(ask.clone()), Outcome::Version { version: 1 });
    assert_eq!(world.ok(ask), Outcome::Version { version: 2 });
}

#[test]
fn a_folder_on_the_host_is_part_of_the_container_and_a_bucket_is_not() {
    let (mut world, id) = world();
    let hash = |world: &World| {
        let instance = world.instance(&id, "storage-0");
        assignment::spec_hash(&world.state, instance)
    };
    let path = |world: &World| {
        let content = assignment::content(&world.state, &allocator_id(1));
        content.instances[0].repository_path.clone()
    };
    let before = hash(&world);
    set(&mut world, &id, Some(policy("bucket"))).unwrap();
    assert_eq!((hash(&world), path(&world)), (before.clone(), None));
    set(&mut world, &id, Some(policy("folder"))).unwrap();
    assert_ne!(hash(&world), before);
    assert_eq!(path(&world).as_deref(), Some("/mnt/backups"));
    let due = crate::plan::upgrade::due(&world.state, &world.observed, world.now_ms);
    assert_eq!(due.len(), 1, "its container is to be replaced");
}
