//! The rules of the house, kept by a test so that taste does not decay: layers, what cores may
//! use, where the heavy libraries may appear, file length, names, the code map, the error pages.
//! Each rule is a function from the tree to a list of breaches, and each is shown to see a
//! planted one.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const MAX_LINES: usize = 600;
const NINE: [&str; 9] = [
    "tonic", "prost", "axum", "bollard", "raft", "sled", "rustls", "serde", "tokio",
];
const BANNED_NAMES: [&str; 5] = ["util", "common", "helper", "misc", "manager"];
const CORES: [&str; 6] = [
    "wharf-director-core",
    "wharf-allocator-core",
    "wharf-collectors-core",
    "wharf-proxy-core",
    "wharf-store-core",
    "wharf-monitor-core",
];
const SHELLS: [&str; 6] = [
    "wharf-director",
    "wharf-allocator",
    "wharf-collectors",
    "wharf-proxy",
    "wharf-store",
    "wharf-monitor",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ has a parent")
        .to_path_buf()
}

/// A source file: its path from the root and its text.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let sources: Vec<Source> = String::from_utf8(listed.stdout)
        .expect("paths are UTF-8")
        .lines()
        .filter_map(|path| {
            let text = fs::read_to_string(root().join(path)).ok()?;
            Some(Source {
                path: path.to_owned(),
                text,
            })
        })
        .collect();
    assert!(
        sources.len() > 20,
        "only {} source files were found",
        sources.len()
    );
    sources
}

fn planted(path: &str, text: &str) -> Vec<Source> {
    vec![Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }]
}

/// What cargo says of the packages of the workspace.
fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo prints its metadata");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    metadata["packages"]
        .as_array()
        .expect("packages is a list")
        .clone()
}

/// Package name to its folder from the root, like `director/core/`.
fn folders() -> BTreeMap<String, String> {
    packages()
        .iter()
        .map(|package| {
            let manifest = package["manifest_path"].as_str().expect("a path");
            let folder = Path::new(manifest)
                .parent()
                .and_then(|folder| folder.strip_prefix(root()).ok())
                .expect("a package is below the root");
            let name = package["name"].as_str().expect("a name").to_owned();
            (name, format!("{}/", folder.display()))
        })
        .collect()
}

/// Package name to its dependencies: normal and build ones, then with dev ones.
fn dependencies() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let mut found = BTreeMap::new();
    for package in packages() {
        let mut normal = BTreeSet::new();
        let mut all = BTreeSet::new();
        for dependency in package["dependencies"]
            .as_array()
            .expect("dependencies is a list")
        {
            let name = dependency["name"].as_str().expect("a name").to_owned();
            if dependency["kind"].as_str() != Some("dev") {
                normal.insert(name.clone());
            }
            all.insert(name);
        }
        found.insert(
            package["name"].as_str().expect("a name").to_owned(),
            (normal, all),
        );
    }
    found
}

fn layer_breaches(package: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let ours = dependencies.iter().filter(|name| name.starts_with("wharf"));
    let allowed = |name: &str| match package {
        "wharf-proto" => false,
        "wharf-services" | "wharf-runtime" => name == "wharf-proto",
        "wharf-admin-ui" => name == "wharf-runtime",
        _ if CORES.contains(&package) => name == "wharf-proto",
        _ if SHELLS.contains(&package) => {
            matches!(name, "wharf-proto" | "wharf-services" | "wharf-runtime")
                || name == format!("{package}-core")
                || (package, name) == ("wharf-allocator", "wharf-collectors")
                || name == "wharf-admin-ui" && matches!(package, "wharf-director" | "wharf-monitor")
        }
        "wharf" | "wharf-tests" => true,
        _ => false,
    };
    ours.filter(|name| !allowed(name))
        .map(|name| format!("{package} -> {name}"))
        .collect()
}

