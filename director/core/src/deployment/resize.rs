//! Other sizes for a deployment that is there: filled in from what it has, checked against the
//! template and against what must not shrink. Not here: whether there is room (`plan/layout`).

use std::collections::BTreeMap;

use super::validate;
use crate::{
    refusal::{Refusal, RefusalKind, codes, cut},
    size::{MIB, Size},
    state::{DeploymentRecord, ResourceRecord, State},
    template::{MONITORING, TemplateCatalog},
};

/// The whole sizes that are asked for: a zero keeps what is there.
///
/// # Errors
/// Names the kind or the part of a size that is wrong.
pub fn complete(
    state: &State,
    catalog: &TemplateCatalog,
    deployment: &DeploymentRecord,
    asked: &BTreeMap<String, Size>,
) -> Result<BTreeMap<String, Size>, Refusal> {
    let mut sizes = BTreeMap::new();
    for (kind, asked) in asked {
        let resource = resource_of(state, deployment, kind)?;
        let keep = |asked: u64, now: u64| if asked == 0 { now } else { asked };
        let size = Size {
            memory_bytes: keep(asked.memory_bytes, resource.size.memory_bytes),
            disk_bytes: keep(asked.disk_bytes, resource.size.disk_bytes),
            cpu_millis: if asked.cpu_millis == 0 {
                resource.size.cpu_millis
            } else {
                asked.cpu_millis
            },
        };
        let profile = catalog
            .get(&deployment.template_id)
            .and_then(|template| template.resources.iter().find(|known| known.kind == *kind));
        // A template that is no longer shipped leaves its deployments as they are.
        if let Some(known) = profile {
            validate::size(kind, size, &known.instance_configuration)?;
        }
        sizes.insert(kind.clone(), size);
    }
    Ok(sizes)
}

fn resource_of<'a>(
    state: &'a State,
    deployment: &'a DeploymentRecord,
    kind: &str,
) -> Result<&'a ResourceRecord, Refusal> {
    state
        .resources_of(deployment)
        .find(|resource| resource.kind == kind)
        .ok_or_else(|| {
            let kinds: Vec<&str> = state
                .resources_of(deployment)
                .map(|resource| resource.kind.as_str())
                .collect();
            let kind = cut(kind, 64);
            Refusal::new(
                RefusalKind::InvalidArgument,
                codes::RESOURCE_KIND,
                format!(
                    "the deployment `{}` has no resource `{kind}`",
                    deployment.name
                ),
            )
            .field(format!("sizes.{kind}"))
            .hint(format!("it has: {}", kinds.join(", ")))
        })
}

/// Checks whole sizes against what is there: something differs, and no disk shrinks that holds data.
///
/// # Errors
/// Names the part of a size that is wrong.
pub fn check(
    state: &State,
    deployment: &DeploymentRecord,
    sizes: &BTreeMap<String, Size>,
) -> Result<(), Refusal> {
    let mut same = Vec::new();
    for (kind, size) in sizes {
        let resource = resource_of(state, deployment, kind)?;
        if size.memory_bytes == 0
            || size.cpu_millis == 0
            || !size.memory_bytes.is_multiple_of(MIB)
            || !size.disk_bytes.is_multiple_of(MIB)
        {
            return Err(Refusal::new(
                RefusalKind::InvalidArgument,
                codes::SIZE_RANGE,
                format!("an instance cannot have {size}"),
            )
            .field(format!("sizes.{kind}.memory_bytes"))
            .hint("give whole mebibytes of memory and some CPU"));
        }
        if state
            .instances_of(resource)
            .all(|instance| instance.size == *size)
        {
            same.push(format!("{kind} has {size}"));
        }
    }
    if same.len() == sizes.len() {
        let what = if same.is_empty() {
            "no size is given".to_owned()
        } else {
            same.join("; ")
        };
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::NOTHING_TO_DO,
            format!(
                "nothing of `{}` would be different: {what}",
                deployment.name
            ),
        )
        .field("sizes")
        .hint("`wharf deployment show` has the sizes that are there"));
    }
    check_disks(state, deployment, |kind| sizes.get(kind).copied())
}

/// Checks that no storage instance gets less disk than it has: how much of it is used is not known
/// here, and a store that is cut below what it holds takes no writes any more.
///
/// # Errors
/// Names the size.
pub fn check_disks(
    state: &State,
    deployment: &DeploymentRecord,
    size_of: impl Fn(&str) -> Option<Size>,
) -> Result<(), Refusal> {
    for resource in state.resources_of(deployment) {
        let Some(size) = size_of(&resource.kind).filter(|_| resource.kind != MONITORING) else {
            continue;
        };
        let shrinks = state.instances_of(resource).find(|instance| {
            instance.berth.is_some() && size.disk_bytes < instance.size.disk_bytes
        });
        if let Some(instance) = shrinks {
            return Err(Refusal::new(
                RefusalKind::FailedPrecondition,
                codes::DISK_SHRINK,
                format!(
                    "{} has {} MiB of disk and cannot be cut to {}: it may hold more",
                    instance.name,
                    instance.size.disk_bytes / MIB,
                    size.disk_bytes / MIB
                ),
            )
            .field(format!("sizes.{}.disk_bytes", resource.kind))
            .hint("leave the disk out to keep it; a smaller one needs another deployment"));
        }
    }
    Ok(())
}
