//! `wharf plan`: list, show, follow; and the following that `--wait` of other commands uses.

use std::{collections::BTreeMap, time::Duration};

use wharf_proto::v1::{
    FollowPlanRequest, GetPlanRequest, ListPlansRequest, Plan, PlanKind, PlanStatus, StepStatus,
};

use super::listing::read_all;
use crate::{
    args::{Output, PlanArgs, PlanCommand},
    client::Client,
    failure::{EXIT_PLAN_FAILED, EXIT_UNREACHABLE, Failure},
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &PlanCommand) -> Result<u8, Failure> {
    match command {
        PlanCommand::List { deployment, list } => {
            let plans = read_all(list, |options| async {
                let request = ListPlansRequest {
                    deployment: deployment.clone(),
                    options: Some(options),
                };
                let page = client.plans().list_plans(request).await?.into_inner();
                Ok((page.plans, page.info))
            })
            .await?;
            let json = print::json_list(&plans)?;
            print::result(client.output(), &json, || {
                let mut table =
                    Table::new(&["PLAN", "DEPLOYMENT", "KIND", "STATUS", "AGE", "REASON"]);
                for plan in &plans {
                    table.row([
                        plan.id.clone(),
                        plan.deployment_name.clone(),
                        kind(plan),
                        status(plan),
                        print::age(client.now_ms(), plan.created_at.as_ref()),
                        plan.reason.clone(),
                    ]);
                }
                table.render()
            });
            Ok(0)
        }
        PlanCommand::Show(PlanArgs { plan_id }) => {
            let plan = get(client, plan_id).await?;
            let json = print::json(&plan)?;
            print::result(client.output(), &json, || render(&plan, client.now_ms()));
            Ok(0)
        }
        PlanCommand::Follow(PlanArgs { plan_id }) => {
            let plan = follow(client, plan_id, None).await?;
            if client.output() != Output::Table {
                let json = print::json(&plan)?;
                print::result(client.output(), &json, String::new);
            }
            ended(&plan)
        }
    }
}

async fn get(client: &Client, plan_id: &str) -> Result<Plan, Failure> {
    let request = GetPlanRequest {
        plan_id: plan_id.to_owned(),
    };
    Ok(client.plans().get_plan(request).await?.into_inner())
}

/// What a followed plan's end means for the command.
pub(crate) fn ended(plan: &Plan) -> Result<u8, Failure> {
    match plan.status() {
        PlanStatus::Done => Ok(0),
        _ => Err(Failure::new(
            &plan.error_code,
            format!("the plan {} {}: {}", plan.id, status(plan), plan.reason),
            format!("wharf plan show {}", plan.id),
        )
        .exit(EXIT_PLAN_FAILED)),
    }
}

/// Follows a plan until it ends, telling each step's change once. A stream that breaks (a director
/// restarts) is opened again until the time is up.
pub(crate) async fn follow(
    client: &Client,
    plan_id: &str,
    timeout: Option<Duration>,
) -> Result<Plan, Failure> {
    let following = async {
        let mut told = BTreeMap::new();
        let mut failures = 0_u32;
        loop {
            let request = FollowPlanRequest {
                plan_id: plan_id.to_owned(),
            };
            let error = match client.plans().follow_plan(request).await {
                Ok(stream) => {
                    let mut stream = stream.into_inner();
                    loop {
                        match stream.message().await {
                            Ok(Some(plan)) => {
                                failures = 0;
                                tell(&plan, &mut told);
                                if is_ended(&plan) {
                                    return Ok(plan);
                                }
                            }
                            Ok(None) => break None,
                            Err(status) => break Some(status),
                        }
                    }
                }
                Err(status) => Some(status),
            };
            if let Some(status) = error {
                let lasting = !matches!(
                    status.code(),
                    tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Internal
                );
                failures += 1;
                if lasting || failures > 30 {
                    return Err(Failure::from(status));
                }
            }
            // A director that restarts is back within seconds.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    match timeout {
        None => following.await,
        Some(timeout) => tokio::time::timeout(timeout, following)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::new(
                    "CLI0006",
                    format!(
                        "the plan {plan_id} has not ended within {} s; it goes on",
                        timeout.as_secs()
                    ),
                    format!("wharf plan follow {plan_id}"),
                )
                .exit(EXIT_UNREACHABLE))
            }),
    }
}

