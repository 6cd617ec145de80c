//! Commands: the only way the state changes. JSON in the log, with a version, the time and the
//! actor stamped by the proposer. A member that meets a command it does not know stops: it never
//! skips one. Not here: what each does (`apply/`).

pub mod allocator;
pub mod authority;
pub mod channel;
pub mod deployment;
pub mod director;
pub mod enrollment;
pub mod instance;
pub mod plan;
pub mod platform;
pub mod repository;
pub mod session;
pub mod user;
pub mod vacate;
pub mod zone;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wharf_proto::ids::RequestId;

pub use self::{
    allocator::{ForgetAllocator, ForgetProxy, RegisterAllocator, RegisterProxy, UpdateAllocator},
    authority::ChangeAuthority,
    channel::{DeleteChannel, PutChannel, RecordAlerts, SettleAlert},
    deployment::{
        ChangeDeployment, CreateDeployment, DeleteDeployment, DeploymentChange, ExtendDeployment,
        NewInstance, NewResource, UpgradeDeployment,
    },
    director::{AdmitDirector, DescribeDirector, RemoveDirector},
    enrollment::{CreateEnrollmentToken, EnrollHost, ForgetHost, RevokeEnrollmentToken},
    instance::{NoteLeased, NoteSetAside, SetHostLossPolicy, SetInstanceRouting},
    plan::{
        AdoptPlan, CancelPlan, InstanceChange, NewBerth, NewClaim, NewStep, NotePlan, PlanEnded,
        Restored, StartAttempt, StepTransition, SupersedePlan,
    },
    platform::{
        BootstrapPlatform, NoteAudit, PublishRoutes, PutSecret, RaiseFeatureLevel, RemoveSecret,
        ReportHealthTransition, ReportHealthTransitions, SetSetting,
    },
    repository::{
        DeleteRepository, NoteSnapshot, PutRepository, RequestSnapshot, SetSnapshotPolicy,
    },
    session::{BeginSession, EndSession, NoteSessionUsed},
    user::{CreateToken, CreateUser, DeleteUser, RevokeToken, UpdateUser},
    vacate::{BeginVacate, CancelVacate, SettleVacate, VacateInstance},
    zone::{ClearZoneLocation, SetZoneLocation},
};
use crate::state::{Role, hex};

/// The version of commands that this code writes and reads.
pub const COMMAND_VERSION: u32 = 1;
/// Bytes of a command at most; Raft messages are 64 KiB.
pub const COMMAND_BYTES: usize = 60 * 1024;
/// Bytes of an actor's name.
pub const ACTOR_BYTES: usize = 128;

