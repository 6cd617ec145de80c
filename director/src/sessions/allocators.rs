//! The session of an allocator: greeting, reports into the leader's memory, and its orders: the
//! assignment with secrets, the collectors' destination, the log level. Each order is sent when its
//! content changed, and once to whoever connects. Not here: which instance goes where (the core).

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use wharf_director_core::{
    apply::{deployment::credentials_secret, enrollment::host_of_allocator},
    command::{Body, RegisterAllocator},
    reconcile::{assignment, host_roles::host_roles},
    state::{PortRange, State},
    template::MONITORING,
};
use wharf_proto::{
    ids::AllocatorId,
    json,
    times::timestamp,
    v1::{self, allocator_order::Order, allocator_report::Report},
};
use wharf_runtime::task;
use wharf_services::v1::allocator_session_server::AllocatorSession;

use super::{
    GATHER, HEARTBEAT, QUEUE, SESSION_VERSION, SILENCE, authority_order, certified,
    director_addresses, is_refusal, leases, refuse, send, silent, superseded,
};
use crate::{
    answer::{internal, not_leading, refused},
    auth, channels,
    director::Director,
    observations::Ticket,
    repositories,
    secrets::DeploymentCredentials,
};

/// Without a change of the state, orders are looked at again: certificates age.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// So many allocators look at every change; of more, each looks at once at what is assigned to itself
/// alone, for else every change would cost a look for each host.
const FEW: usize = 50;
/// How often each of many looks at the rest.
const REST_EVERY: Duration = Duration::from_secs(1);
/// Changes that come together, where there are many allocators.
const GATHER_MANY: Duration = Duration::from_millis(100);
/// How often an allocator is told the director's time, by which it judges its host's clock.
const TIME_EVERY: Duration = Duration::from_secs(30);

pub(super) type Orders = mpsc::Sender<Result<v1::AllocatorOrder, Status>>;

/// The service.
#[derive(Clone, Debug)]
pub struct AllocatorSessions(pub Arc<Director>);

#[tonic::async_trait]
impl AllocatorSession for AllocatorSessions {
    type SessionStream = ReceiverStream<Result<v1::AllocatorOrder, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::AllocatorReport>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let from = auth::address(request.extensions());
        let identity = certified(&request)?;
        let id = identity
            .id
            .parse()
            .map_err(|_| refuse("the certificate names no allocator id", "enroll again"))?;
        if !self.0.leads() {
            return Err(not_leading());
        }
        let (orders, stream) = mpsc::channel(QUEUE);
        let director = Arc::clone(&self.0);
        let reports = request.into_inner();
        drop(task::spawn(format!("allocator session {id}"), async move {
            let shutdown = director.shutdown.clone();
            let ended = tokio::select! {
                ended = session(&director, &id, reports, &orders) => ended,
                () = director.leadership_lost() => Err(not_leading()),
                () = shutdown.triggered() => Err(not_leading()),
            };
            if let Err(status) = ended {
                tracing::info!(allocator = %id, reason = status.message(), "session ended");
                if is_refusal(&status) {
                    director.refused_calls.note(&identity, &status, from);
                }
                // Whoever is gone need not know why.
                let _ = orders.try_send(Err(status));
            }
        }));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Closes the session however it ends.
struct Open<'a> {
    director: &'a Director,
    id: &'a AllocatorId,
    ticket: Ticket,
    /// When it said something last.
    heard: watch::Sender<Instant>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let unheard = self.heard.borrow().elapsed().as_millis();
        let unheard_ms = u64::try_from(unheard).unwrap_or(u64::MAX);
        let now_ms = self.director.now_ms();
        let seen = &self.director.seen;
        seen.close_allocator(&self.ticket, self.id, now_ms, unheard_ms);
    }
}

async fn next(
    reports: &mut Streaming<v1::AllocatorReport>,
) -> Result<Option<v1::AllocatorReport>, Status> {
    tokio::time::timeout(SILENCE, reports.message())
        .await
        .map_err(|_| silent())?
}

