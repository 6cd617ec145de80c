//! The waiting of `wharf up`: until the director answers, the platform is healthy and the first
//! document is found through the proxy. Each thing that comes is told once; when the time is up,
//! what is still missing is told.

use std::time::{Duration, Instant};

use serde_json::json;
use wharf_proto::v1::{
    GetCredentialsRequest, GetDeploymentRequest, GetPlanRequest, GetStatusRequest, PlatformStatus,
};

use crate::{
    args::Output,
    client::{Client, StoreClient},
    failure::{EXIT_UNHEALTHY, Failure},
    profile::Profile,
    settings::{Login, Settings},
};

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The deployment that the platform's own collectors ship to.
const SYSTEM: &str = "system";
const DOCUMENTS: &str = "/metrics-*,logs-*/_search?ignore_unavailable=true&allow_no_indices=true";

/// Waits until the platform answers, is healthy and holds a document.
pub(super) async fn healthy(
    admin: &Profile,
    deadline: Instant,
    mut done: impl FnMut(&str),
) -> Result<(), Failure> {
    let client = Client::new(&Settings {
        director: admin.director.clone(),
        login: Login::Password {
            username: admin.username.clone(),
            password: admin.password.clone(),
        },
        ca_file: admin.ca_file.clone(),
        output: Output::Table,
        profile: None,
    })?;
    let mut told = Told::default();
    let mut store = None;
    loop {
        let missing = match client.platform().get_status(GetStatusRequest {}).await {
            Err(status) if status.code() == tonic::Code::Unauthenticated => {
                return Err(status.into());
            }
            Err(status) => format!(
                "the director, which does not answer yet ({})",
                status.message()
            ),
            Ok(answer) => {
                let status = answer.into_inner();
                told.tell(&status, &mut done);
                if !status.healthy {
                    problem(&status)
                } else if !is_deployed(&status) {
                    deployment_problem(&client).await
                } else {
                    match first_document(&client, &mut store).await {
                        Ok(()) => {
                            done("first document found through the proxy");
                            return Ok(());
                        }
                        Err(why) => format!("the first document ({why})"),
                    }
                }
            }
        };
        if Instant::now() >= deadline {
            return Err(Failure::new(
                "CLI0026",
                format!("the platform did not become healthy in time; it waits for {missing}"),
                "wharf status; docker logs of the role that is named; wharf up again goes on from here",
            )
            .exit(EXIT_UNHEALTHY));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_deployed(status: &PlatformStatus) -> bool {
    status.deployments > 0 && status.deployments_healthy == status.deployments
}

fn problem(status: &PlatformStatus) -> String {
    match status.problems.first() {
        Some(problem) => format!("{} {}: {}", problem.code, problem.subject, problem.message),
        None => "the platform".to_owned(),
    }
}

/// What the deployment `system` lacks: what its plan waits for, else what its instances say.
async fn deployment_problem(client: &Client) -> String {
    let name = "the deployment `system`";
    let request = GetDeploymentRequest {
        deployment: SYSTEM.to_owned(),
    };
    let Ok(answer) = client.deployments().get_deployment(request).await else {
        return name.to_owned();
    };
    let deployment = answer.into_inner();
    let request = GetPlanRequest {
        plan_id: deployment.pending_plan_id,
    };
    let reason = match client.plans().get_plan(request).await {
        Ok(plan) => plan.into_inner().reason,
        Err(_) => String::new(),
    };
    let reason = if reason.is_empty() {
        deployment.problems.join("; ")
    } else {
        reason
    };
    format!("{name}: {reason}")
}

/// Looks for a document. The credentials are asked for once: each time is an audited event.
async fn first_document(client: &Client, store: &mut Option<StoreClient>) -> Result<(), String> {
    if store.is_none() {
        let request = GetCredentialsRequest {
            deployment: SYSTEM.to_owned(),
        };
        let credentials = client
            .deployments()
            .get_credentials(request)
            .await
            .map_err(|status| status.message().to_owned())?
            .into_inner();
        *store = Some(
            client
                .store(&credentials)
                .map_err(|failure| failure.message)?,
        );
    }
    let Some(store) = store else {
        return Err("no credentials".to_owned());
    };
    let answer = store
        .post(DOCUMENTS, &json!({"size": 1}))
        .await
        .map_err(|failure| failure.message)?;
    match answer["hits"]["hits"].as_array() {
        Some(hits) if !hits.is_empty() => Ok(()),
        _ => Err("none yet".to_owned()),
    }
}

/// What has been told already.
#[derive(Default)]
struct Told {
    director: bool,
    allocator: bool,
    proxy: bool,
    deployment: bool,
}

impl Told {
    fn tell(&mut self, status: &PlatformStatus, done: &mut impl FnMut(&str)) {
        let mut once = |seen: &mut bool, now: bool, what: &str| {
            if now && !*seen {
                *seen = true;
                done(what);
            }
        };
        once(&mut self.director, true, "director answers");
        once(
            &mut self.allocator,
            status.allocators_connected > 0,
            "allocator connected",
        );
        once(
            &mut self.proxy,
            status.proxies_connected > 0,
            "proxy connected",
        );
        let deployed = status.deployments > 0 && status.deployments_healthy == status.deployments;
        once(
            &mut self.deployment,
            deployed,
            "deployment `system` healthy",
        );
    }
}