/// One change of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// [`COMMAND_VERSION`] of who wrote it.
    pub version: u32,
    /// When it was proposed; the state's time never runs backwards whatever stands here.
    pub at_ms: u64,
    /// Who: a user's name, `system`, `allocator/<id>`.
    pub actor: String,
    /// Made by the client; the same id gets the first answer again. None for the leader's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Digest of what the client asked for, made by the API: a repeated request has other ids,
    /// salts and nonces in its body, yet is the same. None: the body's own digest counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// What to do.
    pub body: Body,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Names the platform and makes its first admin.
    BootstrapPlatform(BootstrapPlatform),
    /// Raises the feature level.
    RaiseFeatureLevel(RaiseFeatureLevel),
    /// A director becomes a member with an empty log.
    AdmitDirector(AdmitDirector),
    /// A member says where it is and what it runs.
    DescribeDirector(DescribeDirector),
    /// A director leaves for good.
    RemoveDirector(RemoveDirector),
    /// Makes a deployment and its first plan.
    CreateDeployment(Box<CreateDeployment>),
    /// Asks for a deployment's deletion and makes the plan for it.
    DeleteDeployment(DeleteDeployment),
    /// Makes a plan that replaces containers of another image or spec.
    UpgradeDeployment(UpgradeDeployment),
    /// Makes a plan that adds resources and completes what is undone.
    ExtendDeployment(Box<ExtendDeployment>),
    /// Makes a plan that resizes, restarts, terminates, restores a deployment, resets its password
    /// or applies an earlier plan again.
    ChangeDeployment(Box<ChangeDeployment>),
    /// Proxies send requests to an instance no more, or again.
    SetInstanceRouting(SetInstanceRouting),
    /// Says what becomes of storage nodes whose host is lost.
    SetHostLossPolicy(SetHostLossPolicy),
    /// An allocator's instances serve under a lease.
    NoteLeased(NoteLeased),
    /// An allocator set data aside.
    NoteSetAside(NoteSetAside),
    /// A host is to be emptied.
    BeginVacate(BeginVacate),
    /// Makes the plan that moves one instance of a vacate.
    VacateInstance(VacateInstance),
    /// Takes over into a vacate what has become of its plans.
    SettleVacate(SettleVacate),
    /// Ends a vacate by request.
    CancelVacate(CancelVacate),
    /// Ends a plan by request.
    CancelPlan(CancelPlan),
    /// Adopts a pending plan with its placements and steps, if its parent is still current.
    AdoptPlan(Box<AdoptPlan>),
    /// Ends a pending plan whose parent is no longer current.
    SupersedePlan(SupersedePlan),
    /// Says what a plan waits for.
    NotePlan(NotePlan),
    /// A leader takes up a running plan.
    StartAttempt(StartAttempt),
    /// Moves a step on, with the changes of instances that belong to it.
    StepTransition(Box<StepTransition>),
    /// Ends a plan.
    PlanEnded(PlanEnded),
    /// An allocator said hello.
    RegisterAllocator(RegisterAllocator),
    /// Changes what the platform decided about an allocator.
    UpdateAllocator(UpdateAllocator),
    /// Forgets an allocator that hosts nothing.
    ForgetAllocator(ForgetAllocator),
    /// Says where a zone is.
    SetZoneLocation(SetZoneLocation),
    /// Takes a zone's location away.
    ClearZoneLocation(ClearZoneLocation),
    /// A proxy said hello.
    RegisterProxy(RegisterProxy),
    /// Forgets a proxy.
    ForgetProxy(ForgetProxy),
    /// The route table has other content.
    PublishRoutes(PublishRoutes),
    /// Sets or clears a setting.
    SetSetting(SetSetting),
    /// Makes a user.
    CreateUser(CreateUser),
    /// Changes a user.
    UpdateUser(UpdateUser),
    /// Removes a user.
    DeleteUser(DeleteUser),
    /// Makes a token.
    CreateToken(CreateToken),
    /// Takes a token back.
    RevokeToken(RevokeToken),
    /// Somebody logs in with a browser.
    BeginSession(BeginSession),
    /// Ends such a session.
    EndSession(EndSession),
    /// Such a session was used.
    NoteSessionUsed(NoteSessionUsed),
    /// Makes a token by which hosts join.
    CreateEnrollmentToken(CreateEnrollmentToken),
    /// Takes such a token back.
    RevokeEnrollmentToken(RevokeEnrollmentToken),
    /// A host joins.
    EnrollHost(EnrollHost),
    /// A host left.
    ForgetHost(ForgetHost),
    /// Makes or replaces a channel.
    PutChannel(PutChannel),
    /// Removes a channel.
    DeleteChannel(DeleteChannel),
    /// Makes or replaces a repository.
    PutRepository(PutRepository),
    /// Forgets a repository.
    DeleteRepository(DeleteRepository),
    /// Says where and how often storage nodes keep snapshots.
    SetSnapshotPolicy(SetSnapshotPolicy),
    /// Asks storage nodes for a snapshot now.
    RequestSnapshot(RequestSnapshot),
    /// A storage node told of its last snapshot.
    NoteSnapshot(NoteSnapshot),
    /// Keeps what alerts have become.
    RecordAlerts(RecordAlerts),
    /// A message of an alert was sent or given up.
    SettleAlert(SettleAlert),
    /// Keeps sealed bytes.
    PutSecret(PutSecret),
    /// Forgets sealed bytes.
    RemoveSecret(RemoveSecret),
    /// A subject became well or unwell.
    ReportHealthTransition(ReportHealthTransition),
    /// Many subjects became well or unwell.
    ReportHealthTransitions(ReportHealthTransitions),
    /// Changes the platform's certificate authority, one phase at a time.
    ChangeAuthority(Box<ChangeAuthority>),
    /// Writes a line of the audit log and nothing else (a secret was read).
    NoteAudit(NoteAudit),
}

