//! What a deployment may be called and how large it may be. Each refusal names the field and has
//! a code. Used twice: by the API on what was asked, by apply on what arrives through the log.
//! Not here: whether there is room (`placement`).

use crate::{
    command::{CreateDeployment, NewResource},
    refusal::{Refusal, RefusalKind, codes, cut},
    size::{MIB, Size},
    state::{ResourceRecord, State},
    template::{InstanceConfiguration, is_label},
};

/// Characters of a name at most.
pub const NAME_CHARS: usize = 64;
/// Characters of an alias at most: `<alias>-monitor` must be a DNS label too.
pub const ALIAS_CHARS: usize = 50;
/// Zones of a resource at most.
pub const MAX_ZONES: u32 = 5;
/// Instances of a resource at most.
pub const MAX_INSTANCES: u32 = 64;
/// Instances of a deployment at most; their berths must fit in one command.
pub const MAX_DEPLOYMENT_INSTANCES: usize = 96;
/// The alias of the platform's own deployment.
pub const SYSTEM_ALIAS: &str = "system";
/// Aliases that deployments of users cannot have.
pub const RESERVED: [&str; 12] = [
    SYSTEM_ALIAS,
    "admin",
    "allocator",
    "api",
    "default",
    "director",
    "internal",
    "localhost",
    "monitor",
    "proxy",
    "wharf",
    "www",
];

fn invalid(code: &str, field: &str, message: String, hint: &str) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgument, code, message)
        .field(field)
        .hint(hint)
}

/// Checks a deployment's name.
///
/// # Errors
/// When it is empty, too long, or has characters that a terminal would not show.
pub fn name(text: &str) -> Result<(), Refusal> {
    let characters = text.chars().count();
    if characters > NAME_CHARS {
        return Err(invalid(
            codes::NAME_LONG,
            "name",
            format!("the name has {characters} characters, {NAME_CHARS} are allowed"),
            "choose a shorter name",
        ));
    }
    if text.trim().is_empty() || text.trim() != text || text.chars().any(char::is_control) {
        return Err(invalid(
            codes::NAME,
            "name",
            "the name must not be empty, begin or end with a space, or have control characters"
                .to_owned(),
            "give a name such as `logs of team a`",
        ));
    }
    Ok(())
}

/// Checks an alias.
///
/// # Errors
/// When it is no DNS label, too long, reserved, or could be taken for something else.
pub fn alias(text: &str, system_owned: bool) -> Result<(), Refusal> {
    if !is_label(text) || text.len() > ALIAS_CHARS {
        return Err(invalid(
            codes::ALIAS,
            "alias",
            format!(
                "`{}` is no alias: 1 to {ALIAS_CHARS} of a-z, 0-9 and inner hyphens",
                cut(text, 80)
            ),
            "choose another alias, it becomes a host name",
        ));
    }
    if text.ends_with("-monitor") || wharf_proto::ids::is_id(text) {
        return Err(invalid(
            codes::ALIAS,
            "alias",
            format!("the alias `{text}` would be taken for a monitoring host name or an id"),
            "choose another alias",
        ));
    }
    if !system_owned && RESERVED.contains(&text) {
        return Err(invalid(
            codes::ALIAS_RESERVED,
            "alias",
            format!("the alias `{text}` is reserved for the platform"),
            "choose another alias",
        ));
    }
    Ok(())
}

/// The alias that a name becomes: lower case, other characters to hyphens; empty when nothing is
/// left.
#[must_use]
pub fn alias_from_name(name: &str) -> String {
    let mut alias = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            alias.push(character.to_ascii_lowercase());
        } else if !alias.is_empty() && !alias.ends_with('-') {
            alias.push('-');
        }
        if alias.len() >= 40 {
            break;
        }
    }
    alias.trim_end_matches('-').to_owned()
}

/// Checks that no other deployment has the alias.
///
/// # Errors
/// When one has.
pub fn alias_is_free(state: &State, alias: &str) -> Result<(), Refusal> {
    match state.aliases.get(alias) {
        None => Ok(()),
        Some(holder) => Err(Refusal::new(
            RefusalKind::AlreadyExists,
            codes::ALIAS_TAKEN,
            format!("the alias `{alias}` belongs to the deployment {holder}"),
        )
        .field("alias")
        .hint("choose another alias")),
    }
}

/// Checks the completed size of an instance.
///
/// # Errors
/// Names the part of the size that is wrong: `sizes.storage.memory_bytes`.
pub fn size(kind: &str, size: Size, profile: &InstanceConfiguration) -> Result<(), Refusal> {
    let field = |part: &str| format!("sizes.{kind}.{part}");
    for (part, bytes) in [
        ("memory_bytes", size.memory_bytes),
        ("disk_bytes", size.disk_bytes),
    ] {
        if !bytes.is_multiple_of(MIB) {
            return Err(invalid(
                codes::SIZE_MULTIPLE,
                &field(part),
                format!("{bytes} bytes are no multiple of 1 MiB"),
                "give whole mebibytes",
            ));
        }
    }
    let ranges = [
        (
            "memory_bytes",
            size.memory_bytes,
            profile.min_memory_bytes,
            profile.max_memory_bytes,
            MIB,
            "MiB",
        ),
        (
            "disk_bytes",
            size.disk_bytes,
            profile.min_disk_bytes,
            profile.max_disk_bytes,
            MIB,
            "MiB",
        ),
        (
            "cpu_millis",
            u64::from(size.cpu_millis),
            1,
            u64::from(profile.max_cpu_millis),
            1,
            "thousandths of a core",
        ),
    ];
    for (part, value, min, max, unit, unit_name) in ranges {
        if !(min..=max).contains(&value) {
            return Err(invalid(
                codes::SIZE_RANGE,
                &field(part),
                format!(
                    "{} {unit_name} are outside of {} to {} of the instance configuration `{}`",
                    value / unit,
                    min / unit,
                    max / unit,
                    profile.id
                ),
                "`wharf template show` prints what a template admits",
            ));
        }
    }
    Ok(())
}

