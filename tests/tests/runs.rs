//! What runs of the tests take up: no test file is forgotten by `scripts/test`, and cases that failed once lie
//! where their property tests read them. Not here: the tests themselves.

// A test fails by panicking.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const FOLDER: &str = "/proptest-regressions/";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ has a parent")
        .to_path_buf()
}

/// Files of the tree, and those that could be added to it: path to text.
fn files() -> BTreeMap<String, String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    git.args(["*.rs", "*.txt"]).current_dir(root());
    let listed = git.output().expect("git lists the files");
    let listed = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    let read = |path: &str| fs::read_to_string(root().join(path)).ok();
    let files = listed.lines();
    files
        .filter_map(|path| Some((path.to_owned(), read(path)?)))
        .collect()
}

fn breaches(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut breaches = Vec::new();
    for (path, text) in files {
        if let Some((package, case)) = path.split_once(FOLDER) {
            let source = format!("{package}/src/{}.rs", case.trim_end_matches(".txt"));
            if !(files.get(&source)).is_some_and(|source| source.contains("proptest! {")) {
                breaches.push(format!("{path}: {source} has no property tests to read it"));
            }
            let is_case = |line: &str| line.strip_prefix("cc ").is_some_and(|of| of.len() >= 64);
            if !text
                .lines()
                .all(|line| line.starts_with('#') || is_case(line))
            {
                breaches.push(format!("{path} holds a line that is no case"));
            }
        } else if !path.starts_with("tests/") {
            // What would make one of them blind to the files, or deaf to the seed of the run.
            for word in ["failure_persistence", "rng_seed", "RngSeed"] {
                if text.contains(word) {
                    breaches.push(format!("{path} sets `{word}`"));
                }
            }
        }
    }
    breaches
}

#[test]
fn every_case_that_failed_once_is_where_its_test_reads_it() {
    let files = files();
    let kept = files.keys().filter(|path| path.contains(FOLDER)).count();
    assert!(kept >= 5, "only {kept} files of cases were found");
    assert_eq!(breaches(&files), Vec::<String>::new());

    let case = format!("cc {}\n", "0a".repeat(32));
    let tree = |source: &str, text: &str, at: &str| {
        let source = ("a/core/src/b/c.rs".to_owned(), source.to_owned());
        let case = (format!("a/core/proptest-regressions/{at}"), text.to_owned());
        breaches(&BTreeMap::from([source, case])).len()
    };
    let tests = "proptest! {\n}\n";
    assert_eq!(tree(tests, &format!("# why\n{case}"), "b/c.txt"), 0);
    for (source, text, at, fault) in [
        (tests, &*case, "c.txt", "the source was moved"),
        ("", &*case, "b/c.txt", "the tests were moved"),
        (tests, "cc 0a", "b/c.txt", "a case that is cut off"),
        (
            "proptest! {\n rng_seed: RngSeed::Random",
            "",
            "b/c.txt",
            "a seed of its own",
        ),
    ] {
        assert!(tree(source, text, at) > 0, "{fault} is seen");
    }
}

#[test]
fn every_test_file_has_its_place_in_the_script() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--offline",
    ]);
    let told = cargo.current_dir(root()).output().expect("cargo answers");
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let packages = told["packages"].as_array().unwrap().iter();
    let targets = packages.flat_map(|package| package["targets"].as_array().unwrap());
    let is_test = |target: &&serde_json::Value| target["kind"][0] == "test";
    let there: BTreeSet<&str> = targets
        .filter(is_test)
        .map(|target| target["name"].as_str().unwrap())
        .collect();
    assert!(there.contains("house"), "{there:?}");

    let mut script = Command::new("scripts/test");
    let listed = script.arg("list").current_dir(root()).output();
    let listed = String::from_utf8(listed.expect("the script runs").stdout).unwrap();
    assert_eq!(
        there,
        listed.lines().collect(),
        "of cargo, and of the script"
    );
}