async fn session(
    director: &Director,
    id: &AllocatorId,
    mut reports: Streaming<v1::AllocatorReport>,
    orders: &Orders,
) -> Result<(), Status> {
    let Some(Report::Hello(hello)) = next(&mut reports).await?.and_then(|first| first.report)
    else {
        return Err(refuse("the first report is no hello", "say hello first"));
    };
    if hello.session_version != SESSION_VERSION {
        return Err(refuse(
            format!(
                "the session's version is {}, this director speaks {SESSION_VERSION}",
                hello.session_version
            ),
            "run the same version of director and allocator",
        ));
    }
    if hello.allocator_id != id.as_str() {
        return Err(refuse(
            "the hello names another allocator than the certificate",
            "use the identity that belongs to the allocator",
        ));
    }
    director
        .proposer
        .of(&format!("allocator/{id}"), register(id, &hello))
        .await?;
    let open = Open {
        director,
        id,
        ticket: director
            .seen
            .open_allocator(id, hello.facts.clone(), director.now_ms()),
        heard: watch::Sender::new(Instant::now()),
    };
    tracing::info!(allocator = %id, host = hello.host, "an allocator is connected");
    let directors = director_addresses(&director.published.state());
    send(orders, welcome(director, &directors)).await?;
    let (beats, beaten) = watch::channel(0);
    let listening = listen(director, &open, &hello.host, &beats, &mut reports);
    let leasing = leases::answer(director, id, beaten, orders);
    let ordering = give_orders(director, id, orders, directors);
    tokio::select! {
        ended = listening => ended,
        ended = ordering => ended,
        ended = leasing => ended,
        () = open.ticket.superseded.triggered() => Err(superseded()),
    }
}

fn welcome(director: &Director, directors: &[String]) -> v1::AllocatorOrder {
    order(Order::Welcome(v1::AllocatorWelcome {
        session_version: SESSION_VERSION,
        director_id: director.config.director_id.to_string(),
        heartbeat_interval_ms: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(5_000),
        server_time: Some(timestamp(director.clock_ms())),
        directors: directors.to_vec(),
    }))
}

pub(super) fn order(order: Order) -> v1::AllocatorOrder {
    v1::AllocatorOrder { order: Some(order) }
}

fn register(id: &AllocatorId, hello: &v1::AllocatorHello) -> Body {
    Body::RegisterAllocator(RegisterAllocator {
        allocator_id: id.clone(),
        host: hello.host.clone(),
        zone: hello.zone.clone(),
        tags: hello
            .tags
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        capacity: hello.capacity.as_ref().map(Into::into).unwrap_or_default(),
        address: hello.advertised_address.clone(),
        ports: PortRange {
            start: u16::try_from(hello.port_range_start).unwrap_or(0),
            end: u16::try_from(hello.port_range_end).unwrap_or(0),
        },
        held_generation: hello.held_generation,
    })
}

async fn listen(
    director: &Director,
    open: &Open<'_>,
    host: &str,
    beats: &watch::Sender<u64>,
    reports: &mut Streaming<v1::AllocatorReport>,
) -> Result<(), Status> {
    let (seen, ticket) = (&director.seen, &open.ticket);
    while let Some(report) = next(reports).await? {
        open.heard.send_replace(Instant::now());
        let now_ms = director.now_ms();
        match report.report {
            Some(Report::Heartbeat(beat)) => {
                seen.allocator_beat(ticket, open.id, &beat, now_ms);
                beats.send_replace(beat.sequence);
            }
            Some(Report::Instances(report)) => {
                seen.allocator_instances(ticket, open.id, &report, now_ms);
            }
            Some(Report::Containers(report)) => {
                // Its zone may have been set otherwise than it says.
                let state = director.published.state();
                let zone = state
                    .allocators
                    .get(open.id)
                    .map_or("", |known| &known.zone);
                seen.allocator_containers(ticket, open.id, (host, zone), report);
            }
            Some(Report::Hello(_)) => {
                return Err(refuse("a second hello", "open another session"));
            }
            // Of a newer version.
            None => {}
        }
    }
    Err(Status::cancelled("the allocator closed the session"))
}

/// What was sent last.
#[derive(Default)]
struct Sent {
    revision: Option<u64>,
    /// The generation of the assignment that was looked at.
    assigned: Option<u64>,
    directors: Vec<String>,
    roles_generation: u64,
    place: Option<v1::AllocatorPlace>,
    authority: Option<v1::AuthorityOrder>,
    assignment: Option<v1::Assignment>,
    destination: Option<v1::CollectorDestination>,
    log_level: Option<String>,
}

