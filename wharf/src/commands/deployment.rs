//! `wharf deployment`: create, list, show, delete, credentials.

use std::{collections::HashMap, time::Duration};

use wharf_proto::v1::{
    CreateDeploymentRequest, DeleteDeploymentRequest, Deployment, GetCredentialsRequest,
    GetDeploymentRequest, ListDeploymentsRequest, Mutation, Size,
};

use super::{listing::read_all, plan};
use crate::{
    args::{CreateArgs, DeleteArgs, DeploymentCommand, ListArgs, Output, WaitArgs},
    client::Client,
    failure::Failure,
    given,
    print::{self, Table},
};

const MIB: u64 = 1024 * 1024;

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &DeploymentCommand) -> Result<u8, Failure> {
    match command {
        DeploymentCommand::Create(args) => create(client, args).await,
        DeploymentCommand::List(args) => list(client, args).await,
        DeploymentCommand::Show(args) => {
            let deployment = get(client, &args.deployment).await?;
            let json = print::json(&deployment)?;
            print::result(client.output(), &json, || {
                render(&deployment, client.now_ms())
            });
            Ok(0)
        }
        DeploymentCommand::Delete(args) => delete(client, args).await,
        DeploymentCommand::Credentials(args) => credentials(client, &args.deployment).await,
    }
}

async fn get(client: &Client, deployment: &str) -> Result<Deployment, Failure> {
    let request = GetDeploymentRequest {
        deployment: deployment.to_owned(),
    };
    Ok(client
        .deployments()
        .get_deployment(request)
        .await?
        .into_inner())
}

async fn create(client: &Client, args: &CreateArgs) -> Result<u8, Failure> {
    let mut sizes = HashMap::new();
    if args.memory_mib.is_some() || args.disk_mib.is_some() {
        let bytes = |mib: Option<u64>| mib.unwrap_or(0).saturating_mul(MIB);
        let size = Size {
            memory_bytes: bytes(args.memory_mib),
            disk_bytes: bytes(args.disk_mib),
            cpu_millis: 0,
        };
        sizes.insert("storage".to_owned(), size);
    }
    let request = CreateDeploymentRequest {
        mutation: Some(Mutation {
            request_id: args
                .request_id
                .clone()
                .unwrap_or_else(wharf_runtime::random::new_id),
            expected_version: 0,
        }),
        name: args.name.clone(),
        alias: args.alias.clone(),
        template_id: args.template.clone(),
        sizes,
        zone_counts: HashMap::new(),
    };
    let answer = client
        .deployments()
        .create_deployment(request)
        .await?
        .into_inner();
    let id = answer
        .deployment
        .as_ref()
        .map(|deployment| deployment.id.clone())
        .unwrap_or_default();
    finish(client, &args.wait, &answer.plan_id, &id, "creates").await
}

async fn delete(client: &Client, args: &DeleteArgs) -> Result<u8, Failure> {
    given::confirm(
        args.yes,
        &format!(
            "This deletes `{}` and all its data",
            print::printable(&args.deployment)
        ),
        &args.deployment,
    )?;
    let request = DeleteDeploymentRequest {
        mutation: Some(Mutation {
            request_id: wharf_runtime::random::new_id(),
            expected_version: 0,
        }),
        deployment: args.deployment.clone(),
    };
    let answer = client
        .deployments()
        .delete_deployment(request)
        .await?
        .into_inner();
    finish(
        client,
        &args.wait,
        &answer.plan_id,
        &answer.deployment_id,
        "deletes",
    )
    .await
}

