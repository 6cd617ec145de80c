//! `wharf plan`: list, show, follow, cancel, reapply, diff; and the following that `--wait` of other
//! commands uses. Not here: how plans look (`plan_tables.rs`).

use std::{collections::BTreeMap, time::Duration};

use wharf_proto::v1::{
    CancelPlanRequest, DiffPlansRequest, FollowPlanRequest, GetPlanRequest, ListPlansRequest, Plan,
    PlanStatus, ReapplyPlanRequest, StepStatus,
};

use super::{
    change::{self, Begun},
    following,
    listing::read_all,
    plan_tables,
};
use crate::{
    args::{CancelArgs, DiffArgs, ListArgs, Output, PlanArgs, PlanCommand, ReapplyArgs},
    client::{Client, mutation_as},
    failure::{EXIT_PLAN_FAILED, Failure},
    print,
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &PlanCommand) -> Result<u8, Failure> {
    match command {
        PlanCommand::List {
            deployment,
            host,
            list,
        } => {
            let plans = read(client, deployment, host, list).await?;
            let json = print::json_list(&plans)?;
            print::result(client.output(), &json, || {
                plan_tables::list(&plans, client.now_ms())
            });
            Ok(0)
        }
        PlanCommand::Show(PlanArgs { plan_id }) => {
            let plan = get(client, plan_id).await?;
            let json = print::json(&plan)?;
            print::result(client.output(), &json, || {
                plan_tables::plan(&plan, client.now_ms())
            });
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
        PlanCommand::Cancel(args) => cancel(client, args).await,
        PlanCommand::Reapply(args) => reapply(client, args).await,
        PlanCommand::Diff(args) => diff(client, args).await,
    }
}

/// Plans as a list asks for them, of one deployment or of all, of those that act on a host or of all; the
/// newest first when it asks for no order.
pub(crate) async fn read(
    client: &Client,
    deployment: &str,
    host: &str,
    list: &ListArgs,
) -> Result<Vec<Plan>, Failure> {
    let mut list = list.clone();
    if list.sort.is_empty() {
        "created desc".clone_into(&mut list.sort);
    }
    read_all(&list, |options| async {
        let request = ListPlansRequest {
            deployment: deployment.to_owned(),
            host: host.to_owned(),
            options: Some(options),
        };
        let page = client.plans().list_plans(request).await?.into_inner();
        Ok((page.plans, page.info))
    })
    .await
}

async fn cancel(client: &Client, args: &CancelArgs) -> Result<u8, Failure> {
    let request = CancelPlanRequest {
        mutation: mutation_as(args.request.request_id.as_deref()),
        plan_id: args.plan_id.clone(),
    };
    let mut plan = client.plans().cancel_plan(request).await?.into_inner();
    if args.wait {
        let timeout = Duration::from_secs(args.wait_timeout);
        plan = follow(client, &plan.id, Some(timeout)).await?;
    }
    let json = print::json(&plan)?;
    print::result(client.output(), &json, || {
        if is_ended(&plan) {
            format!("plan {} {}\n", plan.id, plan_tables::status(&plan))
        } else {
            format!(
                "plan {id} ends at its next step; follow it: wharf plan follow {id}\n",
                id = plan.id
            )
        }
    });
    if args.wait { cancelled(&plan) } else { Ok(0) }
}

/// What the end of a plan that was to be cancelled means for the command.
fn cancelled(plan: &Plan) -> Result<u8, Failure> {
    match plan.status() {
        PlanStatus::Cancelled => Ok(0),
        PlanStatus::Done => Err(Failure::new(
            "CLI0033",
            format!("the plan {} was done before it could be cancelled", plan.id),
            format!("wharf plan show {}", plan.id),
        )
        .exit(EXIT_PLAN_FAILED)),
        _ => ended(plan),
    }
}

async fn reapply(client: &Client, args: &ReapplyArgs) -> Result<u8, Failure> {
    let request = ReapplyPlanRequest {
        mutation: mutation_as(args.change.request.request_id.as_deref()),
        plan_id: args.plan_id.clone(),
        dry_run: args.change.dry_run,
    };
    let answer = client.plans().reapply_plan(request).await?.into_inner();
    let begun = Begun {
        deployment_id: answer.deployment_id,
        plan_id: answer.plan_id,
        preview: answer.preview,
    };
    change::finish(client, &args.change.wait, begun, "changes").await
}

async fn diff(client: &Client, args: &DiffArgs) -> Result<u8, Failure> {
    let request = DiffPlansRequest {
        from_plan_id: args.from.clone(),
        to_plan_id: args.plan_id.clone(),
    };
    let answer = client.plans().diff_plans(request).await?.into_inner();
    let json = print::json(&answer)?;
    print::result(client.output(), &json, || {
        if answer.changes.is_empty() {
            "the plans want the same\n".to_owned()
        } else {
            plan_tables::changes(&answer.changes)
        }
    });
    Ok(0)
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
            format!(
                "the plan {} {}{}: {}",
                plan.id,
                if plan.status() == PlanStatus::Failed {
                    ""
                } else {
                    "was "
                },
                print::word(plan.status().as_str_name(), "PLAN_STATUS_"),
                plan.reason
            ),
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
    let steps = async {
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
                failures += 1;
                if !following::passes(&status) || failures > 30 {
                    return Err(Failure::from(status));
                }
            }
            // A director that restarts is back within seconds.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let what = format!("the plan {plan_id}");
    let again = format!("wharf plan follow {plan_id}");
    following::until_ended(&what, &again, timeout, steps).await
}

fn is_ended(plan: &Plan) -> bool {
    matches!(
        plan.status(),
        PlanStatus::Done | PlanStatus::Failed | PlanStatus::Superseded | PlanStatus::Cancelled
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

    #[test]
    fn a_cancelled_plan_is_a_failure_but_for_whoever_cancelled_it() {
        let mut plan = Plan {
            status: PlanStatus::Cancelled.into(),
            reason: "alice asked for it".into(),
            ..Plan::default()
        };
        let failure = ended(&plan).unwrap_err();
        assert_eq!(failure.exit, EXIT_PLAN_FAILED);
        assert!(
            failure
                .message
                .ends_with("was cancelled: alice asked for it"),
            "{}",
            failure.message
        );
        assert_eq!(cancelled(&plan).unwrap(), 0);
        plan.status = PlanStatus::Done.into();
        assert_eq!(ended(&plan).unwrap(), 0);
        assert_eq!(cancelled(&plan).unwrap_err().code, "CLI0033");
    }

    #[test]
    fn every_end_of_a_plan_ends_the_following() {
        for (status, ended) in [
            (PlanStatus::Pending, false),
            (PlanStatus::Running, false),
            (PlanStatus::Done, true),
            (PlanStatus::Failed, true),
            (PlanStatus::Superseded, true),
            (PlanStatus::Cancelled, true),
        ] {
            let plan = Plan {
                status: status.into(),
                ..Plan::default()
            };
            assert_eq!(is_ended(&plan), ended, "{status:?}");
        }
    }
}
