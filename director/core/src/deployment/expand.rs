//! From what a user asks for to the command: template, sizes, zones, ids, instance names. Ids come
//! from a source that the shell gives. Not here: what apply does with it.

use std::collections::BTreeMap;

use wharf_proto::ids::{DeploymentId, InstanceId, PlanId, ResourceId};

use super::validate;
use crate::{
    command::{CreateDeployment, NewInstance, NewResource},
    refusal::{Refusal, RefusalKind, codes, cut},
    size::Size,
    state::{DeploymentRecord, DeploymentUser, State},
    template::{Template, TemplateCatalog, TemplateResource},
};

/// The template when the user names none.
pub const DEFAULT_TEMPLATE: &str = "observability";

/// What a user asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentRequest {
    /// The name.
    pub name: String,
    /// Empty: made from the name.
    pub alias: String,
    /// Empty: [`DEFAULT_TEMPLATE`].
    pub template_id: String,
    /// Sizes by resource kind; a zero in one keeps or derives that part.
    pub sizes: BTreeMap<String, Size>,
    /// Zone counts by resource kind.
    pub zone_counts: BTreeMap<String, u32>,
    /// Made by the platform for itself.
    pub system_owned: bool,
}

/// Expands a request into the command, all checks but room done. `random_id` gives 16 random
/// bytes a call.
///
/// # Errors
/// The first thing that is wrong, with its field.
pub fn expand(
    state: &State,
    catalog: &TemplateCatalog,
    request: &DeploymentRequest,
    users: Vec<DeploymentUser>,
    sealed_credentials: String,
    random_id: &mut dyn FnMut() -> [u8; 16],
) -> Result<CreateDeployment, Refusal> {
    validate::name(&request.name)?;
    let template = find_template(catalog, &request.template_id)?;
    let alias = if request.alias.is_empty() {
        validate::alias_from_name(&request.name)
    } else {
        request.alias.clone()
    };
    validate::alias(&alias, request.system_owned)?;
    validate::alias_is_free(state, &alias)?;
    let kinds = [
        ("sizes", request.sizes.keys().collect::<Vec<_>>()),
        ("zone_counts", request.zone_counts.keys().collect()),
    ];
    for (field, named) in kinds {
        for kind in named {
            if !template
                .resources
                .iter()
                .any(|resource| resource.kind == *kind)
            {
                let kind = cut(kind, 64);
                return Err(Refusal::new(
                    RefusalKind::InvalidArgument,
                    codes::RESOURCE_KIND,
                    format!("the template `{}` has no resource `{kind}`", template.id),
                )
                .field(format!("{field}.{kind}"))
                .hint(format!("it has: {}", kinds_of(template))));
            }
        }
    }
    let deployment_id = DeploymentId::from_bytes(random_id());
    let plan_id = PlanId::from_bytes(random_id());
    let resources = template
        .resources
        .iter()
        .map(|resource| expand_resource(request, resource, random_id))
        .collect::<Result<Vec<_>, _>>()?;
    let body = CreateDeployment {
        deployment_id,
        plan_id,
        name: request.name.clone(),
        alias,
        template_id: template.id.clone(),
        system_owned: request.system_owned,
        resources,
        users,
        sealed_credentials,
    };
    validate::create(state, &body)?;
    Ok(body)
}

/// The resources that a deployment's template has and the deployment has not, at the template's
/// sizes. None when its template is no longer shipped.
///
/// # Errors
/// When the template contradicts itself.
pub fn missing(
    state: &State,
    catalog: &TemplateCatalog,
    deployment: &DeploymentRecord,
    random_id: &mut dyn FnMut() -> [u8; 16],
) -> Result<Vec<NewResource>, Refusal> {
    let Some(template) = catalog.get(&deployment.template_id) else {
        return Ok(Vec::new());
    };
    let request = DeploymentRequest::default();
    template
        .resources
        .iter()
        .filter(|resource| {
            !state
                .resources_of(deployment)
                .any(|own| own.kind == resource.kind)
        })
        .map(|resource| expand_resource(&request, resource, random_id))
        .collect()
}

/// The template of a request.
///
/// # Errors
/// When there is no such template.
pub fn find_template<'a>(catalog: &'a TemplateCatalog, id: &str) -> Result<&'a Template, Refusal> {
    let id = if id.is_empty() { DEFAULT_TEMPLATE } else { id };
    catalog.get(id).ok_or_else(|| {
        let known: Vec<&str> = catalog
            .iter()
            .map(|template| template.id.as_str())
            .collect();
        Refusal::new(
            RefusalKind::InvalidArgument,
            codes::TEMPLATE,
            format!("there is no template `{}`", cut(id, 64)),
        )
        .field("template_id")
        .hint(format!("there are: {}", known.join(", ")))
    })
}

fn kinds_of(template: &Template) -> String {
    let kinds: Vec<&str> = template
        .resources
        .iter()
        .map(|resource| resource.kind.as_str())
        .collect();
    kinds.join(", ")
}

fn expand_resource(
    request: &DeploymentRequest,
    resource: &TemplateResource,
    random_id: &mut dyn FnMut() -> [u8; 16],
) -> Result<NewResource, Refusal> {
    let kind = &resource.kind;
    let profile = &resource.instance_configuration;
    let asked = request.sizes.get(kind).copied().unwrap_or_default();
    let size = resource.complete(asked);
    validate::size(kind, size, profile)?;
    let zone_count = request
        .zone_counts
        .get(kind)
        .copied()
        .unwrap_or(resource.zone_count);
    validate::zone_count(kind, zone_count, resource.max_zone_count, &resource.engine)?;
    let instances = (0..zone_count.saturating_mul(resource.instances_per_zone))
        .map(|ordinal| NewInstance {
            id: InstanceId::from_bytes(random_id()),
            name: format!("{kind}-{ordinal}"),
        })
        .collect();
    Ok(NewResource {
        id: ResourceId::from_bytes(random_id()),
        kind: kind.clone(),
        instance_configuration_id: profile.id.clone(),
        engine: resource.engine.clone(),
        engine_version: resource.engine_version.clone(),
        size,
        zone_count,
        instances_per_zone: resource.instances_per_zone,
        required_tags: profile.required_tags.clone(),
        instances,
    })
}

#[cfg(test)]
mod tests;
