//! Data is set aside whole, whatever dies in between, and given back before that.

use super::*;
use proptest::prelude::*;

fn id(byte: u8) -> InstanceId {
    InstanceId::from_bytes([byte; 16])
}

/// An instance with data of 30 bytes and a secret.
fn instance(data_dir: &Path, id: &InstanceId) -> PathBuf {
    let from = secrets::directory(data_dir, id.as_str());
    fs::create_dir_all(from.join("secrets")).unwrap();
    fs::write(from.join("secrets/identity.pem"), "key").unwrap();
    fs::create_dir_all(from.join("data/journal")).unwrap();
    fs::write(from.join("data/journal/1"), "x".repeat(20)).unwrap();
    fs::write(from.join("data/segment"), "y".repeat(10)).unwrap();
    std::os::unix::fs::symlink("/etc", from.join("data/link")).unwrap();
    from
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn data_is_renamed_read_only_without_secrets_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let from = instance(dir.path(), &id(1));
    set_aside(dir.path(), &id(1), 1_000).unwrap();
    assert!(!from.exists());
    let to = dir.path().join(format!("set-aside/{}-1000", id(1)));
    let listed = SetAside {
        instance_id: id(1).to_string(),
        path: to.clone(),
        bytes: 30,
        at_ms: 1_000,
    };
    assert_eq!(list(dir.path()).unwrap(), [listed]);
    assert!(!to.join("secrets").exists(), "its key is gone");
    for (path, expected) in [
        ("", 0o500),
        ("data", 0o500),
        ("data/journal", 0o500),
        ("data/journal/1", 0o400),
        ("data/segment", 0o400),
    ] {
        assert_eq!(mode(&to.join(path)), expected, "{path}");
    }
    assert_eq!(
        mode(Path::new("/etc")) & 0o200,
        0o200,
        "a link leads nowhere"
    );
    // Again, as after an answer that was lost: nothing is there, nothing is done.
    set_aside(dir.path(), &id(1), 2_000).unwrap();
    assert_eq!(list(dir.path()).unwrap().len(), 1);
}

#[test]
fn an_instance_that_was_replaced_twice_is_kept_twice() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        instance(dir.path(), &id(1));
        set_aside(dir.path(), &id(1), 1_000).unwrap();
    }
    let all = list(dir.path()).unwrap();
    assert_eq!(all.len(), 2);
    assert_ne!(all[0].path, all[1].path);
}

#[test]
fn what_is_not_ours_is_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(list(dir.path()).unwrap(), []);
    let folder = dir.path().join(FOLDER);
    fs::create_dir_all(folder.join("theirs")).unwrap();
    fs::write(folder.join("file"), "x").unwrap();
    fs::create_dir_all(folder.join("damaged")).unwrap();
    fs::write(folder.join("damaged").join(NOTE), "{").unwrap();
    assert_eq!(list(dir.path()).unwrap(), []);
    assert_eq!(mode(&folder.join("theirs")) & 0o200, 0o200);
}

#[test]
fn data_that_was_half_set_aside_is_given_back_to_an_instance_that_is_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let from = instance(dir.path(), &id(1));
    close(&from.join("data"), 0).unwrap();
    fs::write(from.join(NOTE), "{}").unwrap();
    give_back(&from).unwrap();
    for path in ["data", "data/journal"] {
        assert_eq!(mode(&from.join(path)), 0o700, "{path}");
    }
    assert_eq!(mode(&from.join("data/segment")), 0o600);
    assert!(!from.join(NOTE).exists());
    give_back(&from).unwrap();
    give_back(&dir.path().join("none")).unwrap();
}

/// What a kill after so many steps leaves.
fn begin(from: &Path, steps: usize) {
    if steps > 0 {
        fs::remove_dir_all(from.join("secrets")).unwrap();
    }
    if steps > 1 {
        fs::set_permissions(from.join("data"), Permissions::from_mode(0o500)).unwrap();
    }
    if steps > 2 {
        fs::set_permissions(from.join("data/segment"), Permissions::from_mode(0o400)).unwrap();
    }
    if steps > 3 {
        close(&from.join("data"), 0).unwrap();
    }
    if steps > 4 {
        let note = Note {
            instance_id: id(1).to_string(),
            bytes: 30,
            set_aside_at_ms: 500,
        };
        write_atomic(from.join(NOTE), &serde_json::to_vec(&note).unwrap(), 0o400).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn whenever_it_was_killed_the_data_is_in_one_place_and_gets_there(steps in 0_usize..7) {
        let dir = tempfile::tempdir().unwrap();
        let from = instance(dir.path(), &id(1));
        begin(&from, steps);
        if steps == 6 {
            // Killed after the rename.
            fs::create_dir(dir.path().join(FOLDER)).unwrap();
            fs::rename(&from, dir.path().join(FOLDER).join(format!("{}-500", id(1)))).unwrap();
        }
        let before = secrets::present(dir.path()).unwrap().len() + list(dir.path()).unwrap().len();
        prop_assert_eq!(before, 1, "in one place after {} steps", steps);
        set_aside(dir.path(), &id(1), 900).unwrap();
        let all = list(dir.path()).unwrap();
        prop_assert_eq!(all.len(), 1);
        prop_assert_eq!(all[0].bytes, 30);
        let segment = all[0].path.join("data/segment");
        prop_assert_eq!(fs::read_to_string(&segment).unwrap(), "y".repeat(10));
        prop_assert_eq!((mode(&segment), mode(&all[0].path)), (0o400, 0o500));
        prop_assert!(secrets::present(dir.path()).unwrap().is_empty());
    }

    #[test]
    fn any_note_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDER).join("x");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(NOTE), bytes).unwrap();
        list(dir.path()).unwrap();
    }
}