fn is_ended(plan: &Plan) -> bool {
    matches!(
        plan.status(),
        PlanStatus::Done | PlanStatus::Failed | PlanStatus::Superseded
    )
}

fn tell(plan: &Plan, told: &mut BTreeMap<(String, String), (i32, String)>) {
    for step in &plan.steps {
        let key = (step.step_id.clone(), step.subject.clone());
        let now = (step.status, step.waits_for.clone());
        if step.status() == StepStatus::Waiting || told.get(&key) == Some(&now) {
            continue;
        }
        let seconds = match (&step.started_at, &step.ended_at) {
            (Some(start), Some(end)) => {
                let ms = wharf_proto::times::millis(end)
                    .saturating_sub(wharf_proto::times::millis(start));
                format!(" in {}.{} s", ms / 1000, ms % 1000 / 100)
            }
            _ => String::new(),
        };
        let waits = if step.status() == StepStatus::Running && !step.waits_for.is_empty() {
            format!(", waits for {}", step.waits_for)
        } else {
            String::new()
        };
        let text = format!(
            "{:<8} {} {}{seconds}{waits}",
            print::word(step.status().as_str_name(), "STEP_STATUS_"),
            step.step_id,
            step.subject,
        );
        print::remark(&print::printable(text.trim_end()));
        told.insert(key, now);
    }
}

fn kind(plan: &Plan) -> String {
    print::word(
        PlanKind::try_from(plan.kind)
            .unwrap_or_default()
            .as_str_name(),
        "PLAN_KIND_",
    )
}

fn status(plan: &Plan) -> String {
    print::word(plan.status().as_str_name(), "PLAN_STATUS_")
}

fn render(plan: &Plan, now_ms: u64) -> String {
    let mut text = format!(
        "plan        {}\ndeployment  {} ({})\nkind        {}\nstatus      {}\ncreated     {} ago\n",
        plan.id,
        print::printable(&plan.deployment_name),
        plan.deployment_id,
        kind(plan),
        status(plan),
        print::age(now_ms, plan.created_at.as_ref()),
    );
    if !plan.reason.is_empty() {
        text.push_str(&format!(
            "reason      {} {}\n",
            plan.error_code,
            print::printable(&plan.reason)
        ));
    }
    let mut table = Table::new(&["STEP", "OF", "STATUS", ">SECONDS", "WAITS FOR"]);
    for step in &plan.steps {
        let seconds = match (&step.started_at, &step.ended_at) {
            (Some(start), end) => {
                let end = end.as_ref().map_or(now_ms, wharf_proto::times::millis);
                let ms = end.saturating_sub(wharf_proto::times::millis(start));
                format!("{}.{}", ms / 1000, ms % 1000 / 100)
            }
            _ => "-".to_owned(),
        };
        table.row([
            step.step_id.clone(),
            step.subject.clone(),
            print::word(step.status().as_str_name(), "STEP_STATUS_"),
            seconds,
            step.waits_for.clone(),
        ]);
    }
    text.push('\n');
    text.push_str(&table.render());
    for step in plan.steps.iter().filter(|step| !step.log.is_empty()) {
        text.push_str(&format!(
            "\n{} {}\n",
            step.step_id,
            print::printable(&step.subject)
        ));
        for line in &step.log {
            text.push_str(&format!(
                "  {}  {}\n",
                print::age(now_ms, line.at.as_ref()),
                print::printable(&line.text)
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_plan_is_a_failure_with_its_own_code_and_exit() {
        let plan = Plan {
            id: "a".repeat(32),
            status: PlanStatus::Failed.into(),
            error_code: "DIR0042".into(),
            reason: "no allocator has 4 GiB free".into(),
            ..Plan::default()
        };
        let failure = ended(&plan).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.exit),
            ("DIR0042", EXIT_PLAN_FAILED)
        );
    }
}
