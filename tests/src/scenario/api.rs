//! Calls that a scenario makes itself, because what they tell must be acted on the moment it happens: a
//! plan followed step by step, what a deployment or a vacate is now. For code that is at the desk
//! (`Desk::here`). Not here: everything that a command can ask as well.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tonic::{Status, transport::Channel};
use wharf_proto::v1::{
    CreateDeploymentRequest, Deployment, DirectorRole, FollowPlanRequest, GetDeploymentRequest,
    GetPlanRequest, GetVacateRequest, ListDirectorsRequest, Mutation, Plan, PlanStatus, Size,
    Vacate, VacateAllocatorRequest,
};
use wharf_services::v1::{
    allocators_client::AllocatorsClient, deployments_client::DeploymentsClient,
    directors_client::DirectorsClient, plans_client::PlansClient,
};

use crate::{admin_login::AdminLogin, testbed::Desk};

/// For a stream that broke, and for a director that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// For a call with one answer, over an election; a director that says nothing holds no scenario up for ever.
const ANSWER: Duration = Duration::from_secs(30);
/// Between two looks at what tells of no change by itself.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The API.
#[derive(Debug)]
pub(super) struct Api {
    runtime: Runtime,
    channel: Channel,
    login: AdminLogin,
}

impl Api {
    /// As the admin whose desk it is.
    ///
    /// # Panics
    /// When the profile cannot be used.
    pub(super) fn of(desk: &Desk) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let login = AdminLogin::of(&desk.profile());
        let addresses: Vec<String> = desk.directors().split(',').map(str::to_owned).collect();
        let channel = runtime.block_on(async { login.channel(&addresses) });
        Self {
            runtime,
            channel,
            login,
        }
    }

    /// Begins a deployment with a storage node of half a GiB; gives its plan's id.
    ///
    /// # Panics
    /// When it is refused.
    pub(super) fn create(&self, name: &str) -> String {
        let size = Size {
            memory_bytes: 512 << 20,
            disk_bytes: 1 << 30,
            cpu_millis: 0,
        };
        let request = self.login.request_within(
            ANSWER,
            CreateDeploymentRequest {
                mutation: Some(mutation()),
                name: name.to_owned(),
                sizes: [("storage".to_owned(), size)].into(),
                ..CreateDeploymentRequest::default()
            },
        );
        let mut client = DeploymentsClient::new(self.channel.clone());
        let made = self.runtime.block_on(client.create_deployment(request));
        let made = made.unwrap_or_else(|status| panic!("{name} was refused: {status}"));
        made.into_inner().plan_id
    }

    /// Begins to empty a host; gives the vacate's id.
    ///
    /// # Panics
    /// When it is refused.
    pub(super) fn vacate(&self, host: &str) -> String {
        let request = self.login.request_within(
            ANSWER,
            VacateAllocatorRequest {
                mutation: Some(mutation()),
                allocator: host.to_owned(),
                ..VacateAllocatorRequest::default()
            },
        );
        let mut client = AllocatorsClient::new(self.channel.clone());
        let begun = self.runtime.block_on(client.vacate_allocator(request));
        let begun = begun.unwrap_or_else(|status| panic!("the vacate was refused: {status}"));
        begun.into_inner().vacate.expect("a vacate").id
    }

    /// The deployment now.
    pub(super) fn deployment(&self, name: &str) -> Result<Deployment, Status> {
        let request = self.login.request_within(
            ANSWER,
            GetDeploymentRequest {
                deployment: name.to_owned(),
            },
        );
        let mut client = DeploymentsClient::new(self.channel.clone());
        let got = self.runtime.block_on(client.get_deployment(request));
        got.map(tonic::Response::into_inner)
    }

    /// The vacate now.
    pub(super) fn vacate_now(&self, id: &str) -> Result<Vacate, Status> {
        let request = self.login.request_within(
            ANSWER,
            GetVacateRequest {
                vacate_id: id.to_owned(),
            },
        );
        let mut client = AllocatorsClient::new(self.channel.clone());
        let got = self.runtime.block_on(client.get_vacate(request));
        got.map(tonic::Response::into_inner)
    }

    /// Host and term of the director that leads; none leads: no answer.
    pub(super) fn leader(&self) -> Result<(String, u64), Status> {
        let mut client = DirectorsClient::new(self.channel.clone());
        let request = self
            .login
            .request_within(ANSWER, ListDirectorsRequest::default());
        let got = self.runtime.block_on(client.list_directors(request))?;
        let all = got.into_inner().directors;
        let mut leading = all
            .into_iter()
            .filter(|one| one.role() == DirectorRole::Leader);
        let leader = leading.next().map(|one| (one.host, one.term));
        leader.ok_or_else(|| Status::unavailable("no director leads"))
    }

    /// The plan now.
    pub(super) fn plan(&self, id: &str) -> Result<Plan, Status> {
        let request = self.login.request_within(
            ANSWER,
            GetPlanRequest {
                plan_id: id.to_owned(),
            },
        );
        let mut client = PlansClient::new(self.channel.clone());
        let got = self.runtime.block_on(client.get_plan(request));
        got.map(tonic::Response::into_inner)
    }

    /// Follows a plan by its stream until it is as wanted or has ended; gives it as it was then.
    ///
    /// # Panics
    /// When no director tells of it.
    pub(super) fn follow(&self, id: &str, wanted: impl Fn(&Plan) -> bool) -> Plan {
        let mut heard = Instant::now();
        loop {
            let followed = self.follow_once(id, &wanted, &mut heard);
            let broken = match self.runtime.block_on(followed) {
                Ok(plan) => return plan,
                Err(status) => status,
            };
            assert!(heard.elapsed() < PATIENCE, "the plan {id}: {broken}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    async fn follow_once(
        &self,
        id: &str,
        wanted: impl Fn(&Plan) -> bool,
        heard: &mut Instant,
    ) -> Result<Plan, Status> {
        let request = self.login.request(FollowPlanRequest {
            plan_id: id.to_owned(),
        });
        let mut client = PlansClient::new(self.channel.clone());
        let silent = |_| Status::deadline_exceeded("nothing was heard of the plan");
        let begun = tokio::time::timeout(ANSWER, client.follow_plan(request)).await;
        let mut stream = begun.map_err(silent)??.into_inner();
        while let Some(plan) = tokio::time::timeout(PATIENCE, stream.message())
            .await
            .map_err(silent)??
        {
            *heard = Instant::now();
            if wanted(&plan) || has_ended(&plan) {
                return Ok(plan);
            }
        }
        Err(Status::unavailable("the stream ended before the plan"))
    }
}

/// Looks every few milliseconds until there is something.
///
/// # Panics
/// When there is nothing in time.
pub(super) fn soon<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not in time");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Whether nothing more comes of it.
pub(super) fn has_ended(plan: &Plan) -> bool {
    !matches!(
        plan.status(),
        PlanStatus::Unspecified | PlanStatus::Pending | PlanStatus::Running
    )
}

fn mutation() -> Mutation {
    Mutation {
        request_id: format!("{:032x}", rand::random::<u128>()),
        expected_version: 0,
    }
}
