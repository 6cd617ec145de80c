//! `wharf deployment` create, resize, restart, terminate, restore, reset-password, delete: changes that
//! a plan carries out, or that a dry run only describes. Not here: following a plan (`plan.rs`).

use std::{collections::HashMap, time::Duration};

use wharf_proto::v1::{
    ChangeDeploymentResponse, CreateDeploymentRequest, DeleteDeploymentRequest, PlanPreview,
    ResetPasswordRequest, ResizeDeploymentRequest, RestartDeploymentRequest,
    RestoreDeploymentRequest, Size, TerminateDeploymentRequest,
};

use super::{plan, plan_tables};
use crate::{
    args::{
        ConfirmedArgs, CreateArgs, ResetPasswordArgs, ResizeArgs, RestartArgs, RestoreArgs,
        SizeArgs, WaitArgs,
    },
    client::{Client, mutation_as},
    failure::{EXIT_PLAN_FAILED, Failure},
    given, print,
};

const MIB: u64 = 1024 * 1024;

/// What a change has begun, or would begin.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    pub(crate) deployment_id: String,
    pub(crate) plan_id: String,
    /// Of a dry run only.
    pub(crate) preview: Option<PlanPreview>,
}

impl From<ChangeDeploymentResponse> for Begun {
    fn from(answer: ChangeDeploymentResponse) -> Self {
        Self {
            deployment_id: answer.deployment_id,
            plan_id: answer.plan_id,
            preview: answer.preview,
        }
    }
}

/// The sizes by kind of instances; none when none was given.
fn sizes(args: &SizeArgs) -> HashMap<String, Size> {
    let bytes = |mib: Option<u64>| mib.unwrap_or(0).saturating_mul(MIB);
    let size = Size {
        memory_bytes: bytes(args.memory_mib),
        disk_bytes: bytes(args.disk_mib),
        cpu_millis: args.cpu_millis.unwrap_or(0),
    };
    if size == Size::default() {
        return HashMap::new();
    }
    HashMap::from([(args.kind.clone(), size)])
}

pub(crate) async fn create(client: &Client, args: &CreateArgs) -> Result<u8, Failure> {
    let request = CreateDeploymentRequest {
        mutation: mutation_as(args.change.request.request_id.as_deref()),
        name: args.name.clone(),
        alias: args.alias.clone(),
        template_id: args.template.clone(),
        sizes: sizes(&args.size),
        zone_counts: HashMap::new(),
        dry_run: args.change.dry_run,
    };
    let answer = client.deployments().create_deployment(request).await?;
    let answer = answer.into_inner();
    let begun = Begun {
        deployment_id: answer.deployment.unwrap_or_default().id,
        plan_id: answer.plan_id,
        preview: answer.preview,
    };
    finish(client, &args.change.wait, begun, "creates").await
}

pub(crate) async fn resize(client: &Client, args: &ResizeArgs) -> Result<u8, Failure> {
    let request = ResizeDeploymentRequest {
        mutation: mutation_as(args.change.request.request_id.as_deref()),
        deployment: args.deployment.clone(),
        sizes: sizes(&args.size),
        dry_run: args.change.dry_run,
    };
    let answer = client.deployments().resize_deployment(request).await?;
    let begun = answer.into_inner().into();
    finish(client, &args.change.wait, begun, "resizes").await
}

pub(crate) async fn restart(client: &Client, args: &RestartArgs) -> Result<u8, Failure> {
    let request = RestartDeploymentRequest {
        mutation: mutation_as(args.change.request.request_id.as_deref()),
        deployment: args.deployment.clone(),
        instances: args.instances.clone(),
        dry_run: args.change.dry_run,
    };
    let answer = client.deployments().restart_deployment(request).await?;
    let begun = answer.into_inner().into();
    finish(client, &args.change.wait, begun, "restarts").await
}

pub(crate) async fn terminate(client: &Client, args: &ConfirmedArgs) -> Result<u8, Failure> {
    let named = print::printable(&args.deployment);
    confirmed(
        args,
        &format!("This stops every instance of `{named}`; its data is kept"),
    )?;
    let request = TerminateDeploymentRequest {
        mutation: mutation_as(args.change.request.request_id.as_deref()),
        deployment: args.deployment.clone(),
        dry_run: args.change.dry_run,
    };
    let answer = client.deployments().terminate_deployment(request).await?;
    let begun = answer.into_inner().into();
    finish(client, &args.change.wait, begun, "terminates").await
}

pub(crate) async fn restore(client: &Client, args: &RestoreArgs) -> Result<u8, Failure> {
    let request = RestoreDeploymentRequest {
        mutation: mutation_as(args.change.request.request_id.as_deref()),
        deployment: args.deployment.clone(),
        dry_run: args.change.dry_run,
    };
    let answer = client.deployments().restore_deployment(request).await?;
    let begun = answer.into_inner().into();
    finish(client, &args.change.wait, begun, "restores").await
}

