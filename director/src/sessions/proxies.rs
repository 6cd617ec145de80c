//! The session of a proxy: greeting, counters into the leader's memory, and the route table: whole
//! at first, then what changed from one published generation to the next. Invariants: a table is
//! sent only when the leader's content is the published one, so that a generation means the same
//! everywhere. Not here: the table's content (the core), its certificates (`certificates`).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use wharf_director_core::{
    apply::enrollment::check_proxy,
    command::{Body, PublishRoutes, RegisterProxy},
    reconcile::route,
    state::State,
};
use wharf_proto::{
    ids::ProxyId,
    v1::{self, proxy_report::Report, route_order::Order},
};
use wharf_runtime::task;
use wharf_services::v1::route_session_server::RouteSession;

use super::{
    GATHER, HEARTBEAT, QUEUE, SESSION_VERSION, SILENCE, authority_order, certified,
    director_addresses, is_refusal, refuse, send, silent, superseded,
};
use crate::{
    answer::{internal, not_leading, refused},
    auth,
    director::Director,
    observations::Ticket,
};

const LOOK_EVERY: Duration = Duration::from_secs(600);

type Orders = mpsc::Sender<Result<v1::RouteOrder, Status>>;

/// The service.
#[derive(Clone, Debug)]
pub struct RouteSessions(pub Arc<Director>);