async fn give_orders(
    director: &Director,
    id: &AllocatorId,
    orders: &Orders,
    directors: Vec<String>,
) -> Result<(), Status> {
    let every = |period| tokio::time::interval_at(Instant::now() + period, period);
    let (mut look, mut clock) = (every(LOOK_EVERY), every(TIME_EVERY));
    let mut changes = director.published.changes();
    let mut sent = Sent {
        directors,
        ..Sent::default()
    };
    let mut rest_at = Instant::now();
    loop {
        changes.borrow_and_update();
        let state = director.published.state();
        let many = state.allocators.len() > FEW;
        let assigned = state.assignments.get(id).map(|known| known.generation);
        let now = Instant::now();
        let due = !many || assigned != sent.assigned || now >= rest_at;
        if due && sent.revision != Some(state.revision) {
            host_of_allocator(&state, id).map_err(|left| refused(&left))?;
            send_changed(director, &state, id, orders, &mut sent).await?;
            sent.revision = Some(state.revision);
            sent.assigned = assigned;
            rest_at = now + REST_EVERY;
        }
        let behind = sent.revision != Some(state.revision);
        tokio::select! {
            () = tokio::time::sleep_until(rest_at), if behind => {}
            changed = changes.changed() => {
                if changed.is_err() {
                    return Err(not_leading());
                }
            }
            _ = look.tick() => sent.revision = None,
            _ = clock.tick() => {
                let time = timestamp(director.clock_ms());
                send(orders, order(Order::ServerTime(time))).await?;
            }
        }
        tokio::time::sleep(if many { GATHER_MANY } else { GATHER }).await;
    }
}

async fn send_changed(
    director: &Director,
    state: &State,
    id: &AllocatorId,
    orders: &Orders,
    sent: &mut Sent,
) -> Result<(), Status> {
    let directors = director_addresses(state);
    if directors != sent.directors {
        send(orders, welcome(director, &directors)).await?;
        sent.directors = directors;
        // Being welcomed clears it there.
        sent.log_level = None;
    }
    let place = place(state, id);
    if place != sent.place {
        if let Some(place) = place.clone() {
            send(orders, order(Order::Place(place))).await?;
        }
        sent.place = place;
    }
    if let Some(roles) =
        host_roles(state, id).filter(|told| told.generation > sent.roles_generation)
    {
        let told = v1::HostRolesOrder {
            generation: roles.generation,
            director: roles.director,
            proxy: roles.proxy,
        };
        send(orders, order(Order::HostRoles(told))).await?;
        sent.roles_generation = roles.generation;
    }
    let log_level = state.setting("log.allocator").map(str::to_owned);
    if log_level != sent.log_level {
        let filter = log_level.clone().unwrap_or_else(|| "info".to_owned());
        let role = "allocator".to_owned();
        send(
            orders,
            order(Order::LogLevel(v1::LogLevelOrder { role, filter })),
        )
        .await?;
        sent.log_level = log_level;
    }
    // Before anything that is of the new authority.
    let authority = authority_order(state);
    if authority != sent.authority {
        if let Some(authority) = authority.clone() {
            send(orders, order(Order::Authority(authority))).await?;
        }
        sent.authority = authority;
    }
    let assignment = assignment_of(director, state, id).await?;
    if sent.assignment.as_ref() != Some(&assignment) {
        tracing::debug!(allocator = %id, generation = assignment.generation, "assignment sent");
        send(orders, order(Order::Assignment(assignment.clone()))).await?;
        sent.assignment = Some(assignment);
    }
    let destination = destination_of(director, state, id);
    let last = sent
        .destination
        .clone()
        .map(|last| v1::CollectorDestination {
            generation: 0,
            ..last
        });
    if destination.is_some() && destination != last {
        // Any number that grows will do; the state's time grows over every change of leader.
        let destination = destination.map(|destination| v1::CollectorDestination {
            generation: state.now_ms,
            ..destination
        });
        if let Some(destination) = destination.clone() {
            send(orders, order(Order::Destination(destination))).await?;
        }
        sent.destination = destination;
    }
    Ok(())
}