pub(crate) async fn reset_password(
    client: &Client,
    args: &ResetPasswordArgs,
) -> Result<u8, Failure> {
    let request = ResetPasswordRequest {
        mutation: mutation_as(args.request.request_id.as_deref()),
        deployment: args.deployment.clone(),
    };
    let answer = client.deployments().reset_password(request).await?;
    let begun = answer.into_inner().into();
    finish(client, &args.wait, begun, "resets the password of").await
}

pub(crate) async fn delete(client: &Client, args: &ConfirmedArgs) -> Result<u8, Failure> {
    let named = print::printable(&args.deployment);
    confirmed(args, &format!("This deletes `{named}` and all its data"))?;
    let request = DeleteDeploymentRequest {
        mutation: mutation_as(args.change.request.request_id.as_deref()),
        deployment: args.deployment.clone(),
        dry_run: args.change.dry_run,
    };
    let answer = client.deployments().delete_deployment(request).await?;
    let answer = answer.into_inner();
    let begun = Begun {
        deployment_id: answer.deployment_id,
        plan_id: answer.plan_id,
        preview: answer.preview,
    };
    finish(client, &args.change.wait, begun, "deletes").await
}

/// A dry run harms nobody, so nobody is asked.
fn confirmed(args: &ConfirmedArgs, what: &str) -> Result<(), Failure> {
    given::confirm(args.yes || args.change.dry_run, what, &args.deployment)
}

/// Says what would be done, or which plan does it, or follows that plan.
pub(crate) async fn finish(
    client: &Client,
    wait: &WaitArgs,
    begun: Begun,
    verb: &str,
) -> Result<u8, Failure> {
    let Begun {
        deployment_id,
        plan_id,
        preview,
    } = begun;
    if let Some(preview) = preview {
        let json = serde_json::json!({
            "deployment_id": deployment_id,
            "preview": print::json(&preview)?,
        });
        print::result(client.output(), &json, || plan_tables::preview(&preview));
        return would_work(&preview);
    }
    let followed = if wait.wait {
        let timeout = Duration::from_secs(wait.wait_timeout);
        Some(plan::follow(client, &plan_id, Some(timeout)).await?)
    } else {
        None
    };
    let json = serde_json::json!({
        "deployment_id": deployment_id,
        "plan_id": plan_id,
        "plan": followed.as_ref().map(print::json).transpose()?,
    });
    print::result(client.output(), &json, || {
        if followed.is_some() {
            format!("deployment {deployment_id}\n")
        } else {
            format!(
                "plan {plan_id} {verb} the deployment {deployment_id}; follow it: wharf plan follow {plan_id}\n"
            )
        }
    });
    followed.as_ref().map_or(Ok(0), plan::ended)
}

/// What a preview means for the command: a plan that would wait for room is no success.
fn would_work(preview: &PlanPreview) -> Result<u8, Failure> {
    let waiting: Vec<&str> = preview
        .placements
        .iter()
        .filter(|placement| placement.allocator_id.is_empty())
        .map(|placement| placement.instance_name.as_str())
        .collect();
    if waiting.is_empty() {
        return Ok(0);
    }
    Err(Failure::new(
        "CLI0032",
        format!(
            "the plan would wait: no allocator takes {}",
            waiting.join(", ")
        ),
        "give smaller sizes, or make room on the allocators; the refusals say what each lacks",
    )
    .exit(EXIT_PLAN_FAILED))
}

#[cfg(test)]
mod tests {
    use wharf_proto::v1::PlacementPreview;

    use super::*;

    #[test]
    fn a_size_that_was_not_named_is_left_to_the_director() {
        let mut args = SizeArgs {
            memory_mib: None,
            disk_mib: None,
            cpu_millis: None,
            kind: "monitoring".into(),
        };
        assert!(sizes(&args).is_empty());
        args.memory_mib = Some(512);
        let size = Size {
            memory_bytes: 512 << 20,
            ..Size::default()
        };
        assert_eq!(sizes(&args), HashMap::from([("monitoring".into(), size)]));
        args.memory_mib = Some(u64::MAX);
        assert_eq!(sizes(&args)["monitoring"].memory_bytes, u64::MAX);
    }

    #[test]
    fn a_plan_that_would_wait_is_a_failure_that_names_who_waits() {
        let placed = |name: &str, allocator: &str| PlacementPreview {
            instance_name: name.into(),
            allocator_id: allocator.into(),
            ..PlacementPreview::default()
        };
        let mut preview = PlanPreview {
            plan: None,
            placements: vec![placed("storage-0", "a1")],
        };
        assert_eq!(would_work(&preview).unwrap(), 0);
        preview.placements.push(placed("storage-1", ""));
        let failure = would_work(&preview).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.exit),
            ("CLI0032", EXIT_PLAN_FAILED)
        );
        assert!(
            failure.message.ends_with("takes storage-1"),
            "{}",
            failure.message
        );
    }
}
