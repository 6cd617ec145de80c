//! What is told of instances, and when an assignment counts as applied.
//! Not here: what is decided (`wharf_allocator_core::reconcile`), a real engine (the tests' package).

use super::*;
use wharf_allocator_core::{
    assignment,
    observed::{Exit, ObservedContainer, RunState},
    reconcile::InstanceState,
};
use wharf_runtime::platform_file::Ports;

fn reported(exit: Option<Exit>, tail: &[&str]) -> Reported {
    Reported {
        view: InstanceView {
            id: InstanceId::from_bytes([1; 16]),
            state: InstanceState::Running,
            container: Some("c".into()),
            spec_hash: String::new(),
            image_id: String::new(),
            reason: String::new(),
            error_code: String::new(),
            restarts: 1,
            started_ms: None,
            exit,
            data_present: true,
        },
        port: 1,
        tail: tail.iter().map(|line| (*line).to_owned()).collect(),
    }
}

#[test]
fn the_last_lines_of_one_that_loops_stay_while_it_runs_again() {
    let exit = |at_ms| {
        Some(Exit {
            code: 3,
            out_of_memory: false,
            at_ms,
            error: String::new(),
        })
    };
    let seen = |tail: &[&str]| Seen {
        observed: ObservedContainer {
            id: "c".into(),
            platform_id: String::new(),
            instance_id: None,
            spec_hash: String::new(),
            image_id: String::new(),
            state: RunState::Running,
            created_ms: 0,
            started_ms: None,
        },
        name: String::new(),
        role: String::new(),
        port: 1,
        tail: tail.iter().map(|line| (*line).to_owned()).collect(),
    };
    let before = [reported(exit(5), &["it broke"])];
    let of = |exit, now: &[&str]| tail(&reported(exit, &[]).view, Some(&seen(now)), &before);
    assert_eq!(of(exit(5), &[]), ["it broke"]);
    assert_eq!(of(exit(9), &["again"]), ["again"]);
    assert!(of(exit(9), &[]).is_empty(), "lines of another end");
    assert!(of(None, &[]).is_empty(), "nothing ended");
}

const ALLOCATOR: &str = "cccccccccccccccccccccccccccccccc";

fn held(generation: u64) -> Held {
    let assigned = v1::AssignedInstance {
        instance_id: InstanceId::from_bytes([1; 16]).to_string(),
        instance_name: "storage-1".into(),
        deployment_id: "d".repeat(32),
        resource_id: "e".repeat(32),
        spec_hash: "h".into(),
        port: 18000,
        leased: true,
        secrets: Some(v1::InstanceSecrets {
            identity_pem: "key".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let message = v1::Assignment {
        allocator_id: ALLOCATOR.into(),
        generation,
        instances: vec![assigned],
        ..Default::default()
    };
    let spec = assignment::read(&message, ALLOCATOR).unwrap();
    Held { spec, message }
}

fn platform() -> PlatformFile {
    PlatformFile {
        platform_id: "f".repeat(32),
        name: "test".into(),
        domain: "localhost".into(),
        advertised_address: "127.0.0.1".into(),
        bind_address: "127.0.0.1".into(),
        zone: String::new(),
        host: String::new(),
        ports: Ports::default(),
        directors: vec![],
    }
}

fn task_of(data_dir: &Path) -> ReconcileTask {
    ReconcileTask {
        platform: platform(),
        data_dir: data_dir.to_owned(),
        engine: EngineLink::new("unix:///nowhere"),
        held: watch::channel(None).1,
        image: watch::channel(String::new()).1,
        image_missed: Arc::default(),
        facts: watch::channel(None).1,
        wake: Arc::default(),
        report: watch::channel(Report::default()).0,
        clock: Clock::manual(0),
    }
}

#[tokio::test]
async fn an_assignment_counts_as_applied_only_when_its_leases_and_secrets_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let id = InstanceId::from_bytes([1; 16]);
    let secrets = secrets::directory(dir.path(), id.as_str()).join("secrets");
    let plan = Plan {
        instances: vec![reported(None, &[]).view],
        applied: true,
        ..Default::default()
    };
    let task = task_of(dir.path());
    let (idle, mut applied) = (BTreeSet::new(), 0);
    task.settle(Some(&held(4)), &plan, &idle, &mut applied);
    assert_eq!(applied, 4);

    for name in ["lease.json", "identity.pem"] {
        // A folder in its place can be neither read nor replaced, whoever asks.
        std::fs::remove_file(secrets.join(name)).unwrap();
        std::fs::create_dir(secrets.join(name)).unwrap();
        task.settle(Some(&held(5)), &plan, &idle, &mut applied);
        assert_eq!(applied, 4, "{name} cannot be written");
        std::fs::remove_dir(secrets.join(name)).unwrap();
        task.settle(Some(&held(5)), &plan, &idle, &mut applied);
        assert_eq!(applied, 5, "{name} can be written again");
        assert!(secrets.join(name).is_file());
        applied = 4;
    }

    let busy = BTreeSet::from([id]);
    task.settle(Some(&held(5)), &plan, &busy, &mut applied);
    assert_eq!(applied, 4, "an action is under way");
    let unfinished = Plan {
        applied: false,
        ..plan
    };
    task.settle(Some(&held(5)), &unfinished, &idle, &mut applied);
    assert_eq!(applied, 4, "something is left to be done");
}

fn work_of(data_dir: &Path, held: Held) -> Work {
    Work {
        platform: platform(),
        data_dir: data_dir.to_owned(),
        engine: EngineLink::new("unix:///nowhere"),
        held: Some(Arc::new(held)),
        image: String::new(),
        facts: EngineFacts::default(),
    }
}

#[test]
fn whoever_starts_finds_no_lease_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let id = InstanceId::from_bytes([1; 16]);
    let work = work_of(dir.path(), held(4));
    let lease = secrets::directory(dir.path(), id.as_str()).join("secrets/lease.json");
    let deadline = || -> serde_json::Value {
        let text = std::fs::read(&lease).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["boottime_deadline_ms"].clone()
    };
    assert!(work.ready(&id).is_ok_and(|found| found.is_some()));
    crate::leases::grant(dir.path(), id.as_str(), 5_000).unwrap();
    assert_eq!(deadline(), 5_000);
    assert!(work.ready(&id).is_ok_and(|found| found.is_some()));
    assert_eq!(deadline(), 0);
    let another = InstanceId::from_bytes([2; 16]);
    assert!(work.ready(&another).is_ok_and(|found| found.is_none()));
}

#[test]
fn nobody_starts_with_the_platforms_own_folder_for_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let id = InstanceId::from_bytes([1; 16]);
    let mut own = held(4);
    own.message.instances[0].repository_path = dir.path().display().to_string();
    let refused = work_of(dir.path(), own).ready(&id).unwrap_err();
    assert_eq!(refused.code, "ALL0027");
    let secrets = secrets::directory(dir.path(), id.as_str());
    assert!(!secrets.exists(), "nothing is made for it");
}
