//! `docs/metrics.md` names every metric that the program tells, under the process that tells it, and
//! no other; and what nodes tell without labels is what documents about them take.

// A test fails by panicking and tells its figures.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use wharf_collectors_core::metricset::instance::COUNTS;

/// Headings of the page, and where the code of each lies.
const SECTIONS: [(&str, &str); 6] = [
    ("Every process", "runtime/src"),
    ("Director", "director/src"),
    ("Allocator", "allocator/src"),
    ("Proxy", "proxy/src"),
    ("Storage node", "nodes/store/src"),
    ("Monitoring node", "nodes/monitor/src"),
];

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("tests/ has a parent").to_path_buf()
}

/// The Rust files below a folder, without their tests.
fn code(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            code(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).unwrap();
            let end = text.find("#[cfg(test)]").unwrap_or(text.len());
            found.push(text[..end].to_owned());
        }
    }
}

/// Names of metrics that a text of code holds as literals.
fn named(text: &str) -> BTreeSet<String> {
    let literal = Regex::new(r#""((?:wharf|process)_[a-z0-9_]+)""#).unwrap();
    let all = literal.captures_iter(text);
    all.map(|found| found[1].to_owned()).collect()
}

/// A metric as the page has it.
#[derive(Debug, PartialEq)]
struct Row {
    has_labels: bool,
    kind: String,
}

/// The rows of each section of a page.
fn rows(page: &str) -> BTreeMap<String, BTreeMap<String, Row>> {
    let row = Regex::new(r"^\| `((?:wharf|process)_[a-z0-9_]+)(\{[a-z,]+\})?` \| (\w+) \| .+ \|$")
        .unwrap();
    let mut sections: BTreeMap<String, BTreeMap<String, Row>> = BTreeMap::new();
    let mut section = String::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        } else if let Some(found) = row.captures(line) {
            let one = Row {
                has_labels: found.get(2).is_some(),
                kind: found[3].to_owned(),
            };
            let rows = sections.entry(section.clone()).or_default();
            let twice = rows.insert(found[1].to_owned(), one);
            assert_eq!(twice, None, "{} has two rows under {section}", &found[1]);
        }
    }
    sections
}

#[test]
fn the_page_has_every_metric_under_the_process_that_tells_it_and_no_other() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let sections = rows(&page);
    for (section, folder) in SECTIONS {
        let mut texts = Vec::new();
        code(&root().join(folder), &mut texts);
        let told: BTreeSet<String> = texts.iter().flat_map(|text| named(text)).collect();
        assert!(!told.is_empty(), "no metric is found in {folder}");
        let rows = sections.get(section);
        let rows = rows.unwrap_or_else(|| panic!("docs/metrics.md has no rows under {section}"));
        let written: BTreeSet<String> = rows.keys().cloned().collect();
        let missing: Vec<_> = told.difference(&written).collect();
        let gone: Vec<_> = written.difference(&told).collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "under {section} of docs/metrics.md {missing:?} are missing and {gone:?} are told by nobody in {folder}"
        );
        for (name, row) in rows {
            assert_eq!(
                row.kind == "counter",
                name.ends_with("_total"),
                "{name} is no {} by its name",
                row.kind
            );
        }
    }
}

#[test]
fn documents_about_nodes_take_what_they_tell_without_labels_and_nothing_else() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let sections = rows(&page);
    let own = ["wharf_healthy", "wharf_uptime_seconds"];
    let mut told = BTreeSet::new();
    for section in ["Every process", "Storage node", "Monitoring node"] {
        for (name, row) in &sections[section] {
            if row.has_labels || own.contains(&name.as_str()) || name.starts_with("process_") {
                continue;
            }
            if row.kind == "histogram" {
                told.extend(["count", "sum"].map(|part| format!("{name}_{part}")));
            } else {
                told.insert(name.clone());
            }
        }
    }
    let taken: BTreeSet<String> = COUNTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(taken, told, "what documents take, and what nodes tell");
}

#[test]
fn a_metric_that_is_not_on_the_page_is_seen() {
    let code = "metrics.gauge(\"wharf_new_thing\", \"x\", &[]); // \"wharf.other\"";
    assert_eq!(named(code), BTreeSet::from(["wharf_new_thing".to_owned()]));
    let page = "## A\n| `wharf_a_total{kind}` | counter | what |\n| wharf_b | gauge | what |\n";
    let rows = rows(page);
    assert_eq!(rows["A"].len(), 1, "{rows:?}");
    assert!(rows["A"]["wharf_a_total"].has_labels);
}