impl Body {
    /// The name that the audit log shows.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BootstrapPlatform(_) => "bootstrap_platform",
            Self::RaiseFeatureLevel(_) => "raise_feature_level",
            Self::AdmitDirector(_) => "admit_director",
            Self::DescribeDirector(_) => "describe_director",
            Self::RemoveDirector(_) => "remove_director",
            Self::CreateDeployment(_) => "create_deployment",
            Self::DeleteDeployment(_) => "delete_deployment",
            Self::UpgradeDeployment(_) => "upgrade_deployment",
            Self::ExtendDeployment(_) => "extend_deployment",
            Self::ChangeDeployment(body) => match body.change {
                DeploymentChange::Resize { .. } => "resize_deployment",
                DeploymentChange::Restart { .. } => "restart_deployment",
                DeploymentChange::Terminate => "terminate_deployment",
                DeploymentChange::Restore => "restore_deployment",
                DeploymentChange::Reapply { .. } => "reapply_plan",
                DeploymentChange::ResetPassword { .. } => "reset_password",
                DeploymentChange::Move { .. } => "move_instance",
                DeploymentChange::Pause { .. } => "pause_instance",
                DeploymentChange::Resume { .. } => "resume_instance",
            },
            Self::SetInstanceRouting(body) if body.stopped => "stop_routing",
            Self::SetInstanceRouting(_) => "start_routing",
            Self::SetHostLossPolicy(_) => "set_host_loss_policy",
            Self::NoteLeased(_) => "note_leased",
            Self::NoteSetAside(_) => "note_set_aside",
            Self::BeginVacate(_) => "vacate_allocator",
            Self::VacateInstance(_) => "vacate_instance",
            Self::SettleVacate(_) => "vacate_ended",
            Self::CancelVacate(_) => "cancel_vacate",
            Self::CancelPlan(_) => "cancel_plan",
            Self::AdoptPlan(_) => "adopt_plan",
            Self::SupersedePlan(_) => "supersede_plan",
            Self::NotePlan(_) => "note_plan",
            Self::StartAttempt(_) => "start_attempt",
            Self::StepTransition(_) => "step_transition",
            Self::PlanEnded(_) => "plan_ended",
            Self::RegisterAllocator(_) => "register_allocator",
            Self::UpdateAllocator(_) => "update_allocator",
            Self::ForgetAllocator(_) => "forget_allocator",
            Self::SetZoneLocation(_) => "set_zone_location",
            Self::ClearZoneLocation(_) => "clear_zone_location",
            Self::RegisterProxy(_) => "register_proxy",
            Self::ForgetProxy(_) => "forget_proxy",
            Self::PublishRoutes(_) => "publish_routes",
            Self::SetSetting(_) => "set_setting",
            Self::CreateUser(_) => "create_user",
            Self::UpdateUser(_) => "update_user",
            Self::DeleteUser(_) => "delete_user",
            Self::CreateToken(_) => "create_token",
            Self::RevokeToken(_) => "revoke_token",
            Self::BeginSession(_) => "log_in",
            Self::EndSession(_) => "end_session",
            Self::NoteSessionUsed(_) => "note_session_used",
            Self::CreateEnrollmentToken(_) => "create_enrollment_token",
            Self::RevokeEnrollmentToken(_) => "revoke_enrollment_token",
            Self::EnrollHost(_) => "enroll_host",
            Self::ForgetHost(_) => "forget_host",
            Self::PutChannel(body) if body.create => "create_channel",
            Self::PutChannel(_) => "update_channel",
            Self::DeleteChannel(_) => "delete_channel",
            Self::PutRepository(body) if body.create => "create_repository",
            Self::PutRepository(_) => "update_repository",
            Self::DeleteRepository(_) => "delete_repository",
            Self::SetSnapshotPolicy(_) => "set_snapshot_policy",
            Self::RequestSnapshot(_) => "take_snapshot",
            Self::NoteSnapshot(_) => "note_snapshot",
            Self::RecordAlerts(_) => "record_alerts",
            Self::SettleAlert(_) => "settle_alert",
            Self::PutSecret(_) => "put_secret",
            Self::RemoveSecret(_) => "remove_secret",
            Self::ReportHealthTransition(_) => "report_health_transition",
            Self::ReportHealthTransitions(_) => "report_health_transitions",
            Self::ChangeAuthority(body) => body.name(),
            Self::NoteAudit(_) => "note_audit",
        }
    }

    /// What the audit log says that it was done to.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::BootstrapPlatform(body) => format!("platform/{}", body.platform_id),
            Self::RaiseFeatureLevel(_) => "platform".to_owned(),
            Self::AdmitDirector(body) => format!("director/{}", body.director_id),
            Self::DescribeDirector(body) => format!("director/{}", body.director_id),
            Self::RemoveDirector(body) => format!("director/{}", body.director_id),
            Self::CreateDeployment(body) => format!("deployment/{}", body.deployment_id),
            Self::DeleteDeployment(body) => format!("deployment/{}", body.deployment_id),
            Self::UpgradeDeployment(body) => format!("deployment/{}", body.deployment_id),
            Self::ExtendDeployment(body) => format!("deployment/{}", body.deployment_id),
            Self::ChangeDeployment(body) => format!("deployment/{}", body.deployment_id),
            Self::SetInstanceRouting(body) => format!("instance/{}", body.instance_id),
            Self::SetHostLossPolicy(body) => format!("deployment/{}", body.deployment_id),
            Self::NoteLeased(body) => format!("allocator/{}", body.allocator_id),
            Self::NoteSetAside(body) => format!("allocator/{}", body.allocator_id),
            Self::BeginVacate(body) => format!("allocator/{}", body.allocator_id),
            Self::VacateInstance(body) => format!("instance/{}", body.instance_id),
            Self::SettleVacate(body) => format!("vacate/{}", body.vacate_id),
            Self::CancelVacate(body) => format!("vacate/{}", body.vacate_id),
            Self::CancelPlan(body) => format!("plan/{}", body.plan_id),
            Self::AdoptPlan(body) => format!("plan/{}", body.plan_id),
            Self::SupersedePlan(body) => format!("plan/{}", body.plan_id),
            Self::NotePlan(body) => format!("plan/{}", body.plan_id),
            Self::StartAttempt(body) => format!("plan/{}", body.plan_id),
            Self::StepTransition(body) => format!("plan/{}", body.plan_id),
            Self::PlanEnded(body) => format!("plan/{}", body.plan_id),
            Self::RegisterAllocator(body) => format!("allocator/{}", body.allocator_id),
            Self::UpdateAllocator(body) => format!("allocator/{}", body.allocator_id),
            Self::ForgetAllocator(body) => format!("allocator/{}", body.allocator_id),
            Self::SetZoneLocation(body) => format!("zone/{}", body.zone),
            Self::ClearZoneLocation(body) => format!("zone/{}", body.zone),
            Self::RegisterProxy(body) => format!("proxy/{}", body.proxy_id),
            Self::ForgetProxy(body) => format!("proxy/{}", body.proxy_id),
            Self::PublishRoutes(_) => "routes".to_owned(),
            Self::SetSetting(body) => format!("setting/{}", body.key),
            Self::CreateUser(body) => format!("user/{}", body.username),
            Self::UpdateUser(body) => format!("user/{}", body.username),
            Self::DeleteUser(body) => format!("user/{}", body.username),
            Self::CreateToken(body) => format!("token/{}", body.id),
            Self::RevokeToken(body) => format!("token/{}", body.id),
            Self::BeginSession(body) => format!("session/{}", body.id),
            Self::EndSession(body) => format!("session/{}", body.id),
            Self::NoteSessionUsed(body) => format!("session/{}", body.id),
            Self::CreateEnrollmentToken(body) => format!("token/{}", body.id),
            Self::RevokeEnrollmentToken(body) => format!("token/{}", body.id),
            Self::EnrollHost(body) => format!("host/{}", body.host),
            Self::ForgetHost(body) => format!("allocator/{}", body.allocator_id),
            Self::PutChannel(body) => format!("channel/{}", body.name),
            Self::DeleteChannel(body) => format!("channel/{}", body.name),
            Self::PutRepository(body) => format!("repository/{}", body.name),
            Self::DeleteRepository(body) => format!("repository/{}", body.name),
            Self::SetSnapshotPolicy(body) => format!("deployment/{}", body.deployment_id),
            Self::RequestSnapshot(body) => format!("deployment/{}", body.deployment_id),
            Self::NoteSnapshot(body) => format!("instance/{}", body.instance_id),
            Self::RecordAlerts(_) => "alerts".to_owned(),
            Self::SettleAlert(body) => format!("alert/{}", body.id),
            Self::PutSecret(body) => format!("secret/{}", body.name),
            Self::RemoveSecret(body) => format!("secret/{}", body.name),
            Self::ReportHealthTransition(body) => format!("{}/{}", body.subject_kind, body.subject),
            Self::ReportHealthTransitions(_) => "health".to_owned(),
            Self::ChangeAuthority(_) => "authority".to_owned(),
            Self::NoteAudit(body) => body.subject.clone(),
        }
    }

    /// How and why, for people, without secrets; empty when there is nothing to add.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::NoteAudit(body) => body.detail.clone(),
            Self::ChangeAuthority(body) => body.detail(),
            Self::SetSetting(body) => match &body.value {
                Some(value) => format!("set to `{value}`"),
                None => "back to its default".to_owned(),
            },
            Self::CreateUser(body) => format!("roles: {}", role_names(&body.roles)),
            Self::UpdateUser(body) => {
                let mut changes = Vec::new();
                if body.password_hash.is_some() {
                    changes.push("new password".to_owned());
                }
                if let Some(roles) = &body.roles {
                    changes.push(format!("roles: {}", role_names(roles)));
                }
                match body.disabled {
                    Some(true) => changes.push("disabled".to_owned()),
                    Some(false) => changes.push("enabled".to_owned()),
                    None => {}
                }
                changes.join("; ")
            }
            Self::AdmitDirector(body) => format!("as member {}", body.member),
            Self::DescribeDirector(body) => format!(
                "{}, version {}",
                body.facts.internal_address, body.facts.build
            ),
            Self::CreateToken(body) => format!(
                "`{}` of {}, roles: {}",
                body.name,
                body.username,
                role_names(&body.roles)
            ),
            Self::BeginSession(body) => format!("of {}, from {}", body.username, body.via),
            Self::CreateEnrollmentToken(body) => body.summary(),
            Self::EnrollHost(body) => body.summary(),
            Self::UpdateAllocator(body) => body.summary(),
            Self::SetZoneLocation(body) => body.summary(),
            Self::BeginVacate(body) => body.summary(),
            Self::VacateInstance(body) => {
                format!("vacate {}, plan {}", body.vacate_id, body.plan_id)
            }
            Self::SettleVacate(body) => body.end.clone(),
            Self::PutChannel(body) => format!("{} to {}", body.kind, body.host),
            Self::PutRepository(body) => format!("{} at {}", body.kind, body.location),
            Self::SetSnapshotPolicy(body) => body.summary(),
            Self::SetHostLossPolicy(body) => body.on_host_loss.as_str().to_owned(),
            Self::CancelPlan(body) => body.reason.clone(),
            Self::NoteSetAside(body) => {
                let ids: Vec<String> = body.instance_ids.iter().map(ToString::to_string).collect();
                ids.join(", ")
            }
            Self::ChangeDeployment(body) => match &body.change {
                DeploymentChange::Resize { sizes } => {
                    let sizes: Vec<String> = sizes
                        .iter()
                        .map(|(kind, size)| format!("{kind} to {size}"))
                        .collect();
                    sizes.join("; ")
                }
                DeploymentChange::Restart { instances } => instances.join(", "),
                DeploymentChange::Reapply { of_plan } => format!("the plan {of_plan}"),
                DeploymentChange::Move { moves } => {
                    let moves: Vec<String> = moves
                        .iter()
                        .map(|wish| {
                            format!(
                                "{} ({}: {})",
                                wish.instance_id,
                                wish.cause.as_str(),
                                wish.reason
                            )
                        })
                        .collect();
                    moves.join("; ")
                }
                DeploymentChange::Pause { instance_id }
                | DeploymentChange::Resume { instance_id } => instance_id.to_string(),
                _ => String::new(),
            },
            _ => String::new(),
        }
    }

    /// Whether the audit log keeps it: what people and roles ask for, not the steps of carrying
    /// it out, which the plan records itself.
    #[must_use]
    pub const fn audited(&self) -> bool {
        if let Self::SettleVacate(body) = self {
            return !body.end.is_empty();
        }
        !matches!(
            self,
            Self::NotePlan(_)
                | Self::StartAttempt(_)
                | Self::StepTransition(_)
                | Self::PublishRoutes(_)
                | Self::ReportHealthTransition(_)
                | Self::ReportHealthTransitions(_)
                | Self::RecordAlerts(_)
                | Self::SettleAlert(_)
                | Self::NoteLeased(_)
                | Self::NoteSessionUsed(_)
                | Self::NoteSnapshot(_)
                | Self::VacateInstance(_)
        )
    }

    /// Digest of what is asked, to notice a request id that is used for two things.
    #[must_use]
    pub fn digest(&self) -> String {
        let bytes = serde_json::to_vec(self).expect("every key of a command is a text");
        hex(&Sha256::digest(bytes)[..16])
    }
}

