//! `wharf deployment`: list, show, history, credentials. Not here: what changes a deployment
//! (`change.rs`).

use wharf_proto::v1::{
    Deployment, GetCredentialsRequest, GetDeploymentRequest, ListDeploymentsRequest,
};

use super::{change, listing::read_all, plan, plan_tables, snapshot};
use crate::{
    args::{DeploymentCommand, ListArgs, Output},
    client::Client,
    failure::Failure,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &DeploymentCommand) -> Result<u8, Failure> {
    match command {
        DeploymentCommand::Create(args) => change::create(client, args).await,
        DeploymentCommand::List(args) => list(client, args).await,
        DeploymentCommand::Show(args) => {
            let deployment = get(client, &args.deployment).await?;
            let json = print::json(&deployment)?;
            print::result(client.output(), &json, || {
                render(&deployment, client.now_ms())
            });
            Ok(0)
        }
        DeploymentCommand::History { deployment, list } => {
            let plans = plan::read(client, deployment, "", list).await?;
            let json = print::json_list(&plans)?;
            print::result(client.output(), &json, || {
                plan_tables::history(&plans, client.now_ms())
            });
            Ok(0)
        }
        DeploymentCommand::Resize(args) => change::resize(client, args).await,
        DeploymentCommand::Restart(args) => change::restart(client, args).await,
        DeploymentCommand::Terminate(args) => change::terminate(client, args).await,
        DeploymentCommand::Restore(args) => change::restore(client, args).await,
        DeploymentCommand::ResetPassword(args) => change::reset_password(client, args).await,
        DeploymentCommand::Set(args) => {
            let deployment = snapshot::set(client, args).await?;
            let json = print::json(&deployment)?;
            print::result(client.output(), &json, || {
                render(&deployment, client.now_ms())
            });
            Ok(0)
        }
        DeploymentCommand::Snapshot(args) => snapshot::take(client, args).await,
        DeploymentCommand::Snapshots(args) => snapshot::list(client, &args.deployment).await,
        DeploymentCommand::Delete(args) => change::delete(client, args).await,
        DeploymentCommand::Credentials(args) => credentials(client, &args.deployment).await,
    }
}

pub(crate) async fn get(client: &Client, deployment: &str) -> Result<Deployment, Failure> {
    let request = GetDeploymentRequest {
        deployment: deployment.to_owned(),
    };
    Ok(client
        .deployments()
        .get_deployment(request)
        .await?
        .into_inner())
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
            "NAME", "ALIAS", "HEALTH", ">NODES", ">MEMORY", "STATE", "AGE", "ID",
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
                state(deployment).to_owned(),
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

/// What is done to it, or was, in a word.
fn state(deployment: &Deployment) -> &'static str {
    match (
        deployment.deleting,
        deployment.pending_plan_id.is_empty(),
        deployment.terminated,
    ) {
        (true, _, _) => "deleting",
        (false, false, _) => "changing",
        (false, true, true) => "terminated",
        (false, true, false) => "-",
    }
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
    if !deployment.on_host_loss.is_empty() {
        text.push_str(&format!(
            "host lost   {}\n",
            match deployment.on_host_loss.as_str() {
                "restore" => "storage is restored elsewhere from its last snapshot",
                "empty" => "storage starts empty elsewhere",
                _ => "storage waits for its host",
            }
        ));
    }
    if let Some(snapshots) = &deployment.snapshots {
        text.push_str(&snapshot::overview(snapshots, now_ms));
    }
    if deployment.terminated {
        text.push_str(&format!(
            "terminated  its data is kept; start it again: wharf deployment restore {}\n",
            deployment.alias
        ));
    }
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