/// Checks a zone count against what the engine allows.
///
/// # Errors
/// When it is zero or too large.
pub fn zone_count(kind: &str, zones: u32, max: u32, engine: &str) -> Result<(), Refusal> {
    if (1..=max).contains(&zones) {
        return Ok(());
    }
    Err(invalid(
        codes::ZONES,
        &format!("zone_counts.{kind}"),
        format!("{zones} zones are not possible, the engine `{engine}` admits 1 to {max}"),
        "give another zone count or leave it out",
    ))
}

/// Checks a whole command as apply must: everything but room.
///
/// # Errors
/// The first thing that is wrong.
pub fn create(state: &State, body: &CreateDeployment) -> Result<(), Refusal> {
    name(&body.name)?;
    alias(&body.alias, body.system_owned)?;
    alias_is_free(state, &body.alias)?;
    if state.deployments.contains_key(&body.deployment_id)
        || state.plan_history.contains_key(&body.deployment_id)
    {
        return taken("deployment", body.deployment_id.as_str());
    }
    if state.plans.contains_key(&body.plan_id) {
        return taken("plan", body.plan_id.as_str());
    }
    resources(state, &body.resources, [])
}

/// Checks that these resources and what they hold can be made beside those that a deployment `has`.
///
/// # Errors
/// The first thing that is wrong, with its field.
pub fn resources<'a>(
    state: &State,
    added: &'a [NewResource],
    has: impl IntoIterator<Item = &'a ResourceRecord>,
) -> Result<(), Refusal> {
    let mut kinds = std::collections::BTreeSet::new();
    let mut ids = std::collections::BTreeSet::new();
    let mut instances: usize = 0;
    for resource in has {
        kinds.insert(&resource.kind);
        instances = instances.saturating_add(resource.instances.len());
    }
    for resource in added {
        instances = instances.saturating_add(resource.instances.len());
        if !is_label(&resource.kind) || !kinds.insert(&resource.kind) {
            return Err(invalid(
                codes::RESOURCE_KIND,
                "resources",
                format!(
                    "the resource kind `{}` is wrong or there twice",
                    cut(&resource.kind, 64)
                ),
                "use a shipped template",
            ));
        }
        if state.resources.contains_key(&resource.id) || !ids.insert(resource.id.as_str()) {
            return taken("resource", resource.id.as_str());
        }
        let wanted = resource
            .zone_count
            .saturating_mul(resource.instances_per_zone);
        if !(1..=MAX_ZONES).contains(&resource.zone_count)
            || !(1..=MAX_INSTANCES).contains(&wanted)
            || u32::try_from(resource.instances.len()) != Ok(wanted)
        {
            return Err(invalid(
                codes::ZONES,
                &format!("zone_counts.{}", resource.kind),
                "zones and instances do not fit together".to_owned(),
                "give another zone count",
            ));
        }
        if resource.size.memory_bytes == 0 || resource.size.cpu_millis == 0 {
            return Err(invalid(
                codes::SIZE_RANGE,
                &format!("sizes.{}.memory_bytes", resource.kind),
                "an instance without memory or CPU cannot run".to_owned(),
                "give a size",
            ));
        }
        for instance in &resource.instances {
            if state.instances.contains_key(&instance.id) || !ids.insert(instance.id.as_str()) {
                return taken("instance", instance.id.as_str());
            }
        }
    }
    if !(1..=MAX_DEPLOYMENT_INSTANCES).contains(&instances) {
        return Err(invalid(
            codes::ZONES,
            "zone_counts",
            format!("a deployment has 1 to {MAX_DEPLOYMENT_INSTANCES} instances, not {instances}"),
            "give other zone counts",
        ));
    }
    Ok(())
}

fn taken(what: &str, id: &str) -> Result<(), Refusal> {
    Err(Refusal::new(
        RefusalKind::AlreadyExists,
        codes::ID_TAKEN,
        format!("the {what} id {id} is taken"),
    )
    .hint("send the request again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_name_is_refused_with_its_field_and_code() {
        let refusal = name(&"x".repeat(65)).unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), refusal.field.as_str()),
            (codes::NAME_LONG, "name")
        );
        assert!(name(&"ü".repeat(64)).is_ok());
    }

    #[test]
    fn reserved_aliases_are_the_platforms() {
        assert_eq!(
            alias("system", false).unwrap_err().code,
            codes::ALIAS_RESERVED
        );
        assert!(alias("system", true).is_ok());
    }

    #[test]
    fn an_alias_that_looks_like_a_monitor_or_an_id_is_refused() {
        assert!(alias("team-monitor", false).is_err());
        assert!(alias(&"ab".repeat(16), false).is_err());
    }

    proptest! {
        #[test]
        fn an_alias_made_from_a_name_is_an_alias_or_empty(text in ".{0,80}") {
            let made = alias_from_name(&text);
            prop_assert!(made.is_empty() || (is_label(&made) && made.len() <= ALIAS_CHARS));
        }
    }
}
