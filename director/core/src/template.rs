//! Templates: starting points of deployments. Their serde form is that of the shipped YAML files
//! (`deploy/templates/`), which the shell reads; this checks them. Not here: what a deployment
//! becomes of one (`deployment/expand`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharf_proto::v1;

use crate::{
    deployment::validate::{MAX_INSTANCES, MAX_ZONES},
    refusal::{Refusal, RefusalKind, codes},
    size::{GIB, MIB, Size},
};

/// The kind of resource that watches what a deployment's storage holds.
pub const MONITORING: &str = "monitoring";

/// A hardware profile and the allocators it fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceConfiguration {
    /// Its name.
    pub id: String,
    /// Least memory of an instance.
    pub min_memory_bytes: u64,
    /// Most memory of an instance.
    pub max_memory_bytes: u64,
    /// Least disk of an instance.
    pub min_disk_bytes: u64,
    /// Most disk of an instance.
    pub max_disk_bytes: u64,
    /// Disk bytes per byte of memory when a size names no disk.
    pub disk_multiplier: u32,
    /// CPU thousandths per GiB of memory when a size names no CPU.
    pub cpu_millis_per_gib: u32,
    /// Most CPU thousandths of an instance.
    pub max_cpu_millis: u32,
    /// Tags that an allocator must carry.
    #[serde(default)]
    pub required_tags: BTreeMap<String, String>,
}

impl InstanceConfiguration {
    /// The size with what it does not name derived from its memory.
    #[must_use]
    pub fn complete(&self, size: Size) -> Size {
        let disk_bytes = if size.disk_bytes == 0 {
            size.memory_bytes
                .saturating_mul(u64::from(self.disk_multiplier))
        } else {
            size.disk_bytes
        };
        let cpu_millis = if size.cpu_millis == 0 {
            let derived = u128::from(size.memory_bytes) * u128::from(self.cpu_millis_per_gib)
                / u128::from(GIB);
            u32::try_from(derived).unwrap_or(u32::MAX).max(1)
        } else {
            size.cpu_millis
        };
        Size {
            memory_bytes: size.memory_bytes,
            disk_bytes,
            cpu_millis,
        }
    }
}

/// A resource of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateResource {
    /// `storage` or `monitoring`.
    pub kind: String,
    /// Stack pack: `store`.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// The hardware profile.
    pub instance_configuration: InstanceConfiguration,
    /// Size of an instance when the user names none.
    pub default_size: Size,
    /// Over how many zones.
    pub zone_count: u32,
    /// Most zones: an engine without replicas has 1.
    pub max_zone_count: u32,
    /// How many instances in each zone.
    pub instances_per_zone: u32,
}

impl TemplateResource {
    /// The size of an instance that asks for this. A size that names only a disk keeps the template's
    /// memory, and the other way round the disk follows the memory.
    #[must_use]
    pub fn complete(&self, asked: Size) -> Size {
        let default = self.default_size;
        let size = if asked.memory_bytes == 0 {
            Size {
                memory_bytes: default.memory_bytes,
                disk_bytes: if asked.disk_bytes == 0 {
                    default.disk_bytes
                } else {
                    asked.disk_bytes
                },
                cpu_millis: if asked.cpu_millis == 0 {
                    default.cpu_millis
                } else {
                    asked.cpu_millis
                },
            }
        } else {
            asked
        };
        self.instance_configuration.complete(size)
    }
}

/// A starting point of deployments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its id: `observability`.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its resources.
    pub resources: Vec<TemplateResource>,
}

/// The templates of a platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateCatalog {
    templates: BTreeMap<String, Template>,
}

