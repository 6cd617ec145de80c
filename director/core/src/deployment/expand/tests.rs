//! What becomes of a request: sizes, ids, and the refusals with their fields.

use super::*;
use crate::{fixture::World, size::GIB};

fn request(name: &str) -> DeploymentRequest {
    DeploymentRequest {
        name: name.to_owned(),
        ..Default::default()
    }
}

#[test]
fn a_name_alone_gets_alias_template_and_default_size() {
    let mut world = World::new();
    let body = world.expand(&request("Logs of Team A")).unwrap();
    assert_eq!(
        (body.alias.as_str(), body.template_id.as_str()),
        ("logs-of-team-a", "observability")
    );
    let resource = &body.resources[0];
    assert_eq!(
        resource.size,
        Size {
            memory_bytes: GIB,
            disk_bytes: 20 * GIB,
            cpu_millis: 1000
        }
    );
    assert_eq!(resource.instances[0].name, "storage-0");
}

#[test]
fn each_mistake_names_its_field_and_has_its_own_code() {
    let mut world = World::new();
    let sized = |memory_bytes| DeploymentRequest {
        sizes: BTreeMap::from([(
            "storage".to_owned(),
            Size {
                memory_bytes,
                disk_bytes: 0,
                cpu_millis: 0,
            },
        )]),
        ..request("a")
    };
    let cases = [
        (request(""), codes::NAME, "name"),
        (request(&"n".repeat(65)), codes::NAME_LONG, "name"),
        (request("!!!"), codes::ALIAS, "alias"),
        (
            DeploymentRequest {
                alias: "A".into(),
                ..request("a")
            },
            codes::ALIAS,
            "alias",
        ),
        (
            DeploymentRequest {
                alias: "www".into(),
                ..request("a")
            },
            codes::ALIAS_RESERVED,
            "alias",
        ),
        (
            DeploymentRequest {
                template_id: "nope".into(),
                ..request("a")
            },
            codes::TEMPLATE,
            "template_id",
        ),
        (
            sized(GIB + 1),
            codes::SIZE_MULTIPLE,
            "sizes.storage.memory_bytes",
        ),
        (
            sized(1 << 50),
            codes::SIZE_RANGE,
            "sizes.storage.memory_bytes",
        ),
        (
            DeploymentRequest {
                zone_counts: BTreeMap::from([("storage".into(), 9)]),
                ..request("a")
            },
            codes::ZONES,
            "zone_counts.storage",
        ),
        (
            DeploymentRequest {
                zone_counts: BTreeMap::from([("x".into(), 1)]),
                ..request("a")
            },
            codes::RESOURCE_KIND,
            "zone_counts.x",
        ),
    ];
    for (request, code, field) in cases {
        let refusal = world.expand(&request).unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), refusal.field.as_str()),
            (code, field),
            "{request:?}"
        );
        assert!(!refusal.hint.is_empty(), "{request:?} has no hint");
    }
}

#[test]
fn an_alias_that_is_taken_is_refused() {
    let mut world = World::with_host();
    world.create("logs");
    let refusal = world.expand(&request("Logs")).unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), refusal.field.as_str()),
        (codes::ALIAS_TAKEN, "alias")
    );
}
