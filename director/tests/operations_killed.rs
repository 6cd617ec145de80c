//! Plans that are cancelled, and directors that are killed at each step of operations: over the API,
//! with an allocator and a proxy over real sessions.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;
mod platform;

use lab::{GIB, Lab, cancel, code, plan_of, resize, restart, restore, storage, terminate};
use platform::{call, obey_until};
use tonic::Code;
use wharf_proto::v1;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_cancelled_and_a_failed_resize_goes_back() {
    let mut lab = Lab::new().await;
    let answer = lab
        .deployments()
        .restart_deployment(call(restart(&["monitoring"])))
        .await
        .unwrap()
        .into_inner();
    let plan = lab.until_ended(&answer.plan_id).await;
    assert!(plan.steps.iter().all(|step| step.subject == "monitoring-0"));
    assert_eq!(plan.changes[0].field, "restarted");
    let wrong = lab
        .deployments()
        .restart_deployment(call(restart(&["storage-9"])))
        .await
        .unwrap_err();
    assert_eq!(code(&wrong), ("DIR0046".to_owned(), "instances".to_owned()));

    // One that would wait for a healthy container until its time is over.
    lab.allocator.ailing = true;
    let answer = lab
        .deployments()
        .resize_deployment(call(resize("storage", 2 * GIB, false)))
        .await
        .unwrap()
        .into_inner();
    let channel = lab.channel.clone();
    let id = answer.plan_id.clone();
    obey_until(
        &mut lab.allocator,
        &mut lab.proxy,
        "it waits for health",
        || async {
            let plan = plan_of(&channel, &id).await;
            let waits = plan
                .steps
                .iter()
                .any(|step| step.step_id == "healthy" && step.status() == v1::StepStatus::Running);
            waits.then_some(())
        },
    )
    .await;
    let request = cancel(&answer.plan_id);
    let plan = lab
        .plans()
        .cancel_plan(call(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert!(
        plan.cancelling && plan.status() == v1::PlanStatus::Running,
        "{plan:?}"
    );
    lab.allocator.ailing = false;
    let plan = lab.until_ended(&answer.plan_id).await;
    assert_eq!(plan.status(), v1::PlanStatus::Cancelled, "{plan:?}");
    let found = lab.until_healthy("logs").await;
    assert_eq!(storage(&found).memory_bytes, GIB);
    let repeated = lab.plans().cancel_plan(call(request)).await.unwrap();
    assert_eq!(repeated.into_inner().status(), v1::PlanStatus::Cancelled);
    let late = lab
        .plans()
        .cancel_plan(call(cancel(&answer.plan_id)))
        .await
        .unwrap_err();
    assert_eq!(
        (late.code(), code(&late).0.as_str()),
        (Code::FailedPrecondition, "DIR0044")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_director_killed_at_each_step_of_a_resize_a_termination_and_a_restore_goes_on() {
    let mut lab = Lab::new().await;
    let before = lab.until_healthy("logs").await;
    for operation in ["resize", "terminate", "restore"] {
        let mut deployments = lab.deployments();
        let answer = match operation {
            "resize" => {
                deployments
                    .resize_deployment(call(resize("storage", 2 * GIB, false)))
                    .await
            }
            "terminate" => {
                deployments
                    .terminate_deployment(call(terminate("logs")))
                    .await
            }
            _ => deployments.restore_deployment(call(restore())).await,
        };
        let plan_id = answer.unwrap().into_inner().plan_id;
        for entries in [1, 2, 2, 3, 3, 4] {
            lab.some_entries(entries, &plan_id).await;
            lab = lab.kill().await;
        }
        let plan = lab.until_ended(&plan_id).await;
        assert_eq!(plan.status(), v1::PlanStatus::Done, "{operation}: {plan:?}");
        assert_eq!(
            lab.allocator.held.len(),
            4,
            "{operation}: nothing is doubled or lost"
        );
    }
    let after = lab.until_healthy("logs").await;
    assert_eq!(storage(&after).id, storage(&before).id);
    assert_eq!(storage(&after).memory_bytes, 2 * GIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_director_killed_at_each_step_of_a_cancelled_resize_still_takes_it_back() {
    for entries in 1..=6 {
        let mut lab = Lab::new().await;
        lab.allocator.ailing = true;
        let answer = lab
            .deployments()
            .resize_deployment(call(resize("storage", 2 * GIB, false)))
            .await
            .unwrap()
            .into_inner();
        lab.some_entries(2 * entries, &answer.plan_id).await;
        lab.plans()
            .cancel_plan(call(cancel(&answer.plan_id)))
            .await
            .unwrap();
        lab.allocator.ailing = false;
        for _ in 0..2 {
            lab = lab.kill().await;
            lab.some_entries(entries, &answer.plan_id).await;
        }
        let plan = lab.until_ended(&answer.plan_id).await;
        assert_eq!(
            plan.status(),
            v1::PlanStatus::Cancelled,
            "after {entries}: {plan:?}"
        );
        let found = lab.until_healthy("logs").await;
        assert_eq!(storage(&found).memory_bytes, GIB, "after {entries}");
    }
}
