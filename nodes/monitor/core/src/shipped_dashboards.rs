//! The dashboards that a platform brings, from `deploy/dashboards/`, inside the binary.
//!
//! Invariants: each is a dashboard that could be kept under the name of its file; a document of the
//! same name in the deployment's storage stands in for it. Not here: that storage, what a page draws.

use serde_json::Value;
use wharf_proto::monitor::v1::{Dashboard, Origin};

use crate::object::{ObjectError, of_dashboard};

/// Name and text of each, by name.
pub const SHIPPED: [(&str, &str); 6] = [
    (
        "container",
        include_str!("../../../../deploy/dashboards/container.json"),
    ),
    (
        "docker-overview",
        include_str!("../../../../deploy/dashboards/docker-overview.json"),
    ),
    (
        "host",
        include_str!("../../../../deploy/dashboards/host.json"),
    ),
    (
        "logs",
        include_str!("../../../../deploy/dashboards/logs.json"),
    ),
    (
        "platform",
        include_str!("../../../../deploy/dashboards/platform.json"),
    ),
    (
        "storage",
        include_str!("../../../../deploy/dashboards/storage.json"),
    ),
];

/// Whether there is a shipped dashboard of this name.
#[must_use]
pub fn is_shipped(name: &str) -> bool {
    SHIPPED.iter().any(|(shipped, _)| *shipped == name)
}

/// The shipped dashboard of this name. It has no version: nothing of it is kept.
#[must_use]
pub fn dashboard(name: &str) -> Option<Dashboard> {
    SHIPPED
        .iter()
        .find(|(shipped, _)| *shipped == name)
        .and_then(|(name, text)| read(name, text).ok())
}

/// All shipped dashboards, by name.
pub fn dashboards() -> impl Iterator<Item = Dashboard> {
    SHIPPED
        .iter()
        .filter_map(|(name, text)| read(name, text).ok())
}

fn read(name: &str, text: &str) -> Result<Dashboard, ObjectError> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let field = |field: &str| {
        let text = value.get(field).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let dashboard = Dashboard {
        name: name.to_owned(),
        title: field("title"),
        description: field("description"),
        origin: Origin::Shipped.into(),
        document_json: value.to_string(),
        ..Dashboard::default()
    };
    of_dashboard(&dashboard, 0)?;
    Ok(dashboard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn panels(dashboard: &Dashboard) -> Vec<Value> {
        let document: Value = serde_json::from_str(&dashboard.document_json).unwrap();
        document["panels"].as_array().unwrap().clone()
    }

    fn number(value: &Value, path: &str) -> u64 {
        value
            .pointer(path)
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("{path} of {value} is a number"))
    }

    #[test]
    fn every_file_is_a_dashboard_of_its_name_that_can_be_kept() {
        for (name, text) in SHIPPED {
            let dashboard = read(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!dashboard.title.is_empty(), "{name} has a title");
            assert!(
                !dashboard.description.is_empty(),
                "{name} says what it is for"
            );
            assert!(dashboard.version.is_empty() && is_shipped(name), "{name}");
        }
        assert_eq!(dashboards().count(), SHIPPED.len());
        assert_eq!(dashboard("other"), None);
    }

    #[test]
    fn panels_have_names_of_their_own_and_do_not_cover_each_other() {
        for dashboard in dashboards() {
            let mut ids = BTreeSet::new();
            let mut taken = BTreeSet::new();
            for panel in panels(&dashboard) {
                let id = panel["id"].as_str().unwrap().to_owned();
                assert!(ids.insert(id.clone()), "{}: {id} once", dashboard.name);
                let at = |part: &str| number(&panel, &format!("/at/{part}"));
                assert!(at("x") + at("w") <= 12, "{}: {id} fits", dashboard.name);
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        assert!(
                            taken.insert((x, y)),
                            "{}: {id} is over another at {x}, {y}",
                            dashboard.name
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn panels_search_streams_that_collectors_write_and_speak_korean_too() {
        for dashboard in dashboards() {
            for panel in panels(&dashboard) {
                let who = format!("{}: {}", dashboard.name, panel["id"]);
                for index in panel["index"].as_array().into_iter().flatten() {
                    let index = index.as_str().unwrap();
                    let known = ["metrics-docker.", "metrics-system.", "metrics-wharf."];
                    let logs = ["logs-docker.container-*", "logs-wharf.access-*"];
                    assert!(
                        known.iter().any(|start| index.starts_with(start)) || logs.contains(&index),
                        "{who} searches {index}"
                    );
                }
                assert!(
                    panel["titles"]["ko"].is_string(),
                    "{who} has a Korean title"
                );
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_shipped_and_told() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../deploy/dashboards");
        let mut files: Vec<String> = std::fs::read_dir(&folder)
            .expect("the folder is there")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .collect();
        files.sort();
        let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, shipped, "the files and what is inside the binary");
        let told = std::fs::read_to_string(folder.join("README.md")).expect("a README");
        for name in shipped {
            assert!(
                told.contains(&format!("`{name}`")),
                "README.md names {name}"
            );
        }
    }
}