#[test]
fn packages_depend_only_on_the_layers_below() {
    let breaches: Vec<String> = dependencies()
        .iter()
        .flat_map(|(package, (normal, _))| layer_breaches(package, normal))
        .collect();
    assert!(
        breaches.is_empty(),
        "these dependencies go up or sideways: {breaches:?}"
    );
    for (package, other) in [
        ("wharf-proxy-core", "wharf-store-core"),
        ("wharf-proxy", "wharf-store-core"),
        ("wharf-store", "wharf-admin-ui"),
    ] {
        let planted = BTreeSet::from([other.to_owned()]);
        let seen = layer_breaches(package, &planted).len();
        assert_eq!(seen, 1, "{package} on {other} is seen");
    }
}

#[test]
fn each_of_the_nine_packages_is_a_direct_dependency_and_used() {
    let packages = dependencies();
    let sources = sources();
    for name in NINE {
        assert!(
            packages.values().any(|(normal, _)| normal.contains(name)),
            "{name} is no direct dependency of any package"
        );
        let word = format!("{name}::");
        assert!(
            sources.iter().any(|source| source.text.contains(&word)),
            "{name} is depended on but never used"
        );
    }
}

/// Code before the first `#[cfg(test)] mod`, without line comments.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    body.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_core(path: &str) -> bool {
    path.contains("/core/src/")
}

fn core_breaches(sources: &[Source]) -> Vec<String> {
    // Addresses are values; only what opens a socket is banned.
    const BANNED: [&str; 14] = [
        "tokio::",
        "std::fs",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "rand::",
        "tracing::",
        "println!",
        "Timestamp::now",
        "Zoned::now",
    ];
    let mut breaches = Vec::new();
    for source in sources.iter().filter(|source| is_core(&source.path)) {
        if source.path.contains("tests") {
            continue;
        }
        let code = code(&source.text);
        for banned in BANNED {
            let found = code.match_indices(banned).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                    && !code[at + banned.len()..].starts_with(|c: char| c.is_alphanumeric())
                    || banned.ends_with("::")
                        && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            });
            if found {
                breaches.push(format!("{} uses {banned}", source.path));
            }
        }
    }
    breaches
}

#[test]
fn cores_have_no_clock_no_files_no_sockets_no_randomness_and_no_log() {
    let breaches = core_breaches(&sources());
    assert!(
        breaches.is_empty(),
        "a core takes these as arguments instead: {breaches:?}"
    );
    let planted = planted(
        "proxy/core/src/x.rs",
        "//! x\nfn f() { std::time::Instant::now(); }",
    );
    assert_eq!(core_breaches(&planted).len(), 1, "a planted clock is seen");
    let packages = dependencies();
    for core in CORES {
        let Some((normal, _)) = packages.get(core) else {
            panic!("{core} is missing")
        };
        for banned in [
            "tokio",
            "rand",
            "tracing",
            "hyper",
            "axum",
            "rustls",
            "wharf-runtime",
        ] {
            assert!(
                !normal.contains(banned),
                "{core} must not depend on {banned}"
            );
        }
    }
}

/// Whether code names the crate `raft`, and not a module of ours of that name.
fn names_the_raft_crate(code: &str) -> bool {
    let pattern = |text: &str| regex::Regex::new(text).expect("a pattern");
    let import = pattern(r"\buse\s+([^;]+);");
    // Ours are reached from `crate`, `self`, `super` or a package, which come first.
    let first = pattern(r"^(?:::)?\s*raft\b");
    let itself = pattern(r"\braft\s*(?:[,}]|$|::\s*\{\s*self\b)");
    let (mut theirs, mut ours) = (false, pattern(r"\bmod\s+raft\b").is_match(code));
    for found in import.captures_iter(code) {
        let tree = found[1].trim();
        let named = match tree.trim_start_matches("::").strip_prefix('{') {
            Some(group) => outermost(group).any(|branch| first.is_match(branch)),
            None => first.is_match(tree),
        };
        theirs |= named;
        // Where our module is in scope, `raft::x` in an expression is of it.
        ours |= !named && itself.is_match(tree);
    }
    let root = if ours { "::" } else { "(?:::)?" };
    let path = pattern(&format!(
        r"(?:^|[^\w:>]){root}raft::|\bextern\s+crate\s+raft\b"
    ));
    theirs || path.is_match(&import.replace_all(code, ""))
}

/// The branches of a `use` group, without those nested in them.
fn outermost(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    group
        .split(move |c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        })
        .map(str::trim)
}