#[tonic::async_trait]
impl RouteSession for RouteSessions {
    type SessionStream = ReceiverStream<Result<v1::RouteOrder, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::ProxyReport>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let from = auth::address(request.extensions());
        let identity = certified(&request)?;
        let id = identity
            .id
            .parse()
            .map_err(|_| refuse("the certificate names no proxy id", "enroll again"))?;
        if !self.0.leads() {
            return Err(not_leading());
        }
        let (orders, stream) = mpsc::channel(QUEUE);
        let director = Arc::clone(&self.0);
        let reports = request.into_inner();
        drop(task::spawn(format!("proxy session {id}"), async move {
            let shutdown = director.shutdown.clone();
            let ended = tokio::select! {
                ended = session(&director, &id, reports, &orders) => ended,
                () = director.leadership_lost() => Err(not_leading()),
                () = shutdown.triggered() => Err(not_leading()),
            };
            if let Err(status) = ended {
                tracing::info!(proxy = %id, reason = status.message(), "session ended");
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
    id: &'a ProxyId,
    ticket: Ticket,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.director
            .seen
            .close_proxy(&self.ticket, self.id, self.director.now_ms());
    }
}

async fn next(reports: &mut Streaming<v1::ProxyReport>) -> Result<Option<v1::ProxyReport>, Status> {
    tokio::time::timeout(SILENCE, reports.message())
        .await
        .map_err(|_| silent())?
}

async fn session(
    director: &Director,
    id: &ProxyId,
    mut reports: Streaming<v1::ProxyReport>,
    orders: &Orders,
) -> Result<(), Status> {
    let Some(Report::Hello(hello)) = next(&mut reports).await?.and_then(|first| first.report)
    else {
        return Err(refuse("the first report is no hello", "say hello first"));
    };
    if hello.session_version != SESSION_VERSION || hello.proxy_id != id.as_str() {
        return Err(refuse(
            "the hello is of another version, or names another proxy than the certificate",
            "run the same version of director and proxy, with the proxy's own identity",
        ));
    }
    let register = Body::RegisterProxy(RegisterProxy {
        proxy_id: id.clone(),
        host: hello.host.clone(),
        zone: hello.zone.clone(),
        held_generation: hello.held_generation,
    });
    director
        .proposer
        .of(&format!("proxy/{id}"), register)
        .await?;
    let open = Open {
        director,
        id,
        ticket: director.seen.open_proxy(id, &hello, director.now_ms()),
    };
    tracing::info!(proxy = %id, host = hello.host, "a proxy is connected");
    let directors = director_addresses(&director.published.state());
    send(orders, welcome(director, &directors)).await?;
    tokio::select! {
        ended = listen(director, &open, &mut reports) => ended,
        ended = give_orders(director, &open, orders, directors) => ended,
        () = open.ticket.superseded.triggered() => Err(superseded()),
    }
}

fn welcome(director: &Director, directors: &[String]) -> v1::RouteOrder {
    order(Order::Welcome(v1::RouteWelcome {
        session_version: SESSION_VERSION,
        director_id: director.config.director_id.to_string(),
        heartbeat_interval_ms: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(5_000),
        directors: directors.to_vec(),
    }))
}

fn order(order: Order) -> v1::RouteOrder {
    v1::RouteOrder { order: Some(order) }
}

async fn listen(
    director: &Director,
    open: &Open<'_>,
    reports: &mut Streaming<v1::ProxyReport>,
) -> Result<(), Status> {
    while let Some(report) = next(reports).await? {
        match report.report {
            Some(Report::Heartbeat(beat)) => {
                director
                    .seen
                    .proxy_beat(&open.ticket, open.id, beat, director.now_ms());
            }
            Some(Report::Hello(_)) => {
                return Err(refuse("a second hello", "open another session"));
            }
            // Of a newer version.
            None => {}
        }
    }
    Err(Status::cancelled("the proxy closed the session"))
}

async fn give_orders(
    director: &Director,
    open: &Open<'_>,
    orders: &Orders,
    mut directors: Vec<String>,
) -> Result<(), Status> {
    let mut changes = director.published.changes();
    let mut seen = director.seen.decisive();
    let mut sent: Option<v1::RouteTable> = None;
    let mut log_level: Option<String> = None;
    let mut told: Option<v1::AuthorityOrder> = None;
    loop {
        changes.borrow_and_update();
        seen.borrow_and_update();
        let state = director.published.state();
        check_proxy(&state, open.id).map_err(|left| refused(&left))?;
        let now = director_addresses(&state);
        if now != directors {
            send(orders, welcome(director, &now)).await?;
            directors = now;
            // Being welcomed clears it there.
            log_level = None;
        }
        let wanted = state.setting("log.proxy").map(str::to_owned);
        if wanted != log_level {
            let filter = wanted.clone().unwrap_or_else(|| "info".to_owned());
            send(orders, order(Order::LogLevel(v1::LogLevel { filter }))).await?;
            log_level = wanted;
        }
        let authority = authority_order(&state);
        if authority != told {
            if let Some(authority) = authority.clone() {
                send(orders, order(Order::Authority(authority))).await?;
            }
            told = authority;
        }
        if let Some(table) = published_table(director, &state).await? {
            send_table(director, orders, &mut sent, table).await?;
        }
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return Err(not_leading());
                }
            }
            _ = seen.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// The table, when what the leader sees is what is published.
async fn published_table(
    director: &Director,
    state: &State,
) -> Result<Option<v1::RouteTable>, Status> {
    let content = route::content(state, &director.seen.core());
    if content.digest() != state.routes.digest {
        return Ok(None);
    }
    let mut identities = BTreeMap::new();
    for entry in content.routes.values() {
        let identity = director
            .certificates
            .route(state, &director.proposer, entry, director.clock_ms())
            .await
            .map_err(internal)?;
        identities.insert(entry.resource_id.clone(), identity);
    }
    // A certificate that was made meanwhile belongs to the next generation.
    if director.published.state().routes != state.routes {
        return Ok(None);
    }
    Ok(Some(content.to_message(state.routes.generation, |entry| {
        identities
            .get(&entry.resource_id)
            .map(ToString::to_string)
            .unwrap_or_default()
    })))
}

async fn send_table(
    director: &Director,
    orders: &Orders,
    sent: &mut Option<v1::RouteTable>,
    table: v1::RouteTable,
) -> Result<(), Status> {
    match sent {
        Some(last) if last.generation == table.generation => {
            if *last != table {
                // A certificate was renewed: that needs a generation of its own. The executor
                // publishes the content again behind this one.
                let renewed = Body::PublishRoutes(PublishRoutes {
                    from_generation: table.generation,
                    digest: "renewed".to_owned(),
                });
                // Another session may have been faster.
                let _ = director.proposer.own(renewed).await;
            }
            return Ok(());
        }
        Some(last) if last.domain == table.domain && last.generation < table.generation => {
            send(orders, order(Order::Delta(delta(last, &table)))).await?;
        }
        _ => send(orders, order(Order::Table(table.clone()))).await?,
    }
    *sent = Some(table);
    Ok(())
}

fn delta(last: &v1::RouteTable, next: &v1::RouteTable) -> v1::RouteDelta {
    let by_id = |table: &v1::RouteTable| -> BTreeMap<String, v1::Route> {
        table
            .routes
            .iter()
            .map(|route| (route.resource_id.clone(), route.clone()))
            .collect()
    };
    let (old, new) = (by_id(last), by_id(next));
    v1::RouteDelta {
        from_generation: last.generation,
        to_generation: next.generation,
        changed: new
            .iter()
            .filter(|(id, route)| old.get(*id) != Some(route))
            .map(|(_, route)| route.clone())
            .collect(),
        removed_resource_ids: old.into_keys().filter(|id| !new.contains_key(id)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(generation: u64, routes: &[(&str, &str)]) -> v1::RouteTable {
        v1::RouteTable {
            generation,
            domain: "localhost".into(),
            routes: routes
                .iter()
                .map(|(id, pem)| v1::Route {
                    resource_id: (*id).into(),
                    identity_pem: (*pem).into(),
                    ..Default::default()
                })
                .collect(),
        }
    }

    #[test]
    fn a_delta_has_what_changed_and_what_went_and_nothing_else() {
        let old = table(4, &[("a", "1"), ("b", "1"), ("c", "1")]);
        let new = table(6, &[("a", "1"), ("b", "2"), ("d", "1")]);
        let delta = delta(&old, &new);
        assert_eq!((delta.from_generation, delta.to_generation), (4, 6));
        let changed: Vec<&str> = delta
            .changed
            .iter()
            .map(|r| r.resource_id.as_str())
            .collect();
        assert_eq!(changed, ["b", "d"]);
        assert_eq!(delta.removed_resource_ids, ["c"]);
    }
}
