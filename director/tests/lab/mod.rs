//! A platform with the deployment `logs`, the hands that carry it, and requests for operations.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod fleet;

use tonic::{Status, transport::Channel};
use wharf_proto::{coded, v1};
use wharf_services::v1::{deployments_client::DeploymentsClient, plans_client::PlansClient};

#[allow(unused_imports)] // Only some tests have a second host.
pub use self::fleet::{Fleet, allocator};
use crate::platform::{Files, HandAllocator, HandProxy, Process, call, mutation, obey_until};

pub const GIB: u64 = 1 << 30;

/// A platform with the deployment `logs`, and the hands that carry it.
pub struct Lab {
    pub files: Files,
    pub process: Process,
    pub channel: Channel,
    pub allocator: HandAllocator,
    pub proxy: HandProxy,
}

pub async fn shown(channel: &Channel, name: &str) -> Option<v1::Deployment> {
    let request = v1::GetDeploymentRequest {
        deployment: name.into(),
    };
    DeploymentsClient::new(channel.clone())
        .get_deployment(call(request))
        .await
        .ok()
        .map(tonic::Response::into_inner)
}

pub async fn at_rest(channel: &Channel, name: &str) -> Option<v1::Deployment> {
    shown(channel, name)
        .await
        .filter(|found| found.pending_plan_id.is_empty())
}

pub async fn healthy(channel: &Channel, name: &str) -> Option<v1::Deployment> {
    at_rest(channel, name)
        .await
        .filter(|found| found.health() == v1::Health::Healthy)
}

pub async fn plan_of(channel: &Channel, id: &str) -> v1::Plan {
    let request = v1::GetPlanRequest { plan_id: id.into() };
    PlansClient::new(channel.clone())
        .get_plan(call(request))
        .await
        .unwrap()
        .into_inner()
}

pub async fn ended(channel: &Channel, id: &str) -> Option<v1::Plan> {
    let plan = plan_of(channel, id).await;
    plan.ended_at.is_some().then_some(plan)
}

pub fn code(status: &Status) -> (String, String) {
    let info = coded::decode(status.details()).unwrap();
    (info.code, info.field)
}

pub fn size(memory_bytes: u64) -> v1::Size {
    v1::Size {
        memory_bytes,
        ..Default::default()
    }
}

pub fn resize(kind: &str, memory_bytes: u64, dry_run: bool) -> v1::ResizeDeploymentRequest {
    v1::ResizeDeploymentRequest {
        mutation: mutation(),
        deployment: "logs".into(),
        sizes: [(kind.to_owned(), size(memory_bytes))].into(),
        dry_run,
    }
}

pub fn terminate(deployment: &str) -> v1::TerminateDeploymentRequest {
    v1::TerminateDeploymentRequest {
        mutation: mutation(),
        deployment: deployment.into(),
        dry_run: false,
    }
}

pub fn restore() -> v1::RestoreDeploymentRequest {
    v1::RestoreDeploymentRequest {
        mutation: mutation(),
        deployment: "logs".into(),
        dry_run: false,
    }
}

pub fn restart(instances: &[&str]) -> v1::RestartDeploymentRequest {
    v1::RestartDeploymentRequest {
        mutation: mutation(),
        deployment: "logs".into(),
        instances: instances.iter().map(|name| (*name).to_owned()).collect(),
        dry_run: false,
    }
}

pub fn cancel(plan_id: &str) -> v1::CancelPlanRequest {
    v1::CancelPlanRequest {
        mutation: mutation(),
        plan_id: plan_id.into(),
    }
}

pub fn reapply(plan_id: &str, dry_run: bool) -> v1::ReapplyPlanRequest {
    v1::ReapplyPlanRequest {
        mutation: mutation(),
        plan_id: plan_id.into(),
        dry_run,
    }
}

impl Lab {
    pub async fn new() -> Self {
        let files = Files::new();
        let process = Process::start(&files).await;
        let channel = files.channel(process.admin, None);
        let allocator = HandAllocator::connect(&files, &process).await;
        let proxy = HandProxy::connect(&files, &process, 0).await;
        let mut lab = Self {
            files,
            process,
            channel,
            allocator,
            proxy,
        };
        let request = v1::CreateDeploymentRequest {
            mutation: mutation(),
            name: "logs".into(),
            ..Default::default()
        };
        lab.deployments()
            .create_deployment(call(request))
            .await
            .unwrap();
        lab.until_healthy("logs").await;
        lab.until_healthy("system").await;
        lab
    }

    pub fn deployments(&self) -> DeploymentsClient<Channel> {
        DeploymentsClient::new(self.channel.clone())
    }

    pub fn plans(&self) -> PlansClient<Channel> {
        PlansClient::new(self.channel.clone())
    }

    pub async fn until_healthy(&mut self, name: &str) -> v1::Deployment {
        let channel = self.channel.clone();
        obey_until(
            &mut self.allocator,
            &mut self.proxy,
            "it is healthy",
            || healthy(&channel, name),
        )
        .await
    }

    pub async fn until_ended(&mut self, id: &str) -> v1::Plan {
        let channel = self.channel.clone();
        obey_until(
            &mut self.allocator,
            &mut self.proxy,
            "the plan ends",
            || ended(&channel, id),
        )
        .await
    }

    /// Kills the director and brings another up from its disk.
    pub async fn kill(self) -> Self {
        let (held, generation) = (self.allocator.held.clone(), self.allocator.generation);
        let (ailing, table) = (self.allocator.ailing, self.proxy.generation);
        self.process.kill().await;
        let process = Process::start(&self.files).await;
        let mut allocator =
            HandAllocator::reconnect_silent(&self.files, &process, held, generation).await;
        allocator.ailing = ailing;
        allocator.report().await;
        let proxy = HandProxy::connect(&self.files, &process, table).await;
        Self {
            channel: self.files.channel(process.admin, None),
            files: self.files,
            process,
            allocator,
            proxy,
        }
    }

    /// Obeys until that many more entries are applied, or the plan has ended.
    pub async fn some_entries(&mut self, entries: u64, plan_id: &str) {
        let status = self.process.running().director.raft.status();
        let target = status.borrow().applied + entries;
        let channel = self.channel.clone();
        obey_until(
            &mut self.allocator,
            &mut self.proxy,
            "it got so far",
            || async {
                let far =
                    status.borrow().applied >= target || ended(&channel, plan_id).await.is_some();
                far.then_some(())
            },
        )
        .await;
    }

    pub fn held(&self, instance: &v1::Instance) -> v1::AssignedInstance {
        self.allocator.held[&instance.id].clone()
    }
}

pub fn storage(found: &v1::Deployment) -> &v1::Instance {
    &found.resources[0].instances[0]
}