fn role_names(roles: &BTreeSet<Role>) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    names.join(", ")
}

/// Why bytes are not a command. A member that meets one in its log must stop.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Larger than any command.
    #[error("DIR0001: the command has {0} bytes; the limit is {COMMAND_BYTES}")]
    TooLarge(usize),
    /// Written by a newer version.
    #[error(
        "DIR0001: the command has version {0}, this director knows {COMMAND_VERSION}; upgrade it"
    )]
    Version(u32),
    /// Not a command, or one that this version does not know.
    #[error("DIR0001: this director does not know the command ({0}); upgrade it")]
    Unknown(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct CommandVersion {
    version: u32,
}

impl Command {
    /// A command of this version.
    #[must_use]
    pub fn new(
        at_ms: u64,
        actor: impl Into<String>,
        request_id: Option<RequestId>,
        body: Body,
    ) -> Self {
        Self {
            version: COMMAND_VERSION,
            at_ms,
            actor: actor.into(),
            request_id,
            asked: None,
            body,
        }
    }

    /// Says what the client asked for, so that the repeated request is known again.
    #[must_use]
    pub fn asked(mut self, digest: impl Into<String>) -> Self {
        self.asked = Some(digest.into());
        self
    }

    /// The bytes for the log.
    ///
    /// # Errors
    /// When the command is larger than [`COMMAND_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, CommandError> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > COMMAND_BYTES {
            return Err(CommandError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads bytes of the log.
    ///
    /// # Errors
    /// When they are not a command that this version knows: the member must stop.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        if bytes.len() > COMMAND_BYTES {
            return Err(CommandError::TooLarge(bytes.len()));
        }
        let CommandVersion { version } = serde_json::from_slice(bytes)?;
        if version != COMMAND_VERSION {
            return Err(CommandError::Version(version));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}

#[cfg(test)]
mod tests;