/// Where the platform says that an allocator is.
fn place(state: &State, id: &AllocatorId) -> Option<v1::AllocatorPlace> {
    let known = state.allocators.get(id)?;
    let tags = known.tags.iter();
    Some(v1::AllocatorPlace {
        zone: known.zone.clone(),
        tags: tags
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    })
}

/// The assignment with every instance's secrets.
async fn assignment_of(
    director: &Director,
    state: &State,
    id: &AllocatorId,
) -> Result<v1::Assignment, Status> {
    let content = assignment::content(state, id);
    let generation = state
        .assignments
        .get(id)
        .map_or(0, |assignment| assignment.generation);
    let ca_pem = director.certificates.ca_pem(state);
    let mut secrets = std::collections::HashMap::new();
    for spec in &content.instances {
        let identity = director
            .certificates
            .instance(state, &director.proposer, id, spec, director.clock_ms())
            .await
            .map_err(internal)?;
        let mut given = v1::InstanceSecrets {
            identity_pem: identity.to_string(),
            ca_pem: ca_pem.clone(),
            ..v1::InstanceSecrets::default()
        };
        if spec.resource_kind == MONITORING {
            given.storage_json = storage_json(director, state, id, spec).unwrap_or_default();
            given.channels_json = channels_json(director, state);
        } else {
            let deployment = state.deployments.get(spec.deployment_id.as_str());
            given.users_json = deployment.map(assignment::users_json).unwrap_or_default();
            given.repository_json =
                repositories::file_of(&director.key, state, spec).unwrap_or_default();
        }
        secrets.insert(spec.instance_id.clone(), given);
    }
    Ok(content.to_message(id, generation, |spec| secrets.remove(&spec.instance_id)))
}

/// How a monitoring node reaches its deployment's storage; none while no proxy is known.
fn storage_json(
    director: &Director,
    state: &State,
    id: &AllocatorId,
    spec: &assignment::AssignedSpec,
) -> Option<String> {
    let url = director
        .published
        .destinations(state)
        .proxy_url(state, id)?;
    let domain = &state.platform.as_ref()?.domain;
    let deployment = state.deployments.get(spec.deployment_id.as_str())?;
    let name = credentials_secret(&deployment.id);
    let record = state.secrets.get(&name)?;
    match DeploymentCredentials::open(&director.key, &name, &record.sealed) {
        Ok(credentials) => Some(
            serde_json::json!({
                "url": url,
                "alias": spec.alias,
                "server_name": format!("{}.{domain}", spec.alias),
                "username": credentials.username,
                "password": credentials.password,
                "version": record.version,
            })
            .to_string(),
        ),
        Err(error) => {
            tracing::error!(%error, instance = spec.instance_id, "a monitoring node has no credentials");
            None
        }
    }
}

/// The channels of the platform with their secrets. One that cannot be opened is left out: the
/// others are still sent to.
fn channels_json(director: &Director, state: &State) -> String {
    let channels: Vec<serde_json::Value> = state
        .channels
        .values()
        .filter_map(|record| {
            let channel = channels::open(&director.key, record)
                .map_err(|error| error.to_string())
                .and_then(|channel| json::to_json(&channel).map_err(|error| error.to_string()));
            channel
                .inspect_err(|error| {
                    tracing::error!(
                        error,
                        channel = record.name,
                        "a channel cannot be handed out"
                    );
                })
                .ok()
        })
        .collect();
    serde_json::json!({ "channels": channels }).to_string()
}

/// Where the host's collectors ship to, its generation still zero.
fn destination_of(
    director: &Director,
    state: &State,
    id: &AllocatorId,
) -> Option<v1::CollectorDestination> {
    let destinations = director.published.destinations(state);
    let found = destinations.destination(state, id)?;
    let name = credentials_secret(&found.deployment_id);
    let record = state.secrets.get(&name)?;
    match DeploymentCredentials::open(&director.key, &name, &record.sealed) {
        Ok(credentials) => Some(v1::CollectorDestination {
            generation: 0,
            url: found.url,
            cluster: found.cluster,
            username: credentials.username,
            password: credentials.password,
            credentials_version: record.version,
            ca_pem: director.certificates.ca_pem(state),
        }),
        Err(error) => {
            tracing::error!(%error, "the collectors have no credentials");
            None
        }
    }
}
