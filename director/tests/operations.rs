//! Deployments that are resized, terminated, restored and given another password, plans that are
//! applied again, compared and only looked at: over the API, with an allocator and a proxy over real
//! sessions.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;
mod platform;

use std::collections::BTreeMap;

use argon2::{Argon2, PasswordHash, PasswordVerifier as _};
use lab::{
    GIB, Lab, code, ended, plan_of, reapply, resize, restart, restore, shown, storage, terminate,
};
use platform::{call, call_as, mutation};
use tonic::Code;
use wharf_proto::v1;
use wharf_services::v1::users_client::UsersClient;

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_resized_in_place_and_its_plan_says_who_and_what() {
    let mut lab = Lab::new().await;
    let before = lab.until_healthy("logs").await;
    let looked = lab
        .deployments()
        .resize_deployment(call(resize("storage", 2 * GIB, true)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(looked.plan_id, "");
    let preview = looked.preview.unwrap();
    let steps: Vec<String> = preview
        .plan
        .unwrap()
        .steps
        .into_iter()
        .map(|step| step.step_id)
        .collect();
    assert_eq!(steps, ["unroute", "stop", "start", "healthy", "route"]);
    assert!(preview.placements[0].stays);
    assert_eq!(
        shown(&lab.channel, "logs").await.unwrap().version,
        before.version
    );

    let request = resize("storage", 2 * GIB, false);
    let answer = lab
        .deployments()
        .resize_deployment(call(request.clone()))
        .await
        .unwrap()
        .into_inner();
    let again = lab
        .deployments()
        .resize_deployment(call(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        answer.plan_id, again.plan_id,
        "a repeated request is one request"
    );
    let pending = lab
        .deployments()
        .restart_deployment(call(restart(&[])))
        .await
        .unwrap_err();
    assert_eq!(code(&pending).0, "DIR0023");
    assert!(pending.message().contains(&answer.plan_id), "{pending}");
    let plan = lab.until_ended(&answer.plan_id).await;
    assert_eq!(plan.status(), v1::PlanStatus::Done, "{plan:?}");
    assert_eq!(plan.kind(), v1::PlanKind::Resize);
    assert_eq!(plan.actor, "admin");
    let change = &plan.changes[0];
    assert_eq!(
        (
            change.field.as_str(),
            change.before.as_str(),
            change.after.as_str()
        ),
        ("storage.memory_bytes", "1073741824", "2147483648")
    );
    let after = lab.until_healthy("logs").await;
    assert_eq!(storage(&after).memory_bytes, 2 * GIB);
    assert_eq!(after.resources[0].size.unwrap().memory_bytes, 2 * GIB);
    assert_eq!(storage(&after).port, storage(&before).port);
    let told = lab.held(storage(&after));
    assert_eq!(told.size.unwrap().memory_bytes, 2 * GIB);

    for (request, expected) in [
        (resize("storage", 2 * GIB, false), ("DIR0038", "sizes")),
        (
            resize("storage", 64 * GIB, false),
            ("DIR0020", "sizes.storage.memory_bytes"),
        ),
        (
            resize("storage", 64 * GIB, true),
            ("DIR0020", "sizes.storage.memory_bytes"),
        ),
        (resize("web", GIB, false), ("DIR0019", "sizes.web")),
    ] {
        let refused = lab
            .deployments()
            .resize_deployment(call(request))
            .await
            .unwrap_err();
        assert_eq!(
            code(&refused),
            (expected.0.to_owned(), expected.1.to_owned()),
            "{refused}"
        );
    }

    let back = lab
        .plans()
        .reapply_plan(call(reapply(&before.current_plan_id, false)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        lab.until_ended(&back.plan_id).await.status(),
        v1::PlanStatus::Done
    );
    assert_eq!(storage(&lab.until_healthy("logs").await).memory_bytes, GIB);
    let nothing = lab
        .plans()
        .reapply_plan(call(reapply(&before.current_plan_id, true)))
        .await
        .unwrap_err();
    assert_eq!(code(&nothing).0, "DIR0038");
    let diff = v1::DiffPlansRequest {
        from_plan_id: answer.plan_id,
        to_plan_id: back.plan_id,
    };
    let changes = lab
        .plans()
        .diff_plans(call(diff))
        .await
        .unwrap()
        .into_inner()
        .changes;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].after, GIB.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_terminated_and_restored_and_system_is_not() {
    let mut lab = Lab::new().await;
    let before = lab.until_healthy("logs").await;
    let refused = lab
        .deployments()
        .terminate_deployment(call(terminate("system")))
        .await
        .unwrap_err();
    assert_eq!(code(&refused).0, "DIR0022");
    let answer = lab
        .deployments()
        .terminate_deployment(call(terminate("logs")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        lab.until_ended(&answer.plan_id).await.status(),
        v1::PlanStatus::Done
    );
    let found = shown(&lab.channel, "logs").await.unwrap();
    assert!(found.terminated && found.problems.is_empty(), "{found:?}");
    let held = lab.held(storage(&before));
    assert!(
        !held.run && held.port == 0,
        "its container is gone, its data is there"
    );
    let routes = lab.proxy.table.values();
    let targets: usize = routes
        .filter(|route| route.alias == "logs")
        .map(|route| route.instances.len())
        .sum();
    assert_eq!(targets, 0, "it has no routes");
    for refused in [
        lab.deployments()
            .resize_deployment(call(resize("storage", 2 * GIB, false)))
            .await,
        lab.deployments()
            .restart_deployment(call(restart(&[])))
            .await,
    ] {
        assert_eq!(code(&refused.unwrap_err()).0, "DIR0037");
    }
    let answer = lab
        .deployments()
        .restore_deployment(call(restore()))
        .await
        .unwrap()
        .into_inner();
    let plan = lab.until_ended(&answer.plan_id).await;
    assert_eq!(plan.status(), v1::PlanStatus::Done, "{plan:?}");
    let after = lab.until_healthy("logs").await;
    assert!(!after.terminated);
    assert_eq!(storage(&after).id, storage(&before).id);
    assert!(lab.held(storage(&after)).run);
    let again = lab
        .deployments()
        .restore_deployment(call(restore()))
        .await
        .unwrap_err();
    assert_eq!(code(&again).0, "DIR0038");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_reaches_storage_monitoring_and_collectors_without_a_gap() {
    let mut lab = Lab::new().await;
    let found = shown(&lab.channel, "system").await.unwrap();
    let (storage, monitoring) = (
        storage(&found).id.clone(),
        found.resources[1].instances[0].id.clone(),
    );
    let old = lab.allocator.destination.clone().unwrap().password;
    let request = v1::ResetPasswordRequest {
        mutation: mutation(),
        deployment: "system".into(),
    };
    let answer = lab
        .deployments()
        .reset_password(call(request))
        .await
        .unwrap()
        .into_inner();
    let accepts = |users: &str, password: &str| {
        let users: serde_json::Value = serde_json::from_str(users).unwrap();
        let users = users["users"].as_array().unwrap().clone();
        users.iter().any(|user| {
            let hash = user["password_hash"].as_str().unwrap();
            Argon2::default()
                .verify_password(password.as_bytes(), &PasswordHash::new(hash).unwrap())
                .is_ok()
        })
    };
    let mut checked = BTreeMap::new();
    loop {
        let held = &lab.allocator.held;
        let users = held[&storage].secrets.clone().unwrap().users_json;
        let access = held[&monitoring].secrets.clone().unwrap().storage_json;
        let access: serde_json::Value = serde_json::from_str(&access).unwrap();
        let shipped = lab.allocator.destination.clone().unwrap().password;
        for used in [access["password"].as_str().unwrap(), shipped.as_str()] {
            let pair = (users.clone(), used.to_owned());
            let accepted = *checked.entry(pair).or_insert_with(|| accepts(&users, used));
            assert!(
                accepted,
                "somebody uses a password that the storage does not accept"
            );
        }
        if ended(&lab.channel, &answer.plan_id).await.is_some() {
            break;
        }
        tokio::select! {
            _ = lab.allocator.obey_one() => {}
            _ = lab.proxy.obey_one() => {}
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
        }
    }
    let plan = plan_of(&lab.channel, &answer.plan_id).await;
    assert_eq!(plan.status(), v1::PlanStatus::Done, "{plan:?}");
    let ask = v1::GetCredentialsRequest {
        deployment: "system".into(),
    };
    let credentials = lab
        .deployments()
        .get_credentials(call(ask))
        .await
        .unwrap()
        .into_inner();
    let users = lab.allocator.held[&storage]
        .secrets
        .clone()
        .unwrap()
        .users_json;
    assert!(accepts(&users, &credentials.password));
    assert!(!accepts(&users, &old), "the old password is still accepted");
    assert_ne!(credentials.password, old);
    assert_eq!(
        lab.allocator.destination.clone().unwrap().password,
        credentials.password
    );
    let audit = &lab.process.running().director.published.state().audit;
    let text = format!("{audit:?}");
    assert!(text.contains("reset_password") && !text.contains(&credentials.password));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_changes_nothing_not_even_on_trial() {
    let lab = Lab::new().await;
    let request = v1::CreateUserRequest {
        mutation: mutation(),
        username: "viewer".into(),
        password: "a long enough password".into(),
        roles: vec!["deployments_viewer".into()],
    };
    UsersClient::new(lab.channel.clone())
        .create_user(call(request))
        .await
        .unwrap();
    let as_viewer = |message| call_as("viewer", "a long enough password", message);
    for dry_run in [true, false] {
        let refused = lab
            .deployments()
            .resize_deployment(as_viewer(resize("storage", 2 * GIB, dry_run)))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_and_a_deletion_are_looked_at_without_happening() {
    let lab = Lab::new().await;
    let request = v1::CreateDeploymentRequest {
        name: "new".into(),
        dry_run: true,
        ..Default::default()
    };
    let answer = lab
        .deployments()
        .create_deployment(call(request.clone()))
        .await
        .unwrap()
        .into_inner();
    let preview = answer.preview.unwrap();
    let steps = preview.plan.unwrap().steps;
    assert_eq!((steps.len(), steps[0].step_id.as_str()), (8, "place"));
    assert_eq!(preview.placements.len(), 2);
    assert_eq!(preview.placements[0].allocator_id, lab.allocator.id);
    assert_eq!(answer.deployment.unwrap().alias, "new");
    assert!(shown(&lab.channel, "new").await.is_none());
    let taken = v1::CreateDeploymentRequest {
        alias: "logs".into(),
        ..request
    };
    let refused = lab
        .deployments()
        .create_deployment(call(taken))
        .await
        .unwrap_err();
    assert_eq!(code(&refused), ("DIR0013".to_owned(), "alias".to_owned()));
    let request = v1::DeleteDeploymentRequest {
        deployment: "logs".into(),
        dry_run: true,
        ..Default::default()
    };
    let answer = lab
        .deployments()
        .delete_deployment(call(request))
        .await
        .unwrap()
        .into_inner();
    let steps = answer.preview.unwrap().plan.unwrap().steps;
    assert_eq!(steps.last().unwrap().step_id, "forget");
    assert!(!shown(&lab.channel, "logs").await.unwrap().deleting);
}