/// Says which plan does it, or follows that plan.
async fn finish(
    client: &Client,
    wait: &WaitArgs,
    plan_id: &str,
    deployment_id: &str,
    verb: &str,
) -> Result<u8, Failure> {
    let followed = if wait.wait {
        Some(
            plan::follow(
                client,
                plan_id,
                Some(Duration::from_secs(wait.wait_timeout)),
            )
            .await?,
        )
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

async fn list(client: &Client, args: &ListArgs) -> Result<u8, Failure> {
    let deployments = read_all(args, |options| async {
        let request = ListDeploymentsRequest {
            options: Some(options),
        };
        let page = client
            .deployments()
            .list_deployments(request)
            .await?
            .into_inner();
        Ok((page.deployments, page.info))
    })
    .await?;
    let json = print::json_list(&deployments)?;
    print::result(client.output(), &json, || {
        let mut table = Table::new(&[
            "NAME", "ALIAS", "HEALTH", ">NODES", ">MEMORY", "PLAN", "AGE", "ID",
        ]);
        for deployment in &deployments {
            let instances = deployment
                .resources
                .iter()
                .flat_map(|resource| &resource.instances);
            let memory = instances
                .clone()
                .map(|instance| instance.memory_bytes)
                .sum();
            table.row([
                deployment.name.clone(),
                deployment.alias.clone(),
                print::word(deployment.health().as_str_name(), "HEALTH_"),
                instances.count().to_string(),
                print::bytes(memory),
                match (deployment.deleting, deployment.pending_plan_id.is_empty()) {
                    (true, _) => "deleting".to_owned(),
                    (false, false) => "running".to_owned(),
                    (false, true) => "-".to_owned(),
                },
                print::age(client.now_ms(), deployment.created_at.as_ref()),
                deployment.id.clone(),
            ]);
        }
        table.render()
    });
    Ok(0)
}

/// The credentials as programs read them: `url`, `username`, `password`, `ca_file`.
async fn credentials(client: &Client, deployment: &str) -> Result<u8, Failure> {
    let request = GetCredentialsRequest {
        deployment: deployment.to_owned(),
    };
    let found = client
        .deployments()
        .get_credentials(request)
        .await?
        .into_inner();
    let ca_file = client.ca_file().display().to_string();
    let json = serde_json::json!({
        "deployment_id": found.deployment_id,
        "alias": found.alias,
        "url": found.url,
        "username": found.username,
        "password": found.password,
        "ca_file": ca_file,
    });
    print::result(client.output(), &json, || {
        format!(
            "url       {}\nusername  {}\npassword  {}\nca file   {ca_file}\n",
            found.url, found.username, found.password
        )
    });
    if client.output() == Output::Table {
        print::remark(&format!(
            "\ncurl --cacert {ca_file} -u {}:PASSWORD {}/_cat/indices?v",
            found.username, found.url
        ));
    }
    Ok(0)
}

fn render(deployment: &Deployment, now_ms: u64) -> String {
    let mut text = format!(
        "deployment  {} ({})\nalias       {}\nendpoint    {}\ntemplate    {}\nhealth      {}\ncreated     {} ago\nversion     {}\n",
        print::printable(&deployment.name),
        deployment.id,
        deployment.alias,
        deployment.endpoint,
        deployment.template_id,
        print::word(deployment.health().as_str_name(), "HEALTH_"),
        print::age(now_ms, deployment.created_at.as_ref()),
        deployment.version,
    );
    if !deployment.pending_plan_id.is_empty() {
        text.push_str(&format!(
            "plan        {} running\n",
            deployment.pending_plan_id
        ));
    }
    for problem in &deployment.problems {
        text.push_str(&format!("problem     {}\n", print::printable(problem)));
    }
    let mut table = Table::new(&[
        "INSTANCE",
        "ENGINE",
        "STATE",
        "HEALTH",
        "ALLOCATOR",
        "ZONE",
        ">PORT",
        ">MEMORY",
        ">DISK",
        ">RESTARTS",
        "REASON",
    ]);
    for resource in &deployment.resources {
        for instance in &resource.instances {
            table.row([
                instance.name.clone(),
                format!("{} {}", resource.engine, resource.engine_version),
                print::word(instance.state().as_str_name(), "INSTANCE_STATE_"),
                print::word(instance.health().as_str_name(), "HEALTH_"),
                instance.allocator_id.chars().take(8).collect(),
                instance.zone.clone(),
                instance.port.to_string(),
                print::bytes(instance.memory_bytes),
                print::bytes(instance.disk_bytes),
                instance.restarts.to_string(),
                instance.reason.clone(),
            ]);
        }
    }
    text.push('\n');
    text.push_str(&table.render());
    for instance in deployment
        .resources
        .iter()
        .flat_map(|resource| &resource.instances)
    {
        if let Some(exit) = &instance.last_exit {
            text.push_str(&format!(
                "\n{} last exit: code {}{}, {} ago\n",
                instance.name,
                exit.exit_code,
                if exit.out_of_memory {
                    ", out of memory"
                } else {
                    ""
                },
                print::age(now_ms, exit.at.as_ref()),
            ));
            for line in &exit.log_tail {
                text.push_str(&format!("  {}\n", print::printable(line)));
            }
        }
    }
    text
}