fn quarantine_breaches(sources: &[Source]) -> Vec<String> {
    type Allowed = fn(&str) -> bool;
    let rules: [(&str, Allowed); 4] = [
        ("sled::", |path| {
            path.starts_with("director/src/raft/storage")
        }),
        ("bollard::", |path| {
            path.starts_with("allocator/src/docker/")
        }),
        ("tantivy::", |path| {
            path.starts_with("nodes/store/src/engine/")
        }),
        ("tokio::spawn", |path| path == "runtime/src/task.rs"),
    ];
    let mut breaches = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with("tests/"))
    {
        let code = code(&source.text);
        if !source.path.starts_with("director/src/raft/") && names_the_raft_crate(&code) {
            breaches.push(format!("{} names the crate raft", source.path));
        }
        for (word, allowed) in rules {
            if allowed(&source.path) {
                continue;
            }
            let named = code.match_indices(word).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                    || word == "tokio::spawn"
            });
            if named {
                breaches.push(format!("{} names {word}", source.path));
            }
        }
    }
    breaches
}

#[test]
fn heavy_libraries_stay_where_they_can_be_replaced() {
    let breaches = quarantine_breaches(&sources());
    assert!(breaches.is_empty(), "{breaches:?}");
    for text in [
        "use bollard::Docker;",
        "fn f() { tokio::spawn(async {}); }",
        "use sled::Db;",
    ] {
        let planted = planted("proxy/src/x.rs", text);
        assert_eq!(
            quarantine_breaches(&planted).len(),
            1,
            "`{text}` in the proxy must be seen"
        );
    }
    for text in [
        "use raft::RawNode;",
        "use raft as consensus;",
        "use ::raft::RawNode;",
        "use {\n    bytes::{Buf, Bytes},\n    raft::{Config, RawNode},\n};",
        "extern crate raft;",
        "fn f(node: &raft::Config) {}",
        "mod raft;\nfn f(node: &::raft::Config) {}",
    ] {
        assert_eq!(
            quarantine_breaches(&planted("director/src/leader/x.rs", text)).len(),
            1,
            "`{text}` in the director beside its Raft member must be seen"
        );
        let inside = quarantine_breaches(&planted("director/src/raft/x.rs", text));
        assert!(inside.is_empty(), "`{text}` is in its place: {inside:?}");
    }
    for text in [
        "use crate::raft::{Halt, StateMachine};",
        "use crate::{\n    codes,\n    raft::{Handle, ProposeError},\n};",
        "use crate::raft;\nfn f(handle: raft::Handle) {}",
        "fn f(handle: crate::raft::Handle) {}",
        "mod raft;\nfn f(handle: raft::Handle) {}",
    ] {
        let breaches = quarantine_breaches(&planted("director/src/leader/x.rs", text));
        assert!(
            breaches.is_empty(),
            "`{text}` is our own module: {breaches:?}"
        );
    }
}

fn shape_breaches(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            breaches.push(format!("{} has {lines} lines", source.path));
        }
        if !source.text.starts_with("//!") {
            breaches.push(format!("{} does not begin with `//!`", source.path));
        }
        for part in source.path.trim_end_matches(".rs").split('/') {
            if part.split(['_', '-']).any(|word| {
                BANNED_NAMES
                    .iter()
                    .any(|banned| word == *banned || word == format!("{banned}s"))
            }) {
                breaches.push(format!(
                    "{} is named `{part}`, which says nothing",
                    source.path
                ));
            }
        }
    }
    breaches
}

#[test]
fn files_are_short_say_what_they_are_and_have_telling_names() {
    let breaches = shape_breaches(&sources());
    assert!(breaches.is_empty(), "{breaches:#?}");
    assert_eq!(
        shape_breaches(&planted("a/src/utils.rs", "//! x")).len(),
        1,
        "a banned name"
    );
    assert_eq!(
        shape_breaches(&planted("a/src/b.rs", "fn f() {}")).len(),
        1,
        "no first line"
    );
    let long = format!("//! x{}", "\n".repeat(MAX_LINES + 1));
    assert_eq!(
        shape_breaches(&planted("a/src/b.rs", &long)).len(),
        1,
        "a long file"
    );
}

