//! A proxy that is driven by hand over a real session. Not here: serving, which proxies' own tests show.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use wharf_proto::v1::{self, proxy_report, route_order};
use wharf_services::v1::route_session_client::RouteSessionClient;

use super::{Files, Process, beat::Beat};

/// A proxy driven by hand.
pub struct HandProxy {
    pub table: BTreeMap<String, v1::Route>,
    pub generation: u64,
    beat: Beat<v1::ProxyReport>,
    reports: mpsc::Sender<v1::ProxyReport>,
    orders: Streaming<v1::RouteOrder>,
}

impl HandProxy {
    pub async fn connect(files: &Files, process: &Process, held_generation: u64) -> Self {
        let id = files.bootstrap.proxy_id.clone();
        let identity = files.identity("proxy", &id);
        let channel = files.channel(process.internal, Some(&identity));
        let (reports, stream) = mpsc::channel(64);
        let hello = v1::ProxyHello {
            session_version: 1,
            proxy_id: id,
            host: "h1".into(),
            zone: "zone-1".into(),
            held_generation,
            version: "test".into(),
        };
        let report = v1::ProxyReport {
            report: Some(proxy_report::Report::Hello(hello)),
        };
        reports.send(report).await.unwrap();
        let orders = RouteSessionClient::new(channel)
            .session(ReceiverStream::new(stream))
            .await
            .unwrap()
            .into_inner();
        Self {
            table: BTreeMap::new(),
            generation: held_generation,
            beat: Beat::begin(&reports, proxy_beat(held_generation)),
            reports,
            orders,
        }
    }

    /// Takes one order; false when the session ended.
    pub async fn obey_one(&mut self) -> bool {
        let Ok(Some(order)) = self.orders.message().await else {
            return false;
        };
        match order.order.unwrap() {
            route_order::Order::Table(table) => {
                assert!(table.generation >= self.generation, "an older table");
                self.generation = table.generation;
                self.table = table
                    .routes
                    .into_iter()
                    .map(|route| (route.resource_id.clone(), route))
                    .collect();
            }
            route_order::Order::Delta(delta) => {
                assert_eq!(delta.from_generation, self.generation, "a gap");
                self.generation = delta.to_generation;
                for id in delta.removed_resource_ids {
                    self.table.remove(&id);
                }
                for route in delta.changed {
                    self.table.insert(route.resource_id.clone(), route);
                }
            }
            _ => return true,
        }
        let report = proxy_beat(self.generation);
        self.beat.becomes(&report);
        let _ = self.reports.send(report).await;
        true
    }
}

fn proxy_beat(table_generation: u64) -> v1::ProxyReport {
    let beat = v1::ProxyHeartbeat {
        table_generation,
        ..Default::default()
    };
    v1::ProxyReport {
        report: Some(proxy_report::Report::Heartbeat(beat)),
    }
}