impl Template {
    /// Checks what a file says.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn check(&self) -> Result<(), Refusal> {
        let broken = |field: &str, message: &str| {
            Err(Refusal::new(
                RefusalKind::InvalidArgument,
                codes::TEMPLATE_BROKEN,
                format!("template `{}`: {field} {message}", self.id),
            )
            .field(field)
            .hint("correct the template's file"))
        };
        if !is_label(&self.id) {
            return broken("id", "is no DNS label");
        }
        if self.resources.is_empty() || self.resources.len() > 8 {
            return broken("resources", "must be 1 to 8");
        }
        let mut kinds = BTreeSet::new();
        for resource in &self.resources {
            let field = |name: &str| format!("resources.{}.{name}", resource.kind);
            let profile = &resource.instance_configuration;
            if !is_label(&resource.kind) || !kinds.insert(&resource.kind) {
                return broken(
                    "resources.kind",
                    "must be a DNS label that no other resource has",
                );
            }
            if profile.min_memory_bytes < MIB || profile.min_memory_bytes > profile.max_memory_bytes
            {
                return broken(&field("instance_configuration"), "has no memory range");
            }
            if profile.min_disk_bytes > profile.max_disk_bytes {
                return broken(&field("instance_configuration"), "has no disk range");
            }
            if resource.zone_count == 0
                || resource.zone_count > resource.max_zone_count
                || resource.max_zone_count > MAX_ZONES
            {
                return broken(&field("zone_count"), "is out of range");
            }
            let most = resource
                .max_zone_count
                .saturating_mul(resource.instances_per_zone);
            if resource.instances_per_zone == 0 || most > MAX_INSTANCES {
                return broken(&field("instances_per_zone"), "is out of range");
            }
            let size = profile.complete(resource.default_size);
            if !(profile.min_memory_bytes..=profile.max_memory_bytes).contains(&size.memory_bytes)
                || !(profile.min_disk_bytes..=profile.max_disk_bytes).contains(&size.disk_bytes)
                || size.cpu_millis > profile.max_cpu_millis
            {
                return broken(
                    &field("default_size"),
                    "is outside of the instance configuration",
                );
            }
        }
        Ok(())
    }
}

impl TemplateCatalog {
    /// The catalog of checked templates.
    ///
    /// # Errors
    /// When one is wrong or two have the same id.
    pub fn new(templates: impl IntoIterator<Item = Template>) -> Result<Self, Refusal> {
        let mut catalog = Self::default();
        for template in templates {
            template.check()?;
            if let Some(twice) = catalog.templates.insert(template.id.clone(), template) {
                return Err(Refusal::new(
                    RefusalKind::InvalidArgument,
                    codes::TEMPLATE_BROKEN,
                    format!("two templates have the id `{}`", twice.id),
                )
                .field("id"));
            }
        }
        Ok(catalog)
    }

    /// The template with that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Template> {
        self.templates.get(id)
    }

    /// Every template, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.templates.values()
    }
}

/// Whether a text is a DNS label: 1 to 63 of a-z, 0-9 and inner hyphens.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

impl From<&Template> for v1::Template {
    fn from(template: &Template) -> Self {
        Self {
            id: template.id.clone(),
            name: template.name.clone(),
            description: template.description.clone(),
            resources: template
                .resources
                .iter()
                .map(|resource| v1::TemplateResource {
                    kind: resource.kind.clone(),
                    engine: resource.engine.clone(),
                    instance_configuration: Some(v1::InstanceConfiguration {
                        id: resource.instance_configuration.id.clone(),
                        min_memory_bytes: resource.instance_configuration.min_memory_bytes,
                        max_memory_bytes: resource.instance_configuration.max_memory_bytes,
                        disk_multiplier: resource.instance_configuration.disk_multiplier,
                        cpu_millis_per_gib: resource.instance_configuration.cpu_millis_per_gib,
                        required_tags: resource
                            .instance_configuration
                            .required_tags
                            .iter()
                            .map(|(key, value)| (key.clone(), value.clone()))
                            .collect(),
                    }),
                    default_size: Some(
                        resource
                            .instance_configuration
                            .complete(resource.default_size)
                            .into(),
                    ),
                    zone_count: resource.zone_count,
                    instances_per_zone: resource.instances_per_zone,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_template_that_contradicts_itself_names_the_field() {
        let mut template = fixture::template(1, 1);
        template.resources[0].default_size.memory_bytes = MIB;
        assert_eq!(
            template.check().unwrap_err().field,
            "resources.storage.default_size"
        );
        let mut template = fixture::template(1, 1);
        template.resources[0].zone_count = 4;
        assert_eq!(
            template.check().unwrap_err().field,
            "resources.storage.zone_count"
        );
    }

    #[test]
    fn the_shipped_template_is_one_storage_node_of_one_gibibyte() {
        let text = include_str!("../../../deploy/templates/observability.yaml");
        let template: Template = serde_yaml_ng::from_str(text).unwrap();
        template.check().unwrap();
        let resource = &template.resources[0];
        assert_eq!(
            resource
                .instance_configuration
                .complete(resource.default_size),
            Size {
                memory_bytes: GIB,
                disk_bytes: 20 * GIB,
                cpu_millis: 1000
            }
        );
        assert_eq!((resource.zone_count, resource.instances_per_zone), (1, 1));
    }

    #[test]
    fn two_templates_of_one_id_are_refused() {
        let twice = [fixture::template(1, 1), fixture::template(2, 1)];
        assert!(TemplateCatalog::new(twice).is_err());
    }
}