fn map_breaches(map: &str, folders: &BTreeMap<String, String>) -> Vec<String> {
    let section = map
        .split("\n## ")
        .find_map(|section| section.strip_prefix("Code map\n"))
        .unwrap_or("");
    let rows: Vec<(&str, &str, &str)> = section
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.splitn(3, '|').map(str::trim);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            let folder = cells.next()?.trim_matches('`');
            Some((name, folder, cells.next()?.trim_end_matches('|').trim()))
        })
        .collect();
    let mut breaches = Vec::new();
    for (package, folder) in folders {
        let lines: Vec<_> = rows.iter().filter(|row| row.0 == package).collect();
        match lines[..] {
            [(_, at, holds)] if at == folder && !holds.is_empty() => {}
            _ => breaches.push(format!(
                "{package} in `{folder}` has not one line that says so and what it holds: {lines:?}"
            )),
        }
    }
    for (name, ..) in rows.iter().filter(|row| !folders.contains_key(row.0)) {
        breaches.push(format!("{name} has a line and is no package"));
    }
    breaches
}

#[test]
fn the_code_map_has_a_line_for_every_package() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md exists");
    let breaches = map_breaches(&map, &folders());
    assert!(breaches.is_empty(), "the code map: {breaches:#?}");
    let one = BTreeMap::from([("a".into(), "x/a/".into())]);
    let table = |rows: &str| format!("# A\n\n## Code map\n\n|---|---|---|\n{rows}\n");
    assert!(map_breaches(&table("| `a` | `x/a/` | all |"), &one).is_empty());
    for (rows, fault) in [
        ("", "no line"),
        (
            "The package `a` is in `x/a/`.",
            "named outside of the table",
        ),
        ("| `a` | `x/` | all |", "another folder"),
        ("| `a` | `x/a/` | |", "nothing said"),
        (
            "| `a` | `x/a/` | all |\n| `a` | `x/a/` | all |",
            "two lines",
        ),
        (
            "| `a` | `x/a/` | all |\n| `b` | `b/` | all |",
            "no such package",
        ),
        (
            "\n## Else\n\n| `a` | `x/a/` | all |",
            "a line of another table",
        ),
    ] {
        assert_eq!(map_breaches(&table(rows), &one).len(), 1, "{fault} is seen");
    }
    for walk in ["The walk of \"create deployment\"", "The walk of a sample"] {
        assert!(map.contains(walk), "ARCHITECTURE.md lacks `{walk}`");
    }
}

/// Codes that the sources name, like `DIR0012`.
fn codes(sources: &[Source]) -> BTreeSet<String> {
    let pattern = regex::Regex::new(r"\b(DIR|ALL|PRX|STO|COL|CLI|MON)\d{4}\b").expect("a pattern");
    sources
        .iter()
        .filter(|source| !source.path.starts_with("tests/"))
        .flat_map(|source| {
            pattern
                .find_iter(&source.text)
                .map(|found| found.as_str().to_owned())
        })
        .collect()
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let used = codes(&sources());
    assert!(used.len() > 10, "only {} codes were found", used.len());
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(root().join("docs/errors")).expect("docs/errors exists") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name == "README" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a page");
        assert!(
            text.starts_with(&format!("# {name}: ")) && text.contains("What to do"),
            "{name}.md begins with `# {name}: ` and says `What to do`"
        );
        pages.insert(name);
    }
    let missing: Vec<_> = used.difference(&pages).collect();
    assert!(
        missing.is_empty(),
        "these codes have no page in docs/errors: {missing:?}"
    );
    let unused: Vec<_> = pages.difference(&used).collect();
    assert!(unused.is_empty(), "these pages are of no code: {unused:?}");
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    let words = ["#[ignore", "todo!(", "unimplemented!(", "FIXME"];
    for source in sources()
        .iter()
        .filter(|source| !source.path.ends_with("house.rs"))
    {
        for word in words {
            assert!(
                !source.text.contains(word),
                "{} contains `{word}`",
                source.path
            );
        }
    }
}
