//! A small platform for tests: a state, and allocators and proxies that do what they are told, as
//! the leader would see them. Faults are fields. Only compiled for tests. Not here: what the hosts do
//! (`fixture/hosts`).

pub(crate) mod hosts;
pub(crate) mod repository;

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId, PlanId, PlatformId, ProxyId};

use self::hosts::Hosts;
use crate::{
    apply::{apply, deployment::credentials_secret},
    command::{
        Body, BootstrapPlatform, CancelPlan, ChangeDeployment, Command, CreateDeployment,
        DeleteDeployment, DeploymentChange, ExtendDeployment, RaiseFeatureLevel, RegisterAllocator,
        RegisterProxy,
    },
    deployment::{
        expand::{DeploymentRequest, expand, missing},
        resize,
    },
    observe::{AllocatorObservation, Observations, ProxyObservation},
    outcome::Outcome,
    placement::CapacityIndex,
    plan::{attempt, planner, upgrade},
    reconcile::{assignment, lease, route, snapshots},
    refusal::Refusal,
    size::{GIB, MIB, Size},
    state::{InstanceRecord, PlanRecord, PortRange, State},
    template::{InstanceConfiguration, Template, TemplateCatalog, TemplateResource},
};

/// 16 bytes of a number.
pub(crate) fn bytes(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn allocator_id(number: u64) -> AllocatorId {
    AllocatorId::from_bytes(bytes(number))
}

pub(crate) fn size(memory_mib: u64) -> Size {
    Size {
        memory_bytes: memory_mib * MIB,
        disk_bytes: memory_mib * 10 * MIB,
        cpu_millis: 100,
    }
}

pub(crate) fn template(zones: u32, per_zone: u32) -> Template {
    Template {
        id: "observability".to_owned(),
        name: "Observability".to_owned(),
        description: String::new(),
        resources: vec![TemplateResource {
            kind: "storage".to_owned(),
            engine: "store".to_owned(),
            engine_version: "1".to_owned(),
            instance_configuration: InstanceConfiguration {
                id: "storage.default".to_owned(),
                min_memory_bytes: 256 * MIB,
                max_memory_bytes: 64 * GIB,
                min_disk_bytes: GIB,
                max_disk_bytes: 4096 * GIB,
                disk_multiplier: 20,
                cpu_millis_per_gib: 1000,
                max_cpu_millis: 64_000,
                required_tags: BTreeMap::new(),
            },
            default_size: Size {
                memory_bytes: GIB,
                disk_bytes: 20 * GIB,
                cpu_millis: 0,
            },
            zone_count: zones,
            max_zone_count: 3,
            instances_per_zone: per_zone,
        }],
    }
}

/// The same with a monitoring node.
pub(crate) fn watched() -> Template {
    let mut template = template(1, 1);
    let mut monitoring = template.resources[0].clone();
    monitoring.kind = "monitoring".to_owned();
    monitoring.engine = "monitor".to_owned();
    monitoring.default_size.memory_bytes = 256 * MIB;
    template.resources.push(monitoring);
    template
}

pub(crate) fn register(number: u64, zone: &str, capacity: Size) -> RegisterAllocator {
    RegisterAllocator {
        allocator_id: allocator_id(number),
        host: format!("host-{number}"),
        zone: zone.to_owned(),
        tags: BTreeMap::new(),
        capacity,
        address: hosts::address(number),
        ports: PortRange {
            start: 18_000,
            end: 18_099,
        },
        held_generation: 0,
    }
}

/// What an instance says of the credentials that it was given.
fn credentials(state: &State, spec: &assignment::AssignedSpec) -> String {
    let deployment = &state.deployments[spec.deployment_id.as_str()];
    if spec.resource_kind == "monitoring" {
        let name = credentials_secret(&deployment.id);
        state.secrets[&name].version.to_string()
    } else {
        assignment::users_digest(deployment)
    }
}

/// The platform.
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) observed: Observations,
    pub(crate) now_ms: u64,
    pub(crate) catalog: TemplateCatalog,
    /// Ports that somebody else has, on every host.
    pub(crate) taken_ports: BTreeSet<u16>,
    /// Containers exit at once.
    pub(crate) crashing: bool,
    /// Data directories that hosts have removed.
    pub(crate) removed_data: usize,
    /// Storage nodes whose data went although they were healthy once and nobody deletes them.
    pub(crate) lost_data: Vec<InstanceId>,
    next_id: u64,
    /// What its hosts do and have.
    pub(crate) hosts: Hosts,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            state: State::default(),
            observed: Observations::default(),
            now_ms: 1_000_000,
            catalog: TemplateCatalog::new([template(1, 1)]).unwrap(),
            taken_ports: BTreeSet::new(),
            crashing: false,
            removed_data: 0,
            lost_data: Vec::new(),
            next_id: 1_000_000,
            hosts: Hosts::default(),
        };
        world.ok(Body::BootstrapPlatform(BootstrapPlatform {
            platform_id: PlatformId::from_bytes(bytes(1)),
            name: "test".to_owned(),
            domain: "localhost".to_owned(),
            proxy_https_port: 9243,
            director_id: wharf_proto::ids::DirectorId::from_bytes(bytes(2)),
            admin_username: "admin".to_owned(),
            admin_password_hash: "$argon2id$x".to_owned(),
        }));
        world.ok(Body::RaiseFeatureLevel(RaiseFeatureLevel {
            level: crate::state::FEATURE_LEVEL,
        }));
        world
    }

    pub(crate) fn with_host() -> Self {
        let mut world = Self::new();
        world.host(1, "zone-1");
        world.proxy(1);
        world
    }

    pub(crate) fn host(&mut self, number: u64, zone: &str) {
        let capacity = Size {
            memory_bytes: 8 * GIB,
            disk_bytes: 200 * GIB,
            cpu_millis: 16_000,
        };
        self.ok(Body::RegisterAllocator(register(number, zone, capacity)));
        self.observed.allocators.insert(
            allocator_id(number),
            AllocatorObservation {
                connected: true,
                since_ms: self.now_ms,
                ..Default::default()
            },
        );
    }

    pub(crate) fn proxy(&mut self, number: u64) {
        let proxy_id = ProxyId::from_bytes(bytes(number));
        self.ok(Body::RegisterProxy(RegisterProxy {
            proxy_id: proxy_id.clone(),
            host: "host-1".to_owned(),
            zone: "zone-1".to_owned(),
            held_generation: 0,
        }));
        self.observed.proxies.insert(
            proxy_id,
            ProxyObservation {
                connected: true,
                since_ms: self.now_ms,
                ..Default::default()
            },
        );
    }

    pub(crate) fn id(&mut self) -> [u8; 16] {
        self.next_id += 1;
        bytes(self.next_id)
    }

    pub(crate) fn apply(&mut self, body: Body) -> Outcome {
        self.now_ms += 1;
        let command = Command::new(self.now_ms, "admin", None, body);
        let command = Command::decode(&command.encode().unwrap()).unwrap();
        apply(&mut self.state, &command)
    }

    pub(crate) fn ok(&mut self, body: Body) -> Outcome {
        self.apply(body).accepted().unwrap()
    }

    pub(crate) fn expand(
        &mut self,
        request: &DeploymentRequest,
    ) -> Result<CreateDeployment, Refusal> {
        let mut next = self.next_id;
        let expanded = expand(
            &self.state,
            &self.catalog,
            request,
            Vec::new(),
            "sealed".to_owned(),
            &mut || {
                next += 1;
                bytes(next)
            },
        );
        self.next_id = next;
        expanded
    }

    pub(crate) fn try_create(&mut self, name: &str) -> Result<(DeploymentId, PlanId), Refusal> {
        let request = DeploymentRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        let body = self.expand(&request)?;
        match self
            .apply(Body::CreateDeployment(Box::new(body)))
            .accepted()?
        {
            Outcome::Deployment {
                deployment_id,
                plan_id,
            } => Ok((deployment_id, plan_id)),
            other => panic!("{other:?}"),
        }
    }

    /// The platform's own deployment.
    pub(crate) fn create_system(&mut self) -> DeploymentId {
        let request = DeploymentRequest {
            name: "system".to_owned(),
            alias: "system".to_owned(),
            system_owned: true,
            ..Default::default()
        };
        let body = self.expand(&request).unwrap();
        let id = body.deployment_id.clone();
        self.ok(Body::CreateDeployment(Box::new(body)));
        id
    }

    /// What the leader proposes when `system` is due for an extension.
    pub(crate) fn extension(&mut self) -> Option<Body> {
        let due = upgrade::due_extension(&self.state, &self.catalog, self.now_ms);
        let (deployment, reason) = due.map(|(due, why)| (due.clone(), why))?;
        let mut next = self.next_id;
        let mut random = || {
            next += 1;
            bytes(next)
        };
        let resources = missing(&self.state, &self.catalog, &deployment, &mut random).unwrap();
        let plan_id = PlanId::from_bytes(random());
        self.next_id = next;
        Some(Body::ExtendDeployment(Box::new(ExtendDeployment {
            deployment_id: deployment.id.clone(),
            plan_id,
            resources,
            expected_version: deployment.version,
            reason,
        })))
    }

    pub(crate) fn create(&mut self, name: &str) -> (DeploymentId, PlanId) {
        self.try_create(name).unwrap()
    }

    pub(crate) fn delete(&mut self, id: &DeploymentId) -> PlanId {
        let plan_id = PlanId::from_bytes(self.id());
        let body = DeleteDeployment {
            deployment_id: id.clone(),
            plan_id: plan_id.clone(),
            expected_version: 0,
        };
        self.ok(Body::DeleteDeployment(body));
        plan_id
    }

    /// Asks for a change of a deployment.
    pub(crate) fn change(
        &mut self,
        id: &DeploymentId,
        change: DeploymentChange,
    ) -> Result<PlanId, Refusal> {
        let plan_id = PlanId::from_bytes(self.id());
        let body = ChangeDeployment {
            deployment_id: id.clone(),
            plan_id: plan_id.clone(),
            expected_version: 0,
            change,
        };
        self.apply(Body::ChangeDeployment(Box::new(body)))
            .accepted()
            .map(|_| plan_id)
    }

    /// Asks for other sizes, with what a size does not name kept.
    pub(crate) fn resize(
        &mut self,
        id: &DeploymentId,
        kind: &str,
        asked: Size,
    ) -> Result<PlanId, Refusal> {
        let asked = [(kind.to_owned(), asked)].into();
        let deployment = &self.state.deployments[id];
        let sizes = resize::complete(&self.state, &self.catalog, deployment, &asked)?;
        self.change(id, DeploymentChange::Resize { sizes })
    }

    pub(crate) fn cancel(&mut self, plan_id: &PlanId) -> Result<(), Refusal> {
        let body = CancelPlan {
            reason: String::new(),
            plan_id: plan_id.clone(),
        };
        self.apply(Body::CancelPlan(body)).accepted().map(|_| ())
    }

    /// The instance of that name.
    pub(crate) fn instance(&self, id: &DeploymentId, name: &str) -> &InstanceRecord {
        let deployment = &self.state.deployments[id];
        self.state
            .deployment_instances(deployment)
            .find(|instance| instance.name == name)
            .unwrap()
    }

    pub(crate) fn plan(&self, id: &PlanId) -> &PlanRecord {
        &self.state.plans[id]
    }

    /// What the leader proposes now.
    pub(crate) fn proposals(&self) -> Vec<Body> {
        let mut index = CapacityIndex::build(&self.state, |id| self.observed.connected(id));
        let mut bodies = planner::plan_all(&self.state, &self.observed, &mut index, self.now_ms);
        bodies.extend(attempt::run_all(&self.state, &self.observed, self.now_ms).commands);
        bodies.extend(lease::told(&self.state, &self.observed));
        bodies.extend(snapshots::told(&self.state, &self.observed));
        bodies.extend(route::content(&self.state, &self.observed).publish(&self.state));
        bodies
    }

    /// Collectors of connected hosts ship with the credentials that are handed out.
    pub(crate) fn obey_collectors(&mut self) {
        let Some(system) = self.state.system_deployment() else {
            return;
        };
        let version = self.state.secrets[&credentials_secret(&system.id)].version;
        for seen in self.observed.allocators.values_mut() {
            if seen.connected {
                seen.collectors.get_or_insert_default().credentials_version = version;
            }
        }
    }

    /// One turn: propose, apply, obey. Returns whether anything was proposed.
    pub(crate) fn turn(&mut self) -> bool {
        let bodies = self.proposals();
        let busy = !bodies.is_empty();
        for body in bodies {
            self.apply(body);
        }
        self.obey();
        busy
    }

    /// Turns until nothing is proposed.
    pub(crate) fn settle(&mut self) {
        let mut idle = 0;
        for _ in 0..500 {
            idle = if self.turn() { 0 } else { idle + 1 };
            if idle == 2 {
                return;
            }
        }
        panic!("the platform does not come to rest: {:?}", self.proposals());
    }

    /// Another director leads: it has the state from its disk and no observations.
    pub(crate) fn change_leader(&mut self) {
        self.state = State::decode(&self.state.encode()).unwrap();
        let connected: Vec<_> = self.observed.allocators.keys().cloned().collect();
        let proxies: Vec<_> = self.observed.proxies.keys().cloned().collect();
        self.observed = Observations {
            leader_since_ms: self.now_ms,
            ..Default::default()
        };
        for id in connected {
            self.observed.allocators.insert(
                id,
                AllocatorObservation {
                    connected: true,
                    since_ms: self.now_ms,
                    ..Default::default()
                },
            );
        }
        for id in proxies {
            self.observed.proxies.insert(
                id,
                ProxyObservation {
                    connected: true,
                    since_ms: self.now_ms,
                    ..Default::default()
                },
            );
        }
        for body in attempt::take_up(&self.state) {
            self.apply(body);
        }
    }
}
