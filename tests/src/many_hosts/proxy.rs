//! A proxy that is not there, over a session that is: it takes tables of routes and says which it has. Not
//! here: serving.

use std::sync::Arc;

use rand::{SeedableRng, rngs::StdRng};
use rustls::ClientConfig;
use tokio::sync::mpsc;
use wharf_proto::v1::{self, proxy_report::Report, route_order::Order};
use wharf_runtime::net::{Addresses, channel};
use wharf_services::v1::route_session_client::RouteSessionClient;

use super::{
    generator::HostPlan,
    host::{AGAIN, BEAT, ticks},
    told::Told,
};

/// Room for a table with certificates of every deployment.
const MAX_MESSAGE: usize = 64 << 20;

/// A proxy that has joined.
pub(super) struct Proxy {
    id: String,
    host: String,
    zone: String,
    config: Arc<ClientConfig>,
    random: StdRng,
    generation: u64,
    sequence: u64,
}

impl Proxy {
    pub(super) fn new(plan: &HostPlan, id: String, config: Arc<ClientConfig>) -> Self {
        Self {
            id,
            host: plan.name.clone(),
            zone: plan.zone.clone(),
            config,
            random: StdRng::seed_from_u64(!plan.seed),
            generation: 0,
            sequence: 0,
        }
    }

    /// Lives until its task is dropped.
    pub(super) async fn live(mut self, directors: Addresses, told: Arc<Told>) {
        loop {
            if let Err(ended) = self.session(&directors).await {
                told.lost(&format!("the proxy on {}: {ended}", self.host));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn session(&mut self, directors: &Addresses) -> Result<(), String> {
        let (reports, mut queue) = mpsc::channel(8);
        let hello = v1::ProxyHello {
            session_version: 1,
            proxy_id: self.id.clone(),
            host: self.host.clone(),
            zone: self.zone.clone(),
            held_generation: self.generation,
            version: "0.1.0".into(),
        };
        send(&reports, Report::Hello(hello)).await?;
        let stream = futures::stream::poll_fn(move |context| queue.poll_recv(context));
        let client = RouteSessionClient::new(channel(directors, Arc::clone(&self.config)));
        let mut client = client.max_decoding_message_size(MAX_MESSAGE);
        let opened = client.session(stream).await;
        let mut orders = opened.map_err(|status| status.to_string())?.into_inner();
        let mut beat = ticks(&mut self.random, BEAT);
        loop {
            tokio::select! {
                order = orders.message() => {
                    let order = order.map_err(|status| status.to_string())?;
                    let order = order.ok_or("the director closed the session")?;
                    match order.order {
                        Some(Order::Table(table)) => self.generation = table.generation,
                        Some(Order::Delta(delta)) => self.generation = delta.to_generation,
                        _ => continue,
                    }
                    send(&reports, Report::Heartbeat(self.beat())).await?;
                }
                _ = beat.tick() => send(&reports, Report::Heartbeat(self.beat())).await?,
            }
        }
    }

    fn beat(&mut self) -> v1::ProxyHeartbeat {
        self.sequence += 1;
        v1::ProxyHeartbeat {
            sequence: self.sequence,
            table_generation: self.generation,
            requests_total: self.sequence * 900,
            open_connections: 40,
            ..Default::default()
        }
    }
}

async fn send(reports: &mpsc::Sender<v1::ProxyReport>, report: Report) -> Result<(), String> {
    let report = v1::ProxyReport {
        report: Some(report),
    };
    let sent = reports.send(report).await;
    sent.map_err(|_| "the director does not read any more".to_owned())
}
