//! The labels that mark what belongs to a platform, and the names of containers and images.
//!
//! Invariants: a filter by [`PLATFORM`] and its id finds all that a platform made on an engine and
//! nothing else. Not here: what the labelled things are.

use std::collections::HashMap;

/// The platform's id.
pub const PLATFORM: &str = "io.wharfinger.platform";
/// `director`, `allocator`, `proxy` or `instance`.
pub const ROLE: &str = "io.wharfinger.role";
/// The deployment's id.
pub const DEPLOYMENT: &str = "io.wharfinger.deployment";
/// The deployment's name.
pub const DEPLOYMENT_NAME: &str = "io.wharfinger.deployment-name";
/// The resource's id.
pub const RESOURCE: &str = "io.wharfinger.resource";
/// The resource's kind.
pub const RESOURCE_NAME: &str = "io.wharfinger.resource-name";
/// The instance's id.
pub const INSTANCE: &str = "io.wharfinger.instance";
/// The instance's name.
pub const INSTANCE_NAME: &str = "io.wharfinger.instance-name";
/// The revision that the container was made from.
pub const SPEC: &str = "io.wharfinger.spec";
/// The assignment's generation when the container was made.
pub const GENERATION: &str = "io.wharfinger.generation";
/// The host port that the instance is published on.
pub const PORT: &str = "io.wharfinger.port";
/// SHA-256 of the binary inside an image.
pub const BINARY: &str = "io.wharfinger.binary";
/// The role that instances carry.
pub const INSTANCE_ROLE: &str = "instance";

/// The engine's filter for all that a platform made.
#[must_use]
pub fn filter(platform_id: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([(
        "label".to_owned(),
        vec![format!("{PLATFORM}={platform_id}")],
    )])
}

/// The same, of one role.
#[must_use]
pub fn role_filter(platform_id: &str, role: &str) -> HashMap<String, Vec<String>> {
    let labels = vec![
        format!("{PLATFORM}={platform_id}"),
        format!("{ROLE}={role}"),
    ];
    HashMap::from([("label".to_owned(), labels)])
}

/// The repository of a platform's image.
#[must_use]
pub fn image_repository(platform_name: &str) -> String {
    format!("wharfinger/{platform_name}")
}

/// The name of a role's container.
#[must_use]
pub fn role_container(platform_name: &str, role: &str) -> String {
    format!("wharf-{platform_name}-{role}")
}

/// The name of an instance's container: by alias and name, or with the start of its id where that
/// name is taken.
#[must_use]
pub fn instance_container(
    platform_name: &str,
    alias: &str,
    instance_name: &str,
    instance_id: &str,
    taken: bool,
) -> String {
    let alias = if alias.is_empty() {
        &instance_id[..instance_id.len().min(12)]
    } else {
        alias
    };
    let name = format!("wharf-{platform_name}-{alias}-{instance_name}");
    if taken {
        format!("{name}-{}", &instance_id[..instance_id.len().min(8)])
    } else {
        name
    }
}
